//! A network of several authorities: one is lost, one is cut off, one joins, one equivocates, and half of them are gone for a
//! while. There are also nodes that store less than others.

use crate::{contribute, small_task, ROUND_LIMIT, SMALL};
use anyhow::{ensure, Context, Result};
use gotong::chain::Client;
use gotong_tests::{
    assert_settled,
    authorities::{
        add, author, authorities, block_hash, bond, has_body, has_state, is_convicted, Authorities,
        COUNCIL,
    },
    connect, is_final,
    issuance::Money,
    key, until, UNIT,
};
use std::time::Duration;

/// Longest wait for blocks to be made, or to become final.
const LIMIT: Duration = Duration::from_secs(180);
/// Longest wait for a round in which half of the slots stay empty.
const SLOW_ROUND_LIMIT: Duration = ROUND_LIMIT.saturating_mul(3);
/// Blocks in which a table can be disputed, some of which two authorities make at once.
const LONG_CHALLENGE: u32 = 20;
/// Blocks in which something is seen to go on.
const SOME: u32 = 5;
/// Final blocks whose bodies a pruned node keeps.
const BODIES: u32 = 64;

/// Three of four can finalize, so one may be lost. A node that hears of nobody builds a fork of its own, which it drops when it is
/// back.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_become_final_without_one_of_four_that_is_lost_or_cut_off() -> Result<()> {
    let Authorities {
        mut network,
        mut others,
    } = Authorities::start(4, 4).await?;
    let [bob, _, dave] = &mut others[..] else {
        anyhow::bail!("three others");
    };
    let on_bob = connect(bob).await?;
    is_final(&on_bob, 1, LIMIT).await?;

    dave.kill();
    let height = on_bob.best().await?.block();
    is_final(&on_bob, height + SOME, LIMIT).await?;
    dave.restart()?;
    let on_dave = connect(dave).await?;
    let height = on_bob.best().await?.block();
    is_final(&on_dave, height, LIMIT).await?;

    // Only nodes that Alice names may connect, and she names nobody.
    network
        .node
        .restart_with(&["--reserved-only", "--force-authoring"])?;
    network.client = connect(&mut network.node).await?;
    let common = network.client.best().await?.block();
    let (number, own) = network
        .until("a fork", LIMIT, async |now| {
            let is_longer = now.block() > common;
            Ok(is_longer.then(|| (now.block(), format!("{:?}", now.hash()))))
        })
        .await?;
    is_final(&on_bob, number + SOME, LIMIT).await?;
    let (last, _) = network.client.finalized().await?;
    ensure!(last < u64::from(number), "one authority made {last} final");
    let chosen = block_hash(&bob.url(), number).await?;
    assert_ne!(own, chosen, "Alice built on a block of her own");

    network.crash_node().await?;
    let height = on_bob.best().await?.block();
    is_final(&network.client, height, LIMIT).await?;
    assert_eq!(block_hash(&network.node.url(), number).await?, chosen);
    Ok(())
}

/// This follows docs/nodes.md. That the fifth authority votes shows once another is gone, because four of five are needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_fifth_authority_joins_makes_blocks_and_votes() -> Result<()> {
    let mut all = Authorities::start(4, 4).await?;
    let arguments = ["--validator", "--rpc-methods=unsafe"];
    let eve = all.join("eve", &arguments).await?;
    let client = &all.network.client;
    bond(client, &eve, "Eve").await?;
    let url = all.network.node.url();
    let account = key("Eve").public_key().0;
    let before = authorities(&url).await?;
    ensure!(!before.contains(&account), "nobody has added her");
    add(client, &COUNCIL, "Eve").await?;

    until(client, "a block of the fifth", LIMIT, async |now| {
        let place = author(&url, now.hash()).await?;
        Ok((place as usize == before.len()).then_some(()))
    })
    .await?;
    let now = authorities(&url).await?;
    assert_eq!(now, [before, vec![account]].concat());

    let dave = all.others.last_mut().context("Dave is there")?;
    dave.kill();
    let client = &all.network.client;
    let height = client.best().await?.block();
    is_final(client, height + SOME, LIMIT).await
}

