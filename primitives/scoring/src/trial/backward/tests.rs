//! A trace agrees with the gradient; liars are convicted, honest parties never are.

use super::super::tests::{any_image_graph, any_layers, any_transformer, Dice};
use super::super::Refusal;
use super::rule::{Read, Source};
use super::trace::Trace;
use super::*;
use crate::gradient::{backwards, Differentiator, MAX_GROUP};
use crate::machine::run;
use crate::op::{Op, Width};
use crate::shard::shard_root;
use crate::weights::view;
use crate::{Graph, Image, MasterWeights, Reference, RoundSamples, Samples, Transformer, Window};
use alloc::string::String;
use alloc::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A round's samples, and weights.
struct Round {
    graph: Graph,
    weights: Vec<i16>,
    root: Hash,
    hold_out: HoldOut,
    records: RoundSamples,
    samples: u32,
    members: Vec<u32>,
}

impl core::fmt::Debug for Round {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} samples, {:?}", self.samples, self.graph.ops)
    }
}

impl Round {
    fn of(graph: Graph, samples: u32, seed: u64) -> Self {
        graph.validate().unwrap();
        let dice = Dice::new(seed);
        // A transformer normalises: its weights may be any.
        let most = if graph.vocab().is_some() {
            30_000
        } else {
            6000
        };
        let within = |most: u32| (dice.below(2 * most + 1) as i32 - most as i32) as i16;
        let weight = |_| match seed % 8 {
            0 => within(32_512),
            1 => [32_512, -32_512][dice.below(2) as usize],
            2 => [32_512, 0][dice.below(50).min(1) as usize],
            3 => 0,
            4 => 32_512,
            _ => within(most),
        };
        let weights: Vec<i16> = (0..graph.parameters()).map(weight).collect();
        let length = graph.inputs as usize + 1;
        let records: Vec<u8> = (0..samples as usize * length)
            .map(|_| dice.below(256) as u8)
            .collect();
        let key = [7; 32];
        let root = shard_root(&key, length, &records).unwrap();
        Self {
            root: MasterWeights::new(weights.clone()).unwrap().root(),
            hold_out: HoldOut::Sealed { key, root },
            records: records.into(),
            // Every other sample is in the group.
            members: (0..samples).step_by(2).collect(),
            graph,
            weights,
            samples,
        }
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            graph: &self.graph,
            weights: self.root,
            hold_out: &self.hold_out,
            samples: self.samples,
            members: &self.members,
        }
    }

    fn honest(&self) -> Player<'_> {
        let (hold_out, records) = (&self.hold_out, &self.records);
        Player::new(&self.graph, &self.weights, hold_out, records, &self.members).unwrap()
    }

    fn stages(&self) -> Stages {
        Stages::of(&self.graph).unwrap()
    }

    /// A sample as the machine takes it.
    fn record(&self, sample: u32) -> Vec<u8> {
        let length = self.graph.inputs as usize + 1;
        self.graph
            .samples(self.records.record(length, sample).unwrap())
    }

    fn gradient(&self) -> Vec<i64> {
        let records: Vec<u8> = self.members.iter().flat_map(|s| self.record(*s)).collect();
        let samples = Samples::new(self.graph.inputs, self.graph.classes(), &records).unwrap();
        let mut all = Vec::new();
        Reference
            .gradients(
                &self.graph,
                &self.weights,
                &samples,
                core::slice::from_ref(&(0..samples.len())),
                &mut |_, gradient| all = gradient.to_vec(),
            )
            .unwrap();
        all
    }
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

/// Plays a trial to its end; returns how it ended, how many answers it took, and the bytes of the largest.
fn play(
    round: &Round,
    accused: &Player<'_>,
    challenger: &Player<'_>,
    statement: Statement,
) -> (End, u32, usize) {
    let (ground, mut trial) = (round.ground(), Trial::awaiting(statement));
    let (mut answers, mut largest) = (0, 0);
    loop {
        assert!(trial.encoded_size() <= Trial::max_encoded_len());
        assert_eq!(Trial::decode(&mut &trial.encode()[..]), Ok(trial.clone()));
        if trial.turn() == Turn::Challenger {
            match challenger.pick(&mut Reference, &trial) {
                Some(pick) => trial = trial.pick(&ground, &pick).unwrap(),
                None => return (End::NothingToDoubt, answers, largest),
            }
            continue;
        }
        let answer = accused.answer(&mut Reference, &trial).unwrap();
        answers += 1;
        largest = largest.max(answer.encoded_size());
        match trial.answer(&ground, &answer) {
            Ok(Ruling::Continues(next)) => trial = next,
            Ok(Ruling::Upheld) => return (End::Upheld, answers, largest),
            Ok(Ruling::Refuted(step)) => return (End::Convicted(step), answers, largest),
            Err(refusal) => return (End::Silent(refusal), answers, largest),
        }
    }
}

