//! What contributors do in a round: they commit, then reveal.

use crate::{
    asset::{unexpected, Asset},
    ledgers::Ledgers,
    rounds::{block, Rounds},
    stakes::Stakes,
    tasks::Tasks,
    Balance, Config, DeltaAuthors, Error, Event, HoldReason, Pallet, SlashReason,
    Submissions as SubmissionMap, UnexpectedKind,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get};
use gotong_protocol::{
    claim::Claimed, submission_commitment, Delta, EntrantRecord, Hash, Phase, RoundId, TaskId,
};
use gotong_scoring::share::{entry_weight, Entrant, EntryWeights};
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// One contributor's part in a round.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// Place in the order of commitment, from 0.
    pub index: u32,
    /// Its own weight, from the account's stake and ledger when it committed; its weight in the merge may be less.
    pub weight: u32,
    /// Whether the account was proven in the task then.
    pub is_proven: bool,
    /// What it committed to.
    pub commitment: Hash,
    /// The deposit on hold until it reveals, in planck.
    pub deposit: Balance,
    /// The delta, once revealed.
    pub revealed: Option<Revealed>,
    /// The next round in which the account revealed, if it did so before this one was claimed.
    pub next: Option<RoundId>,
    /// The result of its claim.
    pub claimed: Option<Claimed<Balance>>,
}

/// A revealed delta.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Revealed {
    /// What a dispute needs to know about the delta, with its own weight.
    pub record: EntrantRecord,
    /// Length of the encoded delta.
    pub bytes: u32,
    /// The block whose body has the bytes.
    pub at: u32,
}

impl Revealed {
    /// The record as it enters a round with these weights.
    pub(crate) fn entrant(mut self, weights: &EntryWeights) -> EntrantRecord {
        self.record.weight = weights.limited(self.record.weight, self.record.is_proven);
        self.record
    }
}

/// Owner of the submissions.
pub struct Submissions<T>(PhantomData<T>);

impl<T: Config> Submissions<T> {
    /// The part of `who` in a round.
    pub fn get(id: TaskId, round: RoundId, who: &T::AccountId) -> Option<Submission> {
        SubmissionMap::<T>::get((id, round), who)
    }

    /// Whether `who` committed in a round.
    pub fn exists(id: TaskId, round: RoundId, who: &T::AccountId) -> bool {
        SubmissionMap::<T>::contains_key((id, round), who)
    }

    pub(crate) fn put(id: TaskId, round: RoundId, who: &T::AccountId, submission: &Submission) {
        SubmissionMap::<T>::insert((id, round), who, submission);
    }

