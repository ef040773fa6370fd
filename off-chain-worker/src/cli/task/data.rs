//! The data of a task that is not open yet: its recipe, and its exam.

use super::file::{HoldOut, Root, TaskFile};
use crate::{
    cli::data_options::Data,
    run::Sealed,
    state::Folder,
    training::data::{DataSet, Labelled, Use},
};
use anyhow::{bail, ensure, Context, Result};
use gotong_data::{Recipe, Source, SourceOptions};
use gotong_protocol::HoldOutTerms;
use gotong_scoring::Graph;
use std::path::Path;

/// The data of a task that is not open yet.
pub struct TaskData {
    /// The canonical text of its recipe.
    pub recipe: String,
    /// What its samples are made by.
    pub made_by: Recipe,
    /// What its exam is made of.
    pub exam: ExamData,
}

/// What an exam is made of.
pub enum ExamData {
    /// Records that are still to be sealed, or to be written as a pool.
    Records(Labelled),
    /// Shards that were sealed before.
    Sealed(HoldOutTerms),
}

impl TaskData {
    /// Reads what the task names; a published data set, the one that `data` chooses, if it names no recipe and no records.
    ///
    /// # Errors
    /// Files that cannot be read, or do not fit each other or the model; shards that are not in `folder`.
    pub fn read(task: &TaskFile, data: &Data, folder: &Folder) -> Result<Self> {
        let graph = task.graph();
        let own = task.recipe.as_ref().filter(|_| data.data.is_none());
        let (made_by, exam) = match own {
            Some(path) => {
                let recipe = read_recipe(path)?;
                recipe.check(graph)?;
                let exam = match (&task.exam.sealed, &task.exam.records) {
                    (Some(root), _) => sealed_before(task, root, folder)?,
                    (None, Some(path)) => {
                        ExamData::Records(load_records(path, &recipe, graph)?)
                    }
                    (None, None) => bail!(
                        "the task has a recipe of its own, and nothing says what its exam is: give --exam, or `records` \
                         in the section `exam`"
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
                let exam = match &task.exam.sealed {
                    Some(root) => sealed_before(task, root, folder)?,
                    None => {
                        ExamData::Records(set.load(&data.folder.path(), Use::Exam, graph)?)
                    }
                };
                (set.recipe()?, exam)
            }
        };
        Ok(Self {
            recipe: made_by.to_text()?,
            made_by,
            exam,
        })
    }

    /// The terms of the exam before anything is sealed or written.
    ///
    /// # Errors
    /// An exam that cannot be made of these records.
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
    /// An exam that cannot be made of these records; files that cannot be written.
    pub fn hold_out(&self, task: &TaskFile, folder: &Folder) -> Result<HoldOutTerms> {
        match &self.exam {
            ExamData::Sealed(terms) => Ok(*terms),
            ExamData::Records(exam) => Ok(task.exam_plan()?.carry_out(exam, folder)?),
        }
    }
}

impl TaskFile {
    /// What goes on hold besides the budget, in planck: not to publish a shard must not be cheaper than to pay for a round.
    pub fn bond(&self, task_bond: u128) -> u128 {
        match self.exam.hold_out {
            HoldOut::Sealed => task_bond.max(self.pay.cap.0),
            HoldOut::Drawn => task_bond,
        }
    }
}

/// The exam of shards that were sealed before.
fn sealed_before(task: &TaskFile, root: &Root, folder: &Folder) -> Result<ExamData> {
    ensure!(
        task.exam.hold_out == HoldOut::Sealed,
        "shards that are sealed already cannot be a pool: leave out --hold-out drawn"
    );
    let record_bytes = task.graph().inputs as usize + 1;
    let plan = match Sealed::open(folder, &root.0)? {
        Some(sealed) => sealed.plan(record_bytes)?,
        None => None,
    };
    let plan = plan.with_context(|| {
        format!(
            "{} has no shards with the root {}: `gotong data seal` makes them, with the same --base-path",
            folder.path().display(),
            hex::encode(root.0)
        )
    })?;
    Ok(ExamData::Sealed(HoldOutTerms::Sealed {
        root: root.0,
        shards: plan.rounds(),
        samples: plan.samples(),
    }))
}

/// The recipe in the file at `path`.
pub fn read_recipe(path: &Path) -> Result<Recipe> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the recipe {}", path.display()))?;
    Recipe::parse(&text).with_context(|| path.display().to_string())
}

/// The samples in a file of records that the recipe made, as the model takes them.
pub fn load_records(path: &Path, recipe: &Recipe, graph: &Graph) -> Result<Labelled> {
    let source = Source::open(&[path.to_owned()], SourceOptions::default())?;
    Ok(recipe.load(&source, tokens(graph))?)
}

/// Tokens of a sample, of a language model.
pub fn tokens(graph: &Graph) -> Option<usize> {
    graph.vocab().map(|_| graph.inputs as usize)
}
