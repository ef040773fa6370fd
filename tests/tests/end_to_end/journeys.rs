//! From registration to pay, through crashes.

use crate::{
    contribute,
    own_data::{csv, flowers},
    small_task, ROUND_LIMIT, SMALL,
};
use anyhow::{Context, Result};
use gotong::{
    chain::{Call, ChainError, Inclusion},
    cli::{command_names, means::Prices},
    process::sibling,
    run::RoundMemory,
};
use gotong_protocol::{
    pay, submission_commitment,
    view::{Duty, DutyKind, RoundView},
    ClaimItem, Delta, Outcome, Phase, RoundId, TaskId,
};
use gotong_tests::{
    assert_settled, connect, is_final, issuance::Money, key, reaches, Network, UNIT,
};
use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

async fn rounds(network: &Network, task: TaskId, count: u32) -> Result<Vec<RoundView>> {
    let mut ended = Vec::new();
    for round in 0..count {
        ended.push(network.ended(task, round, ROUND_LIMIT).await?);
    }
    Ok(ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_rounds_pay_what_they_proved() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Two", "Judith", "Judas"]).await?;
    let task = small_task(&network, &["One", "Two"], &["Judith", "Judas"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attesters = [
        network.daemon("Judith", "attest")?,
        network.daemon("Judas", "attest")?,
    ];
    let _contributors = [
        network.daemon("One", &contribute(task, "1/2"))?,
        network.daemon("Two", &contribute(task, "2/2"))?,
    ];

    let before = network.task(task).await?;
    let mut paid = 0;
    for round in rounds(&network, task, 3).await? {
        assert_settled(&round)?;
        assert_eq!((round.commits, round.reveals), (2, 2));
        let claim = round.claim.as_ref().context("settled on a claim")?;
        // Later gains may be within the noise of 100 samples; the first never is.
        let gain = claim.merged.map_or(0, |merged| merged.gain);
        let is_untrained = round.round == RoundId(0);
        assert!(gain > 0 || !is_untrained);
        let claimed = network.all_claimed(&round, ROUND_LIMIT).await?;
        paid += claimed
            .iter()
            .filter_map(|one| one.claimed)
            .map(|claimed| claimed.paid)
            .sum::<u128>();
    }
    assert!(paid > 0);
    let after = network.task(task).await?;
    assert_ne!(after.master_root, before.master_root);

    let mut claimed = 0;
    let moment = network.client.best().await?;
    for name in ["One", "Two"] {
        let rewards = network.run(name, "rewards").await?;
        let ledgers = moment.ledgers(&key(name).public_key().0).await?;
        let [ledger] = &ledgers[..] else {
            panic!("{name} has one ledger: {ledgers:?}");
        };
        // What is proved is paid, to the planck, and told so.
        let samples = before.terms.hold_out.samples() / 2;
        let permille = 1000 - before.terms.attester_fee_permille;
        let price = before.terms.price_per_millibit;
        let worth = pay::worth(price, ledger.ledger.proved, samples, permille);
        assert_eq!(Some(ledger.paid), worth);
        let own = rewards["paid"].as_str().context("planck")?;
        assert_eq!(own.parse::<u128>()?, ledger.paid, "{rewards}");
        claimed += ledger.paid;
    }
    assert_eq!(claimed, paid);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_nothing() -> Result<()> {
    let mut network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    let _contributor = network.daemon("One", &contribute(task, "1/1"))?;

    let committed = network
        .until("the first commit", ROUND_LIMIT, async |moment| {
            let view = moment.round(task, RoundId(0)).await?;
            Ok(view.filter(|view| view.commits == 1))
        })
        .await?;
    assert_eq!(committed.reveals, 0);
    network.crash_node().await?;

    for round in rounds(&network, task, 2).await? {
        assert_settled(&round)?;
        assert_eq!((round.commits, round.reveals), (1, 1));
    }
    let money = Money::at(&network.node.url()).await?;
    assert!(money.issued > 0);
    assert_eq!(money.difference(), 0, "{money:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_repeat_nothing() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Two", "Judith", "Judas"]).await?;
    let task = small_task(&network, &["One", "Two"], &["Judith", "Judas"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let mut attester = network.daemon("Judith", "attest")?;
    let mut contributor = network.daemon("One", &contribute(task, "1/2"))?;

    // The contributor dies between commit and reveal: only its disk knows the delta and the salt. Nobody reveals
    // before the other one has committed.
    network
        .until("the first commit", ROUND_LIMIT, async |moment| {
            let view = moment.round(task, RoundId(0)).await?;
            Ok(view.filter(|view| view.commits == 1))
        })
        .await?;
    contributor.kill();
    let _contributors = [
        network.daemon("One", &contribute(task, "1/2"))?,
        network.daemon("Two", &contribute(task, "2/2"))?,
    ];

    // The attester dies between commit and reveal, for which the other one has to have committed, too.
    network
        .until("the first attestation", ROUND_LIMIT, async |moment| {
            let view = moment.round(task, RoundId(0)).await?;
            Ok(view.filter(|view| view.seats.iter().any(|seat| seat.committed)))
        })
        .await?;
    attester.kill();
    let _attesters = [
        network.daemon("Judith", "attest")?,
        network.daemon("Judas", "attest")?,
    ];

    for round in rounds(&network, task, 2).await? {
        assert_settled(&round)?;
        assert_eq!((round.commits, round.reveals), (2, 2));
        network.all_claimed(&round, ROUND_LIMIT).await?;
    }
    // Nothing was slashed: the attester's stake is whole.
    let stake = network
        .client
        .best()
        .await?
        .stake(&key("Judith").public_key().0)
        .await?
        .context("still registered")?;
    assert_eq!(stake.stake, 1000 * UNIT);
    Ok(())
}

/// The only contributor dies in the middle of its training, which then goes on from its checkpoint: nobody else can commit,
/// so the round waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_training_goes_on() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    // It keeps a checkpoint after every update, so it is killed in the block after the first; the rest takes many blocks.
    let contribute = |checkpoint_every: u32| {
        format!(
            "contribute --task={} --steps=4000 --checkpoint-every={checkpoint_every} --until-round=1",
            task.0
        )
    };
    let folder = network.folder().join("One");
    let mut contributor = network.daemon("One", &contribute(0))?;
    network
        .until("the first checkpoint", ROUND_LIMIT, async |_| {
            contributor.check()?;
            Ok(checkpoint(&folder)?)
        })
        .await?;
    contributor.kill();

    let contributor = network.daemon("One", &contribute(20))?;
    let ended = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&ended)?;
    assert_eq!((ended.commits, ended.reveals), (1, 1));
    let log = fs::read_to_string(contributor.log())?;
    let began = log.matches(" training").count();
    assert_eq!(began, 2, "{log}");
    let (_, went_on) = log.split_once("resuming at update ").context(log.clone())?;
    let (updates, _) = went_on.split_once(" of 4000").context(log.clone())?;
    assert!(updates.parse::<u32>()? > 0, "{log}");
    assert_eq!(checkpoint(&folder)?, None);
    Ok(())
}

/// Far more updates than the Commit window has time for: the delta comes in time all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_training_that_takes_too_long_is_cut_short() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    let command = format!(
        "contribute --task={} --steps=100000000 --until-round=1",
        task.0
    );
    let contributor = network.daemon("One", &command)?;
    let ended = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&ended)?;
    assert_eq!((ended.commits, ended.reveals), (1, 1));
    let log = fs::read_to_string(contributor.log())?;
    assert!(
        log.contains("of 100000000 updates were made: no more fit"),
        "{log}"
    );
    assert_eq!(log.matches(" training").count(), 1, "{log}");
    Ok(())
}

