//! The answers of the pallet's view functions; see [`gotong_protocol::view`].
//!
//! They run outside blocks, so they may walk whole maps of a round. Answers that grow with tasks and rounds come in pages.

use crate::{
    attestation::Seat,
    credits::Credits,
    offers::{Listed, Offers},
    rewards::{Rewards, Settlement, Unclaimed},
    rounds::{block_at, now, Round, Rounds},
    stakes::Stakes,
    submissions::{Submission, Submissions},
    tasks::{Task, Tasks},
    Balance, Config, Graphs, Ledgers as LedgerMap, NextTask, Schedule,
    Submissions as SubmissionMap, Tables,
};
use alloc::{collections::BTreeMap, vec::Vec};
use gotong_protocol::{
    pay,
    view::{
        ClaimableView, Duty, DutyKind, LedgerView, OfferView, Page, RevealedView, RewardKind,
        RewardState, RewardView, RoundView, SeatView, ShardView, StakeView, SubmissionView,
        TaskView,
    },
    Credit, Graph, Phase, RoundId, TaskId,
};

pub(crate) fn stake<T: Config>(who: &T::AccountId) -> Option<StakeView<Balance, u32>> {
    let registration = Stakes::<T>::get(who).ok()?;
    let seats_held = live::<T>()
        .filter(|(_, _, round)| seat_of(round, who).is_some_and(Seat::sits))
        .count() as u32;
    Some(StakeView {
        roles: registration.roles,
        stake: registration.stake,
        active: registration.is_active::<T>(),
        unbonding: registration
            .unbonding
            .map(|leaving| (leaving.amount, block_at::<T>(leaving.until))),
        seats_held,
    })
}

pub(crate) fn tasks<T: Config>(start: TaskId) -> Page<TaskId, TaskId> {
    Page::of(tasks_from::<T>(start), Some)
}

/// The tasks from this one on.
fn tasks_from<T: Config>(start: TaskId) -> impl Iterator<Item = TaskId> {
    (start.0..NextTask::<T>::get().0).map(TaskId)
}

/// The rounds of a task from this one on.
fn rounds_from<T: Config>(task: TaskId, start: RoundId) -> impl Iterator<Item = RoundId> {
    let last = Tasks::<T>::get(task).ok().map(|task| task.round);
    last.into_iter()
        .flat_map(move |last| (start.0..=last.0).map(RoundId))
}

