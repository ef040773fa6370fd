//! `gotong task open`.

use crate::{
    chain::{Call, Inclusion},
    cli::{
        data::Data,
        delta_terms::DeltaTerms,
        means::{Force, Means, Prices, NO_ROLE},
        output::{q8, Amount, SYMBOL},
        weights, Globals,
    },
    model::Model,
    run::Sealed,
    training::{
        data::{Labelled, Use},
        initial_weights,
    },
};
use anyhow::{ensure, Context};
use codec::Encode;
use gotong_protocol::{
    bounds::{
        MAX_GRAPH_BYTES, MAX_POOL_RECORDS, MAX_RECIPE_BYTES, MAX_SHARD_BYTES, MAX_SHARD_SAMPLES,
        MAX_WEIGHT_BYTES, MIN_RECORDS_PER_SAMPLE, MIN_SAMPLES,
    },
    HoldOutTerms, ShareTerms, TaskId, TaskName, TaskTerms, Windows,
};
use gotong_scoring::{pool_tree, MasterWeights};
use rand::{rngs::StdRng, seq::SliceRandom, Rng, SeedableRng};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong task open --dev Alice --name clothes --model mlp:784,128,10 \\\n    \
                  --shards 10 --shard-samples 800 --price 1 --cap 500 --budget 5000\n  \
                  gotong sponsor --dev Alice --task 0\n  \
                  gotong task open --dev Alice --name drawn --hold-out drawn --pool-out drawn.pool \\\n    \
                  --samples 400 --rounds 50 --price 1 --cap 500 --budget 5000"
)]
pub struct Open {
    /// What users see, up to 32 bytes
    #[arg(long)]
    name: String,
    /// The architecture: a TOML file, or mlp: and the width of every layer, inputs first
    #[arg(long, default_value = "mlp:784,128,10")]
    model: Model,
    /// First weights; random ones if not given
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "init_seed")]
    weights: Option<PathBuf>,
    /// The recipe: a text of up to 64 KiB that says how data becomes the bytes of a sample. It is published with the task
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Seed of random first weights [default: drawn by the system]
    #[arg(long)]
    init_seed: Option<u64>,
    /// What becomes the exam: a part of this data set that nobody trains on
    #[command(flatten)]
    data: Data,
    /// Where the samples of a round come from
    #[arg(long, value_enum, default_value = "sealed")]
    hold_out: HoldOut,
    /// Sealed shards; each scores one round
    #[arg(long, default_value_t = 10, conflicts_with = "pool_out")]
    shards: u32,
    /// Samples that score a round: of a shard, or drawn from the pool
    #[arg(long, visible_alias = "samples", default_value_t = 800)]
    shard_samples: u32,
    /// Where to write the pool that samples are drawn from: give this file to everybody
    #[arg(long, value_name = "FILE", required_if_eq("hold_out", "drawn"))]
    pool_out: Option<PathBuf>,
    /// Most rounds whose samples are drawn
    #[arg(long, default_value_t = 100, requires = "pool_out")]
    rounds: u32,
    /// GTG for each millibit a sample by which a round lowers the loss
    #[arg(long, default_value = "1")]
    price: Amount,
    /// Most GTG that one round pays
    #[arg(long, default_value = "500")]
    cap: Amount,
    /// GTG put on hold to pay rounds
    // Its name before there were pools of samples.
    #[arg(long, alias = "pool")]
    budget: Amount,
    /// The attesters' part of what a round pays for its gain, in thousandths
    #[arg(long, default_value_t = 100)]
    fee_permille: u16,
    /// GTG that attesters share for each 2^30 products of evaluating a round, also of one that gains nothing
    #[arg(long, default_value = "0.001")]
    work_fee: Amount,
    /// Blocks in which deltas are committed
    #[arg(long, default_value_t = 60)]
    commit_blocks: u32,
    /// Blocks in which deltas are revealed, and the shard is published
    #[arg(long, default_value_t = 20)]
    reveal_blocks: u32,
    /// Blocks of each of the two attestation phases
    #[arg(long, default_value_t = 30)]
    attest_blocks: u32,
    /// Blocks in which attesters answer their audits, and anybody can open a dispute
    #[arg(long, default_value_t = 20)]
    challenge_blocks: u32,
    /// Attesters drawn for a round, at most 8
    #[arg(long, default_value_t = 3)]
    seats: u8,
    /// Equal claims that a round needs: two thirds of the seats or more; by
    /// default two thirds
    #[arg(long)]
    quorum: Option<u8>,
    /// GTG of stake above which a delta gains no weight
    #[arg(long, default_value = "1000")]
    weight_cap: Amount,
    /// Least GTG of a contributor's stake
    #[arg(long, default_value = "100")]
    minimum_contributor_stake: Amount,
    /// Least GTG of an attester's stake
    #[arg(long, default_value = "100")]
    minimum_attester_stake: Amount,
    /// A newcomer's delta has to be worth so many standard errors, 0.5 to 3
    #[arg(long, default_value = "1", value_parser = standard_errors)]
    newcomer_floor: u16,
    /// So has that of an account that has proved something, 0 to 1
    #[arg(long, default_value = "0", value_parser = standard_errors)]
    proven_floor: u16,
    /// What is chosen is merged if it gains so many standard errors, 0 to 2
    #[arg(long, default_value = "0.5", value_parser = standard_errors)]
    gain_floor: u16,
    /// Credits are paid that are above so many standard errors, 1 to 4
    #[arg(long, default_value = "2", value_parser = standard_errors)]
    doubt: u16,
    #[command(flatten)]
    deltas: DeltaTerms,
    #[command(flatten)]
    force: Force,
}

