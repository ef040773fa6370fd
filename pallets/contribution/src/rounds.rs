//! Rounds: their clock, their samples, and the schedule that makes them advance by themselves.

mod facts;
mod round;

pub(crate) use round::UnderWay;
pub use round::{Draw, Round, Seats, Shard};

use crate::{
    asset::unexpected,
    attestation::Attestation,
    rewards::Rewards,
    submissions::Submissions,
    tasks::{Task, Tasks},
    Config, Contributors, Error, Event, Pallet, Rounds as RoundMap, Schedule, Tables,
    UnexpectedKind, WeightInfo,
};
use alloc::vec::Vec;
use codec::Encode;
use core::marker::PhantomData;
use frame_support::{
    ensure,
    traits::{Get, Randomness},
    weights::Weight,
};
use gotong_protocol::{
    bounds, may_reveal, next_phase, shard_is_due, Hash, HoldOutTerms, Outcome, Phase, Proof,
    RoundId, TaskId, Transition,
};
use gotong_scoring::{
    shard_root,
    share::{entrants_tree, EntryWeights},
};
use sp_runtime::{DispatchResult, SaturatedConversion};

/// The block being made.
pub(crate) fn block<T: Config>() -> u32 {
    frame_system::Pallet::<T>::block_number().saturated_into()
}

/// The time, according to [`Config::Clock`].
pub(crate) fn now<T: Config>() -> u32 {
    T::Clock::get()
}

/// The block that will be made at `time`, if every block counts from now on.
pub(crate) fn block_at<T: Config>(time: u32) -> u32 {
    let skipped = block::<T>().saturating_sub(now::<T>());
    time.saturating_add(skipped)
}

/// Checks the relations between constants that everything here relies on.
pub(crate) fn assert_constants<T: Config>() {
    let shortest = T::MinWindowBlocks::get();
    let longest = T::MaxWindowBlocks::get();
    let advances = T::MaxAdvancesPerBlock::get();
    assert!(shortest >= 1, "a phase lasts at least a block");
    assert!(longest >= shortest, "no window is allowed");
    assert!(advances >= 1, "rounds must advance");
    // A phase may end late by as many blocks as it takes to advance all live tasks, one per block. A seat answers for its round
    // from its draw on. That covers the drawing of samples, three phases for each draw, and for each challenge the time after its
    // window in which disputes may still be opened, plus the time that they may take.
    let late = u64::from(T::MaxLiveTasks::get());
    let phase = u64::from(longest).saturating_add(late);
    let disputes = u64::from(T::MaxDisputeBlocks::get()).saturating_mul(2);
    // Seats and audits are drawn, and each block of a draw may be late, too.
    let drawing = late.saturating_mul(u64::from(T::DrawBlocks::get()).saturating_mul(2));
    let draw = phase
        .saturating_mul(3)
        .saturating_add(disputes)
        .saturating_add(drawing);
    let draws = u64::from(bounds::MAX_REDRAWS).saturating_add(1);
    let answers = draw.saturating_mul(draws).saturating_add(late);
    assert!(
        u64::from(T::UnbondingBlocks::get()) > answers,
        "stake could leave before the round that it answers for is over"
    );
    assert!(T::DrawBlocks::get() >= 1, "nothing would ever be drawn");
    assert!(
        // The last seventh is for waiting: see `Tasks::has_time_to_wait`.
        (T::IdleBlocks::get() / 7).saturating_mul(6) > longest,
        "a task would be closed before anybody could reveal"
    );
    assert!(T::WeightUnit::get() > 0, "weights are counted in units");
    assert!(
        T::MinAttesterStake::get() > 0 && T::MinContributorStake::get() > 0,
        "an empty registration is no registration"
    );
    assert!(
        T::MissedAttestationSlash::get() <= T::MinAttesterStake::get(),
        "a seat must be worth its slash"
    );
    assert!(
        T::MissedAuditSlash::get() <= T::MinAttesterStake::get(),
        "a seat must be worth its audits"
    );
    assert!(
        T::MaxAttesters::get() >= bounds::MAX_SEATS,
        "seats could not be filled"
    );
}

/// Owns the rounds and their schedule.
pub struct Rounds<T>(PhantomData<T>);

