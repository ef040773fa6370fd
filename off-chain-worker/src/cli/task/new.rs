//! `gotong task new`: makes a task file from a data file.

use super::{
    draft::{self, ModelDraft},
    file::TaskFile,
    written::{self, About},
};
use crate::{
    cli::{
        data::{
            split::{Divided, Written, RECIPE, RECORDS},
            FilesToDivide, LearningArgs, SplitArgs,
        },
        data_options::ReadingArgs,
        output::{Amount, Format},
        Globals,
    },
    model::{describe, Model},
};
use anyhow::{ensure, Context, Result};
use gotong_data::{split::Use, write_whole, Kind, Row, Source, SourceOptions, Values};
use gotong_protocol::{
    bounds::{MAX_RECORD_BYTES, MIN_SAMPLES},
    TaskName,
};
use serde_json::{json, Value};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

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
                  gotong task new images --size 28x28 --grey --out shapes\n\n\
                  It writes task.toml, recipe.toml, train.records, exam.records and report.records, and sends nothing. Keep \
                  the exam secret."
)]
pub struct New {
    #[command(flatten)]
    data: FilesToDivide,
    /// Replace the task that is already in the folder
    #[arg(long)]
    force: bool,
    /// The name that everybody sees, up to 32 bytes [default: the name of the folder]
    #[arg(long)]
    name: Option<String>,
    /// GTG to put on hold when the task is opened
    #[arg(long, default_value_t = draft::BUDGET)]
    budget: Amount,
}

/// A task that has been written.
pub struct Made {
    /// Its data.
    pub written: Written,
    /// What its file says.
    pub task: TaskFile,
    /// Samples of its exam.
    pub exam: usize,
}

pub async fn run(args: New, globals: &Globals) -> Result<()> {
    let folder = args.data.out.clone();
    let output = globals.output;
    let made = tokio::task::spawn_blocking(move || args.make(output)).await??;
    output.print(made.json(&folder), || made.described(&folder));
    Ok(())
}

impl New {
    /// A task with the usual values for everything that is not given, to replace a task that is in the folder.
    pub fn of(
        files: Vec<PathBuf>,
        reading: ReadingArgs,
        learning: LearningArgs,
        out: PathBuf,
    ) -> Self {
        Self {
            data: FilesToDivide {
                files,
                reading,
                learning,
                split: SplitArgs::default(),
                out,
            },
            force: true,
            name: None,
            budget: draft::BUDGET,
        }
    }

    /// Writes the task's data and the task itself, all or nothing. Progress is shown unless `output` is for programs.
    pub fn make(&self, output: Format) -> Result<Made> {
        let name = self.name()?;
        self.check_folder()?;
        let divided = self.data.divide(output)?;
        check_record(&divided)?;
        // Next to the folder, so that at the end everything only has to be renamed.
        let out = &self.data.out;
        let parent = out.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        let draft = tempfile::Builder::new()
            .prefix(".gotong-task-")
            .tempdir_in(parent)
            .with_context(|| format!("cannot write to {}", parent.display()))?;
        let (written, exam) = self.write(&divided, name, draft.path(), output)?;
        self.keep(draft.path())?;
        Ok(Made {
            written,
            // Its files are found next to it.
            task: TaskFile::read(&out.join(TASK))?,
            exam,
        })
    }

    /// Checks that the task may be written to its folder.
    fn check_folder(&self) -> Result<()> {
        let out = &self.data.out;
        let task = out.join(TASK);
        ensure!(
            self.force || !task.exists(),
            "{} already exists: name another folder with --out, or give --force to replace that task and its samples",
            task.display()
        );
        let folder = std::path::absolute(out)?;
        let folder = existing(&folder);
        for data in self.data.files.iter().filter(|file| file.is_dir()) {
            let data = data
                .canonicalize()
                .with_context(|| data.display().to_string())?;
            ensure!(
                !folder.starts_with(&data),
                "{} is inside the data, so its files would be read as data next time. Name a folder outside it with --out",
                out.display()
            );
        }
        Ok(())
    }

