//! What a demo shows: a task, and who takes part in it.

use super::{account, Result};
use crate::{
    chain::Account,
    cli::{
        data::{split::REPORT_RECORDS, LearningArgs},
        data_options::ReadingArgs,
        exam::{Exam, PLAY},
        output::Format,
        task::{
            load_records,
            new::{New, TASK},
        },
    },
    model,
};
use anyhow::Context;
use gotong_protocol::{Graph, TaskId};
use gotong_training::{
    data::{DataSet, Use},
    TrainingConfig,
};
use std::path::{Path, PathBuf};

/// The contributor that submits noise.
pub const NOISE: &str = "Noise";
/// The name of the sponsor.
pub const SPONSOR: &str = "Sponsor";
/// The attester that lies in its first round, and is convicted.
pub const LIAR: &str = "Liar";

/// A task on published data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Published {
    /// A classifier of Fashion-MNIST's images; one contributor submits noise, one attester lies
    #[default]
    Mlp,
    /// A language model of a million parameters, on Shakespeare's plays
    Lm,
}

/// What a demo shows.
pub struct Scene {
    pub cast: Cast,
    pub graph: Graph,
    /// Number of rounds for which there are exams.
    pub most_rounds: u32,
    /// Samples in the sealed shard of a round.
    pub shard_samples: u32,
    /// What the model is reported on: samples that never score a round.
    pub report: Exam,
    /// What the sponsor passes to `gotong task open`, besides the number of rounds.
    pub opening: Vec<String>,
    /// What contributors pass to `gotong contribute`, besides their task and their part.
    pub training: Vec<String>,
}

/// Who takes part.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Contributors that each train on their own part of the data.
    honest: usize,
    /// Whether another one submits noise.
    noise: bool,
    /// Attesters that tell the truth.
    attesters: usize,
    /// Whether another one lies.
    liar: bool,
}

/// The cast of a demo in which a liar is convicted.
const WITH_LIAR: Cast = Cast {
    honest: 4,
    noise: true,
    attesters: 3,
    liar: true,
};
/// The cast of a demo in which every evaluation takes long.
const HONEST: Cast = Cast {
    honest: 3,
    noise: false,
    attesters: 2,
    liar: false,
};

/// The file of the model in the folder of the demo.
const MODEL: &str = "model.toml";

impl Published {
    /// The demo of this task, with its model in `folder` and its data in `data`.
    pub fn scene(self, data: &Path, folder: &Path) -> Result<Scene> {
        let graph = model::parse(self.model())?;
        let exam = self.data().load(data, Use::Exam, &graph)?;
        let report = self.data().load(data, Use::Report, &graph)?;
        let report = match self {
            Self::Mlp => report,
            // A fifth of the report, to save time.
            Self::Lm => report.part(0, 5),
        };
        std::fs::create_dir_all(folder)?;
        let model = folder.join(MODEL);
        std::fs::write(&model, self.model())?;
        let data_dir = format!("--data-dir={}", data.display());
        let shard_samples = self.shard_samples();
        let set = self.data();
        let opening = [
            format!("--name={set}"),
            format!("--data={set}"),
            format!("--model={}", model.display()),
            format!("--shard-samples={shard_samples}"),
            data_dir.clone(),
        ];
        Ok(Scene {
            cast: self.cast(),
            most_rounds: u32::try_from(exam.len())? / shard_samples,
            shard_samples,
            report: Exam::new(graph.clone(), &set.recipe()?, report)?.beginning_with(PLAY),
            opening: opening.into_iter().chain(words(self.terms())).collect(),
            training: vec![steps(self.steps(&graph)), data_dir],
            graph,
        })
    }

    fn cast(self) -> Cast {
        match self {
            Self::Mlp => WITH_LIAR,
            Self::Lm => HONEST,
        }
    }

    fn data(self) -> DataSet {
        match self {
            Self::Mlp => DataSet::FashionMnist,
            Self::Lm => DataSet::Shakespeare,
        }
    }

