//! The data of a task that is not open yet: its recipe, and its exam.

use super::file::{HoldOut, Root, TaskFile};
use crate::{
    cli::data_options::Data,
    run::{load_what_fits, sample_hash, spare_memory, OpenedExams, RecordsMadeBy, Sealed},
    state::Folder,
};
use anyhow::{bail, ensure, Context, Result};
use gotong_data::{DataError, MemoryLimit, Recipe, Source, SourceOptions};
use gotong_protocol::HoldOutTerms;
use gotong_scoring::Graph;
use gotong_training::data::{DataSet, Labelled, Use};
use std::path::Path;

/// Bytes of memory for what is computed from each sample of an exam: hashes that find it again, and its place.
const OF_A_SAMPLE: u64 = 160;

/// The data of a task that is not open yet.
pub struct TaskData {
    /// The canonical text of its recipe.
    pub recipe: String,
    /// The recipe that makes its samples.
    pub made_by: Recipe,
    /// What its exam is made of.
    pub exam: ExamData,
    /// Whether the data is the sponsor's own, and not a published data set, which everybody knows anyway.
    pub is_own: bool,
}

/// What an exam is made of.
pub enum ExamData {
    /// Records that are still to be sealed, or to be written as a pool.
    Records(Labelled),
    /// Shards that are already sealed.
    Sealed(HoldOutTerms),
}

impl TaskData {
    /// Reads what the task names; if it names no recipe and no records, the published data set that `data` chooses.
    ///
    /// # Errors
    /// Files that cannot be read, or that do not fit each other or the model; shards that are not in `folder`.
    pub fn read(task: &TaskFile, data: &Data, folder: &Folder) -> Result<Self> {
        let graph = task.graph();
        let own = task.recipe.as_ref().filter(|_| data.data.is_none());
        let (made_by, exam) = match own {
            Some(path) => {
                let recipe = read_recipe(path)?;
                recipe.check(graph)?;
                let exam = match (&task.exam.sealed, &task.exam.records) {
                    (Some(root), _) => sealed_before(task, &recipe, root, folder)?,
                    (None, Some(path)) => {
                        ExamData::Records(load_records(path, &recipe, Some(graph))?)
                    }
                    (None, None) => bail!(
                        "the task has its own recipe, but no exam: give --exam, or `records` in the section `exam`"
                    ),
                };
                (recipe, exam)
            }
            None => {
                ensure!(
                    data.data.is_some() || task.exam.records.is_none(),
                    "the exam's records need the recipe that made them: give --recipe, or `recipe` in the file"
                );
                let set = DataSet::choose(data.data, graph)?;
                let recipe = set.recipe()?;
                let exam = match &task.exam.sealed {
                    Some(root) => sealed_before(task, &recipe, root, folder)?,
                    None => ExamData::Records(set.load(&data.folder.path(), Use::Exam, graph)?),
                };
                (recipe, exam)
            }
        };
        Ok(Self {
            recipe: made_by.to_text()?,
            made_by,
            exam,
            is_own: own.is_some(),
        })
    }

    /// Samples that contributors may train on: as many from the file that the task names as there is memory for, or that part of
    /// the published data set. None if it names no file.
    ///
    /// # Errors
    /// Files that cannot be read, or do not fit the model.
    pub fn training(&self, task: &TaskFile, data: &Data) -> Result<Option<Labelled>> {
        let graph = task.graph();
        if self.is_own {
            let Some(path) = &task.train else {
                return Ok(None);
            };
            let source = records(path)?;
            let samples = load_what_fits(&source, &self.made_by, tokens(graph), spare_memory())?;
            return Ok(Some(samples));
        }
        let set = DataSet::choose(data.data, graph)?;
        let samples = set.load(&data.folder.path(), Use::Training, graph)?;
        Ok(Some(samples))
    }

    /// Whether nobody but the sponsor knows the exam.
    pub fn is_secret(&self, task: &TaskFile) -> bool {
        self.is_own && task.exam.hold_out == HoldOut::Sealed
    }

    /// Makes sure that no sample of a sealed exam was in an exam that a task of this sponsor was opened with.
    ///
    /// A pool is public, so it may be used as often as anybody likes; so are the samples of a published data set.
    ///
    /// # Errors
    /// Samples of such an exam; files that cannot be read.
    pub fn ensure_new(&self, task: &TaskFile, folder: &Folder) -> Result<()> {
        if !self.is_secret(task) {
            return Ok(());
        }
        let opened = OpenedExams::within(folder)?;
        let known = match &self.exam {
            ExamData::Records(exam) => opened.known(hashes(exam))?,
            ExamData::Sealed(terms) => match Sealed::open(folder, terms.root())? {
                Some(sealed) => {
                    check_memory(terms, folder, spare_memory())?;
                    let shards: Result<Vec<_>, _> = sealed.samples().collect();
                    opened.known(shards?.into_iter().flatten())?
                }
                None => 0,
            },
        };
        ensure!(
            known == 0,
            "{known} different samples of this exam were in the exam of a task that you opened before. Once they are \
             published, everybody can learn their answers by heart, and you would pay for that. Make an exam from rows that \
             were in no exam, or give --again if you are sure that nobody has seen them"
        );
        Ok(())
    }

