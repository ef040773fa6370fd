//! `gotong completions` and `gotong man-pages`: what a shell and `man` know about the commands, generated from the commands
//! themselves.

use super::{output::print_line, Cli};
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use std::{fs, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong completions bash > ~/.local/share/bash-completion/completions/gotong\n\n\
                  The Debian package and `make install` have installed them for bash, zsh and fish already."
)]
pub struct Completions {
    /// The shell to complete commands in
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong man-pages --out ~/.local/share/man/man1\n\n\
                  The Debian package and `make install` have installed them already."
)]
pub struct ManPages {
    /// The folder to write to; it is created if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Prints a script for the shell.
pub fn completions(args: &Completions) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gotong", &mut script);
    print_line(String::from_utf8_lossy(&script).trim_end());
}

/// Writes `gotong.1`, and a page like `gotong-task-open.1` for each command.
pub fn man_pages(args: &ManPages) -> anyhow::Result<()> {
    let folder = &args.out;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("cannot write to {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, ValueEnum};
    use std::collections::BTreeSet;

    /// The names of all commands, each preceded by the commands above it.
    fn commands() -> Vec<Vec<String>> {
        fn below(command: &Command, names: &[String], all: &mut Vec<Vec<String>>) {
            let names = [names, &[command.get_name().to_owned()]].concat();
            for one in command.get_subcommands() {
                below(one, &names, all);
            }
            all.push(names);
        }
        let mut all = Vec::new();
        below(&Cli::command(), &[], &mut all);
        all
    }

    #[test]
    fn every_command_has_a_page_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("share/man1");
        man_pages(&ManPages { out: out.clone() }).unwrap();
        let pages: BTreeSet<String> = fs::read_dir(&out)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let expected = commands().into_iter().map(|names| names.join("-") + ".1");
        assert_eq!(pages, expected.collect());
        assert!(pages.contains("gotong-task-open.1"));
        let page = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        let attest = page("gotong-attest.1");
        assert!(attest.contains("gotong attest") && attest.contains(r"\-\-seats"));
        assert!(!attest.contains(r"\-\-lie"), "drills are hidden");
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "gotong", &mut script);
            let script = String::from_utf8(script).unwrap();
            for names in commands() {
                let name = names.last().unwrap();
                assert!(script.contains(name.as_str()), "{shell}: {name}");
            }
        }
    }
}
