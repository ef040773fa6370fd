//! Liars are convicted, honest parties never are.

use super::layout::Layout;
use super::trace::{Given, Misstated};
use super::traced::TracedSample;
use super::word::Reads;
use super::*;
use crate::op::{Op, Width};
use crate::shard::shard_root;
pub(super) use crate::share::fixture::Dice;
use crate::{
    draw, pool_tree, Graph, Hash, HoldOut, Image, MasterWeights, RoundSamples, Transformer, Window,
    MAX_POOL_SPAN,
};
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::Range;
use proptest::prelude::*;
use proptest::sample::Index;

/// Samples, and the weights that they are evaluated with.
#[derive(Clone)]
struct Round {
    seed: u64,
    graph: Graph,
    layout: Layout,
    base: Vec<i16>,
    root: Hash,
    hold_out: HoldOut,
    held: RoundSamples,
    samples: u32,
}

impl core::fmt::Debug for Round {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { seed, samples, .. } = self;
        write!(f, "{samples} samples, seed {seed}, {:?}", self.graph.ops)
    }
}

impl Round {
    fn of(graph: Graph, samples: u32, seed: u64) -> Self {
        let dice = Dice::new(seed);
        graph.validate().unwrap();
        // A transformer normalises: its weights may be any.
        let most = graph.vocab().map_or(2000, |_| 30_000);
        let base: Vec<i16> = (0..graph.parameters())
            .map(|_| (dice.below(2 * most + 1) as i32 - most as i32) as i16)
            .collect();
        let record = |_| {
            let bytes = graph.vocab().unwrap_or(256);
            let pixels = (0..graph.inputs).map(|_| dice.below(bytes) as u8);
            let mut record: Vec<u8> = pixels.collect();
            record.push(dice.below(graph.classes()) as u8);
            record
        };
        let mut records: Vec<u8> = (0..samples).flat_map(record).collect();
        if seed % 8 == 6 {
            // Some bytes may not be tokens, and some labels may not be classes.
            records.iter_mut().step_by(2).for_each(|byte| *byte ^= 0xf0);
        }
        let record_len = graph.inputs as usize + 1;
        let (hold_out, held) = match seed & 2 {
            0 => sealed(record_len, records),
            _ => drawn(record_len, samples, &records, &dice),
        };
        Self {
            seed,
            layout: Layout::of(&graph),
            root: MasterWeights::new(base.clone()).unwrap().root(),
            graph,
            base,
            hold_out,
            held,
            samples,
        }
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            graph: &self.graph,
            hold_out: &self.hold_out,
            samples: self.samples,
        }
    }

    fn exam(&self, sample: u32) -> Exam {
        Exam {
            of: Side::Base,
            weights: self.root,
            sample,
        }
    }

    /// The evaluation of a sample by a party that is honest, or misstates a word.
    fn traced(&self, sample: u32, misstated: Option<Misstated>) -> TracedSample<'_> {
        TracedSample {
            ground: self.ground(),
            layout: &self.layout,
            held: &self.held,
            sample,
            weights: self.base.clone(),
            misstated,
        }
    }

    fn loss(&self, sample: u32, misstated: Option<Misstated>) -> u32 {
        let mut loss = None;
        let traced = self.traced(sample, misstated);
        traced.each(|_, given| loss = given.word(0)).unwrap();
        loss.unwrap() as u32
    }

    /// The root of a sample's trace, and the words of every op.
    fn trace(&self, sample: u32) -> (Hash, Vec<Vec<i32>>) {
        let (traced, mut words) = (self.traced(sample, None), Vec::new());
        let see = |_: u32, given: &Given| words.extend(given.words(0..given.own.words));
        traced.each(see).unwrap();
        (traced.tree().unwrap().root().hash, words)
    }

    /// An honest answer to a challenger who doubts a word.
    fn answer(&self, statement: Statement) -> Answer {
        let sample = statement.exam().sample;
        self.traced(sample, None).answer(&statement).unwrap()
    }

    fn judge(&self, statement: Statement, answer: &Answer) -> Result<Ruling, Refusal> {
        Trial::awaiting(statement).answer(&self.ground(), answer)
    }
}

fn sealed(record_len: usize, records: Vec<u8>) -> (HoldOut, RoundSamples) {
    let key = [7; 32];
    let root = shard_root(&key, record_len, &records).unwrap();
    (HoldOut::Sealed { key, root }, records.into())
}

