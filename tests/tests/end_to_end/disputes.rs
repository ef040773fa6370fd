//! Liars, parties that do not answer, and false accusers against honest parties, on a real chain.

use crate::{contribute, small_task, ROUND_LIMIT, SMALL};
use anyhow::{bail, Context, Result};
use codec::Encode;
use gotong::{
    chain::{Account, Call, ChainError, Client, Inclusion},
    process::Running,
};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    view::{DisputeView, RoundView, SeatView},
    Phase, RoundId, SeatState, TaskId,
};
use gotong_scoring::share::{
    trial::{Accusation, Pick, Shown, Step, Trial},
    Half, Stage,
};
use gotong_tests::{assert_settled, key, liar::Liar, Network, UNIT};

const FIRST: RoundId = RoundId(0);
const STAKE: u128 = 1_000 * UNIT;

fn account(name: &str) -> Account {
    key(name).public_key().0
}

/// A task with a sponsor and a contributor at work.
struct Scene {
    network: Network,
    task: TaskId,
    _workers: Vec<Running>,
}

impl Scene {
    /// The other `accounts` have only money.
    async fn set(accounts: &[&str], attesters: &[&str]) -> Result<Self> {
        let network = Network::start(&[&["Sponsor", "One"], attesters, accounts].concat()).await?;
        let task = small_task(&network, &["One"], attesters).await?;
        Self::at_work(network, task)
    }

    fn at_work(network: Network, task: TaskId) -> Result<Self> {
        let workers = vec![
            network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
            network.daemon("One", &contribute(task, "1/1"))?,
        ];
        Ok(Self {
            network,
            task,
            _workers: workers,
        })
    }

    /// Waits for this `phase` of the first round, until whatever is drawn at its beginning has been drawn.
    async fn phase(&self, phase: Phase) -> Result<RoundView> {
        let is_drawn = |view: &RoundView| match phase {
            Phase::AttestCommit => !view.seats.is_empty(),
            Phase::Challenge => view.audit_seed.is_some(),
            _ => true,
        };
        self.network
            .until(&format!("{phase:?}"), ROUND_LIMIT, async |moment| {
                let view = moment.round(self.task, FIRST).await?;
                Ok(view.filter(|view| view.phase == phase && is_drawn(view)))
            })
            .await
    }

    /// Waits until a dispute in which `moves` moves were made is open.
    async fn dispute(&self, moves: u32) -> Result<DisputeView> {
        self.network
            .until("a dispute", ROUND_LIMIT, async |moment| {
                let open = moment.disputes(Some(self.task)).await?;
                let reached = |dispute: &DisputeView| dispute.answers + dispute.picks >= moves;
                Ok(open.into_iter().find(reached))
            })
            .await
    }

    /// Waits until it is the turn of `challenger` in a dispute that it opened.
    async fn dispute_of(&self, challenger: &str) -> Result<DisputeView> {
        let challenger = account(challenger);
        self.network
            .until("the answer", ROUND_LIMIT, async |moment| {
                let open = moment.disputes(Some(self.task)).await?;
                let answered = |dispute: &DisputeView| {
                    dispute.challenger == challenger && !dispute.awaits_answer
                };
                Ok(open.into_iter().find(answered))
            })
            .await
    }

    /// Waits until `count` disputes have been decided.
    async fn verdicts(&self, count: usize) -> Result<Vec<ClosedDispute>> {
        self.network
            .until("the verdict", ROUND_LIMIT, async |moment| {
                let verdicts = moment.verdicts().await?;
                Ok((verdicts.len() >= count).then_some(verdicts))
            })
            .await
    }

    async fn ended(&self) -> Result<RoundView> {
        self.network.ended(self.task, 0, ROUND_LIMIT).await
    }

    async fn stake(&self, name: &str) -> Result<u128> {
        stake(&self.network, name).await
    }

    async fn free(&self, name: &str) -> Result<u128> {
        let moment = self.network.client.best().await?;
        Ok(moment.balance(&account(name)).await?.free)
    }
}

