//! Every op compared with 64-bit arithmetic, at the extremes and anywhere.

use super::*;
use crate::lut::{EXP2, LOG2, RSQRT};
use crate::{
    Cnn, Convolution, Evaluator, Image, Pool, Reference, Samples, Transformer, Width, Window,
    MAX_POOL_SPAN,
};
use alloc::vec;
use proptest::collection::vec as any_vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn naive_rs(a: i64, s: u32) -> i64 {
    (a + ((1 << s) >> 1)).div_euclid(1 << s)
}

#[test]
fn linear_is_exact_at_the_extremes() {
    for k in [1usize, 1023, 1024, 1025, 4097] {
        for (w, x) in [(127, 127), (-127, 127), (127, -127), (-127, -127)] {
            for bias in [-32_512, 32_512] {
                let acc = linear(&vec![w; 2 * k], &[bias, 0], 8, &vec![x; k]);
                let product = i64::from(w) * i64::from(x) * k as i64;
                let expected = [product + i64::from(bias) * 256, product];
                assert_eq!(acc.map_i64(), expected, "k {k} w {w} x {x} bias {bias}");
            }
        }
    }
}

/// The longest row that a graph can have, with every bias.
#[test]
fn the_longest_linear_op_fits_32_bits() {
    for bias_shift in 0..=8 {
        let is_valid = |k: u32| {
            let op = Op::Linear {
                inputs: k,
                outputs: 2,
                bias_shift,
            };
            let ops = vec![op];
            Graph { inputs: k, ops }.flows().is_ok()
        };
        let k = (130_000..).take_while(|k| is_valid(*k)).last().unwrap();
        for (w, x) in [(127, 127), (-127, 127), (-127, -127)] {
            for bias in [-32_512, 32_512] {
                let acc = linear(
                    &vec![w; k as usize],
                    &[bias],
                    bias_shift,
                    &vec![x; k as usize],
                );
                let sum = i64::from(w) * i64::from(x) * i64::from(k);
                assert_eq!(acc.map_i64(), [fits(sum + (i64::from(bias) << bias_shift))]);
            }
        }
        let more = i64::from(k + 1) * 127 * 127 + (32_512 << bias_shift);
        assert!(i32::try_from(more).is_err());
    }
}

trait MapI64 {
    fn map_i64(&self) -> Vec<i64>;
}

impl MapI64 for Vec<i32> {
    fn map_i64(&self) -> Vec<i64> {
        self.iter().map(|v| i64::from(*v)).collect()
    }
}

#[test]
fn an_op_takes_only_its_own() {
    let op = Op::Linear {
        inputs: 2,
        outputs: 1,
        bias_shift: 0,
    };
    let x = Tensor::Narrow(vec![1, 2]);
    let apply = |op: &Op, params: &[i16], input: &Tensor, label: u8| {
        super::apply(op, params, &[0, label], core::slice::from_ref(input))
    };
    assert_eq!(
        apply(&op, &[256, 512, 7], &x, 0),
        Ok(Tensor::Acc(vec![1 + 4 + 7]))
    );
    let loss = Op::CrossEntropy { classes: 2 };
    let wrong = [
        (op, &[256, 512][..], x.clone()),
        (op, &[256, 512, 7, 7], x.clone()),
        (op, &[256, 512, 7], Tensor::Narrow(vec![1])),
        (op, &[256, 512, 7], Tensor::Narrow(vec![])),
        (op, &[256, 512, 7], Tensor::Wide(vec![1, 2])),
        (Op::Relu, &[], Tensor::Loss(0)),
        (Op::Relu, &[1], x),
        (loss, &[], Tensor::Wide(vec![0; 3])),
        (loss, &[], Tensor::Acc(vec![0; 2])),
    ];
    for (op, params, input) in wrong {
        assert_eq!(apply(&op, params, &input, 0), Err(EvalError::WrongOperand));
    }
    let two = Tensor::Wide(vec![0; 2]);
    assert_eq!(apply(&loss, &[], &two, 2), Err(EvalError::WrongOperand));
    assert_eq!(apply(&loss, &[], &two, 1), Ok(Tensor::Loss(1 << 16)));
}

#[test]
fn cross_entropy_at_the_extremes() {
    assert_eq!(cross_entropy(&[], 0), None);
    assert_eq!(cross_entropy(&[0; 257], 0), None);
    assert_eq!(cross_entropy(&[0; 256], 255), Some(8 << 16));
    assert_eq!(cross_entropy(&[32_767, -32_767], 0), Some(0));
    assert_eq!(cross_entropy(&[32_767, -32_767], 1), Some(65_534 * 1024));
    assert_eq!(cross_entropy(&[i16::MIN, i16::MAX], 0), Some(65_535 * 1024));
    // 15 whole bits below the largest, a term is cut off to nothing.
    assert_eq!(cross_entropy(&[15 * 64, 0], 0), Some(0));
    assert_eq!(cross_entropy(&[14 * 64, 0], 1), Some(14 << 16));
}

/// An `i64` that an implementation may hold in 32 bits.
fn fits(value: i64) -> i64 {
    assert!(i32::try_from(value).is_ok(), "{value} passes 32 bits");
    value
}