/// A pool that has these records where its seed draws the samples, and others elsewhere.
fn drawn(record_len: usize, samples: u32, own: &[u8], dice: &Dice) -> (HoldOut, RoundSamples) {
    let (salt, seed, records) = ([8; 32], [9; 32], samples + dice.below(300));
    let mut pool: Vec<u8> = (0..records as usize * record_len)
        .map(|_| dice.roll() as u8)
        .collect();
    let place = |place: u32| place as usize * record_len..(place as usize + 1) * record_len;
    for (sample, record) in (0..).zip(own.chunks(record_len)) {
        let drawn = draw(&seed, sample, samples, records).unwrap();
        pool[place(drawn)].copy_from_slice(record);
    }
    let tree = pool_tree(&salt, pool.chunks(record_len));
    let hold_out = HoldOut::Drawn {
        salt,
        root: tree.root().hash,
        records,
        seed,
    };
    let read = |drawn| Ok::<_, Infallible>(pool[place(drawn)].to_vec());
    let drawn = RoundSamples::drawn(&tree, &seed, samples, read).unwrap();
    assert_eq!(drawn.records(), own);
    (hold_out, drawn)
}

/// How a trial ended.
#[derive(Debug, PartialEq)]
enum End {
    Convicted(Step),
    /// The accused had no acceptable answer.
    Silent(Refusal),
    Upheld,
    /// The challenger found nothing more to doubt.
    NothingToDoubt,
}

/// Plays a trial about the loss of a sample to its end, against an honest challenger.
fn play(round: &Round, sample: u32, misstated: Option<Misstated>) -> End {
    let (ground, honest) = (round.ground(), round.traced(sample, None));
    let (accused, exam) = (round.traced(sample, misstated), round.exam(sample));
    let loss = round.loss(sample, misstated);
    let mut trial = Trial::awaiting(Statement::Sample { exam, loss });
    loop {
        if let Some(shown) = &trial.shown {
            let Some(nth) = honest.pick(&trial.statement, shown) else {
                return End::NothingToDoubt;
            };
            trial = trial.pick(&ground, nth).unwrap();
            continue;
        }
        let answer = accused.answer(&trial.statement).unwrap();
        match trial.answer(&ground, &answer) {
            Ok(Ruling::Continues(next)) => trial = next,
            Ok(Ruling::Upheld) => return End::Upheld,
            Ok(Ruling::Refuted(step)) => return End::Convicted(step),
            Err(refusal) => return End::Silent(refusal),
        }
    }
}

pub(super) fn any_layers() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        8 => (1u32..300, 1u32..40, 2u32..12).prop_map(|(i, h, c)| vec![i, h, c]),
        4 => (1u32..60, 1u32..300, 1u32..30, 2u32..5).prop_map(|(i, h, g, c)| vec![i, h, g, c]),
        1 => (2040u32..4200, 2u32..4).prop_map(|(i, c)| vec![i, c]),
        1 => (1u32..3, 2040u32..2100, 2u32..4).prop_map(|(i, h, c)| vec![i, h, c]),
        1 => (1u32..20).prop_map(|i| vec![i, 256]),
    ]
}

fn any_round() -> impl Strategy<Value = Round> {
    (any_layers(), 2u32..20, any::<u64>()).prop_map(|(layers, samples, seed)| {
        let mut graph = Graph::mlp(&layers);
        if seed % 8 == 0 {
            // An op that reads the sample and is not a linear one.
            graph.ops.insert(0, Op::Relu);
        }
        Round::of(graph, samples, seed)
    })
}

