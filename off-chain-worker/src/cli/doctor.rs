//! `gotong doctor`: what is missing, and what to do about it.

use super::{
    claimable,
    data_options::DataFolder,
    finding::{print, Finding},
    means::{Means, Needs, Prices},
    offer,
    output::{Amount, SYMBOL},
    progress::spinner,
    scoring::open_evaluator,
    Globals,
};
use crate::{chain::Moment, keys::address, run::RoundMemory};
use anyhow::{bail, ensure};
use gotong_evaluation::{self_test, FastCpu, Traced};
use gotong_protocol::{
    view::{ClaimableView, OfferView},
    TaskId,
};
use gotong_training::{
    data::{FashionMnist, Shakespeare, Use},
    DeviceChoice, DeviceError,
};
use serde_json::{json, Value};
use std::{cmp::Reverse, path::PathBuf, time::Duration};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong doctor --dev Bob --device wgpu")]
pub struct Doctor {
    /// The device to test [default: every device that this build supports and finds]
    #[arg(long, value_enum)]
    device: Option<DeviceChoice>,
    #[command(flatten)]
    data: DataFolder,
}

/// What a task's rounds take, with as many deltas as they have places for.
struct Need {
    task: TaskId,
    memory: RoundMemory,
}

pub async fn run(args: Doctor, globals: &Globals) -> anyhow::Result<()> {
    let folder = args.data.path();
    let shown = spinner(globals.output, "checking");
    let mut findings = vec![
        ("node", node(globals).await),
        (
            "state",
            globals
                .folder()
                .map(|folder| folder.path().display().to_string()),
        ),
        ("processor", processor().await),
    ];
    match args.device {
        Some(choice) => findings.push((choice.name(), device(choice, true).await)),
        None => {
            for choice in DeviceChoice::built() {
                findings.push((choice.name(), device(choice, false).await.or_else(may_lack)));
            }
        }
    }
    findings.extend([
        ("images", images(folder.clone()).await),
        ("text", text(folder).await),
        (
            "key",
            globals.account(None).map(|account| address(&account)),
        ),
        ("account", account(globals).await),
    ]);
    let mut findings: Vec<_> = findings
        .into_iter()
        .map(|(what, result)| Finding::new(what, result))
        .collect();
    findings.extend(offered(globals).await);
    findings.extend(claims(globals).await);
    findings.push(of_memory(memory(globals).await));
    match needs(globals).await {
        Ok(needs) => findings.extend(needs.map(of_role)),
        Err(error) => findings.push(Finding::new("roles", Err(error))),
    }
    drop(shown);
    print(&findings, globals.output)
}

fn of_memory(needs: anyhow::Result<Vec<Need>>) -> Finding {
    let tasks = needs.as_ref().map_or(&[][..], Vec::as_slice);
    let tasks: Value = tasks.iter().map(Need::json).collect();
    Finding::new("memory", needs.map(|needs| describe(&needs))).with("tasks", tasks)
}

fn of_role(needs: Needs) -> Finding {
    Finding::new(needs.role, Ok(needs.line())).with("needs", needs.json())
}

/// Never an error: there is time to claim.
fn of_claims(views: &[ClaimableView]) -> Finding {
    let line = |view: &ClaimableView| {
        let what = claimable::describe(Some(view));
        format!("task {}: {what}", view.task)
    };
    let lines: Vec<String> = views.iter().map(line).collect();
    let json = views.iter().map(|view| claimable::json(Some(view)));
    Finding::new("claims", Ok(lines.join("; "))).with("claims", json.collect())
}

/// Never an error: an attester may offer nothing on purpose.
fn of_offer(offer: Option<&OfferView>) -> Finding {
    Finding::new("offer", Ok(offer::describe(offer))).with("offer", offer::json(offer))
}

impl Need {
    fn json(&self) -> Value {
        let RoundMemory { deltas, .. } = self.memory;
        let bytes = self.memory.bytes();
        json!({ "task": self.task.0, "bytes": bytes, "deltas": deltas })
    }
}

/// What every task with a round under way takes of this machine's memory.
async fn memory(globals: &Globals) -> anyhow::Result<Vec<Need>> {
    let now: Moment = globals.client().await?.best().await?;
    let mut needs = Vec::new();
    for id in now.live_tasks().await? {
        if let Some(view) = now.task(id).await? {
            let memory = RoundMemory::of_full(&view.terms, &view.graph)?;
            needs.push(Need { task: id, memory });
        }
    }
    Ok(needs)
}

