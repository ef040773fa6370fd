//! What a dispute takes: moves, bytes and the referee's time; and what it costs to be ready for one.

mod played;
mod referee;
mod round;
mod shapes;

use crate::worker::rounded;
use anyhow::{ensure, Context, Result};
use gotong_evaluation::FastCpu;
use gotong_scoring::{
    share::{
        trial::{Lie, Model, PartOf, Player},
        Stage,
    },
    trial::{backward, Side},
};
use gotong_tests::Network;
use played::Played;
use referee::Referee;
use round::Round;
use serde_json::{json, Map, Value};
use std::time::{Duration, Instant};

/// Images in a round of the demo.
const SAMPLES: u32 = 800;
/// Contributors of the demo.
const CONTRIBUTORS: u32 = 5;
/// How often every measurement is repeated; the median counts.
const REPEATS: usize = 15;

/// A weight of the demo's model, between its input and hidden unit [`UNIT`].
const POSITION: u32 = 50_000;
/// The hidden unit of the demo's model that this weight belongs to.
const UNIT: u32 = 63;

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let demo = Round::of_the_demo()?;
    demo.overhead("", report)?;
    Round::made_up(&[784, 1_024, 256, 10], SAMPLES, CONTRIBUTORS)?.overhead("_1m", report)?;
    let referee = Referee::new()?;
    disputes(&demo.honest()?, &referee, report)?;
    worst_answers(&referee, report)?;
    shapes::measure(report)?;
    check_shapes(report)?;
    tokio::runtime::Runtime::new()?.block_on(real_dispute(report))
}

/// Plays every kind of dispute about the demo's model.
fn disputes(honest: &Player, referee: &Referee, report: &mut Map<String, Value>) -> Result<()> {
    let mut all = Vec::new();
    for (name, lies) in lies(honest)? {
        let liar = liar(honest, &lies).context(name)?;
        let played = Played::of(liar, honest.clone(), referee).context(name)?;
        report.insert(format!("dispute_reveals_{name}"), json!(played.reveals));
        report.insert(format!("dispute_bytes_{name}"), json!(played.bytes));
        all.push(played);
    }
    let reveals = all.iter().map(|played| played.reveals).max();
    report.insert("dispute_reveals".into(), json!(reveals));
    let bytes = all.iter().map(|played| played.bytes).max();
    report.insert("dispute_bytes".into(), json!(bytes));
    let slowest = all.iter().map(|p| p.referee_ms).fold(0.0, f64::max);
    report.insert("referee_ms".into(), rounded(slowest));
    Ok(())
}

/// The first of these lies that changes a table, as a party that tells it.
fn liar(honest: &Player, lies: &[Lie]) -> Result<Player> {
    let told = |lie: &Lie| Player::lying(honest.clone(), &mut FastCpu, *lie);
    lies.iter()
        .find_map(told)
        .context("no such lie changes the table")
}

