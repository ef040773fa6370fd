//! The one switch for colours: of help, of logs and of live views.
//!
//! `NO_COLOR` with any value turns them off (<https://no-color.org>), and so does `CLICOLOR=0` (<https://bixense.com/clicolors>).
//! Output that is not a terminal has none either. Progress bars never have any.

use clap::ColorChoice;
use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal},
};

/// Whether the user wants colours if there is a terminal.
pub fn are_wanted() -> bool {
    wanted_by(|name| env::var_os(name))
}

/// Whether log lines on standard error are coloured.
pub fn of_log() -> bool {
    are_wanted() && io::stderr().is_terminal()
}

/// How clap colours help and errors.
pub fn of_help() -> ColorChoice {
    match are_wanted() {
        true => ColorChoice::Auto,
        false => ColorChoice::Never,
    }
}

fn wanted_by(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_off = variable("CLICOLOR").is_some_and(|value| value == "0");
    !(is_refused || is_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_no_color_and_clicolor() {
        let wanted = |name: &'static str, value: &'static str| {
            wanted_by(move |asked| (asked == name).then(|| value.into()))
        };
        assert!(wanted_by(|_| None));
        for refused in ["1", "0", "false"] {
            assert!(!wanted("NO_COLOR", refused), "{refused}");
        }
        // By the standard, an empty value does not count.
        assert!(wanted("NO_COLOR", ""));
        assert!(!wanted("CLICOLOR", "0"));
        assert!(wanted("CLICOLOR", "1") && wanted("CLICOLOR", ""));
    }
}
