//! `gotong data split`, and what `gotong task new` shares with it.

use super::LearningArgs;
use crate::{
    cli::{data_options::ReadingArgs, output::Format, progress, Globals},
    run::spare_memory,
};
use anyhow::{ensure, Context, Result};
use gotong_data::{
    learn, learn_text,
    split::{Assignment, By, Split as Division, Use},
    Encoded, Kind, LearnOptions, MemoryLimit, Recipe, RecordsWriter, Source,
};
use gotong_scoring::blake2_256;
use serde_json::{json, Value};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// The file of the recipe in the folder that is written.
pub const RECIPE: &str = "recipe.toml";
/// The file of the samples for reports there.
pub const REPORT_RECORDS: &str = "report.records";
/// The files of the samples for each use.
pub const RECORDS: [(Use, &str); 3] = [
    (Use::Training, "train.records"),
    (Use::Exam, "exam.records"),
    (Use::Report, REPORT_RECORDS),
];

/// Bytes of memory for a row for exams or reports, so that equal rows are found in the training part: a hash of 32 bytes in a set
/// that has up to twice as many places as it needs.
const OF_A_HELD_OUT_ROW: u64 = 80;
/// Thousandths of the rows for exams: many, because what an exam can prove depends on them.
const EXAM: u32 = 300;
/// Thousandths of the rows for reports.
const REPORT: u32 = 50;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong data split flowers.csv --label species --out flowers\n  \
                  gotong data split visits.csv --label outcome --drop id --by-group patient --out visits\n  \
                  gotong data split reviews.jsonl --field text --tokens characters --unknown ? --out reviews\n\n\
                  It writes recipe.toml, train.records, exam.records and report.records. Keep the exam secret."
)]
pub struct Split {
    #[command(flatten)]
    data: FilesToDivide,
}

/// Files, how they become samples, which of these are for what, and where they go.
#[derive(Debug, clap::Args)]
pub struct FilesToDivide {
    /// Files of one format or, for images, a folder with one subfolder per class
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub learning: LearningArgs,
    #[command(flatten)]
    pub split: SplitArgs,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

impl FilesToDivide {
    /// Divides the rows of the files, and learns a recipe from those for training. Nothing is written. Progress is shown unless
    /// `output` is for programs.
    pub fn divide(&self, output: Format) -> Result<Divided> {
        let _shown = progress::spinner(output, "splitting the rows and learning the recipe");
        let source = self.reading.open(&self.files)?;
        Divided::of(source, &self.learning.options(), &self.split.division())
    }
}

/// Which rows are for training, for exams and for reports.
#[derive(Clone, Debug, clap::Args)]
pub struct SplitArgs {
    /// Share of the rows for exams, in thousandths: these rows score rounds, and nobody may train on them
    #[arg(long, default_value_t = EXAM, value_name = "PERMILLE")]
    exam: u32,
    /// Share of the rows for reports, in thousandths: these rows never score a round, and show how good a model is
    #[arg(long, default_value_t = REPORT, value_name = "PERMILLE")]
    report: u32,
    /// Seed of the choice of rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Keep rows together that have the same value in this column, such as all rows of one person
    #[arg(long, value_name = "COLUMN", conflicts_with = "by_time")]
    by_group: Option<String>,
    /// Keep the latest rows, by the times in this column, for exams and reports
    #[arg(long, value_name = "COLUMN")]
    by_time: Option<String>,
}

impl Default for SplitArgs {
    fn default() -> Self {
        Self {
            exam: EXAM,
            report: REPORT,
            seed: 0,
            by_group: None,
            by_time: None,
        }
    }
}

impl SplitArgs {
    fn division(&self) -> Division {
        let by = match (&self.by_group, &self.by_time) {
            (Some(column), _) => By::Group(column.clone()),
            (None, Some(column)) => By::Time(column.clone()),
            (None, None) => By::Random,
        };
        Division {
            exam_permille: self.exam,
            report_permille: self.report,
            seed: self.seed,
            by,
            most_bytes: spare_memory(),
        }
    }
}

/// What was written.
pub struct Written {
    /// The recipe.
    pub recipe: Recipe,
    /// How many samples or documents there are for each use, in the order of [`RECORDS`].
    pub rows: [u64; 3],
    /// Bytes to train on, without labels.
    pub training_bytes: u64,
    /// Rows that were left out of training because equal ones are for exams or reports.
    pub twice: u64,
}

pub async fn run(args: Split, globals: &Globals) -> Result<()> {
    let folder = args.data.out.clone();
    let output = globals.output;
    let divide = move || args.data.divide(output)?.write(&args.data.out, output);
    let written = tokio::task::spawn_blocking(divide).await??;
    output.print(written.json(&folder), || written.described(&folder));
    Ok(())
}

/// Files whose rows are divided, with the recipe learned from those for training: everything that is known before anything is
/// written.
pub struct Divided {
    source: Source,
    assignment: Assignment,
    /// The recipe.
    pub recipe: Recipe,
}

impl Divided {
    fn of(source: Source, options: &LearnOptions, division: &Division) -> Result<Self> {
        let assignment = division.assign(&source, options)?;
        let limit = MemoryLimit {
            most_bytes: division.most_bytes,
            bytes_besides: OF_A_HELD_OUT_ROW,
        };
        let held_out = [Use::Exam, Use::Report].map(|part| assignment.count(part));
        limit.check(&source, held_out.iter().sum(), 0)?;
        let recipe = learned(&source, &assignment, options)?;
        // A recipe that is too long for the chain is refused now.
        recipe.to_text()?;
        Ok(Self {
            source,
            assignment,
            recipe,
        })
    }

