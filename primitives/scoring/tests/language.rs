//! Equality is not quality, for the ops of a transformer: they are compared with floating point,
//! and a hand-made transformer has to do what it was made for.

#![allow(clippy::unwrap_used)]

use gotong_scoring::machine::{mean, run, share_bits, shares, Norm, Tensor};
use gotong_scoring::{predict, Evaluator, Graph, Op, Reference, Samples, Transformer};
use proptest::collection::vec as any_vec;
use proptest::prelude::*;

/// A multiplicative generator: enough for test data.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn rms(row: &[f64]) -> f64 {
    (row.iter().map(|h| h * h).sum::<f64>() / row.len() as f64).sqrt()
}

/// A row of the stream, of some magnitude.
fn any_row() -> impl Strategy<Value = Vec<i16>> {
    (1i16..=32_767).prop_flat_map(|most| any_vec(-most..=most, 1..=512))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The root is within 0.4 % of the true one, and what is divided by it within rounding.
    #[test]
    fn a_norm_is_near_the_true_one(row in any_row(), unit_bits in 0u8..=5) {
        let exact: Vec<f64> = row.iter().map(|h| f64::from(*h)).collect();
        let (rms, norm) = (rms(&exact), Norm::of(&row, unit_bits));
        for (h, exact) in row.iter().zip(exact) {
            let y = if rms == 0.0 { 0.0 } else { exact / rms * f64::from(1 << unit_bits) };
            let y = y.clamp(-127.0, 127.0);
            let error = (f64::from(norm.apply(*h)) - y).abs();
            prop_assert!(error <= 0.55 + 0.005 * y.abs(), "{error} at {y}");
        }
    }

    /// A norm does not change if its row is doubled.
    #[test]
    fn a_norm_has_no_scale(row in any_vec(-500i16..=500, 1..100), by in 0u32..6) {
        let scaled: Vec<i16> = row.iter().map(|h| h << by).collect();
        let (norm, other) = (Norm::of(&row, 5), Norm::of(&scaled, 5));
        for (h, scaled) in row.iter().zip(&scaled) {
            prop_assert_eq!(norm.apply(*h), other.apply(*scaled));
        }
    }

    /// Every share is within a unit and a half of the true one, of which there are 128 to 16,384.
    #[test]
    fn shares_are_near_a_true_softmax(z in any_vec(-1500i16..=1500, 1..=64), tokens in 64u32..=1024) {
        let own = shares(&z, tokens);
        let most = f64::from(*z.iter().max().unwrap());
        let unit = f64::from(1u32 << share_bits(tokens));
        for (z, share) in z.iter().zip(&own) {
            let exact = unit * ((f64::from(*z) - most) / 64.0).exp2();
            prop_assert!((f64::from(*share) - exact).abs() <= 0.7, "{share} for {exact}");
        }
        prop_assert!(own.iter().any(|share| f64::from(*share) == unit));
    }

    /// A mean is within half of its unit of the true one.
    #[test]
    fn a_mean_is_rounded_to_nearest(pairs in any_vec((0i16..=128, -127i8..=127), 1..=1024)) {
        let (shares, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let n: f64 = shares.iter().map(|share| f64::from(*share)).sum();
        prop_assume!(n > 0.0);
        let terms = shares.iter().zip(&values);
        let sum: f64 = terms.map(|(share, value)| f64::from(*share) * f64::from(*value)).sum();
        let error = f64::from(mean(&shares, values.iter().copied())) - 16.0 * sum / n;
        // For an odd `n`, its half is rounded down.
        prop_assert!((-0.5 - 0.5 / n..=0.5).contains(&error), "{error}");
    }
}

#[test]
fn attention_takes_in_what_it_looks_for() {
    // Rows are a query, a key and a value, with one head of width four: all keys differ, and the
    // last token looks for the second.
    let (heads, head_width, tokens) = (1, 4, 4u32);
    let key = |at: usize| (0..4).map(move |c| if c == at { 120i8 } else { 0 });
    let rows: Vec<i8> = (0..4)
        .flat_map(|t| {
            let query = if t == 3 { key(1) } else { key(t) };
            let value = (0..4).map(move |c| (10 * t + c) as i8 - 20);
            query.chain(key(t)).chain(value).collect::<Vec<_>>()
        })
        .collect();
    let apply = |op: &Op, before: &[Tensor]| {
        gotong_scoring::machine::apply(op, &[], &[0; 5], before).unwrap()
    };
    let mut given = vec![Tensor::Narrow(rows)];
    let scores = Op::Scores { heads, head_width };
    given.push(apply(&scores, &given));
    let Tensor::Acc(acc) = &given[1] else {
        panic!("scores are accumulators");
    };
    assert_eq!(acc[12..], [0, 120 * 120, 0, 0]);
    given.push(Tensor::Wide(
        acc.iter().map(|acc| (acc / 8) as i16).collect(),
    ));
    given.push(apply(&Op::Softmax { heads, tokens }, &given));
    let most = 1 << 14;
    let expected = [
        [most, 0, 0, 0],
        [0, most, 0, 0],
        [0, 0, most, 0],
        [0, most, 0, 0],
    ];
    assert_eq!(given[3], Tensor::Shares(expected.concat()));
    let mix = Op::Mix {
        from: 0,
        heads,
        head_width,
    };
    let Tensor::Acc(means) = apply(&mix, &given) else {
        panic!("means are accumulators");
    };
    // The last token has the second's value, in sixteenths.
    let second: Vec<i32> = (0..4).map(|c| 16 * (10 + c - 20)).collect();
    assert_eq!(means[12..], second);
}

const VOCAB: u32 = 4;
const TOKENS: u32 = 8;

/// A transformer made to output every token's predecessor: one layer, whose attention finds the
/// place before its own and copies the token there to a separate part of the stream, which the head
/// reads.
fn copier() -> (Graph, Vec<i16>) {
    let (vocab, tokens) = (VOCAB as usize, TOKENS as usize);
    // The token, its place, the token before it.
    let width = vocab + tokens + vocab;
    let shape = Transformer {
        vocab: VOCAB,
        tokens: TOKENS,
        width: width as u32,
        heads: 1,
        hidden: 1,
        layers: 1,
        tied: false,
    };
    let mut graph = Graph::transformer(&shape);
    // It is confident: scores and logits count sixteen times.
    for (op, field) in [(5, 0), (21, 1)] {
        if let Op::Requant {
            shift_in,
            shift_out,
            ..
        } = &mut graph.ops[op]
        {
            *[shift_out, shift_in][field] -= 4;
        }
    }
    let mut weights = vec![0; graph.parameters()];
    let most = 32_512;
    let starts: Vec<usize> = graph.parameters_read().map(|read| read.start).collect();
    let mut set = |op: usize, row: usize, column: usize| {
        weights[starts[op] + row * width + column] = most;
    };
    (0..vocab).for_each(|token| set(0, token, token));
    (0..tokens).for_each(|place| set(0, vocab + place, vocab + place));
    for place in 0..tokens {
        // A query for the place before, a key for its own.
        if place > 0 {
            set(2, place - 1, vocab + place);
        }
        set(2, width + place, vocab + place);
    }
    for token in 0..vocab {
        set(2, 2 * width + token, token);
        set(9, vocab + tokens + token, token);
        set(20, token, vocab + tokens + token);
    }
    (graph, weights)
}

#[test]
fn a_transformer_made_to_copy_copies() {
    let (graph, weights) = copier();
    assert_eq!(graph.validate(), Ok(()));
    assert!(
        matches!(graph.ops[9], Op::Linear { .. }) && matches!(graph.ops[20], Op::Linear { .. })
    );
    let token_losses = |record: &[u8]| -> Vec<f64> {
        let given = run(&graph, &weights, record).unwrap();
        let Tensor::Losses(losses) = &given[given.len() - 2] else {
            panic!("losses of tokens");
        };
        losses
            .iter()
            .map(|loss| f64::from(*loss) / 65_536.0)
            .collect()
    };
    for (a, b) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
        // Two tokens in turn: the next token is the one before.
        let record: Vec<u8> = (0..9).map(|at| if at % 2 == 0 { a } else { b }).collect();
        let losses = token_losses(&record);
        assert!(losses[1..].iter().all(|loss| *loss < 0.001), "{losses:?}");
        let samples = Samples::new(TOKENS, VOCAB, &record).unwrap();
        assert_eq!(predict(&graph, &weights, &samples), Ok(vec![a]));
        if a != b {
            // And where the pattern is broken, it is wrong.
            let mut broken = record.clone();
            broken[5] = (0..4).find(|other| *other != a && *other != b).unwrap();
            let losses = token_losses(&broken);
            assert!(losses[4] > 10.0 && losses[2] < 0.001, "{losses:?}");
        }
    }
}

