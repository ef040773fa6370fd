//! Attesters' parts in a round: drawn, commit, then reveal.

use crate::{
    rounds::{Round, Rounds, Seats},
    stakes::Stakes,
    tasks::Task,
    Attesters, Balance, Config, Error, Event, Pallet, SlashReason,
};
use alloc::{collections::BTreeSet, vec::Vec};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{
    ensure,
    traits::{Get, Randomness},
};
use gotong_protocol::{attestation_commitment, Hash, Phase, RoundClaim, RoundId, TaskId};
use gotong_scoring::blake2_256;
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// A drawn attester's part in a round.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Seat<AccountId> {
    /// Who was drawn.
    pub account: AccountId,
    /// Stake at the draw.
    pub stake: Balance,
    /// What it committed to.
    pub commitment: Option<Hash>,
    /// What it revealed.
    pub revealed: Option<RevealedClaim>,
    /// What it was paid.
    pub fee: Balance,
}

/// A revealed attestation.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct RevealedClaim {
    /// What the attester says of the round.
    pub claim: RoundClaim,
    /// Root over its own evaluations, for audits.
    pub work_root: Hash,
}

/// Draws attesters and takes their attestations.
pub struct Attestation<T>(PhantomData<T>);

impl<T: Config> Attestation<T> {
    pub(crate) fn commit(
        who: T::AccountId,
        id: TaskId,
        round_id: RoundId,
        commitment: Hash,
    ) -> DispatchResult {
        let error = Error::<T>::NotInAttestCommitPhase;
        let (task, mut round) = Rounds::<T>::current(id, round_id, Phase::AttestCommit, error)?;
        let seat = Self::seat_of(&mut round, &who)?;
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
        claim: RoundClaim,
        work_root: Hash,
        salt: &Hash,
    ) -> DispatchResult {
        let error = Error::<T>::NotInAttestRevealPhase;
        let (task, mut round) = Rounds::<T>::current(id, round_id, Phase::AttestReveal, error)?;
        let seat = Self::seat_of(&mut round, &who)?;
        let commitment = seat.commitment.ok_or(Error::<T>::NoCommitment)?;
        ensure!(seat.revealed.is_none(), Error::<T>::AlreadyAttested);
        let account = who.clone().into();
        ensure!(
            commitment == attestation_commitment(id, round_id, &account, &claim, &work_root, salt),
            Error::<T>::CommitmentMismatch
        );
        let improved = claim.paid_gain > 0;
        ensure!(
            improved == (claim.shares_sum > 0)
                && (improved || claim.master_root == task.master_root),
            Error::<T>::ClaimInconsistent
        );
        seat.revealed = Some(RevealedClaim {
            claim: claim.clone(),
            work_root,
        });
        Rounds::<T>::acted(id, &task, &round);
        Pallet::<T>::deposit_event(Event::AttestationRevealed {
            task: id,
            round: round_id,
            who,
            claim,
        });
        Ok(())
    }

    /// Draws the seats of a round, by stake and without replacement, among the registered who
    /// have the task's least stake, did not commit in the round and do not sponsor the task. None
    /// if there are fewer of them than the quorum.
    pub(crate) fn draw(
        id: TaskId,
        task: &Task<T::AccountId>,
        committed: &[T::AccountId],
    ) -> Seats<T::AccountId> {
        let (seed, _) = T::Randomness::random(&(b"gotong:attesters", id, task.round).encode());
        let committed: BTreeSet<_> = committed.iter().collect();
        let mut candidates: Vec<_> = Attesters::<T>::get()
            .into_iter()
            .filter(|(who, stake)| {
                *stake >= task.terms.minimum_attester_stake
                    && *who != task.sponsor
                    && !committed.contains(who)
            })
            .collect();
        let mut seats = Seats::default();
        for number in 0..task.terms.seats {
            let Some((account, stake)) = draw_one(seed.as_ref(), number, &mut candidates) else {
                break;
            };
            let seat = Seat {
                account,
                stake,
                commitment: None,
                revealed: None,
                fee: 0,
            };
            if seats.try_push(seat).is_err() {
                break;
            }
        }
        if seats.len() < usize::from(task.terms.quorum) {
            seats = Seats::default();
        }
        Pallet::<T>::deposit_event(Event::AttestersDrawn {
            task: id,
            round: task.round,
            attesters: seats.iter().map(|seat| seat.account.clone()).collect(),
        });
        seats
    }

    /// Slashes the seats of which `missed` is true.
    pub(crate) fn slash_missed(
        round: &Round<T::AccountId>,
        missed: impl Fn(&Seat<T::AccountId>) -> bool,
    ) {
        for seat in round.seats.iter().filter(|seat| missed(seat)) {
            Stakes::<T>::slash(
                &seat.account,
                T::MissedAttestationSlash::get(),
                SlashReason::MissedAttestation,
            );
        }
    }

    fn seat_of<'a>(
        round: &'a mut Round<T::AccountId>,
        who: &T::AccountId,
    ) -> Result<&'a mut Seat<T::AccountId>, Error<T>> {
        round
            .seats
            .iter_mut()
            .find(|seat| seat.account == *who)
            .ok_or(Error::<T>::NotDrawn)
    }
}

/// Takes one candidate out, each with a chance in proportion to its stake: the one on whose stretch
/// of the stakes laid end to end the number falls that the seed gives. The modulo's bias is below
/// 2^-28 for any stake under 2^100 planck.
fn draw_one<A>(
    seed: &[u8],
    number: u8,
    candidates: &mut Vec<(A, Balance)>,
) -> Option<(A, Balance)> {
    let total = candidates
        .iter()
        .fold(0u128, |sum, (_, stake)| sum.saturating_add(*stake));
    let hash = blake2_256(&[b"gotong:draw", &[number], seed]);
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
