//! What accounts have earned in a task, over all its rounds.

use super::RoundReport;
use crate::{chain::Account, keys::address};
use gotong_protocol::Outcome;
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// What a contributor has earned in a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contributor {
    /// Who it is.
    pub account: Account,
    /// Rounds in which it revealed a delta.
    pub rounds: u32,
    /// Of these rounds, those that settled and that it has not claimed.
    pub unclaimed: u32,
    /// What it was credited, Q16 bits summed over the samples that pay.
    pub credit: i64,
    /// What it has proved, in the same unit.
    pub proved: u64,
    /// What it was paid, in planck.
    pub paid: u128,
}

/// What an attester has earned in a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attester {
    /// Who it is.
    pub account: Account,
    /// Rounds in which it had a seat.
    pub seats: u32,
    /// What it was paid, in planck.
    pub fees: u128,
}

/// All contributors, the best paid first.
pub fn contributors(rounds: &[RoundReport]) -> Vec<Contributor> {
    let mut all: BTreeMap<Account, Contributor> = BTreeMap::new();
    for round in rounds {
        let is_settled = round.view.outcome == Some(Outcome::Settled);
        let revealed = round.submissions.iter();
        for submission in revealed.filter(|submission| submission.revealed.is_some()) {
            let own = all.entry(submission.account).or_default();
            own.account = submission.account;
            own.rounds += 1;
            match submission.claimed {
                Some(claimed) => {
                    own.credit = own.credit.saturating_add(claimed.credit);
                    own.proved = own.proved.saturating_add(claimed.proved);
                    own.paid = own.paid.saturating_add(claimed.paid);
                }
                None => own.unclaimed += u32::from(is_settled),
            }
        }
    }
    let mut all: Vec<Contributor> = all.into_values().collect();
    all.sort_by_key(|own| std::cmp::Reverse(own.paid));
    all
}

/// All attesters, the best paid first.
pub fn attesters(rounds: &[RoundReport]) -> Vec<Attester> {
    let mut all: BTreeMap<Account, Attester> = BTreeMap::new();
    for seat in rounds.iter().flat_map(|round| &round.view.seats) {
        let own = all.entry(seat.account).or_default();
        own.account = seat.account;
        own.seats += 1;
        own.fees = own.fees.saturating_add(seat.fee);
    }
    let mut all: Vec<Attester> = all.into_values().collect();
    all.sort_by_key(|own| std::cmp::Reverse(own.fees));
    all
}

impl Contributor {
    /// The entry, for programs.
    pub fn json(&self) -> Value {
        json!({
            "account": address(&self.account),
            "rounds": self.rounds,
            "unclaimed": self.unclaimed,
            "credit_q16": self.credit.to_string(),
            "proved_q16": self.proved.to_string(),
            "paid": self.paid.to_string(),
        })
    }
}

impl Attester {
    /// The entry, for programs.
    pub fn json(&self) -> Value {
        json!({
            "account": address(&self.account),
            "seats": self.seats,
            "fees": self.fees.to_string(),
        })
    }
}
