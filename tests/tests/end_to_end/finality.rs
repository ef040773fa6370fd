//! What everybody can do while blocks are made but none becomes final.

use crate::{
    contribute,
    own_data::{csv, flowers},
    ROUND_LIMIT, SMALL,
};
use anyhow::{Context, Result};
use gotong::{
    chain::{Call, ChainError, Inclusion},
    cli::command_names,
};
use gotong_protocol::TaskId;
use gotong_tests::{assert_settled, connect, is_final, key, reaches, Network, UNIT};
use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

/// A transaction is valid for 256 blocks. If they were counted from the last finalized block, nothing would work after them. The
/// node has pruned the state of that block, too. A liar is accused, convicted and slashed in blocks that are not final, and
/// all of it becomes final in the end. There is a block every second, so this takes over ten minutes, nearly all of it waiting.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_works_while_finality_stands_still() -> Result<()> {
    const STILL: u32 = 600;
    const LIMIT: Duration = ROUND_LIMIT.saturating_mul(3);
    let mut network = Network::start(&[]).await?;
    network.node.restart_with(&["--no-grandpa"])?;
    network.client = connect(&mut network.node).await?;
    let accounts = [
        "Sponsor", "One", "Two", "Judith", "Judas", "Liar", "Idle", "Wanda",
    ];
    network.endow(&accounts).await?;
    let follower = network.follower("follower").await?;
    let (last_final, _) = network.client.finalized().await?;
    let began = u32::try_from(last_final)? + STILL;
    let twice_as_long = 2 * Duration::from_secs(STILL.into());
    reaches(&network.client, began, twice_as_long).await?;

    let attesters = ["Judith", "Judas", "Liar"];
    network.register(&["One", "Two"], &attesters).await?;
    // In the first half of the challenge, attesters wait for proofs. Then each node gets some blocks to give one. None can, so an
    // accuser needs a second node that says the same.
    let challenge = 60;
    let task = network
        .open_with_long_windows(SMALL, attesters.len(), challenge)
        .await?;
    let both = format!("{},{}", network.node.url(), follower.url());
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _workers = [
        network.daemon_at(&both, "Judith", "attest")?,
        network.daemon_at(&both, "Judas", "attest")?,
        network.daemon("Liar", "attest --lie=loss")?,
        network.daemon("One", &contribute(task, "1/2"))?,
        network.daemon("Two", &contribute(task, "2/2"))?,
    ];
    let liar = key("Liar").public_key().0;
    let verdict = network
        .until("the verdict", LIMIT, async |now| {
            let mut verdicts = now.verdicts().await?.into_iter();
            // If two attesters accuse, the chain may tell one of them that it came second.
            Ok(verdicts.find(|closed| closed.accused == liar && closed.verdict.convicts()))
        })
        .await?;
    let honest = ["Judith", "Judas"].map(|name| key(name).public_key().0);
    assert!(honest.contains(&verdict.challenger), "{verdict:?}");
    assert_eq!(verdict.reward, 500 * UNIT);
    // The dispute was opened after nothing had become final for this many blocks, and nothing has become final since.
    assert!(verdict.opened_at > began, "{verdict:?}");
    assert_eq!(network.client.finalized().await?.0, last_final);

    let round = network.ended(task, 0, LIMIT).await?;
    assert_settled(&round)?;
    assert_eq!((round.commits, round.reveals), (2, 2));
    network.all_claimed(&round, LIMIT).await?;
    every_other_command(&network, task).await?;
    let transfer = Call::transfer(key("Alice").public_key().0, UNIT);
    let pauper = key("Pauper");
    let refused = network.client.submit(&pauper, &transfer, Inclusion::Best);
    let refused = refused.await.expect_err("it has no money for the fee");
    assert!(
        matches!(refused, ChainError::Rejected { .. }),
        "a reason that stays is told as one: {refused:?}"
    );
    assert_eq!(network.client.finalized().await?.0, last_final);

    // The node votes again.
    let end = network.client.best().await?.block();
    network.crash_node().await?;
    is_final(&network.client, end, LIMIT).await?;
    let now = network.client.best().await?;
    assert!(now.verdicts().await?.contains(&verdict), "it still stands");
    for (name, expected) in [
        ("One", 100),
        ("Two", 100),
        ("Judith", 1_000),
        ("Judas", 1_000),
        ("Liar", 0),
    ] {
        let stake = now.stake(&key(name).public_key().0).await?;
        let stake = stake.map_or(0, |stake| stake.stake);
        assert_eq!(stake, expected * UNIT, "{name}");
    }
    Ok(())
}