/// What a liar has to claim for its lie to show, whether or not a word of the gradient follows from it: the first word of the
/// gradient that does, or else what the first op that reads a parameter adds to it.
fn doubted(round: &Round, liar: &Player<'_>, lie: Lie) -> Statement {
    let stages = round.stages();
    let (own, theirs) = (
        round.honest().trace(lie.sample).unwrap(),
        liar.trace(lie.sample).unwrap(),
    );
    for position in 0..round.weights.len() as u32 {
        let added = |trace: &Trace| -> i64 {
            let readers = stages.readers(position).into_iter();
            readers
                .map(|reader| trace.contribution(&stages, reader, position).unwrap())
                .sum()
        };
        if added(&own) != added(&theirs) {
            return Statement::Gradient {
                group: 0,
                position,
                value: liar.value(&mut Reference, position).unwrap(),
            };
        }
    }
    let reader = stages.readers(0)[0];
    Statement::Reader {
        sample: lie.sample,
        position: 0,
        reader: 0,
        value: theirs.contribution(&stages, reader, 0).unwrap(),
    }
}

/// Small graphs that between them have all ops.
fn all_ops() -> Vec<Graph> {
    let shape = |tied| Transformer {
        vocab: 7,
        tokens: 6,
        width: 8,
        heads: 2,
        hidden: 10,
        layers: 1,
        tied,
    };
    let requant = |shift_in, width| Op::Requant {
        shift_in,
        multiplier: 200,
        shift_out: 7,
        width,
    };
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
    let linear = |inputs, outputs| Op::Linear {
        inputs,
        outputs,
        bias_shift: 3,
    };
    let images = vec![
        Op::Im2col {
            image: image(6, 6, 2),
            window: window(3, 1, 1),
        },
        linear(18, 4),
        requant(5, Width::Narrow),
        Op::Relu,
        Op::MaxPool {
            image: image(6, 6, 4),
            window: window(3, 2, 1),
        },
        Op::Im2col {
            image: image(3, 3, 4),
            window: window(2, 1, 0),
        },
        linear(16, 3),
        requant(5, Width::Narrow),
        Op::SquaredRelu,
        Op::SumPool {
            image: image(2, 2, 3),
            window: window(2, 1, 1),
        },
        requant(0, Width::Narrow),
        Op::Flatten,
        linear(27, 3),
        requant(2, Width::Wide),
        Op::CrossEntropy { classes: 3 },
    ];
    vec![
        Graph::mlp(&[20, 9, 4]),
        Graph::transformer(&shape(true)),
        Graph::transformer(&shape(false)),
        Graph {
            inputs: 72,
            ops: images,
        },
    ]
}

/// Graphs whose sums are in several stretches, and others at their widest.
fn wide() -> Vec<Graph> {
    let norm = Op::RmsNorm {
        width: 2048,
        unit_bits: 5,
    };
    let image = Image {
        height: 50,
        width: 50,
        channels: 1,
    };
    let linear = |inputs, outputs| Op::Linear {
        inputs,
        outputs,
        bias_shift: 3,
    };
    let requant = |shift_in, width| Op::Requant {
        shift_in,
        multiplier: 200,
        shift_out: 7,
        width,
    };
    let pool = Window {
        size: 46,
        stride: 1,
        padding: 45,
    };
    vec![
        Graph::mlp(&[3, 5, 4097, 3]),
        Graph::transformer(&Transformer {
            vocab: 5,
            tokens: 300,
            width: 4,
            heads: 2,
            hidden: 3,
            layers: 1,
            tied: true,
        }),
        Graph {
            inputs: 3,
            ops: vec![
                Op::Embed {
                    vocab: 4,
                    tokens: 3,
                    width: 2048,
                    shift: 6,
                },
                norm,
                Op::Unembed {
                    vocab: 4,
                    width: 2048,
                },
                requant(6, Width::Wide),
                Op::CrossEntropy { classes: 4 },
                Op::Total { tokens: 3 },
            ],
        },
        Graph {
            inputs: 2500,
            ops: vec![
                Op::Im2col {
                    image,
                    window: Window {
                        size: 1,
                        stride: 1,
                        padding: 0,
                    },
                },
                linear(1, 1),
                requant(5, Width::Narrow),
                Op::Im2col {
                    image,
                    window: Window { stride: 40, ..pool },
                },
                linear(2116, 2),
                requant(9, Width::Narrow),
                Op::Flatten,
                linear(18, 2),
                requant(6, Width::Wide),
                Op::CrossEntropy { classes: 2 },
            ],
        },
    ]
}

