//! Attesters on a busy chain.

use super::{contribute, ROUND_LIMIT, SMALL};
use anyhow::{bail, Context, Result};
use gotong::{
    chain::{Account, Call, Client, Inclusion},
    process::Running,
    run::{inputs_digest, Capacity},
};
use gotong_protocol::{
    dispute::Verdict,
    submission_commitment,
    view::{RoundView, SeatView},
    Delta, Phase, RoundId, SeatState, TaskId,
};
use gotong_scoring::share::{trial::Accusation, Stage};
use gotong_tests::{assert_settled, key, Network, UNIT};
use std::process::Command;

const TASKS: usize = 12;
const ACCOMPLICES: [&str; 2] = ["Mallory", "Moll"];
const ROUND: RoundId = RoundId(0);
/// Windows of five blocks for attesters, the shortest that there are.
const TERMS: &str = "task open --name=test --init-seed=1 --price=0.01 --cap=100 --budget=1000 \
    --fee-permille=100 --commit-blocks=60 --reveal-blocks=60 --attest-blocks=5 \
    --challenge-blocks=5 --weight-cap=1000 --seats=3 --quorum=2";

fn account(name: &str) -> Account {
    key(name).public_key().0
}

/// The seat of the account with this name.
fn seat<'a>(round: &'a RoundView, name: &str) -> Option<&'a SeatView> {
    let account = account(name);
    round.seats.iter().find(|seat| seat.account == account)
}

/// Whether the account sits in the round and has to commit now.
fn has_to_commit(round: &RoundView, who: Account) -> bool {
    let seat = round.seats.iter().find(|seat| seat.account == who);
    round.phase == Phase::AttestCommit
        && seat.is_some_and(|seat| seat.state == SeatState::Sitting && !seat.committed)
}

/// As soon as it can, commits to what can never be shown, in every seat of the account, and makes a new offer whenever that has
/// ended the old one. Ends with the connection.
async fn commit_to_nothing(network: &Network, name: &str, tasks: &[TaskId]) -> Result<()> {
    let client = Client::connect(&network.node.url()).await?;
    let mut blocks = client.best_blocks().await?;
    while let Some(now) = blocks.latest().await {
        let now = now?;
        let mut calls = Vec::new();
        let offer = now.offer(&account(name)).await?;
        if offer.is_none_or(|offer| offer.seats == 0) {
            calls.push(Call::offer(u8::MAX, u64::MAX, true, &[]));
        }
        for task in tasks {
            let round = now.round(*task, ROUND).await?.context("it began")?;
            if has_to_commit(&round, account(name)) {
                let submissions = now.submissions(*task, ROUND).await?;
                let inputs = inputs_digest(&round, &submissions);
                calls.push(Call::commit_attestation(*task, ROUND, [9; 32], inputs));
            }
        }
        if !calls.is_empty() {
            // This is refused if one of the rounds has moved on meanwhile. The next look sends the others.
            let _ = client.submit_all(&key(name), &calls, Inclusion::Best).await;
        }
    }
    Ok(())
}

/// Tests of what a machine can do in a few seconds. Other tests on the same machine would spoil them.
mod alone {
    use super::*;

