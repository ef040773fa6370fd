//! Linear ops: [`Op::Linear`], and [`Op::Unembed`], which has the embedding's weights and no biases.

use super::definition::{rows, Definition, Incoming, Operands};
use super::Op;
use crate::arith::MASTER_BOUND;
use crate::gradient::{log2_ceil, plus, sum_bits, times, Backwards, Pulled, Sums};
use crate::graph::{Flow, GraphError, Kind};
use crate::machine::Tensor;
use crate::trial::backward::{first, Here, PulledStages, Read, Stages};
use crate::trial::word::{Inputs, Reads, Word, Words};
use crate::trial::{Refusal, TRACE_WIDTH};
use crate::weights::view;
use alloc::vec::Vec;

/// The fields of [`Op::Linear`].
pub(super) struct Linear {
    pub inputs: u32,
    pub outputs: u32,
    pub bias_shift: u8,
}

/// The fields of [`Op::Unembed`].
pub(super) struct Unembed {
    pub vocab: u32,
    pub width: u32,
}

impl Definition for Linear {
    fn is_in_bounds(&self) -> bool {
        self.inputs > 0 && self.outputs > 0 && self.bias_shift <= 8
    }

    fn most_accumulated(&self) -> u64 {
        most_accumulated(self.inputs, self.bias_shift)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let taken = incoming.take(Kind::Narrow)?;
        incoming.check_width(self.inputs)?;
        checked(incoming, Flow::of(Kind::Acc, taken.tokens, self.outputs))
    }

    fn parameters(&self) -> u64 {
        u64::from(self.outputs) * (u64::from(self.inputs) + 1)
    }

    fn products_of_value(&self, _: &Flow) -> u64 {
        self.inputs.into()
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let rows = rows(operands.narrow()?, self.inputs)?;
        // `outputs * inputs` parameters are weights, the other `outputs` are biases.
        let parameters = operands.params.len();
        let weights = parameters - parameters / (self.inputs as usize + 1);
        let (views, biases) = (
            operands.views.get(..weights)?,
            operands.params.get(weights..)?,
        );
        let acc = rows.flat_map(|x| linear(views, biases, self.bias_shift, x));
        Some(Tensor::Acc(acc.collect()))
    }

    fn summed_inputs(&self) -> u32 {
        self.inputs
    }

    fn running_sums(&self, operands: &Operands<'_>, stretch: usize) -> Option<Vec<i32>> {
        let weights = self.outputs as usize * self.inputs as usize;
        let biases = operands.params.get(weights..)?;
        let biases = biases
            .iter()
            .map(|bias| i32::from(*bias).wrapping_shl(self.bias_shift.into()));
        running_sums(
            operands.views.get(..weights)?,
            &biases.collect::<Vec<i32>>(),
            operands.narrow()?,
            self.inputs as usize,
            stretch,
        )
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let start = word.own.parameters_before;
        let reads = stretch_read(word, self.inputs, start)?;
        let biases = start + u64::from(self.outputs) * u64::from(self.inputs);
        let bias = biases + u64::from(word.column);
        Some(Reads {
            // Later sums continue the sum so far, which includes the bias.
            bias: reads.before.is_none().then_some(bias..bias + 1),
            ..reads
        })
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        sum_of_stretch(word, inputs, self.bias_shift)
    }

    fn adjoint_bits(&self, flow: &Flow) -> u8 {
        linear_bits(self.outputs, flow.tokens)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        linear_backward(here, self.inputs, self.outputs, Some(self.bias_shift))
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        linear_stages(
            here,
            stages,
            self.inputs,
            self.outputs,
            Some(self.bias_shift),
        )
    }
}

impl Definition for Unembed {
    fn is_in_bounds(&self) -> bool {
        self.width > 0
    }

    fn most_accumulated(&self) -> u64 {
        most_accumulated(self.width, 0)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let taken = incoming.take(Kind::Narrow)?;
        let is_shared = matches!(
            incoming.graph.ops.first(),
            Some(Op::Embed { vocab, width, .. }) if (*vocab, *width) == (self.vocab, self.width)
        );
        if !is_shared {
            return Err(incoming.wrong_reference());
        }
        incoming.check_width(self.width)?;
        checked(incoming, Flow::of(Kind::Acc, taken.tokens, self.vocab))
    }

    fn parameters_read(&self) -> u64 {
        u64::from(self.vocab) * u64::from(self.width)
    }

    fn reads_embedding(&self) -> bool {
        true
    }

