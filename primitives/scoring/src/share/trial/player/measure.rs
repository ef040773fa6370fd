//! Weights, terms, gradients, products and traces, as a party computes them.

use super::super::referee::products::{gradient_tiles, product, stretches};
use super::super::{Model, PartOf, Pick, Stage};
use super::Player;
use crate::gradient::Differentiator;
use crate::merge::{Merge, Part};
use crate::share::table::{TablePass, GRADIENT_TILE};
use crate::trial::trace::Misstated;
use crate::trial::traced::TracedSample;
use crate::trial::{self, backward, Side, Term};
use crate::WEIGHT_TILE;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a party states instead of what it has computed. Empty if it is honest.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Overlay {
    /// A model, one of its parameters, and how much that weight is off; it wraps.
    pub weight: Option<(Model, u32, i16)>,
    /// A model, a parameter, an entrant, and how much that entrant's term is off.
    pub term: Option<(Model, u32, u32, i64)>,
    /// A stage, a group, a parameter, and how much that word of the group's gradient is off.
    pub gradient: Option<(Stage, u32, u32, i64)>,
    /// A part of a value, a tile, and how much the product over that tile is off.
    pub product: Option<(PartOf, u32, i128)>,
    /// A word of a sample's trace that is off, in the same gradient.
    pub backward: Option<backward::Lie>,
    /// A word of a trace of a sample is off.
    pub word: Option<(Side, u32, Misstated)>,
}

impl Overlay {
    /// Whether the gradient of a group is off.
    fn is_about(&self, stage: Stage, group: u32) -> bool {
        let of = self.gradient.map(|(of, group, ..)| (of, group));
        of == Some((stage, group))
    }
}

impl Player {
    fn pass_of(&self, model: Model) -> Option<&TablePass> {
        match model {
            Model::Midpoint(number) => self.table.passes.get(usize::from(number)),
            Model::Merged => self.table.candidate(),
        }
    }

