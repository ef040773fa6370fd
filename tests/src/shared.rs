//! What the nodes of all tests share, so that a node starts fast: the development chain's first state, and compiled runtimes.

use anyhow::{ensure, Context, Result};
use gotong::process::sibling;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::sync::OnceCell;

/// The file of the development chain's specification, once the process has written it.
static DEVELOPMENT: OnceCell<PathBuf> = OnceCell::const_new();

/// A chain's specification in JSON, by its name or file, exported with these options.
///
/// # Errors
/// A chain that the node does not know.
pub fn exported(chain: &str, options: &[&str]) -> Result<Vec<u8>> {
    let exported = Command::new(sibling("gotong-node")?)
        .args(["export-chain-spec", "--chain", chain])
        .args(options)
        .output()?;
    ensure!(exported.status.success(), "{exported:?}");
    Ok(exported.stdout)
}

/// The file of the development chain's specification with its first state: otherwise every node compiles a runtime that computes
/// it.
pub async fn development() -> Result<&'static Path> {
    let written = DEVELOPMENT.get_or_try_init(|| async {
        let folder = shared_folder()?;
        let file = folder.join("dev.json");
        // Another process may read it.
        let new = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(new.path(), exported("dev", &["--raw"])?)?;
        new.persist(&file)?;
        anyhow::Ok(file)
    });
    let file = written.await?;
    Ok(file)
}

/// The option of a node that has the nodes of all tests share the runtimes that they have compiled.
///
/// # Errors
/// The folder cannot be made.
pub fn compiled_runtimes() -> Result<String> {
    let folder = shared_folder()?.join("compiled");
    Ok(format!("--compiled-runtimes={}", folder.display()))
}

/// What tests of one build share lies beside its programs.
fn shared_folder() -> Result<PathBuf> {
    let node = sibling("gotong-node")?;
    let folder = node
        .parent()
        .context("it is in a folder")?
        .join("end-to-end");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
