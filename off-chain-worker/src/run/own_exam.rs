//! A contributor's own exam. Before it commits to a delta, it tries the delta on held-out samples: does it do harm, and how much of
//! it would a round prove?

use gotong_evaluation::FastCpu;
use gotong_scoring::{
    arith::MASTER_BOUND,
    gradient::MAX_GROUP,
    merge::Merge,
    share::{credits, Company, Entrant, Value, GROUPS},
    Delta, EvalError, Evaluator, Graph, Ledger, Samples, SamplesError, ShareTerms,
};
use gotong_training::data::Labelled;

/// A delta is scaled down to no less than a sixteenth of its length.
const MOST_HALVINGS: u32 = 4;
/// How many products a pass over samples may take: there are only a few blocks between the end of training and the commitment.
const MOST_PRODUCTS: u64 = 1 << 35;
/// The most that [`Parts::harm`] takes, in passes.
const HARM_PASSES: u32 = 2;
/// The most that [`Parts::halvings`] takes, in passes: one for the losses before, and for each length one for the losses after, and
/// a gradient, which takes as much as three.
const HALVINGS_PASSES: u64 = 1 + 4 * (1 + MOST_HALVINGS as u64);
/// Fewer samples than this do not show how far a delta may go.
const LEAST_TRIED: usize = 32;
/// How many standard errors above zero the gain of a shorter delta has to be.
const SURELY: f64 = 4.0;

/// The samples that a contributor trains on, and those that it tries its delta on.
pub(super) struct Parts {
    pub training: Labelled,
    /// A sixteenth of the data, but no more samples than have 4,096 labels or cost 2^35 products together. Empty if there are fewer
    /// than 512 samples.
    kept_back: Labelled,
}

/// A delta that makes the model worse beyond doubt, both as it is and at a quarter of its length.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "on {samples} held-out samples, the delta raises the loss by {raised:.4} bits a sample, which is more than two standard \
     errors ({doubt:.4})"
)]
pub struct Harm {
    /// The samples that it was tried on.
    pub samples: usize,
    /// By how many bits per sample it raises the loss.
    pub raised: f64,
    /// Two standard errors of `raised`.
    pub doubt: f64,
}

/// Why a delta cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum OwnExamError {
    /// The samples are not the model's.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// The model cannot be evaluated on them.
    #[error(transparent)]
    Evaluation(#[from] EvalError),
}

impl Parts {
    /// Divides the data of a contributor to a task with this model.
    pub fn of(data: &Labelled, graph: &Graph) -> Self {
        const PART: usize = 16;
        // Neighbours in a text are alike, and so are those in one of several files. So what is kept back comes from all over the
        // data, but in runs, which have few neighbours to train on.
        const RUNS: usize = 16;
        const LEAST: usize = 512;
        const MOST_LABELS: usize = 4_096;
        let labels = graph.vocab().map_or(1, |_| data.inputs.max(1));
        let kept = match data.len() < LEAST {
            true => 0,
            false => {
                let cheap = MOST_PRODUCTS / graph.cost().max(1);
                let cheap = usize::try_from(cheap).unwrap_or(usize::MAX);
                (data.len() / PART).min(MOST_LABELS / labels).min(cheap)
            }
        };
        let (kept_back, training) = data.split_runs(kept, RUNS);
        Self {
            training,
            kept_back,
        }
    }

    /// The losses of the held-out samples by the model with the weights `base`, in Q16 bits each.
    ///
    /// # Errors
    /// Samples that are not the model's; a model that cannot be evaluated.
    pub fn losses(&self, graph: &Graph, base: &[i16]) -> Result<Vec<u32>, OwnExamError> {
        if self.kept_back.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.kept_back.records();
        let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
        Ok(FastCpu.losses(graph, base, &samples)?)
    }

    /// How many times as long as [`Self::losses`] it takes at most to try this many deltas, all but the last of which do harm.
    pub fn passes(&self, graph: &Graph, deltas: u32) -> f64 {
        let kept_back = self.kept_back.len();
        let of_halvings = match halved_on(kept_back, graph.cost()) {
            tried if tried < LEAST_TRIED => 0.0,
            tried => HALVINGS_PASSES as f64 * tried as f64 / kept_back as f64,
        };
        f64::from(deltas * HARM_PASSES) + of_halvings
    }

