//! Attesters' parts in a round: drawn, commit, reveal, then answer their audits.

use crate::{
    offers::Offers,
    rounds::{Round, Rounds},
    stakes::Stakes,
    submissions::Submissions,
    tasks::Task,
    Balance, Candidates, Config, Error, Event, Pallet, Registrations, SeatsPromised, SlashReason,
    Tables,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get, BoundedVec};
use gotong_protocol::{
    attestation_commitment, bounds, AuditAnswer, Hash, Phase, RoundId, SeatState, ShareClaim,
    TableSummary, TaskId,
};
use gotong_scoring::{audits, blake2_256, Audited};
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// Attesters with their stakes, as many as may be listed.
pub type CandidateList<T> =
    BoundedVec<(<T as frame_system::Config>::AccountId, Balance), <T as Config>::MaxAttesters>;

/// A drawn attester's part in a round.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Seat<AccountId> {
    /// Who was drawn.
    pub account: AccountId,
    /// Its stake when the draw began.
    pub stake: Balance,
    /// Whether it counts, or why not.
    pub state: SeatState,
    /// What it committed to.
    pub commitment: Option<Hash>,
    /// What it revealed of its table, which is in [`Tables`] as long as it can be disputed.
    pub revealed: Option<RevealedTable>,
    /// Whether it answered its audits.
    pub audited: bool,
    /// What it was paid.
    pub fee: Balance,
}

impl<AccountId> Seat<AccountId> {
    /// Whether it was not put out.
    pub fn sits(&self) -> bool {
        self.state == SeatState::Sitting
    }

    /// The claim that its attester answers for.
    pub fn claim(&self) -> Option<&ShareClaim> {
        let revealed = self.revealed.as_ref().filter(|_| self.sits());
        revealed.map(|revealed| &revealed.claim)
    }

    /// Whether it has done all that is asked of it.
    pub fn stands(&self) -> bool {
        self.audited && self.claim().is_some()
    }
}

/// What an attester shows of its table and its work.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct RevealedTable {
    /// What it claims by its table.
    pub claim: ShareClaim,
    /// Root over its own work, for audits.
    pub work_root: Hash,
}

/// Why seats are put out.
struct Fault {
    /// What they are then.
    state: SeatState,
    /// What it costs.
    slash: Balance,
    /// Why it costs that.
    reason: SlashReason,
    /// Whether others show that it could have been done.
    is_own: bool,
}

impl Fault {
    /// One that is the attester's own.
    fn of(state: SeatState, slash: Balance, reason: SlashReason) -> Self {
        Self {
            state,
            slash,
            reason,
            is_own: true,
        }
    }
}

/// Draws attesters and takes their attestations.
pub struct Attestation<T>(PhantomData<T>);

