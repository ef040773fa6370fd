//! How much of a machine's memory a program takes.

use crate::ROUND_LIMIT;
use anyhow::{bail, ensure, Context, Result};
use gotong::{
    chain::{Call, Inclusion},
    model,
};
use gotong_protocol::{submission_commitment, Delta, Phase, RoundId, TaskId};
use gotong_scoring::{memory::residual_chain, Graph, Op, Width};
use gotong_tests::{assert_settled, key, Network};
use std::{fmt::Write, fs};

/// How much an attester's process may take, in kB of 1,000 bytes.
const MOST_KB: u64 = 200_000;
/// Threads that compute. Each holds a sample, so a process takes more on a machine with many threads.
const THREADS: usize = 4;
const ROUND: RoundId = RoundId(0);

/// A process once took 1.6 GB for such a graph, when it kept the output of every op. Without any round, a process with four threads
/// takes 140 to 160 MB for a moment, while its self-test runs, and then 60. So the peak is read twice: once for the start and,
/// counted anew from there, once for a round, which takes about 110 MB. Both have to stay below what was promised.
#[tokio::test(flavor = "multi_thread")]
async fn an_attester_takes_less_than_200_mb_for_246_residuals() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    network.register(&["One"], &[]).await?;
    network
        .run("Judith", "register --role=attester --stake=1000")
        .await?;
    let judith = network.daemon_of_threads(THREADS, "Judith", "attest")?;
    // It offers seats once it has passed its self-test.
    let account = key("Judith").public_key().0;
    network
        .until("the offer", ROUND_LIMIT, async |now| {
            Ok(now.offer(&account).await?)
        })
        .await?;
    let start = peak_kb(judith.id())?;
    count_anew(judith.id())?;

    let graph = residual_chain(|_| 1);
    let task = open(&network, &graph).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    contribute(&network, task, graph.parameters()).await?;
    let ended = network.ended(task, ROUND.0, ROUND_LIMIT).await?;
    assert_settled(&ended)?;
    let [seat] = &ended.seats[..] else {
        bail!("a seat: {:?}", ended.seats);
    };
    ensure!(seat.account == account && seat.audited, "{seat:?}");

    let round = peak_kb(judith.id())?;
    println!("an attester took {start} kB to start, and {round} kB for a round of 246 residuals");
    assert!(start < MOST_KB, "{start} kB to start");
    assert!(round < MOST_KB, "{round} kB for the round");
    Ok(())
}

/// Opens a task with this model, of numbers in ten classes.
async fn open(network: &Network, graph: &Graph) -> Result<TaskId> {
    let mut table = "number,class\n".to_owned();
    for row in 0..4_000u32 {
        let (class, parts) = (row % 10, row / 10 * 25);
        writeln!(table, "{class}.{parts:04},c{class}")?;
    }
    let folder = network.folder();
    let (data, file) = (folder.join("numbers.csv"), folder.join("residuals.toml"));
    fs::write(&data, table)?;
    fs::write(&file, toml(graph)?)?;
    ensure!(model::read(&file)? == *graph, "written down wrong");
    let out = folder.join("task");
    let (data, file, out) = (data.display(), file.display(), out.display());
    let make = format!("task new {data} --label=class --out={out}");
    network.run("Sponsor", &make).await?;
    let open = format!(
        "task open {out}/task.toml --model={file} --seats=1 --challenge-blocks=6 --init-seed=1"
    );
    let opened = network.run("Sponsor", &open).await?;
    let id = opened["task"].as_u64().context("`task open` names it")?;
    Ok(TaskId(u32::try_from(id)?))
}

/// Commits and reveals a change of one weight. It does not matter here what is scored.
async fn contribute(network: &Network, task: TaskId, parameters: usize) -> Result<()> {
    let (one, salt) = (key("One"), [7; 32]);
    let mut change = vec![0; parameters];
    change[3] = 700;
    let delta = Delta::compress(&change, 1000).encode();
    let (account, hash) = (one.public_key().0, Delta::hash_of(&delta));
    let commitment = submission_commitment(task, ROUND, &account, &hash, &salt);
    let commit = Call::commit(task, ROUND, commitment);
    let client = &network.client;
    client.submit(&one, &commit, Inclusion::Best).await?;
    network
        .until("Reveal", ROUND_LIMIT, async |now| {
            let round = now.round(task, ROUND).await?.context("it began")?;
            Ok((round.phase == Phase::Reveal).then_some(()))
        })
        .await?;
    let reveal = Call::reveal(task, ROUND, &delta, salt);
    client.submit(&one, &reveal, Inclusion::Best).await?;
    Ok(())
}

/// The graph as a file of the general form, as far as a chain of residuals needs it.
fn toml(graph: &Graph) -> Result<String> {
    let mut text = format!("kind = \"graph\"\ninputs = {}\n", graph.inputs);
    for op in &graph.ops {
        let keys = match op {
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => format!(
                "op = \"linear\"\ninputs = {inputs}\noutputs = {outputs}\nbias-shift = {bias_shift}"
            ),
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width: Width::Wide,
            } => format!(
                "op = \"requant\"\nshift-in = {shift_in}\nmultiplier = {multiplier}\nshift-out = {shift_out}\n\
                 width = \"wide\""
            ),
            Op::Residual { from } => format!("op = \"residual\"\nfrom = {from}"),
            Op::RmsNorm { width, unit_bits } => {
                format!("op = \"rms-norm\"\nwidth = {width}\nunit-bits = {unit_bits}")
            }
            Op::CrossEntropy { classes } => format!("op = \"cross-entropy\"\nclasses = {classes}"),
            other => bail!("{other:?} is in no chain of residuals"),
        };
        write!(text, "\n[[ops]]\n{keys}\n")?;
    }
    Ok(text)
}

/// The most memory that a process has had at one time since it started, or since the count was reset: `VmHWM` of `proc(5)`.
fn peak_kb(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.context("a peak")?.trim().strip_suffix(" kB");
    // Each of these kB has 1,024 bytes.
    Ok(peak.context("in kB")?.parse::<u64>()? * 1_024 / 1_000)
}

/// Resets a process's peak to what it has now.
fn count_anew(process: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{process}/clear_refs"), "5")?)
}
