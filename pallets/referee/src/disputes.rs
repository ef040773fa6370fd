//! Open disputes: whose move it is, and until when.

use crate::{
    asset::{unexpected, Bonds},
    Balance, Config, Deadlines, Disputes as DisputeMap, Error, Event, NextDispute, Pallet, Parties,
    UnexpectedKind, WeightInfo,
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get, weights::Weight};
use gotong_protocol::{
    bounds, dispute::Verdict, id::DisputeId, Court, RoundFacts, RoundId, TableSummary, TaskId,
};
use gotong_scoring::share::trial::{Accusation, Answer, Pick, Ruling, Trial};
use scale_info::TypeInfo;
use sp_runtime::{DispatchResult, SaturatedConversion};

/// An open dispute.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Dispute<AccountId> {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// Whose table is doubted.
    pub accused: AccountId,
    /// Who doubts it.
    pub challenger: AccountId,
    /// The challenger's bond, in planck.
    pub bond: Balance,
    /// What the challenger doubted first.
    pub accusation: Accusation,
    /// The table of the accused.
    pub table: TableSummary,
    /// How far the dispute has been narrowed down.
    pub trial: Trial,
    /// The block in which it was opened.
    pub opened_at: u32,
    /// The latest time for the next move.
    pub deadline: u32,
    /// Number of moves by the accused.
    pub answers: u32,
    /// Number of moves by the challenger.
    pub picks: u32,
    /// Encoded bytes of all answers together.
    pub bytes: u32,
}

impl<AccountId> Dispute<AccountId> {
    /// Moves that were made.
    pub fn moves(&self) -> u32 {
        self.answers.saturating_add(self.picks)
    }
}

/// Who disputes whose table.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Party<AccountId> {
    /// The dispute.
    pub dispute: DisputeId,
    /// Whose table is doubted.
    pub accused: AccountId,
    /// Who doubts it.
    pub challenger: AccountId,
}

/// The most open disputes at the same time: as many as can be open in every round.
pub struct MaxOpenDisputes<T>(PhantomData<T>);

impl<T: Config> Get<u32> for MaxOpenDisputes<T> {
    fn get() -> u32 {
        T::MaxDisputesPerRound::get().saturating_mul(T::MaxLiveRounds::get())
    }
}

/// The longest that a dispute can take: every move comes at the last moment, and then all disputes of the chain time out at
/// once.
pub struct LongestDispute<T>(PhantomData<T>);

impl<T: Config> Get<u32> for LongestDispute<T> {
    fn get() -> u32 {
        let queue = MaxOpenDisputes::<T>::get().div_ceil(T::MaxTimeOutsPerBlock::get().max(1));
        T::MaxMoves::get()
            .saturating_mul(T::MoveBlocks::get())
            .saturating_add(queue)
            .saturating_add(1)
    }
}

/// The number of moves in the longest dispute that an honest challenger needs: 13 answers, with a pick between one and the next.
/// Such a dispute is about a word of a gradient of the largest model. The answers are: the roots of the gradients; three strides of
/// one gradient; a tile of it; what each sample adds; what each op adds; a sum, with the first of four strides of the trace; the
/// other three; a tile of the trace; what a word is made of.
pub const LONGEST_TRIAL: u32 = 25;

/// The block being made.
pub(crate) fn block<T: Config>() -> u32 {
    frame_system::Pallet::<T>::block_number().saturated_into()
}

/// The time, according to [`Config::Clock`].
pub(crate) fn now<T: Config>() -> u32 {
    T::Clock::get()
}

/// The block at which it will be `time`, if no more blocks are full.
pub(crate) fn block_at<T: Config>(time: u32) -> u32 {
    let skipped = block::<T>().saturating_sub(now::<T>());
    time.saturating_add(skipped)
}

