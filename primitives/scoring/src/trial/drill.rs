//! Liars, for drills and tests: a party whose own computation has a lie laid over it. Neither the
//! score of a round nor a [`Witness`] knows of lies.

use super::layout::Layout;
use super::trace::{each_op, Given, Misstated};
use super::{Case, Pair, Side, Term, Witness, WitnessError};
use crate::evaluator::{EvalError, Evaluator, Samples};
use crate::hold_out::RoundSamples;
use crate::merge::{self, cosine_over_0_7, dot};
use crate::round::{check, score, ByEvaluator, Measure, Reveal};
use crate::{Delta, Graph};
use alloc::vec::Vec;
use codec::{Decode, Encode};

/// How a liar lies: for drills and tests. Unless said otherwise, everything that depends on the
/// lie agrees with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Lie {
    /// A word of a trace is off.
    Word {
        /// Which evaluation.
        of: Side,
        /// Which sample.
        sample: u32,
        /// Which op.
        op: u32,
        /// Which of its words.
        at: u32,
        /// By how much; it wraps.
        by: i32,
        /// Whether the ops after it go on from it.
        carries: bool,
    },
    /// A weight of an evaluation is off: of the merge, in the new master weights too.
    Weight {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// By how much; it wraps.
        by: i16,
    },
    /// A weight is off, and so is what a delta adds to it.
    Term {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// Row of the delta.
        row: u32,
        /// By how much the weight is off.
        by: i16,
    },
    /// A row is called similar to another, or to none.
    Similar {
        /// The row.
        row: u32,
        /// What it is said to be similar to.
        to: Option<u32>,
    },
}

impl Witness {
    /// A liar's: everything is computed from the lie.
    pub fn lying(
        case: Case,
        base: Vec<i16>,
        samples: impl Into<RoundSamples>,
        reveals: Vec<Reveal>,
        evaluator: &mut impl Evaluator,
        lie: Lie,
    ) -> Result<Self, WitnessError> {
        let samples = samples.into();
        let (graph, rules) = (&case.graph, &case.rules);
        let records = graph.samples(samples.records());
        let labelled = Samples::new(graph.inputs, graph.classes(), &records);
        let labelled = labelled.map_err(|_| WitnessError::OtherCase("samples"))?;
        check(graph, &base, &labelled, &reveals, rules)?;
        let overlay = Overlay(Some(lie));
        let mut measure = Lying {
            honest: ByEvaluator::new(evaluator, graph, &base, &labelled),
            graph,
            samples: &labelled,
            overlay,
        };
        let score = score(&mut measure, &base, &reveals, rules)?;
        let mut liar = Self::new(case, base, samples, reveals, score)?;
        liar.overlay = overlay;
        Ok(liar)
    }
}

/// What a party says instead of what it has computed. Nothing, if it is honest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overlay(Option<Lie>);

impl Overlay {
    /// About which earlier delta each one is too similar to.
    fn similar(self, similar: &mut [Option<u32>]) {
        if let Some(Lie::Similar { row, to }) = self.0 {
            if let Some(lied) = similar.get_mut(row as usize) {
                *lied = to;
            }
        }
    }

    /// About the products of two deltas, from chunk `first` on: whoever lies about similarity lies
    /// about the product too, in the first chunk.
    pub fn dots(
        self,
        pair: Pair,
        [earlier, later]: [&Delta; 2],
        first: u32,
        dots: &mut [i64],
    ) -> Option<()> {
        let (Some(Lie::Similar { row, .. }), 0) = (self.0, first) else {
            return Some(());
        };
        if row == pair.later {
            let (a, b) = (earlier.square_norm(), later.square_norm());
            let sum = dot(earlier.entries(), later.entries());
            if cosine_over_0_7(sum, a, b) != pair.similar {
                let wanted = if pair.similar { a.max(b) as i64 } else { 0 };
                *dots.first_mut()? += wanted - sum;
            }
        }
        Some(())
    }

    /// About the weights of an evaluation.
    pub fn weights(self, lied_of: Side, weights: &mut [i16]) {
        let Some(
            Lie::Weight { of, position, by }
            | Lie::Term {
                of, position, by, ..
            },
        ) = self.0
        else {
            return;
        };
        if of == lied_of {
            if let Some(weight) = weights.get_mut(position as usize) {
                *weight = weight.wrapping_add(by);
            }
        }
    }

    /// About what every delta adds to a parameter, where `c` is the width of the central difference.
    pub fn terms(self, lied_of: Side, lied: u32, c: u8, terms: &mut [Term]) -> Option<()> {
        let Some(Lie::Term {
            of,
            position,
            row,
            by,
        }) = self.0
        else {
            return Some(());
        };
        if (of, position) != (lied_of, lied) {
            return Some(());
        }
        // As much as moves the weight so far.
        let weight: i64 = terms.iter().map(|term| i64::from(term.weight)).sum();
        let c = i64::from(c);
        let (halves, own) = match of {
            Side::Minus(own) => (17, 1 - if own == row { c } else { 0 }),
            Side::Plus(own) => (17, 1 + if own == row { c } else { 0 }),
            _ => (16, 1),
        };
        // A part that is taken off whole moves no weight, whatever it is said to be.
        if let Some(moved) = (i64::from(by) * (weight << halves)).checked_div(own) {
            terms.get_mut(row as usize)?.value += moved;
        }
        Some(())
    }

    /// About the trace of a sample.
    pub fn word(self, lied_of: Side, lied_sample: u32) -> Option<Misstated> {
        match self.0 {
            Some(Lie::Word {
                of,
                sample,
                op,
                at,
                by,
                carries,
            }) if (of, sample) == (lied_of, lied_sample) => Some(Misstated {
                op,
                at,
                by,
                carries,
            }),
            _ => None,
        }
    }
}

/// Evaluations with a lie laid over them.
struct Lying<'a, E> {
    honest: ByEvaluator<'a, E>,
    graph: &'a Graph,
    samples: &'a Samples,
    overlay: Overlay,
}

impl<E: Evaluator> Lying<'_, E> {
    /// The loss of a sample by its trace, with what is misstated.
    fn loss(&self, weights: &[i16], sample: u32, misstated: Misstated) -> Option<u32> {
        let (pixels, label) = self.samples.iter().nth(sample as usize)?;
        let record: Vec<u8> = pixels.iter().copied().chain([label]).collect();
        let (layout, mut loss) = (Layout::of(self.graph), None);
        let see = |_, given: &Given| loss = given.word(0);
        each_op(self.graph, &layout, weights, &record, Some(misstated), see)?;
        Some(loss? as u32)
    }
}

impl<E: Evaluator> Measure for Lying<'_, E> {
    fn similar(&mut self, deltas: &[&Delta]) -> Vec<Option<u32>> {
        let mut similar = merge::similar(deltas);
        self.overlay.similar(&mut similar);
        similar
    }

    fn evaluate(
        &mut self,
        of: Side,
        mut weights: Vec<i16>,
    ) -> Result<(Vec<i16>, Vec<u32>), EvalError> {
        self.overlay.weights(of, &mut weights);
        let (weights, mut losses) = self.honest.evaluate(of, weights)?;
        for (sample, loss) in (0..).zip(&mut losses) {
            let misstated = self.overlay.word(of, sample);
            if let Some(lied) = misstated.and_then(|word| self.loss(&weights, sample, word)) {
                *loss = lied;
            }
        }
        Ok((weights, losses))
    }
}
