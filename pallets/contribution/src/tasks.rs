//! Tasks: what a sponsor asks for, and its money.

use crate::{
    asset::{unexpected, Asset},
    rounds::{block, now, Rounds},
    Balance, Config, Error, Event, GraphBytes, Graphs, HoldReason, NextTask, Pallet, SlashReason,
    Tasks as TaskMap, UnexpectedKind, WeightInfo,
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get, weights::Weight};
use gotong_protocol::{
    bounds, Graph, Hash, HoldOutTerms, Outcome, RoundId, TaskId, TaskState, TaskTerms,
};
use gotong_scoring::{weights::WeightsError, MasterWeights};
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// A task.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Task<AccountId> {
    /// Who opened it.
    pub sponsor: AccountId,
    /// Its terms.
    pub terms: TaskTerms<Balance>,
    /// Its state.
    pub state: TaskState,
    /// Number of parameters of the model.
    pub parameters: u32,
    /// Length of a sample with its label, in bytes.
    pub record_bytes: u32,
    /// Number of classes of the model.
    pub classes: u32,
    /// What evaluating one sample costs: [`Graph::cost`].
    pub cost: u64,
    /// Merkle root of the weights that the next merge starts from.
    pub master_root: Hash,
    /// The block in which it was opened.
    pub opened_at: u32,
    /// When the time without a settled round began: when the last round settled, when the task was opened or resumed, or when
    /// it was topped up while paused.
    pub idle_since: u32,
    /// The current round, or the last one.
    pub round: RoundId,
    /// Number of shards published so far, which is the index of the next one; 0 if samples are drawn from a pool.
    pub next_shard: u32,
    /// The sponsor's money.
    pub purse: Purse,
}

impl<AccountId> Task<AccountId> {
    /// The work that scoring a round with this number of deltas takes an attester in each block: [`TaskTerms::load`].
    pub(crate) fn load(&self, deltas: u32) -> u64 {
        self.terms.load(self.cost, self.parameters, deltas)
    }

    /// What attesters share for their work in each round that settles. It does not overflow, because such a task is not opened.
    pub(crate) fn work_pay(&self) -> Balance {
        self.terms.work_pay(self.cost).unwrap_or_default()
    }

    /// The most that a round takes from the budget.
    pub(crate) fn most_per_round(&self) -> Balance {
        self.terms.cap_per_round.saturating_add(self.work_pay())
    }

    /// Whether there are samples for `round`, the next one.
    fn can_score(&self, round: RoundId) -> bool {
        match self.terms.hold_out {
            HoldOutTerms::Sealed { shards, .. } => self.next_shard < shards,
            HoldOutTerms::Drawn { rounds, .. } => round.0 < rounds,
        }
    }
}

/// Where a task's money is, in planck: `deposited = pool + reserved + claimed + fees + returned`. `pool`, `reserved` and `bond`
/// are on hold.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Purse {
    /// Everything that was ever paid in, without the bond.
    pub deposited: Balance,
    /// The budget: what future rounds can pay.
    pub pool: Balance,
    /// Set aside for contributors of settled rounds.
    pub reserved: Balance,
    /// Paid to contributors.
    pub claimed: Balance,
    /// Paid to attesters.
    pub fees: Balance,
    /// Given back to the sponsor.
    pub returned: Balance,
    /// The bond. If the task has shards, it is burned when one is not published.
    pub bond: Balance,
}

/// Owner of the tasks.
pub struct Tasks<T>(PhantomData<T>);

impl<T: Config> Tasks<T> {
    /// A task.
    pub fn get(id: TaskId) -> Result<Task<T::AccountId>, Error<T>> {
        TaskMap::<T>::get(id).ok_or(Error::<T>::NoSuchTask)
    }

    pub(crate) fn put(id: TaskId, task: &Task<T::AccountId>) {
        TaskMap::<T>::insert(id, task);
    }