    /// The members of a pass as they enter a merge; none for the others.
    fn parts<'a>(&'a self, pass: &'a TablePass) -> impl Iterator<Item = Option<Part<'a>>> + 'a {
        let entrants = self.deltas.iter().zip(&self.table.records);
        let entrants = entrants.zip(&pass.members);
        entrants.map(|((delta, record), is_member)| {
            is_member.then(|| Part {
                delta,
                weight: record.weight,
                factor_q16: self.facts.factor(pass.median_norm, record),
            })
        })
    }

    /// The weights of a model.
    pub(in super::super) fn weights(&self, of: Model) -> Option<Vec<i16>> {
        let parts: Vec<Part> = self.parts(self.pass_of(of)?).flatten().collect();
        let merge = Merge::new(&self.base, &parts);
        let mut weights = match of {
            Model::Midpoint(_) => merge.midpoint(),
            Model::Merged => merge.merged(),
        };
        if let Some((lied_of, position, by)) = self.overlay.weight {
            if let Some(weight) = weights.get_mut(position as usize).filter(|_| lied_of == of) {
                *weight = weight.wrapping_add(by);
            }
        }
        Some(weights)
    }

    pub(in super::super) fn weight_tile(&self, of: Model, tile: u32) -> Option<Vec<i16>> {
        let weights = self.weights(of)?;
        let mut tiles = weights.chunks(WEIGHT_TILE);
        tiles.nth(tile as usize).map(<[i16]>::to_vec)
    }

    /// What every entrant adds to a parameter of a model.
    pub(in super::super) fn terms(&self, of: Model, position: u32) -> Option<Vec<Term>> {
        let term = |part: Option<Part>| {
            let Some(part) = part else {
                return Term::default();
            };
            let entries = part.delta.entries();
            let at = entries.binary_search_by_key(&position, |entry| entry.position);
            let change = at.ok().and_then(|at| entries.get(at));
            let change = change.map_or(0, |entry| entry.change);
            let scale = i64::from(part.weight).saturating_mul(part.factor_q16.into());
            Term {
                value: scale.saturating_mul(change.into()),
                weight: part.weight,
            }
        };
        let mut terms: Vec<Term> = self.parts(self.pass_of(of)?).map(term).collect();
        if let Some((lied_of, lied, entrant, by)) = self.overlay.term {
            if (lied_of, lied) == (of, position) {
                let term = terms.get_mut(entrant as usize)?;
                term.value = term.value.wrapping_add(by);
            }
        }
        Some(terms)
    }

    /// The gradient of a stage's group.
    pub(in super::super) fn gradient(
        &mut self,
        evaluator: &mut impl Differentiator,
        stage: Stage,
        group: u32,
    ) -> Option<Arc<[i64]>> {
        let mut words = self.computed_gradient(evaluator, stage, group)?;
        if let Some((_, _, position, by)) = self.overlay.gradient {
            if self.overlay.is_about(stage, group) {
                let word = Arc::make_mut(&mut words).get_mut(position as usize)?;
                *word = word.wrapping_add(by);
            }
        }
        Some(words)
    }

    fn computed_gradient(
        &mut self,
        evaluator: &mut impl Differentiator,
        stage: Stage,
        group: u32,
    ) -> Option<Arc<[i64]>> {
        let last = self.last_gradient.as_ref();
        if let Some((.., words)) = last.filter(|(of, at, _)| (*of, *at) == (stage, group)) {
            return Some(words.clone());
        }
        let (pass, _) = self.summary.pass_of(stage)?;
        let samples = self.samples.select(&self.facts.group(stage, group)?);
        let weights = self.weights(Model::Midpoint(pass))?;
        let mut words: Arc<[i64]> = Arc::default();
        let mut see = |_: usize, gradient: &[i64]| words = gradient.into();
        let all = 0..samples.len();
        let graph = &self.facts.graph;
        evaluator
            .gradients(graph, &weights, &samples, &[all], &mut see)
            .ok()?;
        self.last_gradient = Some((stage, group, words.clone()));
        Some(words)
    }

    /// What is shown of a word of a gradient.
    pub(super) fn answer_of_word(
        &self,
        evaluator: &mut impl Differentiator,
        stage: Stage,
        group: u32,
        word: backward::Statement,
    ) -> Option<backward::Answer> {
        let trial = backward::Trial::awaiting(word);
        self.with_group(stage, group, |player| player.answer(evaluator, &trial))
    }

    /// The first shown part of a word of a gradient that is computed differently here.
    pub(super) fn pick_of_word(
        &self,
        evaluator: &mut impl Differentiator,
        (stage, group): (Stage, u32),
        word: backward::Statement,
        shown: &backward::Shown,
    ) -> Option<Pick> {
        let trial = backward::Trial {
            statement: word,
            shown: Some(shown.clone()),
        };
        let backward::Pick(nth) =
            self.with_group(stage, group, |player| player.pick(evaluator, &trial))?;
        Some(Pick::Nth(nth))
    }

    pub(in super::super) fn with_group<T>(
        &self,
        stage: Stage,
        group: u32,
        ask: impl FnOnce(&backward::Player) -> Option<T>,
    ) -> Option<T> {
        let (pass, _) = self.summary.pass_of(stage)?;
        let weights = self.weights(Model::Midpoint(pass))?;
        let (facts, members) = (&self.facts, self.facts.group(stage, group)?);
        let hold_out = &facts.hold_out;
        let player = backward::Player::new(&facts.graph, &weights, hold_out, &self.held, &members)?;
        ask(&match self
            .overlay
            .backward
            .filter(|_| self.overlay.is_about(stage, group))
        {
            Some(lie) => player.lying(lie),
            None => player,
        })
    }

    /// The products of all of a gradient and a delta, by stretch.
    pub(in super::super) fn all_products(
        &mut self,
        evaluator: &mut impl Differentiator,
        of: PartOf,
    ) -> Option<Vec<i128>> {
        let tiles = gradient_tiles(self.facts.parameters());
        self.products(evaluator, of, 0, tiles)
    }

    /// The products of a gradient and a delta, by stretches of `tiles` tiles.
    pub(in super::super) fn products(
        &mut self,
        evaluator: &mut impl Differentiator,
        of: PartOf,
        first: u32,
        tiles: u32,
    ) -> Option<Vec<i128>> {
        let words = self.gradient(evaluator, of.stage, of.group)?;
        let entries = self.deltas.get(of.entrant as usize)?.entries();
        let of_stretch = |(first, tiles): (u32, u32)| {
            let start = (first as usize).saturating_mul(GRADIENT_TILE);
            let end = start.saturating_add((tiles as usize).saturating_mul(GRADIENT_TILE));
            let own = words.get(start..end.min(words.len())).unwrap_or(&[]);
            let from = entries.partition_point(|entry| (entry.position as usize) < start);
            let upto = entries.partition_point(|entry| (entry.position as usize) < end);
            let own = product(own, start as u32, entries.get(from..upto).unwrap_or(&[]));
            let lie = self.overlay.product.filter(|(lied_of, tile, _)| {
                *lied_of == of && (first..first.saturating_add(tiles)).contains(tile)
            });
            lie.map_or(own, |(_, _, by)| own.saturating_add(by))
        };
        Some(stretches(first, tiles).map(of_stretch).collect())
    }

    /// The loss of a sample of the exam.
    pub(in super::super) fn loss(&self, of: Side, sample: u32) -> Option<u32> {
        let mut loss = None;
        let traced = self.traced(of, sample)?;
        traced.each(|_, given| loss = given.word(0))?;
        loss.map(|loss| loss as u32)
    }

    /// The sample that a statement is about.
    pub(super) fn traced_of(&self, statement: &trial::Statement) -> Option<TracedSample<'_>> {
        let exam = statement.exam();
        self.traced(exam.of, exam.sample)
    }

    fn traced(&self, of: Side, sample: u32) -> Option<TracedSample<'_>> {
        let misstated = self
            .overlay
            .word
            .filter(|(lied_of, lied, _)| (*lied_of, *lied) == (of, sample));
        Some(TracedSample {
            ground: self.facts.ground(),
            layout: &self.layout,
            held: &self.held,
            sample,
            weights: match of {
                Side::Base => self.base.clone(),
                Side::Merged => self.weights(Model::Merged)?,
            },
            misstated: misstated.map(|(_, _, word)| word),
        })
    }
}