/// The definition of [`Norm`] in 64 bits, with the bounds that its docs give.
fn naive_norm(row: &[i16], unit_bits: u8) -> Vec<i64> {
    let most = row.iter().map(|h| i64::from(*h).abs()).max().unwrap();
    if most == 0 {
        return vec![0; row.len()];
    }
    let up = (0..).find(|up| most << up >= 1 << 14).unwrap();
    let s = (0..).step_by(2).find(|s| row.len() <= 1 << s).unwrap();
    let g: Vec<i64> = row.iter().map(|h| i64::from(*h) << up).collect();
    let sum: i64 = g.iter().map(|g| naive_rs(fits(g * g), s)).sum();
    assert!((1 << (28 - s)..=1 << 30).contains(&sum), "{sum}");
    let e = (0..).find(|e| sum < 1 << (2 * e + 2)).unwrap();
    let reciprocal = i64::from(RSQRT[(sum >> (2 * e - 6)) as usize - 64]);
    let root = i64::try_from(((row.len() as u64) << 16).isqrt()).unwrap();
    let scaled = g.iter().map(|g| {
        let (product, down) = (g * reciprocal, 8 + e + s / 2 - u32::from(unit_bits));
        assert!(product.abs() < 1 << 30 && (15..=31).contains(&down));
        let product = naive_rs(product, 15) * root;
        assert!(product.abs() < 1 << 30);
        naive_rs(product, down).clamp(-127, 127)
    });
    scaled.collect()
}

fn norm(row: &[i16], unit_bits: u8) -> Vec<i64> {
    let norm = Norm::of(row, unit_bits);
    row.iter().map(|h| norm.apply(*h).into()).collect()
}

#[test]
fn a_norm_is_exact_at_the_extremes() {
    for width in [1, 2, 3, 63, 64, 65, 1023, 1024, 1025, 2047, 2048] {
        let alternating = (0..width).map(|at| if at % 2 == 0 { 32_767 } else { -32_767 });
        let one = |most: i16, rest: i16| {
            let mut row = vec![rest; width];
            row[width / 2] = most;
            row
        };
        let rows = [
            vec![32_767; width],
            vec![-32_767; width],
            vec![1; width],
            vec![0; width],
            alternating.collect(),
            one(32_767, 0),
            one(-32_767, 1),
            one(1, 0),
            one(-16_384, 127),
            one(0, 32_767),
        ];
        for row in rows {
            for unit_bits in 0..=7 {
                assert_eq!(norm(&row, unit_bits), naive_norm(&row, unit_bits));
            }
        }
    }
    // The norm of an empty row, and of values that no op gives.
    assert_eq!(Norm::of(&[], 0).apply(1), 0);
    assert_eq!(norm(&[i16::MIN; 4], 5), norm(&[-32_767; 4], 5));
}

#[test]
fn attention_is_exact_at_the_extremes() {
    for (a, b) in [(127, 127), (-127, 127), (-127, -127)] {
        let product = i64::from(a) * i64::from(b) * 1024;
        assert!(product.abs() < 1 << 24);
        assert_eq!(i64::from(dot(&[a; 1024], &[b; 1024])), product);
    }
    for tokens in 1..=1024u32 {
        let most = 1i16 << share_bits(tokens);
        let equal = shares(&vec![-7; tokens as usize], tokens);
        assert!(equal.iter().all(|share| *share == most));
        let n: i64 = equal.iter().map(|share| i64::from(*share)).sum();
        assert!(n <= 1 << 17 && n * 127 < 1 << 24 && 255 * 16 * n + n / 2 < 1 << 30);
        for value in [127, 1, 0, -1, -127] {
            let values = core::iter::repeat(value);
            assert_eq!(mean(&equal, values), 16 * i32::from(value), "{tokens}");
        }
    }
    assert_eq!([1, 64, 256, 257, 1024].map(share_bits), [14, 11, 9, 8, 7]);
    assert_eq!(shares(&[32_767, -32_767], 2), [1 << 14, 0]);
    assert_eq!(shares(&[-64, 0, -128], 64), [1 << 10, 1 << 11, 1 << 9]);
    // Shares that no op gives: none at all, and arbitrary ones.
    assert_eq!(mean(&[], [].into_iter()), -2048);
    mean(&[i16::MIN; 2], [-128, 127].into_iter());
    mean(&[i16::MIN, i16::MAX, 1], [-128; 3].into_iter());
}

