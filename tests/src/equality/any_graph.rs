//! Graphs of any ops in any order in which they fit, whether or not activations stay alive. No
//! architecture looks like that, but a sponsor may open a task with such a graph.

use gotong_scoring::{Flow, Graph, Image, Kind, Op, Width, Window};
use rand::{rngs::StdRng, Rng};

/// A valid graph, small enough to be evaluated by a reference.
pub(super) fn draw(random: &mut StdRng) -> Graph {
    loop {
        let mut draft = Draft::start(random);
        for _ in 0..random.random_range(3..24) {
            let ops = draft.next(random);
            draft.add(ops);
        }
        while let Some(ops) = draft.towards_loss(random) {
            if !draft.add(ops) {
                break;
            }
        }
        if draft.graph.validate().is_ok() {
            return draft.graph;
        }
    }
}

/// A graph that is not complete yet.
struct Draft {
    graph: Graph,
    /// Rows and columns of its output, if that is an image.
    sides: Option<[u16; 2]>,
}

impl Draft {
    fn start(random: &mut StdRng) -> Self {
        let (first, inputs) = match random.random_range(0..5) {
            0 | 1 => {
                let tokens = random.random_range(2..40);
                let embed = Op::Embed {
                    vocab: random.random_range(2..=256),
                    tokens,
                    width: random.random_range(1..40),
                    shift: random.random_range(0..=15),
                };
                (embed, tokens)
            }
            2 | 3 => {
                let image = Image {
                    height: random.random_range(3..9),
                    width: random.random_range(3..9),
                    channels: random.random_range(1..4),
                };
                let window = any_window(random);
                (Op::Im2col { image, window }, image.values() as u32)
            }
            _ => {
                let inputs = random.random_range(1..300);
                let outputs = random.random_range(1..50);
                (any_linear(inputs, outputs, random), inputs)
            }
        };
        let mut draft = Self {
            graph: Graph {
                inputs,
                ops: vec![],
            },
            sides: Some([1, 1]),
        };
        draft.add(vec![first]);
        draft
    }

    /// Adds ops if they fit and are not too much; returns whether it did.
    fn add(&mut self, ops: Vec<Op>) -> bool {
        let mut graph = self.graph.clone();
        graph.ops.extend(&ops);
        let Ok(flows) = graph.flows() else {
            return false;
        };
        let values: u32 = flows.iter().map(|flow| flow.tokens * flow.width).sum();
        if values > 60_000 || graph.parameters() > 60_000 || graph.products() > 2_000_000 {
            return false;
        }
        for op in ops {
            match op {
                Op::Im2col { image, window }
                | Op::MaxPool { image, window }
                | Op::SumPool { image, window } => {
                    let places = window.places(&image);
                    self.sides = places.map(|(down, across)| [down as u16, across as u16]);
                }
                Op::Embed { .. } => self.sides = None,
                Op::Flatten => self.sides = Some([1, 1]),
                _ => {}
            }
        }
        self.graph = graph;
        true
    }

    /// The output of every op.
    fn flows(&self) -> Vec<Flow> {
        self.graph.flows().unwrap_or_default()
    }

    /// Ops that may fit next. May be empty.
    fn next(&self, random: &mut StdRng) -> Vec<Op> {
        let flows = self.flows();
        let Some(flow) = flows.last().copied() else {
            return vec![];
        };
        match (flow.kind, random.random_range(0..10)) {
            (Kind::Acc, 0..6) => vec![any_requant(Width::Narrow, random)],
            (Kind::Acc, _) => vec![any_requant(Width::Wide, random)],
            (Kind::Wide, 0..5) => {
                let all = flows
                    .iter()
                    .zip(0..)
                    .filter(|(earlier, _)| **earlier == flow);
                let all: Vec<u32> = all.map(|(_, from)| from).collect();
                let from = all[random.random_range(0..all.len())];
                vec![Op::Residual { from }]
            }
            (Kind::Wide, _) => vec![any_norm(&flow, random)],
            (Kind::Narrow, 0) => vec![Op::Relu],
            (Kind::Narrow, 1) => vec![Op::SquaredRelu],
            (Kind::Narrow, 2) => {
                let outputs = random.random_range(1..50);
                vec![any_linear(flow.width, outputs, random)]
            }
            // A layer whose output can be added to an earlier one.
            (Kind::Narrow, 3) => {
                let outputs = flows[random.random_range(0..flows.len())].width;
                let linear = any_linear(flow.width, outputs, random);
                vec![linear, any_requant(Width::Wide, random)]
            }
            (Kind::Narrow, 4) => self.by_input(),
            (Kind::Narrow, 5..8) => self.attention(&flow, random),
            (Kind::Narrow, _) => self.windows(&flow, random),
            _ => vec![],
        }
    }

