//! The option that says how far a merge goes.

use super::output::q8;
use gotong_scoring::{
    merge::{MAX_OUTER_RATE, MIN_OUTER_RATE, OUTER_RATE_ONE},
    Graph,
};

/// How far a merge goes.
#[derive(Clone, Debug, clap::Args)]
pub struct OuterRateArg {
    /// What the mean of the deltas is multiplied with in the merge, 0.5 to 2 [default: 2 for a language model, else 1]
    #[arg(long, value_parser = outer_rate)]
    outer_rate: Option<u16>,
}

impl OuterRateArg {
    /// What is asked for, or what suits the graph, Q8.
    pub fn of(&self, graph: &Graph) -> u16 {
        self.outer_rate.unwrap_or(match graph.vocab() {
            None => OUTER_RATE_ONE,
            // Deltas of a tenth of the parameters have few in common.
            Some(_) => 2 * OUTER_RATE_ONE,
        })
    }
}

/// A rate in 1/256, rounded down.
fn outer_rate(text: &str) -> Result<u16, String> {
    q8(text)
        .filter(|rate| (MIN_OUTER_RATE..=MAX_OUTER_RATE).contains(rate))
        .ok_or_else(|| format!("`{text}` is not a rate from 0.5 to 2, such as 1.5"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::fixture::small_transformer;

    #[test]
    fn a_rate_is_read_in_q8_and_its_default_suits_the_model() {
        let rates = ["0.5", "1", "1.5", "2"].map(|text| outer_rate(text).unwrap());
        assert_eq!(rates, [128, 256, 384, 512]);
        for wrong in ["0.499", "2.01", "-1", "x", "", "1.2345"] {
            assert!(outer_rate(wrong).is_err(), "{wrong}");
        }
        let of = |outer_rate, graph| OuterRateArg { outer_rate }.of(&graph);
        assert_eq!(of(None, small_transformer()), 512);
        assert_eq!(of(None, Graph::mlp(&[2, 2])), 256);
        assert_eq!(of(Some(300), small_transformer()), 300);
    }
}