/// Where the samples of a round come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum HoldOut {
    /// Shards that only you know until they are published, which `gotong sponsor` does
    Sealed,
    /// A public pool, of which chance draws them once a round's deltas are revealed
    Drawn,
}

pub async fn run(args: Open, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let graph = &args.model.0;
    ensure!(
        args.hold_out == HoldOut::Drawn || args.pool_out.is_none(),
        "--pool-out is for samples that are drawn: add --hold-out drawn"
    );
    let samples = args.shard_samples;
    ensure!(
        samples.is_multiple_of(2) && (MIN_SAMPLES..=MAX_SHARD_SAMPLES).contains(&samples),
        "half of a round's samples choose and half pay: give --samples an even number from {MIN_SAMPLES} to \
         {MAX_SHARD_SAMPLES}, and not {samples}"
    );
    let share = share_terms(&args)?;
    let weights = first_weights(&args)?;
    let recipe = recipe(args.recipe.as_deref())?;
    let exam = args.data.load(Use::Exam, graph)?;
    let graph_bytes = graph.encode();
    ensure!(
        graph_bytes.len() <= MAX_GRAPH_BYTES as usize,
        "the model has {} ops in {} bytes, and the chain takes {MAX_GRAPH_BYTES}: choose fewer layers",
        graph.ops.len(),
        graph_bytes.len()
    );
    ensure!(
        weights.len() <= MAX_WEIGHT_BYTES as usize,
        "the model has {} parameters, and the chain takes {}: choose a smaller one",
        graph.parameters(),
        MAX_WEIGHT_BYTES / 2
    );
    let now = client.best().await?;
    let means = Means::of(&signer.public_key().0, &now).await?;
    let most = most_per_round(&args, share)?;
    ensure!(
        args.budget.0 >= most,
        "a round takes up to {} {SYMBOL}, its cap and its work: give a --budget that covers one",
        Amount(most)
    );
    let on_hold = args
        .budget
        .0
        .saturating_add(bond(&args, most, means.prices()));
    args.force.check(&means.taking(NO_ROLE), on_hold)?;
    // On disk before the chain knows of it.
    let (hold_out, next) = match args.hold_out {
        HoldOut::Sealed => seal(&args, &exam, globals)?,
        HoldOut::Drawn => write_pool(&args, &exam)?,
    };
    let terms = terms(&args, share, hold_out)?.with_recipe(recipe.as_bytes());
    // How short or long a window may be only the chain knows.
    terms
        .validate(graph.inputs.saturating_add(1), 0, u32::MAX)
        .context("the chain would refuse these terms")?;
    let recipe = recipe.as_bytes();
    let call = Call::open_task(&terms, &graph_bytes, &weights, recipe, args.budget.0);
    let receipt = client.submit(&signer, &call, Inclusion::Best).await?;
    let task: TaskId = receipt.event("TaskOpened")?;
    let json = json!({
        "task": task.0,
        "block": receipt.block,
        "parameters": graph.parameters(),
        "hold_out_root": hex::encode(hold_out.root()),
        "pool_file": args.pool_out,
    });
    globals.output.print(json, || {
        format!(
            "task {task} is open: {} parameters, {} rounds of {} samples\nnext: {}",
            graph.parameters(),
            hold_out.rounds(),
            hold_out.samples(),
            next.replace("TASK", &task.to_string()),
        )
    });
    Ok(())
}

