//! The option that says how far a merge goes.

use super::output::q8;
use gotong_scoring::{merge::OUTER_RATE_ONE, Graph};

/// How far a merge goes.
#[derive(Clone, Debug, clap::Args)]
pub struct OuterRateArg {
    /// What the mean of the deltas is multiplied with in the merge, 0.25 to 4 [default: 2 for a language model, else 1]
    #[arg(long, value_parser = outer_rate)]
    outer_rate: Option<u16>,
}

impl OuterRateArg {
    /// What is asked for, or what suits the graph, Q8.
    pub fn of(&self, graph: &Graph) -> u16 {
        self.outer_rate.unwrap_or(match graph.vocab() {
            None => OUTER_RATE_ONE,
            // Of deltas with one parameter of sixteen each, three hands have few in common.
            Some(_) => 2 * OUTER_RATE_ONE,
        })
    }
}

/// A rate in 1/256, rounded down.
fn outer_rate(text: &str) -> Result<u16, String> {
    q8(text).ok_or_else(|| format!("`{text}` is not a rate: write one such as 1.5"))
}