/// With a learning rate at which a model forgets what it has learned, nothing is submitted, and the window goes by. Then the same
/// account trains as usual.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_sat_out_that_would_do_harm() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    let usual = contribute(task, "1/1");
    let mut contributor = network.daemon("One", &format!("{usual} --until-round=1"))?;
    assert_settled(&network.ended(task, 0, ROUND_LIMIT).await?)?;
    contributor.kill();

    let mut contributor = network.daemon("One", &format!("{usual} --learning-rate=20"))?;
    let mut began = None;
    let rolled = network
        .until("another Commit window", ROUND_LIMIT, async |moment| {
            contributor.check()?;
            let Some(view) = moment.round(task, RoundId(1)).await? else {
                return Ok(None);
            };
            let is_another = *began.get_or_insert(view.phase_started_at) < view.phase_started_at;
            Ok(is_another.then_some(view))
        })
        .await?;
    assert_eq!((rolled.phase, rolled.commits), (Phase::Commit, 0));
    let log = fs::read_to_string(contributor.log())?;
    assert!(log.contains("nothing is submitted in this round"), "{log}");
    contributor.kill();

    let _contributor = network.daemon("One", &usual)?;
    let ended = network.ended(task, 1, ROUND_LIMIT).await?;
    assert_settled(&ended)?;
    assert_eq!((ended.commits, ended.reveals), (1, 1));
    Ok(())
}