/// A graph of the ops of transformers, in an order that no transformer need have.
pub(super) fn any_transformer() -> impl Strategy<Value = Graph> {
    let small = (2u32..10, 1u32..4, 1u32..5, 1u32..20);
    let large = (30u32..70, 1u32..5, 1u32..12, 1u32..40);
    let wide = (2u32..4, 1u32..3, 1u32..3, 2040u32..4100);
    let shape = prop_oneof![8 => small, 2 => large, 1 => wide];
    (shape, 2u32..12, any::<u64>()).prop_map(
        |((tokens, heads, head_width, hidden), vocab, seed)| {
            let dice = Dice::new(seed);
            let width = heads * head_width;
            let mut ops = vec![Op::Embed {
                vocab,
                tokens,
                width,
                shift: 6,
            }];
            let (mut streams, mut values) = (vec![0], Vec::new());
            let any = |of: &[u32]| of[dice.below(of.len() as u32) as usize];
            let linear = |inputs, outputs| Op::Linear {
                inputs,
                outputs,
                bias_shift: dice.below(9) as u8,
            };
            let requant = |width| Op::Requant {
                shift_in: dice.below(9) as u8,
                multiplier: 1 + dice.below(255) as u8,
                shift_out: 7,
                width,
            };
            let norm = || Op::RmsNorm {
                width,
                unit_bits: dice.below(8) as u8,
            };
            for _ in 0..1 + dice.below(3) {
                let last = ops.len() as u32;
                let inputs = if dice.below(2) == 0 {
                    ops.extend([norm(), linear(width, 3 * width), requant(Width::Narrow)]);
                    values.push(last + 2);
                    ops.extend([
                        Op::Scores { heads, head_width },
                        requant(Width::Wide),
                        Op::Softmax { heads, tokens },
                        Op::Mix {
                            from: any(&values),
                            heads,
                            head_width,
                        },
                        requant(Width::Narrow),
                    ]);
                    width
                } else {
                    ops.extend([norm(), linear(width, hidden), requant(Width::Narrow)]);
                    ops.push(if dice.below(2) == 0 {
                        Op::Relu
                    } else {
                        Op::SquaredRelu
                    });
                    hidden
                };
                ops.extend([linear(inputs, width), requant(Width::Wide)]);
                streams.push(ops.len() as u32 - 1);
                ops.push(Op::Residual {
                    from: any(&streams),
                });
                streams.push(ops.len() as u32 - 1);
            }
            ops.push(norm());
            ops.push(if dice.below(2) == 0 {
                Op::Unembed { vocab, width }
            } else {
                linear(width, vocab)
            });
            ops.extend([
                requant(Width::Wide),
                Op::CrossEntropy { classes: vocab },
                Op::Total { tokens },
            ]);
            Graph {
                inputs: tokens,
                ops,
            }
        },
    )
}

fn any_language_round() -> impl Strategy<Value = Round> {
    (any_transformer(), 2u32..4, any::<u64>())
        .prop_map(|(graph, samples, seed)| Round::of(graph, samples, seed))
}

/// A graph of the ops of images, in an order that no network need have.
pub(super) fn any_image_graph() -> impl Strategy<Value = Graph> {
    let small = (1u16..10, 1u16..10, 1u32..5);
    let wide = (1u16..4, 1u16..4, 230u32..500);
    let shape = prop_oneof![8 => small, 1 => wide];
    (shape, any::<u64>()).prop_map(|((height, width, channels), seed)| {
        let dice = Dice::new(seed);
        let mut image = Image {
            height,
            width,
            channels,
        };
        let inputs = image.values() as u32;
        let mut ops = Vec::new();
        let linear = |inputs, outputs| Op::Linear {
            inputs,
            outputs,
            bias_shift: dice.below(9) as u8,
        };
        let requant = |width| Op::Requant {
            shift_in: dice.below(9) as u8,
            multiplier: 1 + dice.below(255) as u8,
            shift_out: 7,
            width,
        };
        for step in 0..1 + dice.below(5) {
            let size = 1 + dice.below(3) as u8;
            let mut window = Window {
                size,
                stride: 1 + dice.below(3) as u8,
                padding: dice.below(size.into()) as u8,
            };
            // A step that is small enough to be tested often.
            let is_large = image.values() * u64::from(window.pixels()) > 6000;
            if is_large || window.places(&image).is_none() {
                (window.size, window.padding) = (1, 0);
            }
            match if step == 0 { 0 } else { dice.below(5) } {
                0 | 1 => {
                    ops.push(Op::Im2col { image, window });
                    image.channels *= window.pixels();
                }
                2 => ops.push(Op::MaxPool { image, window }),
                3 => ops.extend([Op::SumPool { image, window }, requant(Width::Narrow)]),
                _ => {
                    let unit_bits = dice.below(8) as u8;
                    let outputs = 1 + dice.below(6);
                    ops.extend([linear(image.channels, outputs), requant(Width::Wide)]);
                    let width = outputs;
                    ops.push(Op::RmsNorm { width, unit_bits });
                    image.channels = outputs;
                    continue;
                }
            }
            let (down, across) = window.places(&image).unwrap();
            (image.height, image.width) = (down as u16, across as u16);
        }
        let classes = 2 + dice.below(4);
        ops.extend([
            Op::Flatten,
            linear(image.values() as u32, classes),
            requant(Width::Wide),
            Op::CrossEntropy { classes },
        ]);
        Graph { inputs, ops }
    })
}

