//! `gotong task open`.

use super::{
    data::{ExamData, TaskData},
    file::{HoldOut, Root, TaskFile},
    limits::ChainLimits,
};
use crate::{
    chain::{Call, Moment},
    cli::{
        data_options::Data,
        delta_terms::DeltaTerms,
        means::{Force, Means, NO_ROLE},
        output::{Amount, Q8, SYMBOL},
        progress::{spinner, submit},
        Globals,
    },
    model::Model,
};
use anyhow::{ensure, Context};
use codec::Encode;
use gotong_protocol::{Hash, HoldOutTerms, TaskId};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong task open --dev Alice flowers/task.toml\n  gotong sponsor --dev Alice --task 0\n  \
                  gotong task open --dev Alice flowers/task.toml --budget 500 --attest-blocks 60\n  \
                  gotong task open --dev Alice --name clothes --model mlp:784,128,10 \\\n    \
                  --shards 10 --shard-samples 800 --price 1 --cap 500 --budget 5000\n  \
                  gotong task open --dev Alice --name drawn --hold-out drawn --pool-out drawn.pool \\\n    \
                  --samples 400 --rounds 50 --price 1 --cap 500 --budget 5000"
)]
pub struct Open {
    /// The task file, which `gotong task new` writes and `gotong task check` checks. Flags override what it says
    #[arg(value_name = "TASK.toml")]
    file: Option<PathBuf>,
    /// What users see, up to 32 bytes
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// The architecture: a TOML file, or `mlp:` followed by the width of every layer, inputs first [default: mlp:784,128,10]
    #[arg(long)]
    model: Option<Model>,
    /// First weights [default: random]
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "init_seed")]
    weights: Option<PathBuf>,
    /// Seed of random first weights [default: a random seed]
    #[arg(long)]
    init_seed: Option<u64>,
    /// How data becomes the bytes of a sample: a file that `gotong data split` wrote [default: that of the data set]
    #[arg(long, value_name = "FILE.toml", conflicts_with = "data")]
    recipe: Option<PathBuf>,
    /// The records of the exam, made by that recipe [default: the data set's exams]
    #[arg(long, value_name = "FILE.records", conflicts_with = "data")]
    exam: Option<PathBuf>,
    /// What becomes the exam: a part of this data set that nobody trains on
    #[command(flatten)]
    data: Data,
    /// Where the samples of a round come from [default: sealed]
    #[arg(long, value_enum)]
    hold_out: Option<HoldOut>,
    /// Sealed shards; each scores one round [default: 10]
    #[arg(long, conflicts_with = "pool_out")]
    shards: Option<u32>,
    /// Use the shards with this root, which `gotong data seal` made on this machine and printed
    #[arg(long, value_name = "ROOT", conflicts_with_all = ["exam", "shards", "shard_samples", "pool_out"])]
    sealed: Option<Root>,
    /// Samples that score a round: those of a shard, or drawn from the pool [default: 800]
    #[arg(long, visible_alias = "samples")]
    shard_samples: Option<u32>,
    /// Where to write the pool that samples are drawn from; share this file with everybody
    #[arg(long, value_name = "FILE", required_if_eq("hold_out", "drawn"))]
    pool_out: Option<PathBuf>,
    /// Highest number of rounds with drawn samples [default: 100]; with sealed samples, another name for --shards
    #[arg(long, conflicts_with = "shards")]
    rounds: Option<u32>,
    /// GTG for each millibit a sample by which a round lowers the loss [default: 1]
    #[arg(long)]
    price: Option<Amount>,
    /// The most GTG that one round pays [default: 500]
    #[arg(long)]
    cap: Option<Amount>,
    /// GTG put on hold to pay rounds
    // Its name before there were pools of samples.
    #[arg(long, alias = "pool", required_unless_present = "file")]
    budget: Option<Amount>,
    /// The attesters' share of what a round pays for its gain, in thousandths [default: 100]
    #[arg(long)]
    fee_permille: Option<u16>,
    /// GTG that attesters share for each 2^30 products that evaluating a round takes, even if it gains nothing [default: 0.001]
    #[arg(long)]
    work_fee: Option<Amount>,
    /// Blocks in which deltas are committed [default: 60]
    #[arg(long)]
    commit_blocks: Option<u32>,
    /// Blocks in which deltas are revealed, and the shard is published [default: 20]
    #[arg(long)]
    reveal_blocks: Option<u32>,
    /// Blocks of each of the two attestation phases [default: 30]
    #[arg(long)]
    attest_blocks: Option<u32>,
    /// Blocks in which attesters answer their audits and anybody can open a dispute [default: 20]
    #[arg(long)]
    challenge_blocks: Option<u32>,
    /// Attesters drawn for a round, at most 8 [default: 3]
    #[arg(long)]
    seats: Option<u8>,
    /// Matching claims that a round needs: at least two thirds of the seats [default: two thirds]
    #[arg(long)]
    quorum: Option<u8>,
    /// Stake in GTG above which a delta gains no more weight [default: 1000]
    #[arg(long)]
    weight_cap: Option<Amount>,
    /// Minimum stake of a contributor, in GTG [default: 100]
    #[arg(long)]
    minimum_contributor_stake: Option<Amount>,
    /// Minimum stake of an attester, in GTG [default: 100]
    #[arg(long)]
    minimum_attester_stake: Option<Amount>,
    /// How many standard errors a newcomer's delta has to be worth, 0.5 to 3 [default: 1]
    #[arg(long)]
    newcomer_floor: Option<Q8>,
    /// How many standard errors a proven account's delta has to be worth, 0 to 1 [default: 0]
    #[arg(long)]
    proven_floor: Option<Q8>,
    /// How many standard errors the chosen deltas have to gain to be merged, 0 to 2 [default: 0.5]
    #[arg(long)]
    gain_floor: Option<Q8>,
    /// How many standard errors are subtracted from credits before they are paid, 1 to 4 [default: 2]
    #[arg(long)]
    doubt: Option<Q8>,
    #[command(flatten)]
    deltas: DeltaTerms,
    /// Open the task even if its exam shares samples with another task of yours: whoever kept what that task published knows
    /// the answers
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    force: Force,
}

