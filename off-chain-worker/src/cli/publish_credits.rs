//! `gotong publish-credits`: tells the chain what contributors are credited in a settled round.

use super::{progress::spinner, replay::replayed_as_far, Globals};
use crate::run::{ReplicaError, Unpublished};
use anyhow::{bail, Context};
use gotong_protocol::{RoundId, TaskId};
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong publish-credits --dev Alice --task 0 --round 7\n\n\
                        `gotong attest` does this by itself for the rounds that it attested. Contributors can then see what \
                        they are owed in any wallet, and claim it there with the call `claim` and without a proof. Publishing \
                        itself pays nobody and claims nothing. It replays the task, and costs no fee if the chain knows none \
                        of the credits yet."
)]
pub struct PublishCredits {
    /// The task
    #[arg(long)]
    task: u32,
    /// The round, which must have merged something
    #[arg(long)]
    round: u32,
}

pub async fn run(args: PublishCredits, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let (task, round) = (TaskId(args.task), RoundId(args.round));
    let view = now.existing_task(task).await?;
    let ended = now.round(task, round).await?;
    let ended = ended.with_context(|| format!("task {task} has no round {round}"))?;
    let published = match Unpublished::of(&now, &ended).await? {
        None => 0,
        Some(unpublished) => {
            let (replica, replay) = replayed_as_far(&client, &now, &view, globals).await?;
            match replay {
                // Rounds before that one are computed all the same.
                Err(error @ ReplicaError::Differs { .. }) => tracing::error!("{error}"),
                replay => replay?,
            }
            let Some(table) = replica.table(round)? else {
                bail!(
                    "round {round} settled on a table other than the one computed here: `gotong verify --task {task} --round \
                     {round}` tells more"
                );
            };
            let _shown = spinner(globals.output, "publishing");
            unpublished.publish(&client, &signer, table).await?
        }
    };
    let json = json!({ "task": task.0, "round": round.0, "published": published });
    globals.output.print(json, || match published {
        0 => format!("the chain already knows all credits of round {round}, or there are none"),
        1 => format!("published 1 credit of round {round}"),
        count => format!("published {count} credits of round {round}"),
    });
    Ok(())
}