fn any_image_round() -> impl Strategy<Value = Round> {
    (any_image_graph(), 2u32..4, any::<u64>())
        .prop_map(|(graph, samples, seed)| Round::of(graph, samples, seed))
}

/// One word of a trace, of every op and of every class of places: the first, one within, at the
/// border of a tile, the last, at the corners of the rows, at the border of values that lie column
/// by column, of a token itself and of a later one.
fn words(layout: &Layout, at: Index) -> Vec<(u32, u32)> {
    let mut words = Vec::new();
    let mut op = 0;
    while let Some(own) = layout.op(op) {
        let last = own.words - 1;
        let mut places = vec![
            0,
            at.index(own.words as usize) as u32,
            255.min(last),
            256.min(last),
            last,
        ];
        let (tokens, width) = (own.flow.tokens, own.flow.width);
        let corners = [
            (0, width - 1),
            (tokens - 1, 0),
            (tokens / 2, tokens / 2),
            (tokens / 2, tokens / 2 + 1),
            (tokens - 1, width / 3 * 2),
            (tokens / 2, width - 1),
        ];
        let inside = corners.iter().filter(|(_, column)| *column < width);
        places.extend(inside.filter_map(|(row, column)| own.word(*row, *column)));
        places.sort_unstable();
        places.dedup();
        words.extend(places.into_iter().map(|at| (op, at)));
        op += 1;
    }
    words
}

#[test]
fn the_bits_of_a_trial_are_golden() {
    let bits = |seed| {
        let round = Round::of(Graph::mlp(&[6, 5, 3]), 4, seed);
        let (exam, loss) = (round.exam(1), round.loss(1, None));
        let (trace, words) = round.trace(1);
        let top = Statement::Sample { exam, loss };
        let (op, at, value) = (0, 2, words[0][2]);
        let word = Statement::Word {
            exam,
            trace,
            op,
            at,
            value,
        };
        let Ok(Ruling::Continues(next)) = round.judge(top, &round.answer(top)) else {
            panic!("goes on");
        };
        assert_eq!(round.judge(word, &round.answer(word)), Ok(Ruling::Upheld));
        let all = (
            top,
            round.answer(top),
            next.statement,
            next.shown,
            word,
            round.answer(word),
        );
        hex::encode(&crate::blake2_256(&[&all.encode()])[..8])
    };
    assert_eq!([bits(1), bits(2)], ["3499b1aea47a9f6e", "ce1a131ab196c31d"]);
}

#[test]
fn a_wide_linear_op_is_traced_step_by_step() {
    let graph = Graph::mlp(&[4097, 3]);
    let layout = Layout::of(&graph);
    let own = layout.op(0).unwrap();
    assert_eq!((own.steps, own.words), (3, 9));
    // 9, 3 and 1 words.
    assert_eq!(layout.tiles(), 3);
    let place = |tile| {
        layout
            .place(tile)
            .map(|place| (place.op, place.first, place.words, place.bytes))
    };
    assert_eq!(
        [place(0), place(1), place(2)],
        [Some((0, 0, 9, 4)), Some((1, 0, 3, 2)), Some((2, 0, 1, 4))]
    );
    assert_eq!(place(3), None);
    let layout = Layout::of(&Graph::mlp(&[2, 700, 2]));
    let place = layout.place(2).unwrap();
    assert_eq!((place.op, place.first, place.words), (0, 512, 188));
}

