//! `Embed`: a row for every token.

use burn::tensor::{Int, Tensor};
use gotong_scoring::Width;

use super::{
    super::{batch::Inputs, units::power},
    Output, Pass,
};

pub(super) fn embed(input: Output, pass: &mut Pass, shift: u8) -> Output {
    match (pass.inputs, pass.next_master(), pass.next_master()) {
        (Inputs::Tokens(ids), Some(of_tokens), Some(of_places)) => {
            let unit = of_tokens.steps / power(shift);
            let rows = embedded(ids.clone(), of_tokens.value, of_places.value);
            let rows = rows.mul_scalar(unit);
            Output::Rows(pass.rounding().activations(rows, Width::Wide))
        }
        _ => input,
    }
}

/// `[samples * tokens, width]` in real units.
fn embedded(ids: Tensor<2, Int>, of_tokens: Tensor<2>, of_places: Tensor<2>) -> Tensor<2> {
    let [samples, tokens] = ids.dims();
    let [_, width] = of_places.dims();
    let rows = of_tokens.select(0, ids.reshape([samples * tokens]));
    let rows = rows.reshape([samples, tokens, width]) + of_places.unsqueeze();
    rows.reshape([samples * tokens, width])
}