/// The stake of the account.
async fn stake(network: &Network, name: &str) -> Result<u128> {
    let now = network.client.best().await?;
    let stake = now.stake(&account(name)).await?;
    Ok(stake.map_or(0, |stake| stake.stake))
}

fn seat<'a>(round: &'a RoundView, name: &str) -> Result<&'a SeatView> {
    let mut seats = round.seats.iter();
    let seat = seats.find(|seat| seat.account == account(name));
    seat.with_context(|| format!("{name} has a seat"))
}

fn state(round: &RoundView, name: &str) -> Result<SeatState> {
    Ok(seat(round, name)?.state)
}

/// The loss of one sample is off by one. The liar is convicted by a single word, while the round continues and pays. Unstaking does
/// not save the liar.
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_is_convicted_and_the_round_pays() -> Result<()> {
    let scene = Scene::set(&[], &["Judith", "Liar"]).await?;
    let network = &scene.network;
    let _honest = network.daemon("Judith", "attest")?;
    let _liar = network.daemon("Liar", "attest --lie=loss")?;

    scene.phase(Phase::Challenge).await?;
    let before = scene.free("Judith").await?;
    network
        .client
        .submit(&key("Liar"), &Call::unstake(STAKE), Inclusion::Best)
        .await?;

    let verdicts = scene.verdicts(1).await?;
    let verdict = &verdicts[0];
    assert_eq!(verdict.accused, account("Liar"));
    assert_eq!(verdict.challenger, account("Judith"));
    assert!(
        matches!(verdict.verdict, Verdict::Refuted(Step::Loss(_))),
        "{verdict:?}"
    );
    assert_eq!(verdict.reward, STAKE / 2);
    assert_eq!(scene.stake("Liar").await?, 0);
    let fees = UNIT;
    assert!(scene.free("Judith").await? > before + STAKE / 2 - fees);

    let round = scene.ended().await?;
    assert_settled(&round)?;
    assert_eq!(state(&round, "Liar")?, SeatState::Convicted);
    assert_eq!(state(&round, "Judith")?, SeatState::Sitting);
    assert_eq!(scene.stake("Judith").await?, STAKE);
    let claim = round.claim.as_ref().context("settled on a claim")?;
    assert!(claim.merged.is_some_and(|merged| merged.gain > 0));
    let fees: Vec<u128> = round.seats.iter().map(|seat| seat.fee).collect();
    assert_eq!(fees.iter().sum::<u128>(), round.fees);
    assert_eq!(fees.iter().filter(|fee| **fee > 0).count(), 1);

    // Anybody can verify it again, from the chain's data alone, and prove a step to somebody who has none of that data.
    let verified = network
        .run("One", &format!("verify --task={} --round=0", scene.task.0))
        .await?;
    assert_eq!(verified["equal"], true, "{verified}");
    let file = network.folder().join("step.evidence");
    let file = file.display();
    network
        .run(
            "One",
            &format!("prove --dispute={} --out={file}", verdict.id),
        )
        .await?;
    let checked = network
        .run("One", &format!("prove --check={file} --chain"))
        .await?;
    assert_eq!(checked["finding"], "wrong", "{checked}");
    assert_eq!(checked["chain"]["equal"], true, "{checked}");
    Ok(())
}

