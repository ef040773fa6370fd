//! Several nodes, and many workers on one.

use super::{contribute, small_task, ROUND_LIMIT, SMALL};
use anyhow::{ensure, Context, Result};
use codec::Encode;
use gotong::{
    chain::{Call, ChainError, Client, Grounds, Inclusion, Moment, Nodes, ProofWait},
    keys::address,
    process::Node,
};
use gotong_protocol::{
    view::{RoundView, SeatView, TaskView},
    Phase, RoundId, SeatState,
};
use gotong_tests::{
    assert_settled, connect, key, liar::Liar, reaches, request, request_of_page, request_with,
    Network, RequestError, CHALLENGE, UNIT,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};
use subxt::ext::jsonrpsee::rpc_params;

/// Nobody listens there.
const DEAD: &str = "ws://127.0.0.1:1";

#[tokio::test(flavor = "multi_thread")]
async fn the_next_node_is_taken_when_one_is_dead_behind_or_on_another_chain() -> Result<()> {
    let mut network = Network::start(&["One"]).await?;
    let own = network.node.url();
    let mut other = network.stranger("other", &["--chain=local", "--no-mdns"])?;
    let on_other = connect(&mut other).await?;
    let other = other.url();

    // Commands that end by themselves, with and without a node of their chain.
    let register = "register --role=contributor --stake=100";
    network
        .run_at(&format!("{DEAD},{own}"), "One", register)
        .await?;
    let genesis = network.client.genesis();
    let pinned = format!("rewards --genesis={genesis:?}");
    network
        .run_at(&format!("{other},{own}"), "One", &pinned)
        .await?;
    let refused = network.run_at(&other, "One", &pinned).await;
    let refused = refused.expect_err("on another chain").to_string();
    ensure!(refused.contains("is on another chain"), "{refused}");

    // The other node is still at its first block.
    let first = on_other.genesis().0;
    let behind = Nodes::new([other.clone(), DEAD.into()], None)
        .connect()
        .await?;
    assert_eq!(behind.url(), other, "nobody else is there");
    let nodes = Nodes::new([other.clone(), own.clone()], Some(first));
    let taken = nodes.connect().await?;
    assert_eq!(taken.url(), other, "the only one on the chain");

    // The node that answers first determines the chain. If no node of that chain is left, the reasons are reported one by one.
    let nodes = Nodes::new([DEAD.into(), own.clone(), other.clone()], None);
    assert_eq!(nodes.connect().await?.url(), own);
    network.node.kill();
    let Err(ChainError::NoNode(failures)) = nodes.connect().await else {
        anyhow::bail!("connected to another chain");
    };
    assert!(
        matches!(
            &*failures,
            [
                ChainError::Unreachable { .. },
                ChainError::OtherChain { .. },
                ChainError::Unreachable { .. },
            ]
        ),
        "{failures:?}"
    );
    Ok(())
}

