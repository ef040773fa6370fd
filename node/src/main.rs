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

fn main() -> sc_cli::Result<()> {
    command::run()
}