/// A device computes rounds of six tasks, and begins to flip words after its thousandth call. A round that merges something makes
/// 104 calls: three for each of the 16 groups of both gradients, and two for each of the four evaluations. So the first wrong
/// answer comes in the second rounds of the tasks. The processor takes over, and all tables equal those of the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_goes_wrong_after_its_thousandth_call_costs_no_stake() -> Result<()> {
    const TASKS: usize = 6;
    const ROUNDS: u32 = 2;
    let attesters = ["Judith", "Faulty"];
    let network = Network::start(&["Sponsor", "One", "Judith", "Faulty"]).await?;
    network.register(&["One"], &attesters).await?;
    // Its self-test takes a while. Calls of the self-test do not count.
    let faulty = network.daemon("Faulty", "attest --device=flex --flip-after=1000")?;
    let _honest = network.daemon("Judith", "attest")?;
    let (mut tasks, mut sponsors) = (Vec::new(), Vec::new());
    for _ in 0..TASKS {
        let task = network.open_another(SMALL, attesters.len()).await?;
        sponsors.push(network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?);
        tasks.push(task);
    }
    let _contributor = network.daemon("One", "contribute --task=auto --steps=30")?;

    for round in 0..ROUNDS {
        for task in &tasks {
            // The tasks take turns in training.
            let round = network.ended(*task, round, 2 * ROUND_LIMIT).await?;
            assert_settled(&round)?;
            for name in attesters {
                assert_eq!(state(&round, name)?, SeatState::Sitting);
            }
            assert!(round.seats.iter().all(|seat| seat.claim == round.claim));
        }
    }
    for name in attesters {
        assert_eq!(stake(&network, name).await?, STAKE);
    }
    // Otherwise the device was not asked often enough, and nothing was checked.
    let log = std::fs::read_to_string(faulty.log())?;
    assert!(log.contains("THE DEVICE COMPUTES WRONGLY"), "{log}");
    Ok(())
}

/// Node, challenger and accused die in the middle of a dispute, and nobody loses by that.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_survives_restarts() -> Result<()> {
    let mut scene = Scene::set(&[], &["Judith", "Liar"]).await?;
    let mut honest = scene.network.daemon("Judith", "attest")?;
    let mut liar = scene.network.daemon("Liar", "attest --lie=weight")?;

    scene.dispute(1).await?;
    honest.kill();
    liar.kill();
    scene.network.crash_node().await?;
    let _honest = scene.network.daemon("Judith", "attest")?;
    let _liar = scene.network.daemon("Liar", "attest --lie=weight")?;

    let verdicts = scene.verdicts(1).await?;
    assert_eq!(verdicts[0].accused, account("Liar"));
    assert!(
        matches!(verdicts[0].verdict, Verdict::Refuted(Step::Weight { .. })),
        "{:?}",
        verdicts[0]
    );
    assert_settled(&scene.ended().await?)
}