/// Puts the largest first.
fn describe(needs: &[Need]) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let mut sorted: Vec<&Need> = needs.iter().collect();
    sorted.sort_by_key(|need| (Reverse(need.memory.bytes()), need.task.0));
    let Some(most) = sorted.first() else {
        return "no task is live".to_owned();
    };
    let each: Vec<_> = sorted
        .iter()
        .map(|need| {
            let (all, deltas) = (mib(need.memory.bytes()), mib(need.memory.deltas));
            format!("task {}: {all} MiB ({deltas} for deltas)", need.task)
        })
        .collect();
    format!(
        "a full round takes up to {} MiB on the processor: {}",
        mib(most.memory.bytes()),
        each.join("; ")
    )
}

async fn node(globals: &Globals) -> anyhow::Result<String> {
    let client = globals.client().await?;
    let (version, chain) = client.node_version().await?;
    let (best, (finalized, _)) = (client.best().await?, client.finalized().await?);
    // Everything that the worker needs from the runtime is there.
    client.body(best.block()).await?;
    Ok(format!(
        "{version} at {}, chain \"{chain}\" with first block {:?}, best block {}, finalized {finalized}",
        client.url(),
        client.genesis(),
        best.block(),
    ))
}

async fn processor() -> anyhow::Result<String> {
    tokio::task::spawn_blocking(|| tested(&mut FastCpu)).await?
}

/// Software that stands in for a GPU is slow, and is tested only on request.
async fn device(choice: DeviceChoice, is_asked: bool) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || {
        let (mut evaluator, adapter) = open_evaluator(choice)?;
        let stands_in = !adapter.is_gpu && choice != DeviceChoice::Flex;
        let kind = if stands_in {
            ", which is not a GPU"
        } else {
            ""
        };
        let found = match stands_in && !is_asked {
            true => format!("not tested; `--device {choice}` tests it"),
            false => tested(&mut evaluator)?,
        };
        Ok(format!("{}{kind}: {found}", adapter.name))
    })
    .await?
}

/// The user did not ask for this device: a machine may be without it.
fn may_lack(error: anyhow::Error) -> anyhow::Result<String> {
    match error.downcast_ref() {
        Some(DeviceError::NoAdapter { .. }) => Ok(format!("not used: {error}")),
        _ => Err(error),
    }
}

fn tested(evaluator: &mut dyn Traced) -> anyhow::Result<String> {
    let report = self_test(evaluator)?;
    let took = Duration::from_millis(report.took.as_millis() as u64);
    Ok(format!(
        "exact: {} words of {} models in {took:?}",
        report.words, report.models
    ))
}

async fn images(folder: PathBuf) -> anyhow::Result<String> {
    let folder = FashionMnist::within(&folder);
    let data = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || FashionMnist::load(&folder)
    })
    .await??;
    Ok(format!(
        "Fashion-MNIST: {} training and {} test images in {}",
        data.train.len(),
        data.test.len(),
        folder.display()
    ))
}

async fn text(folder: PathBuf) -> anyhow::Result<String> {
    let plays = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || Shakespeare::load(&folder)
    })
    .await??;
    let training = plays.blocks(Use::Training).map(str::len).sum::<usize>();
    Ok(format!(
        "Shakespeare's plays: {training} bytes of training text in {}",
        folder.display()
    ))
}

/// What each role needs, whatever the account is.
async fn needs(globals: &Globals) -> anyhow::Result<[Needs; 4]> {
    let now = globals.client().await?.best().await?;
    Ok(Prices::at(&now)?.needs())
}

