//! Liars, for drills and tests: a party whose own computation has a lie laid over it. Nothing else in the rule knows of
//! lies.

use super::{Half, Model, PartOf, Player, Side, Stage};
use crate::arith::round_div;
use crate::gradient::Differentiator;
use crate::share::company::{scale, worth};
use crate::share::round::root;
use crate::share::table::gradient_tree;
use crate::trial::backward;
use crate::trial::trace::Misstated;

/// What a liar is wrong about. Its table says so, and it defends it as well as it can: down to the word that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// A part of a value, by about this much: a product that it is made of is off.
    Part {
        /// Which.
        of: PartOf,
        /// By how much.
        by: i64,
    },
    /// A word of a group's gradient. It has no samples that would add up to it.
    Gradient {
        /// Which stage.
        stage: Stage,
        /// Which group.
        group: u32,
        /// Which parameter.
        position: u32,
        /// By how much; it wraps.
        by: i64,
    },
    /// A word of a sample's trace, and a word of a group's gradient that follows from it.
    Backward {
        /// Which stage.
        stage: Stage,
        /// Which group.
        group: u32,
        /// Which parameter.
        position: u32,
        /// The word of the trace.
        word: backward::Lie,
    },
    /// A weight of a model.
    Weight {
        /// Which model.
        of: Model,
        /// Which parameter.
        position: u32,
        /// By how much; it wraps.
        by: i16,
    },
    /// A weight of a model, and what an entrant adds to it.
    Term {
        /// Which model.
        of: Model,
        /// Which parameter.
        position: u32,
        /// Which entrant.
        entrant: u32,
        /// By how much the weight is off.
        by: i16,
    },
    /// A word of a sample's trace, and the sample's loss that follows from it.
    Word {
        /// Which evaluation.
        of: Side,
        /// Number of the sample in the exam.
        sample: u32,
        /// Which op.
        op: u32,
        /// Which of its words.
        at: u32,
        /// By how much; it wraps.
        by: i32,
        /// Whether the ops after it are computed from it.
        carries: bool,
    },
    /// The standard error of the losses on a half: off by one in the summary. The table has no such number.
    Losses {
        /// Which half.
        half: Half,
    },
}

impl Player {
    /// Makes a liar of an honest party. None if no such lie is possible in the round, if nothing follows from it, or if it leads to
    /// a table that the chain refuses at once.
    pub fn lying(honest: Self, evaluator: &mut impl Differentiator, lie: Lie) -> Option<Self> {
        let truth = honest.summary().clone();
        let mut liar = honest;
        liar.adopt(evaluator, lie)?;
        liar.summary = liar.table.summary();
        if let Lie::Losses { half } = lie {
            let merge = liar.summary.merge.as_mut()?;
            let fall = match half {
                Half::A => &mut merge.on_a,
                Half::B => &mut merge.pay.as_mut()?.on_b,
            };
            fall.standard_error = fall.standard_error.checked_add(1)?;
        }
        let is_lie = liar.summary != truth && liar.facts().allow(&liar.summary);
        is_lie.then_some(liar)
    }

    /// Lays the lie over its computation, and puts what follows in its table.
    fn adopt(&mut self, evaluator: &mut impl Differentiator, lie: Lie) -> Option<()> {
        match lie {
            Lie::Part { of, by } => self.lie_about_part(evaluator, of, by),
            Lie::Gradient {
                stage,
                group,
                position,
                by,
            } => {
                self.overlay.gradient = Some((stage, group, position, by));
                self.stand_for_gradient(evaluator, stage, group)
            }
            Lie::Backward {
                stage,
                group,
                position,
                word,
            } => {
                let is_of_group = self.facts().group(stage, group)?.contains(&word.sample);
                is_of_group.then_some(())?;
                let words = self.gradient(evaluator, stage, group)?;
                let honest = *words.get(position as usize)?;
                self.overlay.gradient = Some((stage, group, position, 0));
                self.overlay.backward = Some(word);
                let lied =
                    self.with_group(stage, group, |player| player.value(evaluator, position))?;
                let by = lied.checked_sub(honest)?;
                self.overlay.gradient = Some((stage, group, position, by));
                self.stand_for_gradient(evaluator, stage, group)
            }
            Lie::Weight { of, position, by } => {
                self.overlay.weight = Some((of, position, by));
                self.stand_for_weights(of)
            }
            Lie::Term {
                of,
                position,
                entrant,
                by,
            } => {
                // Enough to move the weight that far: in a midpoint only half of it counts.
                let terms = self.terms(of, position)?;
                let weight: i64 = terms.iter().map(|term| i64::from(term.weight)).sum();
                let bits = match of {
                    Model::Midpoint(_) => 17,
                    Model::Merged => 16,
                };
                let moved = weight.checked_mul(1 << bits)?.checked_mul(by.into())?;
                // Only a member's term counts.
                (terms.get(entrant as usize)?.weight > 0).then_some(())?;
                self.overlay.weight = Some((of, position, by));
                self.overlay.term = Some((of, position, entrant, moved));
                self.stand_for_weights(of)
            }
            Lie::Word {
                of,
                sample,
                op,
                at,
                by,
                carries,
            } => {
                let misstated = Misstated {
                    op,
                    at,
                    by,
                    carries,
                };
                self.overlay.word = Some((of, sample, misstated));
                self.stand_for_loss(of, sample)
            }
            Lie::Losses { .. } => Some(()),
        }
    }