/// The first node of an honest challenger shows a dispute in which one more loss differs, although that loss is right on the chain.
/// A challenger who picks it loses the bond. Before a pick is made, what is final contradicts the node, and the second node shows
/// the truth.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lies_about_a_dispute_costs_no_bond() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith", "Liar"]).await?;
    network.register(&["One"], &["Judith", "Liar"]).await?;
    let task = network.open_with_long_windows(SMALL, 2, 20).await?;
    let scene = Scene::at_work(network, task)?;
    let network = &scene.network;
    // With `--stall` she leaves disputes alone. The test opens the dispute for her.
    let mut judith = network.daemon("Judith", "attest --stall")?;
    let _liar = network.daemon("Liar", "attest --lie=loss")?;
    let round = network
        .until("the answers to the audits", ROUND_LIMIT, async |moment| {
            let round = moment.round(task, FIRST).await?.context("it began")?;
            let are_drawn = round.phase == Phase::Challenge && round.audit_seed.is_some();
            let are_answered = are_drawn && round.seats.iter().all(|seat| seat.audited);
            Ok(are_answered.then_some(round))
        })
        .await?;
    judith.kill();
    let before = scene.free("Judith").await?;
    let table = |name| seat(&round, name)?.table.as_ref().context("a table");
    let (own, theirs) = (table("Judith")?, table("Liar")?);
    let mut halves = [Half::A, Half::B].into_iter();
    let half = halves.find(|half| own.fall(*half) != theirs.fall(*half));
    let half = half.context("the lie is about a loss")?;
    let accuse = Call::open_dispute(task, FIRST, account("Liar"), Accusation::Losses(half));
    network
        .client
        .submit(&key("Judith"), &accuse, Inclusion::Best)
        .await?;
    let shown = scene.dispute_of("Judith").await?;

    let Some(Shown::Losses([base, merged])) = &shown.trial.shown else {
        bail!("no losses are shown: {:?}", shown.trial);
    };
    // The liar's own lie is in the losses after the merge, and a challenger picks the first value that differs.
    let mut other = base.clone();
    *other.first_mut().context("samples")? ^= 1;
    let told = Trial {
        statement: shown.trial.statement,
        shown: Some(Shown::Losses([other, merged.clone()])),
    };
    // Only views begin like this, so the node's proofs stay true.
    let as_shown = |trial: &Trial| {
        let DisputeView {
            id,
            accused,
            challenger,
            bond,
            accusation,
            table,
            ..
        } = &shown;
        (
            id, task, FIRST, accused, challenger, bond, accusation, table, trial,
        )
            .encode()
    };
    let own = network.node.url();
    let lying = Liar::start(&own, &as_shown(&shown.trial), &as_shown(&told)).await?;
    let lied_to = Client::connect(&lying.url).await?.best().await?;
    let found = lied_to.dispute(shown.id).await?;
    let found = found.context("the dispute is open")?;
    assert_eq!(found.trial, told, "the lie is told");

    let judith = network.daemon_at(&format!("{},{own}", lying.url), "Judith", "attest")?;
    // If she had picked the loss that is right, the table would have been upheld, and she would have lost the bond.
    let verdicts = scene.verdicts(1).await?;
    let verdict = &verdicts[0];
    let log = std::fs::read_to_string(judith.log())?;
    assert_eq!(verdict.id, shown.id, "{log}");
    assert_eq!(verdict.accused, account("Liar"), "{log}");
    assert!(
        matches!(verdict.verdict, Verdict::Refuted(Step::Loss(_))),
        "{verdict:?} {log}"
    );
    assert_eq!(verdict.reward, STAKE / 2);
    assert!(scene.free("Judith").await? > before + STAKE / 2 - UNIT);
    assert_eq!(scene.stake("Judith").await?, STAKE);
    // Otherwise the node did not lie to her.
    let lies = format!("the node at {} lies", lying.url);
    assert!(log.contains(&lies), "{log}");
    let round = scene.ended().await?;
    assert_settled(&round)?;
    assert_eq!(state(&round, "Judith")?, SeatState::Sitting);
    Ok(())
}

/// All attesters agree on the same lie. A single watcher convicts them all, in two disputes at once, and seats are drawn anew.
#[tokio::test(flavor = "multi_thread")]
async fn one_honest_watcher_beats_a_majority() -> Result<()> {
    let scene = Scene::set(&["Watcher", "Judith"], &["Liar", "Accomplice"]).await?;
    let network = &scene.network;
    let _liars = [
        network.daemon("Liar", "attest --lie=part")?,
        network.daemon("Accomplice", "attest --lie=part")?,
    ];
    let _watcher = network.daemon("Watcher", "watch")?;
    // Judith is too late to be drawn at first.
    scene.phase(Phase::AttestCommit).await?;
    network
        .run("Judith", "register --role=attester --stake=1000")
        .await?;
    let _honest = network.daemon("Judith", "attest")?;

    let challenged = scene.phase(Phase::Challenge).await?;
    let tables: Vec<_> = challenged.seats.iter().map(|seat| &seat.table).collect();
    assert!(tables.len() == 2 && tables[0].is_some() && tables[0] == tables[1]);

    let verdicts = scene.verdicts(2).await?;
    for name in ["Liar", "Accomplice"] {
        let verdict = verdicts.iter().find(|it| it.accused == account(name));
        let verdict = verdict.context("each liar is convicted")?;
        assert_eq!(verdict.challenger, account("Watcher"));
        assert!(
            // An accused whose part is wrong defends it with a wrong product of a tile.
            matches!(verdict.verdict, Verdict::Refuted(Step::Product { .. })),
            "{verdict:?}"
        );
        assert_eq!(scene.stake(name).await?, 0);
    }
    let (first, second) = (&verdicts[0], &verdicts[1]);
    assert!(second.opened_at < first.ended_at, "both at once");

    let round = scene.ended().await?;
    assert_settled(&round)?;
    assert!(round.redraws >= 1);
    assert_eq!(state(&round, "Judith")?, SeatState::Sitting);
    assert!(round.fees > 0);
    Ok(())
}

