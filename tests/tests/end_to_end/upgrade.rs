//! The council upgrades the runtime of a network in the middle of a round. Storage is migrated, and nodes and workers continue.

use crate::{contribute, ROUND_LIMIT, SMALL};
use anyhow::{ensure, Context, Result};
use gotong::chain::{body::Kind, Call, Client, Inclusion};
use gotong_protocol::{Phase, RoundId};
use gotong_scoring::blake2_256;
use gotong_tests::{
    assert_settled,
    authorities::{has_state, Authorities, COUNCIL},
    is_final,
    issuance::Money,
    key, reaches, turn,
    upgrade::{
        apply, authorize, is_read_today, next_dispute, next_spec_version, spec_version, NEXT_WASM,
    },
    CHALLENGE, UNIT,
};
use std::time::Duration;

/// Longest wait for a round in which every node compiles a Wasm.
const LIMIT: Duration = ROUND_LIMIT.saturating_mul(3);
/// Blocks in which something is seen to go on.
const SOME: u32 = 5;
/// The options of the nodes. The first keeps all states, the second those of the last 16 final blocks.
const OPTIONS: [&[&str]; 3] = [&["--state-pruning=archive"], &["--state-pruning=16"], &[]];

/// The delta of the round is revealed to the old runtime. There are two attesters, whose tables only the new one pays. One works
/// all the time, and the other starts after the upgrade, so that the round is sure to be in the middle then.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_under_way_goes_on_through_an_upgrade_with_a_migration() -> Result<()> {
    let mut all = Authorities::start_with(turn().await, OPTIONS.len(), &OPTIONS).await?;
    let (network, url) = (&all.network, all.network.node.url());
    let client = &network.client;
    let attesters = ["Judith", "Jude"];
    network.endow(&["Sponsor", "One", "Judith", "Jude"]).await?;
    network.register(&["One"], &attesters).await?;
    // Jude starts while every node compiles the new runtime, and measures his machine first.
    let task = network
        .open_with_long_windows(SMALL, attesters.len(), CHALLENGE)
        .await?;
    // The motion takes some blocks; the round has not begun to move.
    authorize(client, &COUNCIL, blake2_256(&[NEXT_WASM])).await?;
    let mut workers = vec![
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon("One", &contribute(task, "1/1"))?,
        network.daemon("Judith", "attest")?,
    ];
    network
        .until("a reveal", LIMIT, async |now| {
            let round = now.round(task, RoundId(0)).await?;
            Ok(round.filter(|round| round.reveals == 1).map(|_| ()))
        })
        .await?;

    let applied = apply(client, "Charlie", NEXT_WASM).await?;
    ensure!(applied.has_event("CodeUpdated"), "{applied:?}");
    let round = client.best().await?.round(task, RoundId(0)).await?;
    let phase = round.context("the round is there")?.phase;
    ensure!(
        phase <= Phase::AttestCommit,
        "the round is in {phase:?} already"
    );
    workers.push(network.daemon("Jude", "attest")?);
    let first = applied.block + 1;
    for node in std::iter::once(&network.node).chain(&all.others) {
        let url = node.url();
        let client = Client::connect(&url).await?;
        reaches(&client, first, LIMIT).await?;
        assert_eq!(spec_version(&url).await?, next_spec_version());
    }
    is_final(client, first, LIMIT).await?;
    assert_eq!(next_dispute(&url, applied.block).await?, 0);
    assert_eq!(next_dispute(&url, first).await?, 1, "it was migrated");

    // The round that was in the middle, and the next one.
    let mut revealed = None;
    for id in [0, 1] {
        let round = network.ended(task, id, LIMIT).await?;
        assert_settled(&round)?;
        ensure!(round.fees > 0, "attesters were paid nothing: {round:?}");
        let submissions = network.all_claimed(&round, LIMIT).await?;
        revealed = revealed.or(submissions.into_iter().find_map(|one| one.revealed));
    }
    let rewards = network.run("One", "rewards").await?;
    ensure!(rewards["paid"] != "0", "{rewards}");
    for worker in &mut workers {
        worker.check()?;
    }
    let now = client.best().await?;
    for (name, expected) in [("One", 100), ("Judith", 1_000), ("Jude", 1_000)] {
        let stake = now.stake(&key(name).public_key().0).await?;
        assert_eq!(
            stake.map(|stake| stake.stake),
            Some(expected * UNIT),
            "{name}"
        );
    }
    assert_eq!(Money::at(&url).await?.difference(), 0);
    is_final(client, now.block() + SOME, LIMIT).await?;

    // What is in a block of the old runtime can still be found and recomputed, although transactions are encoded differently now.
    let delta = revealed.context("the first round has a delta")?;
    ensure!(delta.at <= applied.block, "it was revealed before");
    ensure!(
        !is_read_today(client, delta.at).await?,
        "both runtimes encode transactions alike"
    );
    let transfer = Call::transfer(key("One").public_key().0, UNIT);
    let sent = client
        .submit(&key("Alice"), &transfer, Inclusion::Best)
        .await?;
    ensure!(
        is_read_today(client, sent.block).await?,
        "a block of today is misread"
    );
    let body = client.body(delta.at).await?;
    let found = body.find_all::<Vec<u8>>(Kind::Reveal, &(task, RoundId(0)));
    let lengths: Vec<_> = found.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [delta.bytes as usize]);

    // Old states have the types of the old runtime. A node that has none of them left needs another node that has.
    let pruned = all.others.first().context("the second node")?.url();
    network
        .until("the end of an old state", LIMIT, async |_| {
            let is_gone = !has_state(&pruned, delta.at - 1).await;
            Ok(is_gone.then_some(()))
        })
        .await?;
    // Two of three make blocks, but finalize none: no more states are dropped, however long this takes.
    let third = all.others.last_mut().context("the third node")?;
    third.kill();
    let verify = format!("verify --task={} --round=0", task.0);
    let told = network.refused_at(&pruned, "Eve", &verify).await?;
    ensure!(told.contains("name an archive node"), "{told}");
    let both = format!("{pruned},{url}");
    let verified = network.run_at(&both, "Eve", &verify).await?;
    assert_eq!(verified["equal"], true, "{verified}");
    Ok(())
}
