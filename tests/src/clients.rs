//! Clients that others wrote, in the environments that `make clients` installs: polkadot-js, PAPI, smoldot, Chopsticks, and two in
//! Python.

use anyhow::{ensure, Context, Result};
use gotong::process::sibling;
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::process::Command;

/// The scripts, and what they need.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
/// Longest time that a script may take: most of it is spent waiting for blocks.
const LIMIT: Duration = Duration::from_secs(300);

/// A client in Python, each with an environment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PythonClient {
    /// py-substrate-interface.
    SubstrateInterface,
    /// aio-substrate-interface, formerly async-substrate-interface.
    AioSubstrateInterface,
}

/// The scripts in a folder of their own, with the packages that they import.
pub struct Clients {
    installed: PathBuf,
    folder: PathBuf,
}

impl Clients {
    /// Copies the scripts to a new folder within `folder`.
    ///
    /// # Errors
    /// Fails if the clients are not installed.
    pub fn new(folder: &Path) -> Result<Self> {
        let built = sibling("gotong")?;
        let target = built.ancestors().nth(2).context("the target folder")?;
        let installed = target.join("clients");
        ensure!(
            installed.join("made-from").is_file(),
            "{} is missing: `make clients` makes it",
            installed.display()
        );
        let folder = folder.join("clients");
        fs::create_dir(&folder)?;
        for entry in fs::read_dir(SCRIPTS)? {
            let entry = entry?;
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
        // A module finds its packages beside itself.
        std::os::unix::fs::symlink(installed.join("node_modules"), folder.join("node_modules"))?;
        Ok(Self { installed, folder })
    }

    /// Runs a script with Node.js, and returns the JSON of its last line.
    pub async fn javascript(&self, script: &str, arguments: &[&str]) -> Result<Value> {
        last_line(&self.node(script, arguments).await?)
    }

    /// Generates PAPI's code for the chain of the node at `url`, and has TypeScript check it.
    pub async fn generate_papi(&self, url: &str) -> Result<()> {
        let papi = "node_modules/.bin/papi";
        self.node(papi, &["add", "gotong", "-w", url]).await?;
        let generated = ".papi/descriptors/dist/index.d.ts";
        let rules = "--noEmit --strict --target es2022 --module esnext --moduleResolution bundler";
        let arguments: Vec<_> = rules.split(' ').chain([generated]).collect();
        self.node("node_modules/.bin/tsc", &arguments).await?;
        Ok(())
    }

    /// Runs a script of the client, and returns the JSON of its last line.
    pub async fn python(&self, client: PythonClient, arguments: &[&str]) -> Result<Value> {
        let name = match client {
            PythonClient::SubstrateInterface => "substrate_interface",
            PythonClient::AioSubstrateInterface => "aio_substrate_interface",
        };
        let program = self.installed.join(name).join("bin/python");
        let script = format!("{name}_client.py");
        last_line(&self.run(&program, &script, arguments).await?)
    }

    async fn node(&self, script: &str, arguments: &[&str]) -> Result<String> {
        self.run("node", script, arguments).await
    }

    async fn run(
        &self,
        program: impl AsRef<OsStr>,
        script: &str,
        arguments: &[&str],
    ) -> Result<String> {
        let mut command = Command::new(program);
        command
            .arg(script)
            .args(arguments)
            .current_dir(&self.folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // PAPI uses the WebSocket that browsers have, and that Node.js has from version 22 on.
            .env("NODE_OPTIONS", "--experimental-websocket")
            // It would install the code that it generated, but the script imports that code from where it is.
            .env("npm_config_dry_run", "true")
            .env("npm_config_offline", "true")
            .kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output());
        let output = output
            .await
            .with_context(|| format!("{script} did not end within {LIMIT:?}"))?
            .with_context(|| format!("{script} does not start"))?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{script} failed: {out}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(out)
    }
}

fn last_line(out: &str) -> Result<Value> {
    let line = out.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("no JSON was printed last, but: {out}"))
}
