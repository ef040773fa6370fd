//! What a lab works on: a published data set with any model that fits it, or a task's file.

use crate::{
    cli::{
        data::split::REPORT_RECORDS,
        data_options::Data,
        delta_terms::DeltaTerms,
        exam::Exam,
        task::{load_records, ExamData, TaskData, TaskFile},
    },
    lab::Material,
    state::Folder,
};
use anyhow::{bail, ensure, Context, Result};
use burn::tensor::Device;
use gotong_scoring::{blake2_256, Graph, Samples};
use gotong_training::data::{shuffle, DataSet, Labelled, Use};
use std::path::Path;

/// What a lab works on.
pub struct Setting {
    /// The model.
    pub graph: Graph,
    /// What hands learn from and are examined in.
    pub material: Material,
    /// Samples that never score a round.
    pub report: Exam,
    /// The weights before the first round, if they are not random.
    pub first_weights: Option<Vec<i16>>,
    /// The terms for deltas.
    pub deltas: DeltaTerms,
    /// How many rounds to play, if nobody says.
    pub rounds: u32,
    /// How many samples score a round, if nobody says.
    pub exam: u32,
    /// What tells this setting from others with the same model.
    pub origin: String,
}

impl Setting {
    /// A published data set, with `report` samples for reports.
    ///
    /// # Errors
    /// A data set that is not there, or that the model is not made for.
    pub fn published(graph: &Graph, data: &Data, report: usize, device: Device) -> Result<Self> {
        let set = DataSet::choose(data.data, graph)?;
        let load = |part| data.load(part, graph);
        Ok(Self {
            material: material(graph, load(Use::Training)?, &load(Use::Exam)?, device)?,
            report: Exam::new(
                graph.clone(),
                &set.recipe()?,
                load(Use::Report)?.spread(report),
            )?,
            first_weights: None,
            deltas: DeltaTerms::default(),
            rounds: 10,
            exam: 800,
            origin: set.to_string(),
            graph: graph.clone(),
        })
    }

    /// The task in the file `path`, with at most `report` samples for reports: those of the file for reports beside it or, if there
    /// is none, some that are taken out of the exam. `data` says where published data sets are, and `folder` where sealed exams are.
    ///
    /// # Errors
    /// Files that cannot be read, or do not fit each other or the model; a task whose samples are not there.
    pub fn of_task(
        path: &Path,
        data: &Data,
        report: usize,
        device: Device,
        folder: &Folder,
    ) -> Result<Self> {
        let task = TaskFile::read(path)?;
        ensure!(
            task.exam.sealed.is_none(),
            "the exam of {} is sealed: name its records in the section `exam`",
            path.display()
        );
        let graph = task.graph().clone();
        let of_task = TaskData::read(&task, data, folder)?;
        let training = of_task.training(&task, data)?;
        let mut training = training.with_context(|| {
            format!(
                "{} does not name samples to train on: give `train`, such as the train.records that `gotong task new` writes",
                path.display()
            )
        })?;
        if of_task.is_own && graph.vocab().is_none() {
            shuffle(&mut training);
        }
        let ExamData::Records(mut exams) = of_task.exam else {
            bail!("the exam of {} has no records", path.display());
        };
        let beside = path.with_file_name(REPORT_RECORDS);
        let reported = match (of_task.is_own, beside.is_file()) {
            (true, true) => load_records(&beside, &of_task.made_by, Some(&graph))?.spread(report),
            (true, false) => {
                let taken = report.min(exams.len() / 2);
                let (reported, rest) = exams.split_runs(taken, taken);
                exams = rest;
                reported
            }
            (false, _) => data.load(Use::Report, &graph)?.spread(report),
        };
        let first_weights = match task.weights {
            Some(_) => Some(task.first_weights()?.into_inner()),
            None => None,
        };
        let digest = [&training, &exams, &reported].map(Labelled::records);
        let weights: Vec<u8> = first_weights
            .iter()
            .flatten()
            .flat_map(|weight| weight.to_le_bytes())
            .collect();
        let digest = blake2_256(&[&digest[0], &digest[1], &digest[2], &weights]);
        Ok(Self {
            material: material(&graph, training, &exams, device)?,
            report: Exam::new(graph.clone(), &of_task.made_by, reported)?,
            first_weights,
            deltas: task.deltas,
            rounds: task.exam.rounds.unwrap_or(10),
            exam: task.exam.samples,
            origin: hex::encode(digest),
            graph,
        })
    }
}

fn material(
    graph: &Graph,
    training: Labelled,
    exams: &Labelled,
    device: Device,
) -> Result<Material> {
    let exams = Samples::new(graph.inputs, graph.classes(), &exams.records())?;
    Ok(Material {
        training,
        exams,
        device,
    })
}