fn any_graph() -> impl Strategy<Value = Graph> {
    prop_oneof![
        any_layers().prop_map(|layers| Graph::mlp(&layers)),
        any_transformer(),
        any_image_graph()
    ]
}

fn any_round() -> impl Strategy<Value = Round> {
    (any_graph(), any::<u64>()).prop_map(|(graph, seed)| Round::of(graph, 3, seed))
}

/// Compares a trace with the definition of the gradient.
fn check_trace(round: &Round) {
    let (stages, record) = (round.stages(), round.record(0));
    let trace = round.honest().trace(0).unwrap();
    let views: Vec<i8> = round.weights.iter().copied().map(view).collect();
    let given = run(&round.graph, &round.weights, &record).unwrap();
    let mut sums = Vec::new();
    let see = |first: usize, own: &crate::gradient::Sums| sums.push((first, own.clone()));
    let adjoints = backwards(&round.graph, &views, &record, &given, see).unwrap();
    assert_eq!(adjoints.len(), stages.adjoints.len());
    let exponent =
        |of: Exponent| of.value(of.read().map(|read| trace.read(&stages, &read).unwrap()[0]));
    for (op, (adjoint, own)) in adjoints.iter().zip(&stages.adjoints).enumerate() {
        assert_eq!(adjoint.is_some(), own.is_some());
        let (Some(adjoint), Some(own)) = (adjoint, own) else {
            continue;
        };
        let read = Read::stage(own.values, 0, adjoint.values.len() as u64);
        assert_eq!(stages.place_of(read.from).unwrap().words, read.range.end);
        let values = trace.read(&stages, &read).unwrap();
        let expected: Vec<i32> = adjoint.values.iter().copied().map(i32::from).collect();
        assert_eq!(values, expected, "op {op}");
        assert_eq!(exponent(own.exponent), adjoint.exponent, "op {op}");
    }
    assert_eq!(sums.len(), stages.parameters.len());
    for ((first, sums), own) in sums.iter().zip(&stages.parameters) {
        assert_eq!(
            (*first as u64, sums.values.len() as u64, sums.exponent),
            (own.first, own.sums.values, exponent(own.sums.exponent))
        );
        for (at, sum) in (*first as u32..).zip(&sums.values) {
            let read = own.read(at).unwrap();
            assert_eq!(trace.read(&stages, &read).unwrap(), [*sum]);
        }
    }
}

/// Checks every word of a trace that `is_of_interest`, from its opened inputs. Returns the bytes of the largest answer.
fn check_words(round: &Round, is_of_interest: impl Fn(u32, u64, u64) -> bool) -> usize {
    let (stages, honest, ground) = (round.stages(), round.honest(), round.ground());
    let (trace, record) = (honest.trace(1).unwrap(), round.record(1));
    let tree = trace.tree(&stages);
    let (root, mut largest) = (tree.root().hash, 0);
    for stage in 0..stages.count() {
        let words = stages.place(stage).unwrap().words;
        for at in (0..words).filter(|at| is_of_interest(stage, *at, words)) {
            for read in stages.reads(stage, at, &record).unwrap() {
                let is_earlier = match stages.number(read.from) {
                    Some(of) if of == stage => read.range.end <= at,
                    of => of < Some(stage),
                };
                assert!(is_earlier, "stage {stage}, word {at}: {read:?}");
            }
            let value = trace.words(stage, at..at + 1).unwrap()[0];
            let answer = honest.word_of(&trace, &tree, 1, stage, at).unwrap();
            largest = largest.max(answer.encoded_size());
            let judge = |value| {
                let statement = Statement::Word {
                    sample: 1,
                    trace: root,
                    stage,
                    at,
                    value,
                };
                Trial::awaiting(statement).answer(&ground, &answer)
            };
            assert_eq!(judge(value), Ok(Ruling::Upheld), "stage {stage}, word {at}");
            let ruling = judge(value ^ 1);
            let is_refuted = matches!(
                ruling,
                Ok(Ruling::Refuted(Step::Word { found, .. })) if found == value
            );
            assert!(is_refuted, "stage {stage}, word {at}: {ruling:?}");
        }
    }
    largest
}