/// A false table that nobody disputes settles. A contributor cannot show its credit there, so it gives it up and continues. A
/// watcher continues, too, and convicts the next liar.
#[tokio::test(flavor = "multi_thread")]
async fn a_false_table_that_nobody_disputed_stops_nobody() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Liar", "Watcher"]).await?;
    let task = small_task(&network, &["One"], &["Liar"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _liar = network.daemon("Liar", "attest --lie=part")?;
    let until = format!("{} --until-round=1", contribute(task, "1/1"));
    let mut contributor = network.daemon("One", &until)?;
    let round = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    assert!(round.claim.is_some_and(|claim| claim.merged.is_some()));

    // A process that is meant to end does so, and reports that not everything is claimed.
    let limit = ROUND_LIMIT;
    let ended = tokio::task::spawn_blocking(move || contributor.wait());
    let status = tokio::time::timeout(limit, ended).await???;
    assert!(!status.success());
    // A process that is meant to continue trains from the weights, which are right, and contributes.
    let _contributor = network.daemon("One", &contribute(task, "1/1"))?;
    network
        .until("a commit in the next round", limit, async |moment| {
            let view = moment.round(task, RoundId(1)).await?;
            Ok(view.filter(|view| view.commits == 1))
        })
        .await?;

    // A watcher that starts now continues after the false table, too, and convicts the next liar.
    let _watcher = network.daemon("Watcher", "watch")?;

    let refused = network.run("One", "claim").await.unwrap_err().to_string();
    let advice = format!("gotong claim --task {} --forfeit 0", task.0);
    assert!(refused.contains(&advice), "{refused}");
    let forfeit = format!("claim --task={} --forfeit=0", task.0);
    let given_up = network.run("One", &forfeit).await?;
    assert_eq!(given_up["paid"], "0", "{given_up}");
    let rewards = network.run("One", "rewards").await?;
    assert_eq!(
        rewards["tasks"][0]["rounds"][0]["state"], "claimed",
        "{rewards}"
    );
    assert_ne!(rewards["tasks"][0]["ledger"]["next_round_to_claim"], 0);
    // Everything that was set aside is back, because nobody can claim it any more.
    let view = network.client.best().await?.round(task, FIRST).await?;
    let view = view.context("the round is known")?;
    assert_eq!((view.claims, view.released), (1, view.pot));
    let nothing = network
        .run(
            "Sponsor",
            &format!("task release --task={} --round=0", task.0),
        )
        .await;
    let nothing = nothing.unwrap_err().to_string();
    assert!(nothing.contains("NothingToRelease"), "{nothing}");

    let verdict = network
        .until("the verdict", limit, async |moment| {
            Ok(moment.verdicts().await?.into_iter().next())
        })
        .await?;
    assert_eq!(
        (verdict.round, verdict.accused),
        (RoundId(1), account("Liar"))
    );
    Ok(())
}

/// An account that does not answer is convicted by time, whatever its table is.
#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_defence() -> Result<()> {
    let scene = Scene::set(&[], &["Judith", "Liar"]).await?;
    let _honest = scene.network.daemon("Judith", "attest")?;
    let _liar = scene.network.daemon("Liar", "attest --lie=error --stall")?;

    let verdicts = scene.verdicts(1).await?;
    assert_eq!(verdicts[0].accused, account("Liar"));
    assert_eq!(verdicts[0].verdict, Verdict::Unanswered);
    assert_eq!(scene.stake("Liar").await?, 0);
    assert_settled(&scene.ended().await?)
}

