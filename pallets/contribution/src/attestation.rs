//! What attesters do in a round: they are drawn, commit, reveal, and answer their audits.

use crate::{
    offers::Offers,
    rounds::{Round, Rounds, Seats},
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

/// Attesters with their stakes, at most as many as the registry may list.
pub type CandidateList<T> =
    BoundedVec<(<T as frame_system::Config>::AccountId, Balance), <T as Config>::MaxAttesters>;

/// A drawn attester's part in a round.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Seat<AccountId> {
    /// Who was drawn.
    pub account: AccountId,
    /// Its stake when the draw began, in planck.
    pub stake: Balance,
    /// Whether it counts, or why not.
    pub state: SeatState,
    /// What it committed to.
    pub commitment: Option<Hash>,
    /// What it revealed of its table. The table itself is in [`Tables`] as long as it can be disputed.
    pub revealed: Option<RevealedTable>,
    /// Whether it answered its audits.
    pub audited: bool,
    /// What it was paid, in planck.
    pub fee: Balance,
}

impl<AccountId> Seat<AccountId> {
    /// Whether it has not been lost.
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
    /// The claim that follows from its table.
    pub claim: ShareClaim,
    /// The root over its own work, for audits.
    pub work_root: Hash,
}

/// A fault for which seats are taken away.
struct Fault {
    /// The state of the seats from then on.
    state: SeatState,
    /// What it costs.
    slash: Balance,
    /// Why it costs that.
    reason: SlashReason,
    /// Whether it is the attesters' own fault, because others showed that the duty could be done.
    is_own: bool,
}

impl Fault {
    /// A fault that is the attester's own.
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

    /// Takes `who`'s answers to all audits of its seat.
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

    /// The attesters who can be drawn, with their stakes. Their offers have room for a seat of the task, and they have at least its
    /// minimum stake, hold no seat of the round, did not commit a delta in it, and do not sponsor the task. Empty if they are too
    /// few for the round to continue.
    pub(crate) fn candidates(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> CandidateList<T> {
        let mut candidates = Offers::<T>::candidates(id, task, task.load(round.reveals));
        candidates.retain(|(who, _)| Self::may_sit(id, task, round, who));
        // After a conviction, a single seat may be enough to settle the round.
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

    /// Whether a quorum of attesters could be drawn for a round in Commit if everybody who committed reveals, and whether that many
    /// free seats are promised to no other round. For a round that already waits, it assumes that nobody reveals. Otherwise anybody
    /// could hold the round up by committing noise until its load exceeds every attester's room.
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

    /// Promises a quorum of seats to a round that enters Reveal, so that the same seats cannot let another round in.
    pub(crate) fn promise_seats(task: &Task<T::AccountId>) {
        SeatsPromised::<T>::mutate(|promised| {
            *promised = promised.saturating_add(task.terms.quorum.into());
        });
    }

    /// Ends that promise when the first draw is over, or earlier if the round waits for attesters or ends.
    pub(crate) fn end_promise(task: &Task<T::AccountId>) {
        SeatsPromised::<T>::mutate(|promised| {
            *promised = promised.saturating_sub(task.terms.quorum.into());
        });
    }

    /// The number of free seats that are promised to no round.
    fn spare_seats() -> u32 {
        Offers::<T>::free_seats().saturating_sub(SeatsPromised::<T>::get())
    }

    /// Whether `who` has no part in the round yet.
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

    /// Begins a draw among these attesters.
    pub(crate) fn begin_draw(id: TaskId, candidates: CandidateList<T>) {
        Offers::<T>::begin_draw(&candidates);
        Candidates::<T>::insert(id, candidates);
    }

    /// Draws attesters from the draw's candidates, by stake and without replacement, until the round has all its seats. Beyond the
    /// quorum, it takes no seats that are promised to other rounds. It skips candidates that no longer have room for a seat. If the
    /// first draw cannot fill the quorum, it seats nobody, because attesters with a seat would be kept from other rounds while this
    /// one waits.
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
        // A round has room for only this many seats in all, including lost ones.
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
        if !attesters.is_empty() {
            Pallet::<T>::deposit_event(Event::AttestersDrawn {
                task: id,
                round: task.round,
                attesters,
            });
        }
    }

    /// Takes the seats of attesters who did not commit. Their offers are suspended only if a quorum did commit; otherwise nobody
    /// knows whether the window that the sponsor chose was long enough. They are slashed only if the samples are also on the chain,
    /// because a sponsor need not give a pool to everybody.
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

    /// Takes the seats of attesters who committed to a table and did not reveal it.
    pub(crate) fn end_reveal(task: &Task<T::AccountId>, round: &mut Round<T::AccountId>) {
        let slash = T::MissedAuditSlash::get();
        let fault = Fault::of(SeatState::Missed, slash, SlashReason::WithheldTable);
        Self::put_out(task, round, fault, |seat| seat.revealed.is_none());
    }

    /// Takes the seats of attesters who did not answer their audits, or who have no stake left.
    pub(crate) fn end_challenge(task: &Task<T::AccountId>, round: &mut Round<T::AccountId>) {
        let slash = T::MissedAuditSlash::get();
        let fault = Fault::of(SeatState::Unaudited, slash, SlashReason::MissedAudit);
        Self::put_out(task, round, fault, |seat| {
            !seat.audited || !Registrations::<T>::contains_key(&seat.account)
        });
    }

    /// Frees the attesters who still hold seats when the round is over.
    pub(crate) fn end_round(task: &Task<T::AccountId>, round: &Round<T::AccountId>) {
        let sitting = round.seats.iter().filter(|seat| seat.sits());
        let accounts: Vec<_> = sitting.map(|seat| seat.account.clone()).collect();
        Offers::<T>::rise(&accounts, task.load(round.reveals), false);
    }

    /// Frees the attesters who still hold seats, and forgets all seats. Then anybody may be drawn again. That includes those who
    /// committed, and those who did not, because it is not known whether that was their fault.
    pub(crate) fn vacate(task: &Task<T::AccountId>, round: &mut Round<T::AccountId>) {
        Self::end_round(task, round);
        round.seats = Seats::default();
    }

    /// Takes the seats for which `failed` is true, and slashes their attesters. If it was their own fault, it also suspends their
    /// offers.
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

    /// The seat of `who`. Fails if the seat was lost, or the stake was lost in another round.
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

/// Draws one candidate, with a chance in proportion to its stake, and removes it from the list. The stakes are laid end to end, and
/// the seed gives a number that falls on one of them. The modulo's bias is below 2^-28 for any stake under 2^100 planck.
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