#[test]
fn every_word_of_small_graphs_is_executed_from_what_is_opened() {
    for (seed, graph) in (5..).zip(all_ops()) {
        let round = Round::of(graph, 3, seed);
        check_trace(&round);
        let largest = check_words(&round, |_, _, _| true);
        assert!(largest < 8_000, "{largest}");
    }
}

/// Weights at their bounds, nearly all zero, and all zero: with the last, every part of a sum is zero.
#[test]
fn a_trace_has_what_the_gradient_has_whatever_the_weights() {
    let mut stream = Graph::transformer(&Transformer {
        vocab: 5,
        tokens: 4,
        width: 4,
        heads: 2,
        hidden: 3,
        layers: 2,
        tied: true,
    });
    // The embedding's rows have five consumers, and one op takes the same twice.
    let after = stream.ops.len() as u32 - 6;
    let more = [0, 0, after, after + 3].map(|from| Op::Residual { from });
    stream
        .ops
        .splice(after as usize + 1..after as usize + 1, more);
    let graphs = all_ops().into_iter().chain(wide()).chain([stream]);
    for graph in graphs {
        for seed in 0..6 {
            check_trace(&Round::of(graph.clone(), 1, seed));
        }
    }
}

#[test]
fn words_of_wide_graphs_are_bounded() {
    for (seed, graph) in (5..).zip(wide()) {
        let round = Round::of(graph, 3, seed);
        check_trace(&round);
        // The first and the last words of every stage.
        let largest = check_words(&round, |_, at, words| at < 4 || at + 4 > words);
        assert!(largest < 20_000, "{largest}");
        let stages = round.stages();
        let record = round.record(0);
        let trace = round.honest().trace(0).unwrap();
        for stage in 0..stages.count() {
            let words = stages.place(stage).unwrap().words;
            for at in [0, words / 2, words - 1] {
                let reads = stages.reads(stage, at, &record).unwrap();
                let read = reads.iter().filter(|read| read.from != Source::Record);
                for read in read {
                    assert!(read.range.end - read.range.start <= 2209, "{read:?}");
                    assert!(trace.read(&stages, read).is_some());
                }
            }
        }
    }
}

/// Answers to a dispute about a trace, from its root to a word; and the bytes of the largest answer to a word, but
/// for the sample.
fn bounds(graph: &Graph) -> (u32, u64) {
    let stages = Stages::of(graph).unwrap();
    let (tiles, parameters) = (stages.tiles(), graph.parameters() as u64);
    let mut branch: Branch = Branch::whole(Node::default(), tiles);
    // The tile and the word.
    let mut answers = 2;
    while !branch.is_leaf() {
        let nodes = vec![Node::default(); branch.width() as usize];
        assert!(nodes.len() <= 256);
        branch = branch.child(&nodes, 0).unwrap();
        answers += 1;
    }
    let opened = |range: &core::ops::Range<u64>, tile: u64, bytes: u64, leaves: u64| {
        let tiles = range.end.div_ceil(tile) - range.start / tile;
        let depth = u64::from(leaves.next_power_of_two().ilog2());
        4 + tiles * tile * bytes + 4 + 2 * 32 * depth
    };
    let record = vec![0; graph.inputs as usize + 1];
    let mut largest = 0;
    for stage in 0..stages.count() {
        let place = stages.place(stage).unwrap();
        let words = place.words;
        let rows = (0..20).map(|nth| (words / 20 * nth + nth % 7).min(words - 1));
        for at in rows.chain([words / 2, words - 1]) {
            let reads = stages.reads(stage, at, &record).unwrap();
            let sizes = reads.iter().map(|read| match read.from {
                Source::Record => 0,
                Source::Weights => opened(&read.range, 512, 2, parameters.div_ceil(512)),
                from => {
                    let bytes = stages.place_of(from).unwrap().bytes;
                    opened(&read.range, 256, bytes.into(), tiles.into())
                }
            });
            largest = largest.max(sizes.sum());
        }
    }
    (answers, largest)
}

