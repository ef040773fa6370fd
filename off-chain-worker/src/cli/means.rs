//! What an account has to own to act in a role, and a check that it does not spend it by mistake.
//!
//! An account that cannot pay the fee of a reveal loses the deposit, and one that cannot put up a bond has to let a false table
//! stand.

use super::output::{tell, Amount, SYMBOL};
use crate::{
    chain::{Account, ChainError, Moment},
    run::FEES_TO_KEEP,
};
use anyhow::ensure;
use gotong_protocol::{view::StakeView, Roles};
use serde_json::{json, Value};

/// Planck to keep for fees.
const FEES: u128 = FEES_TO_KEEP;

/// The roles of an account that is not registered.
pub const NO_ROLE: Roles = Roles {
    contributor: false,
    attester: false,
};

/// What the chain asks for, in planck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// What every account keeps.
    pub existential_deposit: u128,
    /// Minimum stake of a contributor.
    pub contributor_stake: u128,
    /// Minimum stake of an attester.
    pub attester_stake: u128,
    /// The amount on hold from a commit to its reveal.
    pub commit_deposit: u128,
    /// The amount on hold for the first open dispute in a round.
    pub dispute_bond: u128,
    /// The amount on hold while a task is open; with shards, it is the cap of a round, if that is more.
    pub task_bond: u128,
}

impl Prices {
    /// The prices of the runtime at this moment.
    pub fn at(now: &Moment) -> Result<Self, ChainError> {
        Ok(Self {
            existential_deposit: now.amount("Balances", "ExistentialDeposit")?,
            contributor_stake: now.amount("Contribution", "MinContributorStake")?,
            attester_stake: now.amount("Contribution", "MinAttesterStake")?,
            commit_deposit: now.amount("Contribution", "CommitDeposit")?,
            dispute_bond: now.amount("Referee", "DisputeBond")?,
            task_bond: now.amount("Contribution", "TaskBond")?,
        })
    }

    /// What each role needs.
    pub fn needs(&self) -> [Needs; 4] {
        let needs = |role, own: &[(&'static str, u128)]| {
            let all = [
                ("fees", FEES),
                ("existential deposit", self.existential_deposit),
            ];
            Needs {
                role,
                parts: own.iter().copied().chain(all).collect(),
            }
        };
        let deposit = ("commit deposit", self.commit_deposit);
        let bond = ("dispute bond", self.dispute_bond);
        [
            needs("contributor", &[("stake", self.contributor_stake), deposit]),
            needs("attester", &[("stake", self.attester_stake), bond]),
            needs("sponsor", &[("task bond", self.task_bond)]),
            needs("watcher", &[bond]),
        ]
    }

    /// What these roles repeatedly put on hold for a while.
    fn at_times(&self, roles: Roles) -> u128 {
        let of = |is_so: bool, amount: u128| if is_so { amount } else { 0 };
        of(roles.contributor, self.commit_deposit)
            .saturating_add(of(roles.attester, self.dispute_bond))
    }

    /// What an account with something on hold should keep free, in these roles or in none.
    fn to_keep(self, roles: Roles) -> u128 {
        self.at_times(roles)
            .saturating_add(FEES)
            .saturating_add(self.existential_deposit)
    }
}

/// What one role needs at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Its name.
    pub role: &'static str,
    /// What it needs, and how much, in planck.
    pub parts: Vec<(&'static str, u128)>,
}

impl Needs {
    /// All of it, in planck.
    pub fn least(&self) -> u128 {
        let parts = self.parts.iter().map(|(_, amount)| *amount);
        parts.fold(0, u128::saturating_add)
    }

    /// The needs, for people.
    pub fn line(&self) -> String {
        let part = |(what, amount): &(&str, u128)| format!("{what} {}", Amount(*amount));
        let parts: Vec<_> = self.parts.iter().map(part).collect();
        let least = Amount(self.least());
        format!("needs at least {least} {SYMBOL}: {}", parts.join(", "))
    }

    /// The needs, for programs, in planck.
    pub fn json(&self) -> Value {
        let mut amounts = json!({ "least": self.least().to_string() });
        for (what, amount) in &self.parts {
            amounts[what.replace(' ', "_")] = amount.to_string().into();
        }
        amounts
    }
}

/// Money of an account, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// What it can spend, in planck.
    free: u128,
    /// What is on hold besides its stake: deposits, bonds, pools.
    held: u128,
    /// What it is registered for.
    roles: Roles,
    /// Whether something of it is on hold, so that getting it back costs fees.
    holds: bool,
    prices: Prices,
}

impl Means {
    /// What `account` has and needs at this moment.
    pub async fn of(account: &Account, now: &Moment) -> Result<Self, ChainError> {
        let balance = now.balance(account).await?;
        let stake = now.stake(account).await?;
        Ok(Self {
            free: balance.free,
            held: balance.reserved.saturating_sub(at_stake(stake.as_ref())),
            roles: stake.map_or(NO_ROLE, |stake| stake.roles),
            holds: balance.reserved > 0,
            prices: Prices::at(now)?,
        })
    }

    /// The same account once it has put something on hold, for roles besides its own or for [`NO_ROLE`].
    pub fn taking(self, roles: Roles) -> Self {
        Self {
            roles: Roles {
                contributor: self.roles.contributor || roles.contributor,
                attester: self.roles.attester || roles.attester,
            },
            holds: true,
            ..self
        }
    }

    /// What the chain asks of the account.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Whether something is on hold besides its stake, such as the deposit of a commit.
    pub fn has_deposits(&self) -> bool {
        self.held > 0
    }