/// Dave starts a second node with his keys, for safety as he thinks. Both make blocks in his slots, which the other nodes report.
/// His bond is burned, his place is gone, and the chain continues.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_with_two_nodes_loses_its_bond() -> Result<()> {
    let all = Authorities::start(4, 4).await?;
    let client = &all.network.client;
    let url = all.network.node.url();
    let account = key("Dave").public_key().0;
    is_final(client, 1, LIMIT).await?;
    let before = Money::at(&url).await?;
    let money = client.best().await?.balance(&account).await?;
    ensure!(money.reserved > 0, "his bond is on hold: {money:?}");
    ensure!(
        !is_convicted(&url, "Dave").await?,
        "one node is nothing wrong"
    );

    // Its network key differs from the first node's, but its keys for blocks and votes are the same.
    let _twin = all.join("twin", &["--dave", "--force-authoring"]).await?;
    until(client, "the conviction", LIMIT, async |_| {
        Ok(is_convicted(&url, "Dave").await?.then_some(()))
    })
    .await?;
    until(client, "three authorities", LIMIT, async |_| {
        let now = authorities(&url).await?;
        Ok((now.len() == 3 && !now.contains(&account)).then_some(()))
    })
    .await?;
    let left = client.best().await?.balance(&account).await?;
    assert_eq!((left.free, left.reserved), (money.free, 0));
    let left = Money::at(&url).await?;
    assert_eq!(left.issued, before.issued - money.reserved, "it is burned");
    assert_eq!(left.difference(), 0);
    for name in ["Alice", "Bob", "Charlie"] {
        ensure!(!is_convicted(&url, name).await?, "{name} did nothing");
    }
    let height = client.best().await?.block();
    is_final(client, height + SOME, LIMIT).await
}

/// Dave's machine never comes up, and Charlie's is lost while a liar and an honest attester are in the middle of a dispute. The
/// dispute is decided, and the round paid, in blocks that are not final, with half of the slots empty. They all become final once
/// Charlie is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_decided_while_nothing_becomes_final() -> Result<()> {
    let Authorities {
        network,
        mut others,
    } = Authorities::start(4, 3).await?;
    network.endow(&["Sponsor", "One", "Judith", "Liar"]).await?;
    let attesters = ["Judith", "Liar"];
    network.register(&["One"], &attesters).await?;
    let task = network
        .open_with_long_windows(SMALL, attesters.len(), LONG_CHALLENGE)
        .await?;
    let [bob, charlie] = &mut others[..] else {
        anyhow::bail!("two others");
    };
    // A party that accuses while nothing becomes final asks a second node.
    let both = format!("{},{}", network.node.url(), bob.url());
    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon("One", &contribute(task, "1/1"))?,
        network.daemon_at(&both, "Judith", "attest")?,
        network.daemon("Liar", "attest --lie=loss")?,
    ];
    network
        .until("a dispute", SLOW_ROUND_LIMIT, async |now| {
            let open = now.disputes(Some(task)).await?;
            Ok((!open.is_empty()).then_some(()))
        })
        .await?;
    charlie.kill();
    let lost_at = network.client.best().await?.block();

    let verdict = network
        .until("the verdict", SLOW_ROUND_LIMIT, async |now| {
            Ok(now.verdicts().await?.into_iter().next())
        })
        .await?;
    assert_eq!(verdict.accused, key("Liar").public_key().0);
    assert_eq!(verdict.challenger, key("Judith").public_key().0);
    assert_eq!(verdict.reward, 500 * UNIT);
    let round = network.ended(task, 0, SLOW_ROUND_LIMIT).await?;
    assert_settled(&round)?;
    network.all_claimed(&round, SLOW_ROUND_LIMIT).await?;
    let (last, _) = network.client.finalized().await?;
    // A vote of Charlie's may be for a block that Alice did not have yet.
    ensure!(
        last <= u64::from(lost_at) + 1,
        "two of four made {last} final"
    );
    let end = network.client.best().await?.block();

    charlie.restart()?;
    connect(charlie).await?;
    is_final(&network.client, end, LIMIT).await?;
    let now = network.client.best().await?;
    for (name, expected) in [("One", 100), ("Judith", 1_000), ("Liar", 0)] {
        let stake = now.stake(&key(name).public_key().0).await?;
        let stake = stake.map_or(0, |stake| stake.stake);
        assert_eq!(stake, expected * UNIT, "{name}");
    }
    assert_eq!(now.verdicts().await?.len(), 1);
    Ok(())
}

