//! The first difference between two share tables.

use gotong_protocol::{Hash, TableSummary};
use gotong_scoring::{
    share::table::{Fall, MergeSummary, PassSummary, PaySummary, RowSums},
    Node, SumNode,
};
use std::fmt;

/// The first difference between two tables, as far as their summaries tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs, in words.
    pub what: String,
    /// What was computed here.
    pub ours: String,
    /// What the other table says.
    pub theirs: String,
}

impl Difference {
    /// The difference between two values of the same thing.
    pub fn of(
        what: impl Into<String>,
        ours: impl fmt::Display,
        theirs: impl fmt::Display,
    ) -> Option<Self> {
        let (what, ours, theirs) = (what.into(), ours.to_string(), theirs.to_string());
        (ours != theirs).then_some(Self { what, ours, theirs })
    }

    /// The difference between two tables: values that others follow from come first.
    pub fn between(ours: &TableSummary, theirs: &TableSummary) -> Option<Self> {
        let mut passes = (0u8..).zip(ours.passes.iter().zip(theirs.passes.iter()));
        passes
            .find_map(|(number, (own, other))| of_pass(number, own, other))
            .or_else(|| {
                let (own, other) = (ours.passes.len(), theirs.passes.len());
                Self::of("the number of passes", own, other)
            })
            .or_else(|| match (&ours.merge, &theirs.merge) {
                (Some(own), Some(other)) => of_merge(own, other),
                (own, other) => Self::of(
                    "whether a company is merged",
                    own.is_some(),
                    other.is_some(),
                ),
            })
    }
}

fn of_pass(number: u8, own: &PassSummary, other: &PassSummary) -> Option<Difference> {
    let of = |what: &str, ours: String, theirs: String| {
        Difference::of(format!("{what} of pass {number}"), ours, theirs)
    };
    of("the members", members(own), members(other))
        .or_else(|| {
            let norms = [own.median_norm, other.median_norm].map(|norm| norm.to_string());
            let [own, other] = norms;
            of("the median norm", own, other)
        })
        .or_else(|| of("the midpoint", hex(&own.midpoint), hex(&other.midpoint)))
        .or_else(|| of("the gradients", hex(&own.gradients), hex(&other.gradients)))
        .or_else(|| of("the rows", rows(&own.rows), rows(&other.rows)))
        .or_else(|| {
            let last = |pass: &PassSummary| match pass.last_dropped {
                Some(entrant) => format!("delta {entrant}"),
                None => "nobody".into(),
            };
            of("the last one dropped", last(own), last(other))
        })
}

fn of_merge(own: &MergeSummary, other: &MergeSummary) -> Option<Difference> {
    let what = "the root of the merged weights";
    Difference::of(what, hex(&own.weights), hex(&other.weights))
        .or_else(|| of_fall("half A", &own.on_a, &other.on_a))
        .or_else(|| match (&own.pay, &other.pay) {
            (Some(own), Some(other)) => of_pay(own, other),
            (own, other) => {
                Difference::of("whether the merge is kept", own.is_some(), other.is_some())
            }
        })
}

fn of_pay(own: &PaySummary, other: &PaySummary) -> Option<Difference> {
    of_fall("half B", &own.on_b, &other.on_b)
        .or_else(|| {
            let (own, other) = (hex(&own.gradients), hex(&other.gradients));
            Difference::of("the gradients of the pay", own, other)
        })
        .or_else(|| Difference::of("the rows of the pay", rows(&own.rows), rows(&other.rows)))
}

fn of_fall(half: &str, own: &Fall, other: &Fall) -> Option<Difference> {
    let of = |what: &str, ours: String, theirs: String| {
        Difference::of(format!("{what} on {half}"), ours, theirs)
    };
    of(
        "the losses of the base",
        losses(&own.before),
        losses(&other.before),
    )
    .or_else(|| {
        let (own, other) = (losses(&own.after), losses(&other.after));
        of("the losses of the merge", own, other)
    })
    .or_else(|| {
        let errors = [own.standard_error, other.standard_error].map(|error| error.to_string());
        let [own, other] = errors;
        of("the standard error of the gain", own, other)
    })
}