#[test]
fn attention_is_traced_with_its_values_by_column() {
    let graph = Graph::transformer(&Transformer {
        vocab: 5,
        tokens: 4,
        width: 6,
        heads: 2,
        hidden: 7,
        layers: 1,
        tied: true,
    });
    let layout = Layout::of(&graph);
    let own = layout.op(3).unwrap();
    assert_eq!((own.words, own.bytes, own.in_rows), (4 * 18, 1, 12));
    // Queries and keys of all tokens, then the values: the first column of all tokens, and so on.
    let places = [(0, 0), (0, 11), (1, 0), (3, 11), (0, 12), (1, 12), (3, 17)];
    let words = places.map(|(row, column)| own.word(row, column).unwrap());
    assert_eq!(words, [0, 11, 12, 47, 48, 49, 71]);
    for op in 0..graph.ops.len() as u32 {
        let own = layout.op(op).unwrap();
        assert_eq!(own.in_rows == own.flow.width, op != 3);
        for at in 0..own.words {
            let (row, column) = own.value(at).unwrap();
            assert!(row < own.flow.tokens && column < own.flow.width);
            assert_eq!(own.word(row, column), Some(at));
        }
    }
    // The trace ends with the one word that is the loss.
    let last = layout.place(layout.tiles() - 1).unwrap();
    assert_eq!((last.first, last.words, last.bytes), (0, 1, 4));
}

/// Bytes of the tiles that a word reads.
fn bytes_read(layout: &Layout, op: u32, at: u32, sample: &[u8]) -> u32 {
    let reads = Reads::of(layout, op, at, sample).unwrap();
    let tiles =
        |range: Range<u64>, tile: u64| (range.end.div_ceil(tile) - range.start / tile) as u32;
    let words = [reads.inputs, reads.before]
        .into_iter()
        .flatten()
        .map(|read| {
            let range = u64::from(read.range.start)..u64::from(read.range.end);
            tiles(range, TRACE_TILE.into()) * TRACE_TILE * layout.op(read.op).unwrap().bytes
        });
    let weights = [reads.weights, reads.bias].into_iter().flatten();
    let weights = weights.map(|range| tiles(range, 512) * 1024);
    let record = if reads.record { sample.len() as u32 } else { 0 };
    words.sum::<u32>() + weights.sum::<u32>() + record
}

#[test]
fn no_word_of_the_largest_reads_more_than_some_kilobytes() {
    let shape = Transformer {
        vocab: 256,
        tokens: 1024,
        width: 2048,
        heads: 16,
        hidden: 4096,
        layers: 1,
        tied: true,
    };
    let wide_head = Transformer {
        width: 1024,
        heads: 1,
        ..shape
    };
    let (sample, dice) = (vec![255; 1025], Dice::new(1));
    for shape in [shape, wide_head] {
        let graph = Graph::transformer(&shape);
        assert_eq!(graph.validate(), Ok(()));
        let layout = Layout::of(&graph);
        for (index, op) in (0..).zip(&graph.ops) {
            let own = layout.op(index).unwrap();
            let places = [0, own.words - 1].into_iter();
            let places = places.chain((0..500).map(|_| dice.below(own.words)));
            let most = places
                .map(|at| bytes_read(&layout, index, at, &sample))
                .max();
            let bound = match op {
                // Inputs, weights, the sum before.
                Op::Linear { .. } | Op::Unembed { .. } => 2048 + 256 + 5 * 1024 + 1024,
                Op::Embed { .. } => 1025 + 2 * 1024,
                Op::RmsNorm { .. } => 4096 + 512,
                Op::Scores { .. } => 2 * (1024 + 256),
                Op::Softmax { .. } => 2048 + 512,
                Op::Mix { .. } => 2048 + 512 + 1024 + 256,
                Op::CrossEntropy { .. } => 1025 + 2 * 512,
                Op::Total { .. } => 4096,
                _ => 2 * 1024,
            };
            assert!(most <= Some(bound), "{op:?} reads {most:?}");
        }
    }
}