    fn products_of_value(&self, _: &Flow) -> u64 {
        self.width.into()
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let rows = rows(operands.narrow()?, self.width)?;
        let no_bias = alloc::vec![0; self.vocab as usize];
        let acc = rows.flat_map(|x| linear(operands.views, &no_bias, 0, x));
        Some(Tensor::Acc(acc.collect()))
    }

    fn summed_inputs(&self) -> u32 {
        self.width
    }

    fn running_sums(&self, operands: &Operands<'_>, stretch: usize) -> Option<Vec<i32>> {
        let no_bias = alloc::vec![0; self.vocab as usize];
        let x = operands.narrow()?;
        running_sums(operands.views, &no_bias, x, self.width as usize, stretch)
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        stretch_read(word, self.width, 0)
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        sum_of_stretch(word, inputs, 0)
    }

    fn adjoint_bits(&self, flow: &Flow) -> u8 {
        linear_bits(self.vocab, flow.tokens)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        linear_backward(here, self.width, self.vocab, None)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        linear_stages(here, stages, self.width, self.vocab, None)
    }
}

/// Most rows and most outputs: with these, sums over either leave an adjoint at least 4 bits.
const MAX_SUMMED: u32 = 1 << 20;

/// What an op gives, refused where its gradient would have no bits left.
fn checked(incoming: &Incoming<'_>, flow: Flow) -> Result<Flow, GraphError> {
    if flow.tokens.max(flow.width) > MAX_SUMMED {
        return Err(GraphError::AccumulatorOverflow { op: incoming.op });
    }
    Ok(flow)
}

/// Every product at its largest, and the bias.
fn most_accumulated(inputs: u32, bias_shift: u8) -> u64 {
    u64::from(inputs) * 127 * 127 + (u64::from(MASTER_BOUND.unsigned_abs()) << bias_shift)
}

/// For every row of `x` and every output the sum after each `stretch` of the inputs, starting from
/// the output's bias, which is shifted already.
fn running_sums(
    weights: &[i8],
    biases: &[i32],
    x: &[i8],
    inputs: usize,
    stretch: usize,
) -> Option<Vec<i32>> {
    let mut words = Vec::new();
    for x in rows(x, u32::try_from(inputs).ok()?)? {
        for (weights, bias) in weights.chunks(inputs).zip(biases) {
            let mut sum = *bias;
            for (weights, x) in weights.chunks(stretch).zip(x.chunks(stretch)) {
                sum = sum.wrapping_add(dot(weights, x));
                words.push(sum);
            }
        }
    }
    Some(words)
}

/// A stretch of the inputs and of a row of the weights, which begin at `start`; and the sum so far,
/// unless the stretch is the first.
fn stretch_read(word: &Word<'_>, inputs: u32, start: u64) -> Option<Reads> {
    let step = word.at.checked_rem(word.own.steps)?;
    let first = step.saturating_mul(TRACE_WIDTH);
    let end = first.saturating_add(TRACE_WIDTH).min(inputs);
    let row = start + u64::from(word.column) * u64::from(inputs);
    let so_far = match step {
        0 => None,
        _ => Some(Words {
            op: word.op,
            range: word.at.checked_sub(1)?..word.at,
        }),
    };
    Some(Reads {
        record: word.previous().is_none(),
        inputs: word.input(first, end.checked_sub(first)?),
        before: so_far,
        weights: Some(row + u64::from(first)..row + u64::from(end)),
        columns: first..end,
        ..Reads::nothing(word)
    })
}

/// The products of a stretch, added to the bias or to the sum so far.
fn sum_of_stretch(word: &Word<'_>, inputs: &Inputs, bias_shift: u8) -> Result<i32, Refusal> {
    let views: Vec<i8> = inputs.weights.iter().copied().map(view).collect();
    let sum = match (inputs.before.first(), inputs.bias.first()) {
        (Some(sum), _) => *sum,
        (None, Some(bias)) => i32::from(*bias).wrapping_shl(bias_shift.into()),
        (None, None) => 0,
    };
    Ok(sum.wrapping_add(dot(&views, &inputs.activations(word)?)))
}

/// `acc[o] = sum_i weights[o][i] * x[i] + (biases[o] << bias_shift)`; `weights` is `[out][in]`,
/// already in the int8 view, and has `biases.len() * x.len()` values.
///
/// In a valid graph no sum passes 32 bits, whatever the order of the terms; in an invalid one it wraps.
pub fn linear(weights: &[i8], biases: &[i16], bias_shift: u8, x: &[i8]) -> Vec<i32> {
    let rows = weights.chunks_exact(x.len().max(1));
    rows.zip(biases)
        .map(|(row, bias)| {
            let bias = i32::from(*bias).wrapping_shl(bias_shift.into());
            dot(row, x).wrapping_add(bias)
        })
        .collect()
}

