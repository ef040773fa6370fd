//! All the money on a chain, read from its storage.

use anyhow::{ensure, Context, Result};
use codec::Decode;
use subxt::ext::jsonrpsee::{core::client::ClientT, rpc_params, ws_client::WsClientBuilder};

/// Where `System.Account` begins: Twox128 of both names.
const ACCOUNTS: &str = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";
/// Where `Balances.TotalIssuance` is.
const ISSUANCE: &str = "0xc2261276cc9d1f8598ea4b6a74b15c2f57c875e4cff74148e4628f264b974c80";
/// The most keys that a node gives at once.
const PAGE: usize = 1_000;

/// An account in storage: the nonce and three reference counts; then the free, held and frozen amounts, and flags.
type AccountInfo = ([u32; 4], [u128; 4]);

/// The money of a chain in one block, in planck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// What the chain says was issued and is not burned.
    pub issued: u128,
    /// What all accounts own together, free and on hold.
    pub owned: u128,
}

impl Money {
    /// Reads it at the best block of the node.
    ///
    /// # Errors
    /// Fails if the node cannot be reached, if there are a thousand accounts, or if storage looks different.
    pub async fn at(node: &str) -> Result<Self> {
        let client = WsClientBuilder::new().build(node).await?;
        let block: String = client
            .request("chain_getBlockHash", rpc_params![])
            .await
            .context("the best block's hash")?;
        let none: Option<String> = None;
        let keys: Vec<String> = client
            .request(
                "state_getKeysPaged",
                rpc_params![ACCOUNTS, PAGE, none, &block],
            )
            .await?;
        ensure!(keys.len() < PAGE, "more accounts than a test makes");
        let issued = stored(&client, ISSUANCE, &block).await?;
        let mut owned = 0;
        for key in keys {
            let (_, [free, on_hold, ..]): AccountInfo = stored(&client, &key, &block).await?;
            owned += free + on_hold;
        }
        Ok(Self { issued, owned })
    }

    /// The difference between the two; 0 if everything adds up.
    pub fn difference(self) -> u128 {
        self.issued.abs_diff(self.owned)
    }
}

/// What a block stores under a key.
async fn stored<T: Decode>(client: &impl ClientT, key: &str, block: &str) -> Result<T> {
    let value: String = client
        .request("state_getStorage", rpc_params![key, block])
        .await?;
    let bytes = hex::decode(value.trim_start_matches("0x"))?;
    Ok(T::decode(&mut &bytes[..])?)
}