/// What goes on hold besides the budget, in planck: not to publish a shard must not be cheaper than to pay for a round.
fn bond(args: &Open, most_per_round: u128, prices: &Prices) -> u128 {
    match args.hold_out {
        HoldOut::Sealed => prices.task_bond.max(most_per_round),
        HoldOut::Drawn => prices.task_bond,
    }
}

/// The most that a round takes from the budget, in planck. It does not depend on the records that score it.
fn most_per_round(args: &Open, share: ShareTerms) -> anyhow::Result<u128> {
    let hold_out = HoldOutTerms::Sealed {
        root: Default::default(),
        shards: args.shards,
        samples: args.shard_samples,
    };
    let most = terms(args, share, hold_out)?.most_per_round(args.model.0.cost());
    most.context(
        "attesters would be paid more for the work of a round than its --cap: lower --work-fee",
    )
}

/// Two bytes a parameter, little endian.
fn first_weights(args: &Open) -> anyhow::Result<Vec<u8>> {
    let graph = &args.model.0;
    let weights = match &args.weights {
        Some(path) => weights::read(path, graph)?,
        None => {
            // Whoever knew them before the task is open could train for its first round already.
            let drawn = || StdRng::from_os_rng().random();
            initial_weights(graph, args.init_seed.unwrap_or_else(drawn))
        }
    };
    Ok(MasterWeights::new(weights)?.to_bytes())
}

/// The text in the file; no text without one.
fn recipe(path: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = path else {
        return Ok(String::new());
    };
    let file = path.display();
    let recipe = std::fs::read_to_string(path).with_context(|| file.to_string())?;
    ensure!(
        (1..=MAX_RECIPE_BYTES as usize).contains(&recipe.len()),
        "{file}: a recipe has 1 to {MAX_RECIPE_BYTES} bytes, and this one has {}",
        recipe.len()
    );
    Ok(recipe)
}

/// Seals shards, and says what to do with them.
fn seal(args: &Open, exam: &Labelled, globals: &Globals) -> anyhow::Result<(HoldOutTerms, String)> {
    let folder = globals.folder()?;
    let sealed = Sealed::create(&folder, exam.inputs + 1, draw_shards(args, exam)?)?;
    let hold_out = HoldOutTerms::Sealed {
        root: sealed.root(),
        shards: args.shards,
        samples: args.shard_samples,
    };
    let next = format!(
        "`gotong sponsor --task TASK` on this machine; the sealed shards are in {}",
        folder.path().display()
    );
    Ok((hold_out, next))
}

