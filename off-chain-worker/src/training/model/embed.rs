//! `Embed`: a row for every token.

use burn::tensor::{Int, Tensor};

use super::{
    super::{batch::Inputs, units::power},
    rounding::rounded,
    Output, Pass,
};

pub(super) fn embed(input: Output, pass: &mut Pass, shift: u8) -> Output {
    match (pass.inputs, pass.next_master(), pass.next_master()) {
        (Inputs::Tokens(ids), Some(of_tokens), Some(of_places)) => {
            let unit = of_tokens.steps / power(shift);
            let rows = embedded(ids.clone(), of_tokens.value, of_places.value, unit);
            Output::Rows(rows)
        }
        _ => input,
    }
}

/// `[samples * tokens, width]` in steps of which 1.0 has `unit`.
fn embedded(
    ids: Tensor<2, Int>,
    of_tokens: Tensor<2>,
    of_places: Tensor<2>,
    unit: f32,
) -> Tensor<2> {
    let [samples, tokens] = ids.dims();
    let [_, width] = of_places.dims();
    let rows = of_tokens.select(0, ids.reshape([samples * tokens]));
    let rows = rows.reshape([samples, tokens, width]) + of_places.unsqueeze();
    rounded(
        rows.reshape([samples * tokens, width]).mul_scalar(unit),
        32_767.0,
    )
}
