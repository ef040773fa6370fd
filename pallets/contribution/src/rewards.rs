//! What a settled round is worth, and how much of that each account is paid.
//!
//! When a round settles, the most that contributors may be owed is set aside. A claim credits a contributor's ledger and pays
//! what that proves; whatever was set aside for it and is not proved goes back to the budget.

use crate::{
    asset::{unexpected, Asset},
    attestation::Seat,
    credits::Credits,
    ledgers::{self, Account, Ledgers},
    rounds::{now, Round, Rounds},
    submissions::{Submission, Submissions},
    tasks::{Task, Tasks},
    Balance, Config, Error, Event, HoldReason, Pallet, UnexpectedKind,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get};
use gotong_protocol::{
    bounds, claim::Claimed, pay, ClaimItem, Credit, Hash, Ledger, RoundId, ShareClaim, TaskId,
};
use scale_info::TypeInfo;
use sp_runtime::{DispatchError, DispatchResult};

/// What a round settled on, and where its money went, in planck: `pot` is set aside, and the part of it that is neither paid
/// nor released is still on hold.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// The claim of all attesters whose seats stand.
    pub claim: ShareClaim,
    /// The rate at which credits count, Q32: less than 2^32 if the cap is below what the round is worth.
    pub rate_q32: u64,
    /// What attesters were paid.
    pub fees: Balance,
    /// What was set aside for contributors.
    pub pot: Balance,
    /// What contributors were paid.
    pub paid: Balance,
    /// What went back to the budget, or to the sponsor.
    pub released: Balance,
    /// The most that the positive credits of those who have not claimed can add up to, at the rate.
    pub most_credits: u64,
    /// Number of contributors who claimed or forfeited.
    pub claims: u32,
    /// The number of those that forfeited.
    pub forfeits: u32,
    /// Their credits, before the rate is applied.
    pub credited: i64,
    /// The time from which the rest can be released.
    pub expires_at: u32,
}

impl Settlement {
    /// What is set aside and not yet paid or given back.
    pub fn reserved(&self) -> Balance {
        self.pot
            .saturating_sub(self.paid)
            .saturating_sub(self.released)
    }
}

/// Settles rounds and pays for what is proved.
pub struct Rewards<T>(PhantomData<T>);

impl<T: Config> Rewards<T> {
    /// Settles a round on the claim of all its attesters who stand: pays their fees, sets the
    /// contributors' pot aside, and makes the merged weights the task's.
    pub(crate) fn settle(
        id: TaskId,
        task: &mut Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
    ) {
        let Some(claim) = round.seats.iter().find_map(Seat::claim).cloned() else {
            // The clock settles a round only if somebody stands.
            return unexpected::<T>(UnexpectedKind::PriceFailed(id));
        };
        let price = Self::price(task, round.reveals, &claim).unwrap_or_else(|| {
            unexpected::<T>(UnexpectedKind::PriceFailed(id));
            Price::default()
        });
        let fees = price.fees.saturating_add(task.work_pay());
        let fees = Self::pay_fees(id, task, round, fees);
        let purse = &mut task.purse;
        // Exact: a round starts only if the pool covers its cap and its work.
        purse.pool = purse.pool.saturating_sub(price.pot).saturating_sub(fees);
        purse.reserved = purse.reserved.saturating_add(price.pot);
        purse.fees = purse.fees.saturating_add(fees);
        task.master_root = claim.master_root;
        Pallet::<T>::deposit_event(Event::RoundSettled {
            task: id,
            round: task.round,
            claim,
            rate_q32: price.rate_q32,
            pot: price.pot,
            fees,
        });
        round.settlement = Some(Settlement {
            claim,
            rate_q32: price.rate_q32,
            fees,
            pot: price.pot,
            paid: 0,
            released: 0,
            most_credits: price.most_credits,
            claims: 0,
            forfeits: 0,
            credited: 0,
            expires_at: now::<T>().saturating_add(T::ClaimBlocks::get()),
        });
    }