    fn lie_about_part(
        &mut self,
        evaluator: &mut impl Differentiator,
        of: PartOf,
        by: i64,
    ) -> Option<()> {
        let (number, _) = self.summary().pass_of(of.stage)?;
        let (entrant, group) = (of.entrant as usize, of.group as usize);
        let record = self.table.records.get(entrant)?.clone();
        let pass = self.table.passes.get(usize::from(number))?;
        let factor = self.facts().factor(pass.median_norm, &record);
        let weight = self
            .summary
            .passes
            .get(usize::from(number))?
            .rows
            .sum
            .weight;
        // A part falls as the product rises.
        let (own, all) = scale(record.weight, factor, weight);
        let by = round_div(i128::from(by).checked_mul(all)?.checked_neg()?, own);
        self.overlay.product = Some((of, 0, by));
        let products = self.all_products(evaluator, of)?;
        let part = worth(products.into_iter().sum(), record.weight, factor, weight);
        let rows = match of.stage {
            Stage::Pass(_) => &mut self.table.passes.get_mut(usize::from(number))?.rows,
            Stage::Pay => &mut self.table.merge.as_mut()?.pay.as_mut()?.rows,
        };
        let parts = &mut rows.get_mut(entrant)?.parts;
        let mut lied = parts.to_vec();
        *lied.get_mut(group)? = part;
        *parts = lied.into();
        Some(())
    }

    /// Puts the gradient that it computes in its table.
    fn stand_for_gradient(
        &mut self,
        evaluator: &mut impl Differentiator,
        stage: Stage,
        group: u32,
    ) -> Option<()> {
        let words = self.gradient(evaluator, stage, group)?;
        let roots = match stage {
            Stage::Pass(number) => &mut self.table.passes.get_mut(usize::from(number))?.gradients,
            Stage::Pay => &mut self.table.merge.as_mut()?.pay.as_mut()?.gradients,
        };
        *roots.get_mut(group as usize)? = gradient_tree(&words).root().hash;
        Some(())
    }

    /// Puts the weights that it computes in its table.
    fn stand_for_weights(&mut self, of: Model) -> Option<()> {
        let lied = root(&self.weights(of)?);
        *match of {
            Model::Midpoint(number) => {
                &mut self.table.passes.get_mut(usize::from(number))?.midpoint
            }
            Model::Merged => &mut self.table.merge.as_mut()?.weights,
        } = lied;
        Some(())
    }

    /// Puts the loss that it computes of a sample in its table.
    fn stand_for_loss(&mut self, of: Side, sample: u32) -> Option<()> {
        let facts = self.facts();
        let (half, nth) = [Half::A, Half::B].into_iter().find_map(|half| {
            let samples = half.samples(&facts.half_seed, facts.samples);
            Some((half, samples.iter().position(|own| *own == sample)?))
        })?;
        let lied = self.loss(of, sample)?;
        let merge = self.table.merge.as_mut()?;
        let [before, after] = match half {
            Half::A => &mut merge.on_a,
            Half::B => &mut merge.pay.as_mut()?.on_b,
        };
        let losses = match of {
            Side::Base => before,
            Side::Merged => after,
        };
        *losses.get_mut(nth)? = lied;
        Some(())
    }
}