impl<T: Config> Rounds<T> {
    /// A round.
    pub fn get(id: TaskId, round: RoundId) -> Option<Round<T::AccountId>> {
        RoundMap::<T>::get(id, round)
    }

    pub(crate) fn put(id: TaskId, round_id: RoundId, round: &Round<T::AccountId>) {
        RoundMap::<T>::insert(id, round_id, round);
    }

    /// The task and its round under way, which has to be `round_id` and in `phase`.
    pub(crate) fn current(
        id: TaskId,
        round_id: RoundId,
        phase: Phase,
        other_phase: Error<T>,
    ) -> Result<UnderWay<T::AccountId>, Error<T>> {
        let task = Tasks::<T>::get(id)?;
        ensure!(
            task.state.is_live() && task.round == round_id,
            Error::<T>::RoundNotCurrent
        );
        let round = Self::get(id, round_id).ok_or(Error::<T>::RoundNotCurrent)?;
        // The hook may end a phase late, but its window is over all the same.
        ensure!(
            round.phase == phase && now::<T>() < round.ends_at,
            other_phase
        );
        Ok((task, round))
    }

    /// Starts `task.round` in its Commit phase.
    pub(crate) fn start(id: TaskId, task: &Task<T::AccountId>) {
        let now = now::<T>();
        let mut round = Round {
            phase: Phase::Commit,
            started_at: block::<T>(),
            phase_started_at: now,
            ends_at: now,
            base_root: task.master_root,
            departures: Contributors::<T>::get().departures,
            commits: 0,
            newcomers: 0,
            reveals: 0,
            weights: EntryWeights::default(),
            shard: None,
            entrants_root: None,
            draw: None,
            seed: None,
            seats: Seats::default(),
            redraws: 0,
            audit_seed: None,
            open_disputes: 0,
            crowded: false,
            outcome: None,
            settlement: None,
        };
        Pallet::<T>::deposit_event(Event::RoundStarted {
            task: id,
            round: task.round,
        });
        Self::enter(id, task, &mut round, Phase::Commit, now);
        Self::look_again(id, round.ends_at);
        Self::put(id, task.round, &round);
    }

    /// Cancels a round in which nobody has committed. Returns false if somebody has.
    pub(crate) fn cancel_idle(id: TaskId, task: &Task<T::AccountId>) -> bool {
        let idle = Self::get(id, task.round)
            .is_some_and(|round| round.phase == Phase::Commit && round.commits == 0);
        if idle {
            RoundMap::<T>::remove(id, task.round);
        }
        idle
    }