    /// What only a text or only an image may have: its embedding once more, or one row for all.
    fn by_input(&self) -> Vec<Op> {
        match self.graph.ops[0] {
            Op::Embed { vocab, width, .. } => vec![Op::Unembed { vocab, width }],
            _ => vec![Op::Flatten],
        }
    }

    fn windows(&self, flow: &Flow, random: &mut StdRng) -> Vec<Op> {
        let Some([height, width]) = self.sides else {
            return vec![];
        };
        let image = Image {
            height,
            width,
            channels: flow.width,
        };
        let window = any_window(random);
        vec![match random.random_range(0..3) {
            0 => Op::Im2col { image, window },
            1 => Op::MaxPool { image, window },
            _ => Op::SumPool { image, window },
        }]
    }

    /// An attention. Some mix what an earlier attention works on, and some of those have shares
    /// that do not come from scores.
    fn attention(&self, flow: &Flow, random: &mut StdRng) -> Vec<Op> {
        let tokens = flow.tokens;
        let earlier = self
            .graph
            .ops
            .iter()
            .zip(0..)
            .filter_map(|(op, at)| match *op {
                Op::Scores { heads, head_width } => Some((heads, head_width, at - 1)),
                _ => None,
            });
        let earlier: Vec<_> = earlier.collect();
        let own = (
            random.random_range(1..4),
            random.random_range(1..20),
            self.graph.ops.len() as u32 + 1,
        );
        let (heads, head_width, from) = match earlier.len() {
            0 => own,
            _ if random.random() => own,
            count => earlier[random.random_range(0..count)],
        };
        let linear = |outputs| Op::Linear {
            inputs: flow.width,
            outputs,
            bias_shift: 0,
        };
        let mut ops = match from == own.2 || random.random() {
            true => vec![
                linear(3 * heads * head_width),
                any_requant(Width::Narrow, random),
                Op::Scores { heads, head_width },
            ],
            false => vec![linear(heads * tokens)],
        };
        ops.extend([
            any_requant(Width::Wide, random),
            Op::Softmax { heads, tokens },
            Op::Mix {
                from,
                heads,
                head_width,
            },
        ]);
        ops
    }

    /// Ops that bring it nearer to a loss; `None` if it has one.
    fn towards_loss(&self, random: &mut StdRng) -> Option<Vec<Op>> {
        let flow = *self.flows().last()?;
        let classes = self.graph.vocab();
        Some(match flow.kind {
            Kind::Acc => vec![any_requant(Width::Narrow, random)],
            Kind::Wide => vec![any_norm(&flow, random)],
            Kind::Narrow if classes.is_none() && flow.tokens > 1 => vec![Op::Flatten],
            Kind::Narrow => {
                let classes = classes.unwrap_or_else(|| random.random_range(2..=256));
                let mut ops = vec![
                    any_linear(flow.width, classes, random),
                    any_requant(Width::Wide, random),
                    Op::CrossEntropy { classes },
                ];
                if flow.tokens > 1 {
                    ops.push(Op::Total {
                        tokens: flow.tokens,
                    });
                }
                ops
            }
            _ => return None,
        })
    }
}

fn any_window(random: &mut StdRng) -> Window {
    let size = random.random_range(1..5);
    Window {
        size,
        stride: random.random_range(1..4),
        padding: random.random_range(0..size),
    }
}

fn any_linear(inputs: u32, outputs: u32, random: &mut StdRng) -> Op {
    Op::Linear {
        inputs,
        outputs,
        bias_shift: random.random_range(0..=8),
    }
}

fn any_norm(flow: &Flow, random: &mut StdRng) -> Op {
    Op::RmsNorm {
        width: flow.width,
        unit_bits: random.random_range(0..=7),
    }
}

/// Usually has shifts that keep activations alive, otherwise any.
fn any_requant(width: Width, random: &mut StdRng) -> Op {
    let mut shift = |alive| match random.random_range(0..10) {
        0 => random.random_range(0..=31),
        _ => random.random_range(alive),
    };
    Op::Requant {
        shift_in: shift(0..11),
        shift_out: shift(5..10),
        multiplier: random.random_range(1..=255),
        width,
    }
}
