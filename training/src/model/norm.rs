//! `RmsNorm`: rows divided by the root of their mean square.

use gotong_scoring::Width;

use super::{super::units::power, Output, Pass};

/// The result is in steps, `2^unit_bits` of which are 1.0.
pub(super) fn rms_norm(input: Output, pass: &Pass, unit_bits: u8) -> Output {
    // A row of zeros stays zero; the smallest other mean square is 1/2048.
    const LEAST: f32 = 1e-6;
    let rows = input.rows();
    let fixed = rows.clone().detach();
    let squares = (rows.clone() * fixed).mean_dim(1);
    // With one factor fixed, the mean has half of its gradient.
    let twice = squares.clone() - squares.clone().detach();
    let root = (squares + twice).add_scalar(LEAST).sqrt();
    let normed = rows * root.recip().mul_scalar(power(unit_bits));
    Output::Rows(pass.rounding().activations(normed, Width::Narrow))
}