    pub(crate) fn open(
        sponsor: T::AccountId,
        terms: TaskTerms<Balance>,
        graph_bytes: GraphBytes,
        weights: &[u8],
        recipe: &[u8],
        pool: Balance,
    ) -> DispatchResult {
        let graph = Graph::from_bytes(&graph_bytes).map_err(|_| Error::<T>::GraphInvalid)?;
        let parameters = u32::try_from(graph.parameters()).map_err(|_| Error::<T>::GraphInvalid)?;
        let record_bytes = graph
            .inputs
            .checked_add(1)
            .ok_or(Error::<T>::GraphInvalid)?;
        terms
            .validate(
                record_bytes,
                T::MinWindowBlocks::get(),
                T::MaxWindowBlocks::get(),
            )
            .map_err(Error::<T>::from)?;
        terms.check_recipe(recipe).map_err(Error::<T>::from)?;
        let heaviest = terms.load(graph.cost(), parameters, terms.places());
        ensure!(
            heaviest <= bounds::COST_PER_BLOCK,
            Error::<T>::TermsTooHeavy
        );
        ensure!(
            terms.can_have_such_deltas(parameters),
            Error::<T>::TermsDeltaInvalid
        );
        let most = terms
            .most_per_round(graph.cost())
            .ok_or(Error::<T>::TermsWorkFeeTooHigh)?;
        ensure!(pool >= most, Error::<T>::PoolTooSmall);
        ensure!(
            weights.len() as u64 == u64::from(parameters).saturating_mul(2),
            Error::<T>::WeightsMismatch
        );
        let master_root = MasterWeights::root_of_bytes(weights).map_err(|error| match error {
            WeightsError::PartialWeight => Error::<T>::WeightsMismatch,
            WeightsError::OutOfBounds { .. } => Error::<T>::WeightsOutOfBounds,
        })?;
        let id = NextTask::<T>::get();
        NextTask::<T>::put(id.next().ok_or(Error::<T>::TooManyTasks)?);
        let bond = match terms.hold_out {
            // Not publishing a shard must not be cheaper than paying for a good round.
            HoldOutTerms::Sealed { .. } => T::TaskBond::get().max(most),
            // The bond only puts a price on taking one of the few places for live tasks.
            HoldOutTerms::Drawn { .. } => T::TaskBond::get(),
        };
        Asset::<T>::hold(HoldReason::Pool, &sponsor, pool)?;
        Asset::<T>::hold(HoldReason::Bond, &sponsor, bond)?;
        Rounds::<T>::enlist(id)?;
        Graphs::<T>::insert(id, graph_bytes);
        let task = Task {
            sponsor: sponsor.clone(),
            classes: graph.classes(),
            cost: graph.cost(),
            terms,
            state: TaskState::Running,
            parameters,
            record_bytes,
            master_root,
            opened_at: block::<T>(),
            idle_since: now::<T>(),
            round: RoundId(0),
            next_shard: 0,
            purse: Purse {
                deposited: pool,
                pool,
                bond,
                ..Purse::default()
            },
        };
        Self::put(id, &task);
        Pallet::<T>::deposit_event(Event::TaskOpened {
            task: id,
            sponsor,
            parameters,
            master_root,
        });
        Rounds::<T>::start(id, &task);
        Ok(())
    }

