//! The Gotong worker: everything that people do off the chain, as a library and as the program
//! `gotong`.
//!
//! Four rooms that know nothing of one another, and what joins them above:
//!
//! - [`chain`]: the client of the chain, through its live metadata
//! - [`training`]: Burn, data sets, devices
//! - [`engine`]: pure state machines that decide what to do
//! - [`lab`]: rounds without a chain, for experiments
//! - [`run`]: the daemons that drive an engine, and what they keep on disk ([`state`])
//! - [`model`]: architectures as people write them
//! - [`allocator`]: memory that is kept for what is allocated next
//! - [`whole_file`]: files that are written as a whole or not at all
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
// A round that the tests of two crates are about.
#[cfg(test)]
#[path = "../../evaluation/src/test_lab.rs"]
pub mod test_lab;
pub mod training;
pub mod whole_file;