    /// Writes the recipe and all samples to `folder`, each file completely or not at all. Progress is shown unless `output` is for
    /// programs.
    pub fn write(&self, folder: &Path, output: Format) -> Result<Written> {
        let Self {
            source,
            assignment,
            recipe,
        } = self;
        let encoder = recipe.encoder(source)?;
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut writers = Vec::new();
        for (_, name) in RECORDS {
            writers.push(RecordsWriter::create(&folder.join(name), recipe)?);
        }
        let mut written = Written {
            recipe: recipe.clone(),
            rows: [0; 3],
            training_bytes: 0,
            twice: 0,
        };
        // Rows for exams and reports come first, so that equal rows are left out of training: a contributor that trained on them
        // would know the answers by heart, which proves nothing. When rows are divided at random, little is left out, because equal
        // rows are in one part; by groups or times it may be a lot.
        let mut held_out = HashSet::new();
        let mut kept = Kept::default();
        for training in [false, true] {
            let what = if training { "training" } else { "exams" };
            let bar = progress::rows(output, what, source);
            for row in assignment.rows(source)? {
                bar.inc(1);
                let (part, row) = row?;
                if (part == Use::Training) != training {
                    continue;
                }
                let encoded = encoder.encode(&row)?;
                let (Encoded::Sample { sample: bytes, .. } | Encoded::Tokens(bytes)) = &encoded;
                let hash = blake2_256(&[bytes]);
                if training {
                    let is_twice = held_out.contains(&hash);
                    kept.count(&encoded, is_twice);
                    if is_twice {
                        written.twice += 1;
                        continue;
                    }
                    written.training_bytes += bytes.len() as u64;
                } else {
                    held_out.insert(hash);
                }
                let place = RECORDS.iter().position(|(of, _)| *of == part);
                let place = place.unwrap_or_default();
                match &encoded {
                    Encoded::Sample { sample, label } => writers[place].sample(sample, *label)?,
                    Encoded::Tokens(tokens) => writers[place].document(tokens)?,
                }
                written.rows[place] += 1;
            }
        }
        kept.check(source, recipe)?;
        for writer in writers {
            writer.finish()?;
        }
        replace(&folder.join(RECIPE), &recipe.to_text()?)?;
        Ok(written)
    }
}

/// Rows of the training part, and how many of them are left out because equal ones are for exams or reports.
#[derive(Default)]
struct Kept {
    rows: u64,
    left_out: u64,
    /// The same numbers, for each class.
    classes: BTreeMap<u8, (u64, u64)>,
}

impl Kept {
    fn count(&mut self, encoded: &Encoded, is_left_out: bool) {
        let left_out = u64::from(is_left_out);
        self.rows += 1;
        self.left_out += left_out;
        if let Encoded::Sample { label, .. } = encoded {
            let (rows, of_class) = self.classes.entry(*label).or_default();
            *rows += 1;
            *of_class += left_out;
        }
    }