    /// Two accomplices of the sponsor make the quorum of every round: they commit to what they never show, so that any other
    /// attester with a seat is slashed if it does not commit within five blocks. One call per block was too few: the honest
    /// attester lost 10 GTG in most tasks.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs the machine for itself: make test runs it alone"]
    async fn an_honest_attester_of_many_tasks_misses_nothing() -> Result<()> {
        let network = Network::start(&["Sponsor", "One", "Judith", "Mallory", "Moll"]).await?;
        for name in ["One", "Judith", "Mallory", "Moll"] {
            let role = if name == "One" {
                "contributor"
            } else {
                "attester"
            };
            let register = format!("register --role={role} --stake=1000");
            network.run(name, &register).await?;
        }
        let judith = network.daemon("Judith", "attest")?;
        let everything = Call::offer(u8::MAX, u64::MAX, true, &[]);
        let client = &network.client;
        for name in ACCOMPLICES {
            client
                .submit(&key(name), &everything, Inclusion::Best)
                .await?;
        }
        let mut tasks = Vec::new();
        let mut sponsors = Vec::new();
        for _ in 0..TASKS {
            let opened = network.run("Sponsor", &format!("{TERMS} {SMALL}")).await?;
            let id = opened["task"].as_u64().context("`task open` names it")?;
            tasks.push(TaskId(u32::try_from(id)?));
            sponsors.push(network.daemon("Sponsor", &format!("sponsor --task={id}"))?);
        }
        network
            .until("Judith's offer", ROUND_LIMIT, async |now| {
                now.offer(&account("Judith")).await.map_err(Into::into)
            })
            .await?;

        let mut change = vec![0; network.task(tasks[0]).await?.parameters as usize];
        change[3] = 700;
        let (delta, salt) = (Delta::compress(&change, 1000).encode(), [7; 32]);
        let hash = Delta::hash_of(&delta);
        let commit = |task: &TaskId| {
            let commitment = submission_commitment(*task, ROUND, &account("One"), &hash, &salt);
            Call::commit(*task, ROUND, commitment)
        };
        let commits: Vec<_> = tasks.iter().map(commit).collect();
        client
            .submit_all(&key("One"), &commits, Inclusion::Best)
            .await?;
        all_in(&network, &tasks, Phase::Reveal).await?;
        let reveal = |task: &TaskId| Call::reveal(*task, ROUND, &delta, salt);
        let reveals: Vec<_> = tasks.iter().map(reveal).collect();
        client
            .submit_all(&key("One"), &reveals, Inclusion::Best)
            .await?;

        let ended = network.until("the end of all rounds", ROUND_LIMIT, async |now| {
            let mut rounds = Vec::new();
            for task in &tasks {
                rounds.push(now.round(*task, ROUND).await?.context("it began")?);
            }
            rounds.retain(|round| round.outcome.is_some());
            Ok((rounds.len() == TASKS).then_some(rounds))
        });
        let [mallory, moll] = ACCOMPLICES;
        let rounds = tokio::select! {
            rounds = ended => rounds?,
            stopped = commit_to_nothing(&network, mallory, &tasks) => bail!("{mallory}: {stopped:?}"),
            stopped = commit_to_nothing(&network, moll, &tasks) => bail!("{moll}: {stopped:?}"),
        };
        let (mut missed, mut quorums) = (0, 0);
        for round in &rounds {
            let honest = seat(round, "Judith").context("Judith has a seat in every round")?;
            // Alone it is not a quorum, so no audits follow.
            missed += usize::from(honest.state != SeatState::Sitting || honest.claim.is_none());
            let has_committed = |name: &&str| seat(round, name).is_some_and(|seat| seat.committed);
            quorums += usize::from(ACCOMPLICES.iter().all(has_committed));
        }
        assert!(quorums > TASKS / 2, "{quorums} rounds were a danger");
        let log = std::fs::read_to_string(judith.log())?;
        assert_eq!(missed, 0, "{log}");
        let now = client.best().await?;
        let stake = now.stake(&account("Judith")).await?;
        assert_eq!(stake.context("registered")?.stake, 1_000 * UNIT, "{log}");
        Ok(())
    }
}

