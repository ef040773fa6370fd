//! `gotong claim`: claims every round that is over.

use super::{
    output::{explain, signed_millibits, Amount, SYMBOL},
    progress::{spinner, submit},
    replay::replica_of_claims,
    Globals,
};
use crate::{
    chain::{Call, Client, Keypair, Moment},
    run::{claim_rounds, Claims},
};
use anyhow::ensure;
use gotong_protocol::{RoundId, TaskId};
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong claim --dev Bob\n\n\
                        `gotong contribute` claims by itself; this command claims whatever is left. The chain takes rounds in \
                        order and skips none, so this claims all of them. It replays a task if the chain does not know all of \
                        its credits yet.\n\n\
                        A round whose credit cannot be shown, because it settled on a false table that nobody \
                        disputed, can be given up:\n  gotong claim --dev Bob --task 0 --forfeit 7\n\
                        This empties your ledger of the task and makes you a newcomer there: you lose the credit of that round \
                        and of all rounds before it. You keep what you were paid.")]
pub struct Claim {
    /// Claim only in this task
    #[arg(long)]
    task: Option<u32>,
    /// Give up the credit of this round, which must be the next to claim, and with it everything in your ledger of the task
    #[arg(long, value_name = "ROUND", requires = "task")]
    forfeit: Option<u32>,
}

pub async fn run(args: Claim, globals: &Globals) -> anyhow::Result<()> {
    if let (Some(task), Some(round)) = (args.task, args.forfeit) {
        return forfeit(TaskId(task), RoundId(round), globals).await;
    }
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let claimable = now.claimables(&signer.public_key().0).await?;
    let tasks = claimable.iter().map(|view| view.task);
    let (mut total, mut failed) = (Claims::default(), Vec::new());
    for task in tasks.filter(|task| args.task.is_none_or(|only| *task == TaskId(only))) {
        // A failure in one task does not stop the others.
        match claim_task(task, &client, &now, &signer, globals).await {
            Ok(claims) => {
                total.claimed.extend(claims.claimed);
                failed.extend(claims.stuck.map(|stuck| stuck.to_string()));
            }
            Err(error) => failed.push(format!("task {task}: {}", explain(&error))),
        }
    }
    let (rounds, paid) = (total.claimed.len(), total.paid());
    let json = json!({
        "rounds": rounds,
        "paid": paid.to_string(),
        "failed": failed,
    });
    globals.output.print(json, || match rounds {
        0 => "nothing was claimed".to_owned(),
        1 => format!("claimed 1 round, paid {} {SYMBOL}", Amount(paid)),
        rounds => format!("claimed {rounds} rounds, paid {} {SYMBOL}", Amount(paid)),
    });
    ensure!(failed.is_empty(), "cannot claim {}", failed.join("; "));
    Ok(())
}

/// Claims what is due in a task.
async fn claim_task(
    task: TaskId,
    client: &Client,
    now: &Moment,
    signer: &Keypair,
    globals: &Globals,
) -> anyhow::Result<Claims> {
    let Some(view) = now.task(task).await? else {
        return Ok(Claims::default());
    };
    let account = signer.public_key().0;
    let replica = replica_of_claims(client, now, &account, &view, globals).await?;
    let _shown = spinner(globals.output, format!("claiming in task {task}"));
    Ok(claim_rounds(client, now, signer, replica.as_ref(), &view).await?)
}

/// Gives up the credit of a round.
async fn forfeit(task: TaskId, round: RoundId, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let account = signer.public_key().0;
    let before = client.best().await?.ledger(&account, task).await?;
    let call = Call::forfeit(task, round);
    let receipt = submit(&client, &signer, &call, globals).await?;
    let now = client.best().await?;
    let next = now.ledger(&account, task).await?;
    let next = next.and_then(|ledger| ledger.next);
    let view = now.task(task).await?;
    let samples = view.map_or(0, |view| view.terms.hold_out.samples() / 2);
    let lost = before.as_ref().map_or(0, |ledger| ledger.ledger.sum);
    let paid = before.map_or(0, |ledger| ledger.paid);
    let json = json!({
        "task": task.0,
        "round": round.0,
        "block": receipt.block,
        "lost_credits_q16": lost.to_string(),
        "paid": paid.to_string(),
        "next_round_to_claim": next.map(|round| round.0),
    });
    globals.output.print(json, || {
        let next = match next {
            None => "all other rounds are claimed".to_owned(),
            Some(next) => format!("round {next} is the next to claim"),
        };
        format!(
            "gave up round {round} of task {task}: its ledger is empty, having lost {} millibits a sample; you keep the {} \
             {SYMBOL} that were paid; {next}",
            signed_millibits(lost, samples),
            Amount(paid)
        )
    });
    Ok(())
}
