//! The chains this node knows by name. Their genesis comes from the runtime's presets.

use gotong_runtime::{presets, SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL};
use sc_service::{ChainType, GenericChainSpec, Properties};
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};

/// The specification of a Gotong chain.
pub type ChainSpec = GenericChainSpec;

/// A development chain: one authority on one machine.
pub fn development() -> Result<ChainSpec, String> {
    from_preset(
        "Gotong Development",
        "gotong_dev",
        ChainType::Development,
        DEV_RUNTIME_PRESET,
    )
}

/// A local test network: three authorities with well-known keys.
pub fn local() -> Result<ChainSpec, String> {
    from_preset(
        "Gotong Local Testnet",
        "gotong_local",
        ChainType::Local,
        LOCAL_TESTNET_RUNTIME_PRESET,
    )
}

fn from_preset(
    name: &str,
    id: &str,
    chain_type: ChainType,
    preset: &str,
) -> Result<ChainSpec, String> {
    let wasm = presets::wasm(preset).ok_or("this node was built without the runtime's Wasm")?;
    // The native runtime gives the same configuration as the Wasm, without compiling the latter.
    let genesis = presets::genesis_config(preset).ok_or("the runtime has no such preset")?;
    let genesis = serde_json::to_value(genesis).map_err(|error| error.to_string())?;
    Ok(ChainSpec::builder(wasm, None)
        .with_name(name)
        .with_id(id)
        .with_chain_type(chain_type)
        .with_genesis_config(genesis)
        .with_properties(properties())
        .build())
}

/// What wallets need to show balances and addresses.
fn properties() -> Properties {
    Properties::from_iter([
        ("tokenSymbol".into(), TOKEN_SYMBOL.into()),
        ("tokenDecimals".into(), TOKEN_DECIMALS.into()),
        ("ss58Format".into(), SS58_PREFIX.into()),
    ])
}
