//! Python, in the environment that `make python` makes, with scikit-learn and onnxruntime.

use anyhow::{ensure, Context, Result};
use gotong::process::sibling;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the environment, whether or not it exists.
///
/// # Errors
/// Fails if the programs are not where cargo puts them.
pub fn environment() -> Result<PathBuf> {
    let built = sibling("gotong")?;
    let target = built.ancestors().nth(2).context("built in target/debug")?;
    Ok(target.join("python"))
}

/// Runs a script with the environment's Python.
///
/// # Errors
/// Fails if the environment does not exist.
pub fn python(script: &Path) -> Result<Command> {
    let program = environment()?.join("bin/python");
    ensure!(
        program.is_file(),
        "{} is missing: `make python` makes it",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .arg(script)
        .env_remove("PYTHONPATH")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
