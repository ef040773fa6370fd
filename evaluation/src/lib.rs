//! Fast evaluation of the exact machine: two evaluators that give the same answers as `gotong_scoring::Reference`, bit for bit,
//! the test that a device must pass before anybody trusts it, the checks of all its later answers, and evidence of single steps.

// The worker's tests include `test_lab` as well, and refer to this crate by its name.
#[cfg(test)]
extern crate self as gotong_evaluation;

#[cfg(test)]
mod after;
mod backend;
mod burn;
mod checked;
mod device_thread;
mod difference;
#[cfg(test)]
mod equality;
mod evidence;
mod fast_cpu;
mod flipping;
mod lies;
mod precision;
mod probabilities;
mod sampling;
mod self_test;
mod speed;
mod step_name;
mod step_path;
mod step_words;
#[cfg(test)]
pub mod test_lab;
mod traced;
mod verdict_text;

pub use self::burn::BurnEvaluator;
pub use backend::{Backend, Halt, Shared};
pub use checked::{CheckedDevice, DeviceEvaluator, DistrustRecord, Mismatch};
pub use difference::Difference;
pub use evidence::{Evidence, EvidenceError, Finding, Move};
pub use fast_cpu::FastCpu;
pub use flipping::Flipping;
pub use lies::LieKind;
pub use precision::{check_precision, Imprecise};
pub use probabilities::probabilities;
pub use sampling::{generate, GenerateError, Sampler};
pub use self_test::{self_test, SelfTestFailure, SelfTestReport};
pub use speed::reliable_speed;
pub use step_name::{NotAStep, StepName};
pub use traced::{compare, Compared, Traced};
pub use verdict_text::{describe_accusation, describe_step, describe_verdict};

/// The sum of losses, in bits.
pub fn bits(losses: &[u32]) -> f64 {
    losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / 65_536.0
}