    /// What it should keep free, in planck. Nothing if it has nothing on hold: the chain makes sure that it can exist.
    fn to_keep(self) -> u128 {
        match self.holds {
            true => self.prices.to_keep(self.roles),
            false => 0,
        }
    }

    /// How much it lacks, in planck. Deposits and bonds that are on hold now will come back.
    pub fn lack(&self) -> u128 {
        let coming = self.held.min(self.prices.at_times(self.roles));
        self.to_keep()
            .saturating_sub(self.free.saturating_add(coming))
    }

    /// Why it should not spend `amount`, if it should not.
    fn objection(&self, amount: u128) -> Option<String> {
        let left = self.free.saturating_sub(amount);
        let keep = self.to_keep();
        (left < keep).then(|| {
            format!(
                "of the {} {SYMBOL} that are free, this leaves {}, and the account should keep {} for fees, deposits and bonds",
                Amount(self.free),
                Amount(left),
                Amount(keep)
            )
        })
    }
}

fn at_stake(stake: Option<&StakeView>) -> u128 {
    stake.map_or(0, |stake| {
        let leaving = stake.unbonding.map_or(0, |(amount, _)| amount);
        stake.stake.saturating_add(leaving)
    })
}

/// The option to spend what the account should keep.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Force {
    /// Spend even the money that the account should keep for fees, deposits and bonds
    #[arg(long)]
    force: bool,
}

impl Force {
    /// Refuses to spend `amount` planck if the account should keep some of it; with `--force` it only warns.
    pub fn check(self, means: &Means, amount: u128) -> anyhow::Result<()> {
        if let Some(objection) = means.objection(amount) {
            ensure!(
                self.force,
                "{objection}: spend less, or add --force (`gotong doctor` shows what each role needs)"
            );
            tell(format_args!("warning: {objection}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::UNIT;

    const PRICES: Prices = Prices {
        existential_deposit: UNIT / 1000,
        contributor_stake: 10 * UNIT,
        attester_stake: 100 * UNIT,
        commit_deposit: 2 * UNIT,
        dispute_bond: 10 * UNIT,
        task_bond: 50 * UNIT,
    };

    /// An account with this much free balance, and something at stake for these roles.
    fn means(free: u128, roles: Roles) -> Means {
        Means {
            free,
            held: 0,
            roles,
            holds: true,
            prices: PRICES,
        }
    }

    #[test]
    fn each_role_needs_what_it_puts_up_and_fees() {
        let least = PRICES.needs().map(|needs| (needs.role, needs.least()));
        let rest = FEES + UNIT / 1000;
        let expected = [
            ("contributor", 12 * UNIT + rest),
            ("attester", 110 * UNIT + rest),
            ("sponsor", 50 * UNIT + rest),
            ("watcher", 10 * UNIT + rest),
        ];
        assert_eq!(least, expected);
    }

    #[test]
    fn what_a_role_needs_is_told_to_people_and_programs() {
        let [contributor, ..] = PRICES.needs();
        let line = "needs at least 13.001 GTG: stake 10, commit deposit 2, fees 1, existential deposit 0.001";
        assert_eq!(contributor.line(), line);
        let expected = json!({
            "least": "13001000000000",
            "stake": "10000000000000",
            "commit_deposit": "2000000000000",
            "fees": "1000000000000",
            "existential_deposit": "1000000000",
        });
        assert_eq!(contributor.json(), expected);
    }

    #[test]
    fn nobody_spends_what_its_roles_need() {
        let rest = FEES + UNIT / 1000;
        for (roles, keep) in [
            (NO_ROLE, rest),
            (Roles::CONTRIBUTOR, 2 * UNIT + rest),
            (Roles::ATTESTER, 10 * UNIT + rest),
            (Roles::BOTH, 12 * UNIT + rest),
        ] {
            let own = means(20 * UNIT, roles);
            let most = 20 * UNIT - keep;
            assert_eq!(own.objection(most), None, "{roles:?}");
            for amount in [most + 1, 20 * UNIT, 21 * UNIT, u128::MAX] {
                assert!(own.objection(amount).is_some(), "{roles:?}: {amount}");
            }
            let (refuse, warn) = (Force { force: false }, Force { force: true });
            assert!(refuse.check(&own, most).is_ok());
            assert!(refuse.check(&own, most + 1).is_err());
            assert!(warn.check(&own, most + 1).is_ok());
        }
    }

    #[test]
    fn who_takes_a_role_keeps_what_it_needs_too() {
        let newcomer = Means {
            holds: false,
            ..means(20 * UNIT, NO_ROLE)
        };
        assert_eq!(newcomer.objection(20 * UNIT), None);
        assert!(newcomer.taking(NO_ROLE).objection(20 * UNIT).is_some());
        let contributor = newcomer.taking(Roles::CONTRIBUTOR);
        assert_eq!(contributor, means(20 * UNIT, Roles::CONTRIBUTOR));
        let both = contributor.taking(Roles::ATTESTER);
        assert_eq!(both, means(20 * UNIT, Roles::BOTH));
    }

    #[test]
    fn a_deposit_on_hold_is_not_lacking() {
        let keep = PRICES.to_keep(Roles::CONTRIBUTOR);
        let own = means(keep - 2 * UNIT, Roles::CONTRIBUTOR);
        assert_eq!(own.lack(), 2 * UNIT);
        let committed = |held| Means { held, ..own };
        assert_eq!(committed(2 * UNIT).lack(), 0);
        // A pool on hold is not one of the deposits.
        let poor = Means {
            free: 0,
            ..committed(500 * UNIT)
        };
        assert_eq!(poor.lack(), keep - 2 * UNIT);
        assert_eq!(means(keep, Roles::CONTRIBUTOR).lack(), 0);
    }
}