    /// The model's TOML file.
    fn model(self) -> &'static str {
        match self {
            Self::Mlp => include_str!("../../../../docs/models/mlp.toml"),
            Self::Lm => include_str!("../../../../docs/models/transformer.toml"),
        }
    }

    /// Samples in the sealed shard of a round.
    fn shard_samples(self) -> u32 {
        match self {
            Self::Mlp => 800,
            // The smallest number allowed: these samples have 8,192 characters. In `gotong lab` a small model learns as much with
            // this many characters in its exams as with twice as many, and every delta is merged. Everybody scores a round: with
            // 128 samples, that took a contributor a sixth of its processor time.
            Self::Lm => 64,
        }
    }

    /// What the sponsor asks for when it opens the task, besides its model, its exam and its rounds.
    fn terms(self) -> &'static str {
        match self {
            Self::Mlp => {
                "--price=0.01 --cap=50 --budget=1000 --fee-permille=100 --commit-blocks=60 \
                 --reveal-blocks=20 --attest-blocks=20 --challenge-blocks=5 --seats=4 --quorum=3 \
                 --weight-cap=1000"
            }
            // A loss covers 128 characters: a hundredth of the price.
            Self::Lm => {
                "--price=0.0001 --cap=50 --budget=1000 --fee-permille=100 --commit-blocks=600 \
                 --reveal-blocks=60 --attest-blocks=240 --challenge-blocks=5 --seats=2 --quorum=2 \
                 --weight-cap=1000"
            }
        }
    }

    /// Updates that a contributor makes in a round.
    fn steps(self, graph: &Graph) -> usize {
        match self {
            Self::Mlp => TrainingConfig::of(graph).steps,
            Self::Lm => 112,
        }
    }
}

impl Scene {
    /// The demo of a task that `gotong task new` makes from the user's own file, in `folder`.
    pub fn own(
        file: PathBuf,
        reading: ReadingArgs,
        learning: LearningArgs,
        folder: &Path,
        output: Format,
    ) -> Result<Self> {
        let folder = folder.join("task");
        let made = New::of(vec![file], reading, learning, folder.clone()).make(output)?;
        let (task, recipe) = (made.task, made.written.recipe);
        let graph = task.graph().clone();
        let report = load_records(&folder.join(REPORT_RECORDS), &recipe, Some(&graph));
        let report = report.context("there are no samples to report on")?;
        let (cast, seats) = match graph.vocab() {
            None => (WITH_LIAR, "--seats=4 --quorum=3"),
            Some(_) => (HONEST, "--seats=2 --quorum=2"),
        };
        let opening = [folder.join(TASK).display().to_string()];
        let train = folder.join("train.records");
        Ok(Self {
            cast,
            most_rounds: task.exam.rounds.unwrap_or(1),
            shard_samples: task.exam.samples,
            report: Exam::new(graph.clone(), &recipe, report)?,
            opening: opening
                .into_iter()
                .chain(words("--challenge-blocks=5"))
                .chain(words(seats))
                .collect(),
            training: vec![
                steps(TrainingConfig::of(&graph).steps),
                "--train".to_owned(),
                train.display().to_string(),
            ],
            graph,
        })
    }
}

/// A contributor that is not told how many updates to make would use most of the Commit window, and nobody here has to wait so long.
fn steps(steps: usize) -> String {
    format!("--steps={steps}")
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_whitespace().map(str::to_owned)
}

impl Cast {
    /// The names of the honest contributors.
    pub fn honest(self) -> impl Iterator<Item = String> + Clone {
        (1..=self.honest).map(|number| format!("Contributor{number}"))
    }

    pub fn contributors(self) -> impl Iterator<Item = String> + Clone {
        self.honest().chain(self.noise.then(|| NOISE.to_owned()))
    }

    /// The names of the honest attesters.
    pub fn truthful(self) -> impl Iterator<Item = String> + Clone {
        (1..=self.attesters).map(|number| format!("Attester{number}"))
    }

    pub fn attesters(self) -> impl Iterator<Item = String> + Clone {
        self.truthful().chain(self.liar.then(|| LIAR.to_owned()))
    }

    /// What attesters run. Nobody but these contributors submits deltas, so attesters need no memory for more: a machine on which
    /// the demo trains may have too little for a full round. They do not measure how fast they are, because everybody else in the
    /// cast uses the same processor, and windows end once everybody has acted.
    pub fn attest(self, task: TaskId) -> String {
        let contributors = self.contributors().count();
        format!("attest --task={task} --speed=1 --most-deltas={contributors}")
    }

