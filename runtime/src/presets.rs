//! The built-in genesis configurations.
//!
//! Both use the well-known development keys, whose secrets anybody knows, so they are only for development and tests. A public
//! chain starts from its own chain specification. [`wasm`] has the code that goes with each.

#![deny(missing_docs)]

use alloc::{vec, vec::Vec};
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

use crate::{
    AccountId, AuthoritiesConfig, BabeConfig, Balance, BalancesConfig, CouncilConfig,
    RuntimeGenesisConfig, SessionConfig, SessionKeys, SudoConfig, UNIT,
};

/// What each development account owns.
const ENDOWMENT: Balance = 10_000_000 * UNIT;

/// In a quarter of the slots the VRF elects one or more leaders; the others go to one authority in turn, so that no slot stays
/// empty. Both kinds carry a VRF output.
const BABE_EPOCH: BabeEpochConfiguration = BabeEpochConfiguration {
    c: (1, 4),
    allowed_slots: AllowedSlots::PrimaryAndSecondaryVRFSlots,
};

/// The genesis configuration of the preset called `id`, in full.
pub fn genesis_config(id: &str) -> Option<RuntimeGenesisConfig> {
    match id {
        DEV_RUNTIME_PRESET => Some(development()),
        LOCAL_TESTNET_RUNTIME_PRESET => Some(local_testnet()),
        _ => None,
    }
}

/// The Wasm of the preset called `id`; `None` if there is no such preset, or it was built without Wasm.
#[cfg(feature = "std")]
pub fn wasm(id: &str) -> Option<&'static [u8]> {
    match id {
        DEV_RUNTIME_PRESET => crate::fast::WASM_BINARY,
        LOCAL_TESTNET_RUNTIME_PRESET => crate::WASM_BINARY,
        _ => None,
    }
}

/// One authority, which is the council as well, at the pace [`Pace::FAST`](crate::pace::Pace::FAST).
fn development() -> RuntimeGenesisConfig {
    genesis(
        &[(Sr25519Keyring::Alice, Ed25519Keyring::Alice)],
        Some(Sr25519Keyring::Alice),
    )
}

/// Three authorities, which are the council as well, at the pace [`Pace::USUAL`](crate::pace::Pace::USUAL), and no account above
/// the rules: what a production chain looks like, with known keys.
fn local_testnet() -> RuntimeGenesisConfig {
    genesis(
        &[
            (Sr25519Keyring::Alice, Ed25519Keyring::Alice),
            (Sr25519Keyring::Bob, Ed25519Keyring::Bob),
            (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
        ],
        None,
    )
}

fn genesis(
    authorities: &[(Sr25519Keyring, Ed25519Keyring)],
    sudo: Option<Sr25519Keyring>,
) -> RuntimeGenesisConfig {
    let accounts: Vec<AccountId> = authorities
        .iter()
        .map(|(babe, _)| babe.to_account_id())
        .collect();
    let keys = authorities.iter().map(|(babe, grandpa)| SessionKeys {
        babe: babe.public().into(),
        grandpa: grandpa.public().into(),
    });
    RuntimeGenesisConfig {
        // BABE and GRANDPA are told their authorities by the session.
        babe: BabeConfig {
            epoch_config: BABE_EPOCH,
            ..Default::default()
        },
        session: SessionConfig {
            keys: accounts
                .iter()
                .zip(keys)
                .map(|(who, keys)| (who.clone(), who.clone(), keys))
                .collect(),
            ..Default::default()
        },
        authorities: AuthoritiesConfig {
            authorities: accounts.clone(),
        },
        council: CouncilConfig {
            members: accounts,
            ..Default::default()
        },
        balances: BalancesConfig {
            balances: Sr25519Keyring::iter()
                .map(|account| (account.to_account_id(), ENDOWMENT))
                .collect(),
            ..Default::default()
        },
        sudo: SudoConfig {
            key: sudo.map(|account| account.to_account_id()),
        },
        ..Default::default()
    }
}

/// The JSON of the preset called `id`.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    serde_json::to_vec(&genesis_config(id.as_ref())?).ok()
}