    pub(crate) fn publish_shard(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        key: Hash,
        records: &[u8],
        proof: &Proof,
    ) -> DispatchResult {
        let error = Error::<T>::NotInRevealPhase;
        let (mut task, mut round) = Self::current(id, round_id, Phase::Reveal, error)?;
        ensure!(task.sponsor == who, Error::<T>::NotSponsor);
        let HoldOutTerms::Sealed {
            root: shards_root,
            shards,
            samples,
        } = task.terms.hold_out
        else {
            return Err(Error::<T>::NothingSealed.into());
        };
        ensure!(round.shard.is_none(), Error::<T>::ShardAlreadyPublished);
        ensure!(Self::shard_is_due(&task, &round), Error::<T>::ShardTooEarly);
        let record_bytes = task.record_bytes as usize;
        ensure!(
            Some(records.len()) == record_bytes.checked_mul(samples as usize),
            Error::<T>::ShardSizeMismatch
        );
        ensure!(
            records.chunks(record_bytes).all(|record| record
                .last()
                .is_some_and(|label| u32::from(*label) < task.classes)),
            Error::<T>::ShardLabelInvalid
        );
        let index = task.next_shard;
        let root =
            shard_root(&key, record_bytes, records).map_err(|_| Error::<T>::ShardSizeMismatch)?;
        ensure!(
            proof.index == index && proof.leaves == shards && proof.verify(&shards_root, &root),
            Error::<T>::ShardMismatch
        );
        task.next_shard = index.checked_add(1).ok_or(Error::<T>::Overflow)?;
        round.shard = Some(Shard {
            index,
            published_at: block::<T>(),
            key,
            root,
        });
        Tasks::<T>::put(id, &task);
        Self::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::ShardPublished {
            task: id,
            round: round_id,
            index,
            samples,
        });
        Ok(())
    }

    /// Whether the round accepts deltas. It does during its Reveal phase until the shard is published. If a shard is awaited, the
    /// first delta has to come in the first half of the phase.
    pub(crate) fn may_reveal(task: &Task<T::AccountId>, round: &Round<T::AccountId>) -> bool {
        // The hook may end the phase late.
        let lasts = round.phase == Phase::Reveal && now::<T>() < round.ends_at;
        let reveal_blocks = task.terms.windows.reveal_blocks;
        let started_at = round.phase_started_at;
        let is_awaited = task.terms.hold_out.is_sealed();
        lasts
            && round.shard.is_none()
            && (!is_awaited || may_reveal(now::<T>(), started_at, reveal_blocks, round.reveals))
    }

    /// Whether the current round waits for its shard.
    pub(crate) fn shard_is_due(task: &Task<T::AccountId>, round: &Round<T::AccountId>) -> bool {
        if !task.terms.hold_out.is_sealed() {
            return false;
        }
        let reveal_blocks = task.terms.windows.reveal_blocks;
        shard_is_due(
            now::<T>(),
            round.phase_started_at,
            reveal_blocks,
            round.commits,
            round.reveals,
        )
    }

    /// Stores a round after somebody acted in it. If nobody is left who may act, the round becomes due, and the next block's hook
    /// ends the phase.
    pub(crate) fn acted(id: TaskId, task: &Task<T::AccountId>, round: &Round<T::AccountId>) {
        let facts = Self::facts(task, round);
        let now = now::<T>();
        if next_phase(round.phase, now, round.ends_at, &facts).is_some() {
            Self::look_again(id, now);
        }
        Self::put(id, task.round, round);
    }

    /// Advances the rounds that are due, oldest first. It advances no more rounds than a block may, and uses no more than a quarter
    /// of a block's weight, but it always advances at least one.
    pub(crate) fn advance_due() -> Weight {
        let now = now::<T>();
        let schedule = Schedule::<T>::get();
        let mut due: Vec<(u32, TaskId)> = schedule
            .iter()
            .filter(|(_, at)| *at <= now)
            .map(|(id, at)| (*at, *id))
            .collect();
        due.sort_unstable();
        let budget = T::BlockWeights::get().max_block.ref_time() / 4;
        let mut spent = T::WeightInfo::look();
        for (_, id) in due.iter().take(T::MaxAdvancesPerBlock::get() as usize) {
            let after = spent.saturating_add(Self::cost(*id));
            if spent != T::WeightInfo::look() && after.ref_time() > budget {
                break;
            }
            Self::advance(*id, now);
            spent = after;
        }
        spent
    }

    /// The most weight that advancing a task's current round can take.
    fn cost(id: TaskId) -> Weight {
        let found = Tasks::<T>::get(id)
            .ok()
            .and_then(|task| Self::get(id, task.round).map(|round| (task, round)));
        let Some((task, round)) = found else {
            return T::WeightInfo::end_phase();
        };
        match round.phase {
            // If too few of the drawn attesters still have room, the round may end at once, or give all seats back. Neither slashes
            // anybody.
            _ if round.draw.is_some() => {
                T::WeightInfo::draw().saturating_add(T::WeightInfo::end_phase())
            }
            Phase::Reveal => T::WeightInfo::end_reveal(round.commits),
            // Giving all seats back costs less than slashing their attesters.
            Phase::AttestCommit | Phase::AttestReveal => {
                T::WeightInfo::redraw().max(T::WeightInfo::end_phase())
            }
            // If there is nobody to draw, a settlement may follow.
            Phase::Challenge => T::WeightInfo::redraw().saturating_add(T::WeightInfo::settle()),
            Phase::Commit if Tasks::<T>::is_given_up(&task) => {
                T::WeightInfo::end_commit(round.commits)
            }
            Phase::Commit => T::WeightInfo::end_commit(0),
            Phase::Ended => T::WeightInfo::end_phase(),
        }
    }

    /// Advances a task's current round.
    pub(crate) fn advance(id: TaskId, now: u32) {
        let found = Tasks::<T>::get(id)
            .ok()
            .and_then(|task| Self::get(id, task.round).map(|round| (task, round)));
        let Some((mut task, mut round)) = found else {
            Self::delist(id);
            return unexpected::<T>(UnexpectedKind::ScheduledTaskMissing(id));
        };
        let was_drawing = round.draw.is_some();
        Self::draw(id, &task, &mut round, now);
        // This loop ends, because phases only move forward, a waiting round starts a new window, and seats are drawn anew only a
        // limited number of times. It runs more than once only to begin the first draw, or if no attester is left to act.
        while let Some(transition) = Self::next(id, &task, &round, now) {
            // Offers are looked at once per block, but not in a block that ends a draw. This draw seated nobody.
            if was_drawing && transition == Transition::Draw {
                Self::await_attesters(id, &task, &mut round, now);
                break;
            }
            Self::step(id, &mut task, &mut round, transition, now);
            let waits = [Transition::RollOn, Transition::Draw, Transition::Vacate];
            if waits.contains(&transition) {
                break;
            }
        }
        Self::put(id, task.round, &round);
        match round.outcome {
            Some(outcome) => {
                Tasks::<T>::round_over(id, &mut task, outcome);
                Tasks::<T>::put(id, &task);
            }
            None if round.draw.is_some() => Self::look_again(id, now),
            None if Self::waits_for_attesters(&task, &round, now) => {
                let soon = now.saturating_add(T::MinWindowBlocks::get());
                Self::look_again(id, soon.min(round.ends_at));
            }
            None if now < round.ends_at => Self::look_again(id, round.ends_at),
            // The challenge waits for its disputes. Closing the last one wakes it.
            None => Self::look_again(id, u32::MAX),
        }
    }

    /// Mixes this block into the draw under way, if there is one. After enough blocks the draw is decided. It yields either the
    /// attesters, the first time together with the seed of the evaluation, or their audits. Then the window of the phase begins.
    fn draw(id: TaskId, task: &Task<T::AccountId>, round: &mut Round<T::AccountId>, now: u32) {
        let Some(mut draw) = round.draw.take() else {
            return;
        };
        let subject = (id, task.round, round.redraws).encode();
        draw.mix(T::Randomness::random(&subject).0.as_ref());
        if draw.blocks < T::DrawBlocks::get() {
            round.draw = Some(draw);
            return;
        }
        if round.phase == Phase::Challenge {
            // Nobody knew this seed when attesters committed to the work to be audited.
            round.audit_seed = Some(draw.seed(b"gotong:audits"));
        } else {
            // The seed comes from the first draw, so evaluations under way stay valid. It counts even if that draw seats nobody.
            // Otherwise attesters could step back until they like the samples.
            if round.seed.is_none() {
                Attestation::<T>::end_promise(task);
                let seed = draw.seed(b"gotong:seed");
                round.seed = Some(seed);
                Pallet::<T>::deposit_event(Event::SeedDrawn {
                    task: id,
                    round: task.round,
                    seed,
                });
            }
            Attestation::<T>::draw(id, task, round, &draw.seed(b"gotong:attesters"));
            if round.seats.is_empty() {
                // It keeps waiting in its current window. With a new window each time, it could wait for ever.
                return;
            }
        }
        Self::enter(id, task, round, round.phase, now);
    }

    /// Ends the phase, and takes the step that the clock names.
    fn step(
        id: TaskId,
        task: &mut Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        transition: Transition,
        now: u32,
    ) {
        match round.phase {
            Phase::Commit if matches!(transition, Transition::End(_)) => {
                Submissions::<T>::give_up(id, task.round);
            }
            Phase::Reveal => {
                let records = Submissions::<T>::end_reveal(id, task.round, &round.weights);
                let root = || entrants_tree(&records).root().hash;
                round.entrants_root = (!records.is_empty()).then(root);
            }
            Phase::AttestCommit if !round.seats.is_empty() => {
                Attestation::<T>::end_commit(task, round);
            }
            Phase::AttestReveal => Attestation::<T>::end_reveal(task, round),
            Phase::Challenge => Attestation::<T>::end_challenge(task, round),
            _ => {}
        }
        match transition {
            Transition::Enter(phase) => {
                if round.is_promised_seats() {
                    Attestation::<T>::end_promise(task);
                }
                Self::enter(id, task, round, phase, now);
                round.draw = (phase == Phase::Challenge).then(Draw::default);
                if phase == Phase::Reveal {
                    Attestation::<T>::promise_seats(task);
                }
            }
            Transition::Draw => {
                let candidates = Attestation::<T>::candidates(id, task, round);
                if candidates.is_empty() {
                    Self::await_attesters(id, task, round, now);
                } else {
                    if round.seed.is_none() {
                        Attestation::<T>::promise_seats(task);
                    }
                    round.draw = Some(Draw::default());
                    Attestation::<T>::begin_draw(id, candidates);
                }
            }
            Transition::Redraw => {
                let candidates = Attestation::<T>::candidates(id, task, round);
                if candidates.is_empty() {
                    round.redraws = bounds::MAX_REDRAWS;
                } else {
                    round.redraws = round.redraws.saturating_add(1);
                    Self::enter(id, task, round, Phase::AttestCommit, now);
                    round.draw = Some(Draw::default());
                    Attestation::<T>::begin_draw(id, candidates);
                }
            }
            Transition::Vacate => {
                Attestation::<T>::vacate(task, round);
                round.redraws = 0;
                Self::tell_of_waiting(id, task);
                Self::enter(id, task, round, Phase::AttestCommit, now);
            }
            Transition::RollOn if round.commits > 0 => {
                Self::await_attesters(id, task, round, now);
            }
            Transition::RollOn => {
                round.departures = Contributors::<T>::get().departures;
                Self::enter(id, task, round, Phase::Commit, now);
            }
            Transition::End(outcome) => {
                if round.is_promised_seats() {
                    Attestation::<T>::end_promise(task);
                }
                round.phase = Phase::Ended;
                round.phase_started_at = block::<T>();
                round.ends_at = block::<T>();
                round.outcome = Some(outcome);
                Attestation::<T>::end_round(task, round);
                // This clears all tables at once, because there is at most one per seat.
                let _ = Tables::<T>::clear_prefix((id, task.round), bounds::MAX_SEATS, None);
                Pallet::<T>::deposit_event(Event::RoundEnded {
                    task: id,
                    round: task.round,
                    outcome,
                });
                if outcome == Outcome::Settled {
                    task.idle_since = now;
                    Rewards::<T>::settle(id, task, round);
                }
            }
        }
    }

    /// If the window of a round that finds too few attesters is over, extends it: see [`Round::has_waited`].
    fn await_attesters(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        now: u32,
    ) {
        if now < round.ends_at {
            return;
        }
        let began = round.phase_started_at;
        Self::tell_of_waiting(id, task);
        Self::enter(id, task, round, round.phase, now);
        round.phase_started_at = began;
    }

    fn tell_of_waiting(id: TaskId, task: &Task<T::AccountId>) {
        Pallet::<T>::deposit_event(Event::AttestersAwaited {
            task: id,
            round: task.round,
        });
    }

    fn enter(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        phase: Phase,
        now: u32,
    ) {
        round.phase = phase;
        round.phase_started_at = now;
        round.ends_at = now.saturating_add(task.terms.windows.of(phase));
        Pallet::<T>::deposit_event(Event::PhaseEntered {
            task: id,
            round: task.round,
            phase,
            ends_at: block_at::<T>(round.ends_at),
        });
    }

    /// Adds a task that starts a round to the schedule.
    pub(crate) fn enlist(id: TaskId) -> Result<(), Error<T>> {
        Schedule::<T>::try_mutate(|schedule| {
            schedule
                .try_push((id, now::<T>()))
                .map_err(|_| Error::<T>::TooManyLiveTasks)
        })
    }

    /// Removes a task from the schedule.
    pub(crate) fn delist(id: TaskId) {
        Schedule::<T>::mutate(|schedule| schedule.retain(|(other, _)| *other != id));
    }

    pub(crate) fn look_again(id: TaskId, at: u32) {
        Schedule::<T>::mutate(|schedule| {
            match schedule.iter_mut().find(|(other, _)| *other == id) {
                Some((_, due)) => *due = at,
                None => unexpected::<T>(UnexpectedKind::TaskUnscheduled(id)),
            }
        });
    }
}
