//! `gotong task check`: what a task can prove and costs, and what the chain would refuse, before money moves.

use super::{
    data::{ExamData, TaskData},
    file::TaskFile,
    limits::ChainLimits,
    measured::Measured,
};
use crate::{
    cli::{
        data_options::Data,
        finding::{print, Finding},
        means::Prices,
        output::{Amount, Format, SYMBOL, UNIT},
        progress, Globals,
    },
    model::describe,
    state::Folder,
};
use anyhow::{ensure, Result};
use gotong_data::{
    duplicates::{Duplicates, Near},
    DataError, Place, Recipe, Source, SourceOptions,
};
use gotong_protocol::{HoldOutTerms, TaskTerms};
use gotong_scoring::Graph;
use gotong_training::data::Labelled;
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong task check flowers/task.toml\n\n\
                  Sends nothing and needs no key. Without a node, it assumes a block every six seconds. Fails if any check \
                  fails.")]
pub struct Check {
    /// The task as a file
    #[arg(value_name = "TASK.toml")]
    file: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// Facts about a chain that tasks depend on.
struct Chain {
    limits: ChainLimits,
    /// The least amount that goes on hold for a task, in planck.
    task_bond: u128,
    /// What was found.
    finding: Finding,
}

pub async fn run(args: Check, globals: &Globals) -> Result<()> {
    let task = TaskFile::read(&args.file)?;
    let chain = chain(globals).await;
    let folder = globals.folder()?;
    let output = globals.output;
    let findings =
        tokio::task::spawn_blocking(move || check(&task, &args.data, &folder, chain, output));
    print(&findings.await?, output)
}

/// What the chain says; the usual values if no node answers.
async fn chain(globals: &Globals) -> Chain {
    let ask = async {
        let now = globals.client().await?.best().await?;
        let limits = ChainLimits::at(&now)?;
        anyhow::Ok((limits, Prices::at(&now)?.task_bond))
    };
    let told = |limits: &ChainLimits| {
        format!(
            "a block every {} s, windows of {} to {} blocks",
            limits.seconds(1),
            limits.shortest_window,
            limits.longest_window
        )
    };
    match ask.await {
        Ok((limits, task_bond)) => Chain {
            limits,
            task_bond,
            finding: Finding::new("chain", Ok(told(&limits))),
        },
        Err(_) => {
            let limits = ChainLimits::USUAL;
            let found = format!(
                "no node answers, so these limits are assumed: {}",
                told(&limits)
            );
            Chain {
                limits,
                task_bond: 100 * UNIT,
                finding: Finding::new("chain", Ok(found)),
            }
        }
    }
}

fn check(
    task: &TaskFile,
    options: &Data,
    folder: &Folder,
    chain: Chain,
    output: Format,
) -> Vec<Finding> {
    let shown = progress::spinner(output, "checking the data");
    let graph = task.graph();
    let mut findings = vec![chain.finding, model(graph)];
    // All other checks are about the data.
    let data = match TaskData::read(task, options, folder) {
        Ok(data) => data,
        Err(error) => {
            findings.push(Finding::new("data", Err(error)));
            return findings;
        }
    };
    findings.push(recipe(&data));
    findings.push(duplicates(task, &data.made_by));
    if data.is_secret(task) {
        let is_new = data.ensure_new(task, folder);
        let found =
            is_new.map(|()| "no task that you opened before had a sample of this exam".into());
        findings.push(Finding::new("new", found));
    }
    let outline = data.outline(task).and_then(|hold_out| {
        let terms = task.terms(hold_out, data.recipe.as_bytes())?;
        Ok((hold_out, terms))
    });
    let (hold_out, terms) = match outline {
        Ok(outline) => outline,
        Err(error) => {
            findings.push(Finding::new("exam", Err(error)));
            return findings;
        }
    };
    match chain.limits.check(&terms, graph) {
        Ok(most) => {
            findings.push(Finding::new("terms", Ok("the chain accepts them".into())));
            findings.push(cost(task, most, terms.hold_out.rounds(), chain.task_bond));
        }
        Err(refusal) => findings.push(Finding::new("terms", Err(refusal.into()))),
    }
    findings.push(pace(&terms, &chain.limits));
    if let ExamData::Records(exam) = &data.exam {
        findings.push(classes(exam, &hold_out, &data.made_by));
        let training = data.training(task, options);
        // The measurement shows its own progress.
        drop(shown);
        let measured = training
            .and_then(|training| Measured::of(task, exam, training.as_ref(), &hold_out, output));
        match measured {
            Ok(measured) => {
                findings.push(measured.proof(&terms));
                findings.push(measured.attester(&terms, graph, &chain.limits));
            }
            Err(error) => findings.push(Finding::new("exam", Err(error))),
        }
    }
    findings
}

fn model(graph: &Graph) -> Finding {
    let parameters = graph.parameters();
    let found = format!("{}, {parameters} parameters", describe(graph));
    Finding::new("model", Ok(found)).with("parameters", json!(parameters))
}

fn recipe(data: &TaskData) -> Finding {
    let recipe = &data.made_by;
    let samples = match recipe.inputs() {
        Some(inputs) => format!("{inputs} bytes a sample, {} classes", recipe.classes()),
        None => format!("{} different tokens", recipe.classes()),
    };
    let found = format!(
        "{}, in {} bytes: {samples}",
        recipe.kind(),
        data.recipe.len()
    );
    Finding::new("recipe", Ok(found)).with("bytes", json!(data.recipe.len()))
}

/// How many samples and classes the exam has, and which classes it lacks.
fn classes(exam: &Labelled, hold_out: &HoldOutTerms, recipe: &Recipe) -> Finding {
    let mut counts = vec![0u64; recipe.classes()];
    for &label in &exam.labels {
        if let Some(count) = counts.get_mut(usize::from(label)) {
            *count += 1;
        }
    }
    let all = exam.len();
    let mut found = format!(
        "{all} samples: {} rounds of {}",
        hold_out.rounds(),
        hold_out.samples()
    );
    let names = recipe.class_names();
    let by_name: Value = names
        .iter()
        .zip(&counts)
        .map(|(name, count)| (name.clone(), json!(count)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    if !names.is_empty() {
        let missing = names.iter().zip(&counts).filter(|(_, count)| **count == 0);
        let missing: Vec<_> = missing.map(|(name, _)| name.as_str()).collect();
        found += &format!(
            ", {} of {} classes",
            names.len() - missing.len(),
            names.len()
        );
        if !missing.is_empty() {
            found += &format!(" (nothing of {} can be proved)", missing.join(", "));
        }
    }
    Finding::new("exam", Ok(found)).with("classes", by_name)
}

/// Samples that are both in the exam and in the training part.
fn duplicates(task: &TaskFile, recipe: &Recipe) -> Finding {
    let (Some(train), Some(exam)) = (&task.train, &task.exam.records) else {
        let found =
            "not compared: the file names no `train`, or no `records` in the section `exam`";
        return Finding::new("duplicates", Ok(found.into()));
    };
    let tokens = task.graph().vocab().map(|_| task.graph().inputs as usize);
    let compared = match compared(train, exam, recipe, tokens) {
        Ok(compared) => compared,
        Err(error) => return Finding::new("duplicates", Err(error.into())),
    };
    let (exact, near) = (compared.exact(), compared.near());
    let details = json!({ "exact": exact, "near": near });
    let (in_both, exam) = (exact.count, compared.exam());
    let found = match (in_both, near.count) {
        _ if compared.are_too_many() => Err(anyhow::anyhow!(
            "{in_both} of the {exam} exam samples are also in the training part: whoever trains on them knows them by heart. \
             Remove them, or make both parts again with `gotong data split`, which keeps them apart"
        )),
        (0, 0) => Ok("no sample of the exam is in the training part".into()),
        (0, near) => Ok(format!(
            "no sample of the exam is in the training part, but {near} are nearly the same: check whether they have the same \
             origin, and if so keep them together with --by-group"
        )),
        (in_both, _) => Ok(format!(
            "{in_both} of the exam's {exam} samples are also in the training part: text repeats itself, and this is too few to \
             teach anybody the exam"
        )),
    };
    Finding::new("duplicates", found).with("duplicates", details)
}

/// Compares samples; those of text have `tokens` tokens.
fn compared(
    train: &Path,
    exam: &Path,
    recipe: &Recipe,
    tokens: Option<usize>,
) -> Result<Duplicates, DataError> {
    let mut duplicates = Duplicates::new(Near::of(recipe)).with_sample_tokens(tokens);
    for (path, is_exam) in [(exam, true), (train, false)] {
        let mut add = |sample: &[u8]| match is_exam {
            true => duplicates.add_exam(sample),
            false => duplicates.add_training(sample),
        };
        let source = Source::open(&[path.to_owned()], SourceOptions::default())?;
        // An error if another recipe, or none, made them.
        let encoder = recipe.encoder(&source)?;
        let mut bytes = Vec::new();
        // A long document comes in pieces, which have the same place.
        let mut document: Option<Place> = None;
        for row in source.rows()? {
            let row = row?;
            if tokens.is_none() || document.as_ref() != Some(&row.at) {
                if document.replace(row.at.clone()).is_some() {
                    add(&bytes);
                }
                bytes.clear();
            }
            encoder.inputs_into(&row, &mut bytes)?;
        }
        if document.is_some() {
            add(&bytes);
        }
    }
    Ok(duplicates)
}

/// What goes on hold, and what rounds can cost if each takes at most `round`.
fn cost(task: &TaskFile, round: u128, rounds: u32, task_bond: u128) -> Finding {
    let (bond, budget) = (task.bond(round, task_bond), task.budget.0);
    let most = round.saturating_mul(rounds.into()).min(budget);
    // Even if each of them takes the maximum.
    let surely = budget.checked_div(round).unwrap_or_default();
    let surely = u32::try_from(surely).unwrap_or(rounds).min(rounds);
    let found = || -> Result<String> {
        ensure!(
            round <= budget,
            "no round starts: the budget is {} {SYMBOL}, but a round may take up to {}",
            Amount(budget),
            Amount(round)
        );
        Ok(format!(
            "{} {SYMBOL} on hold: a budget of {} and a bond of {}. A round costs at most {} (cap plus work), all \
             {rounds} rounds at most {}. The budget covers {surely} rounds at that maximum. Another round starts whenever what \
             is left covers one more. Unspent money comes back",
            Amount(budget.saturating_add(bond)),
            Amount(budget),
            Amount(bond),
            Amount(round),
            Amount(most)
        ))
    };
    let details = json!({
        "budget": budget.to_string(),
        "bond": bond.to_string(),
        "round_at_most": round.to_string(),
        "all_at_most": most.to_string(),
        "rounds_surely_paid": surely,
    });
    Finding::new("cost", found()).with("planck", details)
}

/// How long rounds last.
fn pace(terms: &TaskTerms, limits: &ChainLimits) -> Finding {
    let windows = terms.windows;
    let blocks = [
        windows.commit_blocks,
        windows.reveal_blocks,
        windows.attest_blocks,
        windows.attest_blocks,
        windows.challenge_blocks,
    ];
    let blocks: u64 = blocks.into_iter().map(u64::from).sum();
    let rounds = u64::from(terms.hold_out.rounds());
    let round = limits.seconds(blocks);
    let all = limits.seconds(blocks.saturating_mul(rounds));
    let found = format!(
        "a round lasts at most {blocks} blocks, which is {}; all {rounds} last at most {}, not counting disputes and redraws",
        lasting(round),
        lasting(all)
    );
    let details = json!({ "round_blocks": blocks, "round": round, "all": all });
    Finding::new("pace", Ok(found)).with("seconds", details)
}

/// Seconds in words.
pub fn lasting(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} minutes", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} hours", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{data::LearningArgs, data_options::ReadingArgs, task::new::New};
    use clap::Parser;
    use std::fs;

    /// A task of a small table in a folder of its own, and the findings about it after `change` has changed its files.
    fn findings(change: impl FnOnce(&Path)) -> Vec<Finding> {
        #[derive(clap::Parser)]
        struct Options {
            #[command(flatten)]
            reading: ReadingArgs,
            #[command(flatten)]
            data: Data,
        }
        let options = Options::parse_from(["check", "--label", "class"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        let row = |row: u32| format!("{},{},{}\n", row, row * 7 % 101, row % 2);
        fs::write(
            &file,
            "x,y,class\n".to_owned() + &(0..1_200).map(row).collect::<String>(),
        )
        .unwrap();
        let out = folder.path().join("task");
        let learning = LearningArgs::default();
        let new = New::of(vec![file], options.reading, learning, out.clone());
        new.make(Format::Json).unwrap();
        change(&out);
        let task = TaskFile::read(&out.join("task.toml")).unwrap();
        let state = Folder::open(folder.path().join("state")).unwrap();
        let chain = Chain {
            limits: ChainLimits::USUAL,
            task_bond: 100 * UNIT,
            finding: Finding::new("chain", Ok(String::new())),
        };
        check(&task, &options.data, &state, chain, Format::Json)
    }

    fn json(findings: &[Finding], check: &str) -> Value {
        let mut all = findings.iter().map(Finding::json);
        all.find(|finding| finding["check"] == check).unwrap()
    }

    #[test]
    fn a_new_task_passes_and_its_numbers_are_told() {
        let findings = findings(|_| {});
        for finding in findings.iter().map(Finding::json) {
            assert_eq!(finding["ok"], true, "{finding}");
        }
        assert_eq!(
            json(&findings, "duplicates")["duplicates"]["exact"]["count"],
            0
        );
        assert_eq!(
            json(&findings, "exam")["classes"]["1"]
                .as_u64()
                .map(|count| count > 50),
            Some(true)
        );
        assert_eq!(
            json(&findings, "cost")["planck"]["budget"],
            (1_000 * UNIT).to_string()
        );
        // A cap of 300 GTG and a little work.
        assert_eq!(json(&findings, "cost")["planck"]["rounds_surely_paid"], 2);
        let blocks = 60 + 20 + 30 + 30 + 20;
        let pace = json(&findings, "pace");
        assert_eq!(pace["seconds"]["round_blocks"], blocks);
        assert_eq!(pace["seconds"]["round"], f64::from(blocks) * 6.0);
        let proof = &json(&findings, "proof")["millibits"];
        assert!(proof["smallest_gain"].as_f64() > proof["smallest_gain_each"].as_f64());
        assert_eq!(proof["trained"], true);
        assert_eq!(json(&findings, "new")["ok"], true);
        let needs = &json(&findings, "attester")["needs"];
        assert!(needs["bytes"].as_u64() > Some(64 << 20));
        assert!(needs["seconds"].as_f64() > needs["seconds_of_few"].as_f64());
    }

    #[test]
    fn an_exam_that_is_in_the_training_part_is_refused() {
        let findings = findings(|folder| {
            fs::copy(folder.join("exam.records"), folder.join("train.records")).unwrap();
        });
        let found = json(&findings, "duplicates");
        assert_eq!(found["ok"], false);
        assert_eq!(found["duplicates"]["exact"]["count"], 360);
        assert!(print(&findings, crate::cli::output::Format::Json).is_err());
    }

    #[test]
    fn what_the_chain_would_refuse_is_told() {
        let changed = |from: &str, to: &str| {
            findings(|folder| {
                let path = folder.join("task.toml");
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains(from), "{text}");
                fs::write(&path, text.replace(from, to)).unwrap();
            })
        };
        let is_ok = |findings: &[Finding], check: &str| json(findings, check)["ok"] == true;
        assert!(!is_ok(&changed("seats = 3", "seats = 9"), "terms"));
        assert!(!is_ok(&changed("reveal = 20", "reveal = 4"), "terms"));
        assert!(!is_ok(&changed("rounds = 2", "rounds = 3"), "exam"));
        assert!(!is_ok(&changed("budget = 1000", "budget = 1"), "cost"));
        assert!(!is_ok(
            &changed("layers = [2, 128, 2]", "layers = [3, 128, 2]"),
            "data"
        ));
    }

    #[test]
    fn times_are_told_in_words() {
        let told = [0.25, 12.0, 900.0, 9_000.0, 345_600.0].map(lasting);
        assert_eq!(
            told,
            ["250 ms", "12 s", "15 minutes", "2.5 hours", "4.0 days"]
        );
    }
}
