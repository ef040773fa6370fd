//! `task.toml`: a task as one file. Values that a file leaves out are those that the flags of `gotong task open` have by default.

use crate::{
    cli::{
        delta_terms::DeltaTerms,
        output::{Amount, Q8, UNIT},
        weights,
    },
    model::Model,
    run::ExamPlan,
};
use gotong_protocol::{HoldOutTerms, ShareTerms, TaskName, TaskTerms, Windows};
use gotong_scoring::{Graph, MasterWeights};
use gotong_training::initial_weights;
use rand::{rngs::StdRng, Rng, SeedableRng};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A task as one file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TaskFile {
    /// What users see, up to 32 bytes.
    pub name: String,
    /// GTG that go on hold to pay rounds.
    pub budget: Amount,
    /// How data becomes the bytes of a sample: a file that contributors get from the task.
    pub recipe: Option<PathBuf>,
    /// Records that are available to contributors; `check` compares the exam with them.
    pub train: Option<PathBuf>,
    /// First weights [default: random].
    pub weights: Option<PathBuf>,
    /// Seed of random first weights; drawn by the system if not given.
    pub init_seed: Option<u64>,
    /// The architecture, with the keys of a model's file.
    #[serde(default = "usual_model")]
    pub model: Model,
    /// What scores rounds.
    #[serde(default)]
    pub exam: ExamSection,
    /// What improvement is worth.
    #[serde(default)]
    pub pay: PaySection,
    /// How long each phase of a round lasts, in blocks.
    #[serde(default)]
    pub windows: WindowsSection,
    /// Who attests.
    #[serde(default)]
    pub attesters: AttestersSection,
    /// What others put at stake.
    #[serde(default)]
    pub stakes: StakesSection,
    /// The share rule.
    #[serde(default)]
    pub share: ShareSection,
    /// Deltas and their merge.
    #[serde(default)]
    pub deltas: DeltaTerms,
}

/// What scores rounds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExamSection {
    /// The records of the exam, as `gotong data split` writes them.
    pub records: Option<PathBuf>,
    /// Where the samples of a round come from.
    pub hold_out: HoldOut,
    /// Rounds: by default 10 with sealed shards, and at most 100 with a pool.
    pub rounds: Option<u32>,
    /// Samples that score a round.
    pub samples: u32,
    /// Where the pool is written, if samples are drawn.
    pub pool: Option<PathBuf>,
    /// The root of shards that `gotong data seal` made, instead of records.
    pub sealed: Option<Root>,
}

/// Where the samples of a round come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldOut {
    /// From shards that only you know until `gotong sponsor` publishes them
    #[default]
    Sealed,
    /// From a public pool: they are drawn by chance once a round's deltas are revealed
    Drawn,
}

/// A Merkle root, as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root(pub gotong_protocol::Hash);

/// What improvement is worth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PaySection {
    /// GTG for each millibit per sample by which a round lowers the loss.
    pub price: Amount,
    /// Most GTG that one round pays.
    pub cap: Amount,
    /// The attesters' share of what it pays for its gain, in thousandths.
    pub fee_permille: u16,
    /// GTG that attesters share for each 2^30 products that evaluating a round takes.
    pub work_fee: Amount,
}

/// How long each phase of a round lasts, in blocks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WindowsSection {
    /// In which deltas are committed.
    pub commit: u32,
    /// In which deltas are revealed, and the shard is published.
    pub reveal: u32,
    /// Each of the two attestation phases.
    pub attest: u32,
    /// In which audits are answered, and disputes opened.
    pub challenge: u32,
}

/// Who attests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AttestersSection {
    /// Attesters drawn for a round.
    pub seats: u8,
    /// Equal claims that a round needs; by default two thirds of the seats.
    pub quorum: Option<u8>,
}

/// What others put at stake.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StakesSection {
    /// Minimum stake of a contributor, in GTG.
    pub contributor: Amount,
    /// Minimum stake of an attester, in GTG.
    pub attester: Amount,
    /// Stake in GTG above which a delta gains no weight.
    pub weight_cap: Amount,
}

/// The share rule, in standard errors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShareSection {
    /// How much a newcomer's delta has to be worth.
    pub newcomer_floor: Q8,
    /// How much the delta of an account that has proved something has to be worth.
    pub proven_floor: Q8,
    /// How much a merge has to gain.
    pub gain_floor: Q8,
    /// Credits above this are paid.
    pub doubt: Q8,
}

