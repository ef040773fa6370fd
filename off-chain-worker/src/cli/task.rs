//! `gotong task ...`

mod check;
mod data;
mod draft;
mod file;
mod limits;
mod measured;
pub(super) mod new;
mod open;
mod recipe;
mod report;
mod show;
mod stands;
mod written;

pub(super) use check::lasting;
pub(super) use data::{load_records, read_recipe, ExamData, TaskData};
pub(super) use file::TaskFile;
pub(super) use show::{duty_json, gain, round_json};
pub(super) use stands::{describe_duty, stands};

use super::{
    means::{Force, Means, NO_ROLE},
    output::{printable, table, Amount, SYMBOL},
    progress::submit,
    Globals,
};
use crate::{chain::Call, keys::address};
use gotong_protocol::{view::TaskView, RoundId, TaskId};
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub enum Task {
    /// Create a task from a data file: a commented task.toml, the recipe and the samples
    New(Box<new::New>),
    /// Check a task before money moves: what it can prove, what it costs, and whether the chain accepts it
    Check(check::Check),
    /// Open a task: a model, what its improvement is worth, and the sealed exam
    Open(Box<open::Open>),
    /// Add money to a task's budget
    TopUp(TopUp),
    /// Close a task after the current round; unspent money comes back
    Close(Close),
    /// Return to the budget whatever nobody claimed from a round within eight weeks
    Release(Release),
    /// List all tasks
    List(List),
    /// Show a task, its rounds, and what you may do now
    Show(show::Show),
    /// Write a report of what was paid, to whom and for which improvement, round by round
    Report(report::Report),
    /// Print a task's recipe, or write it to a file: how data becomes the bytes of a sample
    Recipe(recipe::Recipe),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong task top-up --dev Alice --task 0 --amount 500")]
pub struct TopUp {
    /// The task
    #[arg(long)]
    task: u32,
    /// GTG to add to the budget
    #[arg(long)]
    amount: Amount,
    #[command(flatten)]
    force: Force,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong task close --dev Alice --task 0")]
pub struct Close {
    /// The task
    #[arg(long)]
    task: u32,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong task release --dev Alice --task 0 --round 3\n\n\
                        Anybody may do this. Whoever claims the round later is credited, but not paid."
)]
pub struct Release {
    /// The task
    #[arg(long)]
    task: u32,
    /// The round
    #[arg(long)]
    round: u32,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong task list --output json")]
pub struct List {}

pub async fn run(args: Task, globals: &Globals) -> anyhow::Result<()> {
    match args {
        Task::New(args) => new::run(*args, globals).await,
        Task::Check(args) => check::run(args, globals).await,
        Task::Open(args) => open::run(*args, globals).await,
        Task::TopUp(args) => {
            let account = globals.signer()?.public_key().0;
            let now = globals.client().await?.best().await?;
            let means = Means::of(&account, &now).await?.taking(NO_ROLE);
            args.force.check(&means, args.amount.0)?;
            let call = Call::top_up(TaskId(args.task), args.amount.0);
            change(args.task, &call, globals).await
        }
        Task::Close(args) => change(args.task, &Call::close_task(TaskId(args.task)), globals).await,
        Task::Release(args) => {
            let call = Call::release(TaskId(args.task), RoundId(args.round));
            change(args.task, &call, globals).await
        }
        Task::List(_) => list(globals).await,
        Task::Show(args) => show::run(args, globals).await,
        Task::Report(args) => report::run(args, globals).await,
        Task::Recipe(args) => recipe::run(args, globals).await,
    }
}

/// Sends the call, and prints the state of the task after it.
async fn change(task: u32, call: &Call, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let receipt = submit(&client, &signer, call, globals).await?;
    let view = client.best().await?.task(TaskId(task)).await?;
    let state = view.as_ref().map(|view| format!("{:?}", view.state));
    let budget = view.as_ref().map(|view| view.pool);
    let json = json!({
        "task": task,
        "block": receipt.block,
        "state": state,
        "budget": budget.map(|budget| budget.to_string()),
    });
    globals.output.print(json, || {
        format!(
            "task {task}: {}, budget {} {SYMBOL}",
            state.as_deref().unwrap_or("gone"),
            Amount(budget.unwrap_or_default())
        )
    });
    Ok(())
}

async fn list(globals: &Globals) -> anyhow::Result<()> {
    let now = globals.client().await?.best().await?;
    let mut views = Vec::new();
    for task in now.tasks().await? {
        views.extend(now.task(task).await?);
    }
    let json = views
        .iter()
        .map(|view| {
            json!({
                "task": view.id.0,
                "name": view.terms.name.as_str(),
                "state": format!("{:?}", view.state),
                "round": view.round.0,
                "parameters": view.parameters,
                "budget": view.pool.to_string(),
                "paid": view.paid.to_string(),
                "sponsor": address(&view.sponsor),
            })
        })
        .collect();
    globals.output.print(json, || {
        let rows: Vec<_> = views.iter().map(row).collect();
        let head = [
            "task",
            "name",
            "state",
            "round",
            "parameters",
            "budget",
            "paid",
            "sponsor",
        ];
        table(&head, &rows)
    });
    Ok(())
}

/// A task in the list.
fn row(view: &TaskView) -> Vec<String> {
    vec![
        view.id.to_string(),
        printable(view.terms.name.as_str().unwrap_or("?")).into_owned(),
        format!("{:?}", view.state),
        view.round.to_string(),
        view.parameters.to_string(),
        Amount(view.pool).to_string(),
        Amount(view.paid).to_string(),
        address(&view.sponsor),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_protocol::TaskName;

    #[test]
    fn a_name_stays_in_its_cell() {
        let mut view = views::task();
        view.terms.name = TaskName::new("a\n\u{1b}[2Kb\u{202e}").unwrap();
        assert_eq!(row(&view)[1], "a\\n\\u{1b}[2Kb\\u{202e}");
    }
}