    pub(crate) fn commit(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        commitment: Hash,
    ) -> DispatchResult {
        let error = Error::<T>::NotInCommitPhase;
        let (task, mut round) = Rounds::<T>::current(id, round_id, Phase::Commit, error)?;
        let registration = Stakes::<T>::get(&who)?;
        ensure!(registration.roles.contributor, Error::<T>::WrongRole);
        ensure!(
            registration.contributes::<T>()
                && registration.stake >= task.terms.minimum_contributor_stake,
            Error::<T>::StakeTooLow
        );
        ensure!(task.sponsor != who, Error::<T>::SponsorMayNotContribute);
        ensure!(
            !Self::exists(id, round_id, &who),
            Error::<T>::AlreadyCommitted
        );
        ensure!(
            round.commits < task.terms.places(),
            Error::<T>::TooManySubmissions
        );
        let account = Ledgers::<T>::get(id, &who);
        let is_proven = account.is_proven(round_id, task.terms.share.doubt_q8);
        let newcomers = round.newcomers.saturating_add(u32::from(!is_proven));
        ensure!(
            is_proven || newcomers <= task.terms.newcomer_places(),
            Error::<T>::TooManyNewcomers
        );
        let deposit = T::CommitDeposit::get();
        Asset::<T>::hold(HoldReason::CommitDeposit, &who, deposit)?;
        let index = round.commits;
        let stake_weight = stake_weight::<T>(registration.stake, task.terms.weight_cap);
        let submission = Submission {
            index,
            weight: entry_weight(stake_weight, is_proven),
            is_proven,
            commitment,
            deposit,
            revealed: None,
            next: None,
            claimed: None,
        };
        Self::put(id, round_id, &who, &submission);
        round.commits = index.saturating_add(1);
        round.newcomers = newcomers;
        Rounds::<T>::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::Committed {
            task: id,
            round: round_id,
            who,
            index,
        });
        Ok(())
    }

    pub(crate) fn reveal(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        delta: &[u8],
        salt: &Hash,
    ) -> DispatchResult {
        let task = Tasks::<T>::get(id)?;
        let mut round = Rounds::<T>::get(id, round_id).ok_or(Error::<T>::RoundNotCurrent)?;
        ensure!(round.phase >= Phase::Reveal, Error::<T>::NotInRevealPhase);
        let mut submission = Self::get(id, round_id, &who).ok_or(Error::<T>::NoCommitment)?;
        ensure!(submission.revealed.is_none(), Error::<T>::AlreadyRevealed);
        let bytes = u32::try_from(delta.len()).map_err(|_| Error::<T>::Overflow)?;
        ensure!(bytes <= task.terms.delta_bytes, Error::<T>::DeltaTooLong);
        let delta_hash = Delta::hash_of(delta);
        ensure!(
            submission.commitment
                == submission_commitment(id, round_id, &who.clone().into(), &delta_hash, salt),
            Error::<T>::CommitmentMismatch
        );
        let author = DeltaAuthors::<T>::get(id, delta_hash);
        ensure!(
            author.as_ref().is_none_or(|author| *author == who),
            Error::<T>::DeltaOfAnother
        );
        let decoded =
            Delta::decode(delta, task.parameters).map_err(|_| Error::<T>::DeltaMalformed)?;
        DeltaAuthors::<T>::insert(id, delta_hash, &who);
        if !Rounds::<T>::may_reveal(&task, &round) {
            // Everybody can read the bytes now, so they still need an author.
            ensure!(author.is_none(), Error::<T>::RevealTooLate);
            Pallet::<T>::deposit_event(Event::RevealedLate {
                task: id,
                round: round_id,
                who,
                delta_hash,
            });
            return Ok(());
        }

        let deposit = core::mem::take(&mut submission.deposit);
        Asset::<T>::release(HoldReason::CommitDeposit, &who, deposit)?;
        let entrant = Entrant {
            delta: &decoded,
            weight: submission.weight,
            is_proven: submission.is_proven,
        };
        submission.revealed = Some(Revealed {
            record: EntrantRecord::of(delta_hash, &entrant),
            bytes,
            at: block::<T>(),
        });
        Self::put(id, round_id, &who, &submission);
        Ledgers::<T>::append(id, round_id, &who);
        round.reveals = round.reveals.saturating_add(1);
        round.weights.add(submission.weight, submission.is_proven);
        Rounds::<T>::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::Revealed {
            task: id,
            round: round_id,
            who,
            delta_hash,
            bytes,
        });
        Ok(())
    }

    /// Gives back the deposits of a round that is given up before anything is revealed. A deposit that cannot be given back stays
    /// on hold, and in the books.
    pub(crate) fn give_up(id: TaskId, round: RoundId) {
        let all: Vec<_> = SubmissionMap::<T>::iter_prefix((id, round)).collect();
        for (who, mut submission) in all {
            let reason = HoldReason::CommitDeposit;
            if Asset::<T>::release(reason, &who, submission.deposit).is_err() {
                unexpected::<T>(UnexpectedKind::ReleaseFailed(reason));
                continue;
            }
            submission.deposit = 0;
            Self::put(id, round, &who, &submission);
        }
    }

    /// Burns the deposits of contributors who did not reveal. Returns the records of those who did, as they enter the round, in the
    /// order of the commits.
    pub(crate) fn end_reveal(
        id: TaskId,
        round: RoundId,
        weights: &EntryWeights,
    ) -> Vec<EntrantRecord> {
        let all: Vec<_> = SubmissionMap::<T>::iter_prefix((id, round)).collect();
        let mut records = Vec::with_capacity(all.len());
        for (who, mut submission) in all {
            match submission.revealed {
                Some(revealed) => records.push((submission.index, revealed.entrant(weights))),
                None => {
                    let deposit = core::mem::take(&mut submission.deposit);
                    let reason = SlashReason::UnrevealedCommit;
                    Asset::<T>::burn(HoldReason::CommitDeposit, &who, deposit, reason);
                    Self::put(id, round, &who, &submission);
                }
            }
        }
        records.sort_unstable_by_key(|(index, _)| *index);
        records.into_iter().map(|(_, record)| record).collect()
    }
}

/// The weight of a stake in the merge: the stake up to `cap`, in [`Config::WeightUnit`]s, rounded down.
fn stake_weight<T: Config>(stake: Balance, cap: Balance) -> u32 {
    let units = stake
        .min(cap)
        .checked_div(T::WeightUnit::get())
        .unwrap_or_default();
    u32::try_from(units).unwrap_or(u32::MAX)
}
