//! Answers and bytes, by construction, of disputes about models that nobody trains here.

use super::{CONTRIBUTORS, SAMPLES};
use anyhow::{ensure, Result};
use codec::Encode;
use gotong_scoring::{
    merkle::Branch,
    share::{
        table::{Row, GRADIENT_TILE},
        trial::{stretches, Answer, ProvedEntrant, ProvedRow},
        GROUPS,
    },
    trial::{
        self, backward, Layout, ProvedChunk, ProvedRecord, Term, Tiles, TRACE_TILE, TRACE_WIDTH,
    },
    EntrantRecord, Graph, Hash, Node, Proof, CHUNK, WEIGHT_TILE,
};
use serde_json::{json, Map, Value};

/// Measures the demo's model and larger ones. Widths alternate, as in the feed-forward blocks of a transformer.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let blocks = |width: u32, inner: u32, count: usize| {
        let mut layers: Vec<u32> = [width, inner].repeat(count);
        layers.extend([width, 10]);
        layers
    };
    for (name, layers) in [
        ("demo_by_shape", vec![784, 128, 10]),
        ("10m", blocks(512, 2_048, 5)),
        ("1g", blocks(4_096, 16_384, 8)),
        ("70g", blocks(8_192, 28_672, 149)),
    ] {
        let shape = Shape { layers };
        let graph = Graph::mlp(&shape.layers);
        let layout = graph.validate().is_ok().then(|| Layout::of(&graph));
        ensure!(layout.is_none_or(|layout| layout.tiles() == shape.trace_tiles()));
        report.insert(format!("parameters_{name}"), json!(shape.parameters()));
        for (path, answers) in [
            ("word", shape.word()),
            ("weight", shape.weight()),
            ("part", shape.part()),
            ("gradient", shape.gradient()),
        ] {
            let bytes: usize = answers.iter().map(Encode::encoded_size).sum();
            report.insert(
                format!("dispute_reveals_{name}_{path}"),
                json!(answers.len()),
            );
            report.insert(format!("dispute_bytes_{name}_{path}"), json!(bytes));
            // One block for each answer and for each pick between two answers, as real disputes take.
            let blocks = 2 * answers.len() - 1;
            report.insert(format!("dispute_blocks_{name}_{path}"), json!(blocks));
        }
    }
    Ok(())
}

/// An MLP, given by its layers, and the most that a dispute about it takes in a round of the demo. The answers are built at their
/// full size, with nothing in them.
struct Shape {
    layers: Vec<u32>,
}

impl Shape {
    /// The number of parameters.
    fn parameters(&self) -> u64 {
        let layer = |pair: &[u32]| u64::from(pair[1]) * (u64::from(pair[0]) + 1);
        self.layers.windows(2).map(layer).sum()
    }

    /// The answers of a dispute about a wrong word of a forward pass.
    fn word(&self) -> Vec<Answer> {
        let losses = || vec![0; SAMPLES as usize / 2];
        let tiles = self.trace_tiles();
        let trace = strides(tiles);
        let sample = trial::Answer::Sample {
            nodes: nodes(trace.first().copied().unwrap_or(0)),
            last: siblings(tiles),
        };
        let below = trace.iter().skip(1);
        let below = below.map(|width| trial::Answer::Nodes(nodes(*width)));
        let tile = trial::Answer::Tile(vec![0; 4 * TRACE_TILE as usize]);
        let Inputs {
            record,
            inputs,
            before,
            weights,
            bias,
        } = self.inputs(tiles);
        let word = trial::Answer::Word {
            record,
            inputs,
            before,
            weights,
            bias,
        };
        let of_trace = [sample].into_iter().chain(below).chain([tile, word]);
        let all = [Answer::Losses([losses(), losses()])].into_iter();
        all.chain(of_trace.map(Answer::Loss)).collect()
    }

    /// The answers of a dispute about a wrong term of a weight.
    fn weight(&self) -> Vec<Answer> {
        let tiles = strides(self.weight_tiles()).into_iter();
        let mut answers: Vec<Answer> = tiles.map(|width| Answer::Nodes(nodes(width))).collect();
        answers.extend([
            Answer::Weights(vec![0; WEIGHT_TILE]),
            Answer::Terms {
                base: Tiles {
                    bytes: vec![0; 2 * WEIGHT_TILE],
                    siblings: siblings(self.weight_tiles()),
                },
                terms: vec![Term::default(); CONTRIBUTORS as usize],
            },
            Answer::Term {
                entrant: entrant(),
                chunk: self.chunk(),
            },
        ]);
        answers
    }