/// Checks the relations between constants that everything here relies on.
pub(crate) fn assert_constants<T: Config>() {
    assert!(T::MoveBlocks::get() >= 1, "a move takes a block");
    assert!(
        T::MaxMoves::get() >= LONGEST_TRIAL,
        "an honest challenger could lose by moves"
    );
    assert!(
        MaxOpenDisputes::<T>::get() >= 1,
        "there is room for no dispute"
    );
    let dearest = T::DisputeBond::get().checked_mul(T::MaxDisputesPerRound::get().into());
    assert!(
        T::DisputeBond::get() > 0 && dearest.is_some(),
        "every dispute has a bond"
    );
    let time_outs = T::MaxTimeOutsPerBlock::get();
    assert!(time_outs >= 1, "disputes must time out");
    let longest =
        T::WeightInfo::end(T::MaxDisputesPerRound::get()).saturating_mul(time_outs.into());
    assert!(
        longest.ref_time() <= T::BlockWeights::get().max_block.ref_time() / 4,
        "time-outs could take more than a quarter of a block"
    );
}

/// Owner of the open disputes and their deadlines.
pub struct Disputes<T>(PhantomData<T>);

impl<T: Config> Disputes<T> {
    /// An open dispute.
    pub fn get(id: DisputeId) -> Result<Dispute<T::AccountId>, Error<T>> {
        DisputeMap::<T>::get(id).ok_or(Error::<T>::NoSuchDispute)
    }

    pub(crate) fn open(
        challenger: T::AccountId,
        task: TaskId,
        round: RoundId,
        accused: T::AccountId,
        accusation: Accusation,
    ) -> DispatchResult {
        ensure!(challenger != accused, Error::<T>::OwnTable);
        let table = T::Court::disputable(task, round, &accused).ok_or(Error::<T>::NotDisputable)?;
        let facts = Self::facts(task, round)?;
        let trial = Trial::open(&facts, &table, accusation).map_err(Error::<T>::from)?;
        let id = NextDispute::<T>::get();
        NextDispute::<T>::put(id.next().ok_or(Error::<T>::OutOfIds)?);
        let bond = Self::join(task, round, id, &accused, &challenger)?;
        Bonds::<T>::hold(&challenger, bond)?;
        let deadline = Self::schedule(id)?;
        let dispute = Dispute {
            task,
            round,
            accused: accused.clone(),
            challenger: challenger.clone(),
            bond,
            accusation,
            trial,
            table,
            opened_at: block::<T>(),
            deadline,
            answers: 0,
            picks: 0,
            bytes: 0,
        };
        DisputeMap::<T>::insert(id, dispute);
        T::Court::dispute_opened(task, round);
        Pallet::<T>::deposit_event(Event::DisputeOpened {
            dispute: id,
            task,
            round,
            accused,
            challenger,
            bond,
            accusation,
            deadline: block_at::<T>(deadline),
        });
        Ok(())
    }

    pub(crate) fn answer(who: T::AccountId, id: DisputeId, answer: &Answer) -> DispatchResult {
        let mut dispute = Self::get(id)?;
        ensure!(who == dispute.accused, Error::<T>::NotAccused);
        ensure!(now::<T>() <= dispute.deadline, Error::<T>::TooLate);
        let bytes = answer.encoded_size() as u32;
        ensure!(
            bytes <= bounds::MAX_ANSWER_BYTES,
            Error::<T>::AnswerTooLarge
        );
        let facts = Self::facts(dispute.task, dispute.round)?;
        let ruling = dispute
            .trial
            .answer(&facts, &dispute.table, answer)
            .map_err(Error::<T>::from)?;
        dispute.answers = dispute.answers.saturating_add(1);
        dispute.bytes = dispute.bytes.saturating_add(bytes);
        Pallet::<T>::deposit_event(Event::Answered {
            dispute: id,
            statement: dispute.trial.statement,
            bytes,
        });
        match ruling {
            Ruling::Continues(trial) => Self::go_on(id, dispute, trial).map(|_| ()),
            Ruling::Upheld => {
                Self::end(id, dispute, Verdict::Upheld);
                Ok(())
            }
            Ruling::Refuted(step) => {
                Self::end(id, dispute, Verdict::Refuted(step));
                Ok(())
            }
        }
    }

