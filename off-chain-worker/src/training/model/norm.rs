//! `RmsNorm`: rows divided by the root of their mean square.

use super::{super::units::power, rounding::rounded, Output};

/// In steps of which 1.0 has `2^unit_bits`.
pub(super) fn rms_norm(input: Output, unit_bits: u8) -> Output {
    // A row of zeros stays one; the least other mean square is 1/2048.
    const LEAST: f32 = 1e-6;
    let rows = input.rows();
    let fixed = rows.clone().detach();
    let squares = (rows.clone() * fixed).mean_dim(1);
    // With one factor fixed, the mean has half of its gradient.
    let twice = squares.clone() - squares.clone().detach();
    let root = (squares + twice).add_scalar(LEAST).sqrt();
    let normed = rows * root.recip().mul_scalar(power(unit_bits));
    Output::Rows(rounded(normed, 127.0))
}