async fn all_in(network: &Network, tasks: &[TaskId], phase: Phase) -> Result<()> {
    network
        .until(&format!("{phase:?}"), ROUND_LIMIT, async |now| {
            for task in tasks {
                let round = now.round(*task, ROUND).await?.context("it began")?;
                if round.phase != phase {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
}

/// If nobody attests once all have committed, the round waits and uses up no shard. It continues as soon as somebody offers.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_waits_for_its_attester() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    network.register(&["One"], &[]).await?;
    let task = network.open_another(SMALL, 1).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _contributor = network.daemon("One", &contribute(task, "1/1"))?;
    network
        .until("a round that waits", ROUND_LIMIT, async |now| {
            let round = now.round(task, ROUND).await?.context("it began")?;
            Ok(round.awaits_attesters.then_some(()))
        })
        .await?;
    assert_eq!(network.task(task).await?.next_shard, 0);
    network.register(&[], &["Judith"]).await?;
    let _judith = network.daemon("Judith", "attest")?;
    let round = network.ended(task, ROUND.0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    assert_eq!(round.shard.map(|shard| shard.index), Some(0));
    Ok(())
}

/// The offer follows what the user says about pay and work. The first task pays a seat at most some 4 GTG, and the second one a
/// hundredth of that, which is still more than the calls cost.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_leaves_out_what_pays_too_little_and_takes_on_no_more_than_it_may() -> Result<()> {
    let network = Network::start(&["Sponsor", "Judith"]).await?;
    network
        .run("Judith", "register --role=attester --stake=1000")
        .await?;
    let windows = "--attest-blocks=30 --challenge-blocks=6";
    let paying = open_for_two(&network, windows).await?;
    let poor = open_for_two(&network, &format!("{windows} --fee-permille=1")).await?;
    let _judith = network.daemon("Judith", "attest --least-pay=1 --speed=0.5")?;
    let offer = network
        .until("the offer", ROUND_LIMIT, async |now| {
            now.offer(&account("Judith")).await.map_err(Into::into)
        })
        .await?;
    assert_ne!(paying, poor);
    assert_eq!((offer.sealed, offer.tasks), (false, vec![paying]));
    assert_eq!(offer.capacity, Capacity::default().products / 2);
    Ok(())
}

/// A program that is told to stop is not drawn while it is away.
#[tokio::test(flavor = "multi_thread")]
async fn who_stops_offers_no_more_seats() -> Result<()> {
    let network = Network::start(&["Judith"]).await?;
    network
        .run("Judith", "register --role=attester --stake=1000")
        .await?;
    let judith = network.daemon("Judith", "attest --seats=3")?;
    let offer = async |now: &gotong::chain::Moment| now.offer(&account("Judith")).await;
    let offered = network
        .until("the offer", ROUND_LIMIT, async |now| Ok(offer(now).await?))
        .await?;
    assert_eq!((offered.seats, offered.sealed), (3, true));
    let process = judith.id().to_string();
    let told = Command::new("kill").args(["-INT", &process]).status()?;
    assert!(told.success());
    network
        .until("its end", ROUND_LIMIT, async |now| {
            Ok(offer(now).await?.is_none().then_some(()))
        })
        .await
}

/// An attester that was killed is drawn while it is away. Started without seats, it withdraws its offer and ends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn who_offers_no_seats_takes_its_offer_back_and_ends() -> Result<()> {
    let network = Network::start(&["Judith"]).await?;
    network.register(&[], &["Judith"]).await?;
    let found = |findings: serde_json::Value, what: &str| {
        let mut findings = findings.as_array().cloned().unwrap_or_default();
        findings.retain(|found| found["check"] == "offer");
        findings.pop().map(|found| found["offer"][what].clone())
    };
    let findings = network.diagnosis("Judith").await?;
    assert_eq!(found(findings, "suspended"), Some(false.into()));
    let mut leaving = network.daemon("Judith", "attest --seats=0")?;
    let process = format!("/proc/{}", leaving.id());
    network
        .until("its end", ROUND_LIMIT, async |now| {
            leaving.check()?;
            let is_gone = !std::path::Path::new(&process).exists();
            let offer = now.offer(&account("Judith")).await?;
            Ok((is_gone && offer.is_none()).then_some(()))
        })
        .await?;
    let log = std::fs::read_to_string(leaving.log())?;
    assert!(log.contains("nothing is left to do"), "{log}");
    Ok(())
}

/// Opens a task with two seats, which make its quorum, with these windows for attesters and any other options that differ from
/// other tasks. By default a tenth goes to attesters.
async fn open_for_two(network: &Network, options: &str) -> Result<TaskId> {
    let open = format!(
        "task open --name=test --init-seed=1 --price=0.01 --cap=100 --budget=1000 --commit-blocks=40 --reveal-blocks=30 \
         --weight-cap=1000 --seats=2 --quorum=2 {options} {SMALL}"
    );
    let opened = network.run("Sponsor", &open).await?;
    let id = opened["task"].as_u64().context("`task open` names it")?;
    Ok(TaskId(u32::try_from(id)?))
}

/// The first round of a task for two attesters, with its sponsor and a contributor at work. Judith is one of the two.
struct RoundForTwo<'a> {
    network: &'a Network,
    task: TaskId,
    _workers: [Running; 2],
}

impl<'a> RoundForTwo<'a> {
    /// Begins the round, with these windows for attesters.
    async fn begin(network: &'a Network, windows: &str) -> Result<Self> {
        let task = open_for_two(network, windows).await?;
        let workers = [
            network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
            network.daemon("One", &contribute(task, "1/1"))?,
        ];
        Ok(Self {
            network,
            task,
            _workers: workers,
        })
    }

    /// Waits until `check` accepts the round and Judith's seat in it, and returns the round.
    async fn until(
        &self,
        what: &str,
        check: fn(&RoundView, &SeatView) -> bool,
    ) -> Result<RoundView> {
        self.network
            .until(what, ROUND_LIMIT, async |now| {
                let round = now.round(self.task, ROUND).await?.context("it began")?;
                let is_so = seat(&round, "Judith").is_some_and(|seat| check(&round, seat));
                Ok(is_so.then_some(round))
            })
            .await
    }

    /// Runs Judith until she has committed, then kills her.
    async fn judith_commits_and_dies(&self) -> Result<()> {
        let mut judith = self.network.daemon("Judith", "attest")?;
        self.until("the commitment", |_, seat| seat.committed)
            .await?;
        judith.kill();
        Ok(())
    }

    async fn ended(&self) -> Result<RoundView> {
        self.network.ended(self.task, ROUND.0, ROUND_LIMIT).await
    }
}

/// Fails unless the account has done everything that its seat in the round required, was paid, and has its stake of 1,000 GTG.
async fn assert_served(network: &Network, round: &RoundView, name: &str, log: &str) -> Result<()> {
    assert_settled(round)?;
    let own = seat(round, name).with_context(|| format!("{name} has a seat"))?;
    assert_eq!(own.state, SeatState::Sitting, "{log}");
    assert!(own.audited && own.fee > 0, "{log}");
    let now = network.client.best().await?;
    let stake = now.stake(&account(name)).await?;
    assert_eq!(stake.context("registered")?.stake, 1_000 * UNIT, "{log}");
    Ok(())
}

/// Judith is killed in every phase of a round, and restarted. She scores the round once, shows everything that she owes, and
/// defends her table. Each phase waits for her, or for Bob, who is started when it may end.
#[tokio::test(flavor = "multi_thread")]
async fn an_attester_that_is_killed_in_every_phase_loses_nothing() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith", "Bob", "Envy"]).await?;
    network.register(&["One"], &["Judith", "Bob"]).await?;
    let begun = RoundForTwo::begin(&network, "--attest-blocks=60 --challenge-blocks=40").await?;

    // She is drawn, and is scoring or about to commit.
    let mut judith = network.daemon("Judith", "attest")?;
    begun
        .until("the draw", |round, _| round.phase == Phase::AttestCommit)
        .await?;
    judith.kill();

    // She has committed, and Bob has not.
    begun.judith_commits_and_dies().await?;
    let _bob = network.daemon("Bob", "attest")?;
    begun
        .until("AttestReveal", |round, _| {
            round.phase == Phase::AttestReveal
        })
        .await?;
    let mut judith = network.daemon("Judith", "attest")?;

    // She has revealed, and the audits take some blocks to be drawn.
    begun
        .until("the table", |_, seat| seat.claim.is_some())
        .await?;
    judith.kill();
    let audited = |round: &RoundView, seat: &SeatView| round.audit_seed.is_some() && !seat.audited;
    begun.until("the draw of audits", audited).await?;
    let mut judith = network.daemon("Judith", "attest")?;
    begun.until("the answers", |_, seat| seat.audited).await?;

    // She is accused.
    judith.kill();
    let rows = Accusation::Rows(Stage::Pass(0));
    let accuse = Call::open_dispute(begun.task, ROUND, account("Judith"), rows);
    let client = &network.client;
    client
        .submit(&key("Envy"), &accuse, Inclusion::Best)
        .await?;
    let judith = network.daemon("Judith", "attest")?;
    let verdict = network
        .until("the verdict", ROUND_LIMIT, async |now| {
            Ok(now.verdicts().await?.into_iter().next())
        })
        .await?;
    // She answered, and Envy has nothing to pick.
    assert_eq!(verdict.accused, account("Judith"));
    assert_eq!(verdict.verdict, Verdict::Abandoned);

    let round = begun.ended().await?;
    let log = std::fs::read_to_string(judith.log())?;
    assert_served(&network, &round, "Judith", &log).await?;
    // Not even her own work is computed again.
    assert!(log.matches("scored in").count() <= 1, "{log}");
    Ok(())
}