    /// Checks that enough is left to train on, for every class.
    fn check(&self, source: &Source, recipe: &Recipe) -> Result<()> {
        let file = source.first_path().display();
        let (rows, left_out) = (self.rows, self.left_out);
        ensure!(
            left_out * 2 <= rows,
            "{file}: {left_out} of {rows} rows for training are the same as rows for exams or reports, so they would be left \
             out: too few rows differ. Use more columns, a larger --vocab or --size, or smaller parts for --exam and --report; \
             without --by-group and --by-time, equal rows stay together"
        );
        for (label, (rows, left_out)) in &self.classes {
            let names = recipe.class_names();
            let name = names.get(usize::from(*label)).map_or("", String::as_str);
            ensure!(
                left_out < rows,
                "{file}: every training row of the class `{name}` ({rows}) is the same as a row for exams or reports: add rows \
                 of this class, combine classes, or split the rows with another --seed"
            );
        }
        Ok(())
    }
}

/// The recipe learned from the training part. For text that is divided into blocks, that is a part of a document.
fn learned(source: &Source, assignment: &Assignment, options: &LearnOptions) -> Result<Recipe> {
    if source.kind() != Kind::Text {
        return Ok(learn(source, |row| assignment.is_training(row), options)?);
    }
    let training = assignment.rows(source)?.filter_map(|row| match row {
        Ok((Use::Training, row)) => Some(Ok(row)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    Ok(Recipe::Text(learn_text(
        source.first_path(),
        training,
        options,
    )?))
}

/// Writes a file completely or not at all.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

impl Written {
    /// The result, for programs.
    pub fn json(&self, folder: &Path) -> Value {
        let [training, exam, report] = self.rows;
        json!({
            "folder": folder,
            "kind": self.recipe.kind().to_string(),
            "inputs": self.recipe.inputs(),
            "classes": self.recipe.classes(),
            "class_names": self.recipe.class_names(),
            "training": training,
            "exam": exam,
            "report": report,
            "left_out_of_training": self.twice,
        })
    }

    /// The result, for people.
    pub fn described(&self, folder: &Path) -> String {
        let [training, exam, report] = self.rows;
        let (folder, what) = (
            folder.display(),
            match self.recipe.inputs() {
                Some(inputs) => {
                    format!("{inputs} bytes a sample, {} classes", self.recipe.classes())
                }
                None => format!("{} different tokens", self.recipe.classes()),
            },
        );
        let twice = match self.twice {
            0 => String::new(),
            rows => format!(
                "\n{rows} rows are left out of training, because exams or reports have the same rows"
            ),
        };
        format!(
            "{folder}/recipe.toml       {what}\n{folder}/train.records     {training} for training\n\
             {folder}/exam.records      {exam} for exams: keep them secret\n\
             {folder}/report.records    {report} for reports{twice}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use gotong_data::{DataError, SourceOptions, SplitError};

    fn split(line: &str) -> Split {
        match Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        {
            Command::Data(super::super::Data::Split(split)) => *split,
            _ => panic!("{line}"),
        }
    }

    fn write(line: &str) -> Result<Written> {
        let Split { data } = split(line);
        data.divide(Format::Json)?.write(&data.out, Format::Json)
    }

    #[test]
    fn samples_are_written_by_use_and_none_is_in_two() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        let mut csv = "x,y,class\n".to_owned();
        // Every fifth row occurs twice.
        for row in 0..200 {
            let row = if row % 5 == 4 { row - 1 } else { row };
            csv += &format!(
                "{row},{},{}\n",
                row % 7,
                if row % 2 == 0 { "even" } else { "odd" }
            );
        }
        fs::write(&file, csv).unwrap();
        let out = folder.path().join("out");
        let line = format!(
            "gotong data split {} --label class --exam 250 --report 100 --out {}",
            file.display(),
            out.display()
        );
        let written = write(&line).unwrap();
        let [training, exam, report] = written.rows;
        assert_eq!((exam, report), (50, 20));
        // Equal rows are in one part.
        assert_eq!((training, written.twice), (130, 0));
        let load = |name: &str| {
            let source = Source::open(&[out.join(name)], SourceOptions::default()).unwrap();
            written.recipe.load(&source, None).unwrap()
        };
        let text = fs::read_to_string(out.join(RECIPE)).unwrap();
        assert_eq!(Recipe::parse(&text).unwrap(), written.recipe);
        let (training, exam) = (load("train.records"), load("exam.records"));
        assert_eq!((training.inputs, exam.len()), (2, 50));
        let exams: HashSet<&[u8]> = exam.pixels.chunks(2).collect();
        assert!(training
            .pixels
            .chunks(2)
            .all(|sample| !exams.contains(sample)));
    }

    #[test]
    fn rows_that_memory_does_not_hold_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        let row = |row: u32| format!("{row},{}\n", row % 2);
        let rows: String = (0..1_000).map(row).collect();
        fs::write(&file, "x,class\n".to_owned() + &rows).unwrap();
        let file = file.display();
        let out = folder.path().join("out");
        let line = format!(
            "gotong data split {file} --label class --out {}",
            out.display()
        );
        let Split { data } = split(&line);
        let divided = |most_bytes| {
            let source = data.reading.open(&data.files).unwrap();
            let division = Division {
                most_bytes,
                ..data.split.division()
            };
            Divided::of(source, &data.learning.options(), &division)
        };
        let refused = divided(32_000 - 1).err().unwrap();
        let refused: &DataError = refused.downcast_ref().unwrap();
        assert!(matches!(
            refused,
            DataError::Split(SplitError::TooManyRows { .. })
        ));
        divided(32_000).unwrap();
        let many = Division {
            exam_permille: 800,
            most_bytes: 32_000,
            ..data.split.division()
        };
        let source = data.reading.open(&data.files).unwrap();
        let refused = Divided::of(source, &data.learning.options(), &many);
        let refused = refused.err().unwrap();
        assert!(matches!(
            refused.downcast_ref(),
            Some(DataError::TooLarge { .. })
        ));
        assert!(!out.exists());
    }

    #[test]
    fn a_training_part_of_which_too_little_is_left_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let refused = |csv: String, more: &str| {
            let file = folder.path().join("rows.csv");
            fs::write(&file, "x,who,class\n".to_owned() + &csv).unwrap();
            let line = format!(
                "gotong data split {} --label class --drop who --out {} {more}",
                file.display(),
                out.display()
            );
            write(&line).err().map(|error| error.to_string())
        };
        let class = |row: u32| if row.is_multiple_of(2) { "even" } else { "odd" };
        // Everyone has the same eight rows.
        let row = |row: u32| format!("{},{},{}\n", row % 8, row / 8, class(row));
        let eight: String = (0..400).map(row).collect();
        let error = refused(eight.clone(), "--by-group who").unwrap();
        assert!(error.contains("rows for training are the same"), "{error}");
        assert!(!out.join(RECORDS[0].1).exists());
        // By default equal rows stay together, and training has some of them.
        assert_eq!(refused(eight, "--exam 250 --report 250"), None);

        // All rows of one class are the same.
        let row = |row: u32| {
            let x = if row.is_multiple_of(10) { 0 } else { row };
            let class = if row.is_multiple_of(10) {
                "same"
            } else {
                class(row)
            };
            format!("{x},{},{class}\n", row / 10)
        };
        let error = refused((1..251).map(row).collect(), "--by-group who").unwrap();
        assert!(error.contains("class `same`"), "{error}");
    }

    #[test]
    fn a_text_in_one_piece_is_learned_from_its_training_blocks_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("book.txt");
        // A hundred blocks, each with a letter of its own.
        let block = |number: u8| char::from(b'!' + number % 90).to_string().repeat(50) + "\n";
        fs::write(&file, (0..100).map(block).collect::<String>()).unwrap();
        let out = folder.path().join("out");
        let line = format!(
            "gotong data split {} --tokens characters --unknown ! --out {}",
            file.display(),
            out.display()
        );
        let written = write(&line).unwrap();
        // An eleventh of the letters occur twice, so most of what is held out is in no training block.
        assert!(
            written.recipe.classes() < 85,
            "{}",
            written.recipe.classes()
        );
        assert!(written.rows.iter().all(|rows| *rows > 0));
        let refused = write(&line.replace("--unknown !", ""));
        let error = refused.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("book.txt")));
    }

    #[test]
    fn rows_can_be_divided_by_a_column() {
        let by = |more: &str| {
            let line = format!("gotong data split a.csv --out b {more}");
            split(&line).data.split.division().by
        };
        assert_eq!(by(""), By::Random);
        assert_eq!(by("--by-group patient"), By::Group("patient".into()));
        assert_eq!(by("--by-time day"), By::Time("day".into()));
    }
}
