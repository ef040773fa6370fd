//! The way to a step: what to doubt first, and which of the shown parts to pick.

use super::StepName;
use gotong_protocol::{RoundFacts, TableSummary};
use gotong_scoring::{
    share::{
        table::GRADIENT_TILE,
        trial::{Accusation, Pick, Shown, Statement, Trial},
        Half,
    },
    trial::{self, backward, Layout, Side, TRACE_TILE},
    WEIGHT_TILE,
};

impl StepName {
    /// What a challenger would doubt first to come to the step; none if the round has no such sample.
    pub(super) fn accusation(&self, facts: &RoundFacts) -> Option<Accusation> {
        Some(match *self {
            Self::Rows(stage) => Accusation::Rows(stage),
            Self::Row { stage, entrant } => Accusation::Row(stage, entrant),
            Self::Part(of) | Self::Products(of) | Self::Product { of, .. } => {
                Accusation::Row(of.stage, of.entrant)
            }
            Self::Gradients(stage)
            | Self::GradientTiles { stage, .. }
            | Self::Gradient { stage, .. }
            | Self::Contribution { stage, .. }
            | Self::BackwardTrace { stage, .. }
            | Self::BackwardWord { stage, .. } => Accusation::Gradients(stage),
            Self::Weights(of) | Self::Weight { of, .. } | Self::Term { of, .. } => {
                Accusation::Weights(of)
            }
            Self::Losses(half) => Accusation::Losses(half),
            Self::Sample { sample, .. }
            | Self::Trace { sample, .. }
            | Self::Word { sample, .. } => {
                let is_in = |half: &Half| {
                    let samples = half.samples(&facts.half_seed, facts.samples);
                    samples.contains(&sample)
                };
                Accusation::Losses([Half::A, Half::B].into_iter().find(is_in)?)
            }
        })
    }

    /// Which part of what `trial` shows to pick in order to come nearer.
    pub(super) fn pick(
        &self,
        trial: &Trial,
        facts: &RoundFacts,
        summary: &TableSummary,
    ) -> Option<Pick> {
        let shown = trial.shown.as_ref()?;
        if let Shown::Losses([losses, _]) = shown {
            let picks = 0..losses.len() as u32;
            let picks = picks.map(|nth| Pick::Sample {
                of: self.side(),
                nth,
            });
            return self.first_below(picks, trial, facts, summary);
        }
        let picks = (0..length(shown) as u32).map(Pick::Nth);
        self.first_below(picks, trial, facts, summary)
    }

    fn first_below(
        &self,
        mut picks: impl Iterator<Item = Pick>,
        trial: &Trial,
        facts: &RoundFacts,
        summary: &TableSummary,
    ) -> Option<Pick> {
        picks.find(|pick| {
            let next = trial.pick(facts, summary, pick);
            next.is_ok_and(|next| self.is_below(&next.statement, facts))
        })
    }

    /// Whether a statement that was just picked is on the way to the step.
    fn is_below(&self, statement: &Statement, facts: &RoundFacts) -> bool {
        match *statement {
            Statement::Part { of, .. } => self.group() == Some(of.group),
            Statement::Products { first, tiles, .. } => {
                let range = first..first.saturating_add(tiles);
                matches!(*self, Self::Product { tile, .. } if range.contains(&tile))
            }
            Statement::GradientTiles { group, branch, .. } => {
                let tile = self.position() / GRADIENT_TILE as u32;
                self.group() == Some(group) && covers(branch.level, branch.index, tile)
            }
            Statement::Gradient { word, .. } => self.is_below_word(&word, facts),
            Statement::Weights { branch, .. } => covers(
                branch.level,
                branch.index,
                self.position() / WEIGHT_TILE as u32,
            ),
            Statement::Weight { position, .. } => self.position() == position,
            Statement::Term { entrant, .. } => {
                matches!(*self, Self::Term { entrant: wanted, .. } if wanted == entrant)
            }
            Statement::Loss(trial::Statement::Sample { exam, .. }) => {
                self.sample() == Some(exam.sample)
            }
            Statement::Loss(trial::Statement::Trace { branch, .. }) => self
                .tile(facts)
                .is_some_and(|tile| covers(branch.level, branch.index, tile)),
            Statement::Loss(trial::Statement::Word { op, at, .. }) => {
                matches!(*self, Self::Word { op: o, at: a, .. } if (o, a) == (op, at))
            }
            _ => false,
        }
    }