/// Commands that [`every_other_command`] does not run, and why.
const NOT_RUN: [(&str, &str); 10] = [
    ("task open", "it opened the task"),
    ("sponsor", "it published the shard of the round"),
    ("contribute", "it trained in the round"),
    ("demo", "it starts a network of its own"),
    ("data inspect", "it talks to no node"),
    ("data split", "it talks to no node"),
    ("data seal", "it talks to no node"),
    ("lab", "it talks to no node"),
    ("completions", "it talks to no node"),
    ("man-pages", "it talks to no node"),
];

/// Runs every command of `gotong` except [`NOT_RUN`], once round 0 of `task` has settled. A command that cannot be done now is
/// refused for that reason, and not because of the chain.
async fn every_other_command(network: &Network, task: TaskId) -> Result<()> {
    let task = task.0;
    let mut watch = network.daemon("Wanda", "watch")?;
    let mut done = vec!["watch".to_owned()];
    let folder = network.folder().display();
    let file = |name: &str| format!("{folder}/{name}");
    let (weights, evidence) = (file("weights.safetensors"), file("step.evidence"));
    let (table, images) = (file("flowers.csv"), file("new-images-idx3-ubyte"));
    fs::write(&table, csv(&flowers(900)))?;
    // Two images without labels.
    let header = [0u8, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28];
    fs::write(&images, [&header[..], &[127; 2 * 28 * 28]].concat())?;
    for (account, command) in [
        ("Idle", "register --role=both --stake=150".into()),
        ("Idle", "unstake --amount=50".into()),
        ("Idle", "transfer --to=Bob --amount=1".into()),
        ("One", "rewards".into()),
        ("Idle", "claim".into()),
        ("One", "disputes".into()),
        ("One", "top".into()),
        ("One", "task list".into()),
        ("One", format!("task show --task={task}")),
        ("One", format!("task recipe --task={task}")),
        ("Sponsor", format!("task top-up --task={task} --amount=1")),
        (
            "Sponsor",
            format!("task report --task={task} --out={}", file("report.md")),
        ),
        (
            "Sponsor",
            format!("task new {table} --label=species --out={}", file("new")),
        ),
        ("Sponsor", format!("task check {}", file("new/task.toml"))),
        ("Wanda", format!("verify --task={task} --round=0")),
        (
            "Wanda",
            format!("prove --task={task} --round=0 --sample=1 --out={evidence}"),
        ),
        ("Wanda", format!("prove --check={evidence} --chain")),
        ("Wanda", format!("publish-credits --task={task} --round=0")),
        ("Idle", format!("weights --task={task} --out={weights}")),
        (
            "Idle",
            format!(
                "predict --task={task} --data={images} --out={}",
                file("predicted.csv")
            ),
        ),
    ] {
        let run = network.run(account, &command).await;
        run.with_context(|| command.clone())?;
        done.push(command);
    }
    for (account, command, reason) in [
        ("Idle", "withdraw".into(), "refused: "),
        (
            "Idle",
            format!("submit --task={task} --base={weights} --weights={weights}"),
            "there is nothing to submit",
        ),
        (
            "Idle",
            format!("challenge --task={task} --round=0 --accused=Alice"),
            "round 0",
        ),
        (
            "Idle",
            format!("generate --task={task} --prompt=To"),
            "choose a language model",
        ),
        (
            "Idle",
            format!("task release --task={task} --round=0"),
            "refused: ",
        ),
    ] {
        let told = network.refused(account, &command).await?;
        assert!(told.contains(reason), "{command}: {told}");
        done.push(command);
    }
    // It holds no seat, so it can leave at once.
    let leave = "attest --seats=0";
    let mut leaving = network.daemon("Idle", leave)?;
    let process = PathBuf::from(format!("/proc/{}", leaving.id()));
    network
        .until("its end", ROUND_LIMIT, async |_| {
            leaving.check()?;
            Ok((!process.exists()).then_some(()))
        })
        .await?;
    done.push(leave.into());

    let findings = network.diagnosis("Judith").await?;
    done.push("doctor".into());
    let findings = findings.as_array().context("a list")?;
    let node = findings.iter().find(|found| found["check"] == "node");
    assert_eq!(node.context("a finding about the node")?["ok"], true);
    let close = format!("task close --task={task}");
    network.run("Sponsor", &close).await?;
    done.push(close);
    // It kept running beside all that.
    watch.check()?;

    // Every command is either run or excused, and none is both.
    let all = command_names();
    let is_run = |name: &String| {
        let longer = format!("{name} ");
        done.iter()
            .any(|line| line == name || line.starts_with(&longer))
    };
    let not_run: BTreeSet<&str> = all
        .iter()
        .filter(|name| !is_run(name))
        .map(String::as_str)
        .collect();
    assert_eq!(not_run, BTreeSet::from(NOT_RUN.map(|(name, _)| name)));
    Ok(())
}