impl Open {
    /// The file, or a task with the usual values; flags override either.
    fn task(&self) -> anyhow::Result<TaskFile> {
        let mut task = match &self.file {
            Some(path) => TaskFile::read(path)?,
            None => TaskFile::new(
                self.name.clone().context("give --name")?,
                self.budget.context("give --budget")?,
            ),
        };
        fn set<T: Clone>(value: &mut T, flag: &Option<T>) {
            if let Some(flag) = flag {
                value.clone_from(flag);
            }
        }
        fn put<T: Clone>(value: &mut Option<T>, flag: &Option<T>) {
            if flag.is_some() {
                value.clone_from(flag);
            }
        }
        set(&mut task.name, &self.name);
        set(&mut task.budget, &self.budget);
        set(&mut task.model, &self.model);
        put(&mut task.recipe, &self.recipe);
        if self.weights.is_some() || self.init_seed.is_some() {
            task.weights.clone_from(&self.weights);
            task.init_seed = self.init_seed;
        }
        let exam = &mut task.exam;
        put(&mut exam.records, &self.exam);
        put(&mut exam.sealed, &self.sealed);
        set(&mut exam.hold_out, &self.hold_out);
        put(&mut exam.rounds, &self.shards.or(self.rounds));
        set(&mut exam.samples, &self.shard_samples);
        put(&mut exam.pool, &self.pool_out);
        let pay = &mut task.pay;
        set(&mut pay.price, &self.price);
        set(&mut pay.cap, &self.cap);
        set(&mut pay.fee_permille, &self.fee_permille);
        set(&mut pay.work_fee, &self.work_fee);
        let windows = &mut task.windows;
        set(&mut windows.commit, &self.commit_blocks);
        set(&mut windows.reveal, &self.reveal_blocks);
        set(&mut windows.attest, &self.attest_blocks);
        set(&mut windows.challenge, &self.challenge_blocks);
        set(&mut task.attesters.seats, &self.seats);
        put(&mut task.attesters.quorum, &self.quorum);
        let stakes = &mut task.stakes;
        set(&mut stakes.contributor, &self.minimum_contributor_stake);
        set(&mut stakes.attester, &self.minimum_attester_stake);
        set(&mut stakes.weight_cap, &self.weight_cap);
        let share = &mut task.share;
        set(&mut share.newcomer_floor, &self.newcomer_floor);
        set(&mut share.proven_floor, &self.proven_floor);
        set(&mut share.gain_floor, &self.gain_floor);
        set(&mut share.doubt, &self.doubt);
        task.deltas = self.deltas.or(&task.deltas);
        Ok(task)
    }
}