/// No node can prove anything, because finality stands still. The first node of each of two attesters tells it what the round is.
/// The second node of one of them is on the same chain; the second node of the other has a chain of its own, as a lying node might.
/// A third attester makes the quorum. It has only one node, which it believes after a while.
#[tokio::test(flavor = "multi_thread")]
async fn without_finality_a_table_is_committed_only_if_a_second_node_says_the_same_of_its_round(
) -> Result<()> {
    let accounts = ["Sponsor", "One", "Judith", "Judas", "Jude"];
    let network = Network::start_with(&["--no-grandpa"], &accounts).await?;
    let own = network.node.url();
    let follower = network.follower("follower").await?;
    let mut stranger = network.stranger("stranger", &["--dev", "--no-mdns", "--no-grandpa"])?;
    let genesis = connect(&mut stranger).await?.genesis();
    assert_eq!(genesis, network.client.genesis(), "only blocks differ");

    // Nobody signs in the first half of a window, and each of them asks other nodes then.
    let attesters = ["Judith", "Judas", "Jude"];
    network.register(&["One"], &attesters).await?;
    let task = network
        .open_with_long_windows(SMALL, attesters.len(), CHALLENGE)
        .await?;
    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon("One", &contribute(task, "1/1"))?,
        network.daemon("Jude", "attest")?,
        network.daemon_at(&format!("{own},{}", follower.url()), "Judith", "attest")?,
        network.daemon_at(&format!("{own},{}", stranger.url()), "Judas", "attest")?,
    ];
    let round = network.ended(task, 0, 2 * ROUND_LIMIT).await?;
    assert_settled(&round)?;
    for name in ["Judith", "Jude"] {
        let seat = seat(&round, name)?;
        assert_eq!(seat.state, SeatState::Sitting, "{name}");
        assert!(seat.claim.is_some(), "{name}");
    }
    let judas = seat(&round, "Judas")?;
    assert!(!judas.committed, "{judas:?}");

    // What is signed on the word of a single node while that node can prove nothing.
    let (view, inputs) = (network.task(task).await?, [7; 32]);
    let grounds = Grounds {
        task,
        terms: &view.terms,
        graph: &view.graph,
        round: RoundId(0),
        inputs: &inputs,
        accused: None,
        dispute: None,
    };
    let call = Call::commit_attestation(task, RoundId(0), [8; 32], inputs);
    let nodes = || Nodes::new([own.clone()], None);
    for (nodes, can_wait, may_sign) in [
        (nodes(), false, true),
        (nodes(), true, false),
        (nodes().needing_proofs(true), false, false),
        (nodes().trusted(true), true, true),
    ] {
        let client = nodes.connect().await?;
        let nobody = async |_: &Moment| Ok::<_, ChainError>(false);
        let wait = ProofWait {
            can_wait,
            blocks: 20,
        };
        let confirmed = client.confirm(&call, &grounds, wait, nobody).await;
        match confirmed {
            Ok(()) => assert!(may_sign),
            Err(ChainError::Unproved(failures)) => {
                assert!(!may_sign);
                assert!(
                    matches!(&*failures, [ChainError::NoVotes { .. }]),
                    "{failures:?}"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A node tells its attesters that a task has another outer rate. The chain accepts commitments all the same, but the table is
/// wrong. An attester without another node commits to nothing, and one that has another node switches to it. Two honest attesters,
/// each with a single node, prove what they are told and need nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lies_about_a_task_is_found_out_by_the_state_that_is_final() -> Result<()> {
    let accounts = ["Sponsor", "One", "Judith", "Jude", "Judas", "Julia"];
    let network = Network::start(&accounts).await?;
    let own = network.node.url();
    let attesters = ["Judith", "Jude", "Judas", "Julia"];
    let task = small_task(&network, &["One"], &attesters).await?;
    // Views begin like this, and nothing else that the node sends does, so its proofs stay true.
    let TaskView {
        id, sponsor, terms, ..
    } = network.task(task).await?;
    let mut other = terms.clone();
    other.share.outer_rate_q8 ^= 1;
    let (truth, lie) = (
        (id, sponsor, &terms).encode(),
        (id, sponsor, &other).encode(),
    );
    let liar = Liar::start(&own, &truth, &lie).await?;
    let lied_to = Client::connect(&liar.url).await?.best().await?;
    let told = lied_to.task(task).await?;
    let told = told.context("the task is there")?;
    assert_eq!(told.terms, other, "the lie is told");

    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon("One", &contribute(task, "1/1"))?,
        network.daemon("Judith", "attest --require-finality")?,
        network.daemon("Jude", "attest --require-finality")?,
        network.daemon_at(&liar.url, "Judas", "attest")?,
        network.daemon_at(&format!("{},{own}", liar.url), "Julia", "attest")?,
    ];
    let round = network.ended(task, 0, 2 * ROUND_LIMIT).await?;
    assert_settled(&round)?;
    for name in ["Judith", "Jude", "Julia"] {
        let seat = seat(&round, name)?;
        assert_eq!(seat.state, SeatState::Sitting, "{name}");
        assert!(seat.claim.is_some(), "{name}");
    }
    let judas = seat(&round, "Judas")?;
    assert!(!judas.committed, "{judas:?}");
    Ok(())
}

fn seat<'a>(round: &'a RoundView, name: &str) -> Result<&'a SeatView> {
    let account = key(name).public_key().0;
    let mut seats = round.seats.iter();
    let seat = seats.find(|seat| seat.account == account);
    seat.with_context(|| format!("{name} has no seat"))
}

