//! Liars are convicted, honest parties never are.

use super::layout::Layout;
use super::word::Reads;
use super::*;
use crate::op::{Op, Width};
use crate::reveals::RevealRecord;
use crate::shard::shard_root;
use crate::table::{Row, Standing};
use crate::{
    draw, median_norm, pool_tree, reveals_tree, score_round, Delta, Entry, Image, MasterWeights,
    Reference, Reveal, RoundSamples, Rules, Samples, Transformer, Window, MAX_POOL_SPAN,
};
use alloc::vec;
use core::cell::Cell;
use core::convert::Infallible;
use core::ops::Range;
use proptest::prelude::*;
use proptest::sample::Index;

/// A small random number generator, so that a round follows from a seed.
struct Dice(Cell<u64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// SplitMix64.
    fn roll(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&self, bound: u32) -> u32 {
        (self.roll() % u64::from(bound.max(1))) as u32
    }
}

/// What the parties of a round have.
#[derive(Clone)]
struct Round {
    seed: u64,
    case: Case,
    base: Vec<i16>,
    samples: RoundSamples,
    reveals: Vec<Reveal>,
}

impl core::fmt::Debug for Round {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Case {
            graph,
            samples,
            reveals,
            ..
        } = &self.case;
        write!(
            f,
            "{samples} samples, {reveals} deltas, seed {}, {:?}",
            self.seed, graph.ops
        )
    }
}

impl Round {
    fn new(layers: &[u32], samples: u32, deltas: u32, seed: u64) -> Self {
        Self::of(Graph::mlp(layers), samples, deltas, seed)
    }

    fn of(graph: Graph, samples: u32, deltas: u32, seed: u64) -> Self {
        let dice = Dice::new(seed);
        graph.validate().unwrap();
        let parameters = graph.parameters() as u32;
        // A transformer normalises: its weights may be any.
        let most = graph.vocab().map_or(2000, |_| 30_000);
        let base: Vec<i16> = (0..parameters)
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
            // Some bytes are perhaps no tokens, and some labels no classes.
            records.iter_mut().step_by(2).for_each(|byte| *byte ^= 0xf0);
        }
        let reveals: Vec<Reveal> = (0..deltas)
            .map(|number| {
                // Every third is like the one before.
                let dice = Dice::new(seed ^ u64::from(number - u32::from(number % 3 == 2)));
                let changed = (0..parameters).filter(|_| dice.below(3) == 0);
                let entries = changed.map(|position| Entry {
                    position,
                    change: [-1500, -900, 900, 1500][dice.below(4) as usize],
                });
                let mut entries: Vec<Entry> = entries.collect();
                if entries.is_empty() || number % 3 == 2 {
                    entries.retain(|entry| entry.position != 0);
                    entries.insert(
                        0,
                        Entry {
                            position: 0,
                            change: 900,
                        },
                    );
                }
                let delta = Delta::new(parameters, entries).unwrap();
                Reveal {
                    hash: Delta::hash_of(&delta.encode()),
                    weight: 1 + dice.below(1000),
                    delta,
                }
            })
            .collect();
        let proofs: Vec<RevealRecord> = reveals
            .iter()
            .map(|r| RevealRecord::of(r.hash, &r.delta, r.weight))
            .collect();
        let record_len = graph.inputs as usize + 1;
        let (hold_out, held_out) = match seed & 2 {
            0 => sealed(record_len, records),
            _ => drawn(record_len, samples, &records, &dice),
        };
        let case = Case {
            rules: Rules {
                admit_floor_q8: 0,
                gain_floor_q8: 0,
                central_difference: 1 + (seed % 3) as u8,
            },
            base_root: MasterWeights::new(base.clone()).unwrap().root(),
            hold_out,
            samples,
            reveals_root: reveals_tree(&proofs).root().hash,
            reveals: deltas,
            median_norm: median_norm(&proofs),
            graph,
        };
        Self {
            seed,
            case,
            base,
            samples: held_out,
            reveals,
        }
    }

    fn samples(&self) -> Samples {
        let graph = &self.case.graph;
        let records = graph.samples(self.samples.records());
        Samples::new(graph.inputs, graph.classes(), &records).unwrap()
    }

    fn honest(&self) -> Witness {
        let (case, samples) = (self.case.clone(), self.samples());
        let (graph, rules) = (&case.graph, &case.rules);
        let score = score_round(
            &mut Reference,
            graph,
            &self.base,
            &samples,
            &self.reveals,
            rules,
        )
        .unwrap();
        self.with(score)
    }

    /// Who stands for this score, and has no lie about what it was made of.
    fn with(&self, score: crate::RoundScore) -> Witness {
        let (base, samples) = (self.base.clone(), self.samples.clone());
        Witness::new(
            self.case.clone(),
            base,
            samples,
            self.reveals.clone(),
            score,
        )
        .unwrap()
    }

    fn liar(&self, lie: Lie) -> Witness {
        let (base, samples) = (self.base.clone(), self.samples.clone());
        let (case, reveals) = (self.case.clone(), self.reveals.clone());
        Witness::lying(case, base, samples, reveals, &mut Reference, lie).unwrap()
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
    /// The accused had no answer that is taken.
    Silent(Refusal),
    Upheld,
    /// The challenger doubted what cannot be doubted.
    BadPick(Refusal),
    /// The challenger found nothing more to doubt.
    NothingToDoubt,
}

