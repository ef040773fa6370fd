//! The text of a new `task.toml`: its values, each with a comment that says what it means.

use super::{
    draft::{most_gain, ModelDraft},
    file::TaskFile,
};
use crate::{cli::output::Amount, model::describe};
use serde_json::Value;
use std::{fmt::Write, path::Path};

/// What a new file is about, besides its values.
pub struct About<'a> {
    /// The data that it was made from.
    pub files: &'a str,
    /// The folder that it is written to.
    pub folder: &'a Path,
    /// Its model.
    pub model: &'a ModelDraft,
    /// Samples of its exam.
    pub exam: usize,
}

/// The commented text of `task`, whose files are next to it under their usual names.
pub fn written(task: &TaskFile, about: &About) -> String {
    let folder = about.folder.display();
    let (graph, exam) = (task.graph(), &task.exam);
    let rounds = exam.rounds.unwrap_or_default();
    let used = u64::from(rounds) * u64::from(exam.samples);
    let gain = most_gain(graph);
    let spent = Amount((task.pay.price.0 as f64 * gain) as u128 / 1_000_000_000 * 1_000_000_000);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        r#"# A Gotong task, made from {files} by `gotong task new`. Change what you like, then run:
#
#   gotong task check {folder}/task.toml     shows what it will cost and what its exam can prove, before money moves
#   gotong task open {folder}/task.toml      opens it; flags, such as --budget 500, override this file
#
# The files named here are looked up beside this one. docs/sponsors.md explains every term.

# The name that everybody sees, up to 32 bytes.
name = {name}

# GTG put on hold to pay rounds. Unspent money comes back when you close the task.
budget = {budget}

# How your data becomes the bytes of a sample. The task carries this file, so you need not hand it out.
recipe = "recipe.toml"

# Samples that contributors may train on: hand this file out, or let them use their own data. Nothing sends it anywhere for you.
# `task check` makes sure that it contains no sample of the exam.
train = "train.records"

# The first weights are random. To start from your own model instead: weights = "model.safetensors"

# {described}. Written as in docs/models; {parameters} parameters, of at most 1048576 that the chain accepts.
[model]
{model}

[exam]
# The samples that score rounds. Nobody may train on them: keep this file secret.
records = "exam.records"
# "sealed": each round is scored on its own shard, which nobody sees in advance. "drawn": each round is scored on samples drawn
# from a public pool, for data that everybody may have; it needs `pool = "FILE"` and sixteen times as many records as samples.
hold-out = "sealed"
# Each round uses up one shard: {rounds} rounds of {samples} samples use {used} of the exam's {all}.
rounds = {rounds}
# An even number from 64 to 4096. More samples prove smaller improvements; `task check` says how small.
samples = {samples}

[pay]
# GTG for each millibit (a thousandth of a bit) by which a round lowers the mean loss of a sample. Untrained weights
# improve by at most {gain:.0} millibits in all (95 % of the loss of guessing): at this price, that costs {spent} GTG.
price = {price}
# The most GTG that one round pays. A round starts only if the rest of the budget covers this and the work, so a cap of at most
# 30 % of the budget keeps the task going until all of that is paid. On easy data, the first round may gain more than the cap
# pays: then its contributors are credited less. A lower price or a larger budget pays it in full.
cap = {cap}
# The attesters' share of what a round pays for its gain, in thousandths.
fee-permille = {fee}
# GTG that attesters share for each 2^30 products that evaluating a round takes, even if it gains nothing.
work-fee = {work_fee}

[windows]
# The longest that each phase of a round lasts, in blocks: one second each on a development chain, six on others. A phase ends
# early when everybody is done.
# Contributors train: long enough for the usual training on one slow core, and at least a minute on the fastest chain.
commit = {commit}
# Deltas are revealed, and your shard is published.
reveal = {reveal}
# Attesters score the round, in two phases of this length. The chain refuses a task that a slow processor cannot score in time.
attest = {attest}
# Audits are answered, and disputes opened.
challenge = {challenge}

[attesters]
# How many attesters score a round; two thirds of them have to agree. More make a lie harder, but a round waits while too few
# offer seats.
seats = {seats}

[stakes]
# The minimum stake to take part, in GTG, and the stake above which a delta gains no more weight.
contributor = {contributor}
attester = {attester}
weight-cap = {weight_cap}
"#,
        files = about.files,
        name = quoted(&task.name),
        budget = task.budget,
        described = describe(graph),
        parameters = graph.parameters(),
        model = about.model,
        samples = exam.samples,
        all = about.exam,
        price = task.pay.price,
        cap = task.pay.cap,
        fee = task.pay.fee_permille,
        work_fee = task.pay.work_fee,
        commit = task.windows.commit,
        reveal = task.windows.reveal,
        attest = task.windows.attest,
        challenge = task.windows.challenge,
        seats = task.attesters.seats,
        contributor = task.stakes.contributor,
        attester = task.stakes.attester,
        weight_cap = task.stakes.weight_cap,
    );
    text
}

/// The text quoted as in TOML and JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::task::draft, model::Model};
    use std::fs;

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        let model = ModelDraft::Mlp(vec![4, 16, 3]);
        let mut task = TaskFile::new("\"flowers\" \u{e4}\\".into(), draft::BUDGET);
        task.model = Model(model.graph().unwrap());
        (task.exam.rounds, task.exam.samples) = (Some(8), 66);
        draft::fill(&mut task, 539).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let about = About {
            files: "flowers.csv",
            folder: folder.path(),
            model: &model,
            exam: 539,
        };
        let path = folder.path().join("task.toml");
        fs::write(&path, written(&task, &about)).unwrap();
        let beside = |name: &str| Some(folder.path().join(name));
        task.recipe = beside("recipe.toml");
        task.train = beside("train.records");
        task.exam.records = beside("exam.records");
        assert_eq!(TaskFile::read(&path).unwrap(), task);
    }

    #[test]
    fn lines_are_short_and_every_value_has_a_comment() {
        let model = ModelDraft::Mlp(vec![4, 16, 3]);
        let mut task = TaskFile::new("a".into(), draft::BUDGET);
        task.model = Model(model.graph().unwrap());
        task.exam.rounds = Some(8);
        let about = About {
            files: "flowers.csv",
            folder: Path::new("flowers"),
            model: &model,
            exam: 6_400,
        };
        let text = written(&task, &about);
        assert!(text.lines().all(|line| line.chars().count() <= 132));
        for section in ["exam", "pay", "windows", "attesters", "stakes"] {
            let start = text.find(&format!("[{section}]\n#"));
            assert!(start.is_some(), "{section} begins with a comment");
        }
    }
}