    /// The answers of a dispute about a wrong part of a value.
    fn part(&self) -> Vec<Answer> {
        let rows = strides(CONTRIBUTORS).into_iter();
        let mut answers: Vec<Answer> = rows
            .map(|width| Answer::RowNodes(vec![Node::default(); width as usize]))
            .collect();
        answers.push(Answer::Row {
            own: row(),
            last: Some(row()),
        });
        // For a product over `tiles` tiles: how many stretches are shown, and how long the longest is.
        let shown = |tiles: u32| {
            let all = || stretches(0, tiles);
            let longest = all().map(|(_, tiles)| tiles).max().unwrap_or(1);
            (vec![0; all().count()], longest)
        };
        let (products, mut tiles) = shown(self.gradient_tiles());
        answers.push(Answer::Part {
            entrant: entrant(),
            gradient: Hash::default(),
            siblings: siblings(GROUPS as u32),
            products,
        });
        while tiles > 1 {
            let (products, longest) = shown(tiles);
            answers.push(Answer::Products(products));
            tiles = longest;
        }
        answers.push(Answer::Product {
            chunk: self.chunk(),
            words: vec![0; GRADIENT_TILE],
            siblings: siblings(self.gradient_tiles()),
        });
        answers
    }

    /// The answers of a dispute about a wrong word of a backward pass.
    fn gradient(&self) -> Vec<Answer> {
        let tiles = strides(self.gradient_tiles()).into_iter();
        let mut answers = vec![Answer::Roots(vec![Hash::default(); GROUPS])];
        answers.extend(tiles.map(|width| Answer::Nodes(nodes(width))));
        answers.push(Answer::GradientTile(vec![0; GRADIENT_TILE]));
        let tiles = self.backward_trace_tiles();
        let trace = strides(tiles);
        let samples = (SAMPLES as usize / 2).div_ceil(GROUPS);
        let sums = backward::Answer::Sums {
            nodes: nodes(trace.first().copied().unwrap_or(0)),
            sum: Tiles {
                bytes: vec![0; 4 * TRACE_TILE as usize],
                siblings: siblings(tiles),
            },
            exponent: Some(Tiles {
                bytes: vec![0; 4],
                siblings: siblings(tiles),
            }),
        };
        let below = trace.iter().skip(1);
        let below = below.map(|width| backward::Answer::Nodes(nodes(*width)));
        // A word of the forward pass, which a backward pass begins with. No other answer reads as much.
        let Inputs {
            record,
            inputs,
            before,
            weights,
            bias,
        } = self.inputs(tiles);
        let read = [inputs, before, weights, bias].into_iter().flatten();
        let word = backward::Answer::Word {
            record,
            inputs: read.collect(),
        };
        let of_word = [backward::Answer::Samples(vec![0; samples]), sums]
            .into_iter()
            .chain(below)
            .chain([
                backward::Answer::Tile(vec![0; 4 * TRACE_TILE as usize]),
                word,
            ]);
        answers.extend(of_word.map(Answer::Gradient));
        answers
    }

    /// What the largest of the running sums is made of, in a trace of `tiles` tiles.
    fn inputs(&self, tiles: u32) -> Inputs {
        let layers = self.layers.windows(2).enumerate();
        let all = layers.map(|(number, pair)| self.inputs_of(number, pair[0], tiles));
        all.max_by_key(Inputs::encoded_size).unwrap_or_default()
    }

    /// What a running sum of a layer with `width` inputs is made of.
    fn inputs_of(&self, layer: usize, width: u32, tiles: u32) -> Inputs {
        let taken = width.min(TRACE_WIDTH);
        // The weights may begin anywhere in a tile.
        let weight_tiles = u64::from(taken).div_ceil(WEIGHT_TILE as u64) + 1;
        let of_trace = |bytes: u32, siblings| Tiles {
            bytes: vec![0; bytes as usize],
            siblings,
        };
        let of_weights = |tiles: u64, siblings| Tiles {
            bytes: vec![0; 2 * WEIGHT_TILE * tiles as usize],
            siblings,
        };
        let (is_first, is_wide) = (layer == 0, width > TRACE_WIDTH);
        Inputs {
            record: is_first.then(|| ProvedRecord {
                bytes: vec![0; width as usize + 1],
                siblings: siblings(SAMPLES),
            }),
            inputs: (!is_first).then(|| of_trace(taken, twice(siblings(tiles)))),
            before: is_wide.then(|| of_trace(4 * TRACE_TILE, siblings(tiles))),
            weights: Some(of_weights(
                weight_tiles,
                twice(siblings(self.weight_tiles())),
            )),
            bias: (!is_wide).then(|| of_weights(1, siblings(self.weight_tiles()))),
        }
    }