/// An accusation is about a table that was seen in a block. It is not valid on a chain without that block.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_tied_to_a_block_is_not_valid_on_another_fork() -> Result<()> {
    let network = Network::start(&["Envy"]).await?;
    let fork = Network::start(&["Envy"]).await?;
    let (signer, client) = (key("Envy"), &network.client);
    let send = async |seen| {
        let call = Call::transfer(account("Spite"), UNIT);
        let tied = client.tied_to(&seen);
        tied.submit(&signer, &call, Inclusion::Best).await
    };
    let elsewhere = send(fork.client.best().await?).await;
    assert!(
        matches!(&elsewhere, Err(ChainError::Rejected { .. })),
        "{elsewhere:?}"
    );
    send(client.best().await?).await?;
    Ok(())
}

/// False accusers delay a round, and pay for it: one that never picks, and one that plays to the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_false_accuser_loses_its_bond() -> Result<()> {
    let scene = Scene::set(&["Envy", "Spite"], &["Judith"]).await?;
    let network = &scene.network;
    let _honest = network.daemon("Judith", "attest")?;
    scene.phase(Phase::Challenge).await?;
    let accuse = |by: &'static str, accusation| {
        let call = Call::open_dispute(scene.task, FIRST, account("Judith"), accusation);
        async move {
            network
                .client
                .submit(&key(by), &call, Inclusion::Best)
                .await
        }
    };
    // Its daemon sends calls, too, and of two with the same nonce one is dropped.
    let rows = Accusation::Rows(Stage::Pass(0));
    let losses = Accusation::Losses(Half::A);
    let own = loop {
        match accuse("Judith", rows).await {
            Err(ChainError::Dropped(_)) => {}
            own => break own,
        }
    };
    assert!(
        matches!(&own, Err(ChainError::Refused { name, .. }) if name == "OwnTable"),
        "{own:?}"
    );
    let before = scene.free("Judith").await?;
    accuse("Envy", losses).await?;
    accuse("Spite", rows).await?;
    let again = accuse("Spite", losses).await;
    assert!(
        matches!(&again, Err(ChainError::Refused { name, .. }) if name == "AlreadyDisputed"),
        "{again:?}"
    );

    // Spite plays to the end. Its first pick is beyond what is shown, and is refused.
    let spite = scene.dispute_of("Spite").await?.id;
    let pick = |pick| {
        let call = Call::pick_in_dispute(spite, pick);
        async move {
            network
                .client
                .submit(&key("Spite"), &call, Inclusion::Best)
                .await
        }
    };
    let beyond = pick(Pick::Nth(9)).await;
    assert!(
        matches!(&beyond, Err(ChainError::Refused { name, .. }) if name == "NoSuchPlace"),
        "{beyond:?}"
    );
    network
        .until("the end of the dispute", ROUND_LIMIT, async |moment| {
            let Some(dispute) = moment.dispute(spite).await? else {
                return Ok(Some(()));
            };
            if !dispute.awaits_answer {
                pick(Pick::Nth(0)).await?;
            }
            Ok(None)
        })
        .await?;

    let verdicts = scene.verdicts(2).await?;
    for (name, expected) in [("Envy", Verdict::Abandoned), ("Spite", Verdict::Upheld)] {
        let verdict = verdicts.iter().find(|it| it.challenger == account(name));
        let verdict = verdict.context("both are decided")?;
        assert_eq!(verdict.verdict, expected);
        assert!(verdict.accused == account("Judith") && verdict.reward > 0);
    }
    let won: u128 = verdicts.iter().map(|verdict| verdict.reward).sum();
    assert!(scene.free("Judith").await? > before + won - UNIT);
    let round = scene.ended().await?;
    assert_settled(&round)?;
    assert_eq!(scene.stake("Judith").await?, STAKE);
    Ok(())
}
