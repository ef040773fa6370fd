//! A task, rebuilt for a command that needs its weights or its tables. Its progress is shown.

use super::{
    output::Format,
    progress::{bar, spinner, ticking},
    Globals,
};
use crate::{
    chain::{Account, Client, Moment},
    run::{needs_replay, Replica, ReplicaError},
};
use anyhow::Result;
use gotong_protocol::{view::TaskView, RoundId};
use indicatif::ProgressBar;

/// A task, rebuilt from what is on disk and from the chain up to `now`.
///
/// # Errors
/// Those of [`Replica::open`] and [`Replica::advance`].
pub async fn replayed(
    client: &Client,
    now: &Moment,
    task: &TaskView,
    globals: &Globals,
) -> Result<Replica> {
    let (replica, end) = replayed_as_far(client, now, task, globals).await?;
    end?;
    Ok(replica)
}

/// The same; a round that the chain settled differently ends the replay, and the rounds before it are available.
///
/// # Errors
/// Those of [`Replica::open`]; the second part of the answer has those of [`Replica::advance`].
pub async fn replayed_as_far(
    client: &Client,
    now: &Moment,
    task: &TaskView,
    globals: &Globals,
) -> Result<(Replica, Result<(), ReplicaError>)> {
    let dirs = globals.dirs()?;
    let mut replica = {
        let _shown = spinner(
            globals.output,
            format!("fetching the weights of task {}", task.id),
        );
        Replica::open(client, now, &dirs, task).await?
    };
    let bar = replay_bar(globals.output, task, replica.next_round(), task.round);
    let end = RoundId(u32::MAX);
    let replay = replica.advance_to(client, now, end, |_| bar.inc(1)).await;
    Ok((replica, replay))
}

/// What the claims of `account` in `task` need: a replica of the task, as far as its weights agree with the chain, because rounds
/// up to there can be claimed; none if the chain knows everything that the account was credited, so that nothing has to be
/// replayed.
///
/// # Errors
/// The chain cannot be asked, or the task cannot be rebuilt.
pub async fn replica_of_claims(
    client: &Client,
    now: &Moment,
    account: &Account,
    task: &TaskView,
    globals: &Globals,
) -> Result<Option<Replica>> {
    if !needs_replay(now, account, task).await? {
        return Ok(None);
    }
    let (replica, replay) = replayed_as_far(client, now, task, globals).await?;
    match replay {
        Err(error @ ReplicaError::Differs { .. }) => tracing::error!("{error}"),
        replay => replay?,
    }
    Ok(Some(replica))
}

/// Where a replay of all rounds of a task before `end` reports each round: a bar, or the log if no bar is shown.
pub fn replay_report(output: Format, task: &TaskView, end: RoundId) -> impl FnMut(RoundId) {
    let bar = replay_bar(output, task, RoundId(0), end);
    move |round| match bar.is_hidden() {
        true => tracing::info!("replayed round {round}"),
        false => bar.inc(1),
    }
}

/// A bar for the replay of the rounds of a task from `first` on, before `end`.
fn replay_bar(output: Format, task: &TaskView, first: RoundId, end: RoundId) -> ProgressBar {
    let rounds = end.0.saturating_sub(first.0).into();
    let what = format!("replaying task {}", task.id);
    // The first round may take a minute.
    ticking(bar(output, what, rounds, "rounds"))
}