#[test]
fn answers_are_few_and_small_at_any_size() {
    let shape = |width, tokens, heads, layers| Transformer {
        vocab: 256,
        tokens,
        width,
        heads,
        hidden: 4 * width,
        layers,
        tied: true,
    };
    // In addition there are the answers about a gradient, a sample, and an op.
    let (answers, largest) = bounds(&Graph::transformer(&shape(160, 128, 4, 3)));
    assert!(answers <= 4 && largest < 8_000, "{answers} {largest}");
    let large = Graph::transformer(&shape(1024, 1024, 8, 8));
    assert!((100_000_000..1 << 27).contains(&large.parameters()));
    let (answers, largest) = bounds(&large);
    assert!(answers <= 5 && largest < 14_000, "{answers} {largest}");
    for graph in wide() {
        let (answers, largest) = bounds(&graph);
        assert!(answers <= 5 && largest < 20_000, "{answers} {largest}");
    }
}

/// The encodings of a trial and of its answers are a definition.
#[test]
fn the_bits_of_a_trial_are_golden() {
    let round = Round::of(all_ops().remove(1), 3, 7);
    let (honest, ground) = (round.honest(), round.ground());
    let mut trial = Trial::awaiting(Statement::Gradient {
        group: 1,
        position: 3,
        value: honest.value(&mut Reference, 3).unwrap(),
    });
    let mut bits = Vec::new();
    let ruling = loop {
        let answer = honest.answer(&mut Reference, &trial).unwrap();
        bits.extend(trial.encode());
        bits.extend(answer.encode());
        match trial.answer(&ground, &answer).unwrap() {
            Ruling::Continues(next) => {
                bits.extend(next.encode());
                trial = next.pick(&ground, &Pick(1)).unwrap();
            }
            ruling => break ruling,
        }
    };
    bits.extend(ruling.encode());
    let golden = "d39aa9cfde3729ba658cc0197f96f3ae92b5d94f5b6f56db6ff6ad0c735707ba";
    assert_eq!(hex::encode(crate::blake2_256(&[&bits])), golden);
}

/// These bytes are the definition.
#[test]
fn gradients_and_traces_are_golden() {
    let golden = [
        (
            "1271bb4b44df0d3640becce78e12748ad2c8ea2c9995cf1b08566297899f2f67",
            "6669b413df08b81e1fad60e8111a1a08f9dbd191b8df72f864996dc8e0dbdeea",
        ),
        (
            "da2b4211bd2a03fbd60c1b88edb7d5280cad9bc6cf9cc4feb3447e300e518a06",
            "7872a04842866b01afc03294973487c906d2bb4b3fe833615acacd02ee1d02d9",
        ),
        (
            "f00ff833a0e5353e33d8b30627a3808433fe96845dbbdb95598dba5c0a7661b6",
            "0bdf75f7bf91edd0c6ee8e6e45791413d7e18fc2d101efc5759021633b2bf358",
        ),
        (
            "cdac9b5d78a5656ee1a17628e39b44e82854572775d7863aa8c9994acea95a70",
            "8e81cfa153bd90291bdb37b78a5941b1ba0a06941d24ac20cff675cd997a1ae7",
        ),
    ];
    let found: Vec<(String, String)> = (13..)
        .zip(all_ops())
        .map(|(seed, graph)| {
            let round = Round::of(graph, 3, seed);
            let gradient: Vec<u8> = round
                .gradient()
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect();
            let trace = round.honest().trace(0).unwrap();
            let root = trace.tree(&round.stages()).root().hash;
            (
                hex::encode(crate::blake2_256(&[&gradient])),
                hex::encode(root),
            )
        })
        .collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    assert_eq!(found, golden);
}

