//! Evidence from disputes that are over.

use super::RunError;
use crate::{
    chain::{body::Kind, ChainError, Client, Moment},
    evaluation::{Evidence, EvidenceError, Finding, Move},
};
use gotong_protocol::dispute::{ClosedDispute, Verdict};
use gotong_scoring::trial::{Accusation, Answer, Pick};

/// Evidence of the step that decided a dispute, from the moves in the blocks of the chain.
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
                "dispute {} came to no step: there is nothing to show",
                closed.id
            )))
        }
    };
    let missing = |what: &str| ChainError::Missing {
        what: format!("{what} of dispute {}", closed.id),
        block: closed.ended_at,
    };
    let (task, round) = (closed.task, closed.round);
    let case = now.case(task, round).await?;
    let case = case.ok_or_else(|| missing("the ground"))?;
    let view = now.round(task, round).await?;
    let seats = view.into_iter().flat_map(|round| round.seats);
    let opening = seats
        .filter(|seat| seat.account == closed.accused)
        .find_map(|seat| seat.opening);
    let opening = opening.ok_or_else(|| missing("the table"))?;
    let moves = moves(client, closed).await?;
    // What was doubted first is among the few things that can be.
    let id = (task, round, closed.id);
    let evidence = [Accusation::Similar, Accusation::Rows, Accusation::Header]
        .into_iter()
        .filter_map(|accusation| {
            let (case, opening) = (case.clone(), opening.clone());
            Evidence::replay(id, case, opening, accusation, moves.iter().cloned()).ok()
        })
        .find(|evidence| evidence.check() == Ok(expected));
    Ok(evidence.ok_or_else(|| EvidenceError::Undecided("other moves".into()))?)
}

/// The moves of a dispute in their order, with those that were refused.
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
