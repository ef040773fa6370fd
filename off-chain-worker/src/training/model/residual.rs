//! `Residual`: the sum with what an earlier op gave.

use super::{Output, Pass};

/// Where the sum is clamped, no gradient passes.
pub(super) fn residual(input: Output, pass: &Pass, from: u32) -> Output {
    match pass.earlier(from) {
        Some(earlier) => {
            let sum = input.rows() + earlier.clone().rows();
            Output::Rows(sum.clamp(-32_767.0, 32_767.0))
        }
        None => input,
    }
}