    /// Credits `who` with what `item` proves or somebody has published, and pays what that proves over all of its rounds.
    pub(crate) fn claim(who: &T::AccountId, item: &ClaimItem) -> DispatchResult {
        let Claimable {
            mut task,
            mut round,
            mut submission,
            mut account,
            delta_hash,
        } = Self::claimable(who, item.task, item.round)?;
        let credit = Self::proved(who, &round, item, &delta_hash)?;
        let claimed = Self::credit(&mut account, &credit, &task, &round)?;
        if let Some(settlement) = round.settlement.as_mut() {
            settlement.paid = settlement.paid.saturating_add(claimed.paid);
            settlement.claims = settlement.claims.saturating_add(1);
            settlement.credited = settlement.credited.saturating_add(credit.credit);
            let counted = pay::credit_at_rate(&credit, settlement.rate_q32).credit;
            let counted = u64::try_from(counted).unwrap_or(0);
            settlement.most_credits = settlement.most_credits.saturating_sub(counted);
            let purse = &mut task.purse;
            purse.reserved = purse
                .reserved
                .checked_sub(claimed.paid)
                .ok_or(Error::<T>::Overflow)?;
            purse.claimed = purse.claimed.saturating_add(claimed.paid);
        }
        if claimed.paid > 0 {
            Asset::<T>::pay(HoldReason::Pool, &task.sponsor, who, claimed.paid)?;
        }
        account.paid = account.paid.saturating_add(claimed.paid);
        account.next = submission.next;
        submission.claimed = Some(claimed);
        Credits::<T>::forget(item.task, item.round, who);
        Submissions::<T>::put(item.task, item.round, who, &submission);
        Ledgers::<T>::put(item.task, who, &account);
        Pallet::<T>::deposit_event(Event::Claimed {
            task: item.task,
            round: item.round,
            who: who.clone(),
            claimed,
        });
        let surplus = Self::surplus(&task, &round);
        Self::release(item.task, &mut task, item.round, &mut round, surplus)
    }

    /// Gives up the credit of `who` in the next round that it has to claim, and empties its ledger. It is a newcomer again, and
    /// keeps what it was paid.
    pub(crate) fn forfeit(who: &T::AccountId, id: TaskId, round_id: RoundId) -> DispatchResult {
        let Claimable {
            mut task,
            mut round,
            mut submission,
            mut account,
            ..
        } = Self::claimable(who, id, round_id)?;
        ensure!(round.merged().is_some(), Error::<T>::NothingToForfeit);
        if let Some(settlement) = round.settlement.as_mut() {
            settlement.claims = settlement.claims.saturating_add(1);
            settlement.forfeits = settlement.forfeits.saturating_add(1);
        }
        account.ledger = Ledger::default();
        account.forfeited = Some(round_id);
        account.next = submission.next;
        submission.claimed = Some(Claimed::default());
        Credits::<T>::forget(id, round_id, who);
        Submissions::<T>::put(id, round_id, who, &submission);
        Ledgers::<T>::put(id, who, &account);
        Pallet::<T>::deposit_event(Event::Forfeited {
            task: id,
            round: round_id,
            who: who.clone(),
        });
        let surplus = Self::surplus(&task, &round);
        Self::release(id, &mut task, round_id, &mut round, surplus)
    }

    /// What a claim or a forfeit by `who` is about, if the round is the next that it has to claim.
    fn claimable(
        who: &T::AccountId,
        id: TaskId,
        round_id: RoundId,
    ) -> Result<Claimable<T::AccountId>, Error<T>> {
        let task = Tasks::<T>::get(id)?;
        let nothing = || Error::<T>::NothingToClaim;
        let round = Rounds::<T>::get(id, round_id).ok_or_else(nothing)?;
        let submission = Submissions::<T>::get(id, round_id, who).ok_or_else(nothing)?;
        ensure!(submission.claimed.is_none(), Error::<T>::AlreadyClaimed);
        let revealed = submission.revealed.as_ref().ok_or_else(nothing)?;
        let delta_hash = revealed.record.delta_hash;
        ensure!(round.outcome.is_some(), nothing());
        let account = Ledgers::<T>::get(id, who);
        ensure!(account.next == Some(round_id), Error::<T>::NotNextClaim);
        Ok(Claimable {
            task,
            round,
            submission,
            account,
            delta_hash,
        })
    }