/// `sum_i a[i] * b[i]`: below 2^24 for at most 1024 activations. Wraps.
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
    products.fold(0, i32::wrapping_add)
}

/// Sums over the outputs give the input's adjoint, sums over the rows the weights': each of products with
/// 7 bits.
fn linear_bits(outputs: u32, rows: u32) -> u8 {
    sum_bits(7 + log2_ceil(outputs.max(rows)))
}

/// `dx[t][i] = sum_o dy[t][o] * view(w[o][i])`, `dw[o][i] = sum_t dy[t][o] * x[t][i]` for 1/256 of a view, and
/// `db[o] = sum_t dy[t][o]` for `2^bias_shift` of an accumulator.
fn linear_backward(
    here: &Backwards,
    inputs: u32,
    outputs: u32,
    bias_shift: Option<u8>,
) -> Option<Pulled> {
    let (inputs, outputs) = (inputs as usize, outputs as usize);
    let x = here.narrow()?;
    let (exponent, dy) = (here.adjoint.exponent, &here.adjoint.values);
    let rows = || {
        dy.chunks_exact(outputs.max(1))
            .zip(x.chunks_exact(inputs.max(1)))
    };
    let weights = here.views.get(..outputs.checked_mul(inputs)?)?;
    let mut dx = alloc::vec![0i32; if here.is_wanted { x.len() } else { 0 }];
    let mut dw = alloc::vec![0i32; weights.len()];
    let mut db = alloc::vec![0i32; outputs];
    for (dy, dx) in dy
        .chunks_exact(outputs.max(1))
        .zip(dx.chunks_exact_mut(inputs.max(1)))
    {
        for (dy, weights) in dy.iter().zip(weights.chunks_exact(inputs.max(1))) {
            add_scaled(dx, *dy, weights);
        }
    }
    for (dy, x) in rows() {
        for ((dy, dw), db) in dy
            .iter()
            .zip(dw.chunks_exact_mut(inputs.max(1)))
            .zip(&mut db)
        {
            add_scaled(dw, *dy, x);
            *db = plus(*db, (*dy).into());
        }
    }
    let mut parameters = alloc::vec![(
        0,
        Sums {
            values: dw,
            exponent: exponent.saturating_sub(8),
        },
    )];
    if let Some(shift) = bias_shift {
        let exponent = exponent.saturating_add(shift.into());
        parameters.push((
            weights.len(),
            Sums {
                values: db,
                exponent,
            },
        ));
    }
    Some(Pulled {
        parameters,
        ..here.pull(dx, exponent)
    })
}

/// [`linear_backward`] word by word: the view of the weights, transposed; the sums of the input; the input and
/// the adjoint, transposed; the sums of the weights and of the biases.
fn linear_stages(
    here: &Here,
    stages: &mut Stages,
    inputs: u32,
    outputs: u32,
    bias_shift: Option<u8>,
) -> Option<PulledStages> {
    let (inputs, outputs, rows) = (u64::from(inputs), u64::from(outputs), here.rows());
    let (dy, exponent) = (here.adjoint.values, here.adjoint.exponent);
    let weights = inputs.checked_mul(outputs)?;
    let mut pulled = PulledStages::default();
    if here.is_wanted {
        let start = here.parameters;
        let reads = move |at: u64| {
            let (input, output) = (at.checked_div(outputs)?, at.checked_rem(outputs)?);
            let within = output.checked_mul(inputs)?.checked_add(input)?;
            Some(alloc::vec![Read::weight(start.checked_add(within)?)])
        };
        let views = stages.each(1, weights, reads, |_, inputs| {
            Some(view(first(inputs, 0)? as i16).into())
        });
        let dx = stages.products([dy, views], [rows, inputs], outputs, exponent);
        pulled.previous = Some(dx);
    }
    let x = stages.columns(1, here.taken, rows, 0, inputs);
    let dy = stages.transposed(2, dy, rows, outputs);
    let dw = stages.products([dy, x], [outputs, inputs], rows, exponent.plus(-8));
    pulled.parameters.push((0, dw));
    if let Some(shift) = bias_shift {
        let db = stages.row_sums(dy, outputs, rows, exponent.plus(shift.into()));
        pulled.parameters.push((weights, db));
    }
    Some(pulled)
}

/// Adds `by * values` to sums.
pub(super) fn add_scaled(sums: &mut [i32], by: i16, values: &[i8]) {
    let by = i32::from(by);
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = plus(*sum, times(by, (*value).into()));
    }
}
