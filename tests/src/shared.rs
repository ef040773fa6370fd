//! What the nodes of all tests share so that they start fast: the development chain's first state, and compiled runtimes.

use anyhow::{ensure, Context, Result};
use gotong::process::sibling;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::sync::OnceCell;

/// The file with the development chain's specification, once this process has written it.
static DEVELOPMENT: OnceCell<PathBuf> = OnceCell::const_new();

/// Exports the specification of `chain`, which is a name or a file, as JSON, with these options.
///
/// # Errors
/// Fails if the node does not know the chain.
pub fn exported(chain: &str, options: &[&str]) -> Result<Vec<u8>> {
    let exported = Command::new(sibling("gotong-node")?)
        .args(["export-chain-spec", "--chain", chain])
        .args(options)
        .output()?;
    ensure!(exported.status.success(), "{exported:?}");
    Ok(exported.stdout)
}

/// The file with the development chain's specification, including its first state. Without the state, every node would compile a
/// runtime to compute it.
pub async fn development() -> Result<&'static Path> {
    let written = DEVELOPMENT.get_or_try_init(|| async {
        let folder = shared_folder()?;
        let file = folder.join("dev.json");
        // Another process may be reading the file.
        let new = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(new.path(), exported("dev", &["--raw"])?)?;
        new.persist(&file)?;
        anyhow::Ok(file)
    });
    let file = written.await?;
    Ok(file)
}

/// The option with which the nodes of all tests share their compiled runtimes.
///
/// # Errors
/// Fails if the folder cannot be created.
pub fn compiled_runtimes() -> Result<String> {
    let folder = shared_folder()?.join("compiled");
    Ok(format!("--compiled-runtimes={}", folder.display()))
}

/// The folder that the tests of one build share, beside its programs.
fn shared_folder() -> Result<PathBuf> {
    let node = sibling("gotong-node")?;
    let folder = node
        .parent()
        .context("it is in a folder")?
        .join("end-to-end");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