/// After Judith has committed, she has nothing left but her key. AttestCommit waits for Bob, and AttestReveal for her.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_lost_after_a_commitment_costs_nothing() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith", "Bob"]).await?;
    network.register(&["One"], &["Judith", "Bob"]).await?;
    let begun = RoundForTwo::begin(&network, "--attest-blocks=60 --challenge-blocks=6").await?;
    begun.judith_commits_and_dies().await?;
    std::fs::remove_dir_all(network.folder().join("Judith"))?;
    let _bob = network.daemon("Bob", "attest")?;
    begun
        .until("AttestReveal", |round, _| {
            round.phase == Phase::AttestReveal
        })
        .await?;
    let judith = network.daemon("Judith", "attest")?;
    let round = begun.ended().await?;
    let log = std::fs::read_to_string(judith.log())?;
    assert_served(&network, &round, "Judith", &log).await?;
    assert!(log.contains("is not on this disk"), "{log}");
    Ok(())
}

/// Moll takes a seat and stays away, so seats are drawn anew, and Bob replaces her. Judith, who has committed, is killed before
/// that, and restarted in the middle of it. She commits to nothing else, and reveals together with Bob.
#[tokio::test(flavor = "multi_thread")]
async fn an_attester_that_is_killed_before_a_redraw_keeps_its_seat() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith", "Moll", "Bob"]).await?;
    network.register(&["One"], &["Judith", "Moll"]).await?;
    network
        .run("Bob", "register --role=attester --stake=1000")
        .await?;
    let begun = RoundForTwo::begin(&network, "--attest-blocks=30 --challenge-blocks=6").await?;
    begun.judith_commits_and_dies().await?;
    // This must not come earlier. Otherwise Bob may be drawn at first, and Moll may be the replacement.
    let offer = Call::offer(u8::MAX, u64::MAX, true, &[]);
    let client = &network.client;
    client.submit(&key("Bob"), &offer, Inclusion::Best).await?;
    let _bob = network.daemon("Bob", "attest")?;
    begun
        .until("the redraw", |round, _| round.redraws > 0)
        .await?;
    let judith = network.daemon("Judith", "attest")?;
    let round = begun.ended().await?;
    let log = std::fs::read_to_string(judith.log())?;
    assert_served(&network, &round, "Judith", &log).await?;
    let (moll, bob) = (seat(&round, "Moll"), seat(&round, "Bob"));
    assert_eq!(moll.map(|moll| moll.state), Some(SeatState::Missed));
    assert_eq!(bob.map(|bob| bob.state), Some(SeatState::Sitting));
    // There is none if she was killed before she could report it.
    let commitments = log.matches("committed to a table").count();
    assert!(commitments <= 1, "{log}");
    Ok(())
}