    /// Everybody except the node.
    pub fn everybody(self) -> impl Iterator<Item = String> {
        self.paid().chain([SPONSOR.to_owned()])
    }

    /// Everybody that may be paid: contributors first.
    fn paid(self) -> impl Iterator<Item = String> {
        self.contributors().chain(self.attesters())
    }

    /// The accounts of everybody that may be paid.
    pub fn accounts(self) -> Result<Vec<(String, Account)>> {
        self.paid()
            .map(|name| Ok((name.clone(), account(&name)?)))
            .collect()
    }

    /// The name of an account.
    pub fn name_of(self, wanted: &Account) -> Result<String> {
        let accounts = self.accounts()?;
        let found = accounts.into_iter().find(|(_, account)| account == wanted);
        Ok(found.map_or_else(|| hex::encode(&wanted[..4]), |(name, _)| name))
    }

    pub fn has_noise(self) -> bool {
        self.noise
    }

    pub fn has_liar(self) -> bool {
        self.liar
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{delta_terms::DeltaTerms, Cli},
        run::{views, RoundMemory},
    };
    use clap::Parser;
    use gotong_training::data;

    #[test]
    fn every_scene_has_samples_for_its_exams_and_its_report() {
        let folder = tempfile::tempdir().unwrap();
        for published in [Published::Mlp, Published::Lm] {
            let scene = published.scene(&data::folder(), folder.path()).unwrap();
            assert!(scene.most_rounds >= 10, "{}", scene.most_rounds);
        }
    }

    #[test]
    fn a_file_of_ones_own_is_a_scene() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        let row = |row: u32| format!("{},{},{}\n", row, row * 7 % 101, row % 2);
        let rows: String = (0..600).map(row).collect();
        std::fs::write(&file, "x,y,class\n".to_owned() + &rows).unwrap();
        let reading = ReadingArgs::labelled("class");
        let scene = Scene::own(
            file,
            reading,
            LearningArgs::default(),
            folder.path(),
            Format::Json,
        )
        .unwrap();
        assert_eq!((scene.most_rounds, scene.shard_samples), (1, 180));
        assert_eq!(scene.graph, Graph::mlp(&[2, 128, 2]));
        assert_eq!(scene.report.samples(), "30 unseen samples");
        let task = folder.path().join("task/task.toml");
        assert_eq!(scene.opening[0], task.display().to_string());
    }

    /// Full rounds of these tasks take 0.8 and 2 GiB for their deltas alone.
    #[test]
    fn an_attester_of_the_demo_needs_memory_for_the_deltas_of_its_contributors_alone() {
        for (published, deltas) in [(Published::Mlp, 5), (Published::Lm, 3)] {
            let graph = model::parse(published.model()).unwrap();
            let mut terms = views::task().terms;
            terms.delta_bytes = DeltaTerms::default().delta_bytes(&graph);
            let memory = RoundMemory::of_at_most(&terms, &graph, deltas).unwrap();
            // What an evaluation takes in addition depends on the machine.
            assert!(memory.deltas < 20 << 20, "{published:?}: {memory:?}");
            let command = published.cast().attest(TaskId(3));
            let expected = format!("attest --task=3 --speed=1 --most-deltas={deltas}");
            assert_eq!(command, expected);
            let line = format!("gotong --dev=Attester1 {command}");
            Cli::try_parse_from(line.split_whitespace()).unwrap();
        }
    }

    #[test]
    fn everybody_has_a_name() {
        let cast = Published::Mlp.cast();
        assert_eq!(cast.accounts().unwrap().len(), 4 + 1 + 3 + 1);
        assert_eq!(cast.name_of(&account(LIAR).unwrap()).unwrap(), LIAR);
        assert_eq!(cast.name_of(&[7; 32]).unwrap(), "07070707");
        let cast = Published::Lm.cast();
        assert!(!cast.has_liar() && !cast.has_noise());
        assert_eq!(cast.accounts().unwrap().len(), 3 + 2);
    }
}
