//! Forks that come and go in every other slot, and a fork on which workers have worked and which is dropped.

use crate::{contribute, ROUND_LIMIT, SMALL};
use anyhow::{Context, Result};
use gotong::{
    chain::{Call, Inclusion},
    process::Node,
};
use gotong_protocol::RoundId;
use gotong_tests::{
    assert_settled, authorities::fast_local, connect, is_final, key, reaches, turn, Network, Turn,
    UNIT,
};
use serde_json::json;
use std::{fs, time::Duration};
use subxt::ext::futures::future::try_join_all;

/// Longest wait for a round on a single node, which makes no block in some slots.
const LIMIT: Duration = ROUND_LIMIT.saturating_mul(3);
/// Keys of a network, which authorities need. Any will do.
const LIGHT_KEY: &str =
    "--node-key=0000000000000000000000000000000000000000000000000000000000000001";
const HEAVY_KEY: &str =
    "--node-key=0000000000000000000000000000000000000000000000000000000000000002";

/// By how many blocks the fork that wins is longer.
const LEAD: u32 = 30;

/// Two authorities. BABE's best chain is the one with the most blocks of elected leaders. Each of the two is elected in two slots
/// out of three. So if each builds a fork alone, the fork that is longer by [`LEAD`] has more of those blocks, too. GRANDPA needs
/// both: apart, they finalize nothing.
fn specification() -> Result<String> {
    let mut spec = fast_local(2)?;
    spec["genesis"]["runtimeGenesis"]["config"]["babe"]["epochConfig"]["c"] = json!([9, 10]);
    Ok(spec.to_string())
}

/// The nodes of the two authorities. The first is the network's own, and the second knows where the first is.
async fn two_nodes(turn: Turn) -> Result<(Network, Node)> {
    let arguments = ["--alice", "--force-authoring", "--no-mdns", LIGHT_KEY];
    let network = Network::start_on(turn, &specification()?, &arguments).await?;
    let chain = format!("--chain={}", network.spec().display());
    let light = format!("--reserved-nodes={}", network.peer_address().await?);
    let arguments = [
        chain.as_str(),
        "--bob",
        "--force-authoring",
        "--no-mdns",
        HEAVY_KEY,
        &light,
    ];
    let heavy = network.stranger("heavy", &arguments)?;
    is_final(&network.client, 1, LIMIT).await?;
    Ok((network, heavy))
}

/// The accounts of [`calls_pass_while_forks_come_and_go`].
const SENDERS: [&str; 6] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"];
/// How many calls each of them makes, one after the other.
const CALLS: usize = 15;

/// In most slots, both authorities make a block, and one of the two is dropped, with the calls that the pool counted as done. While
/// the pool looks at it, a call that the best chain takes is stale, or the other way round. None of that is a sender's concern.
#[tokio::test(flavor = "multi_thread")]
async fn calls_pass_while_forks_come_and_go() -> Result<()> {
    let (network, _heavy) = two_nodes(turn().await).await?;
    let receiver = key("Receiver").public_key().0;
    let transfer = Call::transfer(receiver, UNIT);
    let senders = SENDERS.map(|name| {
        let (client, call) = (&network.client, &transfer);
        async move {
            for number in 0..CALLS {
                let sent = client.submit(&key(name), call, Inclusion::Best).await;
                sent.with_context(|| format!("call {number} of {name}"))?;
            }
            anyhow::Ok(())
        }
    });
    try_join_all(senders).await?;
    // A call of a block that is dropped gets into one of the next ones.
    let last = network.client.best().await?.block() + 5;
    is_final(&network.client, last, LIMIT).await?;
    let received = network.client.best().await?.balance(&receiver).await?.free;
    let calls = (SENDERS.len() * CALLS) as u128;
    assert_eq!(received, calls * UNIT, "each call was executed once");
    Ok(())
}

/// Two nodes have a task in common when they lose contact with each other. With the first node, the workers bring round 0 to its
/// end, claim it, and commit to round 1; with the second, nothing happens except blocks. Then the fork of the first one is dropped:
/// the round that was paid never happened, and the chain may still accept what was signed for it. The workers do everything again
/// with what they kept, and nobody loses stake or a deposit.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_honest_loses_what_a_dropped_fork_had() -> Result<()> {
    let (mut network, mut heavy) = two_nodes(turn().await).await?;
    // Both make blocks in many slots, so one of them is often dropped. Whatever follows waits until it is final.
    let settle = async || {
        let block = network.client.best().await?.block();
        // This waits for a few more, because a call from a block that is dropped gets into one of the next ones.
        is_final(&network.client, block + 3, LIMIT).await
    };
    network.endow(&["Sponsor", "One", "Judith"]).await?;
    network.register(&["One"], &["Judith"]).await?;
    settle().await?;
    let task = network.open_another(SMALL, 1).await?;
    settle().await?;

    // The first node refuses connections and looks for no peers, so each node builds a fork from now on.
    network.node.restart_with(&["--reserved-only"])?;
    network.client = connect(&mut network.node).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    let contributor = network.daemon("One", &contribute(task, "1/1"))?;
    let dropped = network.ended(task, 0, LIMIT).await?;
    assert_settled(&dropped)?;
    network.all_claimed(&dropped, LIMIT).await?;
    network
        .until("a commitment to a table of round 1", LIMIT, async |now| {
            let round = now.round(task, RoundId(1)).await?;
            Ok(round.filter(|round| round.seats.iter().any(|seat| seat.committed)))
        })
        .await?;

    // The other fork becomes the longer one, so that no worker waits for it to reach the height that the worker has already seen.
    let height = network.client.best().await?.block();
    network.node.kill();
    let on_heavy = connect(&mut heavy).await?;
    reaches(&on_heavy, height + LEAD, LIMIT).await?;
    network.crash_node().await?;
    network
        .until("the end of the fork", LIMIT, async |now| {
            let round = now.round(task, RoundId(0)).await?.context("it began")?;
            Ok(round.outcome.is_none().then_some(()))
        })
        .await?;

    let log = || -> Result<String> {
        let log = fs::read_to_string(contributor.log())?;
        let lines = log
            .lines()
            .filter(|line| !line.contains("cannot reach a node"));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    };
    for number in 0..2 {
        let round = network.ended(task, number, LIMIT).await?;
        assert_settled(&round).with_context(|| log().unwrap_or_default())?;
        assert_eq!((round.commits, round.reveals), (1, 1), "{}", log()?);
        network.all_claimed(&round, LIMIT).await?;
    }
    assert!(!log()?.contains("its deposit is lost"), "{}", log()?);
    let now = network.client.best().await?;
    for (name, expected) in [("One", 100), ("Judith", 1_000)] {
        let stake = now.stake(&key(name).public_key().0).await?;
        let stake = stake.context("registered")?.stake;
        assert_eq!(stake, expected * UNIT, "{name}");
    }
    // A worker that saw nothing of the dropped fork computes the same.
    let verify = format!("verify --task={} --round=1", task.0);
    let verified = network.run("Eve", &verify).await?;
    assert_eq!(verified["equal"], true, "{verified}");
    is_final(&network.client, now.block(), LIMIT).await
}