fn hex(hash: &Hash) -> String {
    hex::encode(hash)
}

/// The numbers of a pass's members.
fn members(pass: &PassSummary) -> String {
    let all = 0..8 * pass.members.len() as u32;
    let members = all.filter(|entrant| pass.members.contains(*entrant));
    let members: Vec<String> = members.map(|entrant| entrant.to_string()).collect();
    members.join(" ")
}

/// The root of a tree of losses, and their sum.
fn losses(node: &SumNode) -> String {
    format!("{} with sum {}", hex(&node.hash), node.sum)
}

/// The root of a tree of rows, and the sum of their values.
fn rows(node: &Node<RowSums>) -> String {
    format!("{} with values of {}", hex(&node.hash), node.sum.value)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, ours, theirs } = self;
        write!(f, "{what}: {theirs} there, but {ours} when recomputed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_lab::Lab;
    use gotong_scoring::share::table::PassSummaries;

    type Change = &'static dyn Fn(&mut TableSummary);

    fn pass(table: &mut TableSummary, number: usize, change: impl Fn(&mut PassSummary)) {
        let mut passes = table.passes.to_vec();
        change(&mut passes[number]);
        table.passes = PassSummaries::from(passes);
    }

    fn merge(table: &mut TableSummary) -> &mut MergeSummary {
        table.merge.as_mut().unwrap()
    }

    fn pay(table: &mut TableSummary) -> &mut PaySummary {
        merge(table).pay.as_mut().unwrap()
    }

    #[test]
    fn what_others_follow_from_is_named_first() {
        let own = Lab::small().summary();
        assert_eq!(Difference::between(&own, &own), None);
        let differs = |change: &dyn Fn(&mut TableSummary)| {
            let mut theirs = own.clone();
            change(&mut theirs);
            Difference::between(&own, &theirs).map(|difference| difference.what)
        };
        let changes: [(&str, Change); 14] = [
            ("the rows of the pay", &|t| pay(t).rows.hash[3] ^= 1),
            ("the gradients of the pay", &|t| pay(t).gradients[0] ^= 1),
            ("the standard error of the gain on half B", &|t| {
                pay(t).on_b.standard_error += 1;
            }),
            ("the losses of the merge on half B", &|t| {
                pay(t).on_b.after.sum += 1;
            }),
            ("the losses of the base on half A", &|t| {
                merge(t).on_a.before.hash[0] ^= 1;
            }),
            ("the root of the merged weights", &|t| {
                merge(t).weights[0] ^= 1;
            }),
            ("the rows of pass 1", &|t| {
                pass(t, 1, |pass| pass.rows.sum.value += 1);
            }),
            ("the members of pass 1", &|t| {
                pass(t, 1, |pass| pass.members = vec![7].into());
            }),
            ("the last one dropped of pass 0", &|t| {
                pass(t, 0, |pass| pass.last_dropped = None);
            }),
            ("the rows of pass 0", &|t| {
                pass(t, 0, |pass| pass.rows.hash[0] ^= 1);
            }),
            ("the gradients of pass 0", &|t| {
                pass(t, 0, |pass| pass.gradients[0] ^= 1);
            }),
            ("the midpoint of pass 0", &|t| {
                pass(t, 0, |pass| pass.midpoint[0] ^= 1);
            }),
            ("the median norm of pass 0", &|t| {
                pass(t, 0, |pass| pass.median_norm += 1);
            }),
            ("the members of pass 0", &|t| {
                pass(t, 0, |pass| pass.members = vec![7].into());
            }),
        ];
        for (at, (what, change)) in changes.iter().enumerate() {
            assert_eq!(differs(change).as_deref(), Some(*what));
            let so_far = |theirs: &mut TableSummary| {
                changes[..=at].iter().for_each(|(_, change)| change(theirs));
            };
            let first = differs(&so_far);
            assert_eq!(first.as_deref(), Some(*what), "with all that follows");
        }
        assert_eq!(
            differs(&|t| merge(t).pay = None).as_deref(),
            Some("whether the merge is kept")
        );
        assert_eq!(
            differs(&|t| t.merge = None).as_deref(),
            Some("whether a company is merged")
        );
    }
}