    /// The harm that `delta` does to the model with the weights `base`, if it is beyond doubt; `before` are the losses by these
    /// weights. In a round's mean, a delta goes only a part of its way, so a delta that merely goes too far does no harm.
    ///
    /// # Errors
    /// Samples that are not the model's; a model that cannot be evaluated.
    pub fn harm(
        &self,
        graph: &Graph,
        base: &[i16],
        before: &[u32],
        delta: &Delta,
    ) -> Result<Option<Harm>, OwnExamError> {
        if self.kept_back.is_empty() {
            return Ok(None);
        }
        let harm_of = |parts: i32| -> Result<Option<Harm>, OwnExamError> {
            let after = self.losses(graph, &with(base, delta, parts))?;
            Ok(harm(before, &after))
        };
        Ok(match harm_of(1)? {
            Some(harm) => harm_of(4)?.map(|_| harm),
            None => None,
        })
    }

    /// How often to halve `delta`, so that a round under these terms in which it is merged alone proves the most of its gain.
    ///
    /// A round values a delta by the gradient in the middle of the way. If the model is nearly right halfway already, as on easy
    /// data in the first round, or if the way goes too far, the middle says little about the whole way. What it does not explain
    /// counts as doubt, in this round and all later ones. On a shorter way it explains more, and the next round continues from
    /// there. A delta of which at least half is proved stays as it is. So does a delta of a model so costly that it could only be
    /// tried on a few samples.
    ///
    /// # Errors
    /// Samples that are not the model's; a model that cannot be evaluated.
    pub fn halvings(
        &self,
        graph: &Graph,
        base: &[i16],
        delta: &Delta,
        terms: &ShareTerms,
    ) -> Result<u32, OwnExamError> {
        let tried = halved_on(self.kept_back.len(), graph.cost());
        if tried < LEAST_TRIED {
            return Ok(0);
        }
        let records = self.kept_back.spread(tried).records();
        let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
        let before = FastCpu.losses(graph, base, &samples)?;
        let entrants = [Entrant {
            delta,
            weight: 1,
            is_proven: false,
        }];
        // The losses after a merge of what is left of the delta, and how much of the gain that proves.
        let halved = |halvings: u32| -> Result<(Vec<u32>, i128), EvalError> {
            // At half the rate a merge goes half the way.
            let terms = ShareTerms {
                outer_rate_q8: terms.outer_rate_q8 >> halvings,
                ..*terms
            };
            let company = Company::of(vec![true], &entrants, &terms);
            let merged = Merge::new(base, &company.parts(&entrants)).merged();
            let after = FastCpu.losses(graph, &merged, &samples)?;
            let values = company.values(&mut FastCpu, graph, base, &samples, &entrants)?;
            // The precision of the exam is not known here and is left out. Only the error of the middle counts as doubt.
            let value = Value {
                sum: values.iter().flatten().flatten().sum(),
                variance: 0,
            };
            let mut ledger = Ledger::default();
            for credit in credits(&[value], gain(&before, &after)) {
                ledger.add(&credit, terms.doubt_q8);
            }
            let proved = ledger.lower_bound(terms.doubt_q8);
            Ok((after, proved))
        };
        let (after, proved) = halved(0)?;
        if 2 * proved >= i128::from(gain(&before, &after).max(1)) {
            return Ok(0);
        }
        let (mut most, mut best) = (proved.max(0), 0);
        for halvings in 1..=MOST_HALVINGS {
            let (after, proved) = halved(halvings)?;
            let rise = Rise::between(&before, &after);
            if proved > most && -rise.mean > SURELY * rise.error {
                (most, best) = (proved, halvings);
            }
        }
        Ok(best)
    }
}

/// On how many of the samples to try lengths of a delta, if a sample costs this many products.
fn halved_on(kept_back: usize, cost: u64) -> usize {
    let cheap = MOST_PRODUCTS / cost.max(1).saturating_mul(HALVINGS_PASSES);
    let cheap = usize::try_from(cheap).unwrap_or(usize::MAX);
    kept_back.min(GROUPS * MAX_GROUP).min(cheap)
}

/// By how much losses fall between two evaluations of the same samples, in Q16 bits summed over them.
fn gain(before: &[u32], after: &[u32]) -> i64 {
    let fall = |(&before, &after): (&u32, &u32)| i64::from(before) - i64::from(after);
    before.iter().zip(after).map(fall).sum()
}

/// By how much losses rise, in bits per sample.
struct Rise {
    mean: f64,
    /// Its standard error; NaN if there is only one sample.
    error: f64,
}

impl Rise {
    /// The rise between two evaluations of the same samples, in Q16 bits each.
    fn between(before: &[u32], after: &[u32]) -> Self {
        let count = before.len() as f64;
        let raised =
            |(&before, &after): (&u32, &u32)| (f64::from(after) - f64::from(before)) / 65_536.0;
        let raised: Vec<f64> = before.iter().zip(after).map(raised).collect();
        let mean = raised.iter().sum::<f64>() / count;
        let squares: f64 = raised.iter().map(|one| (one - mean).powi(2)).sum();
        Self {
            mean,
            error: (squares / (count - 1.0) / count).sqrt(),
        }
    }
}

