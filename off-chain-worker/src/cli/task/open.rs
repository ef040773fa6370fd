use crate::{
    chain::{Call, Inclusion},
    cli::{data::Data, output::Amount, Globals},
    run::Sealed,
    training::{
        data::{Labelled, Use},
        initial_weights, weights_file,
    },
};
use anyhow::{ensure, Context};
use codec::Encode;
use gotong_protocol::{
    bounds::{MAX_GRAPH_BYTES, MAX_SHARD_BYTES, MAX_WEIGHT_BYTES},
    Graph, Rules, TaskId, TaskName, TaskTerms, Windows,
};
use gotong_scoring::MasterWeights;
use rand::{rngs::StdRng, seq::SliceRandom, SeedableRng};
use serde_json::json;
use std::{path::PathBuf, str::FromStr};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong task open --dev Alice --name clothes --model mlp:784,128,10 \\\n    \
                  --shards 10 --shard-samples 800 --price 1 --cap 500 --pool 5000\n  \
                  gotong sponsor --dev Alice --task 0"
)]
pub struct Open {
    /// What users see, up to 32 bytes
    #[arg(long)]
    name: String,
    /// The architecture: mlp: and the width of every layer, inputs first
    #[arg(long, default_value = "mlp:784,128,10")]
    model: Model,
    /// First weights; random ones if not given
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "init_seed")]
    weights: Option<PathBuf>,
    /// Seed of random first weights
    #[arg(long, default_value_t = 0)]
    init_seed: u64,
    /// What becomes the sealed exam: a part of this data set that nobody trains on
    #[command(flatten)]
    data: Data,
    /// Sealed shards; each scores one round
    #[arg(long, default_value_t = 10)]
    shards: u32,
    /// Samples of a shard
    #[arg(long, default_value_t = 800)]
    shard_samples: u32,
    /// GTG for each millibit a sample by which a round lowers the loss
    #[arg(long, default_value = "1")]
    price: Amount,
    /// Most GTG that one round pays
    #[arg(long, default_value = "500")]
    cap: Amount,
    /// GTG put on hold to pay rounds
    #[arg(long)]
    pool: Amount,
    /// The attesters' part of what a round pays, in thousandths
    #[arg(long, default_value_t = 100)]
    fee_permille: u16,
    /// Blocks in which deltas are committed
    #[arg(long, default_value_t = 60)]
    commit_blocks: u32,
    /// Blocks in which deltas are revealed and the shard is published
    #[arg(long, default_value_t = 20)]
    reveal_blocks: u32,
    /// Blocks of each of the two attestation phases
    #[arg(long, default_value_t = 30)]
    attest_blocks: u32,
    /// Blocks in which attesters answer their audits, and anybody can open a dispute
    #[arg(long, default_value_t = 20)]
    challenge_blocks: u32,
    /// Attesters drawn for a round
    #[arg(long, default_value_t = 3)]
    seats: u8,
    /// Equal claims that a round needs
    #[arg(long, default_value_t = 2)]
    quorum: u8,
    /// GTG of stake above which a delta gains no weight
    #[arg(long, default_value = "1000")]
    weight_cap: Amount,
    /// Least GTG of a contributor's stake
    #[arg(long, default_value = "100")]
    minimum_contributor_stake: Amount,
    /// Least GTG of an attester's stake
    #[arg(long, default_value = "100")]
    minimum_attester_stake: Amount,
    /// A delta is admitted above so many standard errors, in 1/256
    #[arg(long, default_value_t = 256)]
    admit_floor_q8: u16,
    /// A round pays above so many standard errors, in 1/256
    #[arg(long, default_value_t = 512)]
    gain_floor_q8: u16,
    /// Width of the difference that measures a delta
    #[arg(long, default_value_t = 1)]
    central_difference: u8,
}

/// An architecture as written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model(Graph);

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let widths: Option<Vec<u32>> = text
            .strip_prefix("mlp:")
            .and_then(|widths| widths.split(',').map(|width| width.parse().ok()).collect());
        let widths = widths.filter(|widths| widths.len() >= 2);
        let widths = widths.ok_or("write mlp: and layer widths, such as mlp:784,128,10")?;
        let graph = Graph::mlp(&widths);
        graph.validate().map_err(|error| error.to_string())?;
        Ok(Self(graph))
    }
}