    /// Gives back what was not claimed in time.
    pub(crate) fn release_expired(id: TaskId, round_id: RoundId) -> DispatchResult {
        let mut task = Tasks::<T>::get(id)?;
        let nothing = || Error::<T>::NothingToRelease;
        let mut round = Rounds::<T>::get(id, round_id).ok_or_else(nothing)?;
        let settlement = round.settlement.as_ref().ok_or_else(nothing)?;
        let left = settlement.reserved();
        ensure!(left > 0, nothing());
        ensure!(now::<T>() >= settlement.expires_at, Error::<T>::NotExpired);
        Self::release(id, &mut task, round_id, &mut round, left)
    }

    /// The rounds that are over and that `who` still has to claim, in order; at most [`bounds::MAX_PAGE`] of them.
    pub(crate) fn unclaimed(id: TaskId, who: &T::AccountId) -> Vec<Unclaimed> {
        let Ok(task) = Tasks::<T>::get(id) else {
            return Vec::new();
        };
        let mut account = Ledgers::<T>::get(id, who);
        let (mut next, mut is_known) = (account.next, true);
        let unclaimed = core::iter::from_fn(|| {
            let round_id = next?;
            let round = Rounds::<T>::get(id, round_id).filter(|round| round.outcome.is_some())?;
            next = Submissions::<T>::get(id, round_id, who)?.next;
            let credit = Credits::<T>::known(id, round_id, &round, who).filter(|_| is_known);
            let claimed =
                credit.and_then(|credit| Self::credit(&mut account, &credit, &task, &round).ok());
            is_known = claimed.is_some();
            Some(Unclaimed {
                round: round_id,
                claimed,
                expires_at: round.settlement.map(|settlement| settlement.expires_at),
            })
        });
        unclaimed.take(bounds::MAX_PAGE as usize).collect()
    }

