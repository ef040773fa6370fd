//! `gotong task new`: from a data file to a task file.

use super::{
    data::load_records,
    draft::{self, ModelDraft},
    file::TaskFile,
    written::{self, About},
};
use crate::{
    cli::{
        data::{
            split::{replace, write, Written},
            LearningArgs, SplitArgs,
        },
        data_options::ReadingArgs,
        output::Amount,
        Globals,
    },
    model::{describe, Model},
};
use anyhow::{Context, Result};
use gotong_data::{Kind, Recipe};
use gotong_protocol::{
    bounds::{MAX_RECORD_BYTES, MIN_SAMPLES},
    TaskName,
};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

/// The task's file in its folder.
pub const TASK: &str = "task.toml";
/// Lengths of a sample of text that are tried, the longest first.
const TOKENS: [u32; 4] = [64, 32, 16, 8];
/// Samples that an exam of text should have: ten rounds of 64.
const ENOUGH: usize = 640;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong task new flowers.csv --label species --out flowers\n  \
                  gotong task new reviews.jsonl --field text --out reviews --name reviews --budget 200\n  \
                  gotong task new images --size 28x28 --grey --out images\n\n\
                  It writes task.toml, recipe.toml, train.records, exam.records and report.records, and sends nothing. Keep the \
                  exam to yourself."
)]
pub struct New {
    /// Files of one format, or for images a folder that has a folder for each class
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    learning: LearningArgs,
    #[command(flatten)]
    split: SplitArgs,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// What everybody sees, up to 32 bytes [default: the name of the folder]
    #[arg(long)]
    name: Option<String>,
    /// GTG that are put on hold when the task is opened
    #[arg(long, default_value = "1000")]
    budget: Amount,
}

/// A task that was written.
pub struct Made {
    /// Its data.
    pub written: Written,
    /// What its file says.
    pub task: TaskFile,
    /// Samples of its exam.
    pub exam: usize,
}

pub async fn run(args: New, globals: &Globals) -> Result<()> {
    let folder = args.out.clone();
    let made = tokio::task::spawn_blocking(move || args.make()).await??;
    globals
        .output
        .print(made.json(&folder), || made.described(&folder));
    Ok(())
}

impl New {
    /// The same as on the command line, with the usual values for what is not said here.
    pub fn of(files: Vec<PathBuf>, reading: ReadingArgs, out: PathBuf) -> Result<Self> {
        #[derive(clap::Parser)]
        struct Usual {
            #[command(flatten)]
            new: New,
        }
        let line = ["new", "file", "--out", "folder"];
        let usual: Usual = clap::Parser::try_parse_from(line)?;
        Ok(Self {
            files,
            reading,
            out,
            ..usual.new
        })
    }

    /// Writes the task's data, and then the task.
    pub fn make(&self) -> Result<Made> {
        let source = self.reading.open(&self.files)?;
        let written = write(&source, &self.learning, &self.split, &self.out)?;
        let (model, exam) = self.model(&written)?;
        let mut task = TaskFile::new(self.name()?, self.budget);
        task.model = Model(model.graph()?);
        let record_bytes = task.graph().inputs as usize + 1;
        anyhow::ensure!(
            record_bytes <= MAX_RECORD_BYTES as usize,
            "a sample has {record_bytes} bytes with its label, and the chain takes {MAX_RECORD_BYTES}: leave columns out by \
             --drop, or make images smaller by --size"
        );
        let (rounds, samples) = draft::rounds_and_samples(exam, record_bytes).with_context(|| {
            format!(
                "there are {exam} samples for exams, and a round needs at least {MIN_SAMPLES}: give a larger part of the \
                 rows by --exam, such as --exam 500, or bring more data"
            )
        })?;
        (task.exam.rounds, task.exam.samples) = (Some(rounds), samples);
        draft::fill(&mut task, exam)?;
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let about = About {
            files: &files.join(", "),
            folder: &self.out,
            model: &model,
            exam,
        };
        let path = self.out.join(TASK);
        replace(&path, &written::written(&task, &about))?;
        // With its files found beside it.
        let task = TaskFile::read(&path)?;
        Ok(Made {
            written,
            task,
            exam,
        })
    }

    /// A model that suits the data, and how many samples the exam has for it.
    fn model(&self, written: &Written) -> Result<(ModelDraft, usize)> {
        let draft = |tokens| ModelDraft::suiting(&written.recipe, written.training_bytes, tokens);
        let [_, exam, _] = written.rows;
        if written.recipe.kind() != Kind::Text {
            return Ok((draft(0)?, usize::try_from(exam)?));
        }
        let mut found = None;
        for length in TOKENS {
            let model = draft(length)?;
            let samples = samples_of(&self.out.join("exam.records"), &written.recipe, &model)?;
            let is_enough = samples >= ENOUGH;
            if found.as_ref().is_none_or(|(_, most)| samples > *most) {
                found = Some((model, samples));
            }
            if is_enough {
                break;
            }
        }
        found.context("there is no text for exams: bring more")
    }

