//! What a demo shows: a task, and who takes part in it.

use super::{account, Result};
use crate::{
    chain::Account,
    model,
    training::data::{DataSet, Labelled, Use},
};
use gotong_protocol::Graph;
use std::path::Path;

/// The contributor that submits noise.
pub const NOISE: &str = "Noise";
/// The name of the sponsor.
pub const SPONSOR: &str = "Sponsor";
/// The attester that lies in its first round, and is convicted.
pub const LIAR: &str = "Liar";

/// The task to improve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scene {
    /// A classifier of Fashion-MNIST's images; one contributor submits noise, one attester lies
    #[default]
    Mlp,
    /// A language model of a million parameters, on Shakespeare's plays
    Lm,
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

impl Scene {
    pub fn cast(self) -> Cast {
        match self {
            Self::Mlp => Cast {
                honest: 4,
                noise: true,
                attesters: 3,
                liar: true,
            },
            Self::Lm => Cast {
                honest: 3,
                noise: false,
                attesters: 2,
                liar: false,
            },
        }
    }

    pub fn data(self) -> DataSet {
        match self {
            Self::Mlp => DataSet::FashionMnist,
            Self::Lm => DataSet::Shakespeare,
        }
    }

    /// The model's TOML file.
    pub fn model(self) -> &'static str {
        match self {
            Self::Mlp => include_str!("../../../../docs/models/mlp.toml"),
            Self::Lm => include_str!("../../../../docs/models/transformer.toml"),
        }
    }

    pub fn graph(self) -> Result<Graph> {
        Ok(model::parse(self.model())?)
    }

    /// Samples in the sealed shard of a round.
    pub fn shard_samples(self) -> u32 {
        match self {
            Self::Mlp => 800,
            Self::Lm => 128,
        }
    }

    /// What the sponsor asks for when it opens the task, beside its model, its exam and its rounds.
    pub fn terms(self) -> &'static str {
        match self {
            Self::Mlp => {
                "--price=0.01 --cap=50 --budget=1000 --fee-permille=100 --commit-blocks=60 \
                 --reveal-blocks=20 --attest-blocks=20 --challenge-blocks=5 --seats=4 --quorum=3 \
                 --weight-cap=1000"
            }
            // A loss is of 128 characters: a hundredth of the price.
            Self::Lm => {
                "--price=0.0001 --cap=50 --budget=1000 --fee-permille=100 --commit-blocks=600 \
                 --reveal-blocks=60 --attest-blocks=240 --challenge-blocks=5 --seats=2 --quorum=2 \
                 --weight-cap=1000"
            }
        }
    }

    /// How contributors train, where not as usual.
    pub fn training(self) -> &'static str {
        match self {
            Self::Mlp => "",
            Self::Lm => "--steps=112",
        }
    }

    /// Samples that never score a round: what the model is reported on.
    pub fn report(self, folder: &Path, graph: &Graph) -> Result<Labelled> {
        let all = self.data().load(folder, Use::Report, graph)?;
        Ok(match self {
            Self::Mlp => all,
            // A fifth of it, to save time.
            Self::Lm => all.part(0, 5),
        })
    }
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

    /// Everybody but the node.
    pub fn everybody(self) -> impl Iterator<Item = String> {
        self.paid().chain([SPONSOR.to_owned()])
    }

    /// Everybody who may be paid: contributors first.
    fn paid(self) -> impl Iterator<Item = String> {
        self.contributors().chain(self.attesters())
    }

    /// The accounts of everybody who may be paid.
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
    use crate::training::data;

    #[test]
    fn every_scene_has_samples_for_its_exams_and_its_report() {
        for scene in [Scene::Mlp, Scene::Lm] {
            let graph = scene.graph().unwrap();
            let exam = scene
                .data()
                .load(&data::folder(), Use::Exam, &graph)
                .unwrap();
            assert!(exam.len() >= (10 * scene.shard_samples()) as usize);
            let report = scene.report(&data::folder(), &graph).unwrap();
            assert!(report.len() >= 400, "{}", report.len());
        }
    }

    #[test]
    fn everybody_has_a_name() {
        let cast = Scene::Mlp.cast();
        assert_eq!(cast.accounts().unwrap().len(), 4 + 1 + 3 + 1);
        assert_eq!(cast.name_of(&account(LIAR).unwrap()).unwrap(), LIAR);
        assert_eq!(cast.name_of(&[7; 32]).unwrap(), "07070707");
        let cast = Scene::Lm.cast();
        assert!(!cast.has_liar() && !cast.has_noise());
        assert_eq!(cast.accounts().unwrap().len(), 3 + 2);
    }
}