#[test]
fn a_pool_is_traced_channel_by_channel() {
    let image = Image {
        height: 2,
        width: 3,
        channels: 2,
    };
    let window = Window {
        size: 2,
        stride: 1,
        padding: 0,
    };
    let linear = Op::Linear {
        inputs: 4,
        outputs: 2,
        bias_shift: 0,
    };
    let loss = Op::CrossEntropy { classes: 2 };
    let [narrow, wide] = [Width::Narrow, Width::Wide].map(|width| Op::Requant {
        shift_in: 0,
        multiplier: 1,
        shift_out: 0,
        width,
    });
    let one = Window { size: 1, ..window };
    let graph = Graph {
        inputs: 12,
        ops: vec![
            Op::Im2col { image, window: one },
            Op::MaxPool { image, window },
            Op::Flatten,
            linear,
            narrow,
            Op::Flatten,
            Op::Linear {
                inputs: 2,
                outputs: 2,
                bias_shift: 0,
            },
            wide,
            loss,
        ],
    };
    assert_eq!(graph.validate(), Ok(()));
    let layout = Layout::of(&graph);
    let own = layout.op(0).unwrap();
    assert_eq!((own.words, own.in_rows), (12, 0));
    // The first channel of all pixels, then the second.
    let words = [(0, 0), (5, 0), (0, 1), (5, 1)].map(|(row, column)| own.word(row, column));
    assert_eq!(words, [0, 5, 6, 11].map(Some));
    for op in 0..graph.ops.len() as u32 {
        let own = layout.op(op).unwrap();
        for at in 0..own.words {
            let (row, column) = own.value(at).unwrap();
            assert!(row < own.flow.tokens && column < own.flow.width);
            assert_eq!(own.word(row, column), Some(at));
        }
    }
    // The second channel of the second place.
    let reads = Reads::of(&layout, 1, 3, &[]).unwrap();
    let inputs = reads.inputs.unwrap();
    assert_eq!((inputs.op, inputs.range), (0, 7..12));
}

#[test]
fn no_word_of_an_image_reads_more_than_some_kilobytes() {
    let image = |height, width, channels| Image {
        height,
        width,
        channels,
    };
    let window = |size, stride, padding| Window {
        size,
        stride,
        padding,
    };
    let requant = |width| Op::Requant {
        shift_in: 0,
        multiplier: 1,
        shift_out: 0,
        width,
    };
    let (narrow, wide) = (requant(Width::Narrow), requant(Width::Wide));
    let linear = |inputs, outputs| Op::Linear {
        inputs,
        outputs,
        bias_shift: 0,
    };
    let graph = Graph {
        inputs: 64 * 64 * 3,
        ops: vec![
            Op::Im2col {
                image: image(64, 64, 3),
                window: window(7, 1, 3),
            },
            linear(147, 512),
            narrow,
            Op::MaxPool {
                image: image(64, 64, 512),
                window: window(32, 1, 0),
            },
            Op::Im2col {
                image: image(33, 33, 512),
                window: window(5, 1, 2),
            },
            linear(12_800, 300),
            narrow,
            Op::SumPool {
                image: image(33, 33, 300),
                window: window(33, 1, 0),
            },
            narrow,
            Op::Flatten,
            linear(300, 2),
            wide,
            Op::CrossEntropy { classes: 2 },
        ],
    };
    assert_eq!(graph.validate(), Ok(()));
    assert!(window(32, 1, 0).span(&image(64, 64, 512)) > MAX_POOL_SPAN - 64);
    let layout = Layout::of(&graph);
    let (sample, dice) = (vec![255; 64 * 64 * 3 + 1], Dice::new(1));
    for (index, op) in (0..).zip(&graph.ops) {
        let own = layout.op(index).unwrap();
        let places = [0, own.words - 1].into_iter();
        let places = places.chain((0..500).map(|_| dice.below(own.words)));
        let most = places
            .map(|at| bytes_read(&layout, index, at, &sample))
            .max();
        let bound = match op {
            Op::Linear { .. } => 2048 + 256 + 5 * 1024 + 1024,
            Op::Im2col { .. } if index == 0 => sample.len() as u32,
            Op::Im2col { .. } | Op::Flatten => 256,
            Op::MaxPool { .. } | Op::SumPool { .. } => 2048 + 256,
            Op::CrossEntropy { .. } => sample.len() as u32 + 512,
            _ => 1024,
        };
        assert!(most <= Some(bound), "{op:?} reads {most:?}");
    }
}

