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
mod rpc;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// A sentence about an error, with what to do where the SDK's text is of another program or too long.
fn explain(error: &sc_cli::Error) -> String {
    match error {
        sc_cli::Error::NetworkKeyNotFound(key) => format!(
            "an authority has to keep its network key, and there is none in {key}: make one with \
             `mkdir -p {folder} && gotong-node key generate-node-key --file {key}`, and start again",
            folder = key.parent().unwrap_or(key).display(),
            key = key.display()
        ),
        other => other.to_string(),
    }
}