/// Lies about the demo's round that lead down every path of a dispute, with several of each kind to choose from.
fn lies(honest: &Player) -> Result<[(&'static str, Vec<Lie>); 6]> {
    let (stage, group, position) = (Stage::Pay, 0, POSITION);
    let facts = honest.facts();
    let (_, pass) = honest
        .summary()
        .pass_of(stage)
        .context("a company is merged")?;
    let entrant = (0..facts.entrants)
        .find(|entrant| pass.members.contains(*entrant))
        .context("the company has a member")?;
    let (of, by) = (Model::Merged, 500);
    let loss = Lie::Word {
        of: Side::Merged,
        sample: 400,
        op: 0,
        at: UNIT,
        by: 1 << 26,
        carries: true,
    };
    // Not every image has something at the input of this weight.
    let samples = facts.group(stage, group).context("the group is there")?;
    let backward = samples.into_iter().map(|sample| Lie::Backward {
        stage,
        group,
        position,
        word: backward::Lie {
            sample,
            stage: 0,
            at: UNIT.into(),
            by: 1 << 26,
            carries: true,
        },
    });
    let weight = Lie::Weight { of, position, by };
    let term = Lie::Term {
        of,
        position,
        entrant,
        by,
    };
    let of = PartOf {
        stage,
        entrant,
        group,
    };
    let part = Lie::Part { of, by: 1 << 16 };
    let gradient = Lie::Gradient {
        stage,
        group,
        position,
        by: 1 << 20,
    };
    Ok([
        ("loss", vec![loss]),
        ("weight", vec![weight]),
        ("term", vec![term]),
        ("part", vec![part]),
        ("gradient", vec![gradient]),
        ("backward", backward.collect()),
    ])
}

/// The answers that cost the referee most, whatever the model: as many samples, deltas, inputs and ops as are allowed.
fn worst_answers(referee: &Referee, report: &mut Map<String, Value>) -> Result<()> {
    let word = |op, at, by| Lie::Word {
        of: Side::Base,
        sample: 1,
        op,
        at,
        by,
        carries: true,
    };
    // The last bias.
    let term = Lie::Term {
        of: Model::Midpoint(0),
        position: 2_145,
        entrant: 0,
        by: 500,
    };
    // 255 ops. The word is what the loss gives back to the logit of the last class.
    let deep = Round::made_up(&[16; 86], 64, 2)?;
    let (stage, group) = (Stage::Pass(0), 0);
    let adjoint = Lie::Backward {
        stage,
        group,
        position: deep.parameters() - 1,
        word: backward::Lie {
            sample: deep.sample(stage, group)?,
            stage: 256,
            at: 15,
            by: 4_000,
            carries: true,
        },
    };
    for (name, round, lie) in [
        (
            "samples",
            Round::made_up(&[16, 2], 4_096, 2)?,
            word(2, 0, 1 << 16),
        ),
        ("deltas", Round::made_up(&[64, 32, 2], 64, 1_024)?, term),
        (
            "inputs",
            Round::made_up(&[16_383, 2], 64, 2)?,
            word(0, 7, 1 << 26),
        ),
        ("ops", deep, adjoint),
    ] {
        let honest = round.honest()?;
        let liar = liar(&honest, &[lie]).context(name)?;
        let played = Played::of(liar, honest, referee).context(name)?;
        report.insert(
            format!("referee_ms_most_{name}"),
            rounded(played.referee_ms),
        );
    }
    Ok(())
}

/// Checks the demo's disputes as they were played against those by construction: they have as many answers, and no more bytes.
fn check_shapes(report: &Map<String, Value>) -> Result<()> {
    for (lie, path) in [
        ("loss", "word"),
        ("term", "weight"),
        ("part", "part"),
        ("backward", "gradient"),
    ] {
        let number = |what: &str, of: &str| {
            let number = report.get(&format!("dispute_{what}_{of}"));
            number.and_then(Value::as_u64).context("it was measured")
        };
        let by_shape = format!("demo_by_shape_{path}");
        let reveals = [number("reveals", lie)?, number("reveals", &by_shape)?];
        let bytes = [number("bytes", lie)?, number("bytes", &by_shape)?];
        ensure!(
            reveals[0] == reveals[1] && bytes[0] <= bytes[1],
            "{lie}: {reveals:?} answers and {bytes:?} bytes, as played and by construction"
        );
    }
    Ok(())
}

/// Seconds from the opening of a dispute about the demo's model to its verdict, between real processes on a development chain.
async fn real_dispute(report: &mut Map<String, Value>) -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith", "Liar"]).await?;
    let size = "--model=mlp:784,128,10 --shards=1 --shard-samples=800";
    let task = network
        .open_task(size, &["One"], &["Judith", "Liar"])
        .await?;
    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={task}"))?,
        network.daemon("One", &format!("contribute --task={task} --steps=100"))?,
        network.daemon("Judith", "attest")?,
        network.daemon("Liar", "attest --lie=word")?,
    ];
    let limit = Duration::from_secs(240);
    network
        .until("a dispute", limit, async |moment| {
            Ok(moment.disputes(Some(task)).await?.pop())
        })
        .await?;
    let start = Instant::now();
    let verdict = network
        .until("its verdict", limit, async |moment| {
            Ok(moment.verdicts().await?.pop())
        })
        .await?;
    ensure!(verdict.verdict.convicts(), "{verdict:?}");
    let seconds = start.elapsed().as_secs_f64();
    report.insert("dispute_seconds".into(), rounded(seconds));
    let blocks = verdict.ended_at - verdict.opened_at;
    report.insert("dispute_blocks".into(), json!(blocks));
    Ok(())
}