/// The names [`get_preset`] knows.
pub fn preset_names() -> Vec<PresetId> {
    vec![
        PresetId::from(DEV_RUNTIME_PRESET),
        PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authorities::{Authorities, HoldReason},
        configs::RuntimeBlockWeights,
        pace::Pace,
        Babe, Balances, Grandpa, Runtime, Session,
    };
    use frame_support::{
        genesis_builder_helper::build_state,
        traits::{fungible::InspectHold, Get},
        weights::constants::WEIGHT_REF_TIME_PER_MILLIS,
    };
    use sp_io::TestExternalities;

    fn state_of(preset: &str) -> TestExternalities {
        let json = get_preset(&preset.into()).expect("the preset exists");
        let mut state = TestExternalities::default();
        state
            .execute_with(|| build_state::<RuntimeGenesisConfig>(json))
            .expect("the genesis builds");
        state
    }

    #[test]
    fn every_preset_builds() {
        for preset in preset_names() {
            state_of(preset.as_ref());
        }
        assert_eq!(get_preset(&"no such preset".into()), None);
    }

    /// In a Wasm of its own, because this code can have only one pace.
    #[test]
    fn the_development_chain_has_a_pace_of_its_own() {
        let (fast, usual) = (wasm(DEV_RUNTIME_PRESET), wasm(LOCAL_TESTNET_RUNTIME_PRESET));
        assert!(fast.is_some() && usual.is_some());
        assert_ne!(fast, usual);
        assert_eq!(wasm("no such preset"), None);
    }

    #[test]
    fn the_chain_has_the_pace_of_its_code() {
        state_of(LOCAL_TESTNET_RUNTIME_PRESET).execute_with(|| {
            assert_eq!(Babe::slot_duration(), Pace::OWN.slot_millis);
            assert_eq!(
                <Runtime as pallet_babe::Config>::EpochDuration::get(),
                Pace::OWN.epoch_slots
            );
            assert_eq!(
                RuntimeBlockWeights::get().max_block.ref_time(),
                Pace::OWN.max_block_millis() * WEIGHT_REF_TIME_PER_MILLIS
            );
        });
        let longest = [Pace::USUAL, Pace::FAST].map(|pace| pace.max_block_millis());
        assert_eq!(longest, [2_000, 750]);
    }

    #[test]
    fn only_the_development_chain_has_a_sudo_key() {
        let sudo_of = |preset| state_of(preset).execute_with(pallet_sudo::Key::<Runtime>::get);
        assert_eq!(
            sudo_of(DEV_RUNTIME_PRESET),
            Some(Sr25519Keyring::Alice.to_account_id())
        );
        assert_eq!(sudo_of(LOCAL_TESTNET_RUNTIME_PRESET), None);
    }

    #[test]
    fn a_presets_authorities_have_keys_bonds_and_a_council() {
        for (preset, count) in [(DEV_RUNTIME_PRESET, 1), (LOCAL_TESTNET_RUNTIME_PRESET, 3)] {
            state_of(preset).execute_with(|| {
                let authorities = Authorities::<Runtime>::get();
                assert_eq!(authorities.len(), count);
                assert_eq!(Session::validators(), authorities.to_vec());
                assert_eq!(Babe::authorities().len(), count);
                assert_eq!(Grandpa::grandpa_authorities().len(), count);
                let bond = <Runtime as crate::authorities::Config>::AuthorityBond::get();
                for who in &authorities {
                    let reason = HoldReason::AuthorityBond.into();
                    assert_eq!(Balances::balance_on_hold(&reason, who), bond);
                }
                let mut council = authorities.to_vec();
                council.sort();
                assert_eq!(pallet_collective::Members::<Runtime>::get(), council);
                crate::Authorities::do_try_state().expect("the state is sound");
            });
        }
    }
}
