//! `Requant`: only rounds; the op before has already applied its factor.

use gotong_scoring::Width;

use super::{Output, Pass};

pub(super) fn requant(input: Output, pass: &Pass, width: Width) -> Output {
    let rounding = pass.rounding();
    match input {
        Output::Rows(sums) => Output::Rows(rounding.activations(sums, width)),
        Output::Heads(sums) => Output::Heads(rounding.activations(sums, width)),
        Output::Thirds(sums) => {
            Output::Thirds(Box::new(sums.map(|sums| rounding.activations(sums, width))))
        }
    }
}