/// Plays a trial to its end; gives back how it ended, and how many answers of how many bytes it
/// took.
fn play(accused: &Witness, challenger: &Witness, mut trial: Trial) -> (End, u32, usize) {
    let (case, opening) = (challenger.case(), accused.score().table.opening());
    let (mut answers, mut bytes) = (0, 0);
    loop {
        assert!(trial.encoded_size() <= Trial::max_encoded_len());
        assert_eq!(Trial::decode(&mut &trial.encode()[..]), Ok(trial.clone()));
        if trial.turn() == Turn::Challenger {
            match challenger.pick(&trial) {
                Some(pick) => match trial.pick(case, &pick) {
                    Ok(next) => trial = next,
                    Err(refusal) => return (End::BadPick(refusal), answers, bytes),
                },
                None => return (End::NothingToDoubt, answers, bytes),
            }
            continue;
        }
        let answer = accused.answer(&trial).unwrap();
        answers += 1;
        bytes += answer.encoded_size();
        match trial.answer(case, &opening, &answer) {
            Ok(Ruling::Continues(next)) => trial = next,
            Ok(Ruling::Upheld) => return (End::Upheld, answers, bytes),
            Ok(Ruling::Refuted(step)) => return (End::Convicted(step), answers, bytes),
            Err(refusal) => return (End::Silent(refusal), answers, bytes),
        }
    }
}

/// A trial from the challenger's first accusation; none if the tables are equal.
fn accuse(accused: &Witness, challenger: &Witness) -> Option<(End, u32, usize)> {
    let opening = accused.score().table.opening();
    let accusation = challenger.accuse(&opening)?;
    let trial = Trial::open(&opening, challenger.case(), accusation);
    Some(play(accused, challenger, trial))
}

fn any_layers() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        8 => (1u32..300, 1u32..40, 2u32..12).prop_map(|(i, h, c)| vec![i, h, c]),
        4 => (1u32..60, 1u32..300, 1u32..30, 2u32..5).prop_map(|(i, h, g, c)| vec![i, h, g, c]),
        1 => (2040u32..4200, 2u32..4).prop_map(|(i, c)| vec![i, c]),
        1 => (1u32..3, 2040u32..2100, 2u32..4).prop_map(|(i, h, c)| vec![i, h, c]),
        1 => (1u32..20).prop_map(|i| vec![i, 256]),
    ]
}

fn any_round() -> impl Strategy<Value = Round> {
    (any_layers(), 2u32..20, 1u32..8, any::<u64>()).prop_map(|(layers, samples, deltas, seed)| {
        let mut graph = Graph::mlp(&layers);
        if seed % 8 == 0 {
            // An op that reads the sample and is no linear one.
            graph.ops.insert(0, Op::Relu);
        }
        Round::of(graph, samples, deltas, seed)
    })
}