proptest! {
    /// Shares and a mean over as many tokens as there can be, with any scores and values.
    #[test]
    fn attention_equals_naive(
        tokens in prop_oneof![1usize..=1024, Just(1024)], seen in any::<Index>(), spread in 1i16..=32_767,
        z in any_vec(-32_767i16..=32_767, 1024), v in any_vec(prop_oneof![-127i8..=127, Just(127), Just(-127)], 1024)
    ) {
        let seen = 1 + seen.index(tokens);
        let z: Vec<i16> = z[..seen].iter().map(|z| z % spread).collect();
        let (most, bits) = (i64::from(*z.iter().max().unwrap()), share_bits(tokens as u32));
        prop_assert!(tokens << bits <= 1 << 17 && (bits == 14 || tokens << (bits + 1) > 1 << 17));
        let naive = z.iter().map(|z| {
            let d = most - i64::from(*z);
            let p = i64::from(EXP2[(d % 64) as usize]) >> (d / 64).min(60);
            naive_rs(p, 14 - bits)
        });
        let naive: Vec<i64> = naive.collect();
        let own = shares(&z, tokens as u32);
        prop_assert_eq!(own.iter().map(|p| i64::from(*p)).collect::<Vec<_>>(), naive.clone());
        let (n, sum) = naive.iter().zip(&v).fold((0, 0), |(n, sum), (p, v)| (n + p, sum + p * i64::from(*v)));
        prop_assert!(n >= 1 << bits && n <= 1 << 17 && sum.abs() < 1 << 24);
        let above = (sum + 128 * n) * 16 + n / 2;
        prop_assert!((0..1 << 30).contains(&above));
        prop_assert_eq!(i64::from(mean(&own, v.iter().copied())), above / n - 2048);
    }

    #[test]
    fn the_longest_products_are_exact(a in any_vec(-127i8..=127, 1024), b in any_vec(-127i8..=127, 1024)) {
        let naive: i64 = a.iter().zip(&b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
        prop_assert!(naive.abs() < 1 << 24);
        prop_assert_eq!(i64::from(dot(&a, &b)), naive);
    }

    /// Rows as long as they can be, of any magnitude.
    #[test]
    fn the_longest_norm_equals_naive(
        row in (1i16..=32_767).prop_flat_map(|most| any_vec(-most..=most, 1500..=2048)), unit_bits in 0u8..=7
    ) {
        prop_assert_eq!(norm(&row, unit_bits), naive_norm(&row, unit_bits));
    }

    #[test]
    fn embedding_and_residual_equal_naive(
        a in -32_767i16..=32_767, b in -32_767i16..=32_767, shift in 0u8..=15
    ) {
        let sum = i64::from(a) + i64::from(b);
        prop_assert_eq!(i64::from(residual(a, b)), sum.clamp(-32_767, 32_767));
        let value = naive_rs(sum, shift.into()).clamp(-32_767, 32_767);
        prop_assert_eq!(i64::from(embed(a, b, shift)), value);
    }

    #[test]
    fn totals_equal_naive(losses in any_vec(prop_oneof![any::<u32>(), 0u32..1 << 22], 1..=1024)) {
        let naive: i64 = losses.iter().map(|loss| i64::from(*loss).min((1 << 21) - 1)).sum();
        prop_assert!(naive < 1 << 31);
        prop_assert_eq!(i64::from(total(&losses)), naive);
    }

    /// With as many classes as there can be, in 64 bits.
    #[test]
    fn cross_entropy_equals_naive(
        z in any_vec(-32_767i16..=32_767, 2..=256), spread in 1i16..=32_767, label in any::<Index>()
    ) {
        let z: Vec<i16> = z.iter().map(|z| z % spread).collect();
        let label = label.index(z.len());
        let most = i64::from(*z.iter().max().unwrap());
        let sum: i64 = z.iter().map(|z| {
            let d = most - i64::from(*z);
            i64::from(EXP2[(d % 64) as usize]) >> (d / 64).min(60)
        }).sum();
        prop_assert!((1 << 14..=1 << 22).contains(&sum));
        let whole = (0..).find(|whole| sum < 1 << (whole + 1)).unwrap();
        let log2 = (whole << 16) + i64::from(LOG2[(sum >> (whole - 10)) as usize - 1024]);
        let naive = log2 - (14 << 16) + (most - i64::from(z[label])) * 1024;
        prop_assert_eq!(cross_entropy(&z, label as u8).map(i64::from), Some(naive));
    }
}

#[test]
fn small_ops_at_the_extremes() {
    for x in i8::MIN..=i8::MAX {
        let u = i64::from(x).max(0);
        assert_eq!(i64::from(squared_relu(x)), naive_rs(u * u, 7));
    }
    assert_eq!(squared_relu(127), 126);
    let extremes = [-32_767, -32_512, -1, 0, 1, 32_512, 32_767];
    for (a, b) in extremes.iter().flat_map(|a| extremes.map(|b| (*a, b))) {
        let sum = i64::from(a) + i64::from(b);
        assert_eq!(i64::from(residual(a, b)), sum.clamp(-32_767, 32_767));
        for shift in 0..=15 {
            let value = naive_rs(sum, shift.into()).clamp(-32_767, 32_767);
            assert_eq!(i64::from(embed(a, b, shift)), value);
        }
    }
    assert_eq!(total(&[u32::MAX; 1024]), 1024 * MOST_OF_A_TOKEN);
    assert!(total(&[u32::MAX; 1024]) < 1 << 31);
    assert_eq!(total(&[1, 2, 1 << 21]), 3 + (1 << 21) - 1);
}

/// What every op gives on a record, row after row, in 64 bits: written from the table of ops, using
/// nothing of this module but its tables and the bounds that it states.
fn naive_run(graph: &Graph, weights: &[i16], record: &[u8]) -> Vec<Vec<i64>> {
    let view = |w: &i16| naive_rs((*w).into(), 8).clamp(-127, 127);
    let tokens = graph.inputs as usize;
    let mut given: Vec<Vec<i64>> = Vec::new();
    for (op, read) in graph.ops.iter().zip(graph.parameters_read()) {
        let params = &weights[read];
        let sample = record[..record.len() - 1].iter();
        let sample: Vec<i64> = sample.map(|byte| i64::from(byte / 2)).collect();
        let x = given.last().unwrap_or(&sample);
        let next: Vec<i64> = match *op {
            Op::Embed {
                vocab,
                width,
                shift,
                ..
            } => {
                let at = |row: usize, c: u32| i64::from(params[row * width as usize + c as usize]);
                let value = |t: usize, c: u32| {
                    let sum = at(record[t].into(), c) + at(vocab as usize + t, c);
                    naive_rs(sum, shift.into()).clamp(-32_767, 32_767)
                };
                (0..tokens)
                    .flat_map(|t| (0..width).map(move |c| value(t, c)))
                    .collect()
            }
            Op::Linear {
                inputs, outputs, ..
            }
            | Op::Unembed {
                width: inputs,
                vocab: outputs,
            } => {
                let (inputs, outputs) = (inputs as usize, outputs as usize);
                let bias = |o: usize| match op {
                    Op::Linear { bias_shift, .. } => {
                        i64::from(params[outputs * inputs + o]) << bias_shift
                    }
                    _ => 0,
                };
                let row = |x: &[i64]| -> Vec<i64> {
                    let output = |o: usize| {
                        let w = params[o * inputs..][..inputs].iter().map(view);
                        fits(w.zip(x).map(|(w, x)| w * x).sum::<i64>() + bias(o))
                    };
                    (0..outputs).map(output).collect()
                };
                x.chunks(inputs).flat_map(row).collect()
            }
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => {
                let most = if width == Width::Wide { 32_767 } else { 127 };
                let scale = |acc: &i64| {
                    let t = naive_rs(*acc, shift_in.into()).clamp(-32_767, 32_767);
                    naive_rs(t * i64::from(multiplier), shift_out.into()).clamp(-most, most)
                };
                x.iter().map(scale).collect()
            }
            Op::Relu => x.iter().map(|x| *x.max(&0)).collect(),
            Op::SquaredRelu => x.iter().map(|x| naive_rs(x.max(&0).pow(2), 7)).collect(),
            Op::RmsNorm { width, unit_bits } => {
                let rows: Vec<i16> = x.iter().map(|h| i16::try_from(*h).unwrap()).collect();
                let norm = |row| naive_norm(row, unit_bits);
                rows.chunks(width as usize).flat_map(norm).collect()
            }
            Op::Residual { from } => {
                let pairs = x.iter().zip(&given[from as usize]);
                pairs.map(|(a, b)| (a + b).clamp(-32_767, 32_767)).collect()
            }
            Op::Scores { heads, head_width } => {
                let all = (heads * head_width) as usize;
                let at = |t: usize, c: usize| x[t * 3 * all + c];
                let mut scores = Vec::new();
                for t in 0..tokens {
                    for head in 0..heads as usize {
                        for other in 0..tokens {
                            let own = head * head_width as usize..(head + 1) * head_width as usize;
                            let product: i64 = own.map(|c| at(t, c) * at(other, all + c)).sum();
                            assert!(product.abs() < 1 << 24);
                            scores.push(product);
                        }
                    }
                }
                scores
            }
            Op::Softmax { heads, .. } => {
                let bits = (0..=14)
                    .rev()
                    .find(|bits| tokens << bits <= 1 << 17)
                    .unwrap();
                let mut shares = Vec::new();
                for (row, z) in x.chunks(tokens).enumerate() {
                    let seen = &z[..=row / heads as usize];
                    let most = seen.iter().max().unwrap();
                    shares.extend(seen.iter().map(|z| {
                        let d = most - z;
                        let p = i64::from(EXP2[(d % 64) as usize]) >> (d / 64).min(60);
                        naive_rs(p, 14 - bits)
                    }));
                    shares.resize((row + 1) * tokens, 0);
                }
                shares
            }
            Op::Mix {
                from,
                heads,
                head_width,
            } => {
                let (heads, width, x2) =
                    (heads as usize, head_width as usize, &given[from as usize]);
                let mut means = Vec::new();
                for (row, p) in x.chunks(tokens).enumerate() {
                    for c in 0..width {
                        let at = 2 * heads * width + row % heads * width + c;
                        let value = |t: usize| x2[t * 3 * heads * width + at];
                        let sum: i64 = (0..tokens).map(|t| p[t] * value(t)).sum();
                        let n: i64 = p.iter().sum();
                        assert!(sum.abs() < 1 << 24 && n > 0);
                        means.push((fits((sum + 128 * n) * 16) + n / 2) / n - 2048);
                    }
                }
                means
            }
            Op::CrossEntropy { classes } => {
                let rows: Vec<i16> = x.iter().map(|z| i16::try_from(*z).unwrap()).collect();
                let rows = rows.chunks(classes as usize);
                let labelled = record.len() - rows.len();
                rows.zip(&record[labelled..])
                    .map(|(z, label)| cross_entropy(z, *label).unwrap().into())
                    .collect()
            }
            Op::Total { .. } => {
                vec![fits(x.iter().map(|loss| *loss.min(&((1 << 21) - 1))).sum())]
            }
            Op::Im2col { image, window } => naive_places(x, &image, &window)
                .into_iter()
                .flat_map(|place| place.concat())
                .collect(),
            Op::MaxPool { image, window } => {
                let most = |place: &[&[i64]], c: usize| place.iter().map(|p| p[c]).max().unwrap();
                naive_pool(x, &image, &window, most)
            }
            Op::SumPool { image, window } => {
                let sum = |place: &[&[i64]], c: usize| place.iter().map(|p| p[c]).sum();
                naive_pool(x, &image, &window, sum)
            }
            Op::Flatten => x.clone(),
        };
        given.push(next);
    }
    given
}

/// The pixels of every place of a window, including those of the padding.
fn naive_places(x: &[i64], image: &Image, window: &Window) -> Vec<Vec<Vec<i64>>> {
    let [h, w, channels] = [
        image.height.into(),
        image.width.into(),
        i64::from(image.channels),
    ];
    let [size, stride, padding] = [window.size, window.stride, window.padding].map(i64::from);
    let pixel = |y: i64, x_: i64| -> Vec<i64> {
        if (0..h).contains(&y) && (0..w).contains(&x_) {
            let start = ((y * w + x_) * channels) as usize;
            x[start..start + channels as usize].to_vec()
        } else {
            vec![0; channels as usize]
        }
    };
    let starts = |side: i64| (-padding..=side + padding - size).step_by(stride as usize);
    let mut places = Vec::new();
    for (top, left) in starts(h).flat_map(|top| starts(w).map(move |left| (top, left))) {
        let lines = (top..top + size).flat_map(|y| (left..left + size).map(move |x| (y, x)));
        places.push(lines.map(|(y, x)| pixel(y, x)).collect());
    }
    places
}

fn naive_pool(
    x: &[i64],
    image: &Image,
    window: &Window,
    of: impl Fn(&[&[i64]], usize) -> i64,
) -> Vec<i64> {
    let places = naive_places(x, image, window);
    let values = places.iter().flat_map(|place| {
        let place: Vec<&[i64]> = place.iter().map(Vec::as_slice).collect();
        let channels = 0..image.channels as usize;
        channels.map(|c| of(&place, c)).collect::<Vec<i64>>()
    });
    values.map(fits).collect()
}

fn as_i64(tensor: &Tensor) -> Vec<i64> {
    match tensor {
        Tensor::Narrow(values) => values.iter().map(|value| (*value).into()).collect(),
        Tensor::Wide(values) | Tensor::Shares(values) => {
            values.iter().map(|value| (*value).into()).collect()
        }
        Tensor::Acc(values) => values.map_i64(),
        Tensor::Losses(values) => values.iter().map(|value| (*value).into()).collect(),
        Tensor::Loss(loss) => vec![(*loss).into()],
    }
}

fn any_shape() -> impl Strategy<Value = Transformer> {
    let sizes = (1u32..4, 1u32..9, 1u32..40, 0u32..3);
    (2u32..20, 2u32..24, sizes, any::<bool>()).prop_map(
        |(vocab, tokens, (heads, head_width, hidden, layers), tied)| Transformer {
            vocab,
            tokens,
            width: heads * head_width,
            heads,
            hidden,
            layers,
            tied,
        },
    )
}

/// An image and a window that fits it.
fn any_window() -> impl Strategy<Value = (Image, Window)> {
    let image = (1u16..10, 1u16..10, 1u32..5);
    (image, 1u8..6, 1u8..4, any::<Index>()).prop_map(
        |((height, width, channels), size, stride, at)| {
            let least = size.saturating_sub(height.min(width) as u8).div_ceil(2);
            let padding = least + at.index((size - least).into()) as u8;
            let image = Image {
                height,
                width,
                channels,
            };
            (
                image,
                Window {
                    size,
                    stride,
                    padding,
                },
            )
        },
    )
}

fn any_cnn() -> impl Strategy<Value = Graph> {
    let any_pool = prop_oneof![
        Just(Pool::None),
        (1u8..3).prop_map(Pool::Max),
        (1u8..4).prop_map(Pool::Mean)
    ];
    let convolution = (1u32..6, 1u8..4, 1u8..3, any::<bool>(), any_pool).prop_map(
        |(channels, size, stride, is_padded, pool)| Convolution {
            channels,
            window: Window {
                size,
                stride,
                padding: if is_padded { size / 2 } else { 0 },
            },
            pool,
        },
    );
    let image = (4u16..12, 4u16..12, 1u32..4);
    let hidden = any_vec(1u32..20, 0..2);
    (image, any_vec(convolution, 0..3), hidden, 2u32..6)
        .prop_map(
            |((height, width, channels), convolutions, hidden, classes)| {
                let image = Image {
                    height,
                    width,
                    channels,
                };
                Graph::cnn(&Cnn {
                    image,
                    convolutions,
                    hidden,
                    classes,
                })
            },
        )
        .prop_filter("too small for its windows", |graph| {
            graph.validate().is_ok()
        })
}

/// Weights of a graph: all at one extreme, at both, or anywhere.
fn weights_of(graph: &Graph, which: u8, seed: u64) -> Vec<i16> {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as i32
    };
    let weight = |_| match which {
        0 => 32_512,
        1 => -32_512,
        2 => [-32_512, 32_512][(next() & 1) as usize],
        3 => (next() % 65_025 - 32_512) as i16,
        _ => (next() % 4_001 - 2_000) as i16,
    };
    (0..graph.parameters()).map(weight).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_transformer_is_exact_whatever_its_weights(
        shape in any_shape(), which in 0u8..5, seed in any::<u64>(), bytes in any_vec(any::<u8>(), 32)
    ) {
        let graph = Graph::transformer(&shape);
        prop_assert_eq!(graph.validate(), Ok(()));
        let weights = weights_of(&graph, which, seed);
        let record = bytes[..=shape.tokens as usize].iter().map(|byte| byte % shape.vocab as u8);
        let record: Vec<u8> = record.collect();
        let given = run(&graph, &weights, &record).unwrap();
        let naive = naive_run(&graph, &weights, &record);
        for ((tensor, naive), op) in given.iter().zip(naive).zip(&graph.ops) {
            prop_assert_eq!(as_i64(tensor), naive, "{:?}", op);
        }
        let samples = Samples::new(shape.tokens, shape.vocab, &record).unwrap();
        let losses = Reference.losses(&graph, &weights, &samples).unwrap();
        prop_assert_eq!(Some(&Tensor::Loss(losses[0])), given.last());
    }

    #[test]
    fn a_cnn_is_exact_whatever_its_weights(
        graph in any_cnn(), which in 0u8..5, seed in any::<u64>(), bytes in 0u8..3
    ) {
        let weights = weights_of(&graph, which, seed);
        let sample = match bytes {
            0 => vec![0; graph.inputs as usize],
            1 => vec![255; graph.inputs as usize],
            _ => (0..u64::from(graph.inputs)).map(|at| ((at + 1).wrapping_mul(seed | 1) >> 40) as u8).collect(),
        };
        let record = [sample, vec![(seed % u64::from(graph.classes())) as u8]].concat();
        let given = run(&graph, &weights, &record).unwrap();
        let naive = naive_run(&graph, &weights, &record);
        for ((tensor, naive), op) in given.iter().zip(naive).zip(&graph.ops) {
            prop_assert_eq!(as_i64(tensor), naive, "{:?}", op);
        }
        let samples = Samples::new(graph.inputs, graph.classes(), &record).unwrap();
        let losses = Reference.losses(&graph, &weights, &samples).unwrap();
        prop_assert_eq!(Some(&Tensor::Loss(losses[0])), given.last());
    }

    #[test]
    fn ops_of_images_equal_naive((image, window) in any_window(), x in any_vec(-127i8..=127, 9 * 9 * 4)) {
        let x = &x[..image.values() as usize];
        let before = [Tensor::Narrow(x.to_vec())];
        let x: Vec<i64> = x.iter().map(|x| i64::from(*x)).collect();
        let ops = [
            Op::Im2col { image, window }, Op::MaxPool { image, window }, Op::SumPool { image, window }
        ];
        for op in ops {
            let given = apply(&op, &[], &[0], &before).unwrap();
            let naive = match op {
                Op::Im2col { .. } => naive_places(&x, &image, &window).concat().concat(),
                Op::MaxPool { .. } => naive_pool(&x, &image, &window, |p, c| p.iter().map(|p| p[c]).max().unwrap()),
                _ => naive_pool(&x, &image, &window, |p, c| p.iter().map(|p| p[c]).sum()),
            };
            prop_assert_eq!(as_i64(&given), naive, "{:?}", op);
        }
    }

    #[test]
    fn no_token_sees_a_later_one(
        shape in any_shape(), seed in any::<u64>(), bytes in any_vec(any::<u8>(), 32), at in any::<Index>()
    ) {
        let graph = Graph::transformer(&shape);
        let weights = weights_of(&graph, 3, seed);
        let record = bytes[..=shape.tokens as usize].iter().map(|byte| byte % shape.vocab as u8);
        let mut record: Vec<u8> = record.collect();
        let losses = |record: &[u8]| {
            let given = run(&graph, &weights, record).unwrap();
            as_i64(&given[given.len() - 2])
        };
        let before = losses(&record);
        let at = at.index(record.len());
        record[at] = (record[at] + 1) % shape.vocab as u8;
        let after = losses(&record);
        // A token is the label of the one before it.
        let seen = at.saturating_sub(1);
        prop_assert_eq!(&before[..seen], &after[..seen]);
    }

    #[test]
    fn a_norm_equals_naive(
        row in prop_oneof![any_vec(-32_767i16..=32_767, 1..300), any_vec(-40i16..=40, 1..300)],
        unit_bits in 0u8..=7
    ) {
        prop_assert_eq!(norm(&row, unit_bits), naive_norm(&row, unit_bits));
    }
}