/// A record other than the one that was drawn is refused, even if it is from the pool.
#[test]
fn no_record_but_the_drawn_one_is_taken() {
    let round = Round::of(Graph::mlp(&[5, 3]), 4, 2);
    let (trace, words) = round.trace(1);
    let (at, value) = (0, words[0][0]);
    let about = |sample| Statement::Word {
        exam: round.exam(sample),
        trace,
        op: 0,
        at,
        value,
    };
    let judge = |answer: &Answer| round.judge(about(1), answer);
    let right = round.answer(about(1));
    assert_eq!(judge(&right), Ok(Ruling::Upheld));
    let record_of = |sample| match round.answer(about(sample)) {
        Answer::Word { record, .. } => record.unwrap(),
        other => panic!("{other:?}"),
    };
    let with = |change: &dyn Fn(&mut ProvedRecord)| {
        let mut answer = right.clone();
        if let Answer::Word {
            record: Some(record),
            ..
        } = &mut answer
        {
            change(record);
        }
        judge(&answer)
    };
    let foreign = Err(Refusal::ForeignInput);
    // Another sample's record with its own proof; its bytes alone; its proof alone; a byte.
    assert_eq!(with(&|record| *record = record_of(2)), foreign);
    assert_eq!(with(&|record| record.bytes = record_of(2).bytes), foreign);
    assert_eq!(
        with(&|record| record.siblings = record_of(2).siblings),
        foreign
    );
    assert_eq!(with(&|record| record.bytes[0] ^= 1), foreign);
    assert_eq!(with(&|record| record.siblings.clear()), foreign);
}

/// A sponsor's record is evaluated and judged, whatever its bytes.
#[test]
fn what_is_no_token_is_judged_as_the_last_one() {
    let graph = Graph::transformer(&Transformer {
        vocab: 5,
        tokens: 4,
        width: 6,
        heads: 2,
        hidden: 7,
        layers: 1,
        tied: true,
    });
    let round = Round::of(graph, 2, 6);
    assert!(round.held.records().iter().any(|byte| *byte >= 5));
    let (exam, (trace, words)) = (round.exam(1), round.trace(1));
    assert_eq!(words[23][0] as u32, round.loss(1, None));
    for op in [0, 22] {
        for at in 0..round.layout.op(op).unwrap().words {
            let statement = Statement::Word {
                exam,
                trace,
                op,
                at,
                value: words[op as usize][at as usize],
            };
            let ruling = round.judge(statement, &round.answer(statement));
            assert_eq!(ruling, Ok(Ruling::Upheld));
        }
    }
}