impl<T: Config> Attestation<T> {
    pub(crate) fn commit(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        commitment: Hash,
        inputs: &Hash,
    ) -> DispatchResult {
        let error = Error::<T>::NotInAttestCommitPhase;
        let (task, mut round) = Rounds::<T>::current(id, round_id, Phase::AttestCommit, error)?;
        // Nothing can be computed yet.
        ensure!(round.draw.is_none(), Error::<T>::NotInAttestCommitPhase);
        let is_of_this_fork = *inputs == round.inputs(id, round_id);
        let seat = Self::seat_of(&mut round, &who)?;
        ensure!(is_of_this_fork, Error::<T>::OtherInputs);
        ensure!(seat.commitment.is_none(), Error::<T>::AlreadyAttested);
        seat.commitment = Some(commitment);
        Rounds::<T>::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::AttestationCommitted {
            task: id,
            round: round_id,
            who,
        });
        Ok(())
    }

    pub(crate) fn reveal(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        table: TableSummary,
        work_root: Hash,
        salt: &Hash,
    ) -> DispatchResult {
        let error = Error::<T>::NotInAttestRevealPhase;
        let (task, mut round) = Rounds::<T>::current(id, round_id, Phase::AttestReveal, error)?;
        let (base_root, entrants) = (round.base_root, round.reveals);
        let seat = Self::seat_of(&mut round, &who)?;
        let commitment = seat.commitment.ok_or(Error::<T>::NoCommitment)?;
        ensure!(seat.revealed.is_none(), Error::<T>::TableAlreadyRevealed);
        let (account, claim) = (who.clone().into(), table.claim(&base_root));
        ensure!(
            commitment == attestation_commitment(id, round_id, &account, &claim, &work_root, salt),
            Error::<T>::CommitmentMismatch
        );
        let samples = task.terms.hold_out.samples();
        ensure!(
            table.is_consistent(entrants, samples, &task.terms.share),
            Error::<T>::ClaimInconsistent
        );
        seat.revealed = Some(RevealedTable { claim, work_root });
        Tables::<T>::insert((id, round_id), &who, table);
        Rounds::<T>::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::AttestationRevealed {
            task: id,
            round: round_id,
            who,
            claim,
        });
        Ok(())
    }

    /// Takes the answers to all audits of the seat of `who`.
    pub(crate) fn answer_audits(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        answers: &[AuditAnswer],
    ) -> DispatchResult {
        let error = Error::<T>::NotInChallengePhase;
        let (task, mut round) = Rounds::<T>::current(id, round_id, Phase::Challenge, error)?;
        ensure!(round.draw.is_none(), Error::<T>::NotInChallengePhase);
        let (seed, entrants) = (round.audit_seed.unwrap_or_default(), round.reveals);
        let seat = Self::seat_of(&mut round, &who)?;
        ensure!(!seat.audited, Error::<T>::AlreadyAudited);
        let RevealedTable { work_root, .. } = seat.revealed.as_ref().ok_or(Error::<T>::SeatLost)?;
        let table = Tables::<T>::get((id, round_id), &who).ok_or(Error::<T>::SeatLost)?;
        let account = who.clone().into();
        let audited = Audited {
            summary: &table,
            samples: task.terms.hold_out.samples(),
            entrants,
        };
        let asked = audits(&seed, &account, bounds::AUDITS, &audited);
        ensure!(answers.len() == asked.len(), Error::<T>::AuditsMissing);
        for (audit, answer) in asked.iter().zip(answers) {
            answer
                .verify(audit, &account, &audited, work_root)
                .map_err(Error::<T>::from)?;
        }
        seat.audited = true;
        Rounds::<T>::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::Audited {
            task: id,
            round: round_id,
            who,
        });
        Ok(())
    }

    /// Who can be drawn, with their stake: those whose offer has room for a seat of the task, who have its least stake, hold
    /// no seat of the round, did not commit a delta in it and do not sponsor the task. None if they are too few for the round
    /// to go on.
    pub(crate) fn candidates(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> CandidateList<T> {
        let mut candidates = Offers::<T>::candidates(id, task, task.load(round.reveals));
        candidates.retain(|(who, _)| Self::may_sit(id, task, round, who));
        // After a conviction a single seat may come to settle the round.
        let enough = if round.convicted() {
            1
        } else {
            task.terms.quorum
        };
        let sitting = round.seats.iter().filter(|seat| seat.sits()).count();
        if sitting.saturating_add(candidates.len()) < usize::from(enough) {
            candidates = CandidateList::<T>::default();
        }
        candidates
    }

    /// Whether enough for the quorum could be drawn for a round in Commit, should all who committed reveal; and whether as many
    /// seats are free that are promised to no other round. A round that waits already is asked as if nobody revealed anything, or
    /// else whoever commits noise, and makes its load larger than any room, would hold it up for as long as it likes.
    pub(crate) fn has_room(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> bool {
        let quorum = usize::from(task.terms.quorum);
        if (Self::spare_seats() as usize) < quorum {
            return false;
        }
        let deltas = match round.has_waited(task.terms.windows.commit_blocks) {
            true => 0,
            false => round.commits,
        };
        let with_room = Offers::<T>::candidates(id, task, task.load(deltas));
        let may_sit = with_room
            .iter()
            .filter(|(who, _)| Self::may_sit(id, task, round, who));
        may_sit.take(quorum).count() >= quorum
    }

    /// Promises the quorum to a round that goes on to Reveal: no other is let in by the same seats.
    pub(crate) fn promise_seats(task: &Task<T::AccountId>) {
        SeatsPromised::<T>::mutate(|promised| {
            *promised = promised.saturating_add(task.terms.quorum.into());
        });
    }

    /// Ends the promise, as the round draws its first seats, waits for attesters, or comes to its end before.
    pub(crate) fn end_promise(task: &Task<T::AccountId>) {
        SeatsPromised::<T>::mutate(|promised| {
            *promised = promised.saturating_sub(task.terms.quorum.into());
        });
    }

    /// Free seats that are promised to no round.
    fn spare_seats() -> u32 {
        Offers::<T>::free_seats().saturating_sub(SeatsPromised::<T>::get())
    }

    /// Whether `who` is none of those who have a part in the round already.
    fn may_sit(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
        who: &T::AccountId,
    ) -> bool {
        *who != task.sponsor
            && round.seats.iter().all(|seat| seat.account != *who)
            && !Submissions::<T>::exists(id, task.round, who)
    }

    /// Begins a draw among these.
    pub(crate) fn begin_draw(id: TaskId, candidates: CandidateList<T>) {
        Offers::<T>::begin_draw(&candidates);
        Candidates::<T>::insert(id, candidates);
    }

    /// Draws attesters among those who were candidates when the draw began, by stake and without replacement: as many as
    /// the round lacks, but beyond the quorum none that are promised to another. Who has no room for a seat any more is passed over.
    /// If the first draw cannot make the quorum it seats nobody: who sat would be kept from other rounds while this one waits.
    pub(crate) fn draw(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        seed: &Hash,
    ) {
        let candidates = Candidates::<T>::take(id);
        let mut left = candidates.clone().into_inner();
        let sitting = round.seats.iter().filter(|seat| seat.sits()).count();
        let lacking = usize::from(task.terms.seats).saturating_sub(sitting);
        // A round has room for so many in all.
        let room = (bounds::MAX_SEATS as usize).saturating_sub(round.seats.len());
        let in_order = (0..).map_while(|number| draw_one(seed, number, &mut left));
        let load = task.load(round.reveals);
        let least = usize::from(task.terms.quorum).saturating_sub(sitting);
        let most = least.max(Self::spare_seats() as usize);
        let count = lacking.min(room).min(most);
        let fewest = if round.seats.is_empty() { least } else { 0 };
        let drawn = Offers::<T>::end_draw(id, task, load, &candidates, in_order, fewest..=count);
        let mut attesters = Vec::with_capacity(drawn.len());
        for (account, stake) in drawn {
            let seat = Seat {
                account: account.clone(),
                stake,
                state: SeatState::Sitting,
                commitment: None,
                revealed: None,
                audited: false,
                fee: 0,
            };
            if round.seats.try_push(seat).is_ok() {
                attesters.push(account);
            }
        }
        Pallet::<T>::deposit_event(Event::AttestersDrawn {
            task: id,
            round: task.round,
            attesters,
        });
    }

    /// Puts out who did not commit. Not drawn any more only if enough others did: else it is not known that anybody could, in a
    /// window that the sponsor chose. Slashed only if the samples are on the chain besides: a pool need not be given to
    /// everybody.
    pub(crate) fn end_commit(task: &Task<T::AccountId>, round: &mut Round<T::AccountId>) {
        let committed = |seat: &&Seat<_>| seat.sits() && seat.commitment.is_some();
        let count = round.seats.iter().filter(committed).count();
        let could = count >= task.terms.quorum.into();
        let slash = match could && task.terms.hold_out.is_sealed() {
            true => T::MissedAttestationSlash::get(),
            false => 0,
        };
        let fault = Fault {
            state: SeatState::Missed,
            slash,
            reason: SlashReason::MissedAttestation,
            is_own: could,
        };
        Self::put_out(task, round, fault, |seat| seat.commitment.is_none());
    }

    /// Puts out who has committed to a table and does not show it.
    pub(crate) fn end_reveal(task: &Task<T::AccountId>, round: &mut Round<T::AccountId>) {
        let slash = T::MissedAuditSlash::get();
        let fault = Fault::of(SeatState::Missed, slash, SlashReason::WithheldTable);
        Self::put_out(task, round, fault, |seat| seat.revealed.is_none());
    }

    /// Puts out who did not answer its audits, or has no stake left to answer with.
    pub(crate) fn end_challenge(task: &Task<T::AccountId>, round: &mut Round<T::AccountId>) {
        let slash = T::MissedAuditSlash::get();
        let fault = Fault::of(SeatState::Unaudited, slash, SlashReason::MissedAudit);
        Self::put_out(task, round, fault, |seat| {
            !seat.audited || !Registrations::<T>::contains_key(&seat.account)
        });
    }

    /// Frees all who still sit when the round is over.
    pub(crate) fn end_round(task: &Task<T::AccountId>, round: &Round<T::AccountId>) {
        let sitting = round.seats.iter().filter(|seat| seat.sits());
        let accounts: Vec<_> = sitting.map(|seat| seat.account.clone()).collect();
        Offers::<T>::rise(&accounts, task.load(round.reveals), false);
    }

    /// Puts out the sitting seats of which `failed` is true, and slashes them; if it is their own fault their offers end with
    /// it.
    fn put_out(
        task: &Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        fault: Fault,
        failed: impl Fn(&Seat<T::AccountId>) -> bool,
    ) {
        let mut left = Vec::new();
        for seat in round.seats.iter_mut() {
            if seat.sits() && failed(seat) {
                seat.state = fault.state;
                left.push(seat.account.clone());
                if fault.slash > 0 {
                    Stakes::<T>::slash(&seat.account, fault.slash, fault.reason);
                }
            }
        }
        Offers::<T>::rise(&left, task.load(round.reveals), fault.is_own);
    }

    /// The seat of `who`, if it was not put out and its stake not lost in another round.
    fn seat_of<'a>(
        round: &'a mut Round<T::AccountId>,
        who: &T::AccountId,
    ) -> Result<&'a mut Seat<T::AccountId>, Error<T>> {
        let seat = round.seat_mut(who).ok_or(Error::<T>::NotDrawn)?;
        let has_stake = Registrations::<T>::contains_key(who);
        ensure!(seat.sits() && has_stake, Error::<T>::SeatLost);
        Ok(seat)
    }
}

/// Takes one candidate out, each with a chance in proportion to its stake: the one on whose stretch
/// of the stakes laid end to end the number falls that the seed gives. The modulo's bias is below
/// 2^-28 for any stake under 2^100 planck.
pub(crate) fn draw_one<A>(
    seed: &[u8],
    number: u32,
    candidates: &mut Vec<(A, Balance)>,
) -> Option<(A, Balance)> {
    let total = candidates
        .iter()
        .fold(0u128, |sum, (_, stake)| sum.saturating_add(*stake));
    let hash = blake2_256(&[b"gotong:draw", &number.to_le_bytes(), seed]);
    let random = hash
        .iter()
        .take(16)
        .fold(0u128, |number, byte| (number << 8) | u128::from(*byte));
    let mut point = random.checked_rem(total)?;
    let index = candidates.iter().position(|(_, stake)| {
        let here = point < *stake;
        point = point.saturating_sub(*stake);
        here
    })?;
    Some(candidates.swap_remove(index))
}
