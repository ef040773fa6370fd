use super::{
    output::{explain, Amount, SYMBOL},
    Globals,
};
use crate::{
    chain::Moment,
    evaluation::{self_test, BurnEvaluator, FastCpu},
    keys::address,
    training::{
        data::{self, FashionMnist, Shakespeare, Use, DATA_VARIABLE},
        DeviceChoice,
    },
};
use anyhow::bail;
use gotong_scoring::Evaluator;
use serde_json::json;
use std::{path::PathBuf, time::Duration};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong doctor --dev Bob --device flex")]
pub struct Doctor {
    /// The device to test
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
    /// The folder of data sets [default: ~/.cache/gotong/data]
    #[arg(long, value_name = "DIR", env = DATA_VARIABLE)]
    data_dir: Option<PathBuf>,
}

/// One thing that was looked at: what was found, or what is wrong and what to do.
struct Finding {
    what: &'static str,
    result: Result<String, String>,
}

pub async fn run(args: Doctor, globals: &Globals) -> anyhow::Result<()> {
    let device = args.device;
    let folder = args.data_dir.unwrap_or_else(data::folder);
    let findings = [
        ("node", node(globals).await),
        (
            "state",
            globals
                .folder()
                .map(|folder| folder.path().display().to_string()),
        ),
        ("processor", test(|| Ok(Box::new(FastCpu))).await),
        (
            "device",
            test(move || Ok(Box::new(BurnEvaluator::new(&device.open()?)))).await,
        ),
        ("images", images(folder.clone()).await),
        ("text", text(folder).await),
        (
            "key",
            globals.account(None).map(|account| address(&account)),
        ),
        ("account", account(globals).await),
    ];
    let findings = findings.map(|(what, result)| Finding {
        what,
        result: result.map_err(|error| explain(&error)),
    });
    let failed = findings
        .iter()
        .filter(|finding| finding.result.is_err())
        .count();
    let json = findings
        .iter()
        .map(|finding| {
            let found = finding.result.as_ref().unwrap_or_else(|error| error);
            json!({ "check": finding.what, "ok": finding.result.is_ok(), "found": found })
        })
        .collect();
    globals
        .output
        .print(json, || findings.iter().map(Finding::line).collect());
    match failed {
        0 => Ok(()),
        1 => bail!("1 check failed"),
        more => bail!("{more} checks failed"),
    }
}

impl Finding {
    fn line(&self) -> String {
        match &self.result {
            Ok(found) => format!("ok    {:10} {found}\n", self.what),
            Err(wrong) => format!("FAIL  {:10} {wrong}\n", self.what),
        }
    }
}

async fn node(globals: &Globals) -> anyhow::Result<String> {
    let client = globals.client().await?;
    let (version, chain) = client.node_version().await?;
    let (best, finalized) = (client.best().await?, client.finalized().await?);
    // What the worker needs of the runtime is there.
    client.body(best.block()).await?;
    Ok(format!(
        "{version}, chain \"{chain}\", best block {}, finalized {}",
        best.block(),
        finalized.block()
    ))
}

async fn test(
    open: impl FnOnce() -> anyhow::Result<Box<dyn Evaluator>> + Send + 'static,
) -> anyhow::Result<String> {
    let report = tokio::task::spawn_blocking(move || {
        let mut evaluator = open()?;
        anyhow::Ok(self_test(&mut *evaluator)?)
    })
    .await??;
    let took = Duration::from_millis(report.took.as_millis() as u64);
    Ok(format!(
        "exact: {} losses of {} models in {took:?}",
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
