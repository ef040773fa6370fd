//! The Gotong worker: everything that people do off the chain, as a library and as the program
//! `gotong`.
//!
//! Two rooms that do not import each other. The modules above them join them with two crates that import neither:
//! `gotong_training` and `gotong_evaluation`.
//!
//! - [`chain`]: the client of the chain, through its live metadata
//! - [`engine`]: pure state machines that decide what to do
//! - [`lab`]: rounds without a chain, for experiments
//! - [`run`]: the daemons that drive an engine, and what they keep on disk ([`state`])
//! - [`model`]: architectures as people write them
//! - [`allocator`]: memory that is kept for what is allocated next
//! - [`cli`]: the subcommands

pub mod allocator;
pub mod chain;
pub mod cli;
pub mod engine;
pub mod keys;
pub mod lab;
pub mod model;
pub mod process;
pub mod run;
pub mod state;
// Source files that the tests of two crates share.
#[cfg(test)]
#[path = "../../evaluation/src/test_lab.rs"]
pub mod test_lab;
#[cfg(test)]
#[path = "../../training/src/test_model.rs"]
mod test_model;
