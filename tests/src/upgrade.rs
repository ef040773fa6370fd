//! Upgrades a chain's runtime to that of a future release, as docs/nodes.md tells the council to do it.

use crate::{
    authorities::{as_root, block_hash, bytes},
    key, request_with,
};
use anyhow::{Context, Result};
use codec::Decode;
use gotong::chain::{body::Body, Call, Client, Inclusion, Receipt};
use serde_json::Value;
use subxt::ext::jsonrpsee::rpc_params;

/// The Wasm of the future release, at the pace of a development chain (see build.rs). Empty if the build skipped it.
pub const NEXT_WASM: &[u8] = match next_runtime::WASM_BINARY {
    Some(wasm) => wasm,
    None => &[],
};

/// `spec_version` of [`NEXT_WASM`].
pub fn next_spec_version() -> u32 {
    gotong_runtime::VERSION.spec_version + 1
}

/// Where `Referee.NextDispute` is, which the migration of [`NEXT_WASM`] changes: Twox128 of both names.
const NEXT_DISPUTE: &str = "0x65799dd95d07bbe40f4a0fbe24b14d520011a6795026675e96528ea32889deb8";

// It also contains where the file is, and what it was before it was packed.
#[allow(dead_code)]
mod next_runtime {
    include!(concat!(env!("OUT_DIR"), "/next_runtime.rs"));
}

/// Has the council authorize the upgrade to the code with this BLAKE2-256 hash. `council` are its members who approve.
pub async fn authorize(client: &Client, council: &[&str], hash: [u8; 32]) -> Result<()> {
    let call = Call::new("System", "authorize_upgrade", hash);
    as_root(client, council, &call).await
}

/// Has `name` apply the code that was authorized, and waits until that is final. The next block is the first of the new runtime.
pub async fn apply(client: &Client, name: &str, code: &[u8]) -> Result<Receipt> {
    let call = Call::new("System", "apply_authorized_upgrade", code);
    Ok(client
        .submit(&key(name), &call, Inclusion::Finalized)
        .await?)
}

/// `spec_version` of the runtime that will execute the block after a node's best one.
pub async fn spec_version(node: &str) -> Result<u32> {
    let version: Value = request_with(node, "state_getRuntimeVersion", rpc_params![]).await?;
    spec_version_in(&version)
}

/// The `spec_version` in a node's answer about its runtime's version.
pub fn spec_version_in(version: &Value) -> Result<u32> {
    let found = version["specVersion"].as_u64();
    Ok(u32::try_from(found.context("a version of the runtime")?)?)
}

/// The id of the next dispute, as it is stored in a node's block of this number.
pub async fn next_dispute(node: &str, block: u32) -> Result<u32> {
    let parameters = rpc_params![NEXT_DISPUTE, block_hash(node, block).await?];
    let stored: Option<String> = request_with(node, "state_getStorage", parameters).await?;
    match stored {
        Some(stored) => Ok(Decode::decode(&mut &bytes(&stored)?[..])?),
        None => Ok(0),
    }
}

/// Whether a node's present runtime has the same types for signed transactions as its block of this number.
pub async fn is_read_today(client: &Client, block: u32) -> Result<bool> {
    let url = client.url();
    let parameters = rpc_params![block_hash(url, block).await?];
    let found: Value = request_with(url, "chain_getBlock", parameters).await?;
    let extrinsics = found["block"]["extrinsics"].as_array();
    let extrinsics = extrinsics.context("a body")?.iter();
    let extrinsics = extrinsics.map(|one| bytes(one.as_str().context("bytes of a transaction")?));
    let extrinsics = extrinsics.collect::<Result<Vec<_>>>()?;
    let now = client.best().await?;
    Ok(Body::read(extrinsics, now.metadata())?.is_understood())
}