async fn account(globals: &Globals) -> anyhow::Result<String> {
    let account = globals.account(None)?;
    let now: Moment = globals.client().await?.best().await?;
    let balance = now.balance(&account).await?;
    if balance.free == 0 {
        bail!(
            "no money: ask somebody to send GTG to {}",
            address(&account)
        );
    }
    let lack = Means::of(&account, &now).await?.lack();
    ensure!(
        lack == 0,
        "only {} {SYMBOL} are free. Send {} {SYMBOL} more to {} for fees, deposits and bonds",
        Amount(balance.free),
        Amount(lack),
        address(&account)
    );
    let stake = match now.stake(&account).await? {
        None => "not registered: `gotong register --role contributor --stake AMOUNT`".to_owned(),
        Some(stake) => {
            let roles = [
                (stake.roles.contributor, "contributor"),
                (stake.roles.attester, "attester"),
            ];
            let roles: Vec<_> = roles
                .iter()
                .filter(|(has, _)| *has)
                .map(|(_, name)| *name)
                .collect();
            format!(
                "{} with {} {SYMBOL} at stake",
                roles.join(" and "),
                Amount(stake.stake)
            )
        }
    };
    Ok(format!("{} {SYMBOL} free; {stake}", Amount(balance.free)))
}

/// What the account offers to attest, if it is an attester. Other problems are found elsewhere.
async fn offered(globals: &Globals) -> Option<Finding> {
    let account = globals.account(None).ok()?;
    let now: Moment = globals.client().await.ok()?.best().await.ok()?;
    let stake = now.stake(&account).await.ok()??;
    let offer = now.offer(&account).await.ok()?;
    let is_listed = stake.roles.attester || offer.is_some();
    is_listed.then(|| of_offer(offer.as_ref()))
}

/// What the account still has to claim, if there is anything.
async fn claims(globals: &Globals) -> Option<Finding> {
    let account = globals.account(None).ok()?;
    let now: Moment = globals.client().await.ok()?.best().await.ok()?;
    let claimables = now.claimables(&account).await.ok()?;
    (!claimables.is_empty()).then(|| of_claims(&claimables))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::RoundId;

    #[test]
    fn what_can_be_claimed_is_told() {
        let view = ClaimableView {
            task: TaskId(2),
            rounds: vec![RoundId(3)],
            pays: 38_000_000_000,
            until: Some(90),
            unknown: vec![],
            unknown_until: None,
        };
        let finding = of_claims(&[view]);
        assert_eq!(
            finding.line(),
            "ok    claims      task 2: 0.038 GTG can be claimed for round 3, before block 90\n"
        );
        assert_eq!(finding.json()["claims"][0]["pays"], "38000000000");
    }

    #[test]
    fn a_role_is_told_with_what_it_needs() {
        let needs = Needs {
            role: "watcher",
            parts: vec![("dispute bond", 10_000_000_000_000), ("fees", 1)],
        };
        let role = of_role(needs);
        let line = "ok    watcher     needs at least 10.000000000001 GTG: dispute bond 10, fees 0.000000000001\n";
        assert_eq!(role.line(), line);
        let json = role.json();
        assert_eq!(json["check"], "watcher");
        assert_eq!(json["needs"]["least"], "10000000000001");
        assert_eq!(json["needs"]["dispute_bond"], "10000000000000");
    }

    #[test]
    fn an_attester_is_told_what_it_offers() {
        let json = of_offer(None).json();
        assert_eq!(
            (&json["check"], &json["ok"]),
            (&json!("offer"), &json!(true))
        );
        assert_eq!(json["offer"], Value::Null);
        let offer = OfferView {
            seats: 16,
            capacity: 1,
            sealed: true,
            tasks: vec![],
            seats_held: 2,
            load_held: 1,
        };
        let finding = of_offer(Some(&offer));
        assert!(finding
            .line()
            .starts_with("ok    offer       16 seats for "));
        assert_eq!(finding.json()["offer"]["held"], 2);
    }

    #[test]
    fn memory_is_told_by_task() {
        let need = |task, mib: u64| Need {
            task: TaskId(task),
            memory: RoundMemory {
                evaluation: (mib - 50) << 20,
                deltas: 50 << 20,
            },
        };
        assert_eq!(describe(&[]), "no task is live");
        assert_eq!(
            describe(&[need(3, 70), need(1, 90), need(2, 70)]),
            "a full round takes up to 90 MiB on the processor: task 1: 90 MiB (50 for deltas); task 2: 70 MiB (50 for deltas); \
             task 3: 70 MiB (50 for deltas)"
        );
        let expected = json!({ "task": 3, "bytes": 73_400_320, "deltas": 52_428_800 });
        assert_eq!(need(3, 70).json(), expected);
    }
}