    fn is_below_word(&self, word: &backward::Statement, facts: &RoundFacts) -> bool {
        match *word {
            backward::Statement::Gradient { position, .. } => self.position() == position,
            backward::Statement::Sample { sample, .. } => self.sample() == Some(sample),
            backward::Statement::Reader { reader, .. } => match *self {
                Self::Contribution { reader: wanted, .. } => wanted == Some(reader),
                // Each of them leads to the trace.
                _ => reader == 0,
            },
            backward::Statement::Trace { branch, .. } => self
                .tile(facts)
                .is_some_and(|tile| covers(branch.level, branch.index, tile)),
            backward::Statement::Word { stage, at, .. } => {
                matches!(*self, Self::BackwardWord { op, at: a, .. } if (op, a) == (stage, at))
            }
        }
    }

    fn side(&self) -> Side {
        match *self {
            Self::Sample { of, .. } | Self::Trace { of, .. } | Self::Word { of, .. } => of,
            _ => Side::Base,
        }
    }

    fn sample(&self) -> Option<u32> {
        match *self {
            Self::Contribution { sample, .. }
            | Self::BackwardTrace { sample, .. }
            | Self::BackwardWord { sample, .. }
            | Self::Sample { sample, .. }
            | Self::Trace { sample, .. }
            | Self::Word { sample, .. } => Some(sample),
            _ => None,
        }
    }

    fn group(&self) -> Option<u32> {
        match *self {
            Self::Part(of) | Self::Products(of) | Self::Product { of, .. } => Some(of.group),
            Self::GradientTiles { group, .. }
            | Self::Gradient { group, .. }
            | Self::Contribution { group, .. }
            | Self::BackwardTrace { group, .. }
            | Self::BackwardWord { group, .. } => Some(group),
            _ => None,
        }
    }

    /// The parameter on the way. The gradient of any parameter leads to a sample's trace: it takes the first.
    fn position(&self) -> u32 {
        match *self {
            Self::Gradient { position, .. }
            | Self::Contribution { position, .. }
            | Self::Weight { position, .. }
            | Self::Term { position, .. } => position,
            _ => 0,
        }
    }

    /// The tile of a trace that has the word. A gradient's trace begins with the words of the forward pass; where those
    /// of the backward pass are, only the referee knows.
    fn tile(&self, facts: &RoundFacts) -> Option<u32> {
        let (op, at) = match *self {
            Self::Word { op, at, .. } => (op, at),
            Self::BackwardWord { op, at, .. } => (op, u32::try_from(at).ok()?),
            _ => return None,
        };
        let layout = Layout::of(&facts.graph);
        let words = layout.op(op).filter(|words| at < words.words)?;
        words.first_tile.checked_add(at / TRACE_TILE)
    }
}

/// Whether the node at `index` of a level is above a leaf.
fn covers(level: u8, index: u32, leaf: u32) -> bool {
    leaf.checked_shr(level.into()).unwrap_or(0) == index
}

/// How many things are shown.
fn length(shown: &Shown) -> usize {
    match shown {
        Shown::RowNodes(nodes) => nodes.len(),
        Shown::Parts(parts) => parts.len(),
        Shown::Products(products) => products.len(),
        Shown::Roots(roots) => roots.len(),
        Shown::Nodes(nodes) | Shown::Gradient(backward::Shown::Nodes(nodes)) => nodes.len(),
        Shown::Loss(trial::Shown::Nodes(nodes)) => nodes.len(),
        Shown::GradientTile(words) => words.len(),
        Shown::Gradient(backward::Shown::Contributions(parts)) => parts.len(),
        Shown::Gradient(backward::Shown::Words(words)) => words.len(),
        Shown::Loss(trial::Shown::Words(words)) => words.len(),
        Shown::Weights(weights) => weights.len(),
        Shown::Terms(terms) => terms.len(),
        Shown::Losses([losses, _]) => losses.len(),
    }
}