/// Two attesters follow a task from its opening, and a third one begins in its fourth round. Its first window of eight blocks is
/// meant for one round. Once, it would have had to score all four rounds in it, while the other two made the quorum: that cost it
/// 10 GTG and its offer.
#[tokio::test(flavor = "multi_thread")]
async fn who_begins_late_has_caught_up_before_it_offers() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Bob", "Envy", "Judith"]).await?;
    network.register(&["One"], &["Bob", "Envy"]).await?;
    let open = "task open --name=test --init-seed=1 --price=0.01 --cap=100 --budget=1000 --fee-permille=100 \
                --commit-blocks=40 --reveal-blocks=30 --attest-blocks=20 --challenge-blocks=6 --weight-cap=1000 \
                --seats=3 --quorum=2";
    let opened = network.run("Sponsor", &format!("{open} {SMALL}")).await?;
    let id = opened["task"].as_u64().context("`task open` names it")?;
    let task = TaskId(u32::try_from(id)?);
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={id}"))?;
    let _contributor = network.daemon("One", &contribute(task, "1/1"))?;
    let bob = network.daemon("Bob", "attest")?;
    let envy = network.daemon("Envy", "attest")?;
    let before = 3;
    for round in 0..before {
        assert_settled(&network.ended(task, round, ROUND_LIMIT).await?)?;
    }

    network
        .run("Judith", "register --role=attester --stake=1000")
        .await?;
    let judith = network.daemon("Judith", "attest")?;
    // There are three seats, and three attesters that offer.
    let seated = network
        .until("a round with Judith", ROUND_LIMIT * 2, async |now| {
            let last = now.task(task).await?.context("it was opened")?.round;
            for id in (before..=last.0).map(RoundId) {
                let round = now.round(task, id).await?.context("it began")?;
                if round.outcome.is_some() && seat(&round, "Judith").is_some() {
                    return Ok(Some(round));
                }
            }
            Ok(None)
        })
        .await?;
    let log = std::fs::read_to_string(judith.log())?;
    assert_served(&network, &seated, "Judith", &log).await?;
    // Those that were there from the beginning have offered in every round, and changed nothing.
    for online in [&bob, &envy] {
        let log = std::fs::read_to_string(online.log())?;
        let changes = log.matches("the offer to attest is up to date").count();
        assert!(changes <= 1, "{log}");
    }
    // It scores no round before its own, although it may be drawn for the next one meanwhile.
    assert!(log.matches("scored in").count() <= 2, "{log}");
    Ok(())
}