#[test]
fn the_bits_of_a_transformer_are_golden() {
    let digests = [
        (
            false,
            "000ab86dcde2c31408e045ab3c54e50b5d08b10938f7a370acb68674414392b0",
        ),
        (
            true,
            "51685c513aeb06d550ebafa31b62fab0c85358b5a963f9dcd01d3faf6de294c1",
        ),
    ];
    for (tied, digest) in digests {
        let shape = Transformer {
            vocab: 11,
            tokens: 13,
            width: 12,
            heads: 3,
            hidden: 20,
            layers: 2,
            tied,
        };
        let graph = Graph::transformer(&shape);
        let weights = weights_of(&graph, 3, 1);
        let record: Vec<u8> = (0..14).map(|at| at * at % 11).collect();
        let mut bytes = graph.hash().to_vec();
        for tensor in run(&graph, &weights, &record).unwrap() {
            bytes.extend(as_i64(&tensor).iter().flat_map(|value| value.to_le_bytes()));
        }
        assert_eq!(hex::encode(crate::blake2_256(&[&bytes])), digest);
    }
}

#[test]
fn pools_are_exact_at_the_extremes() {
    let image = |height, width| Image {
        height,
        width,
        channels: 2,
    };
    let side = |size| Window {
        size,
        stride: 1,
        padding: 0,
    };
    // The largest sums that a graph can have.
    let shapes = [(45, 45, 45), (2, 2046, 2), (1, u16::MAX, 1)];
    for (height, width, size) in shapes {
        let (image, window) = (image(height, width), side(size));
        assert!((1..=MAX_POOL_SPAN).contains(&window.span(&image)));
        for value in [127, -127, 0] {
            let x = [Tensor::Narrow(vec![value; image.values() as usize])];
            let (down, across) = window.places(&image).unwrap();
            let places = (down * across * image.channels) as usize;
            let sum = i32::from(value) * i32::try_from(window.pixels()).unwrap();
            assert!(sum.abs() < 1 << 18);
            let given = apply(&Op::SumPool { image, window }, &[], &[0], &x);
            assert_eq!(given, Ok(Tensor::Acc(vec![sum; places])));
            let given = apply(&Op::MaxPool { image, window }, &[], &[0], &x);
            assert_eq!(given, Ok(Tensor::Narrow(vec![value; places])));
        }
    }
    // Padding is 0, for a maximum, too.
    assert_eq!(
        [max_of(&[-3, -1], &side(2)), max_of(&[-3], &side(1))],
        [0, -3]
    );
    assert_eq!((max_of(&[], &side(1)), sum_of(&[])), (0, 0));
}