/// The checkpoint of the only account below `folder`, in its folder of its only task.
fn checkpoint(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut found = vec![folder.to_owned()];
    for _ in ["task", "account"] {
        let inside = found.iter().filter(|path| path.is_dir()).map(fs::read_dir);
        let entries = inside
            .collect::<io::Result<Vec<_>>>()?
            .into_iter()
            .flatten();
        found = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
    }
    let mut files = found.into_iter().map(|path| path.join("checkpoint"));
    Ok(files.find(|path| path.is_file()))
}

/// A contributor that has no more than a wallet sees what it is owed, and claims it, with no replay and no proof: the attester has
/// published its credit.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_claims_what_an_attester_published() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    let mut contributor = network.daemon("One", &contribute(task, "1/1"))?;
    network
        .until("the first reveal", ROUND_LIMIT, async |moment| {
            let view = moment.round(task, RoundId(0)).await?;
            Ok(view.filter(|view| view.reveals == 1))
        })
        .await?;
    contributor.kill();
    let ended = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&ended)?;

    let one = key("One");
    let account = one.public_key().0;
    let view = network
        .until("the credit", ROUND_LIMIT, async |moment| {
            let mut views = moment.claimables(&account).await?.into_iter();
            Ok(views.find(|view| view.unknown.is_empty()))
        })
        .await?;
    assert_eq!(view.rounds, [RoundId(0)]);
    assert!(view.pays > 0, "{view:?}");
    let duties = network.client.best().await?.duties(&account).await?;
    let is_due = |duty: &Duty| duty.what == DutyKind::Claim && duty.round == RoundId(0);
    assert!(duties.iter().any(is_due), "{duties:?}");
    let rewards = network.run("One", "rewards").await?;
    assert_eq!(rewards["claimable"], view.pays.to_string(), "{rewards}");

    let bare = ClaimItem {
        task,
        round: RoundId(0),
        proof: None,
    };
    let client = &network.client;
    client
        .submit(&one, &Call::claim(&[bare]), Inclusion::Best)
        .await?;
    let now = client.best().await?;
    let ledger = now.ledger(&account, task).await?.context("a ledger")?;
    assert_eq!((ledger.paid, ledger.next), (view.pays, None));
    assert!(now.claimables(&account).await?.is_empty());
    Ok(())
}

/// Who reveals when the round takes nothing any more loses the deposit, and is the author all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_reveal_that_is_late_keeps_its_author() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let (one, round, salt) = (key("One"), RoundId(0), [7; 32]);
    let parameters = network.task(task).await?.parameters;
    let mut change = vec![0; parameters as usize];
    change[3] = 700;
    let delta = Delta::compress(&change, 1000).encode();
    let account = one.public_key().0;
    let hash = Delta::hash_of(&delta);
    let commitment = submission_commitment(task, round, &account, &hash, &salt);
    let submit = |call: Call| {
        let (client, one) = (&network.client, &one);
        async move { client.submit(one, &call, Inclusion::Best).await }
    };
    submit(Call::commit(task, round, commitment)).await?;
    let ended = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_eq!(ended.outcome, Some(Outcome::NoReveals));

    let reveal = Call::reveal(task, round, &delta, salt);
    let receipt = submit(reveal.clone()).await?;
    assert!(receipt.has_event("RevealedLate"), "{receipt:?}");
    assert!(!receipt.has_event("Revealed"));
    let again = submit(reveal.clone()).await;
    // It was never revealed in time: to its worker that is no success.
    assert!(
        matches!(&again, Err(error) if error.is_refusal("RevealTooLate") && !error.is_done_already(&reveal)),
        "{again:?}"
    );
    let submissions = network
        .client
        .best()
        .await?
        .submissions(task, round)
        .await?;
    assert!(submissions.iter().all(|own| own.revealed.is_none()));
    Ok(())
}