/// If its node is gone, a daemon continues with the next one, including what is under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_goes_on_with_the_next_node() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let own = network.node.url();
    let mut follower = network.follower("follower").await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let mut blocks = Client::connect(&follower.url())
        .await?
        .best_blocks()
        .await?;
    let mut is_there = false;
    while !is_there {
        let moment = blocks.next().await.context("the follower is there")??;
        is_there = moment.task(task).await?.is_some();
    }
    let nodes = format!("{},{own}", follower.url());
    let _workers = [
        network.daemon_at(&nodes, "Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon_at(&nodes, "One", &contribute(task, "1/1"))?,
        network.daemon_at(&nodes, "Judith", "attest --trust-nodes")?,
    ];
    network
        .until(
            "a commit through the follower",
            ROUND_LIMIT,
            async |moment| {
                let round = moment.round(task, RoundId(0)).await?;
                Ok(round.filter(|round| round.commits > 0 && round.phase <= Phase::Reveal))
            },
        )
        .await?;
    follower.kill();
    let round = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    assert_eq!((round.commits, round.reveals), (1, 1));
    network.all_claimed(&round, ROUND_LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_serves_150_workers_at_once() -> Result<()> {
    let network = Network::start(&["One"]).await?;
    let url = network.node.url();
    let mut workers = Vec::new();
    for number in 0..150 {
        let client = Client::connect(&url).await;
        let client = client.with_context(|| format!("worker {number}"))?;
        let blocks = client.best_blocks().await?;
        workers.push((client, blocks));
    }
    for (client, blocks) in &mut workers {
        let moment = blocks.next().await.context("a block")??;
        assert!(client.best().await?.block() >= moment.block());
    }
    Ok(())
}

/// A browser lets every page open a WebSocket to this machine. The node refuses those of sites that are not listed; the others may
/// do what anybody may.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_browser_is_let_in_if_it_is_listed_and_cannot_change_a_node() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let listed = "https://wallet.example";
    let cors = format!("--rpc-cors={listed}");
    let arguments = ["--chain=local", "--no-mdns", &cors];
    let mut node = Node::launch(path, path, &arguments)?;
    connect(&mut node).await?;
    let (url, name) = (node.url(), "Gotong Local Testnet");
    assert_eq!(request(&url, "system_chain").await?, name);
    assert_eq!(request_of_page(&url, "system_chain", listed).await?, name);
    for origin in ["https://example.org", "http://localhost:3000", "null"] {
        let refused = request_of_page(&url, "system_chain", origin).await;
        assert!(
            matches!(&refused, Err(RequestError::Transport(_))),
            "{origin}: {refused:?}"
        );
    }
    let changed = request_of_page(&url, "author_rotateKeys", listed).await;
    assert!(
        matches!(&changed, Err(RequestError::Call(_))),
        "{changed:?}"
    );
    Ok(())
}

/// A development chain lets a wallet's page in without listing it.
#[tokio::test(flavor = "multi_thread")]
async fn a_development_chain_lets_every_page_in() -> Result<()> {
    let network = Network::start(&["One"]).await?;
    let url = network.node.url();
    let name = request_of_page(&url, "system_chain", "https://example.org").await?;
    assert_eq!(name, "Gotong Development");
    Ok(())
}

/// A node that is restarted uses the runtimes that it compiled before, and writes nothing new.
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_is_compiled_once_for_all_starts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, compiled) = (folder.path(), folder.path().join("compiled"));
    let option = format!("--compiled-runtimes={}", compiled.display());
    let mut node = Node::launch(path, path, &["--chain=local", "--no-mdns", &option])?;
    connect(&mut node).await?;
    let first = kept(&compiled)?;
    ensure!(!first.is_empty(), "nothing is kept");
    node.restart()?;
    connect(&mut node).await?;
    assert_eq!(kept(&compiled)?, first);
    Ok(())
}

/// The compiled runtimes in a node's folder, and when they were written. A file of statistics is beside each.
fn kept(compiled: &Path) -> io::Result<Vec<(PathBuf, SystemTime)>> {
    let mut kept = Vec::new();
    for program in fs::read_dir(compiled.join("modules"))? {
        for file in fs::read_dir(program?.path())? {
            let file = file?;
            if file.path().extension().is_none() {
                kept.push((file.path(), file.metadata()?.modified()?));
            }
        }
    }
    kept.sort();
    Ok(kept)
}

/// The node says that the account's next nonce is one higher than it is. So it is if an earlier transaction of the account gets lost
/// after the call was signed. If the call were signed again with the lower nonce, both of its transactions would be executed.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_behind_a_lost_transaction_is_executed_once() -> Result<()> {
    let network = Network::start(&["One"]).await?;
    let (truth, lie) = (r#""result":0}"#, r#""result":1}"#);
    let liar = Liar::once(&network.node.url(), truth, lie).await?;
    let client = Client::connect(&liar.url).await?;
    let receiver = key("Receiver").public_key().0;
    let transfer = Call::transfer(receiver, UNIT);
    client
        .submit(&key("One"), &transfer, Inclusion::Best)
        .await?;
    let later = network.client.best().await?.block() + 5;
    reaches(&network.client, later, ROUND_LIMIT).await?;
    let received = network.client.best().await?.balance(&receiver).await?.free;
    assert_eq!(received, UNIT);
    let own = rpc_params![address(&key("One").public_key().0)];
    let url = network.node.url();
    let next: u32 = request_with(&url, "system_accountNextIndex", own).await?;
    assert_eq!(next, 2, "the place of the lost one was filled");
    Ok(())
}