/// A relu reads the sample if it is the first op.
#[test]
fn the_first_op_need_not_be_linear() {
    let mut graph = Graph::mlp(&[5, 3]);
    graph.ops.insert(0, Op::Relu);
    let round = Round::of(graph, 2, 9);
    let (exam, (trace, words)) = (round.exam(1), round.trace(1));
    for (at, value) in (0..).zip(&words[0]) {
        for (value, is_right) in [(*value, true), (*value + 1, false)] {
            let statement = Statement::Word {
                exam,
                trace,
                op: 0,
                at,
                value,
            };
            let ruling = round.judge(statement, &round.answer(statement)).unwrap();
            assert_eq!(ruling == Ruling::Upheld, is_right);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// Exactly one word of a trace is wrong, of every op and class of places: with and without all that follows from it.
    #[test]
    fn a_single_wrong_word_is_convicted(
        round in prop_oneof![any_round(), any_language_round(), any_image_round()],
        at in any::<Index>(), by in any::<i32>(), sample in any::<Index>()
    ) {
        let sample = sample.index(round.samples as usize) as u32;
        prop_assert_eq!(play(&round, sample, None), End::NothingToDoubt);
        for (op, at) in words(&round.layout, at) {
            for carries in [false, true] {
                // At least a bit of the narrowest word.
                let lie = Misstated { op, at, by: by | 1, carries };
                let is_loss = op + 1 == round.graph.ops.len() as u32;
                let is_other = round.loss(sample, Some(lie)) != round.loss(sample, None);
                prop_assert!(is_other == is_loss || carries);
                let end = play(&round, sample, Some(lie));
                let found = match end {
                    End::Convicted(Step { op, at, claimed, found, .. }) if claimed != found => Some((op, at)),
                    _ => None,
                };
                prop_assert_eq!(found, Some((op, at)), "{:?}", end);
            }
        }
    }

    /// Holds whatever ops a graph has: otherwise a label could be read off.
    #[test]
    fn no_token_of_any_graph_sees_a_later_one(
        graph in any_transformer(), seed in any::<u64>(), at in any::<Index>()
    ) {
        let round = Round::of(graph, 1, seed);
        let graph = &round.graph;
        let losses = |record: &[u8]| {
            let given = crate::machine::run(graph, &round.base, record).unwrap();
            match &given[given.len() - 2] {
                crate::machine::Tensor::Losses(losses) => losses.clone(),
                other => panic!("{other:?} is no loss of tokens"),
            }
        };
        let mut record = graph.samples(round.held.records());
        let before = losses(&record);
        let at = at.index(record.len());
        record[at] = (record[at] + 1) % graph.classes() as u8;
        let seen = at.saturating_sub(1);
        prop_assert_eq!(&before[..seen], &losses(&record)[..seen]);
    }

    /// Every word of a transformer or of a convolutional network is upheld if it is right, and its answer is refused if a byte of
    /// it, or the set of its parts, is changed.
    #[test]
    fn a_right_word_is_upheld_and_no_other_answer_to_it_is(
        round in prop_oneof![any_language_round(), any_image_round()], at in any::<Index>(), bit in any::<Index>()
    ) {
        let (exam, (trace, all)) = (round.exam(0), round.trace(0));
        for (op, at) in words(&round.layout, at) {
            let value = all[op as usize][at as usize];
            let right = Statement::Word { exam, trace, op, at, value };
            let answer = round.answer(right);
            let judge = |answer: &Answer| round.judge(right, answer);
            prop_assert_eq!(judge(&answer), Ok(Ruling::Upheld), "op {} word {}", op, at);
            let mut bytes = answer.encode();
            let place = bit.index(bytes.len() * 8);
            bytes[place / 8] ^= 1 << (place % 8);
            if let Ok(changed) = Answer::decode(&mut &bytes[..]) {
                prop_assert!(judge(&changed).is_err(), "op {} word {}", op, at);
            }
            for left_out in without_one(&answer) {
                prop_assert!(judge(&left_out).is_err(), "op {} word {}", op, at);
            }
            let wrong = Statement::Word { exam, trace, op, at, value: value ^ 1 };
            let ruling = round.judge(wrong, &answer);
            let is_refuted = matches!(ruling, Ok(Ruling::Refuted(Step { found, .. })) if found == value);
            prop_assert!(is_refuted, "{:?}", ruling);
        }
    }

    /// Anything that is not an answer is refused: answers to other statements, and bytes that were changed.
    #[test]
    fn what_is_no_answer_is_refused(
        round in prop_oneof![any_round(), any_language_round(), any_image_round()],
        at in any::<Index>(), bit in any::<Index>(), seed in any::<u64>()
    ) {
        let (ground, exam, dice) = (round.ground(), round.exam(0), Dice::new(seed));
        let mut trial = Trial::awaiting(Statement::Sample { exam, loss: round.loss(0, None) });
        let mut old: Vec<Answer> = Vec::new();
        loop {
            let answer = round.answer(trial.statement);
            for other in old.iter().filter(|other| **other != answer) {
                prop_assert!(trial.answer(&ground, other).is_err());
            }
            prop_assert!(trial.pick(&ground, 0).is_err());
            let mut bytes = answer.encode();
            let place = bit.index(bytes.len() * 8);
            bytes[place / 8] ^= 1 << (place % 8);
            if let Ok(changed) = Answer::decode(&mut &bytes[..]) {
                // Refused, or binding: never upheld as if it were right, unless nothing was changed.
                let ruling = trial.answer(&ground, &changed);
                prop_assert!(ruling != Ok(Ruling::Upheld) || changed == answer);
            }
            old.push(answer.clone());
            let Ok(Ruling::Continues(shown)) = trial.answer(&ground, &answer) else { break };
            prop_assert_eq!(shown.answer(&ground, &answer), Err(Refusal::NotYourTurn));
            let count = match shown.shown.as_ref().unwrap() {
                Shown::Nodes(nodes) => nodes.len(),
                Shown::Words(words) => words.len(),
            };
            prop_assert!(shown.pick(&ground, count as u32).is_err());
            let nth = if dice.below(2) == 0 { at.index(count) as u32 } else { dice.below(count as u32) };
            trial = shown.pick(&ground, nth).unwrap();
        }
    }
}

/// The answer to a word without one of its inputs.
fn without_one(answer: &Answer) -> Vec<Answer> {
    let without = |which: usize| {
        let mut left_out = answer.clone();
        if let Answer::Word {
            record,
            inputs,
            before,
            weights,
            bias,
        } = &mut left_out
        {
            match which {
                0 => *record = None,
                1 => *inputs = None,
                2 => *before = None,
                3 => *weights = None,
                _ => *bias = None,
            }
        }
        left_out
    };
    let all = (0..5).map(without);
    all.filter(|left_out| left_out != answer).collect()
}