/// `gotong` keeps back what a contributor needs, but a wallet sends all away that is free. Then no fee can be paid, and the
/// stake has its way out all the same: as far as a test can wait, since what it unstakes unbonds for a day here.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_sent_all_away_gets_its_stake_out() -> Result<()> {
    // Not one of the development accounts, which have more.
    let network = Network::start(&["Zed"]).await?;
    let client = &network.client;
    let (zed, bob) = (key("Zed"), key("Bob").public_key().0);
    let account = zed.public_key().0;
    let free = async || anyhow::Ok(client.best().await?.balance(&account).await?.free);
    let send = async |call: &Call| client.submit(&zed, call, Inclusion::Best).await;
    let prices = Prices::at(&client.best().await?)?;
    let known = (prices.contributor_stake, prices.attester_stake);
    assert_eq!(known, (10 * UNIT, 100 * UNIT));
    let known = (prices.commit_deposit, prices.dispute_bond);
    assert_eq!(known, (UNIT, 10 * UNIT));

    let before = free().await?;
    for spends_too_much in [
        "register --role=contributor --stake=99999",
        "task open --name=test --budget=99899.5 --model=mlp:784,32,10 --cap=100 --shards=6 --shard-samples=200",
    ] {
        let told = network.refused("Zed", spends_too_much).await?;
        assert!(told.contains("--force"), "{told}");
    }
    assert_eq!(free().await?, before);
    network
        .run("Zed", "register --role=contributor --stake=100")
        .await?;
    let told = network
        .refused("Zed", "transfer --to=Bob --amount=99899")
        .await?;
    assert!(told.contains("--force"), "{told}");
    network
        .run("Zed", "transfer --to=Bob --amount=50000")
        .await?;
    network
        .run("Zed", "transfer --to=Bob --amount=49898.5 --force")
        .await?;

    // As a wallet does. Two transfers of about the same amount have the same fee.
    let before = free().await?;
    send(&Call::transfer(bob, before / 2)).await?;
    let fee = before - before / 2 - free().await?;
    let all = free().await? - fee - prices.existential_deposit;
    send(&Call::transfer(bob, all)).await?;
    let left = free().await?;
    assert_eq!(left, prices.existential_deposit);

    // A refusal comes from the pool or, if that has not seen the last block yet, a block later.
    let assert_refused = async |call: &Call| {
        let refused = send(call).await;
        assert!(
            matches!(
                &refused,
                Err(ChainError::Rejected { .. } | ChainError::Dropped(_))
            ),
            "{refused:?}"
        );
    };
    assert_refused(&Call::transfer(bob, 1)).await;
    assert_refused(&Call::unstake(50 * UNIT)).await;
    let unstaked = network.run("Zed", "unstake --amount=100").await?;
    assert_eq!(unstaked["stake"], "0");
    let unbonding = &unstaked["unbonding"]["amount"];
    assert_eq!(*unbonding, (100 * UNIT).to_string());
    assert_refused(&Call::unstake(100 * UNIT)).await;
    assert_refused(&Call::withdraw()).await;
    assert_eq!(free().await?, left);
    Ok(())
}

/// A transaction is valid for 256 blocks. If they were counted from the last finalized block, nothing would work after them. The
/// node has pruned the state of that block, too. A liar is accused, convicted and slashed by blocks none of which is final, and
/// all of it becomes final in the end. Blocks come once a second, so this takes over ten minutes, of which nearly all is waiting.
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
    // Proofs are waited for in the first half of the challenge. Then each node gets some blocks to give one, and since none can,
    // whoever accuses needs the word of a second node.
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
            // Of two who accuse, one may be told that it came second.
            Ok(verdicts.find(|closed| closed.accused == liar && closed.verdict.convicts()))
        })
        .await?;
    let honest = ["Judith", "Judas"].map(|name| key(name).public_key().0);
    assert!(honest.contains(&verdict.challenger), "{verdict:?}");
    assert_eq!(verdict.reward, 500 * UNIT);
    // The dispute was open at a time when nothing had become final for so many blocks, and nothing has since.
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

    // Votes are cast again.
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

