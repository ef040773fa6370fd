//! `Requant`: rounds; the op before has applied its factor.

use gotong_scoring::Width;

use super::{rounding::rounded, Output};

pub(super) fn requant(input: Output, width: Width) -> Output {
    let bound = match width {
        Width::Narrow => 127.0,
        Width::Wide => 32_767.0,
    };
    match input {
        Output::Rows(sums) => Output::Rows(rounded(sums, bound)),
        Output::Heads(sums) => Output::Heads(rounded(sums, bound)),
        Output::Thirds(sums) => Output::Thirds(Box::new(sums.map(|sums| rounded(sums, bound)))),
    }
}