    /// Remembers that a task was opened with this exam, for [`Self::ensure_new`].
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn remember(&self, hold_out: &HoldOutTerms, folder: &Folder) -> Result<()> {
        if !self.is_own {
            return Ok(());
        }
        match (hold_out, &self.exam) {
            (HoldOutTerms::Drawn { root, .. }, ExamData::Records(exam)) => {
                let samples: Vec<u64> = hashes(exam).collect();
                OpenedExams::within(folder)?.add(root, [Ok(samples)])?;
            }
            (hold_out, _) => {
                if let Some(sealed) = Sealed::open(folder, hold_out.root())? {
                    sealed.remember(folder)?;
                }
            }
        }
        Ok(())
    }

    /// The terms of the exam before anything is sealed or written.
    ///
    /// # Errors
    /// Records from which no exam can be made.
    pub fn outline(&self, task: &TaskFile) -> Result<HoldOutTerms> {
        match &self.exam {
            ExamData::Sealed(terms) => Ok(*terms),
            ExamData::Records(exam) => {
                let plan = task.exam_plan()?;
                plan.check(exam.len(), exam.inputs + 1)?;
                Ok(plan.outline(exam.len()))
            }
        }
    }

    /// Makes the exam: seals shards in `folder`, or writes the pool.
    ///
    /// # Errors
    /// Records from which no exam can be made; files that cannot be written.
    pub fn hold_out(&self, task: &TaskFile, folder: &Folder) -> Result<HoldOutTerms> {
        match &self.exam {
            ExamData::Sealed(terms) => Ok(*terms),
            ExamData::Records(exam) => {
                let recipe = self.made_by.hash()?;
                Ok(task.exam_plan()?.carry_out(exam, &recipe, folder)?)
            }
        }
    }
}

impl TaskFile {
    /// What goes on hold besides the budget, in planck: not publishing a shard must not be cheaper than paying for a round.
    pub fn bond(&self, most_per_round: u128, task_bond: u128) -> u128 {
        match self.exam.hold_out {
            HoldOut::Sealed => task_bond.max(most_per_round),
            HoldOut::Drawn => task_bond,
        }
    }
}

/// The exam from shards that were sealed before, with samples that `recipe` made.
fn sealed_before(
    task: &TaskFile,
    recipe: &Recipe,
    root: &Root,
    folder: &Folder,
) -> Result<ExamData> {
    ensure!(
        task.exam.hold_out == HoldOut::Sealed,
        "shards that are already sealed cannot become a pool: leave out --hold-out drawn"
    );
    let graph = task.graph();
    let made_by = RecordsMadeBy {
        recipe: recipe.hash()?,
        record_bytes: graph.inputs.saturating_add(1),
    };
    let found = Sealed::open(folder, &root.0)?.filter(|sealed| sealed.root() == root.0);
    let sealed = found.with_context(|| {
        format!(
            "{} has no shards with the root {}: make them with `gotong data seal` and the same --base-path",
            folder.path().display(),
            hex::encode(root.0)
        )
    })?;
    let plan = sealed.plan(&made_by, graph.classes())?;
    Ok(ExamData::Sealed(HoldOutTerms::Sealed {
        root: root.0,
        shards: plan.rounds(),
        samples: plan.samples(),
    }))
}

/// Hashes of all samples.
fn hashes(exam: &Labelled) -> impl Iterator<Item = u64> + '_ {
    exam.pixels
        .chunks_exact(exam.inputs.max(1))
        .map(sample_hash)
}

/// The recipe in the file at `path`.
pub fn read_recipe(path: &Path) -> Result<Recipe> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the recipe {}", path.display()))?;
    Recipe::parse(&text).with_context(|| path.display().to_string())
}

/// The samples in a file of records that the recipe made, as the model takes them. Only samples of text need a model.
///
/// # Errors
/// A file that cannot be read, or that another recipe made; more samples than there is memory for.
pub fn load_records(
    path: &Path,
    recipe: &Recipe,
    graph: Option<&Graph>,
) -> Result<Labelled, DataError> {
    let limit = MemoryLimit {
        most_bytes: spare_memory(),
        bytes_besides: OF_A_SAMPLE,
    };
    recipe.load_within(&records(path)?, graph.and_then(tokens), limit)
}

fn records(path: &Path) -> Result<Source, DataError> {
    Source::open(&[path.to_owned()], SourceOptions::default())
}

/// Checks that what finds the samples of these sealed shards again fits into this many bytes of memory.
fn check_memory(exam: &HoldOutTerms, folder: &Folder, most: u64) -> Result<(), DataError> {
    let samples = u64::from(exam.rounds()).saturating_mul(exam.samples().into());
    let needs = samples.saturating_mul(OF_A_SAMPLE);
    if needs <= most {
        return Ok(());
    }
    Err(DataError::TooLarge {
        path: folder.path().to_owned(),
        samples,
        needs,
        most,
    })
}