    pub(crate) fn pick(who: T::AccountId, id: DisputeId, pick: Pick) -> DispatchResult {
        let mut dispute = Self::get(id)?;
        ensure!(who == dispute.challenger, Error::<T>::NotChallenger);
        ensure!(now::<T>() <= dispute.deadline, Error::<T>::TooLate);
        let facts = Self::facts(dispute.task, dispute.round)?;
        let trial = dispute
            .trial
            .pick(&facts, &dispute.table, &pick)
            .map_err(Error::<T>::from)?;
        dispute.picks = dispute.picks.saturating_add(1);
        if let Some(deadline) = Self::go_on(id, dispute, trial)? {
            Pallet::<T>::deposit_event(Event::Picked {
                dispute: id,
                pick,
                deadline: block_at::<T>(deadline),
            });
        }
        Ok(())
    }

    /// Ends disputes whose deadline is over: the party whose turn it was loses.
    pub(crate) fn time_out_overdue() -> Weight {
        let now = now::<T>();
        let mut weight = T::WeightInfo::look();
        for _ in 0..T::MaxTimeOutsPerBlock::get() {
            // It is looked up each time, because one conviction may end several disputes.
            match Deadlines::<T>::get().first() {
                Some((id, deadline)) if *deadline < now => {
                    weight = weight.saturating_add(T::WeightInfo::end(Self::time_out(*id)));
                }
                _ => break,
            }
        }
        weight
    }

    /// Returns how many disputes ended.
    fn time_out(id: DisputeId) -> u32 {
        let Ok(dispute) = Self::get(id) else {
            Self::unschedule(&[id]);
            unexpected::<T>(UnexpectedKind::DisputeMissing(id));
            return 0;
        };
        let verdict = match dispute.trial.awaits_answer() {
            true => Verdict::Unanswered,
            false => Verdict::Abandoned,
        };
        Self::end(id, dispute, verdict)
    }

    /// Stores the result of a move, for the other party. Returns that party's deadline, or nothing if there were too many moves.
    fn go_on(
        id: DisputeId,
        mut dispute: Dispute<T::AccountId>,
        trial: Trial,
    ) -> Result<Option<u32>, sp_runtime::DispatchError> {
        if dispute.moves() >= T::MaxMoves::get() {
            Self::end(id, dispute, Verdict::TooLong);
            return Ok(None);
        }
        dispute.trial = trial;
        dispute.deadline = Self::schedule(id)?;
        let deadline = dispute.deadline;
        DisputeMap::<T>::insert(id, dispute);
        Ok(Some(deadline))
    }

    fn facts(task: TaskId, round: RoundId) -> Result<RoundFacts, Error<T>> {
        T::Court::facts(task, round).ok_or(Error::<T>::NoFacts)
    }

    /// Lists a new dispute in its round, and returns its bond.
    fn join(
        task: TaskId,
        round: RoundId,
        dispute: DisputeId,
        accused: &T::AccountId,
        challenger: &T::AccountId,
    ) -> Result<Balance, Error<T>> {
        Parties::<T>::try_mutate(task, round, |parties| {
            ensure!(
                !parties
                    .iter()
                    .any(|party| party.accused == *accused && party.challenger == *challenger),
                Error::<T>::AlreadyDisputed
            );
            parties
                .try_push(Party {
                    dispute,
                    accused: accused.clone(),
                    challenger: challenger.clone(),
                })
                .map_err(|_| Error::<T>::TooManyDisputes)?;
            Ok(T::DisputeBond::get().saturating_mul(parties.len() as Balance))
        })
    }

    /// Gives the next move its full time; returns the deadline. Every move has the same amount of
    /// time, so whatever is scheduled last is due last.
    fn schedule(id: DisputeId) -> Result<u32, Error<T>> {
        let deadline = now::<T>().saturating_add(T::MoveBlocks::get());
        Deadlines::<T>::try_mutate(|deadlines| {
            deadlines.retain(|(other, _)| *other != id);
            deadlines
                .try_push((id, deadline))
                .map_err(|_| Error::<T>::TooManyDisputes)
        })?;
        Ok(deadline)
    }

    pub(crate) fn unschedule(ids: &[DisputeId]) {
        Deadlines::<T>::mutate(|deadlines| deadlines.retain(|(id, _)| !ids.contains(id)));
    }
}
