//! Lies about share tables, for drills: a dispute must find each of them.

use gotong_scoring::{
    gradient::Differentiator,
    share::{
        trial::{Lie, Model, PartOf, Player, RoundFacts},
        Half, Stage,
    },
    trial::{backward, Layout, Side},
    Op,
};

/// What a liar lies about, in drills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LieKind {
    /// The loss of one sample is off by one
    Loss,
    /// One logit of one sample is wrong, and its loss with it
    Word,
    /// One weight of the merge is wrong
    Weight,
    /// So is what one delta adds to it
    Term,
    /// A part of what one delta is worth is too large
    Part,
    /// One word of a gradient is wrong
    Gradient,
    /// One word of a sample's backward pass is wrong, and a word of the gradient with it
    Backward,
    /// The standard error of the losses on a half is off by one
    Error,
}

/// How far a weight is off: two steps of its int8 view.
const WEIGHT_OFF: i16 = 512;
/// How far a logit is off, before it is scaled.
const LOGIT_OFF: i32 = 1 << 20;
/// How far a part of a value is off: a bit of loss.
const PART_OFF: i64 = 1 << 16;
/// How far a word of a gradient is off.
const GRADIENT_OFF: i64 = 1 << 20;
/// How far a word of a backward pass is off.
const ADJOINT_OFF: i32 = 1 << 10;
/// Samples that are tried for one whose loss the lie changes.
const SAMPLES_TRIED: u32 = 4;
/// Stages of a backward pass that are tried for one whose words change a gradient.
const STAGES_TRIED: u32 = 6;

impl LieKind {
    /// A liar, made from an honest party, and its lie. If no such lie is possible in the round, because nothing was merged, it
    /// tells another one; none if there is no lie at all that the chain would accept. `records` are the round's samples.
    pub fn player(
        self,
        honest: &Player,
        records: &[u8],
        evaluator: &mut impl Differentiator,
    ) -> Option<(Player, Lie)> {
        let mut lies = self.lies(honest, records);
        lies.extend(weight_lies(honest, Model::Midpoint(0)));
        lies.into_iter()
            .find_map(|lie| Some((Player::lying(honest.clone(), evaluator, lie)?, lie)))
    }

    /// Lies of this kind, the most telling first.
    fn lies(self, honest: &Player, records: &[u8]) -> Vec<Lie> {
        let (facts, summary) = (honest.facts(), honest.summary());
        let stage = match summary.pay() {
            Some(_) => Stage::Pay,
            None => Stage::Pass(0),
        };
        let of = match summary.merge {
            Some(_) => Model::Merged,
            None => Model::Midpoint(0),
        };
        let samples = 0..facts.samples.min(SAMPLES_TRIED);
        // The last bias: every loss depends on it.
        let position = (facts.graph.parameters() as u32).saturating_sub(1);
        match self {
            Self::Loss => samples
                .map(|sample| Lie::Word {
                    of: Side::Merged,
                    sample,
                    op: (facts.graph.ops.len() as u32).saturating_sub(1),
                    at: 0,
                    by: 1,
                    carries: true,
                })
                .collect(),
            Self::Word => samples
                .filter_map(|sample| wrong_logit(facts, records, sample))
                .collect(),
            Self::Weight => weight_lies(honest, of),
            Self::Term => [WEIGHT_OFF, -WEIGHT_OFF]
                .map(|by| Lie::Term {
                    of,
                    position,
                    entrant: first_member(honest, stage),
                    by,
                })
                .to_vec(),
            Self::Part => {
                let (entrant, group) = (first_member(honest, stage), 0);
                let of = PartOf {
                    stage,
                    entrant,
                    group,
                };
                vec![Lie::Part { of, by: PART_OFF }]
            }
            Self::Gradient => vec![Lie::Gradient {
                stage,
                group: 0,
                position,
                by: GRADIENT_OFF,
            }],
            Self::Backward => wrong_adjoints(facts, stage, position),
            Self::Error => [Half::B, Half::A].map(|half| Lie::Losses { half }).to_vec(),
        }
    }
}

/// A weight of a model is wrong, in either direction: in one of them it stays a valid weight.
fn weight_lies(honest: &Player, of: Model) -> Vec<Lie> {
    let position = (honest.facts().graph.parameters() as u32).saturating_sub(1);
    [WEIGHT_OFF, -WEIGHT_OFF]
        .map(|by| Lie::Weight { of, position, by })
        .to_vec()
}

/// The first member of a stage's company.
fn first_member(honest: &Player, stage: Stage) -> u32 {
    let pass = honest.summary().pass_of(stage);
    let mut entrants = 0..honest.facts().entrants;
    let member =
        entrants.find(|entrant| pass.is_some_and(|(_, pass)| pass.members.contains(*entrant)));
    member.unwrap_or(0)
}

