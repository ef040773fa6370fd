//! Nodes whose clocks are wrong. The slots of these chains last a second, so half a second here is three seconds on a chain with
//! slots of six.

use crate::{contribute, ROUND_LIMIT, SMALL};
use anyhow::{ensure, Context, Result};
use gotong_protocol::Outcome;
use gotong_tests::{
    assert_settled,
    authorities::{author, Authorities},
    connect, is_final, not_tested, turn_alone, until, Network, CHALLENGE,
};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// The library that makes a clock wrong.
const WRONG_CLOCK: &str = include_str!("../../src/clock.c");

/// Longest wait for blocks to be made, or to become final.
const LIMIT: Duration = Duration::from_secs(180);
/// Longest wait for a round in which some slots stay empty, and some blocks are dropped.
const SLOW_ROUND_LIMIT: Duration = ROUND_LIMIT.saturating_mul(3);
/// Blocks in which something is seen to go on.
const SOME: u32 = 5;

/// Compiles the library in `folder`, and returns where it is; `None` where that is not possible.
fn wrong_clock(folder: &Path) -> Result<Option<String>> {
    if !cfg!(target_os = "linux") {
        not_tested("only on Linux can a program be given a clock")?;
        return Ok(None);
    }
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, WRONG_CLOCK)?;
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        // Only in old C libraries is it separate.
        .arg("-ldl")
        .stdin(Stdio::null())
        .status();
    match compiled {
        Err(error) => {
            not_tested(&format!("no C compiler: {error}"))?;
            Ok(None)
        }
        Ok(status) => {
            ensure!(status.success(), "cc ended with {status}");
            Ok(Some(library.display().to_string()))
        }
    }
}

/// A network of four, in which the clocks of Charlie and Dave are ahead by `ahead_ms` milliseconds; `None` where that is not
/// possible.
async fn with_wrong_clocks(ahead_ms: [i32; 2]) -> Result<Option<Authorities>> {
    let folder = tempfile::tempdir()?;
    let Some(library) = wrong_clock(folder.path())? else {
        return Ok(None);
    };
    // Slots are short, so other networks would disturb this one.
    let mut all = Authorities::start_in(turn_alone().await, 4, 2).await?;
    for (name, ahead_ms) in ["charlie", "dave"].into_iter().zip(ahead_ms) {
        let (own, ahead_ms) = (format!("--{name}"), ahead_ms.to_string());
        let variables = [("LD_PRELOAD", &*library), ("CLOCK_AHEAD_MS", &*ahead_ms)];
        let node = all.join_with(name, &[own.as_str()], &variables).await?;
        all.others.push(node);
    }
    Ok(Some(all))
}

/// A contributor and an attester work on these nodes, and one of the first `rounds` of their task is paid.
async fn a_round_is_paid(network: &Network, nodes: [String; 2], rounds: u32) -> Result<()> {
    network.endow(&["Sponsor", "One", "Judith"]).await?;
    network.register(&["One"], &["Judith"]).await?;
    let task = network.open_with_long_windows(SMALL, 1, CHALLENGE).await?;
    let [ones, judiths] = nodes;
    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon_at(&ones, "One", &contribute(task, "1/1"))?,
        network.daemon_at(&judiths, "Judith", "attest")?,
    ];
    for number in 0..rounds {
        let round = network.ended(task, number, SLOW_ROUND_LIMIT).await?;
        if round.outcome == Some(Outcome::Settled) || number + 1 == rounds {
            assert_settled(&round)?;
            network.all_claimed(&round, SLOW_ROUND_LIMIT).await?;
            break;
        }
    }
    Ok(())
}

/// Within half a slot nobody loses anything, as docs/operators.md says: a block is accepted even if it is a slot early by the clock
/// of the node that gets it. The two wrong clocks differ by most of a slot.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_within_half_a_slot_cost_no_block_and_no_pay() -> Result<()> {
    let Some(mut all) = with_wrong_clocks([400, -400]).await? else {
        return Ok(());
    };
    let [bob, charlie, dave] = &mut all.others[..] else {
        anyhow::bail!("three others");
    };
    let height = connect(bob).await?.best().await?.block();
    for node in [&mut *charlie, &mut *dave] {
        is_final(&connect(node).await?, height + SOME, LIMIT).await?;
    }
    let network = &all.network;
    a_round_is_paid(network, [charlie.url(), dave.url()], 1).await?;
    // All four make blocks.
    let (url, mut authors) = (network.node.url(), BTreeSet::new());
    until(&network.client, "a block of each", LIMIT, async |now| {
        authors.insert(author(&url, now.hash()).await?);
        Ok((authors.len() == 4).then_some(()))
    })
    .await
}

/// The others refuse what Dave makes four slots early, and continue without it. He accepts their blocks, and serves his workers.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_ahead_stops_neither_finality_nor_pay() -> Result<()> {
    let Some(all) = with_wrong_clocks([0, 4_000]).await? else {
        return Ok(());
    };
    let network = &all.network;
    let own = all.others.last().context("Dave is there")?.url();
    let height = network.client.best().await?.block();
    is_final(&network.client, height + SOME, LIMIT).await?;
    // Calls that only he has reach the others late, so a round may miss its window.
    a_round_is_paid(network, [own.clone(), own], 3).await?;
    let height = network.client.best().await?.block();
    is_final(&network.client, height + SOME, LIMIT).await
}