/// The live tasks, in the order of their ids.
pub(crate) fn live_tasks<T: Config>() -> Vec<TaskId> {
    let mut ids: Vec<_> = Schedule::<T>::get().iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

pub(crate) fn offer<T: Config>(who: &T::AccountId) -> Option<OfferView> {
    let Listed { offer, held, .. } = Offers::<T>::of(who)?;
    Some(OfferView {
        seats: offer.seats,
        capacity: offer.capacity,
        sealed: offer.sealed,
        tasks: offer.tasks.into_inner(),
        seats_held: held.seats,
        load_held: held.load,
    })
}

pub(crate) fn task<T: Config>(id: TaskId) -> Option<TaskView<T::AccountId, Balance, u32>> {
    let task = Tasks::<T>::get(id).ok()?;
    let graph = Graph::from_bytes(&Graphs::<T>::get(id)?).ok()?;
    let expires_at = block_at::<T>(Tasks::<T>::idle_until(&task));
    Some(TaskView {
        id,
        sponsor: task.sponsor,
        terms: task.terms,
        state: task.state,
        graph,
        master_root: task.master_root,
        opened_at: task.opened_at,
        round: task.round,
        next_shard: task.next_shard,
        pool: task.purse.pool,
        bond: task.purse.bond,
        reserved: task.purse.reserved,
        paid: task.purse.claimed.saturating_add(task.purse.fees),
        parameters: task.parameters,
        expires_at: (!task.state.is_over()).then_some(expires_at),
    })
}

pub(crate) fn round<T: Config>(
    id: TaskId,
    round_id: RoundId,
) -> Option<RoundView<T::AccountId, Balance, u32>> {
    let round = Rounds::<T>::get(id, round_id)?;
    let task = Tasks::<T>::get(id).ok()?;
    let awaits_attesters = match round.phase {
        Phase::Commit => round.commits > 0 && !Rounds::<T>::has_attesters(id, &task, &round),
        _ => round.is_unattended(),
    };
    let settlement = round.settlement.clone();
    let of = |part: fn(&Settlement) -> Balance| settlement.as_ref().map_or(0, part);
    Some(RoundView {
        task: id,
        round: round_id,
        phase: round.phase,
        phase_started_at: block_in::<T>(&round, round.phase_started_at),
        started_at: round.started_at,
        ends_at: block_in::<T>(&round, round.ends_at),
        commits: round.commits,
        reveals: round.reveals,
        base_root: round.base_root,
        shard: round.shard.map(|shard| ShardView {
            index: shard.index,
            published_at: shard.published_at,
            key: shard.key,
            root: shard.root,
        }),
        seed: round.seed,
        seats: (round.seats.iter())
            .map(|seat| seat_view::<T>(id, round_id, seat))
            .collect(),
        redraws: round.redraws,
        audit_seed: round.audit_seed.filter(|_| round.draw.is_none()),
        open_disputes: round.open_disputes,
        outcome: round.outcome,
        rate_q32: settlement
            .as_ref()
            .map_or(pay::WHOLE_Q32, |settlement| settlement.rate_q32),
        fees: of(|settlement| settlement.fees),
        pot: of(|settlement| settlement.pot),
        paid: of(|settlement| settlement.paid),
        released: of(|settlement| settlement.released),
        claims: settlement
            .as_ref()
            .map_or(0, |settlement| settlement.claims),
        expires_at: settlement
            .as_ref()
            .map(|settlement| block_at::<T>(settlement.expires_at)),
        claim: settlement.map(|settlement| settlement.claim),
        awaits_attesters,
    })
}

/// The block that corresponds to a time of a round.
fn block_in<T: Config>(round: &Round<T::AccountId>, time: u32) -> u32 {
    match round.phase {
        Phase::Ended => time,
        _ => block_at::<T>(time),
    }
}

fn seat_view<T: Config>(
    id: TaskId,
    round: RoundId,
    seat: &Seat<T::AccountId>,
) -> SeatView<T::AccountId, Balance> {
    let revealed = seat.revealed.as_ref();
    SeatView {
        account: seat.account.clone(),
        stake: seat.stake,
        state: seat.state,
        committed: seat.commitment.is_some(),
        claim: revealed.map(|revealed| revealed.claim),
        table: Tables::<T>::get((id, round), &seat.account),
        work_root: revealed.map(|revealed| revealed.work_root),
        audited: seat.audited,
        fee: seat.fee,
    }
}

pub(crate) fn submissions<T: Config>(
    id: TaskId,
    round: RoundId,
    start: u32,
) -> Page<SubmissionView<T::AccountId, Balance, u32>, u32> {
    let found = Rounds::<T>::get(id, round);
    let weights = found
        .as_ref()
        .map_or_else(Default::default, |round| round.weights);
    let mut all: BTreeMap<u32, _> = SubmissionMap::<T>::iter_prefix((id, round))
        .map(|(account, submission)| (submission.index, (account, submission)))
        .collect();
    let places: Vec<u32> = all.range(start..).map(|(index, _)| *index).collect();
    Page::of(places, |index| {
        let (account, submission) = all.remove(&index)?;
        let is_over = |round: &&Round<_>| round.outcome.is_some();
        let awaited = submission.revealed.is_some() && submission.claimed.is_none();
        let round_over = found.as_ref().filter(is_over).filter(|_| awaited);
        Some(SubmissionView {
            index,
            weight: submission.weight,
            is_proven: submission.is_proven,
            revealed: submission.revealed.map(|revealed| RevealedView {
                bytes: revealed.bytes,
                at: revealed.at,
                record: revealed.entrant(&weights),
            }),
            credit: round_over.and_then(|over| Credits::<T>::known(id, round, over, &account)),
            claimed: submission.claimed,
            account,
        })
    })
}

pub(crate) fn rewards<T: Config>(
    who: &T::AccountId,
    start: (TaskId, RoundId),
) -> Page<RewardView<Balance>, (TaskId, RoundId)> {
    let (first_task, first_round) = start;
    let places = tasks_from::<T>(first_task).flat_map(|task| {
        let first = match task == first_task {
            true => first_round,
            false => RoundId(0),
        };
        rounds_from::<T>(task, first).map(move |round| (task, round))
    });
    Page::of(places, |(task, round)| reward::<T>(task, round, who))
}

pub(crate) fn task_rewards<T: Config>(
    task: TaskId,
    who: &T::AccountId,
    start: RoundId,
) -> Page<RewardView<Balance>, RoundId> {
    Page::of(rounds_from::<T>(task, start), |round| {
        reward::<T>(task, round, who)
    })
}

/// The reward for one role, because nobody contributes to a round that it attests.
fn reward<T: Config>(
    task: TaskId,
    round_id: RoundId,
    who: &T::AccountId,
) -> Option<RewardView<Balance>> {
    let round = Rounds::<T>::get(task, round_id)?;
    let (kind, state) = match Submissions::<T>::get(task, round_id, who) {
        Some(submission) => {
            let credit = || Credits::<T>::known(task, round_id, &round, who);
            let state = claim_state(&round, &submission, credit);
            (RewardKind::Contributor, state)
        }
        None => {
            let seat = seat_of(&round, who)?;
            (RewardKind::Attester, fee_state(&round, seat))
        }
    };
    Some(RewardView {
        task,
        round: round_id,
        kind,
        state,
    })
}

fn claim_state<A>(
    round: &Round<A>,
    submission: &Submission,
    credit: impl FnOnce() -> Option<Credit>,
) -> RewardState<Balance> {
    match (submission.claimed, round.outcome) {
        (Some(claimed), _) => RewardState::Claimed(claimed),
        (None, None) => RewardState::Pending,
        (None, Some(_)) if submission.revealed.is_none() => RewardState::Nothing,
        (None, Some(_)) => RewardState::Claimable { credit: credit() },
    }
}

pub(crate) fn claimable<T: Config>(
    task: TaskId,
    who: &T::AccountId,
) -> Option<ClaimableView<Balance, u32>> {
    let unclaimed = Rewards::<T>::unclaimed(task, who);
    let first_unknown = unclaimed.iter().position(|one| one.claimed.is_none());
    let (known, unknown) = unclaimed.split_at(first_unknown.unwrap_or(unclaimed.len()));
    let rounds = |of: &[Unclaimed]| of.iter().map(|one| one.round).collect();
    let until = |one: &Unclaimed| one.expires_at.map(block_at::<T>);
    let view = ClaimableView {
        task,
        rounds: rounds(known),
        pays: known.iter().map(Unclaimed::pays).sum(),
        until: known.iter().find(|one| one.pays() > 0).and_then(until),
        unknown: rounds(unknown),
        unknown_until: unknown.first().and_then(until),
    };
    (!unclaimed.is_empty()).then_some(view)
}

pub(crate) fn claimables<T: Config>(
    who: &T::AccountId,
    start: TaskId,
) -> Page<ClaimableView<Balance, u32>, TaskId> {
    Page::of(tasks_from::<T>(start), |task| claimable::<T>(task, who))
}

pub(crate) fn ledgers<T: Config>(
    who: &T::AccountId,
    start: TaskId,
) -> Page<LedgerView<Balance>, TaskId> {
    Page::of(tasks_from::<T>(start), |task| ledger::<T>(task, who))
}

pub(crate) fn ledger<T: Config>(id: TaskId, who: &T::AccountId) -> Option<LedgerView<Balance>> {
    let account = LedgerMap::<T>::get(id, who)?;
    let task = Tasks::<T>::get(id).ok()?;
    let doubt_q8 = task.terms.share.doubt_q8;
    let worth = |units| task.terms.contributor_pay(units).unwrap_or(Balance::MAX);
    let all = u64::try_from(account.ledger.sum).unwrap_or(0);
    Some(LedgerView {
        task: id,
        doubt: account.ledger.doubt(doubt_q8),
        paid: account.paid,
        open: worth(all).saturating_sub(worth(account.ledger.proved)),
        next: account.next,
        is_proven: account.is_proven(task.round, doubt_q8),
        ledger: account.ledger,
    })
}

fn fee_state<A>(round: &Round<A>, seat: &Seat<A>) -> RewardState<Balance> {
    match round.outcome {
        None if seat.sits() => RewardState::Pending,
        Some(_) if seat.fee > 0 => RewardState::Paid(seat.fee),
        _ => RewardState::Nothing,
    }
}

pub(crate) fn duties<T: Config>(who: &T::AccountId, start: TaskId) -> Page<Duty<u32>, TaskId> {
    let live = live_tasks::<T>();
    Page::of(tasks_from::<T>(start), |id| {
        let is_live = live.binary_search(&id).is_ok();
        let duty = is_live.then(|| live_duty::<T>(who, id)).flatten();
        duty.into_iter().chain(claim_duty::<T>(who, id))
    })
}

/// What an account may do in the round under way: never more than one thing.
fn live_duty<T: Config>(who: &T::AccountId, id: TaskId) -> Option<Duty<u32>> {
    let task = Tasks::<T>::get(id).ok()?;
    let round = Rounds::<T>::get(id, task.round)?;
    let what = submitter_duty::<T>(who, id, &task, &round)
        .or_else(|| sponsor_duty::<T>(who, &task, &round))
        .or_else(|| attester_duty(who, &round, now::<T>()))?;
    Some(Duty {
        task: id,
        round: task.round,
        phase: round.phase,
        ends_at: block_in::<T>(&round, round.ends_at),
        what,
    })
}

/// A claim is due if it is known to pay, until the money can be released.
fn claim_duty<T: Config>(who: &T::AccountId, id: TaskId) -> Option<Duty<u32>> {
    let unclaimed = Rewards::<T>::unclaimed(id, who);
    let mut paying = unclaimed.iter().filter(|one| one.pays() > 0);
    let (round, ends_at) = paying.find_map(|one| {
        let is_in_time = |until: &u32| now::<T>() < *until;
        Some((one.round, one.expires_at.filter(is_in_time)?))
    })?;
    Some(Duty {
        task: id,
        round,
        phase: Phase::Ended,
        ends_at: block_at::<T>(ends_at),
        what: DutyKind::Claim,
    })
}

fn submitter_duty<T: Config>(
    who: &T::AccountId,
    id: TaskId,
    task: &Task<T::AccountId>,
    round: &Round<T::AccountId>,
) -> Option<DutyKind> {
    let submission = Submissions::<T>::get(id, task.round, who);
    match (round.phase, submission) {
        (Phase::Commit, None) => {
            let registration = Stakes::<T>::get(who).ok()?;
            let may = registration.contributes::<T>()
                && registration.stake >= task.terms.minimum_contributor_stake
                && task.sponsor != *who;
            may.then_some(DutyKind::Commit)
        }
        (Phase::Reveal, Some(submission)) => {
            let may = submission.revealed.is_none() && Rounds::<T>::may_reveal(task, round);
            may.then_some(DutyKind::Reveal)
        }
        _ => None,
    }
}

fn sponsor_duty<T: Config>(
    who: &T::AccountId,
    task: &Task<T::AccountId>,
    round: &Round<T::AccountId>,
) -> Option<DutyKind> {
    let due = task.sponsor == *who
        && round.phase == Phase::Reveal
        && round.shard.is_none()
        && Rounds::<T>::shard_is_due(task, round);
    due.then_some(DutyKind::PublishShard)
}

fn attester_duty<A: PartialEq>(who: &A, round: &Round<A>, now: u32) -> Option<DutyKind> {
    let seat = seat_of(round, who).filter(|seat| seat.sits())?;
    match round.phase {
        Phase::AttestCommit if seat.commitment.is_none() => {
            let may = round.draw.is_none();
            may.then_some(DutyKind::CommitAttestation)
        }
        Phase::AttestReveal if seat.commitment.is_some() && seat.revealed.is_none() => {
            Some(DutyKind::RevealAttestation)
        }
        // After its window, a challenge may still wait for its disputes, but it takes no answers to audits.
        Phase::Challenge if !seat.audited && round.draw.is_none() && now < round.ends_at => {
            Some(DutyKind::AnswerAudits)
        }
        _ => None,
    }
}

/// The tasks with a round under way, each with that round.
fn live<T: Config>() -> impl Iterator<Item = (TaskId, Task<T::AccountId>, Round<T::AccountId>)> {
    Schedule::<T>::get().into_iter().filter_map(|(id, _)| {
        let task = Tasks::<T>::get(id).ok()?;
        let round = Rounds::<T>::get(id, task.round)?;
        Some((id, task, round))
    })
}

fn seat_of<'a, A: PartialEq>(round: &'a Round<A>, who: &A) -> Option<&'a Seat<A>> {
    round.seats.iter().find(|seat| seat.account == *who)
}