/// Writes the pool, and says what to do with it.
fn write_pool(args: &Open, exam: &Labelled) -> anyhow::Result<(HoldOutTerms, String)> {
    let path = args.pool_out.as_ref().context("no file for the pool")?;
    let least = u64::from(args.shard_samples) * u64::from(MIN_RECORDS_PER_SAMPLE);
    let most = u64::from(MAX_POOL_RECORDS);
    ensure!(
        (least..=most).contains(&(exam.len() as u64)),
        "a pool has at least {MIN_RECORDS_PER_SAMPLE} records for each sample of a round and at most \
         {most}: {least} for {} samples, and there are {} for exams",
        args.shard_samples,
        exam.len()
    );
    let records = exam.records();
    let salt = StdRng::from_os_rng().random();
    let root = pool_tree(&salt, records.chunks_exact(exam.inputs + 1)).root();
    std::fs::write(path, &records).with_context(|| path.display().to_string())?;
    let hold_out = HoldOutTerms::Drawn {
        salt,
        root: root.hash,
        records: exam.len() as u32,
        samples: args.shard_samples,
        rounds: args.rounds,
    };
    let next = format!(
        "publish {} where everybody can get it: who takes part gives it by `--pool-file`",
        path.display()
    );
    Ok((hold_out, next))
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

fn terms(args: &Open, share: ShareTerms, hold_out: HoldOutTerms) -> anyhow::Result<TaskTerms> {
    Ok(TaskTerms {
        name: TaskName::new(&args.name).context("a name has 1 to 32 bytes")?,
        price_per_millibit: args.price.0,
        cap_per_round: args.cap.0,
        attester_fee_permille: args.fee_permille,
        work_fee: args.work_fee.0,
        windows: Windows {
            commit_blocks: args.commit_blocks,
            reveal_blocks: args.reveal_blocks,
            attest_blocks: args.attest_blocks,
            challenge_blocks: args.challenge_blocks,
        },
        seats: args.seats,
        quorum: (args.quorum).unwrap_or_else(|| TaskTerms::<u128>::least_quorum(args.seats)),
        minimum_contributor_stake: args.minimum_contributor_stake.0,
        minimum_attester_stake: args.minimum_attester_stake.0,
        weight_cap: args.weight_cap.0,
        delta_bytes: args.deltas.delta_bytes(&args.model.0),
        share,
        hold_out,
        recipe: [0; 32],
        recipe_bytes: 0,
    })
}

/// A number of standard errors, in 1/256, rounded down.
fn standard_errors(text: &str) -> Result<u16, String> {
    q8(text).ok_or_else(|| {
        format!("`{text}` is not a number of standard errors: write one such as 1.5")
    })
}

fn share_terms(args: &Open) -> anyhow::Result<ShareTerms> {
    let share = ShareTerms {
        newcomer_floor_q8: args.newcomer_floor,
        proven_floor_q8: args.proven_floor,
        gain_floor_q8: args.gain_floor,
        doubt_q8: args.doubt,
        outer_rate_q8: args.deltas.outer_rate_q8(&args.model.0),
    };
    ensure!(
        share.are_valid(),
        "a sponsor may choose --newcomer-floor from 0.5 to 3, --proven-floor from 0 to 1 and not above that, \
         --gain-floor from 0 to 2, --doubt from 1 to 4, and --outer-rate from 0.5 to 2"
    );
    Ok(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_read_as_it_is() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("recipe.toml");
        assert_eq!(recipe(None).unwrap(), "");
        assert!(recipe(Some(&path)).is_err());
        let longest = "#".repeat(64 << 10);
        std::fs::write(&path, &longest).unwrap();
        assert_eq!(recipe(Some(&path)).unwrap(), longest);
        let longer = longest + "#";
        for wrong in [&b""[..], longer.as_bytes(), &[0xff]] {
            std::fs::write(&path, wrong).unwrap();
            let refused = recipe(Some(&path)).unwrap_err();
            assert!(refused.to_string().contains("recipe.toml"), "{refused}");
        }
    }

    #[test]
    fn standard_errors_are_read_in_q8() {
        assert_eq!(standard_errors("1"), Ok(256));
        assert_eq!(standard_errors("0.5"), Ok(128));
        assert_eq!(standard_errors("2.25"), Ok(576));
        for wrong in ["", "-1", "1e2", "300", "x"] {
            assert!(standard_errors(wrong).is_err(), "{wrong}");
        }
    }
}
