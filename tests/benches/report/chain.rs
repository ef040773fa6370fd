//! What a round costs the chain, from the runtime's weights and limits.

use anyhow::{Context, Result};
use frame_support::{dispatch::DispatchClass, weights::Weight};
use frame_system::limits::BlockWeights;
use gotong_protocol::bounds;
use gotong_runtime::{configs, Runtime};
use pallet_contribution::WeightInfo;
use serde_json::{json, Map, Value};

type Weights = <Runtime as pallet_contribution::Config>::WeightInfo;

/// Bytes of a delta of the demo's model at 10 %.
const DEMO_DELTA_BYTES: u32 = 8_800;
/// The most bytes that call, signature and extensions add to a delta.
const ENVELOPE_BYTES: u32 = 256;
/// Blocks of the demo's reveal window.
const REVEAL_BLOCKS: u64 = 20;

/// Reads everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    // The limits of a block depend on the chain's pace, which is in storage.
    sp_io::TestExternalities::default().execute_with(|| weights(report))
}

fn weights(report: &mut Map<String, Value>) -> Result<()> {
    let microseconds = |weight: Weight| weight.ref_time() as f64 / 1e6;
    for (call, weight) in [
        ("commit", Weights::commit()),
        ("reveal", Weights::reveal(DEMO_DELTA_BYTES)),
        ("reveal_64_kib", Weights::reveal(bounds::USUAL_DELTA_BYTES)),
        ("reveal_192_kib", Weights::reveal(bounds::MAX_DELTA_BYTES)),
        ("attestation_commit", Weights::commit_attestation()),
        ("attestation_reveal", Weights::reveal_attestation()),
        ("claim", Weights::claim(1)),
        ("settle", Weights::settle()),
    ] {
        report.insert(format!("weight_{call}_us"), json!(microseconds(weight)));
    }
    for (suffix, bytes) in [
        ("", DEMO_DELTA_BYTES),
        ("_64_kib", bounds::USUAL_DELTA_BYTES),
        ("_192_kib", bounds::MAX_DELTA_BYTES),
    ] {
        report.insert(
            format!("contributors_per_round{suffix}"),
            json!(contributors(bytes)?),
        );
    }
    Ok(())
}

/// How many reveals of `bytes` each fit the demo's reveal window, by weight and by length, but at
/// most as many as the pallet lets into a round.
fn contributors(bytes: u32) -> Result<u64> {
    let weights: BlockWeights = configs::RuntimeBlockWeights::get();
    let normal = weights.get(DispatchClass::Normal);
    let time = normal
        .max_total
        .context("normal calls have a limit")?
        .ref_time();
    let each = Weights::reveal(bytes)
        .saturating_add(normal.base_extrinsic)
        .ref_time();
    let length = *configs::RuntimeBlockLength::get()
        .max
        .get(DispatchClass::Normal);
    let per_block = (time / each).min(u64::from(length / (bytes + ENVELOPE_BYTES)));
    Ok((per_block * REVEAL_BLOCKS)
        .min((bounds::MAX_ROUND_DELTA_BYTES / bytes).into())
        .min(bounds::MAX_SUBMISSIONS.into()))
}