/// The harm between two evaluations of the same samples, in Q16 bits each.
fn harm(before: &[u32], after: &[u32]) -> Option<Harm> {
    let Rise { mean, error } = Rise::between(before, after);
    let doubt = 2.0 * error;
    (mean > doubt).then_some(Harm {
        samples: before.len(),
        raised: mean,
        doubt,
    })
}

/// The weights plus a delta divided by `parts`, rounded towards zero.
fn with(base: &[i16], delta: &Delta, parts: i32) -> Vec<i16> {
    let mut weights = base.to_vec();
    for entry in delta.entries() {
        if let Some(weight) = weights.get_mut(entry.position as usize) {
            let changed = i32::from(*weight) + i32::from(entry.change) / parts;
            let bound = i32::from(MASTER_BOUND);
            *weight = changed.clamp(-bound, bound) as i16;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::{small_transformer, text};

    #[test]
    fn a_part_of_much_data_is_kept_back() {
        let image = Graph::mlp(&[6, 8, 3]);
        let data = |samples: usize| Labelled {
            inputs: 6,
            pixels: vec![0; 6 * samples],
            labels: vec![0; samples],
        };
        let kept = |samples, graph: &Graph| Parts::of(&data(samples), graph).kept_back.len();
        assert_eq!(
            [0, 511, 512, 60_000].map(|samples| kept(samples, &image)),
            [0, 0, 32, 3_750]
        );
        assert_eq!(kept(200_000, &image), 4_096);
        // Each of its six tokens has a label.
        let parts = Parts::of(&text(60_000, 0), &small_transformer());
        assert_eq!(parts.kept_back.len(), 4_096 / 6);
        assert_eq!(parts.training.len() + parts.kept_back.len(), 60_000);
    }

    #[test]
    fn what_is_kept_back_is_from_all_over_the_data() {
        let data = Labelled {
            inputs: 1,
            pixels: (0..=255).flat_map(|file| [file; 4]).collect(),
            labels: vec![0; 1_024],
        };
        let kept_back = Parts::of(&data, &Graph::mlp(&[1, 3])).kept_back.pixels;
        let sixteenth = |run: usize| 16 * run as u8..16 * (run as u8 + 1);
        assert_eq!(kept_back.len(), 64);
        for (run, bytes) in kept_back.chunks(4).enumerate().take(15) {
            assert!(bytes.iter().all(|byte| sixteenth(run).contains(byte)));
        }
    }

    #[test]
    fn an_own_exam_takes_few_passes_unless_they_are_short() {
        let of = |samples: usize, graph: &Graph, deltas: u32| {
            let data = Labelled {
                inputs: graph.inputs as usize,
                pixels: vec![0; samples * graph.inputs as usize],
                labels: vec![0; samples],
            };
            Parts::of(&data, graph).passes(graph, deltas)
        };
        let small = Graph::mlp(&[6, 3]);
        assert_eq!(of(100, &small, 2), 4.0, "nothing is kept back");
        assert_eq!([1, 2].map(|deltas| of(1_024, &small, deltas)), [23.0, 25.0]);
        // Of 512 samples, lengths are tried on 48, then on too few.
        let large = |width| Graph::mlp(&[6, 1 << 13, width, 3]);
        let passes = of(8_192, &large(1 << 12), 1);
        assert!((3.9..=4.1).contains(&passes), "{passes}");
        assert_eq!(of(8_192, &large(1 << 13), 1), 2.0);
    }

    #[test]
    fn harm_has_to_be_beyond_doubt() {
        let bits = |bits: f64| (bits * 65_536.0) as u32;
        let before = [2.0, 3.0, 1.0, 2.5].map(bits);
        let worse = harm(&before, &[2.5, 3.4, 1.6, 3.0].map(bits)).unwrap();
        assert!((worse.raised - 0.5).abs() < 1e-3 && worse.doubt < 0.1);
        assert_eq!(
            harm(&before, &[1.5, 2.4, 0.6, 2.0].map(bits)),
            None,
            "better"
        );
        assert_eq!(
            harm(&before, &[2.5, 2.4, 1.6, 2.0].map(bits)),
            None,
            "either"
        );
        assert_eq!(harm(&before, &before), None);
        assert_eq!(harm(&[1], &[2]), None, "one sample leaves all in doubt");
    }

    #[test]
    fn halvings_take_no_more_than_a_pass_over_what_is_kept_back_may() {
        assert_eq!(halved_on(64, 128), 64);
        assert_eq!(halved_on(1 << 20, 1), GROUPS * MAX_GROUP);
        // A language model of ten million parameters, for which 32 samples are kept back.
        assert!(halved_on(32, 1 << 30) < LEAST_TRIED);
        for cost in [1, 1 << 23, 1 << 30, u64::MAX] {
            let products = halved_on(4_096, cost) as u128 * u128::from(cost);
            let all = products * u128::from(HALVINGS_PASSES);
            assert!(all <= u128::from(MOST_PRODUCTS), "{cost}");
        }
    }

    /// Samples whose first half is bright if they are of class 0, and whose second half is bright if they are of class 1.
    fn bright_halves(samples: usize) -> Labelled {
        let sample = |number: usize| {
            let bright =
                move |at: usize| (at / 32 == number % 2).then_some(250 + (number % 5) as u8);
            (0..64).map(move |at| bright(at).unwrap_or(0))
        };
        Labelled {
            inputs: 64,
            pixels: (0..samples).flat_map(sample).collect(),
            labels: (0..samples).map(|number| (number % 2) as u8).collect(),
        }
    }

    /// The change that tells the bright halves apart: it takes the weights to their bounds, divided by `parts`.
    fn brighter(graph: &Graph, parts: i32) -> Vec<i32> {
        let mut change = vec![0; graph.parameters()];
        for class in 0..2 {
            // The weights of its own half, out of the row of 64.
            change[96 * class..][..32].fill(32_000 / parts);
        }
        change
    }

    #[test]
    fn a_delta_that_goes_too_far_to_be_proved_is_halved_and_no_other() {
        let graph = Graph::mlp(&[64, 2]);
        let parts = Parts::of(&bright_halves(1_024), &graph);
        let base = vec![0; graph.parameters()];
        let halvings = |change: &[i32], terms: &ShareTerms| {
            let delta = Delta::compress(change, 1000);
            parts.halvings(&graph, &base, &delta, terms).unwrap()
        };
        let terms = ShareTerms::default();
        // From one bit to 15 bits of certainty, eight of which are there already halfway.
        let halved = halvings(&brighter(&graph, 1), &terms);
        assert!((1..=2).contains(&halved), "{halved}");
        // What is left of it is proved by that merge. At twice the rate it would go too far again.
        assert_eq!(halvings(&brighter(&graph, 1 << halved), &terms), 0);
        let twice = ShareTerms {
            outer_rate_q8: 512,
            ..terms
        };
        assert_eq!(halvings(&brighter(&graph, 1), &twice), halved + 1);
        // The loss is straight along a small step, whatever the step does.
        assert_eq!(halvings(&brighter(&graph, 32), &terms), 0);
        let noise: Vec<i32> = (0..graph.parameters() as i32)
            .map(|at| at * 7_919 % 2_003 - 1_001)
            .collect();
        assert_eq!(halvings(&noise, &terms), 0);
        // Without data to try it on, it stays as it is.
        let parts = Parts::of(&bright_halves(511), &graph);
        let delta = Delta::compress(&brighter(&graph, 1), 1000);
        let untried = parts.halvings(&graph, &base, &delta, &terms);
        assert_eq!(untried.unwrap(), 0);
    }

    #[test]
    fn a_delta_that_ruins_the_model_does_harm_and_a_useless_one_does_not() {
        let (graph, samples) = (Graph::mlp(&[6, 3]), 600);
        // All samples are of one class, so only the biases tell anything.
        let data = Labelled {
            inputs: 6,
            pixels: vec![0; 6 * samples],
            labels: vec![0; samples],
        };
        let (parts, base) = (Parts::of(&data, &graph), vec![0; graph.parameters()]);
        let delta = |changes: &[(usize, i32)]| {
            let mut change = vec![0; base.len()];
            for (position, by) in changes {
                change[*position] = *by;
            }
            Delta::compress(&change, 1000)
        };
        let before = parts.losses(&graph, &base).unwrap();
        let harm = |delta: &Delta| parts.harm(&graph, &base, &before, delta).unwrap();
        let biases = base.len() - 3;
        assert!(harm(&delta(&[(biases, -32_000), (biases + 1, 32_000)])).is_some());
        assert_eq!(harm(&delta(&[(biases, 32_000)])), None, "it helps");
        assert_eq!(harm(&delta(&[(0, 32_000)])), None, "it changes nothing");
        assert_eq!(
            with(&[10, -7], &Delta::compress(&[-6, 6], 1000), 4),
            [9, -6]
        );
    }
}