/// The multiplier that turns a sum into a mean stays within its bounds, and is within 0.4 % of what
/// it stands for.
#[test]
fn a_mean_of_every_size_is_near_the_true_one() {
    for size in 1..=45u8 {
        let shape = Cnn {
            image: Image {
                height: 45,
                width: 45,
                channels: 1,
            },
            convolutions: vec![Convolution {
                channels: 1,
                window: Window {
                    size: 1,
                    stride: 1,
                    padding: 0,
                },
                pool: Pool::Mean(size),
            }],
            hidden: vec![],
            classes: 2,
        };
        let graph = Graph::cnn(&shape);
        assert_eq!(graph.validate(), Ok(()), "{size}");
        let Op::Requant {
            shift_in,
            multiplier,
            shift_out,
            ..
        } = graph.ops[5]
        else {
            panic!("a requant");
        };
        let count = i32::from(size) * i32::from(size);
        for value in -127..=127 {
            let mean = requant(value * count, shift_in, multiplier, shift_out);
            let error = (f64::from(mean) - f64::from(value)).abs();
            assert!(
                error <= 0.55 + 0.004 * f64::from(value.abs()),
                "{size}: {error}"
            );
            assert!(mean == value as i16 || !size.is_power_of_two());
        }
    }
}

#[test]
fn what_an_op_of_images_cannot_take_is_refused() {
    let (image, window) = (
        Image {
            height: 2,
            width: 2,
            channels: 3,
        },
        Window {
            size: 2,
            stride: 1,
            padding: 0,
        },
    );
    let none = Window { size: 3, ..window };
    for taken in [
        |image, window| Op::Im2col { image, window },
        |image, window| Op::MaxPool { image, window },
        |image, window| Op::SumPool { image, window },
    ] {
        let apply = |op: Op, x: Tensor| super::apply(&op, &[], &[0], &[x]);
        assert!(apply(taken(image, window), Tensor::Narrow(vec![1; 12])).is_ok());
        let refused = [
            (taken(image, window), Tensor::Narrow(vec![1; 11])),
            (taken(image, window), Tensor::Narrow(vec![1; 15])),
            (taken(image, window), Tensor::Narrow(vec![])),
            (taken(image, window), Tensor::Wide(vec![1; 12])),
            (taken(image, none), Tensor::Narrow(vec![1; 12])),
        ];
        for (op, x) in refused {
            assert_eq!(apply(op, x), Err(EvalError::WrongOperand), "{op:?}");
        }
    }
    let wide = [Tensor::Wide(vec![1])];
    let wrong = Err(EvalError::WrongOperand);
    assert_eq!(apply(&Op::Flatten, &[], &[0], &wide), wrong);
}

