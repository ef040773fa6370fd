//! Lies about scores, for drills: a dispute must find each of them.

use gotong_scoring::{
    trial::{Case, Layout, Lie, Side, Witness, WitnessError},
    Evaluator, Op, Reveal, RoundSamples, RoundScore, Standing,
};

/// What a liar lies about, in drills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LieKind {
    /// The loss of one sample is off by one
    Loss,
    /// One logit of one sample is wrong, and its loss with it
    Word,
    /// One weight of the merge is wrong, and all that follows from it
    Weight,
    /// So is what one delta adds to it
    Term,
    /// Two deltas are called similar that are not, or the other way round
    Similar,
    /// One share is too large
    Share,
    /// The gain is less certain, or more, than it is
    Gain,
}

/// How far a weight is off: two steps of its int8 view.
const WEIGHT_OFF: i16 = 512;
/// How far a logit is off, before it is scaled.
const LOGIT_OFF: i32 = 1 << 20;
/// Samples that are tried for one whose loss the lie changes.
const SAMPLES_TRIED: u32 = 4;

impl LieKind {
    /// The witness of a liar, from what an honest one has; none if the round has no such lie that
    /// the chain would take.
    pub fn witness(
        self,
        case: &Case,
        base: &[i16],
        samples: &RoundSamples,
        reveals: &[Reveal],
        honest: &RoundScore,
        evaluator: &mut impl Evaluator,
    ) -> Result<Option<Witness>, WitnessError> {
        let (base, reveals) = (base.to_vec(), reveals.to_vec());
        let is_taken = |score: &RoundScore| {
            let (lied, floor) = (score.table.opening(), case.rules.gain_floor_q8);
            lied != honest.table.opening()
                && lied.is_consistent(case.samples, &case.base_root, floor)
        };
        if let Some(score) = self.scores(honest).into_iter().find(is_taken) {
            return Witness::new(case.clone(), base, samples.clone(), reveals, score).map(Some);
        }
        for lie in self.lies(case, samples.records(), honest) {
            let (case, base, reveals) = (case.clone(), base.clone(), reveals.clone());
            let liar = Witness::lying(case, base, samples.clone(), reveals, evaluator, lie)?;
            if is_taken(liar.score()) {
                return Ok(Some(liar));
            }
        }
        Ok(None)
    }

    /// Scores whose tables do not follow from what was evaluated.
    fn scores(self, honest: &RoundScore) -> Vec<RoundScore> {
        let lied = |change: &dyn Fn(&mut RoundScore) -> Option<()>| {
            let mut score = honest.clone();
            change(&mut score).map(|()| score)
        };
        let scores = match self {
            Self::Share => vec![lied(&|score| {
                let row = score.table.rows.get_mut(first_admitted(honest))?;
                row.share = row.share.checked_add(1)?;
                Some(())
            })],
            Self::Gain => [1, -1]
                .map(|by| {
                    lied(&|score| {
                        let error = &mut score.table.header.gain_se;
                        *error = error.checked_add_signed(by)?;
                        Some(())
                    })
                })
                .to_vec(),
            _ => Vec::new(),
        };
        scores.into_iter().flatten().collect()
    }

    /// Lies from which everything else follows.
    fn lies(self, case: &Case, records: &[u8], honest: &RoundScore) -> Vec<Lie> {
        let of = Side::Merged;
        // The last bias: it is in every loss.
        let position = (honest.merged.len() as u32).saturating_sub(1);
        let is_positive = honest.merged.last().is_some_and(|weight| *weight > 0);
        // Towards zero, so that it stays a weight.
        let by = if is_positive { -WEIGHT_OFF } else { WEIGHT_OFF };
        match self {
            Self::Loss => vec![Lie::Word {
                of,
                sample: 0,
                op: (case.graph.ops.len() as u32).saturating_sub(1),
                at: 0,
                by: 1,
                carries: true,
            }],
            Self::Word => (0..case.samples.min(SAMPLES_TRIED))
                .filter_map(|sample| wrong_logit(case, records, sample))
                .collect(),
            Self::Weight => vec![Lie::Weight { of, position, by }],
            Self::Term => vec![Lie::Term {
                of,
                position,
                row: first_admitted(honest) as u32,
                by,
            }],
            Self::Similar => {
                let rows = (0..).zip(&honest.table.rows).skip(1);
                let mut lies: Vec<Lie> = rows
                    .map(|(row, honest)| Lie::Similar {
                        row,
                        to: honest.similar_to().is_none().then_some(0),
                    })
                    .collect();
                // Sooner one that puts a delta out than one that lets it in.
                lies.sort_by_key(|lie| matches!(lie, Lie::Similar { to: None, .. }));
                lies
            }
            Self::Share | Self::Gain => Vec::new(),
        }
    }
}