fn usual_model() -> Model {
    Model(Graph::mlp(&[784, 128, 10]))
}

impl Default for ExamSection {
    fn default() -> Self {
        Self {
            records: None,
            hold_out: HoldOut::Sealed,
            rounds: None,
            samples: 800,
            pool: None,
            sealed: None,
        }
    }
}

impl Default for PaySection {
    fn default() -> Self {
        Self {
            price: Amount(UNIT),
            cap: Amount(500 * UNIT),
            fee_permille: 100,
            work_fee: Amount(UNIT / 1_000),
        }
    }
}

impl Default for WindowsSection {
    fn default() -> Self {
        Self {
            commit: 60,
            reveal: 20,
            attest: 30,
            challenge: 20,
        }
    }
}

impl Default for AttestersSection {
    fn default() -> Self {
        Self {
            seats: 3,
            quorum: None,
        }
    }
}

impl Default for StakesSection {
    fn default() -> Self {
        Self {
            contributor: Amount(100 * UNIT),
            attester: Amount(100 * UNIT),
            weight_cap: Amount(1_000 * UNIT),
        }
    }
}

impl Default for ShareSection {
    fn default() -> Self {
        let usual = ShareTerms::default();
        Self {
            newcomer_floor: Q8(usual.newcomer_floor_q8),
            proven_floor: Q8(usual.proven_floor_q8),
            gain_floor: Q8(usual.gain_floor_q8),
            doubt: Q8(usual.doubt_q8),
        }
    }
}

impl std::str::FromStr for Root {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut root = gotong_protocol::Hash::default();
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut root)?;
        Ok(Self(root))
    }
}

impl<'de> Deserialize<'de> for Root {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| {
            serde::de::Error::custom(format!("a root is 64 hexadecimal digits: {error}"))
        })
    }
}

/// Why a file is not a valid task.
#[derive(Debug, thiserror::Error)]
pub enum TaskFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; `gotong task new` writes such a file", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A key is missing, unknown or wrong.
    #[error("{}: {source}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Which key, and what is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// The name is too long, or empty.
    #[error("`{0}` is not a name: write 1 to 32 bytes")]
    Name(String),
    /// A term of the share rule is out of its bounds.
    #[error(
        "a sponsor may choose --newcomer-floor from 0.5 to 3, --proven-floor from 0 to 1 but no higher than --newcomer-floor, \
         --gain-floor from 0 to 2, --doubt from 1 to 4, and --outer-rate from 0.5 to 2"
    )]
    Share,
    /// Samples are drawn, but nothing says where their pool goes.
    #[error("drawn samples need a pool file: give --pool-out, or `pool` in the section `exam`")]
    NoPool,
    /// A pool is named, but samples are not drawn.
    #[error("a pool is for drawn samples: add --hold-out drawn, or `hold-out = \"drawn\"` in the section `exam`")]
    NotDrawn,
}

impl TaskFile {
    /// A task with the usual values.
    pub fn new(name: String, budget: Amount) -> Self {
        Self {
            name,
            budget,
            recipe: None,
            train: None,
            weights: None,
            init_seed: None,
            model: usual_model(),
            exam: ExamSection::default(),
            pay: PaySection::default(),
            windows: WindowsSection::default(),
            attesters: AttestersSection::default(),
            stakes: StakesSection::default(),
            share: ShareSection::default(),
            deltas: DeltaTerms::default(),
        }
    }