    /// Tiles of a trace, in the layout that [`Layout`] gives graphs that are not too large for it: for each layer the running sums,
    /// their requantisation, and the activation or the loss.
    fn trace_tiles(&self) -> u32 {
        let layer = |pair: &[u32]| {
            let [inputs, outputs] = [pair[0], pair[1]].map(u64::from);
            trace_tiles(outputs * steps(inputs)) + 2 * trace_tiles(outputs)
        };
        self.layers.windows(2).map(layer).sum::<u64>() as u32
    }

    /// Tiles of a trace with its backward pass: after the forward pass, what [`backward`] stores for every op.
    fn backward_trace_tiles(&self) -> u32 {
        // For sums of `words` words each: the peaks so far, the exponent, and the values.
        let adjoint = |values: u64, words: u64| {
            trace_tiles(values.saturating_mul(words).div_ceil(TRACE_TILE.into()))
                + 1
                + trace_tiles(values)
        };
        let layer = |(number, pair): (usize, &[u32])| {
            let [inputs, outputs] = [pair[0], pair[1]].map(u64::from);
            // The loss's own adjoint is one word.
            let after = match self.layers.get(number + 2) {
                Some(next) => adjoint(outputs, steps((*next).into())),
                None => 1,
            };
            // What the activation and the requantisation pull, and the adjoints of both.
            let pulled = 2 * (trace_tiles(outputs) + adjoint(outputs, 1));
            // The views of the weights, and the sums of the inputs.
            let of_inputs = match number {
                0 => 0,
                _ => trace_tiles(inputs * outputs) + trace_tiles(inputs * steps(outputs)),
            };
            // The inputs and the adjoint once more, and the sums of the weights and of the biases.
            let of_parameters =
                trace_tiles(inputs) + 2 * trace_tiles(outputs) + trace_tiles(inputs * outputs);
            after + pulled + of_inputs + of_parameters
        };
        let layers = self.layers.windows(2).enumerate();
        self.trace_tiles() + layers.map(layer).sum::<u64>() as u32
    }

    /// Tiles of master weights.
    fn weight_tiles(&self) -> u32 {
        self.parameters().div_ceil(WEIGHT_TILE as u64) as u32
    }

    /// Tiles of a gradient.
    fn gradient_tiles(&self) -> u32 {
        self.parameters().div_ceil(GRADIENT_TILE as u64) as u32
    }

    /// A chunk of a delta at 10 %, with the demo's bits per parameter.
    fn chunk(&self) -> ProvedChunk {
        ProvedChunk {
            bytes: vec![0; CHUNK * 7 / 80],
            siblings: siblings(self.parameters().div_ceil(CHUNK as u64) as u32),
        }
    }
}

/// What a running sum is made of.
#[derive(Default, Encode)]
struct Inputs {
    record: Option<ProvedRecord>,
    inputs: Option<Tiles>,
    before: Option<Tiles>,
    weights: Option<Tiles>,
    bias: Option<Tiles>,
}

/// Tiles of `words` words of a trace.
fn trace_tiles(words: u64) -> u64 {
    words.div_ceil(TRACE_TILE.into())
}

/// Running sums of `terms` terms.
fn steps(terms: u64) -> u64 {
    terms.div_ceil(TRACE_WIDTH.into())
}

/// How many nodes are shown at each stride from the root of a tree to a leaf.
fn strides(leaves: u32) -> Vec<u32> {
    let mut branch = Branch::<()>::whole(Node::default(), leaves);
    let mut widths = Vec::new();
    while !branch.is_leaf() {
        widths.push(branch.width());
        let Some(child) = branch.child(&nodes(branch.width()), 0) else {
            break;
        };
        branch = child;
    }
    widths
}

fn nodes(count: u32) -> Vec<Node> {
    vec![Node::default(); count as usize]
}

/// As many siblings as a leaf in a tree of `leaves` leaves has at most.
fn siblings(leaves: u32) -> Vec<Hash> {
    let levels = u32::BITS - leaves.saturating_sub(1).leading_zeros();
    vec![[0; 32]; levels as usize]
}

/// A span has siblings on both sides.
fn twice(siblings: Vec<Hash>) -> Vec<Hash> {
    [&siblings[..], &siblings].concat()
}

fn entrant() -> ProvedEntrant {
    ProvedEntrant {
        record: EntrantRecord {
            delta_hash: [0; 32],
            delta_root: [0; 32],
            weight: 0,
            square_norm: 0,
            is_proven: false,
        },
        siblings: siblings(CONTRIBUTORS),
    }
}

fn row() -> ProvedRow {
    ProvedRow {
        row: Row {
            delta_hash: [0; 32],
            parts: vec![0; GROUPS].into(),
        },
        proof: Proof {
            index: 0,
            leaves: CONTRIBUTORS,
            siblings: vec![Node::default(); siblings(CONTRIBUTORS).len()],
        },
        entrant: entrant(),
    }
}