/// The first row that was admitted, else the first.
fn first_admitted(honest: &RoundScore) -> usize {
    let mut rows = honest.table.rows.iter();
    rows.position(|row| row.standing == Standing::Admitted)
        .unwrap_or(0)
}

/// The logit of a sample's own class is too low.
fn wrong_logit(case: &Case, records: &[u8], sample: u32) -> Option<Lie> {
    let ops = &case.graph.ops;
    let is_head = |op: &Op| matches!(op, Op::Linear { .. } | Op::Unembed { .. });
    let op = ops.iter().rposition(is_head)?;
    let head = *case.graph.flows().ok()?.get(op)?;
    let op = op as u32;
    let steps = Layout::of(&case.graph).op(op)?.steps;
    let mut records = records.chunks_exact(case.graph.inputs as usize + 1);
    let label = *records.nth(sample as usize)?.last()?;
    Some(Lie::Word {
        of: Side::Merged,
        sample,
        op,
        // Of the last token, if there are tokens.
        at: ((head.tokens - 1) * head.width + u32::from(label) + 1) * steps - 1,
        by: -LOGIT_OFF,
        carries: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::lab::Lab;
    use clap::ValueEnum;
    use gotong_scoring::{
        trial::{Ruling, Step, Trial},
        Reference,
    };

    /// Plays a dispute to its end; none if the challenger has nothing to pick, and so loses.
    fn dispute(lab: &Lab, accused: &Witness, challenger: &Witness) -> Option<Ruling> {
        let opening = accused.score().table.opening();
        let accusation = challenger.accuse(&opening).expect("nothing to accuse");
        let mut trial = Trial::open(&opening, &lab.case, accusation);
        loop {
            let answer = accused.answer(&trial).expect("no answer");
            match trial.answer(&lab.case, &opening, &answer) {
                Ok(Ruling::Continues(shown)) => {
                    let pick = challenger.pick(&shown)?;
                    trial = shown.pick(&lab.case, &pick).unwrap();
                }
                ruling => return Some(ruling.unwrap()),
            }
        }
    }

    #[test]
    fn every_lie_is_found_out_where_it_was_told() {
        let lab = Lab::small();
        let honest = lab.honest();
        for kind in LieKind::value_variants() {
            let liar = lab.liar(*kind);
            let Some(Ruling::Refuted(step)) = dispute(&lab, &liar, &honest) else {
                panic!("{kind:?} was upheld");
            };
            let is_it = match kind {
                LieKind::Loss | LieKind::Word => matches!(step, Step::Word { .. }),
                LieKind::Weight => matches!(step, Step::Weight { .. }),
                LieKind::Term => matches!(step, Step::Term { .. }),
                LieKind::Similar => {
                    matches!(step, Step::Similarity(_) | Step::Similarities { .. })
                }
                LieKind::Share => matches!(step, Step::Row { .. }),
                LieKind::Gain => step == Step::Header,
            };
            assert!(is_it, "{kind:?} came to {step:?}");
            let ruling = dispute(&lab, &honest, &liar);
            assert!(
                matches!(ruling, None | Some(Ruling::Upheld)),
                "{kind:?} convicted an honest table"
            );
        }
    }

    #[test]
    fn a_round_of_one_delta_has_no_lie_about_similarity() {
        let mut lab = Lab::small();
        lab.keep_reveals(1);
        let score = lab.score();
        let none = LieKind::Similar.witness(
            &lab.case,
            &lab.base,
            &lab.samples,
            &lab.reveals,
            &score,
            &mut Reference,
        );
        assert!(none.unwrap().is_none());
    }
}
