//! Where two score tables differ first.

use gotong_protocol::Opening;
use gotong_scoring::SumNode;
use std::fmt;

/// The first thing in which two tables differ, as far as their openings tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs, in words.
    pub what: &'static str,
    /// What was computed here.
    pub ours: String,
    /// What the other table says.
    pub theirs: String,
}

impl Difference {
    /// Between two values of the same thing.
    pub fn of(
        what: &'static str,
        ours: impl fmt::Display,
        theirs: impl fmt::Display,
    ) -> Option<Self> {
        let (ours, theirs) = (ours.to_string(), theirs.to_string());
        (ours != theirs).then_some(Self { what, ours, theirs })
    }

    /// Between two tables: what others follow from comes first.
    pub fn between(ours: &Opening, theirs: &Opening) -> Option<Self> {
        let (own, other) = (&ours.header, &theirs.header);
        let hash = |hash: &[u8; 32]| hex::encode(hash);
        Self::of("the number of samples", own.samples, other.samples)
            .or_else(|| {
                let what = "the losses of the weights before the round";
                Self::of(what, node(&own.base), node(&other.base))
            })
            .or_else(|| {
                let what = "which deltas are similar";
                Self::of(what, hash(&own.similar_root), hash(&other.similar_root))
            })
            .or_else(|| Self::of("the rows", node(&ours.rows), node(&theirs.rows)))
            .or_else(|| {
                let what = "the losses of the merged weights";
                Self::of(what, node(&own.merged), node(&other.merged))
            })
            .or_else(|| Self::of("the gain", own.gain, other.gain))
            .or_else(|| {
                let what = "the standard error of the gain";
                Self::of(what, own.gain_se, other.gain_se)
            })
            .or_else(|| Self::of("the paid gain", own.paid_gain, other.paid_gain))
            .or_else(|| {
                let what = "the root of the new weights";
                Self::of(what, hash(&own.master_root), hash(&other.master_root))
            })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, ours, theirs } = self;
        write!(
            f,
            "{what}: {theirs} there, {ours} when it is computed again"
        )
    }
}

/// The root of a tree of losses or rows, and its sum.
fn node(node: &SumNode) -> String {
    format!("{} with sum {}", hex::encode(node.hash), node.sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::lab::Lab;

    type Change = &'static dyn Fn(&mut Opening);

    #[test]
    fn what_others_follow_from_is_named_first() {
        let own = Lab::small().opening();
        assert_eq!(Difference::between(&own, &own), None);
        let differs = |change: &dyn Fn(&mut Opening)| {
            let mut theirs = own.clone();
            change(&mut theirs);
            Difference::between(&own, &theirs).map(|difference| difference.what)
        };
        let changes: [(&str, Change); 9] = [
            ("the root of the new weights", &|t| {
                t.header.master_root[0] ^= 1;
            }),
            ("the paid gain", &|t| t.header.paid_gain += 1),
            ("the standard error of the gain", &|t| t.header.gain_se += 1),
            ("the gain", &|t| t.header.gain += 1),
            ("the losses of the merged weights", &|t| {
                t.header.merged.sum += 1
            }),
            ("the rows", &|t| t.rows.hash[31] ^= 1),
            ("which deltas are similar", &|t| {
                t.header.similar_root[5] ^= 1
            }),
            ("the losses of the weights before the round", &|t| {
                t.header.base.hash[0] ^= 1;
            }),
            ("the number of samples", &|t| t.header.samples += 1),
        ];
        for (at, (what, change)) in changes.iter().enumerate() {
            assert_eq!(differs(change), Some(*what));
            let so_far = |theirs: &mut Opening| {
                changes[..=at].iter().for_each(|(_, change)| change(theirs));
            };
            assert_eq!(differs(&so_far), Some(*what), "with all that follows");
        }
    }
}