    /// Reads a file. The files that it names are looked for next to it.
    ///
    /// # Errors
    /// A file that cannot be read, or a key that is missing, unknown or wrong.
    pub fn read(path: &Path) -> Result<Self, TaskFileError> {
        let text = fs::read_to_string(path).map_err(|source| TaskFileError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let task: Self = toml::from_str(&text).map_err(|source| TaskFileError::Wrong {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        Ok(task.beside(path.parent().unwrap_or(Path::new(""))))
    }

    /// The same task, with the files that it names in `folder`, unless their paths are absolute.
    fn beside(mut self, folder: &Path) -> Self {
        let files = [
            &mut self.recipe,
            &mut self.train,
            &mut self.weights,
            &mut self.exam.records,
            &mut self.exam.pool,
        ];
        for file in files.into_iter().flatten() {
            *file = folder.join(&*file);
        }
        self
    }

    /// The model.
    pub fn graph(&self) -> &Graph {
        &self.model.0
    }

    /// How the exam's records become the samples of rounds.
    ///
    /// # Errors
    /// Drawn samples without a file for their pool, or such a file without drawn samples.
    pub fn exam_plan(&self) -> Result<ExamPlan, TaskFileError> {
        let ExamSection {
            samples,
            rounds,
            ref pool,
            ..
        } = self.exam;
        match (self.exam.hold_out, pool) {
            (HoldOut::Sealed, None) => Ok(ExamPlan::Sealed {
                shards: rounds.unwrap_or(10),
                samples,
            }),
            (HoldOut::Drawn, Some(pool)) => Ok(ExamPlan::Drawn {
                rounds: rounds.unwrap_or(100),
                samples,
                pool: pool.clone(),
            }),
            (HoldOut::Sealed, Some(_)) => Err(TaskFileError::NotDrawn),
            (HoldOut::Drawn, None) => Err(TaskFileError::NoPool),
        }
    }

    /// The terms of the task, with the exam of these terms and this recipe; without a recipe if it has no bytes.
    ///
    /// # Errors
    /// Values that cannot be expressed in terms. [`TaskTerms::validate`] checks the rest.
    pub fn terms(&self, hold_out: HoldOutTerms, recipe: &[u8]) -> Result<TaskTerms, TaskFileError> {
        let graph = self.graph();
        let share = ShareTerms {
            newcomer_floor_q8: self.share.newcomer_floor.0,
            proven_floor_q8: self.share.proven_floor.0,
            gain_floor_q8: self.share.gain_floor.0,
            doubt_q8: self.share.doubt.0,
            outer_rate_q8: self.deltas.outer_rate_q8(graph),
        };
        if !share.are_valid() {
            return Err(TaskFileError::Share);
        }
        let name = TaskName::new(&self.name);
        let least_quorum = TaskTerms::<u128>::least_quorum(self.attesters.seats);
        let terms = TaskTerms {
            name: name.ok_or_else(|| TaskFileError::Name(self.name.clone()))?,
            price_per_millibit: self.pay.price.0,
            cap_per_round: self.pay.cap.0,
            attester_fee_permille: self.pay.fee_permille,
            work_fee: self.pay.work_fee.0,
            windows: Windows {
                commit_blocks: self.windows.commit,
                reveal_blocks: self.windows.reveal,
                attest_blocks: self.windows.attest,
                challenge_blocks: self.windows.challenge,
            },
            seats: self.attesters.seats,
            quorum: self.attesters.quorum.unwrap_or(least_quorum),
            minimum_contributor_stake: self.stakes.contributor.0,
            minimum_attester_stake: self.stakes.attester.0,
            weight_cap: self.stakes.weight_cap.0,
            delta_bytes: self.deltas.delta_bytes(graph),
            share,
            hold_out,
            recipe: gotong_protocol::Hash::default(),
            recipe_bytes: 0,
        };
        Ok(terms.with_recipe(recipe))
    }

    /// The first weights, in the order of the parameters.
    ///
    /// # Errors
    /// A file that cannot be read, or that is for another model.
    pub fn first_weights(&self) -> anyhow::Result<MasterWeights> {
        // If they were known before the task is open, somebody could already train for its first round.
        self.first_weights_or(|| StdRng::from_os_rng().random())
    }

    /// The same; if the file has no seed, random weights follow `seed`.
    ///
    /// # Errors
    /// See [`Self::first_weights`].
    pub fn first_weights_or(&self, seed: impl FnOnce() -> u64) -> anyhow::Result<MasterWeights> {
        let graph = self.graph();
        let weights = match &self.weights {
            Some(path) => weights::read(path, graph)?,
            None => initial_weights(graph, self.init_seed.unwrap_or_else(seed)),
        };
        Ok(MasterWeights::new(weights)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<TaskFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.toml");
        fs::write(&path, text).unwrap();
        TaskFile::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_file_has_the_usual_values() {
        let task = written("name = \"a\"\nbudget = 12.5").unwrap();
        assert_eq!(task, TaskFile::new("a".into(), Amount(UNIT * 25 / 2)));
        let plan = task.exam_plan().unwrap();
        assert_eq!((plan.rounds(), plan.samples()), (10, 800));
        let terms = task.terms(plan.outline(8_000), b"a recipe").unwrap();
        assert_eq!((terms.seats, terms.quorum), (3, 2));
        assert_eq!(terms.share, ShareTerms::default());
        assert_eq!(terms.recipe_bytes, 8);
        assert_eq!(terms.validate(785, 5, 600), Ok(()));
    }

    #[test]
    fn every_section_is_read_and_files_are_found_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.toml");
        let text = r#"
            name = "flowers"
            budget = 100
            recipe = "recipe.toml"
            train = "/elsewhere/train.records"
            model = { kind = "mlp", layers = [4, 16, 3] }
            [exam]
            records = "exam.records"
            hold-out = "drawn"
            pool = "flowers.pool"
            rounds = 7
            samples = 64
            [pay]
            price = 0.01
            cap = "2.000000000001"
            fee-permille = 50
            [windows]
            commit = 40
            [attesters]
            seats = 1
            [stakes]
            weight-cap = 5
            [share]
            doubt = 2.5
            [deltas]
            kib = 8
            outer-rate = 1.5
        "#;
        fs::write(&path, text).unwrap();
        let task = TaskFile::read(&path).unwrap();
        let beside = |name: &str| Some(folder.path().join(name));
        assert_eq!(task.recipe, beside("recipe.toml"));
        assert_eq!(task.train, Some("/elsewhere/train.records".into()));
        assert_eq!(task.exam.records, beside("exam.records"));
        assert_eq!(*task.graph(), Graph::mlp(&[4, 16, 3]));
        let plan = task.exam_plan().unwrap();
        assert_eq!(
            plan,
            ExamPlan::Drawn {
                rounds: 7,
                samples: 64,
                pool: folder.path().join("flowers.pool"),
            }
        );
        let terms = task.terms(plan.outline(2_000), b"").unwrap();
        assert_eq!(terms.cap_per_round, 2 * UNIT + 1);
        assert_eq!(
            (terms.price_per_millibit, terms.attester_fee_permille),
            (UNIT / 100, 50)
        );
        assert_eq!(
            (terms.windows.commit_blocks, terms.windows.reveal_blocks),
            (40, 20)
        );
        assert_eq!(
            (terms.share.doubt_q8, terms.share.outer_rate_q8),
            (640, 384)
        );
        assert_eq!((terms.delta_bytes, terms.weight_cap), (8 << 10, 5 * UNIT));
        assert!(!terms.has_recipe());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |line: &str| written(&format!("name = \"a\"\nbudget = 1\n{line}"));
        for (line, named) in [
            ("colour = 1", "colour"),
            ("[pay]\nprise = 1", "prise"),
            ("[pay]\nprice = -1", "price = -1"),
            ("[exam]\nhold-out = \"open\"", "hold-out"),
            ("[exam]\nsealed = \"12\"", "sealed"),
            ("model = { kind = \"mlp\" }", "layers"),
            ("[model]\nkind = \"tree\"", "transformer"),
        ] {
            let error = with(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
        assert!(written("budget = 1").unwrap_err().contains("name"));
        let pool = with("[exam]\npool = \"a\"").unwrap();
        assert!(matches!(pool.exam_plan(), Err(TaskFileError::NotDrawn)));
        let drawn = with("[exam]\nhold-out = \"drawn\"").unwrap();
        assert!(matches!(drawn.exam_plan(), Err(TaskFileError::NoPool)));
        let doubt = with("[share]\ndoubt = 9").unwrap();
        let outline = doubt.exam_plan().unwrap().outline(8_000);
        assert!(matches!(
            doubt.terms(outline, b""),
            Err(TaskFileError::Share)
        ));
        let name = TaskFile::new("x".repeat(33), Amount(1));
        assert!(matches!(
            name.terms(outline, b""),
            Err(TaskFileError::Name(_))
        ));
        let nowhere = TaskFile::read(Path::new("/nowhere/task.toml"));
        assert!(matches!(nowhere, Err(TaskFileError::Unreadable { .. })));
    }
}