/// From a word of the gradient to the end, with the largest group.
#[test]
fn a_dispute_is_short() {
    let graph = Graph::mlp(&[784, 128, 10]);
    let mut round = Round::of(graph, 2 * MAX_GROUP as u32, 5);
    assert_eq!(round.members.len(), MAX_GROUP);
    let stages = round.stages();
    // The sums of the first weights.
    let stage = stages.number(Source::Stage(stages.parameters.last().unwrap().sums.stage));
    let lie = Lie {
        sample: 6,
        stage: stage.unwrap() - 1,
        at: 70_000,
        by: 3,
        carries: true,
    };
    let liar = round.honest().lying(lie);
    let statement = doubted(&round, &liar, lie);
    assert!(matches!(statement, Statement::Gradient { .. }));
    let (end, answers, largest) = play(&round, &liar, &round.honest(), statement);
    assert!(
        matches!(end, End::Convicted(Step::Word { at: 70_000, .. })),
        "{end:?}"
    );
    assert!(answers <= 5 && largest <= 12_000, "{answers} {largest}");
    // A wrong sum, and a contribution that does not follow.
    round.members.truncate(2);
    let (honest, ground) = (round.honest(), round.ground());
    let value = honest.value(&mut Reference, 9).unwrap();
    let trial = |value| {
        Trial::awaiting(Statement::Gradient {
            group: 0,
            position: 9,
            value,
        })
    };
    let answer = honest.answer(&mut Reference, &trial(value)).unwrap();
    let refused = trial(value + 1).answer(&ground, &answer);
    assert_eq!(refused, Err(Refusal::NotTheInside));
    let sample = Trial::awaiting(Statement::Sample {
        sample: 2,
        position: 9,
        value: i64::MAX,
    });
    let answer = honest.answer(&mut Reference, &sample).unwrap();
    let ruling = sample.answer(&ground, &answer);
    assert!(
        matches!(ruling, Ok(Ruling::Refuted(Step::Contribution { .. }))),
        "{ruling:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_trace_has_what_the_gradient_has(round in any_round()) {
        check_trace(&round);
    }

    /// Words of all stages, from their opened inputs.
    #[test]
    fn a_right_word_is_upheld(round in any_round(), at in any::<Index>()) {
        let any = at.index(1 << 20) as u64;
        check_words(&round, |_, at, words| at == any % words || at + 1 == words);
    }

    /// Whichever word is lied about, and whether or not everything made of it follows from the lie.
    #[test]
    fn a_lie_is_convicted(
        round in any_round(), stage in any::<Index>(), at in any::<Index>(), by in any::<i32>(), carries in any::<bool>()
    ) {
        let stages = round.stages();
        let stage = stage.index(stages.count() as usize) as u32;
        let words = stages.place(stage).unwrap().words;
        let at = at.index(words as usize) as u64;
        let lie = Lie { sample: 2, stage, at, by: by | 1, carries };
        let (honest, liar) = (round.honest(), round.honest().lying(lie));
        let statement = doubted(&round, &liar, lie);
        let (end, answers, largest) = play(&round, &liar, &honest, statement);
        let is_it = matches!(end, End::Convicted(Step::Word { stage: s, at: a, .. }) if (s, a) == (stage, at));
        prop_assert!(is_it, "{:?} {:?} {:?}", lie, statement, end);
        prop_assert!(answers <= 7 && largest <= 40_000, "{} answers, {} bytes", answers, largest);
        // The liar finds nothing that the honest party can be convicted of.
        let statement = match statement {
            Statement::Gradient { group, position, .. } => Statement::Gradient {
                group, position, value: honest.value(&mut Reference, position).unwrap()
            },
            _ => return Ok(()),
        };
        let (end, ..) = play(&round, &honest, &liar, statement);
        prop_assert!(matches!(end, End::Upheld | End::NothingToDoubt), "{:?}", end);
    }

    /// An honest party answers every doubt, however absurd; and anything that is not an answer is refused.
    #[test]
    fn the_honest_are_never_convicted(round in any_round(), seed in any::<u64>(), bit in any::<Index>()) {
        let (honest, ground, dice) = (round.honest(), round.ground(), Dice::new(seed));
        let position = dice.below(round.weights.len() as u32);
        let value = honest.value(&mut Reference, position).unwrap();
        let mut trial = Trial::awaiting(Statement::Gradient { group: 0, position, value });
        let mut old: Vec<Answer> = Vec::new();
        loop {
            let answer = honest.answer(&mut Reference, &trial).expect("an answer to everything");
            for other in &old {
                prop_assert!(other == &answer || trial.answer(&ground, other).is_err());
            }
            let mut bytes = answer.encode();
            let at = bit.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            if let Ok(changed) = Answer::decode(&mut &bytes[..]) {
                let ruling = trial.answer(&ground, &changed);
                prop_assert!(ruling.is_err() || changed == answer, "{:?}", ruling);
            }
            old.push(answer.clone());
            match trial.answer(&ground, &answer).unwrap() {
                Ruling::Continues(next) => {
                    let shown = match next.shown.as_ref().unwrap() {
                        Shown::Contributions(parts) => parts.len(),
                        Shown::Nodes(nodes) => nodes.len(),
                        Shown::Words(words) => words.len(),
                    };
                    prop_assert_eq!(next.pick(&ground, &Pick(shown as u32)), Err(Refusal::NoSuchPlace));
                    trial = next.pick(&ground, &Pick(dice.below(shown as u32))).unwrap();
                }
                other => {
                    prop_assert_eq!(other, Ruling::Upheld);
                    break;
                }
            }
        }
    }
}
