//! The options that say how long deltas may be, and how far their merge goes.

use super::output::Q8;
use gotong_protocol::bounds::{MAX_DELTA_BYTES, MIN_DELTA_BYTES, USUAL_DELTA_BYTES};
use gotong_scoring::{
    merge::{MAX_OUTER_RATE, MIN_OUTER_RATE, OUTER_RATE_ONE},
    Graph,
};
use serde::Deserialize;

/// How long deltas may be, and how far their merge goes: flags, and the section `deltas` of a task's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeltaTerms {
    /// Longest delta in KiB, 4 to 192; a round takes at most 1,024 deltas, and at most 64 MiB in all [default: 64 or, for a
    /// larger model, enough for half of its parameters]
    #[arg(long, value_name = "KIB", value_parser = clap::value_parser!(u32).range((MIN_DELTA_BYTES >> 10) as i64..=(MAX_DELTA_BYTES >> 10) as i64))]
    #[serde(rename = "kib")]
    delta_kib: Option<u32>,
    /// Outer rate, by which a merge multiplies the mean of the deltas, 0.5 to 2 [default: 1; for a language model 1.5, or 2 if
    /// a delta is limited to less than one byte for every eight parameters]
    #[arg(long, value_parser = outer_rate)]
    outer_rate: Option<Q8>,
}

impl DeltaTerms {
    /// What is asked for here, or else what `others` ask for.
    pub fn or(&self, others: &Self) -> Self {
        Self {
            delta_kib: self.delta_kib.or(others.delta_kib),
            outer_rate: self.outer_rate.or(others.outer_rate),
        }
    }

    /// Longest delta, in bytes.
    pub fn delta_bytes(&self, graph: &Graph) -> u32 {
        let kib = self.delta_kib.unwrap_or_else(|| {
            // 1.52 bits for each parameter: half of them as entries with one magnitude, each with a little more than two bits for
            // its place and one for its sign.
            let half = graph.parameters().saturating_mul(19) / 100;
            let most = MAX_DELTA_BYTES >> 10;
            let kib = u32::try_from(half.div_ceil(1 << 10)).unwrap_or(most);
            kib.clamp(USUAL_DELTA_BYTES >> 10, most)
        });
        kib.saturating_mul(1 << 10)
    }

    /// How far the merge goes, Q8.
    pub fn outer_rate_q8(&self, graph: &Graph) -> u16 {
        let usual = || match graph.vocab() {
            None => OUTER_RATE_ONE,
            // Deltas that keep few parameters have few in common. A byte has one or two.
            Some(_) if (self.delta_bytes(graph) as usize) < graph.parameters() / 8 => {
                2 * OUTER_RATE_ONE
            }
            Some(_) => OUTER_RATE_ONE / 2 * 3,
        };
        self.outer_rate.map_or_else(usual, |rate| rate.0)
    }
}

/// A rate within its bounds.
fn outer_rate(text: &str) -> Result<Q8, String> {
    let rate: Option<Q8> = text.parse().ok();
    rate.filter(|rate| (MIN_OUTER_RATE..=MAX_OUTER_RATE).contains(&rate.0))
        .ok_or_else(|| format!("`{text}` is not a rate from 0.5 to 2, such as 1.5"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model, test_model::small_transformer};
    use gotong_training::compress;

    fn none() -> DeltaTerms {
        DeltaTerms::default()
    }

    #[test]
    fn a_rate_is_read_in_q8_and_its_default_suits_the_model() {
        let rates = ["0.5", "1", "1.5", "2"].map(|text| outer_rate(text).unwrap().0);
        assert_eq!(rates, [128, 256, 384, 512]);
        for wrong in ["0.499", "2.01", "-1", "x", "", "1.2345"] {
            assert!(outer_rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!(none().outer_rate_q8(&small_transformer()), 384);
        assert_eq!(none().outer_rate_q8(&Graph::mlp(&[2, 2])), 256);
        let large = of_a_million();
        let with = |delta_kib| {
            DeltaTerms {
                delta_kib,
                ..none()
            }
            .outer_rate_q8(&large)
        };
        assert_eq!((with(None), with(Some(64))), (384, 512));
        let outer_rate = Some(Q8(300));
        let chosen = DeltaTerms {
            outer_rate,
            ..none()
        };
        assert_eq!(chosen.outer_rate_q8(&large), 300);
        assert_eq!(chosen.or(&none()), chosen);
        assert_eq!(none().or(&chosen), chosen);
    }

    #[test]
    fn half_of_a_model_fits_into_a_delta() {
        let bytes = |graph: &Graph| none().delta_bytes(graph);
        assert_eq!(bytes(&Graph::mlp(&[784, 128, 10])), 64 << 10);
        assert_eq!(bytes(&of_a_million()), 191 << 10);
        assert_eq!(bytes(&Graph::mlp(&[4_096, 1_024, 10])), 192 << 10);
        let delta_kib = Some(4);
        let chosen = DeltaTerms {
            delta_kib,
            ..none()
        };
        assert_eq!(chosen.delta_bytes(&of_a_million()), 4_096);
        // It is enough, whatever has changed.
        let change: Vec<i32> = (0..of_a_million().parameters() as i32)
            .map(|at| 1 + at.wrapping_mul(0x9E37_79B9_u32 as i32).rem_euclid(30_000))
            .collect();
        let (delta, _) = compress(&change, 500, bytes(&of_a_million())).unwrap();
        assert!(delta.entries().len() + 500 > change.len() / 2);
    }

    /// The language model of the demo.
    fn of_a_million() -> Graph {
        model::parse(include_str!("../../../docs/models/transformer.toml")).unwrap()
    }
}
