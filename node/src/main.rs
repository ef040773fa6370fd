//! The Gotong node: keeps the chain, authors blocks with BABE, finalizes them with GRANDPA and
//! serves JSON-RPC. The database is an embedded ParityDB.
//!
//! The node is thin: everything that is Gotong's own happens in the runtime, which is a Wasm blob
//! in the chain's state, and in the off-chain worker, which is a program of its own.

// The SDK's own error types are large, and its traits return them by value.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod room;
mod rpc;
mod service;

use std::{
    error::Error as _,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

fn main() -> ExitCode {
    match command::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, there is nothing to do about it.
            let _ = writeln!(io::stderr(), "error: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error as a sentence, with advice where the SDK's text names another program or is too long.
fn explain(error: &sc_cli::Error) -> String {
    if let sc_cli::Error::NetworkKeyNotFound(key) = error {
        let folder = key.parent().filter(|folder| !folder.as_os_str().is_empty());
        return format!(
            "an authority needs a permanent network key, and there is none in {key}: make one with \
             `mkdir -p '{folder}' && gotong-node key generate-node-key --file '{key}'`, then start again",
            folder = folder.unwrap_or(Path::new(".")).display(),
            key = key.display()
        );
    }
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        // Some errors show their cause themselves.
        let text = deeper.to_string();
        if !sentence.ends_with(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = deeper.source();
    }
    sentence
}
