//! The exact machine run fast: two evaluators that answer as `gotong_scoring::Reference` does, bit
//! for bit, and the test that a device must pass before anybody trusts it.

mod burn_evaluator;
mod fast_cpu;
mod kernel;
mod self_test;

pub use burn_evaluator::BurnEvaluator;
pub use fast_cpu::FastCpu;
pub use self_test::{self_test, SelfTestFailure, SelfTestReport};

#[cfg(test)]
mod equality;
