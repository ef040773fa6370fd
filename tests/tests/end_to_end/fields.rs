//! Many fields at once: several tasks on one chain, and a contributor to all of them.

use crate::{small_task, ROUND_LIMIT, SMALL, SMALL_TRANSFORMER};
use anyhow::{Context, Result};
use gotong_protocol::{RoundId, TaskId};
use gotong_tests::{assert_settled, key, Network, UNIT};
use std::{fs, time::Duration};

/// The training runs for the tasks take turns on one machine, so a round takes longer.
const LIMIT: Duration = ROUND_LIMIT.saturating_mul(2);

/// Images and text: one account contributes to both in one process, and is paid for both. A third task asks for more stake than the
/// account has, and one that opens later is found.
#[tokio::test(flavor = "multi_thread")]
async fn one_contributor_works_in_many_fields() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let images = small_task(&network, &["One"], &["Judith"]).await?;
    let model = network.folder().join("model.toml");
    fs::write(&model, SMALL_TRANSFORMER)?;
    let text = format!("--model={} --shards=6 --shard-samples=100", model.display());
    let text = network.open_another(&text, 1).await?;
    let rich = format!("{SMALL} --minimum-contributor-stake=5000");
    let rich = network.open_another(&rich, 1).await?;
    let mut daemons = vec![network.daemon("Judith", "attest")?];
    for task in [images, text, rich] {
        daemons.push(network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?);
    }
    let contributor = network.daemon("One", "contribute --task=auto --steps=30")?;
    for round in 0..2 {
        for task in [images, text] {
            paid(&network, task, round).await?;
        }
    }
    let late = network.open_another(SMALL, 1).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", late.0))?;
    paid(&network, late, 0).await?;

    let now = network.client.best().await?;
    let round = now.round(rich, RoundId(0)).await?;
    assert_eq!(round.map(|round| round.commits), Some(0));
    let log = fs::read_to_string(contributor.log())?;
    assert!(log.contains("the task asks for more stake"), "{log}");
    assert!(!log.contains("cannot claim"), "{log}");
    // An honest attester of several tasks at once loses nothing.
    let judith = now.stake(&key("Judith").public_key().0).await?;
    assert_eq!(judith.context("registered")?.stake, 1_000 * UNIT);
    Ok(())
}

/// Waits until the round has settled, and the contributor has claimed what it was credited with in it.
async fn paid(network: &Network, task: TaskId, round: u32) -> Result<()> {
    let ended = network.ended(task, round, LIMIT).await?;
    assert_settled(&ended)?;
    assert_eq!((ended.commits, ended.reveals), (1, 1));
    if round == 0 {
        // Later gains may be within the noise of so few samples, but the first one never is.
        let merged = ended.claim.as_ref().context("a claim")?.merged;
        assert!(merged.is_some_and(|merged| merged.gain > 0));
    }
    network.all_claimed(&ended, LIMIT).await?;
    Ok(())
}