    fn name(&self) -> Result<String> {
        if let Some(name) = &self.name {
            TaskName::new(name).context("a name has 1 to 32 bytes")?;
            return Ok(name.clone());
        }
        let folder = self.out.file_name().unwrap_or_default().to_string_lossy();
        let mut name = String::new();
        for character in folder.chars().filter(|character| !character.is_control()) {
            if name.len() + character.len_utf8() > TaskName::MAX_BYTES {
                break;
            }
            name.push(character);
        }
        Ok(if name.is_empty() { "task".into() } else { name })
    }
}

/// Samples that a language model has in a file of records; none if all its texts are too short.
fn samples_of(records: &Path, recipe: &Recipe, model: &ModelDraft) -> Result<usize> {
    let graph = model.graph()?;
    match load_records(records, recipe, &graph) {
        Ok(samples) => Ok(samples.len()),
        Err(error) => match error.downcast_ref() {
            Some(gotong_data::DataError::TooShort { .. }) => Ok(0),
            _ => Err(error),
        },
    }
}

impl Made {
    fn json(&self, folder: &Path) -> Value {
        let exam = &self.task.exam;
        json!({
            "task": folder.join(TASK),
            "name": self.task.name,
            "model": describe(self.task.graph()),
            "parameters": self.task.graph().parameters(),
            "rounds": exam.rounds,
            "samples": exam.samples,
            "exam_samples": self.exam,
            "price": self.task.pay.price.0.to_string(),
            "cap": self.task.pay.cap.0.to_string(),
            "budget": self.task.budget.0.to_string(),
            "data": self.written.json(folder),
        })
    }

    fn described(&self, folder: &Path) -> String {
        let (task, path) = (&self.task, folder.join(TASK));
        let path = path.display();
        format!(
            "{}\n{path}         {}, {} rounds of {} samples\nnext: read {path}, then `gotong task check {path}`",
            self.written.described(folder),
            describe(task.graph()),
            task.exam.rounds.unwrap_or_default(),
            task.exam.samples,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::task::limits::ChainLimits;
    use std::fs;

    fn made(file: &str, content: &str, reading: &str) -> (tempfile::TempDir, Result<Made>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        fs::write(&path, content).unwrap();
        let made = reading_args(reading).and_then(|reading| {
            New::of(vec![path], reading, folder.path().join("flowers"))?.make()
        });
        (folder, made)
    }

    fn reading_args(line: &str) -> Result<ReadingArgs> {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            reading: ReadingArgs,
        }
        let line = std::iter::once("reading").chain(line.split_whitespace());
        let only: Only = clap::Parser::try_parse_from(line)?;
        Ok(only.reading)
    }

    fn table(rows: usize) -> String {
        let row = |row: usize| {
            let class = ["setosa", "iris", "rose"][row % 3];
            format!("{row},{},{}\n", row * 7 % 101, class)
        };
        "petal,leaf,species\n".to_owned() + &(0..rows).map(row).collect::<String>()
    }

    #[test]
    fn a_table_becomes_a_task_that_the_chain_takes() {
        let (folder, made) = made("flowers.csv", &table(900), "--label species");
        let Made { written, task, exam } = made.unwrap();
        assert_eq!((task.name.as_str(), exam), ("flowers", 270));
        assert_eq!(written.rows[1], 270);
        assert_eq!(*task.graph(), gotong_scoring::Graph::mlp(&[2, 16, 3]));
        assert_eq!((task.exam.rounds, task.exam.samples), (Some(4), 66));
        let exams = folder.path().join("flowers/exam.records");
        assert_eq!(task.exam.records, Some(exams));
        let outline = task.exam_plan().unwrap().outline(exam);
        let recipe = written.recipe.to_text().unwrap();
        let terms = task.terms(outline, recipe.as_bytes()).unwrap();
        assert_eq!(ChainLimits::USUAL.check(&terms, task.graph()), Ok(()));
    }

    #[test]
    fn a_text_becomes_a_task_with_samples_as_long_as_its_lines_allow() {
        let digits = |row: u64| (1..=40).map(move |at| (row * 7_919 + at * at * 31) % 97 % 10);
        let line = |row: u64| {
            let digits: String = digits(row).map(|digit| digit.to_string()).collect();
            format!("{{\"text\": \"{digits}\"}}\n")
        };
        let text: String = (0..1_500).map(line).collect();
        let (_folder, made) = made("lines.jsonl", &text, "--field text");
        let made = made.unwrap();
        assert_eq!(made.task.graph().vocab(), made.written.recipe.vocab());
        assert!(made.exam >= 64 && made.task.graph().inputs <= 16);
    }

    #[test]
    fn too_few_rows_for_an_exam_are_refused_with_what_to_do() {
        let (_folder, made) = made("flowers.csv", &table(150), "--label species");
        let error = made.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("--exam 500")));
    }

    #[test]
    fn names_fit_the_chain() {
        let name = |folder: &str| {
            let new = New::of(Vec::new(), ReadingArgs::default(), folder.into());
            new.unwrap().name().unwrap()
        };
        assert_eq!(name("data/flowers"), "flowers");
        assert_eq!(name("/"), "task");
        let long = name(&"\u{e4}".repeat(40));
        assert_eq!(long, "\u{e4}".repeat(16));
    }
}
