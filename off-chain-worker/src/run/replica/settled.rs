//! Finds the weights after a settled round without scoring it, by merging again the deltas of the company that its table merged.
//!
//! Otherwise a worker that starts late, or was away, would have to score every earlier round before it can score its own, within a
//! window made for one round. Nothing is taken on trust: the chain has the roots of the table and of the weights, so only the right
//! table is found, and only the right deltas lead to these weights. What the round settled on can no longer be disputed. A node
//! that makes up the chain's answers can make up the root of the weights, too. But, just as after a full replay, the attester
//! commits to no table before the root that its round starts from is proved.

use super::RevealedDelta;
use crate::chain::{
    body::{Body, Kind},
    ChainError, Client,
};
use gotong_protocol::{view::RoundView, Hash, ShareTerms, TableSummary};
use gotong_scoring::{
    merge::Merge,
    share::company::{Company, Entrant},
    MasterWeights,
};
use std::ops::RangeInclusive;

/// The table with this root that was revealed for `round` in one of these blocks, beginning with the last one. The chain keeps only
/// the root once a round is over; the rest is in the block that took the reveal.
pub async fn revealed_table(
    client: &Client,
    round: &RoundView,
    root: &Hash,
    blocks: RangeInclusive<u32>,
) -> Result<Option<TableSummary>, ChainError> {
    for block in blocks.rev() {
        let found = table_in(&client.body(block).await?, round, root);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The table with this root, if it was revealed for `round` in a block.
fn table_in(body: &Body, round: &RoundView, root: &Hash) -> Option<TableSummary> {
    let start = (round.task, round.round);
    let tables = body.find_all::<TableSummary>(Kind::RevealAttestation, &start);
    let mut tables = tables.into_iter().map(|(_, table)| table);
    tables.find(|table| table.root() == *root)
}

/// The weights that `table` leads to from `base`, if they have this root. None if they have another root, or if the table merges
/// nothing. `entrants` are the round's deltas, in the order of their commits.
pub(super) fn merged_weights(
    table: &TableSummary,
    base: &[i16],
    entrants: &[RevealedDelta],
    terms: &ShareTerms,
    root: &Hash,
) -> Option<Vec<i16>> {
    table.pay()?;
    let pass = table.passes.get(usize::from(table.candidate()?))?;
    let places = (0u32..).zip(entrants);
    let members = places
        .map(|(place, _)| pass.members.contains(place))
        .collect();
    let entrants: Vec<Entrant> = entrants.iter().map(RevealedDelta::entrant).collect();
    let company = Company::of(members, &entrants, terms);
    let merged = Merge::new(base, &company.parts(&entrants)).merged();
    let weights = MasterWeights::new(merged).ok()?;
    (weights.root() == *root).then(|| weights.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::replica::lab_inputs, test_lab::Lab};

    fn root(weights: &[i16]) -> Hash {
        MasterWeights::new(weights.to_vec()).unwrap().root()
    }

    #[test]
    fn a_table_leads_to_the_weights_that_scoring_the_round_gives() {
        let lab = Lab::small();
        let (round, table) = lab.score();
        assert_ne!(round.weights, lab.base, "something was merged");
        assert!(round.merged_pass > Some(0), "not everybody");
        let (summary, entrants) = (table.summary(), lab_inputs(&lab).entrants);
        let terms = &lab.facts.terms;
        let merge = |entrants: &[RevealedDelta], root: &Hash| {
            merged_weights(&summary, &lab.base, entrants, terms, root)
        };
        let expected = root(&round.weights);
        assert_eq!(merge(&entrants, &expected), Some(round.weights));
        // The node lies about a delta, about its weight, or about what the chain settled on.
        assert_eq!(merge(&entrants[1..], &expected), None);
        let mut heavier = entrants.clone();
        heavier[0].weight += 1;
        assert_eq!(merge(&heavier, &expected), None);
        assert_eq!(merge(&entrants, &root(&lab.base)), None);
    }

    #[test]
    fn a_table_that_merges_nothing_leads_nowhere() {
        let lab = Lab::small().harmful();
        let (summary, entrants) = (lab.summary(), lab_inputs(&lab).entrants);
        let base = root(&lab.base);
        let merged = merged_weights(&summary, &lab.base, &entrants, &lab.facts.terms, &base);
        assert_eq!(merged, None);
    }
}