#[test]
fn the_bits_of_a_cnn_are_golden() {
    let (image, graph) = golden_cnn();
    let weights = weights_of(&graph, 3, 1);
    let mut record: Vec<u8> = (0..image.values())
        .map(|at| (at * at % 251) as u8)
        .collect();
    record.push(1);
    let mut bytes = graph.hash().to_vec();
    for tensor in run(&graph, &weights, &record).unwrap() {
        bytes.extend(as_i64(&tensor).iter().flat_map(|value| value.to_le_bytes()));
    }
    let digest = "ed76b6e51258d5891b6e84b072fa5f5d20b3dfffd781ced33fab3fbac390efc2";
    assert_eq!(hex::encode(crate::blake2_256(&[&bytes])), digest);
}

/// With padding, a stride, both pools and a hidden layer.
fn golden_cnn() -> (Image, Graph) {
    let image = Image {
        height: 9,
        width: 8,
        channels: 2,
    };
    let convolution = |size, stride, padding, pool| Convolution {
        channels: 5,
        window: Window {
            size,
            stride,
            padding,
        },
        pool,
    };
    let graph = Graph::cnn(&Cnn {
        image,
        convolutions: vec![
            convolution(3, 1, 1, Pool::Max(2)),
            convolution(2, 1, 1, Pool::Mean(2)),
            convolution(2, 2, 0, Pool::None),
        ],
        hidden: vec![6],
        classes: 3,
    });
    assert_eq!(graph.validate(), Ok(()));
    (image, graph)
}