pub async fn run(args: Open, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let task = args.task()?;
    let graph = task.graph();
    let folder = globals.folder()?;
    let data = {
        let _shown = spinner(globals.output, "reading the exam");
        TaskData::read(&task, &args.data, &folder)?
    };
    let outline = task.terms(data.outline(&task)?, data.recipe.as_bytes())?;
    if !args.again {
        data.ensure_new(&task, &folder)?;
    }
    let now = client.best().await?;
    if let ExamData::Sealed(terms) = &data.exam {
        ensure_unused(terms.root(), &now).await?;
    }
    let most = ChainLimits::at(&now)?.check(&outline, graph)?;
    ensure!(
        task.budget.0 >= most,
        "a round takes up to {} {SYMBOL}, its cap and its work: give a --budget that covers at least one round",
        Amount(most)
    );
    let weights = task.first_weights()?.to_bytes();
    let means = Means::of(&signer.public_key().0, &now).await?;
    let task_bond = means.prices().task_bond;
    let on_hold = task.budget.0.saturating_add(task.bond(most, task_bond));
    args.force.check(&means.taking(NO_ROLE), on_hold)?;
    // It is on disk before the chain knows about it.
    let hold_out = {
        let _shown = spinner(globals.output, "making the exam");
        data.hold_out(&task, &folder)?
    };
    let terms = task.terms(hold_out, data.recipe.as_bytes())?;
    let recipe = data.recipe.as_bytes();
    let call = Call::open_task(&terms, &graph.encode(), &weights, recipe, task.budget.0);
    let receipt = submit(&client, &signer, &call, globals).await?;
    let id: TaskId = receipt.event("TaskOpened")?;
    // Only now, so that a failed attempt does not use up the exam.
    if let Err(error) = data.remember(&hold_out, &folder) {
        tracing::warn!(
            "this exam could not be recorded, so opening it again would not be noticed: {error:#}"
        );
    }
    let json = json!({
        "task": id.0,
        "block": receipt.block,
        "parameters": graph.parameters(),
        "hold_out_root": hex::encode(hold_out.root()),
        "recipe": hex::encode(terms.recipe),
        "pool_file": task.exam.pool,
    });
    let next = match (&hold_out, &task.exam.pool) {
        (HoldOutTerms::Drawn { .. }, Some(pool)) => format!(
            "publish {} where everybody can get it: whoever takes part needs it for `--pool-file`",
            pool.display()
        ),
        _ => format!(
            "run `gotong sponsor --task {id}` on this machine; the sealed shards are in {}",
            folder.path().display()
        ),
    };
    globals.output.print(json, || {
        format!(
            "task {id} is open: {} parameters, {} rounds of {} samples\nnext: {next}",
            graph.parameters(),
            hold_out.rounds(),
            hold_out.samples(),
        )
    });
    Ok(())
}

/// Makes sure that no task has shards with this root: it would publish the same samples.
async fn ensure_unused(root: &Hash, now: &Moment) -> anyhow::Result<()> {
    for id in now.tasks().await? {
        let view = now.task(id).await?;
        let has_them = view.is_some_and(|view| view.terms.hold_out.root() == root);
        ensure!(
            !has_them,
            "task {id} has these shards already and publishes them round by round: seal samples that were in no exam"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use std::fs;

    fn task(line: &str) -> TaskFile {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        match cli.command {
            Command::Task(super::super::Task::Open(open)) => open.task().unwrap(),
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn flags_alone_are_a_task() {
        let mut expected = TaskFile::new("a".into(), Amount(5_000_000_000_000));
        assert_eq!(task("gotong task open --name a --budget 5"), expected);
        expected.exam.rounds = Some(6);
        expected.exam.samples = 200;
        expected.init_seed = Some(1);
        expected.share.doubt = Q8(640);
        let line = "gotong task open --name a --budget 5 --shards 6 --samples 200 --init-seed 1 --doubt 2.5";
        assert_eq!(task(line), expected);
    }

    #[test]
    fn flags_take_the_place_of_what_a_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.toml");
        let text = "name = \"a\"\nbudget = 5\ninit-seed = 7\n[exam]\nrounds = 3\nsamples = 64\n[deltas]\nkib = 8";
        fs::write(&path, text).unwrap();
        let file = TaskFile::read(&path).unwrap();
        let line = format!("gotong task open {}", path.display());
        assert_eq!(task(&line), file);
        let mut expected = file;
        expected.budget = Amount(9_000_000_000_000);
        expected.exam.samples = 80;
        expected.deltas =
            task("gotong task open --name a --budget 1 --delta-kib 8 --outer-rate 2").deltas;
        let changed = task(&format!("{line} --budget 9 --samples 80 --outer-rate 2"));
        assert_eq!(changed, expected);
    }
}
