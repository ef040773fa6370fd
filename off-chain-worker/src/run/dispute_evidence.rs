//! Evidence from disputes that are over.

use super::{replica::revealed_table, RunError};
use crate::chain::{body::Kind, ChainError, Client, Moment};
use gotong_evaluation::{Evidence, EvidenceError, Finding, Move};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    view::RoundView,
    TableSummary,
};
use gotong_scoring::share::trial::{Accusation, Answer, Pick};

/// Evidence about the step that decided a dispute, from the moves in the blocks of the chain.
pub async fn dispute_evidence(
    client: &Client,
    now: &Moment,
    closed: &ClosedDispute,
) -> Result<Evidence, RunError> {
    let expected = match closed.verdict {
        Verdict::Refuted(step) => Finding::Wrong(step),
        Verdict::Upheld => Finding::Right,
        _ => {
            return Err(RunError::Refused(format!(
                "dispute {} did not narrow down to a step: there is nothing to show",
                closed.id
            )))
        }
    };
    let missing = |what: &str| ChainError::Missing {
        what: format!("{what} of dispute {}", closed.id),
        block: closed.ended_at,
    };
    let (task, round) = (closed.task, closed.round);
    let facts = now.facts(task, round).await?;
    let facts = facts.ok_or_else(|| missing("the ground"))?;
    let view = now.round(task, round).await?;
    let view = view.ok_or_else(|| missing("the round"))?;
    let table = table(client, &view, closed).await?;
    let table = table.ok_or_else(|| missing("the table"))?;
    let moves = moves(client, closed).await?;
    let id = (task, round, closed.id);
    // If several disputes were opened in the block, only one has these moves.
    let accusations = client.body(closed.opened_at).await?;
    let evidence = accusations
        .find_all::<Accusation>(Kind::OpenDispute, &(task, round, closed.accused))
        .into_iter()
        .filter_map(|(_, accusation)| {
            let (facts, table) = (facts.clone(), table.clone());
            Evidence::replay(id, facts, table, accusation, moves.iter().cloned()).ok()
        })
        .find(|evidence| evidence.check() == Ok(expected));
    Ok(evidence.ok_or_else(|| EvidenceError::Undecided("other moves".into()))?)
}

/// The table that the accused defended.
async fn table(
    client: &Client,
    round: &RoundView,
    closed: &ClosedDispute,
) -> Result<Option<TableSummary>, ChainError> {
    let mut seats = round.seats.iter();
    let seat = seats.find(|seat| seat.account == closed.accused);
    let Some(root) = seat
        .and_then(|seat| seat.claim)
        .map(|claim| claim.table_root)
    else {
        return Ok(None);
    };
    if let Some(table) = seat.and_then(|seat| seat.table.clone()) {
        return Ok(Some(table));
    }
    revealed_table(client, round, &root, round.started_at..=closed.opened_at).await
}

/// The moves of a dispute in order, including those that were refused.
async fn moves(client: &Client, closed: &ClosedDispute) -> Result<Vec<Move>, ChainError> {
    let mut all = Vec::new();
    for block in closed.opened_at..=closed.ended_at {
        let body = client.body(block).await?;
        let answers = body
            .find_all::<Answer>(Kind::Answer, &closed.id)
            .into_iter()
            .map(|(at, found)| (at, Move::Answer(Box::new(found))));
        let picks = body
            .find_all::<Pick>(Kind::Pick, &closed.id)
            .into_iter()
            .map(|(at, found)| (at, Move::Pick(found)));
        let mut found: Vec<_> = answers.chain(picks).collect();
        found.sort_by_key(|(at, _)| *at);
        all.extend(found.into_iter().map(|(_, found)| found));
    }
    Ok(all)
}