/// The logit of a sample's own class is too low.
fn wrong_logit(facts: &RoundFacts, records: &[u8], sample: u32) -> Option<Lie> {
    let ops = &facts.graph.ops;
    let is_head = |op: &Op| matches!(op, Op::Linear { .. } | Op::Unembed { .. });
    let op = ops.iter().rposition(is_head)?;
    let head = *facts.graph.flows().ok()?.get(op)?;
    let op = op as u32;
    let steps = Layout::of(&facts.graph).op(op)?.steps;
    let mut records = records.chunks_exact(facts.graph.inputs as usize + 1);
    let label = *records.nth(sample as usize)?.last()?;
    Some(Lie::Word {
        of: Side::Merged,
        sample,
        op,
        // The logit of the last token, if there are tokens.
        at: ((head.tokens - 1) * head.width + u32::from(label) + 1) * steps - 1,
        by: -LOGIT_OFF,
        carries: true,
    })
}

/// A word of one of the first stages of the backward pass is wrong: the word of the last class, whose bias is the last parameter.
fn wrong_adjoints(facts: &RoundFacts, stage: Stage, position: u32) -> Vec<Lie> {
    let group = facts.group(stage, 0).unwrap_or_default();
    let Some(sample) = group.first().copied() else {
        return Vec::new();
    };
    let first = facts.graph.ops.len() as u32;
    let at = u64::from(facts.graph.classes()).saturating_sub(1);
    let lie = |stage_of_pass: u32, by: i32| Lie::Backward {
        stage,
        group: 0,
        position,
        word: backward::Lie {
            sample,
            stage: stage_of_pass,
            at,
            by,
            carries: true,
        },
    };
    (first..first + STAGES_TRIED)
        .flat_map(|stage| [lie(stage, ADJOINT_OFF), lie(stage, -ADJOINT_OFF)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_lab::Lab;
    use clap::ValueEnum;
    use gotong_scoring::{
        share::trial::{Ruling, Step, Trial},
        Reference,
    };

    /// How a dispute ended.
    #[derive(Debug)]
    enum End {
        /// The accused had no answer that the referee accepts.
        Unanswered,
        /// The challenger had nothing to pick.
        Abandoned,
        Ruled(Ruling),
    }

    /// Plays a dispute to its end.
    fn dispute(lab: &Lab, accused: &mut Player, challenger: &mut Player) -> End {
        let (facts, summary) = (&lab.facts, accused.summary().clone());
        let accusation = challenger.accuse(&summary).expect("nothing to accuse");
        let mut trial = Trial::open(facts, &summary, accusation).unwrap();
        loop {
            let answer = accused
                .answer(&mut Reference, &trial)
                .unwrap_or_else(|| panic!("no answer to {:?}", trial.statement));
            match trial.answer(facts, &summary, &answer) {
                Ok(Ruling::Continues(shown)) => {
                    let Some(pick) = challenger.pick(&mut Reference, &summary, &shown) else {
                        return End::Abandoned;
                    };
                    trial = shown.pick(facts, &summary, &pick).unwrap();
                }
                Ok(ruling) => return End::Ruled(ruling),
                Err(_) => return End::Unanswered,
            }
        }
    }

    #[test]
    fn every_lie_is_found_out_where_it_was_told() {
        let lab = Lab::small();
        let mut honest = lab.honest();
        for kind in LieKind::value_variants() {
            let mut liar = lab.liar(*kind);
            let step = match dispute(&lab, &mut liar, &mut honest) {
                End::Ruled(Ruling::Refuted(step)) => Some(step),
                // No samples add up to the word.
                End::Unanswered if *kind == LieKind::Gradient => None,
                end => panic!("{kind:?} ended with {end:?}"),
            };
            let is_it = step.is_none_or(|step| match kind {
                LieKind::Loss | LieKind::Word => matches!(step, Step::Loss(_)),
                LieKind::Weight => matches!(step, Step::Weight { .. }),
                LieKind::Term => matches!(step, Step::Term { .. }),
                LieKind::Part => matches!(step, Step::Part(_) | Step::Product { .. }),
                LieKind::Gradient => false,
                LieKind::Backward => matches!(
                    step,
                    Step::Gradient {
                        step: backward::Step::Word { .. },
                        ..
                    }
                ),
                LieKind::Error => step == Step::Losses(Half::B),
            });
            assert!(is_it, "{kind:?} came to {step:?}");
            let end = dispute(&lab, &mut honest, &mut liar);
            assert!(
                matches!(end, End::Abandoned | End::Ruled(Ruling::Upheld)),
                "{kind:?} convicted an honest table: {end:?}"
            );
        }
    }

    #[test]
    fn a_round_that_merged_nothing_has_another_lie() {
        let lab = Lab::small().harmful();
        let honest = lab.honest();
        for kind in LieKind::value_variants() {
            let records = lab.samples.records();
            let (liar, lie) = kind.player(&honest, records, &mut Reference).unwrap();
            assert!(lab.facts.allow(liar.summary()));
            let is_of_merge = matches!(lie, Lie::Word { .. } | Lie::Losses { .. });
            assert!(!is_of_merge, "{kind:?} came to {lie:?}");
        }
    }
}
