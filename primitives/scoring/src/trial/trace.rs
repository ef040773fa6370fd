//! The words of a trace, op by op, as they are computed: at any time, only what later ops take is held.

use super::layout::{tile_bytes, Layout, OpWords, TRACE_TILE, TRACE_WIDTH};
use crate::graph::Graph;
use crate::machine::{with_operands, Tensor};
use crate::merkle::{Node, Tree};
use crate::op::definition::Operands;
use crate::weights::view;
use alloc::vec::Vec;
use core::ops::Range;

/// What an op gave, read word by word.
pub(crate) struct Given<'a> {
    pub own: &'a OpWords,
    tensor: &'a Tensor,
    /// The sums so far, for a wide linear op.
    sums: Option<Vec<i32>>,
    /// A word that is misstated, and what it is said to be.
    misstated: Option<(u32, i32)>,
}

impl Given<'_> {
    /// One word; none if there is no such word.
    pub fn word(&self, at: u32) -> Option<i32> {
        match self.misstated {
            Some((misstated, word)) if misstated == at => Some(word),
            _ => self.computed(at),
        }
    }

    fn computed(&self, at: u32) -> Option<i32> {
        match &self.sums {
            Some(sums) => sums.get(at as usize).copied(),
            None => value(self.tensor, place(self.own, at)?),
        }
    }

    pub fn words(&self, range: Range<u32>) -> Option<Vec<i32>> {
        range.map(|at| self.word(at)).collect()
    }

    /// The leaves of all its tiles.
    pub fn leaves(&self) -> Vec<Node> {
        let starts = (0..self.own.words).step_by(TRACE_TILE as usize);
        let tiles = starts.filter_map(|start| {
            let end = start.saturating_add(TRACE_TILE).min(self.own.words);
            Some(tile_bytes(self.own.bytes, &self.words(start..end)?))
        });
        Tree::of(tiles).into_leaves()
    }
}

/// Where the value of a word is in what its op gives, row after row.
fn place(own: &OpWords, at: u32) -> Option<usize> {
    let (row, column) = own.value(at)?;
    let before = u64::from(row) * u64::from(own.flow.width);
    usize::try_from(before + u64::from(column)).ok()
}

/// A word that is misstated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Misstated {
    /// Which op.
    pub op: u32,
    /// Which of its words.
    pub at: u32,
    /// By how much it is off; it wraps.
    pub by: i32,
    /// Whether the ops after it are computed from it.
    pub carries: bool,
}

/// Runs a graph on a record, and shows `see` what each op gave, except for a word that is `misstated`. None if the record or the
/// weights do not fit the graph.
pub(crate) fn each_op(
    graph: &Graph,
    layout: &Layout,
    weights: &[i16],
    record: &[u8],
    misstated: Option<Misstated>,
    mut see: impl FnMut(u32, &Given),
) -> Option<()> {
    let mut given: Vec<Tensor> = Vec::new();
    let reads = graph.parameters_read();
    for ((op, read), index) in graph.ops.iter().zip(reads).zip(0u32..) {
        let own = layout.op(index)?;
        let params = weights.get(read)?;
        let views: Vec<i8> = params.iter().copied().map(view).collect();
        let definition = op.definition();
        let run = |operands: &Operands<'_>| {
            let tensor = definition.forward(operands)?;
            let sums = match own.steps {
                0 | 1 => None,
                _ => Some(definition.running_sums(operands, TRACE_WIDTH as usize)?),
            };
            Some((tensor, sums))
        };
        let (mut tensor, sums) = with_operands(op, params, &views, record, &given, run).ok()?;
        let mut words = Given {
            own,
            tensor: &tensor,
            sums,
            misstated: None,
        };
        let mut carried = None;
        let own_misstated = misstated.filter(|word| word.op == index && word.at < own.words);
        if let Some(Misstated {
            at, by, carries, ..
        }) = own_misstated
        {
            let word = narrowed(own.bytes, words.computed(at)?.wrapping_add(by));
            words.misstated = Some((at, word));
            let (row, column) = own.value(at)?;
            // In a wide linear op only the last of a value's sums is the value.
            let is_value = own.word(row, column) == Some(at);
            carried = (carries && is_value).then_some((at, word));
        }
        see(index, &words);
        if let Some((at, word)) = carried {
            set(&mut tensor, place(own, at)?, word)?;
        }
        // What was taken is dropped, unless a later op refers to it.
        if let (Some(taken), Some(before)) = (given.last_mut(), index.checked_sub(1)) {
            if !graph.is_taken_later(before) {
                *taken = Tensor::Narrow(Vec::new());
            }
        }
        given.push(tensor);
    }
    Some(())
}

/// A word cut to `bytes` bytes.
fn narrowed(bytes: u32, word: i32) -> i32 {
    match bytes {
        1 => (word as i8).into(),
        2 => (word as i16).into(),
        _ => word,
    }
}

/// A value of a tensor, counted row after row.
fn value(tensor: &Tensor, at: usize) -> Option<i32> {
    Some(match tensor {
        Tensor::Narrow(values) => (*values.get(at)?).into(),
        Tensor::Wide(values) | Tensor::Shares(values) => (*values.get(at)?).into(),
        Tensor::Acc(values) => *values.get(at)?,
        Tensor::Losses(values) => *values.get(at)? as i32,
        Tensor::Loss(loss) => *loss as i32,
    })
}

/// Replaces a value of a tensor.
fn set(tensor: &mut Tensor, at: usize, word: i32) -> Option<()> {
    match tensor {
        Tensor::Narrow(values) => *values.get_mut(at)? = word as i8,
        Tensor::Wide(values) | Tensor::Shares(values) => *values.get_mut(at)? = word as i16,
        Tensor::Acc(values) => *values.get_mut(at)? = word,
        Tensor::Losses(values) => *values.get_mut(at)? = word as u32,
        Tensor::Loss(loss) => *loss = word as u32,
    }
    Some(())
}