/// The float meaning of a [`Graph::transformer`] by its units: the loss of every token, in bits.
/// Nothing is rounded, and only the weights are in their view.
fn losses_f64(shape: &Transformer, weights: &[i16], record: &[u8]) -> Vec<f64> {
    let (width, tokens) = (shape.width as usize, shape.tokens as usize);
    let (vocab, heads, hidden) = (
        shape.vocab as usize,
        shape.heads as usize,
        shape.hidden as usize,
    );
    let mut rest = weights;
    let mut take = |count: usize| {
        let (own, others) = rest.split_at(count);
        rest = others;
        own
    };
    let real = |w: &i16| f64::from(*w) / 65_536.0;
    let affine = |x: &[f64], weights: &[i16], biases: &[i16], bias_unit: f64| -> Vec<f64> {
        let rows = weights.chunks(x.len()).enumerate();
        rows.map(|(output, row)| {
            let dot: f64 = row.iter().zip(x).map(|(w, x)| real(w) * x).sum();
            dot + biases
                .get(output)
                .map_or(0.0, |bias| f64::from(*bias) * bias_unit)
        })
        .collect()
    };
    let norm = |h: &Vec<f64>| -> Vec<f64> { h.iter().map(|x| x / rms(h)).collect() };
    let embedding = take(vocab * width);
    let places = take(tokens * width);
    let mut stream: Vec<Vec<f64>> = (0..tokens)
        .map(|t| {
            let token = &embedding[usize::from(record[t]) * width..][..width];
            let place = &places[t * width..][..width];
            token
                .iter()
                .zip(place)
                .map(|(a, b)| real(a) + real(b))
                .collect()
        })
        .collect();
    let add = |stream: &mut Vec<Vec<f64>>, more: Vec<Vec<f64>>| {
        for (row, more) in stream.iter_mut().zip(more) {
            row.iter_mut().zip(more).for_each(|(h, more)| *h += more);
        }
    };
    for _ in 0..shape.layers {
        let (w, b) = (take(3 * width * width), take(3 * width));
        let rows: Vec<Vec<f64>> = stream
            .iter()
            .map(|h| affine(&norm(h), w, b, 1.0 / 8192.0))
            .collect();
        let head_width = width / heads;
        let attended: Vec<Vec<f64>> = (0..tokens)
            .map(|t| {
                let mut mixed = Vec::new();
                for head in 0..heads {
                    let own = head * head_width;
                    let part = |row: usize, of: usize| &rows[row][of * width + own..][..head_width];
                    let score = |j: usize| {
                        let product: f64 =
                            part(t, 0).iter().zip(part(j, 1)).map(|(q, k)| q * k).sum();
                        (product / (head_width as f64).sqrt()).exp()
                    };
                    let scores: Vec<f64> = (0..=t).map(score).collect();
                    let all: f64 = scores.iter().sum();
                    mixed.extend((0..head_width).map(|c| {
                        let terms = scores.iter().enumerate().map(|(j, p)| p * part(j, 2)[c]);
                        terms.sum::<f64>() / all
                    }));
                }
                mixed
            })
            .collect();
        let (w, b) = (take(width * width), take(width));
        let more = attended
            .iter()
            .map(|x| affine(x, w, b, 1.0 / 8192.0))
            .collect();
        add(&mut stream, more);
        let (up, up_bias) = (take(width * hidden), take(hidden));
        let (down, down_bias) = (take(hidden * width), take(width));
        let more = stream
            .iter()
            .map(|h| {
                let u = affine(&norm(h), up, up_bias, 1.0 / 8192.0);
                let u: Vec<f64> = u.iter().map(|u| u.max(0.0).powi(2)).collect();
                affine(&u, down, down_bias, 1.0 / 2048.0)
            })
            .collect();
        add(&mut stream, more);
    }
    let (head, biases) = if shape.tied {
        (embedding, &[][..])
    } else {
        (take(vocab * width), take(vocab))
    };
    let loss = |(h, label): (&Vec<f64>, &u8)| {
        let z = affine(&norm(h), head, biases, 1.0 / 8192.0);
        z.iter().map(|z| z.exp2()).sum::<f64>().log2() - z[usize::from(*label)]
    };
    stream.iter().zip(&record[1..]).map(loss).collect()
}