/// Every command of `gotong`, but for [`NOT_RUN`], once round 0 of `task` has settled. What cannot be done now is refused for that
/// reason, and for none that has to do with the chain.
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
    // It holds no seat, so it has nothing to fill before it leaves.
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
    // It ran beside all that.
    watch.check()?;

    // None is forgotten, and none is excused that is run.
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

/// What it says can be done as it stands.
#[test]
fn an_authority_without_a_network_key_says_how_to_make_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let node = sibling("gotong-node")?;
    let base = format!("--base-path={}", folder.path().display());
    let refused = Command::new(&node)
        .args(["--chain=local", "--validator", &base])
        .output()?;
    let told = String::from_utf8(refused.stderr)?;
    assert_eq!(refused.status.code(), Some(1), "{told}");
    let advice = told.split('`').nth(1).context("a command in backquotes")?;
    let programs = node.parent().context("a folder")?;
    let advised = Command::new("sh")
        .args(["-c", advice])
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .output()?;
    assert!(advised.status.success(), "{advised:?}");
    let key = folder
        .path()
        .join("chains/gotong_local/network/secret_ed25519");
    assert!(key.is_file(), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn light_use_from_outside() -> Result<()> {
    let network = Network::start(&["One"]).await?;

    // Metadata, read by subxt: the pallet, its calls and its view functions.
    let moment = network.client.best().await?;
    let pallet = moment
        .metadata()
        .pallet_by_name("Contribution")
        .context("the pallet is in the metadata")?;
    assert_eq!(pallet.call_variants().map(<[_]>::len), Some(18));
    assert!(pallet.view_function_by_name("rewards").is_some());

    // Calls that can be made only once. A claim is of several rounds.
    let mut errors: HashSet<&str> = pallet
        .error_variants()
        .context("errors")?
        .iter()
        .map(|error| error.name.as_str())
        .filter(|name| name.contains("Already") && *name != "AlreadyClaimed")
        .collect();
    for (_, call, error) in Call::ONCE {
        assert!(pallet.call_variant_by_name(call).is_some(), "{call}");
        assert!(errors.remove(error), "{call}");
    }
    assert!(errors.is_empty(), "{errors:?}");

    // A transfer.
    let bob = key("Bob").public_key().0;
    let before = moment.balance(&bob).await?.free;
    network
        .client
        .submit(
            &key("One"),
            &Call::transfer(bob, UNIT),
            Inclusion::Finalized,
        )
        .await?;
    let after = network.client.best().await?.balance(&bob).await?.free;
    assert_eq!(after, before + UNIT);

    // View functions, and a refusal by name.
    let moment = network.client.best().await?;
    assert_eq!(moment.stake(&bob).await?, None);
    assert!(moment.tasks().await?.is_empty());
    let refused = network
        .client
        .submit(&key("One"), &Call::withdraw(), Inclusion::Best)
        .await;
    assert!(
        matches!(&refused, Err(ChainError::Refused { name, .. }) if name == "NotRegistered"),
        "{refused:?}"
    );

    // Calls of one account at the same time: who is overtaken signs again.
    let before = network.client.best().await?.balance(&bob).await?.free;
    let signer = key("One");
    let call = Call::transfer(bob, UNIT);
    let send = || network.client.submit(&signer, &call, Inclusion::Best);
    tokio::try_join!(send(), send(), send(), send())?;
    let after = network.client.best().await?.balance(&bob).await?.free;
    assert_eq!(after, before + 4 * UNIT);

    // Readers that go away stop no command: not its data, not its errors.
    for (command, code) in [("rewards", 0), ("withdraw", 1)] {
        let status = network.run_unread("One", command).await?;
        assert_eq!(status.code(), Some(code), "{command}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_the_memory_of_live_tasks() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let findings = network.diagnosis("Judith").await?;
    let findings = findings.as_array().context("a list")?;
    let memory = findings.iter().find(|found| found["check"] == "memory");
    let memory = memory.context("a finding about memory")?;
    assert_eq!(memory["ok"], true, "{memory}");
    let view = network.task(task).await?;
    let needs = RoundMemory::of_full(&view.terms, &view.graph)?;
    let (bytes, deltas) = (needs.bytes(), needs.deltas);
    let expected = serde_json::json!([{ "task": task.0, "bytes": bytes, "deltas": deltas }]);
    assert_eq!(memory["tasks"], expected);
    Ok(())
}