/// A graph of the ops of transformers, in an order that no transformer need have.
fn any_transformer() -> impl Strategy<Value = Graph> {
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
    (any_transformer(), 2u32..4, 1u32..4, any::<u64>())
        .prop_map(|(graph, samples, deltas, seed)| Round::of(graph, samples, deltas, seed))
}

/// A graph of the ops of images, in an order that no network need have.
fn any_image_graph() -> impl Strategy<Value = Graph> {
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
    (any_image_graph(), 2u32..4, 1u32..4, any::<u64>())
        .prop_map(|(graph, samples, deltas, seed)| Round::of(graph, samples, deltas, seed))
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
    let (sealed, drawn) = (bits_of_trials(1), bits_of_trials(2));
    assert_eq!(
        sealed,
        "8f303e945b603cbb45cc3899e6a43e97e0aecb5123ec5fbff90f24360ccde192"
    );
    assert_eq!(
        drawn,
        "7a2e407f857ac15e71c5cbfcc432c63b6b7998eebc7edbf3cd12ec1c537c1178"
    );
}

fn bits_of_trials(seed: u64) -> String {
    let round = Round::new(&[6, 5, 3], 4, 3, seed);
    let honest = round.honest();
    let opening = honest.score().table.opening();
    let mut hash = Vec::new();
    for accusation in [Accusation::Similar, Accusation::Rows, Accusation::Header] {
        let trial = Trial::open(&opening, &round.case, accusation);
        let answer = honest.answer(&trial).unwrap();
        hash.extend(trial.encode());
        hash.extend(answer.encode());
        let Ruling::Continues(next) = trial.answer(&round.case, &opening, &answer).unwrap() else {
            panic!("goes on");
        };
        hash.extend(next.encode());
    }
    hash.extend(round.case.encode());
    hex::encode(crate::blake2_256(&[&hash]))
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

/// Who shows another record than the one that was drawn, though it is of the pool, is refused.
#[test]
fn no_record_but_the_drawn_one_is_taken() {
    let round = Round::new(&[5, 3], 4, 1, 2);
    let (honest, case) = (round.honest(), &round.case);
    let opening = honest.score().table.opening();
    let exam = Exam {
        of: Side::Base,
        weights: case.base_root,
        sample: 1,
    };
    let (trace, words) = honest.trace_of(&exam).unwrap();
    let (at, value) = (0, words[0][0]);
    let about = |sample| {
        let exam = Exam { sample, ..exam };
        Trial::awaiting(Statement::Word {
            exam,
            trace,
            op: 0,
            at,
            value,
        })
    };
    let judge = |answer: &Answer| about(1).answer(case, &opening, answer);
    let right = honest.answer(&about(1)).unwrap();
    assert_eq!(judge(&right), Ok(Ruling::Upheld));
    let record_of = |sample| match honest.answer(&about(sample)) {
        Some(Answer::Word { record, .. }) => record.unwrap(),
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
    let round = Round::of(graph, 2, 1, 6);
    let honest = round.honest();
    let records = honest.samples.records();
    assert!(records.iter().any(|byte| *byte >= 5));
    let (opening, layout) = (
        honest.score().table.opening(),
        Layout::of(&round.case.graph),
    );
    let exam = Exam {
        of: Side::Base,
        weights: round.case.base_root,
        sample: 1,
    };
    let (trace, words) = honest.trace_of(&exam).unwrap();
    assert_eq!(words[23][0] as u32, loss_of(&honest, Side::Base, 1));
    for op in [0, 22] {
        for at in 0..layout.op(op).unwrap().words {
            let value = words[op as usize][at as usize];
            let trial = Trial::awaiting(Statement::Word {
                exam,
                trace,
                op,
                at,
                value,
            });
            let answer = honest.answer(&trial).unwrap();
            let ruling = trial.answer(&round.case, &opening, &answer);
            assert_eq!(ruling, Ok(Ruling::Upheld));
        }
    }
}

/// A relu reads the sample if it is the first op.
#[test]
fn the_first_op_need_not_be_linear() {
    let mut graph = Graph::mlp(&[5, 3]);
    graph.ops.insert(0, Op::Relu);
    let honest = Round::of(graph, 2, 1, 9).honest();
    let (opening, case) = (honest.score().table.opening(), honest.case());
    let exam = Exam {
        of: Side::Base,
        weights: case.base_root,
        sample: 1,
    };
    let (trace, words) = honest.trace_of(&exam).unwrap();
    for (at, value) in (0..).zip(&words[0]) {
        for (value, is_right) in [(*value, true), (*value + 1, false)] {
            let statement = Statement::Word {
                exam,
                trace,
                op: 0,
                at,
                value,
            };
            let trial = Trial::awaiting(statement);
            let answer = honest.answer(&trial).unwrap();
            let ruling = trial.answer(case, &opening, &answer).unwrap();
            assert_eq!(ruling == Ruling::Upheld, is_right);
        }
    }
}

#[test]
fn every_edit_of_a_table_is_convicted() {
    let round = Round::new(&[9, 12, 4], 12, 7, 5);
    let honest = round.honest();
    let table = &honest.score().table;
    assert!(
        table.header.paid_gain > 0,
        "the round must pay for this test"
    );
    let admitted = table
        .rows
        .iter()
        .position(|row| row.standing == Standing::Admitted)
        .unwrap();
    let evaluated = table
        .rows
        .iter()
        .position(|row| row.standing == Standing::BelowFloor);
    type Edit = fn(&mut crate::RoundScore, usize);
    let edits: &[(&str, Edit)] = &[
        ("a share", |score, row| score.table.rows[row].share += 1),
        ("phi", |score, row| score.table.rows[row].phi += 1),
        ("a standard error", |score, row| {
            score.table.rows[row].standard_error += 1
        }),
        ("a weight", |score, row| score.table.rows[row].weight += 1),
        ("a clip", |score, row| score.table.rows[row].clip_q16 -= 1),
        ("a delta", |score, row| {
            score.table.rows[row].delta_hash[0] ^= 1
        }),
        ("a standing", |score, row| {
            let row = &mut score.table.rows[row];
            row.standing = match row.standing {
                Standing::Admitted => Standing::BelowFloor,
                _ => Standing::Admitted,
            };
        }),
        ("a root of losses", |score, row| {
            score.table.rows[row].plus.hash[0] ^= 1
        }),
        ("the order of rows", |score, _| score.table.rows.swap(0, 1)),
        ("a row too few", |score, _| {
            score.table.rows.truncate(score.table.rows.len() - 1)
        }),
        ("the gain's error", |score, _| {
            score.table.header.gain_se += 1
        }),
        ("the gain", |score, _| {
            score.table.header.gain += 1;
            score.table.header.paid_gain += 1;
        }),
        ("the gain with its losses", |score, _| {
            score.table.header.gain += 1;
            score.table.header.paid_gain += 1;
            score.table.header.base.sum += 1;
        }),
        ("the new weights", |score, _| {
            score.table.header.master_root[0] ^= 1
        }),
        ("no merge", |score, _| {
            score.table.header.master_root = [3; 32]
        }),
        ("the root of similarities", |score, _| {
            score.table.header.similar_root[0] ^= 1
        }),
    ];
    for (what, edit) in edits {
        for row in [Some(admitted), evaluated].into_iter().flatten() {
            let mut score = honest.score().clone();
            edit(&mut score, row);
            let mut liar = honest.clone();
            liar.score = score;
            let (end, ..) = accuse(&liar, &honest).unwrap();
            let is_out = matches!(
                end,
                End::Convicted(Step::Row { .. } | Step::Header) | End::Silent(_)
            );
            assert!(is_out, "{what}: {end:?}");
            // And the liar has nothing against the honest table.
            let (end, ..) = accuse(&honest, &liar).unwrap();
            assert!(
                matches!(end, End::Upheld | End::NothingToDoubt),
                "{what}: {end:?}"
            );
        }
    }
}

#[test]
fn lies_about_similarity_are_convicted() {
    let round = Round::new(&[20, 30, 4], 8, 7, 3);
    let honest = round.honest();
    let to: Vec<_> = honest
        .score()
        .table
        .rows
        .iter()
        .map(Row::similar_to)
        .collect();
    assert_eq!(to, [None, None, Some(1), None, None, Some(4), None]);
    let lies = [
        (0, Some(1)),
        (1, Some(0)),
        (2, None),
        (2, Some(0)),
        (3, Some(2)),
        (5, Some(1)),
        (5, None),
        (6, Some(6)),
    ];
    for (row, to) in lies {
        let liar = round.liar(Lie::Similar { row, to });
        let (end, answers, _) = accuse(&liar, &honest).unwrap();
        let is_found = matches!(
            end,
            End::Convicted(Step::Similarity(_) | Step::Dot { .. } | Step::Similarities { .. })
        );
        assert!(is_found, "{row} {to:?}: {end:?}");
        assert!(answers <= 4);
        let (end, ..) = accuse(&honest, &liar).unwrap();
        let stands = matches!(end, End::Upheld | End::NothingToDoubt | End::BadPick(_));
        assert!(stands, "{end:?}");
    }
}

/// At a central difference of 1 a midpoint less a delta has nothing of it, so no term of that delta explains a
/// wrong weight.
#[test]
fn a_lie_that_no_term_explains_is_convicted() {
    let round = Round::new(&[9, 12, 4], 12, 3, 3);
    assert_eq!(round.case.rules.central_difference, 1);
    let honest = round.honest();
    let ends = (0..round.base.len() as u32).filter_map(|position| {
        let (of, row, by) = (Side::Minus(1), 1, 127);
        let liar = round.liar(Lie::Term {
            of,
            position,
            row,
            by,
        });
        // A weight that no loss depends on can be lied about: nothing differs.
        accuse(&liar, &honest)
    });
    let mut convicted = 0;
    for (end, ..) in ends {
        assert!(
            matches!(end, End::Convicted(Step::Weight { .. })),
            "{end:?}"
        );
        convicted += 1;
    }
    assert!(convicted > 10, "{convicted}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Exactly one word of a trace is wrong, of every op and class of places.
    #[test]
    fn a_single_wrong_word_is_convicted(
        round in prop_oneof![any_round(), any_language_round(), any_image_round()],
        at in any::<Index>(), by in any::<i32>(), side in any::<Index>(), sample in any::<Index>()
    ) {
        let honest = round.honest();
        let (of, weights) = any_side(&honest, side);
        let sample = sample.index(round.case.samples as usize) as u32;
        let layout = Layout::of(&round.case.graph);
        for (op, at) in words(&layout, at) {
            // At least a bit of the narrowest word.
            let by = by | 1;
            let lie = Lie::Word { of, sample, op, at, by, carries: false };
            let liar = round.liar(lie);
            let is_loss = op + 1 == round.case.graph.ops.len() as u32;
            let loss = loss_of(&liar, of, sample);
            prop_assert_eq!(loss != loss_of(&honest, of, sample), is_loss);
            let exam = Exam { of, weights, sample };
            let trial = Trial::awaiting(Statement::Sample { exam, loss });
            let (end, ..) = play(&liar, &honest, trial);
            let found = match end {
                End::Convicted(Step::Word { op, at, claimed, found, .. }) if claimed != found => Some((op, at)),
                _ => None,
            };
            prop_assert_eq!(found, Some((op, at)), "{:?}", end);
        }
    }

    /// Whatever ops a graph has: else a label could be read off.
    #[test]
    fn no_token_of_any_graph_sees_a_later_one(
        graph in any_transformer(), seed in any::<u64>(), at in any::<Index>()
    ) {
        let round = Round::of(graph, 1, 1, seed);
        let graph = &round.case.graph;
        let losses = |record: &[u8]| {
            let given = crate::machine::run(graph, &round.base, record).unwrap();
            match &given[given.len() - 2] {
                crate::machine::Tensor::Losses(losses) => losses.clone(),
                other => panic!("{other:?} is no loss of tokens"),
            }
        };
        let mut record = round.samples().iter().next().unwrap().0.to_vec();
        record.push(0);
        let before = losses(&record);
        let at = at.index(record.len());
        record[at] = (record[at] + 1) % graph.classes() as u8;
        let seen = at.saturating_sub(1);
        prop_assert_eq!(&before[..seen], &losses(&record)[..seen]);
    }

    /// Every word of a transformer or of a convolutional network is upheld if it is right, and its
    /// answer is refused if a byte of it, or what it has, is another.
    #[test]
    fn a_right_word_is_upheld_and_no_other_answer_to_it_is(
        round in prop_oneof![any_language_round(), any_image_round()], at in any::<Index>(), bit in any::<Index>()
    ) {
        let honest = round.honest();
        let (opening, weights) = (honest.score().table.opening(), round.case.base_root);
        let exam = Exam { of: Side::Base, weights, sample: 0 };
        let (trace, all) = honest.trace_of(&exam).unwrap();
        let layout = Layout::of(&round.case.graph);
        for (op, at) in words(&layout, at) {
            let value = all[op as usize][at as usize];
            let trial = Trial::awaiting(Statement::Word { exam, trace, op, at, value });
            let answer = honest.answer(&trial).unwrap();
            let judge = |answer: &Answer| trial.answer(&round.case, &opening, answer);
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
            let wrong = Trial::awaiting(Statement::Word { exam, trace, op, at, value: value ^ 1 });
            let ruling = wrong.answer(&round.case, &opening, &answer);
            let is_refuted = matches!(ruling, Ok(Ruling::Refuted(Step::Word { found, .. })) if found == value);
            prop_assert!(is_refuted, "{:?}", ruling);
        }
    }

    /// Whatever is lied about, and all that follows from it: the whole way from the table.
    #[test]
    fn a_lie_is_convicted_from_the_table_on(
        round in prop_oneof![any_round(), any_language_round(), any_image_round()], what in 0..3,
        at in any::<Index>(), by in any::<i16>(), side in any::<Index>(), sample in any::<Index>()
    ) {
        let honest = round.honest();
        let (mut of, _) = any_side(&honest, side);
        let sample = sample.index(round.case.samples as usize) as u32;
        let position = at.index(round.base.len()) as u32;
        if of == Side::Base && what > 0 {
            of = Side::Merged;
        }
        let lie = match what {
            0 => {
                let words = words(&Layout::of(&round.case.graph), at);
                let (op, at) = words[at.index(words.len())];
                Lie::Word { of, sample, op, at, by: (by | 1).into(), carries: true }
            }
            1 => Lie::Weight { of, position, by: (by % 128) | 1 },
            _ => {
                let row = at.index(round.reveals.len()) as u32;
                Lie::Term { of, position, row, by: (by % 128) | 1 }
            }
        };
        let liar = round.liar(lie);
        if let Some((end, answers, _)) = accuse(&liar, &honest) {
            prop_assert!(matches!(end, End::Convicted(_)), "{:?} {:?}", lie, end);
            prop_assert!(answers <= 7, "{} answers", answers);
            let (end, ..) = accuse(&honest, &liar).unwrap();
            prop_assert!(matches!(end, End::Upheld | End::NothingToDoubt), "{:?}", end);
        }
    }

    /// Who is honest answers every doubt, however absurd, and is never convicted.
    #[test]
    fn the_honest_are_never_convicted(
        round in prop_oneof![any_round(), any_language_round(), any_image_round()], seed in any::<u64>()
    ) {
        let honest = round.honest();
        let (opening, dice) = (honest.score().table.opening(), Dice::new(seed));
        prop_assert!(opening.is_consistent(round.case.samples, &round.case.base_root, 0));
        for accusation in [Accusation::Similar, Accusation::Rows, Accusation::Header] {
            for _ in 0..4 {
                let mut trial = Trial::open(&opening, &round.case, accusation);
                while trial.turn() == Turn::Accused {
                    let answer = honest.answer(&trial).expect("an answer to everything");
                    match trial.answer(&round.case, &opening, &answer) {
                        Ok(Ruling::Continues(next)) => trial = any_pick(&next, &round.case, &dice),
                        Ok(Ruling::Upheld) => break,
                        other => prop_assert!(false, "{:?}: {:?}", trial.statement, other),
                    }
                }
            }
        }
    }

    /// What is no answer is refused and never convicts: answers to other statements, and bytes that
    /// were changed.
    #[test]
    fn what_is_no_answer_is_refused(
        round in prop_oneof![any_round(), any_language_round(), any_image_round()], seed in any::<u64>(), bit in any::<Index>()
    ) {
        let honest = round.honest();
        let (opening, dice) = (honest.score().table.opening(), Dice::new(seed));
        let mut trial = Trial::open(&opening, &round.case, Accusation::Rows);
        let mut old: Vec<Answer> = Vec::new();
        loop {
            let answer = honest.answer(&trial).unwrap();
            for other in &old {
                if *other != answer {
                    prop_assert!(trial.answer(&round.case, &opening, other).is_err());
                }
            }
            let mut bytes = answer.encode();
            let at = bit.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            if let Ok(changed) = Answer::decode(&mut &bytes[..]) {
                // Refused, or convicted of what was changed in something that it only now binds itself
                // to; never upheld as if it were right, unless nothing was changed.
                let ruling = trial.answer(&round.case, &opening, &changed);
                prop_assert!(ruling != Ok(Ruling::Upheld) || changed == answer);
            }
            old.push(answer.clone());
            match trial.answer(&round.case, &opening, &answer).unwrap() {
                Ruling::Continues(next) => trial = any_pick(&next, &round.case, &dice),
                _ => break,
            }
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

fn loss_of(witness: &Witness, of: Side, sample: u32) -> u32 {
    let evaluations = &witness.score().evaluations;
    let losses = match of {
        Side::Base => &evaluations.base,
        Side::Merged => &evaluations.merged,
        Side::Minus(row) => &evaluations.sides[row as usize].as_ref().unwrap()[0],
        Side::Plus(row) => &evaluations.sides[row as usize].as_ref().unwrap()[1],
    };
    losses[sample as usize]
}

/// An evaluation that was made, and the root of its weights.
fn any_side(honest: &Witness, index: Index) -> (Side, Hash) {
    let mut sides = vec![Side::Base, Side::Merged];
    for (row, made) in (0..).zip(&honest.score().evaluations.sides) {
        if made.is_some() {
            sides.extend([Side::Minus(row), Side::Plus(row)]);
        }
    }
    let of = sides[index.index(sides.len())];
    (of, honest.weights_root(of).unwrap())
}

/// A random pick that is taken.
fn any_pick(trial: &Trial, case: &Case, dice: &Dice) -> Trial {
    for _ in 0..1000 {
        let (row, sample) = (dice.below(case.reveals), dice.below(case.samples));
        let of =
            [Side::Base, Side::Merged, Side::Minus(row), Side::Plus(row)][dice.below(4) as usize];
        let pick = match dice.below(4) {
            0 => Pick::Nth(dice.below(300)),
            1 => Pick::Pair {
                earlier: dice.below(case.reveals),
                later: row,
            },
            2 => Pick::Sample { of, sample },
            _ => Pick::Weights { of },
        };
        if let Ok(next) = trial.pick(case, &pick) {
            return next;
        }
        if let (Some(Shown::Similar(_)), 1) = (&trial.shown, case.reveals) {
            // Of a single row no pair can be doubted.
            return Trial::open_header();
        }
    }
    // Small indices, for what shows little.
    for nth in 0..300 {
        if let Ok(next) = trial.pick(case, &Pick::Nth(nth)) {
            return next;
        }
    }
    panic!("nothing to pick of {trial:?}");
}

impl Trial {
    fn open_header() -> Self {
        Self::awaiting(Statement::Header)
    }
}
