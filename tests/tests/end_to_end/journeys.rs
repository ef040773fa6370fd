//! From registration to pay, through crashes.

use crate::{contribute, small_task, ROUND_LIMIT};
use anyhow::{Context, Result};
use gotong::{
    chain::{Call, ChainError, Inclusion},
    cli::means::Prices,
    process::sibling,
    run::RoundMemory,
};
use gotong_protocol::{
    pay, submission_commitment,
    view::{Duty, DutyKind, RoundView},
    ClaimItem, Delta, Outcome, Phase, RoundId, TaskId,
};
use gotong_tests::{assert_settled, issuance::Money, key, Network, UNIT};
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
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
        // Later gains may be within the noise of 100 samples, but the first one never is.
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
        // What is proved is paid, to the planck, and reported as such.
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

    // The contributor dies between commit and reveal, when only its disk knows the delta and the salt. Nobody reveals before the
    // other contributor has committed.
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

    // The attester dies between commit and reveal. The other attester has to have committed by then, too.
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
    // Nothing was slashed: the attester still has all of its stake.
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

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_training_goes_on() -> Result<()> {
    goes_on("0 --until-round=1").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_training_for_all_tasks_goes_on() -> Result<()> {
    goes_on("auto").await
}

/// The only contributor, to the first task or to all, dies in the middle of its training run, which then resumes from its checkpoint.
/// Nobody else can commit, so the round waits.
async fn goes_on(tasks: &str) -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;
    // It stores a checkpoint after every update, so it is killed in the block after the first one. The rest takes many blocks.
    let contribute = |checkpoint_every: u32| {
        format!("contribute --steps=4000 --checkpoint-every={checkpoint_every} --task {tasks}")
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
    let (before, went_on) = log.split_once("resuming at update ").context(log.clone())?;
    assert_eq!(before.matches(" training").count(), 2, "{log}");
    let (updates, _) = went_on.split_once(" of 4000").context(log.clone())?;
    assert!(updates.parse::<u32>()? > 0, "{log}");
    // With all tasks, the next round is trained for by now.
    if tasks != "auto" {
        assert_eq!(checkpoint(&folder)?, None);
    }
    Ok(())
}

/// There are far more updates than the Commit window has time for, but the delta still comes in time.
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
    let (before, _) = log.split_once("updates were made").unwrap_or_default();
    assert!(
        before.contains("of 100000000 updates fit into the Commit window"),
        "it is told as soon as it is known: {log}"
    );
    assert_eq!(log.matches(" training").count(), 1, "{log}");
    Ok(())
}

/// With a learning rate at which a model forgets what it has learned, nothing is submitted, and the window passes. Then the same
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

/// The checkpoint of the only account below `folder`, in the folder of its only task.
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

/// A contributor with nothing more than a wallet sees what it is owed and claims it, without replay and without proof, because the
/// attester has published its credit.
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

/// A contributor that reveals when the round accepts nothing any more loses the deposit, but is still the author.
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
    // It was not revealed in time, so its worker does not count it as a success.
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

/// `gotong` keeps back what a contributor needs, but a wallet sends away everything that is free. Then no fee can be paid, but the
/// stake can still be withdrawn. This follows it as far as a test can wait, because what it unstakes unbonds for a day here.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_sent_all_away_gets_its_stake_out() -> Result<()> {
    // This must not be one of the development accounts, which have more.
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

    // This is what a wallet does. Two transfers of about the same amount have the same fee.
    let before = free().await?;
    send(&Call::transfer(bob, before / 2)).await?;
    let fee = before - before / 2 - free().await?;
    let all = free().await? - fee - prices.existential_deposit;
    send(&Call::transfer(bob, all)).await?;
    let left = free().await?;
    assert_eq!(left, prices.existential_deposit);

    // The refusal comes from the pool or, if that has not seen the last block yet, a block later.
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

/// The command that it suggests works as it stands.
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

    // The metadata, read by subxt: the pallet, its calls and its view functions.
    let moment = network.client.best().await?;
    let pallet = moment
        .metadata()
        .pallet_by_name("Contribution")
        .context("the pallet is in the metadata")?;
    assert_eq!(pallet.call_variants().map(<[_]>::len), Some(18));
    assert!(pallet.view_function_by_name("rewards").is_some());

    // Calls that can be made only once. A claim covers several rounds.
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

    // Several calls of one account at the same time. One that is overtaken is signed again.
    let before = network.client.best().await?.balance(&bob).await?.free;
    let signer = key("One");
    let call = Call::transfer(bob, UNIT);
    let send = || network.client.submit(&signer, &call, Inclusion::Best);
    tokio::try_join!(send(), send(), send(), send())?;
    let after = network.client.best().await?.balance(&bob).await?.free;
    assert_eq!(after, before + 4 * UNIT);

    // A command does not stop when its reader goes away, whether that read its data or its errors.
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