    /// Adds a credit to an account's ledger, and returns the result. Money that was released in the meantime is not paid.
    fn credit(
        account: &mut Account,
        credit: &Credit,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> Result<Claimed<Balance>, Error<T>> {
        let (proved, due) = ledgers::add::<T>(account, credit, task, round)?;
        let left = round.settlement.as_ref().map_or(0, Settlement::reserved);
        Ok(Claimed {
            credit: credit.credit,
            proved,
            paid: due.min(left),
        })
    }

    /// The credit of the delta of `who`, which `item` proves or somebody published; 0 in a round that merged nothing.
    fn proved(
        who: &T::AccountId,
        round: &Round<T::AccountId>,
        item: &ClaimItem,
        delta_hash: &Hash,
    ) -> Result<Credit, DispatchError> {
        match (round.merged(), &item.proof) {
            (None, Some(_)) => Err(Error::<T>::ProofInvalid.into()),
            (_, None) => {
                let known = Credits::<T>::known(item.task, item.round, round, who);
                known.ok_or_else(|| Error::<T>::ProofMissing.into())
            }
            (Some(settlement), Some(proof)) => {
                let proved = proof
                    .verify(&settlement.claim)
                    .map_err(|_| Error::<T>::ProofInvalid)?;
                ensure!(proved.delta_hash == *delta_hash, Error::<T>::ForeignRow);
                Ok(proved.credit)
            }
        }
    }

    /// The part of what is set aside for a round that can no longer be owed to anybody. Contributors who have not claimed may still
    /// prove all of the credit that is left, plus one planck through rounding.
    fn surplus(task: &Task<T::AccountId>, round: &Round<T::AccountId>) -> Balance {
        let Some(settlement) = &round.settlement else {
            return 0;
        };
        let waiting = round.reveals.saturating_sub(settlement.claims);
        let most = match waiting {
            0 => Some(0),
            _ => task.terms.contributor_pay(settlement.most_credits),
        };
        let owed = most.map(|most| most.saturating_add(waiting.into()));
        owed.map_or(0, |owed| settlement.reserved().saturating_sub(owed))
    }

    /// Stores task and round after `amount` of what is set aside has gone back to the budget, or to the sponsor of a closed task. A
    /// paused task resumes if its budget covers a round now.
    fn release(
        id: TaskId,
        task: &mut Task<T::AccountId>,
        round_id: RoundId,
        round: &mut Round<T::AccountId>,
        amount: Balance,
    ) -> DispatchResult {
        if let Some(settlement) = round.settlement.as_mut() {
            settlement.released = settlement.released.saturating_add(amount);
        }
        Rounds::<T>::put(id, round_id, round);
        if amount > 0 {
            Pallet::<T>::deposit_event(Event::Released {
                task: id,
                round: round_id,
                amount,
            });
        }
        Tasks::<T>::take_back(id, task, amount)
    }

    /// What a claim is worth, without the fee for work.
    fn price(task: &Task<T::AccountId>, reveals: u32, claim: &ShareClaim) -> Option<Price> {
        let terms = &task.terms;
        let Some(merged) = claim.merged else {
            return Some(Price::default());
        };
        let gain = u64::try_from(merged.gain).unwrap_or(0);
        let fees = terms.attester_pay(gain)?;
        let credits = terms.contributor_pay(merged.most_credits)?;
        // One planck more for each contributor, because each payment is rounded separately.
        let rounding = Balance::from(reveals);
        let pool = task.purse.pool.saturating_sub(task.work_pay());
        let cap = terms.cap_per_round.min(pool);
        let rate_q32 = pay::rate_q32(fees.checked_add(credits)?, cap.checked_sub(rounding)?);
        let most_credits = pay::at_rate(merged.most_credits.into(), rate_q32);
        let most_credits = u64::try_from(most_credits).ok()?;
        Some(Price {
            rate_q32,
            fees: pay::at_rate(fees, rate_q32),
            pot: terms.contributor_pay(most_credits)?.checked_add(rounding)?,
            most_credits,
        })
    }

    /// Splits `fees` evenly among the attesters who stand, to the last planck. Stakes do not count here, because the draw has
    /// already counted them. Returns what was paid. What cannot be paid stays in the budget.
    fn pay_fees(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        fees: Balance,
    ) -> Balance {
        let count = round.seats.iter().filter(|seat| seat.stands()).count() as u128;
        let mut paid = 0u128;
        let seats = round.seats.iter_mut().filter(|seat| seat.stands());
        for (seat, place) in seats.zip(0u128..) {
            let amount = pay::slice(fees, count, place, 1).unwrap_or_default();
            if amount == 0 {
                continue;
            }
            if Asset::<T>::pay(HoldReason::Pool, &task.sponsor, &seat.account, amount).is_err() {
                unexpected::<T>(UnexpectedKind::FeeUnpaid(id));
                continue;
            }
            seat.fee = amount;
            paid = paid.saturating_add(amount);
            Pallet::<T>::deposit_event(Event::FeePaid {
                task: id,
                round: task.round,
                who: seat.account.clone(),
                amount,
            });
        }
        paid
    }
}

/// A round that is over and that an account still has to claim.
pub(crate) struct Unclaimed {
    /// Which round of its task.
    pub round: RoundId,
    /// The result of a claim, if all earlier rounds are claimed first. None if the credit of this round or of an earlier one is not
    /// published.
    pub claimed: Option<Claimed<Balance>>,
    /// See [`Settlement::expires_at`].
    pub expires_at: Option<u32>,
}

impl Unclaimed {
    /// What it pays, as far as the chain knows.
    pub(crate) fn pays(&self) -> Balance {
        self.claimed.map_or(0, |claimed| claimed.paid)
    }
}

/// The round that an account has to claim next.
struct Claimable<AccountId> {
    task: Task<AccountId>,
    round: Round<AccountId>,
    submission: Submission,
    account: Account,
    delta_hash: Hash,
}

/// What a round owes.
struct Price {
    /// See [`Settlement::rate_q32`].
    rate_q32: u64,
    /// What attesters are paid.
    fees: Balance,
    /// The most that contributors may be paid.
    pot: Balance,
    /// See [`Settlement::most_credits`].
    most_credits: u64,
}

impl Default for Price {
    fn default() -> Self {
        Self {
            rate_q32: pay::WHOLE_Q32,
            fees: 0,
            pot: 0,
            most_credits: 0,
        }
    }
}