#[test]
fn a_transformer_means_what_its_units_say() {
    for (tied, most, mean_bound, spread_bound) in [
        (false, 3000, 0.005, 0.02),
        (true, 3000, 0.005, 0.02),
        (false, 8000, 0.05, 0.2),
        (true, 8000, 0.05, 0.2),
    ] {
        let shape = Transformer {
            vocab: 30,
            tokens: 48,
            width: 64,
            heads: 4,
            hidden: 128,
            layers: 3,
            tied,
        };
        let graph = Graph::transformer(&shape);
        let mut random = Random(5);
        // Sums of four uniform values: with the spread of weights at the start of training, and
        // nearly three times that.
        let mut weight = || {
            let one = |_| (random.below(2 * most) as i64 - most as i64) as i16;
            (0..4).map(one).sum()
        };
        let weights: Vec<i16> = (0..graph.parameters()).map(|_| weight()).collect();
        let record = |_| (0..49).map(|_| random.below(30) as u8).collect::<Vec<u8>>();
        let records: Vec<Vec<u8>> = (0..8).map(record).collect();
        let samples = Samples::new(48, 30, &records.concat()).unwrap();
        let losses = Reference.losses(&graph, &weights, &samples).unwrap();
        let (mut sum, mut square) = (0.0, 0.0);
        for (record, loss) in records.iter().zip(losses) {
            let given = run(&graph, &weights, record).unwrap();
            let Tensor::Losses(own) = &given[given.len() - 2] else {
                panic!("losses of tokens");
            };
            assert_eq!(own.iter().sum::<u32>(), loss);
            for (own, exact) in own.iter().zip(losses_f64(&shape, &weights, record)) {
                let error = f64::from(*own) / 65_536.0 - exact;
                sum += error;
                square += error * error;
            }
        }
        let (mean, spread) = (sum / 384.0, (square / 384.0f64).sqrt());
        assert!(mean.abs() < mean_bound, "{mean}");
        assert!(spread < spread_bound, "{spread}");
    }
}