/// A node that keeps few states and blocks serves workers as long as they keep up. A node that fetched the newest state first
/// eventually has all blocks, but no old states. Somebody who starts there can still recompute an old round, and somebody who
/// registers there can contribute to the next one.
#[tokio::test(flavor = "multi_thread")]
async fn pruned_and_warp_synced_nodes_serve_workers() -> Result<()> {
    let all = Authorities::start(3, 3).await?;
    let network = &all.network;
    network.endow(&["Sponsor", "One", "Two", "Judith"]).await?;
    let blocks = format!("--blocks-pruning={BODIES}");
    let arguments = ["--state-pruning=256", blocks.as_str()];
    let pruned = all.join("pruned", &arguments).await?;
    let task = small_task(network, &["One"], &["Judith"]).await?;
    let own = pruned.url();
    let _sponsor = network.daemon_at(&own, "Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon_at(&own, "Judith", "attest")?;
    // The next round waits for somebody else.
    let once = format!("{} --until-round=1", contribute(task, "1/2"));
    let _contributor = network.daemon_at(&own, "One", &once)?;
    let round = network.ended(task, 0, SLOW_ROUND_LIMIT).await?;
    assert_settled(&round)?;
    let end = network.client.best().await?.block();
    network.all_claimed(&round, SLOW_ROUND_LIMIT).await?;
    let claimed = network.client.best().await?.block();
    is_final(&Client::connect(&own).await?, claimed, LIMIT).await?;
    let rewards = network.run_at(&own, "One", "rewards").await?;
    ensure!(rewards["paid"] != "0", "{rewards}");

    // The state that it fetches is that of a final block. Those before it come later, the oldest first.
    is_final(&network.client, end, LIMIT).await?;
    let warped = all.launch("warped", &["--sync=warp"]).await?;
    let warped = warped.url();
    let opened = network.task(task).await?.opened_at;
    network
        .until("the old blocks", LIMIT, async |_| {
            let has_all = has_body(&warped, end).await && has_body(&warped, opened).await;
            Ok(has_all.then_some(()))
        })
        .await?;
    let newest = Client::connect(&warped).await?.best().await?.block();
    ensure!(
        has_state(&warped, newest).await && !has_state(&warped, opened).await,
        "it did not fetch the newest state, but executed old blocks"
    );
    let verify = format!("verify --task={} --round=0", task.0);
    let verified = network.run_at(&warped, "Eve", &verify).await?;
    assert_eq!(verified["equal"], true, "{verified}");

    let register = "register --role=contributor --stake=100";
    network.run_at(&warped, "Two", register).await?;
    let _newcomer = network.daemon_at(&warped, "Two", &contribute(task, "2/2"))?;
    let round = network.ended(task, 1, SLOW_ROUND_LIMIT).await?;
    assert_settled(&round)?;
    assert_eq!((round.commits, round.reveals), (1, 1));
    let claimed = network.all_claimed(&round, SLOW_ROUND_LIMIT).await?;
    assert_eq!(claimed[0].account, key("Two").public_key().0);

    let on_pruned = Client::connect(&own).await?;
    is_final(&on_pruned, BODIES + SOME, LIMIT).await?;
    let newest = on_pruned.best().await?.block();
    ensure!(
        has_body(&own, newest).await && !has_body(&own, 1).await,
        "it keeps all blocks"
    );
    Ok(())
}