    /// Writes all files to `folder`; returns what was written, and how many samples the exam has.
    fn write(
        &self,
        divided: &Divided,
        name: String,
        folder: &Path,
        output: Format,
    ) -> Result<(Written, usize)> {
        let written = divided.write(folder, output)?;
        let (model, exam) = model(&written, folder)?;
        let mut task = TaskFile::new(name, self.budget);
        task.model = Model(model.graph()?);
        let record_bytes = task.graph().inputs as usize + 1;
        let (rounds, samples) = draft::rounds_and_samples(exam, record_bytes).with_context(|| {
            format!(
                "there are {exam} samples for exams, but a round needs at least {MIN_SAMPLES}: give a larger part of the rows \
                 with --exam, such as --exam 500, or add more data"
            )
        })?;
        (task.exam.rounds, task.exam.samples) = (Some(rounds), samples);
        draft::fill(&mut task, exam)?;
        let files: Vec<_> = self
            .data
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let about = About {
            files: &files.join(", "),
            folder: &self.data.out,
            model: &model,
            exam,
        };
        let (path, text) = (folder.join(TASK), written::written(&task, &about));
        write_whole(&path, |file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        // Anyone who can read the task may read these, too; the exam is only for the sponsor.
        let usual = fs::metadata(&path)?.permissions();
        let train = RECORDS
            .into_iter()
            .filter(|(part, _)| *part == Use::Training);
        for name in train.map(|(_, name)| name).chain([RECIPE]) {
            fs::set_permissions(folder.join(name), usual.clone())?;
        }
        Ok((written, exam))
    }

    /// Moves all files from `draft` to the task's folder. The task itself comes last: where it is, the other files belong to it.
    fn keep(&self, draft: &Path) -> Result<()> {
        let out = &self.data.out;
        fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        let task = out.join(TASK);
        if task.exists() {
            fs::remove_file(&task).with_context(|| task.display().to_string())?;
        }
        let records = RECORDS.into_iter().map(|(_, name)| name);
        for name in records.chain([RECIPE, TASK]) {
            let path = out.join(name);
            fs::rename(draft.join(name), &path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn name(&self) -> Result<String> {
        if let Some(name) = &self.name {
            TaskName::new(name).context("a name has 1 to 32 bytes")?;
            return Ok(name.clone());
        }
        let folder = self
            .data
            .out
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
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

/// Checks that the chain accepts samples as the recipe makes them. Samples of text are always short enough, because a model is
/// chosen to suit.
fn check_record(divided: &Divided) -> Result<()> {
    let record_bytes = divided.recipe.inputs().map_or(0, |inputs| inputs + 1);
    ensure!(
        record_bytes <= MAX_RECORD_BYTES as usize,
        "a sample has {record_bytes} bytes with its label, but the chain accepts at most {MAX_RECORD_BYTES}: leave columns out \
         with --drop, or make images smaller with --size"
    );
    Ok(())
}

/// A path in which all existing folders are replaced by the real ones, without links; the rest stays as it is.
fn existing(path: &Path) -> PathBuf {
    for folder in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), path.strip_prefix(folder)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

/// A model that suits the data written to `folder`, and how many samples the exam has for it.
fn model(written: &Written, folder: &Path) -> Result<(ModelDraft, usize)> {
    let draft = |tokens| ModelDraft::suiting(&written.recipe, written.training_bytes, tokens);
    let [_, exam, _] = written.rows;
    if written.recipe.kind() != Kind::Text {
        return Ok((draft(0)?, usize::try_from(exam)?));
    }
    let samples = samples_of_text(&folder.join("exam.records"))?;
    let choices = || TOKENS.into_iter().zip(samples);
    let most = choices().rev().max_by_key(|(_, samples)| *samples);
    let chosen = choices().find(|(_, samples)| *samples >= ENOUGH).or(most);
    let (tokens, samples) = chosen
        .filter(|(_, samples)| *samples > 0)
        .context("the texts for exams are too short, or there are none: add more or longer ones")?;
    Ok((draft(tokens)?, samples))
}

/// How many samples a file of documents has, for each of [`TOKENS`].
fn samples_of_text(records: &Path) -> Result<[usize; TOKENS.len()]> {
    let source = Source::open(&[records.to_owned()], SourceOptions::default())?;
    let mut samples = [0; TOKENS.len()];
    let mut add = |document: usize| {
        for (samples, tokens) in samples.iter_mut().zip(TOKENS) {
            // Each sample has as many tokens and is followed by its label, which is the first token of the next.
            *samples += document.saturating_sub(1) / tokens as usize;
        }
    };
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let (mut document, mut last) = (0, row.at.clone());
    while rows.read(&mut row)? {
        // A long document comes in pieces, which have the same place.
        if row.at != last {
            add(document);
            (document, last) = (0, row.at.clone());
        }
        if let Values::Tokens(tokens) = &row.values {
            document += tokens.len();
        }
    }
    add(document);
    Ok(samples)
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
    use crate::cli::task::{data::load_records, limits::ChainLimits};

    fn made(file: &str, content: &str, reading: &str) -> (tempfile::TempDir, Result<Made>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        fs::write(&path, content).unwrap();
        let made = reading_args(reading).and_then(|reading| {
            let out = folder.path().join("flowers");
            New::of(vec![path], reading, LearningArgs::default(), out).make(Format::Json)
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
        let Made {
            written,
            task,
            exam,
        } = made.unwrap();
        assert_eq!((task.name.as_str(), exam), ("flowers", 270));
        assert_eq!(written.rows[1], 270);
        assert_eq!(*task.graph(), gotong_scoring::Graph::mlp(&[2, 128, 3]));
        assert_eq!((task.exam.rounds, task.exam.samples), (Some(1), 270));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &str| {
                let metadata = fs::metadata(folder.path().join(path)).unwrap();
                metadata.permissions().mode()
            };
            // The mode of any other file.
            let usual = mode("flowers.csv");
            for name in ["train.records", "recipe.toml", "task.toml"] {
                assert_eq!(mode(&format!("flowers/{name}")), usual, "{name}");
            }
        }
        let exams = folder.path().join("flowers/exam.records");
        assert_eq!(task.exam.records, Some(exams));
        let outline = task.exam_plan().unwrap().outline(exam);
        let recipe = written.recipe.to_text().unwrap();
        let terms = task.terms(outline, recipe.as_bytes()).unwrap();
        let most = ChainLimits::USUAL.check(&terms, task.graph()).unwrap();
        assert!(most < task.budget.0 / 2);
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
        // The number of samples as they are loaded.
        let exam = made.task.exam.records.unwrap();
        let load =
            |graph: gotong_scoring::Graph| load_records(&exam, &made.written.recipe, Some(&graph));
        assert_eq!(load(made.task.model.0).unwrap().len(), made.exam);
        for (tokens, count) in TOKENS.into_iter().zip(samples_of_text(&exam).unwrap()) {
            let model = ModelDraft::suiting(&made.written.recipe, 0, tokens).unwrap();
            let loaded = load(model.graph().unwrap());
            assert_eq!(loaded.map_or(0, |samples| samples.len()), count, "{tokens}");
        }
    }

    #[test]
    fn too_few_rows_for_an_exam_are_refused_with_what_to_do() {
        let (folder, made) = made("flowers.csv", &table(150), "--label species");
        let error = made.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("--exam 500")));
        // Nothing of it is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn samples_that_are_too_long_for_the_chain_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, header: &[u8], bytes: Vec<u8>| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, [header, &bytes].concat()).unwrap();
            path
        };
        // Forty images of 128 lines and 129 columns.
        let header = [0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 128, 0, 0, 0, 129];
        let pixels = (0..40 * 128 * 129u32).map(|at| (at * 7 % 251) as u8);
        let images = write("images-idx3-ubyte", &header, pixels.collect());
        let labels = (0..40).map(|image| image % 2).collect();
        write("labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 40], labels);
        // Nothing can be written inside a file, so an attempt would give a different error.
        let out = images.join("task");
        let (reading, learning) = (ReadingArgs::default(), LearningArgs::default());
        let made = New::of(vec![images], reading, learning, out).make(Format::Json);
        let error = made.err().unwrap().to_string();
        assert!(error.contains("16513 bytes"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_task_is_replaced_only_by_force_and_only_by_a_whole_one() {
        let (folder, made) = made("flowers.csv", &table(900), "--label species");
        let path = made.unwrap().task.exam.records.unwrap();
        let exam = fs::read(&path).unwrap();
        let out = folder.path().join("flowers");
        let again = |force: bool, rows: usize| {
            let file = folder.path().join("flowers.csv");
            fs::write(&file, table(rows)).unwrap();
            let reading = reading_args("--label species").unwrap();
            let new = New::of(vec![file], reading, LearningArgs::default(), out.clone());
            New { force, ..new }
                .make(Format::Json)
                .map(|made| made.exam)
        };
        let refused = again(false, 1_200).unwrap_err();
        assert!(refused.to_string().contains("--force"));
        assert!(again(true, 150).is_err());
        assert_eq!(fs::read(&path).unwrap(), exam);
        assert_eq!(again(true, 1_200).unwrap(), 360);
        assert_ne!(fs::read(&path).unwrap(), exam);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 5);
    }

    #[test]
    fn nothing_is_written_inside_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        fs::create_dir_all(images.join("left")).unwrap();
        fs::create_dir(folder.path().join("other")).unwrap();
        let refused = |out: PathBuf| {
            let (reading, learning) = (ReadingArgs::default(), LearningArgs::default());
            let made = New::of(vec![images.clone()], reading, learning, out).make(Format::Json);
            made.err().unwrap().to_string()
        };
        for out in [
            "images",
            "images/left",
            "images/new/task",
            "other/../images",
        ] {
            let out = folder.path().join(out);
            assert!(
                refused(out.clone()).contains("inside the data"),
                "{}",
                out.display()
            );
        }
        let other = refused(folder.path().join("images-task"));
        assert!(!other.contains("inside the data"), "{other}");
    }

    #[test]
    fn names_fit_the_chain() {
        let name = |folder: &str| {
            let (reading, learning) = (ReadingArgs::default(), LearningArgs::default());
            let new = New::of(Vec::new(), reading, learning, folder.into());
            new.name().unwrap()
        };
        assert_eq!(name("data/flowers"), "flowers");
        assert_eq!(name("/"), "task");
        let long = name(&"\u{e4}".repeat(40));
        assert_eq!(long, "\u{e4}".repeat(16));
    }
}
