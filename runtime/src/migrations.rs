//! What an upgrade does to storage, before anything else in its first block.
//!
//! A migration looks at what it finds, and does nothing a second time: an upgrade may skip releases.

#![deny(missing_docs)]

#[cfg(any(test, feature = "next"))]
pub(crate) mod next;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use frame_support::{
    traits::{
        fungible::{Inspect, MutateHold},
        tokens::{Fortitude, Preservation},
        Get, InitializeMembers, OnRuntimeUpgrade,
    },
    weights::Weight,
    BoundedVec,
};
use pallet_session::{SessionInterface, SessionManager};
use sp_core::crypto::ByteArray;
use sp_runtime::SaturatedConversion;
use sp_staking::SessionIndex;

use crate::{
    authorities::{self, Authorities, Bond, Bonds, HoldReason},
    timing::WithoutStoredPace,
    AccountId, Babe, Balance, Balances, Council, Grandpa, Runtime, Session, SessionKeys,
};

/// All migrations, in the order in which they run.
pub type Migrations = (
    pallet_contribution::migrations::V8ToV9<Runtime>,
    StartSessions,
    WithoutStoredPace,
    OfNextRelease,
);

#[cfg(feature = "next")]
type OfNextRelease = next::LeaveOutDispute;
#[cfg(not(feature = "next"))]
type OfNextRelease = ();

/// From a fixed set of authorities, as spec 6 had, to sessions and a council.
///
/// - An authority becomes the account with the same public key as its BABE key, which earned its fees, with as much of a bond as it
///   can pay.
/// - The session has the number of the epoch that is under way: pallet-babe derives the session of a reported slot from it.
/// - The council consists of those accounts; it can replace itself.
pub struct StartSessions;

impl OnRuntimeUpgrade for StartSessions {
    fn on_runtime_upgrade() -> Weight {
        let database = <Runtime as frame_system::Config>::DbWeight::get();
        // Every genesis since then has them.
        if pallet_session::Validators::<Runtime>::exists() {
            return database.reads(1);
        }
        let owned = fixed_authorities();
        let accounts: Vec<_> = owned.iter().map(|(who, _)| who.clone()).collect();
        for (who, keys) in &owned {
            // Nobody pays for these keys, and nothing is given back for them.
            if let Err(error) = <Session as SessionInterface>::set_keys(who, keys.clone()) {
                log_failure("an authority has no keys", error);
            }
            hold_bond(who);
        }
        let listed: BoundedVec<_, <Runtime as authorities::Config>::MaxAuthorities> =
            BoundedVec::truncate_from(accounts.clone());
        Authorities::<Runtime>::put(listed);
        start_sessions(accounts.clone(), owned);
        if pallet_collective::Members::<Runtime>::get().is_empty() {
            Council::initialize_members(&accounts);
        }
        let count = accounts.len() as u64;
        database.reads_writes(30 + 10 * count, 30 + 10 * count)
    }

    #[cfg(feature = "try-runtime")]
    fn post_upgrade(_: Vec<u8>) -> Result<(), sp_runtime::TryRuntimeError> {
        use frame_support::ensure;
        let queued = Session::queued_keys();
        let babe: Vec<_> = Babe::authorities()
            .iter()
            .map(|(id, _)| id.clone())
            .collect();
        let queued: Vec<_> = queued.into_iter().map(|(_, keys)| keys.babe).collect();
        ensure!(queued == babe, "the next session has other authorities");
        Ok(())
    }
}

/// The authorities that BABE and GRANDPA have, each list in the order of the genesis.
fn fixed_authorities() -> Vec<(AccountId, SessionKeys)> {
    let babe = Babe::authorities();
    let grandpa = Grandpa::grandpa_authorities();
    let both = babe.iter().zip(grandpa);
    let owned = both.filter_map(|((babe, _), (grandpa, _))| {
        let account = AccountId::try_from(babe.as_slice()).ok()?;
        let babe = babe.clone();
        Some((account, SessionKeys { babe, grandpa }))
    });
    owned.collect()
}

fn hold_bond(who: &AccountId) {
    let bond: Balance = <Runtime as authorities::Config>::AuthorityBond::get();
    let free = Balances::reducible_balance(who, Preservation::Protect, Fortitude::Polite);
    if let Err(error) = Balances::hold(&HoldReason::AuthorityBond.into(), who, bond.min(free)) {
        log_failure("an authority has no bond", error);
    }
    Bonds::<Runtime>::insert(who, Bond::default());
}

/// Puts the current session and the next one where [`pallet_session`] and its history expect them.
fn start_sessions(accounts: Vec<AccountId>, owned: Vec<(AccountId, SessionKeys)>) {
    type Manager = <Runtime as pallet_session::Config>::SessionManager;
    let now: SessionIndex = Babe::epoch_index().saturated_into();
    // Their roots, with which keys are proved.
    Manager::new_session(now);
    Manager::new_session(now.saturating_add(1));
    pallet_session::CurrentIndex::<Runtime>::put(now);
    pallet_session::Validators::<Runtime>::put(accounts);
    pallet_session::QueuedKeys::<Runtime>::put(owned);
    Manager::start_session(now);
    let set = Grandpa::current_set_id();
    pallet_grandpa::SetIdSession::<Runtime>::insert(set, now);
}

fn log_failure(what: &str, error: sp_runtime::DispatchError) {
    log::error!(target: "runtime::migrations", "{what}: {error:?}");
}
