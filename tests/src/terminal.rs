//! Runs a program in a terminal of its own, in which keys are pressed once a text is on the screen. Python makes the terminal.

use crate::python::python;
use anyhow::{ensure, Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is done in a terminal.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<'a> {
    /// Waits until a line of the screen contains this text.
    Expect(&'a str),
    /// Types these keys, as a terminal sends them.
    Press(&'a str),
    /// Sends the program this signal.
    Signal(u8),
}

/// How a program ended, and how it left its terminal.
#[derive(Debug, Deserialize)]
pub struct Ended {
    /// Its exit status.
    pub status: i32,
    /// Whether the terminal's settings are those from before.
    pub is_restored: bool,
    /// Whether keys came one by one while it ran.
    pub was_raw: bool,
    /// Whether it drew on a screen other than that of the shell.
    pub used_other_screen: bool,
    /// Whether the shell's screen was restored.
    pub left_other_screen: bool,
    /// Whether the cursor is visible.
    pub shows_cursor: bool,
    /// Whether anything was coloured.
    pub has_colours: bool,
    /// The lines that were drawn last.
    pub screen: Vec<String>,
}

impl Ended {
    /// Whether a user finds the terminal as it was before.
    pub fn is_as_before(&self) -> bool {
        let is_on_screen = self.left_other_screen || !self.used_other_screen;
        self.is_restored && is_on_screen && self.shows_cursor
    }
}

/// Runs a program to its end in a terminal of its own. The program gets these variables, and none of those that others set for
/// colours.
///
/// # Errors
/// Fails if Python is not there, if a text does not come, or if the program does not end.
pub async fn run(
    program: &Path,
    arguments: &[String],
    variables: &[(&str, &str)],
    steps: &[Step<'_>],
) -> Result<Ended> {
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/terminal.py"));
    let mut command = python(script)?;
    command
        .arg(serde_json::to_string(steps)?)
        .arg(program)
        .args(arguments)
        .env("TERM", "xterm-256color");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told = String::from_utf8(output.stdout)?;
    serde_json::from_str(&told).with_context(|| format!("the script tells: {told}"))
}