    pub(crate) fn top_up(who: T::AccountId, id: TaskId, amount: Balance) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        let mut task = Self::of_sponsor(&who, id)?;
        ensure!(
            matches!(task.state, TaskState::Running | TaskState::Paused),
            Error::<T>::TaskNotFundable
        );
        let purse = &mut task.purse;
        let add = |part: Balance| part.checked_add(amount).ok_or(Error::<T>::Overflow);
        purse.deposited = add(purse.deposited)?;
        purse.pool = add(purse.pool)?;
        Asset::<T>::hold(HoldReason::Pool, &who, amount)?;
        Pallet::<T>::deposit_event(Event::TaskToppedUp { task: id, amount });
        if task.state == TaskState::Paused {
            task.idle_since = now::<T>();
        }
        if Self::can_resume(&task) {
            Self::resume(id, &mut task)?;
        }
        Self::put(id, &task);
        Ok(())
    }

    /// Stores a task after `amount` of what was set aside has gone back to its pool, or to the sponsor if the task is
    /// closed. If the task was paused because it lacked this money, it resumes.
    pub(crate) fn take_back(
        id: TaskId,
        task: &mut Task<T::AccountId>,
        amount: Balance,
    ) -> DispatchResult {
        let purse = &mut task.purse;
        purse.reserved = purse
            .reserved
            .checked_sub(amount)
            .ok_or(Error::<T>::Overflow)?;
        if task.state == TaskState::Closed {
            Asset::<T>::release(HoldReason::Pool, &task.sponsor, amount)?;
            purse.returned = purse.returned.saturating_add(amount);
        } else {
            purse.pool = purse.pool.saturating_add(amount);
            // If there is no place for it, it waits for the next claim or for a top-up.
            if Self::can_resume(task) && Self::resume(id, task).is_err() {
                task.state = TaskState::Paused;
            }
        }
        Self::put(id, task);
        Ok(())
    }

    fn can_resume(task: &Task<T::AccountId>) -> bool {
        task.state == TaskState::Paused && task.purse.pool >= task.most_per_round()
    }

    fn resume(id: TaskId, task: &mut Task<T::AccountId>) -> Result<(), Error<T>> {
        Rounds::<T>::enlist(id)?;
        task.state = TaskState::Running;
        task.idle_since = now::<T>();
        Self::next_round(id, task);
        Ok(())
    }

    pub(crate) fn close(who: T::AccountId, id: TaskId) -> DispatchResult {
        let mut task = Self::of_sponsor(&who, id)?;
        match task.state {
            TaskState::Closing | TaskState::Closed => {
                return Err(Error::<T>::AlreadyClosed.into());
            }
            TaskState::Running if !Rounds::<T>::cancel_idle(id, &task) => {
                task.state = TaskState::Closing;
                Pallet::<T>::deposit_event(Event::TaskClosing { task: id });
            }
            _ => Self::finish_close(id, &mut task),
        }
        Self::put(id, &task);
        Ok(())
    }

    /// Handles the end of a round: starts the next one, or pauses or ends the task.
    pub(crate) fn round_over(id: TaskId, task: &mut Task<T::AccountId>, outcome: Outcome) {
        if outcome == Outcome::ShardMissed {
            let bond = core::mem::take(&mut task.purse.bond);
            let reason = SlashReason::MissedShard;
            Asset::<T>::burn(HoldReason::Bond, &task.sponsor, bond, reason);
        }
        if task.state == TaskState::Closing {
            Self::finish_close(id, task);
        } else if Self::is_idle(task) {
            Self::expire(id, task);
        } else if outcome == Outcome::ShardMissed {
            Self::rest(id, task, TaskState::Stopped);
        } else {
            Self::next_round(id, task);
        }
    }

    fn next_round(id: TaskId, task: &mut Task<T::AccountId>) {
        match task.round.next() {
            Some(round) if task.can_score(round) => {
                if task.purse.pool < task.most_per_round() {
                    return Self::rest(id, task, TaskState::Paused);
                }
                task.round = round;
                Rounds::<T>::start(id, task);
            }
            _ => Self::rest(id, task, TaskState::Exhausted),
        }
    }

    fn rest(id: TaskId, task: &mut Task<T::AccountId>, state: TaskState) {
        Rounds::<T>::delist(id);
        task.state = state;
        Pallet::<T>::deposit_event(match state {
            TaskState::Paused => Event::TaskPaused { task: id },
            TaskState::Stopped => Event::TaskStopped { task: id },
            _ => Event::TaskExhausted { task: id },
        });
    }

    /// Whether its round should stop waiting, because the sponsor is closing the task or the task was idle for too long.
    pub(crate) fn is_given_up(task: &Task<T::AccountId>) -> bool {
        task.state == TaskState::Closing || Self::is_idle(task)
    }

    /// The time from which the task is closed if nothing happens in it.
    pub(crate) fn idle_until(task: &Task<T::AccountId>) -> u32 {
        task.idle_since.saturating_add(T::IdleBlocks::get())
    }

    /// Whether it has gone too long without a settled round.
    pub(crate) fn is_idle(task: &Task<T::AccountId>) -> bool {
        now::<T>() >= Self::idle_until(task)
    }

    /// Whether deltas revealed now would have enough time to wait for attesters: at least a seventh of [`Config::IdleBlocks`] (of a
    /// week, a day) is left until the task counts as idle. With less, somebody who keeps attesters away for a moment could end the
    /// round.
    pub(crate) fn has_time_to_wait(task: &Task<T::AccountId>) -> bool {
        let least = T::IdleBlocks::get() / 7;
        now::<T>().saturating_add(least) <= Self::idle_until(task)
    }

    /// Closes a paused task that nobody topped up for too long, if it is its turn: each block looks at one task, chosen by the
    /// block's number. Returns the weight of this beyond the look itself. (Tasks with a round under way are closed by their
    /// rounds.)
    pub(crate) fn close_idle_in_turn() -> Weight {
        let Some(id) = block::<T>().checked_rem(NextTask::<T>::get().0).map(TaskId) else {
            return Weight::zero();
        };
        match TaskMap::<T>::get(id) {
            Some(mut task) if task.state == TaskState::Paused && Self::is_idle(&task) => {
                Self::expire(id, &mut task);
                Self::put(id, &task);
                T::WeightInfo::close_task()
            }
            _ => Weight::zero(),
        }
    }

    /// Closes a task as if its sponsor had done so.
    fn expire(id: TaskId, task: &mut Task<T::AccountId>) {
        Pallet::<T>::deposit_event(Event::TaskExpired { task: id });
        Self::finish_close(id, task);
    }

    /// Gives back the rest of the budget and the bond. Money that cannot be given back stays on hold, and in the books.
    fn finish_close(id: TaskId, task: &mut Task<T::AccountId>) {
        Rounds::<T>::delist(id);
        task.state = TaskState::Closed;
        let purse = &mut task.purse;
        let release = |reason, amount| {
            let released = Asset::<T>::release(reason, &task.sponsor, amount).is_ok();
            if !released {
                unexpected::<T>(UnexpectedKind::ReleaseFailed(reason));
            }
            released
        };
        let mut returned = 0;
        if release(HoldReason::Pool, purse.pool) {
            returned = core::mem::take(&mut purse.pool);
            purse.returned = purse.returned.saturating_add(returned);
        }
        if release(HoldReason::Bond, purse.bond) {
            returned = returned.saturating_add(core::mem::take(&mut purse.bond));
        }
        Pallet::<T>::deposit_event(Event::TaskClosed { task: id, returned });
    }

    fn of_sponsor(who: &T::AccountId, id: TaskId) -> Result<Task<T::AccountId>, Error<T>> {
        let task = Self::get(id)?;
        ensure!(task.sponsor == *who, Error::<T>::NotSponsor);
        Ok(task)
    }
}