#[test]
fn what_an_op_of_a_transformer_cannot_take_is_refused() {
    let shape = Transformer {
        vocab: 3,
        tokens: 2,
        width: 6,
        heads: 1,
        hidden: 5,
        layers: 1,
        tied: true,
    };
    let graph = Graph::transformer(&shape);
    let weights = vec![100; graph.parameters()];
    let given = run(&graph, &weights, &[0, 1, 2]).unwrap();
    let wrong = Err(EvalError::WrongOperand);
    // No such token, no such label, no record, no weights.
    assert_eq!(run(&graph, &weights, &[0, 3, 2]), wrong);
    assert_eq!(run(&graph, &weights, &[0, 1, 3]), wrong);
    assert_eq!(run(&graph, &weights, &[]), wrong);
    assert_eq!(run(&graph, &weights[1..], &[0, 1, 2]), wrong);
    for (index, read) in graph.parameters_read().enumerate().skip(1) {
        let op = &graph.ops[index];
        let own = apply(op, &weights[read.clone()], &[0, 1, 2], &given[..index]);
        assert_eq!(own.as_ref(), Ok(&given[index]));
        // Every op except those that take anything of their kind, with what another op gives.
        for other in [
            &given[..1],
            &given[index..=index],
            &[Tensor::Narrow(vec![])],
        ] {
            let taken = apply(op, &weights[read.clone()], &[0, 1, 2], other);
            let any_length = matches!(
                op,
                Op::RmsNorm { .. } | Op::SquaredRelu | Op::Residual { from: 0 }
            );
            assert!(taken.is_err() || any_length, "{op:?} takes {other:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn linear_equals_naive(
        k in prop_oneof![1usize..40, Just(1023), Just(1024), Just(1025)],
        outputs in 1usize..4,
        bias_shift in 0u8..=8,
        seed in any::<u64>(),
    ) {
        let mut state = seed | 1;
        let mut next = |bound: i64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            i64::try_from(state >> 40).unwrap() % (2 * bound + 1) - bound
        };
        let weights: Vec<i8> = (0..k * outputs).map(|_| next(127) as i8).collect();
        let x: Vec<i8> = (0..k).map(|_| next(127) as i8).collect();
        let biases: Vec<i16> = (0..outputs).map(|_| next(32_512) as i16).collect();
        let naive: Vec<i64> = (0..outputs)
            .map(|o| {
                let dot: i64 = (0..k).map(|i| i64::from(weights[o * k + i]) * i64::from(x[i])).sum();
                dot + i64::from(biases[o]) * (1 << bias_shift)
            })
            .collect();
        prop_assert_eq!(linear(&weights, &biases, bias_shift, &x).map_i64(), naive);
    }

    #[test]
    fn requant_equals_naive(acc in any::<i32>(), s1 in 0u8..=31, m in 1u8.., s2 in 0u8..=31) {
        let t = naive_rs(acc.into(), s1.into()).clamp(-32_767, 32_767);
        let y = naive_rs(t * i64::from(m), s2.into()).clamp(-32_767, 32_767);
        prop_assert_eq!(i64::from(requant(acc, s1, m, s2)), y);
    }

    #[test]
    fn cross_entropy_is_shift_invariant_and_falls_with_the_own_logit(
        z in any_vec(-9000i16..9000, 2..20), shift in -9000i16..9000
    ) {
        let loss = cross_entropy(&z, 1).unwrap();
        let shifted: Vec<i16> = z.iter().map(|z| z + shift).collect();
        prop_assert_eq!(cross_entropy(&shifted, 1), Some(loss));
        let mut better = z.clone();
        better[1] += 64;
        prop_assert!(cross_entropy(&better, 1).unwrap() <= loss);
    }

    #[test]
    fn the_reference_is_its_ops(
        weights in any_vec(-32_512i16..=32_512, 6 * 5 + 5 + 5 * 3 + 3),
        bytes in any_vec(any::<u8>(), 4 * 6),
        label in 0u8..3,
    ) {
        let graph = Graph::mlp(&[6, 5, 3]);
        let records: Vec<u8> = bytes.chunks(6).flat_map(|x| [x, &[label]].concat()).collect();
        let samples = Samples::new(6, 3, &records).unwrap();
        let losses = Reference.losses(&graph, &weights, &samples).unwrap();
        for ((pixels, label), loss) in samples.iter().zip(losses) {
            let (mut tensors, mut rest) = (Vec::new(), &weights[..]);
            let record = [pixels, &[label]].concat();
            for op in &graph.ops {
                let (own, others) = rest.split_at(op.parameters() as usize);
                tensors.push(apply(op, own, &record, &tensors).unwrap());
                rest = others;
            }
            prop_assert_eq!(tensors.last(), Some(&Tensor::Loss(loss)));
        }
    }
}