/// Number of tokens in a sample, for a language model.
fn tokens(graph: &Graph) -> Option<usize> {
    graph.vocab().map(|_| graph.inputs as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::output::Amount, model::Model, run::UnfitShards};
    use gotong_data::RecordsWriter;

    /// A folder with a recipe and an exam of 128 samples of two bytes.
    fn written(folder: &Path) -> (TaskFile, Recipe) {
        let csv = folder.join("rows.csv");
        let row = |row: u32| format!("{row},{},{}\n", row * 3 % 128, ["a", "b"][row as usize % 2]);
        let rows: String = (0..128).map(row).collect();
        std::fs::write(&csv, "x,y,class\n".to_owned() + &rows).unwrap();
        let options = SourceOptions {
            label: Some("class".into()),
            ..SourceOptions::default()
        };
        let source = Source::open(&[csv], options).unwrap();
        let options = gotong_data::LearnOptions::default();
        let recipe = gotong_data::learn(&source, |_| true, &options).unwrap();
        let mut exam = RecordsWriter::create(&folder.join("exam.records"), &recipe).unwrap();
        for number in 0..128 {
            exam.sample(&[number, number * 2 % 128], number % 2)
                .unwrap();
        }
        exam.finish().unwrap();
        std::fs::write(folder.join("recipe.toml"), recipe.to_text().unwrap()).unwrap();
        let mut task = TaskFile::new("a".into(), Amount(1));
        task.recipe = Some(folder.join("recipe.toml"));
        task.exam.records = Some(folder.join("exam.records"));
        task.model = Model(Graph::mlp(&[2, 2]));
        (task.exam.rounds, task.exam.samples) = (Some(2), 64);
        (task, recipe)
    }

    fn data() -> Data {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            data: Data,
        }
        let only: Only = clap::Parser::parse_from(["data"]);
        only.data
    }

    #[test]
    fn an_exam_is_opened_once() {
        let temporary = tempfile::tempdir().unwrap();
        let (task, _) = written(temporary.path());
        let folder = Folder::open(temporary.path().join("state")).unwrap();
        let read = |task: &TaskFile| TaskData::read(task, &data(), &folder).unwrap();
        let first = read(&task);
        let terms = first.hold_out(&task, &folder).unwrap();
        // That opening failed: nothing was published, so the exam can still be used.
        read(&task).ensure_new(&task, &folder).unwrap();
        first.remember(&terms, &folder).unwrap();
        let refused = read(&task).ensure_new(&task, &folder).unwrap_err();
        assert!(refused.to_string().starts_with("128 different samples"));
        // Nor with the shards that were sealed for it, under their root.
        let mut again = task.clone();
        again.exam.sealed = Some(Root(*terms.root()));
        assert!(read(&again).ensure_new(&again, &folder).is_err());
        // A pool is public anyway.
        let mut drawn = task.clone();
        drawn.exam.hold_out = HoldOut::Drawn;
        read(&drawn).ensure_new(&drawn, &folder).unwrap();
    }

    #[test]
    fn an_exam_that_memory_does_not_hold_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let (task, _) = written(temporary.path());
        let folder = Folder::open(temporary.path().join("state")).unwrap();
        let data = TaskData::read(&task, &data(), &folder).unwrap();
        let exam = data.outline(&task).unwrap();
        // Two shards of 64 samples.
        let needs = 128 * OF_A_SAMPLE;
        check_memory(&exam, &folder, needs).unwrap();
        let refused = check_memory(&exam, &folder, needs - 1).unwrap_err();
        let is_told = matches!(
            &refused,
            DataError::TooLarge { samples: 128, needs: found, most, .. } if *found == needs && *most == needs - 1
        );
        assert!(is_told, "{refused}");
    }

    #[test]
    fn shards_are_of_the_recipe_and_the_model_of_the_task() {
        let temporary = tempfile::tempdir().unwrap();
        let (mut task, recipe) = written(temporary.path());
        let folder = Folder::open(temporary.path().join("state")).unwrap();
        let data = |task: &TaskFile| TaskData::read(task, &data(), &folder);
        let terms = data(&task).unwrap().hold_out(&task, &folder).unwrap();
        task.exam.sealed = Some(Root(*terms.root()));
        let sealed = data(&task).unwrap();
        assert!(matches!(sealed.exam, ExamData::Sealed(found) if found == terms));
        // The same except for a name.
        let text = recipe.to_text().unwrap();
        let text = text.replace("\"class\"", "\"sort\"");
        std::fs::write(temporary.path().join("recipe.toml"), text).unwrap();
        let refused = data(&task).err().unwrap();
        let refused: &UnfitShards = refused.downcast_ref().unwrap();
        assert!(matches!(refused, UnfitShards::Recipe));
    }
}
