//! What each account has proved in each task, and which rounds it still has to claim.
//!
//! Rounds are claimed in order, and none can be skipped: an account's reveals in a task form a list, in which each names the next.
//! An account that cannot or does not want to show its credit for a round forfeits it, and its ledger starts over. So nobody can
//! skip a negative credit for free, and no round blocks an account for ever.

use crate::{
    rounds::Round, submissions::Submissions, tasks::Task, Balance, Config, Error,
    Ledgers as LedgerMap,
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use gotong_protocol::{bounds, pay, Credit, Ledger, RoundId, TaskId};
use scale_info::TypeInfo;

/// What an account has proved in a task.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, Default, PartialEq, Eq, Debug)]
pub struct Account {
    /// The credits of the rounds that it has claimed, and what they prove.
    pub ledger: Ledger,
    /// What it was paid in total, in planck.
    pub paid: Balance,
    /// The last round whose credit it forfeited; its ledger covers the rounds after that.
    pub forfeited: Option<RoundId>,
    /// The first round in which it revealed and which it has not claimed.
    pub next: Option<RoundId>,
    /// The last round in which it revealed.
    pub last: RoundId,
}

impl Account {
    /// Whether a delta in `round` counts as that of a proven account: its credits are above doubt, and it has claimed all but the
    /// latest of the rounds that may have lowered them since then.
    pub fn is_proven(&self, round: RoundId, doubt_q8: u16) -> bool {
        let is_up_to_date = self
            .next
            .is_none_or(|next| round.0 <= next.0.saturating_add(bounds::CLAIM_ROUNDS));
        is_up_to_date && self.ledger.is_proven(doubt_q8)
    }
}

/// Owner of the ledgers.
pub struct Ledgers<T>(PhantomData<T>);

impl<T: Config> Ledgers<T> {
    /// The ledger of `who`; empty if it never revealed in the task.
    pub fn get(id: TaskId, who: &T::AccountId) -> Account {
        LedgerMap::<T>::get(id, who).unwrap_or_default()
    }

    pub(crate) fn put(id: TaskId, who: &T::AccountId, account: &Account) {
        LedgerMap::<T>::insert(id, who, account);
    }

    /// Adds a round in which `who` revealed to the end of the rounds that it has to claim.
    pub(crate) fn append(id: TaskId, round: RoundId, who: &T::AccountId) {
        let mut account = Self::get(id, who);
        if account.next.is_none() {
            account.next = Some(round);
        } else if let Some(mut last) = Submissions::<T>::get(id, account.last, who) {
            last.next = Some(round);
            Submissions::<T>::put(id, account.last, who, &last);
        }
        account.last = round;
        Self::put(id, who, &account);
    }
}

/// Adds a credit to an account's ledger; returns what it proves, and what that is worth.
pub(crate) fn add<T: Config>(
    account: &mut Account,
    credit: &Credit,
    task: &Task<T::AccountId>,
    round: &Round<T::AccountId>,
) -> Result<(u64, Balance), Error<T>> {
    let worth = |proved| (task.terms.contributor_pay(proved)).ok_or(Error::<T>::Overflow);
    let settlement = round.settlement.as_ref();
    let rate = settlement.map_or(pay::WHOLE_Q32, |settlement| settlement.rate_q32);
    let before = worth(account.ledger.proved)?;
    let counted = pay::credit_at_rate(credit, rate);
    let proved = account.ledger.add(&counted, task.terms.share.doubt_q8);
    let after = worth(account.ledger.proved)?;
    Ok((proved, after.saturating_sub(before)))
}