pub async fn run(args: Open, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let graph = &args.model.0;
    let weights = first_weights(&args)?;
    let exam = args.data.load(Use::Exam, graph)?;
    let shards = draw_shards(&args, &exam)?;
    let graph_bytes = graph.encode();
    ensure!(
        graph_bytes.len() <= MAX_GRAPH_BYTES as usize && weights.len() <= MAX_WEIGHT_BYTES as usize,
        "the model is too large for the chain: at most {MAX_WEIGHT_BYTES} bytes of weights"
    );
    // On disk before the chain knows of them: without them the bond is lost.
    let folder = globals.folder()?;
    let sealed = Sealed::create(&folder, graph.inputs as usize + 1, shards)?;
    let terms = terms(&args, sealed.root())?;
    let call = Call::open_task(&terms, &graph_bytes, &weights, args.pool.0);
    let receipt = client.submit(&signer, &call, Inclusion::Best).await?;
    let task: TaskId = receipt.event("TaskOpened")?;
    let json = json!({
        "task": task.0,
        "block": receipt.block,
        "parameters": graph.parameters(),
        "shards_root": hex::encode(terms.shards_root),
    });
    globals.output.print(json, || {
        format!(
            "task {task} is open: {} parameters, {} rounds of {} samples\n\
             next: `gotong sponsor --task {task}` on this machine; the sealed shards are in {}",
            graph.parameters(),
            terms.shards,
            terms.shard_samples,
            folder.path().display(),
        )
    });
    Ok(())
}

/// Two bytes a parameter, little endian.
fn first_weights(args: &Open) -> anyhow::Result<Vec<u8>> {
    let graph = &args.model.0;
    let weights = match &args.weights {
        Some(path) => {
            weights_file::read(path, graph).with_context(|| path.display().to_string())?
        }
        None => initial_weights(graph, args.init_seed),
    };
    Ok(MasterWeights::new(weights)?.to_bytes())
}

/// Disjoint shards of the first samples in random order, so that nobody can tell which sample is in
/// which shard.
fn draw_shards(args: &Open, exam: &Labelled) -> anyhow::Result<Vec<Vec<u8>>> {
    let record_bytes = exam.inputs + 1;
    let shard_bytes = args.shard_samples as usize * record_bytes;
    ensure!(
        shard_bytes <= MAX_SHARD_BYTES as usize,
        "a shard of {} samples is {shard_bytes} bytes, and the chain takes {MAX_SHARD_BYTES}",
        args.shard_samples
    );
    let needed = args.shards as usize * args.shard_samples as usize;
    ensure!(
        needed <= exam.len(),
        "{needed} samples are asked for, and there are {} for exams",
        exam.len()
    );
    let records = exam.records();
    let mut records: Vec<&[u8]> = records.chunks_exact(record_bytes).take(needed).collect();
    records.shuffle(&mut StdRng::from_os_rng());
    let shards = records.chunks(args.shard_samples.max(1) as usize);
    Ok(shards.map(<[_]>::concat).collect())
}

fn terms(args: &Open, shards_root: [u8; 32]) -> anyhow::Result<TaskTerms> {
    Ok(TaskTerms {
        name: TaskName::new(&args.name).context("a name has 1 to 32 bytes")?,
        price_per_millibit: args.price.0,
        cap_per_round: args.cap.0,
        attester_fee_permille: args.fee_permille,
        windows: Windows {
            commit_blocks: args.commit_blocks,
            reveal_blocks: args.reveal_blocks,
            attest_blocks: args.attest_blocks,
            challenge_blocks: args.challenge_blocks,
        },
        seats: args.seats,
        quorum: args.quorum,
        minimum_contributor_stake: args.minimum_contributor_stake.0,
        minimum_attester_stake: args.minimum_attester_stake.0,
        weight_cap: args.weight_cap.0,
        rules: Rules {
            admit_floor_q8: args.admit_floor_q8,
            gain_floor_q8: args.gain_floor_q8,
            central_difference: args.central_difference,
        },
        shards_root,
        shards: args.shards,
        shard_samples: args.shard_samples,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_layer_widths() {
        let model: Model = "mlp:784,128,10".parse().unwrap();
        assert_eq!(model.0, Graph::mlp(&[784, 128, 10]));
        assert_eq!(model.0.parameters(), 784 * 128 + 128 + 1280 + 10);
        for wrong in [
            "",
            "mlp:",
            "mlp:784",
            "mlp:784,x",
            "cnn:1,2",
            "mlp:784,128,1",
        ] {
            assert!(wrong.parse::<Model>().is_err(), "{wrong}");
        }
    }
}
