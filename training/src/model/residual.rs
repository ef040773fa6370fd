//! `Residual`: the sum with what an earlier op gave.

use super::{Output, Pass, Rounding};

/// Where the sum is clamped, no gradient passes.
pub(super) fn residual(input: Output, pass: &Pass, from: u32) -> Output {
    match pass.earlier(from) {
        Some(earlier) => {
            let sum = input.rows() + earlier.clone().rows();
            Output::Rows(match pass.rounding() {
                Rounding::AsMachine => sum.clamp(-32_767.0, 32_767.0),
                // It is far from these bounds.
                Rounding::ClampsOnly => sum,
            })
        }
        None => input,
    }
}
