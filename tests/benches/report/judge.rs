//! What a dispute takes: moves, bytes, the referee's time, and what it costs to be ready for one.

use crate::worker::{median, rounded};
use anyhow::{bail, ensure, Context, Result};
use codec::{Decode, Encode};
use frame_support::view_functions::ViewFunctionDispatchError;
use gotong::{
    evaluation::FastCpu,
    training::{data::FashionMnist, initial_weights, train, TrainingConfig},
};
use gotong_runtime::{Runtime, WASM_BINARY};
use gotong_scoring::{
    median_norm,
    merkle::Branch,
    reveals_tree, score_round, shard_root,
    table::{losses_node, similar_tree},
    trial::{
        Answer, Case, Layout, Lie, Part, ProvedChunk, ProvedReveal, Refusal, Ruling, Shown, Side,
        Statement, Term, Tiles, Trial, Turn, Witness, TRACE_TILE, TRACE_WIDTH,
    },
    work_root, Delta, Entry, Evaluator, Graph, Hash, HoldOut, MasterWeights, Node, Opening, Reveal,
    RevealRecord, RoundScore, Row, Rules, Samples, Standing, SumNode, CHUNK, WEIGHT_TILE,
};
use gotong_tests::Network;
use sc_executor::WasmExecutor;
use serde_json::{json, Map, Value};
use sp_core::traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode};
use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};
use subxt::Metadata;

/// Images in a round of the demo.
const SAMPLES: u32 = 800;
/// Contributors of the demo.
const REVEALS: u32 = 5;
/// Repetitions of every measurement; the median counts.
const REPEATS: usize = 15;

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let round = Round::of_the_demo()?;
    let honest = round.honest(&mut FastCpu)?;
    overhead("", &round, report)?;
    let million = Round::made_up(&[784, 1_024, 256, 10], SAMPLES, REVEALS)?;
    overhead("_1m", &million, report)?;
    let referee = Referee::new()?;
    disputes(&round, &honest, &referee, report)?;
    worst_leaves(&referee, report)?;
    shapes(report)?;
    tokio::runtime::Runtime::new()?.block_on(real_dispute(report))
}

/// What the parties of a round have.
struct Round {
    case: Case,
    base: Vec<i16>,
    records: Vec<u8>,
    reveals: Vec<Reveal>,
}

impl Round {
    fn new(graph: Graph, base: Vec<i16>, records: Vec<u8>, deltas: Vec<Delta>) -> Result<Self> {
        let record_len = graph.inputs as usize + 1;
        let reveals: Vec<Reveal> = deltas
            .into_iter()
            .map(|delta| Reveal {
                hash: Delta::hash_of(&delta.encode()),
                weight: 100,
                delta,
            })
            .collect();
        let proofs: Vec<RevealRecord> = reveals
            .iter()
            .map(|r| RevealRecord::of(r.hash, &r.delta, r.weight))
            .collect();
        let key = [7; 32];
        let root = shard_root(&key, record_len, &records)?;
        let case = Case {
            rules: Rules {
                admit_floor_q8: 512,
                gain_floor_q8: 512,
                central_difference: 1,
            },
            base_root: MasterWeights::new(base.clone())?.root(),
            hold_out: HoldOut::Sealed { key, root },
            samples: u32::try_from(records.len() / record_len)?,
            reveals_root: reveals_tree(&proofs).root().hash,
            reveals: u32::try_from(proofs.len())?,
            median_norm: median_norm(&proofs),
            graph,
        };
        Ok(Self {
            case,
            base,
            records,
            reveals,
        })
    }

    /// The first round of the demo: its model, its samples, and deltas as its contributors train them.
    fn of_the_demo() -> Result<Self> {
        let set = FashionMnist::load(&FashionMnist::directory())?;
        let graph = Graph::mlp(&[784, 128, 10]);
        let base = initial_weights(&graph, 1);
        let (device, stop) = (burn::tensor::Device::flex(), AtomicBool::new(false));
        let deltas = (0..REVEALS).map(|part| {
            let config = TrainingConfig {
                seed: part.into(),
                ..TrainingConfig::default()
            };
            let data = set.train.part(part as usize, REVEALS as usize);
            let change = train(&graph, &base, &data, &config, &device, &mut |_| {}, &stop)?;
            anyhow::Ok(Delta::compress(&change, 100))
        });
        let deltas = deltas.collect::<Result<_>>()?;
        let records = set.test.slice(0..SAMPLES as usize).records();
        Self::new(graph, base, records, deltas)
    }

    /// A round of an untrained MLP on made-up samples, and deltas that change a weight each.
    fn made_up(layers: &[u32], samples: u32, deltas: u32) -> Result<Self> {
        let graph = Graph::mlp(layers);
        let base = initial_weights(&graph, 1);
        let classes = graph.classes();
        let records = (0..samples).flat_map(|sample| {
            let byte = move |input: u32| (sample.wrapping_mul(31) ^ input.wrapping_mul(7)) as u8;
            (0..layers[0]).map(byte).chain([(sample % classes) as u8])
        });
        let parameters = u32::try_from(base.len())?;
        let deltas = (0..deltas)
            .map(|number| {
                let position = number % parameters;
                let change = 100 + i16::try_from(number / parameters)?;
                Ok(Delta::new(parameters, vec![Entry { position, change }])?)
            })
            .collect::<Result<_>>()?;
        Self::new(graph, base, records.collect(), deltas)
    }

    fn samples(&self) -> Result<Samples> {
        let graph = &self.case.graph;
        Ok(Samples::new(graph.inputs, graph.classes(), &self.records)?)
    }

    fn score(&self, evaluator: &mut impl Evaluator, samples: &Samples) -> Result<RoundScore> {
        let Case { graph, rules, .. } = &self.case;
        Ok(score_round(
            evaluator,
            graph,
            &self.base,
            samples,
            &self.reveals,
            rules,
        )?)
    }

    fn honest(&self, evaluator: &mut impl Evaluator) -> Result<Witness> {
        let score = self.score(evaluator, &self.samples()?)?;
        Ok(Witness::new(
            self.case.clone(),
            self.base.clone(),
            self.records.clone(),
            self.reveals.clone(),
            score,
        )?)
    }

    fn liar(&self, evaluator: &mut impl Evaluator, lie: Lie) -> Result<Witness> {
        Ok(Witness::lying(
            self.case.clone(),
            self.base.clone(),
            self.records.clone(),
            self.reveals.clone(),
            evaluator,
            lie,
        )?)
    }
}

/// Time of a round's commitments (roots of losses, rows, weights, and of the attester's own work) over
/// the time of all else that scores it.
fn overhead(suffix: &str, round: &Round, report: &mut Map<String, Value>) -> Result<()> {
    let samples = round.samples()?;
    let mut seconds = [const { Vec::new() }; 2];
    for _ in 0..REPEATS {
        let start = Instant::now();
        let score = round.score(&mut FastCpu, &samples)?;
        let opening = score.table.opening();
        let root = work_root(&[1; 32], &score.evaluations);
        seconds[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        commit(&score)?;
        seconds[1].push(start.elapsed().as_secs_f64());
        std::hint::black_box((opening, root));
    }
    let [all, commitments] = seconds.map(median);
    for (name, value) in [
        ("overhead", commitments / (all - commitments)),
        ("round_ms", all * 1e3),
        ("commitments_ms", commitments * 1e3),
    ] {
        report.insert(format!("attester_{name}{suffix}"), rounded(value));
    }
    Ok(())
}

/// All that is hashed of a round besides its inputs.
fn commit(score: &RoundScore) -> Result<()> {
    let evaluations = &score.evaluations;
    let sides = evaluations.sides.iter().flatten().flatten();
    for losses in [&evaluations.base, &evaluations.merged]
        .into_iter()
        .chain(sides)
    {
        std::hint::black_box(losses_node(losses));
    }
    let similar = similar_tree(score.table.rows.iter().map(Row::similar_to));
    std::hint::black_box(similar.root());
    std::hint::black_box(MasterWeights::new(score.merged.clone())?.root());
    std::hint::black_box(score.table.opening());
    std::hint::black_box(work_root(&[1; 32], evaluations));
    Ok(())
}

/// A dispute that was played to its end.
struct Played {
    reveals: u32,
    bytes: usize,
    /// Milliseconds of the referee for its slowest answer.
    referee_ms: f64,
}

impl Played {
    /// The accused against an honest challenger; it has to lose.
    fn of(accused: &Witness, challenger: &Witness, referee: &Referee) -> Result<Self> {
        let (case, opening) = (challenger.case(), accused.score().table.opening());
        let accusation = challenger.accuse(&opening).context("the lie shows")?;
        let mut trial = Trial::open(&opening, case, accusation);
        let mut played = Self {
            reveals: 0,
            bytes: 0,
            referee_ms: 0.0,
        };
        loop {
            if trial.turn() == Turn::Challenger {
                let pick = challenger.pick(&trial).context("there is more to doubt")?;
                trial = trial.pick(case, &pick)?;
                continue;
            }
            let answer = accused.answer(&trial).context("the accused answers")?;
            played.reveals += 1;
            played.bytes += answer.encoded_size();
            let took = referee.milliseconds(case, &opening, &trial, &answer)?;
            played.referee_ms = played.referee_ms.max(took);
            match trial.answer(case, &opening, &answer)? {
                Ruling::Continues(next) => trial = next,
                Ruling::Refuted(_) => return Ok(played),
                Ruling::Upheld => bail!("the liar got away"),
            }
        }
    }
}

/// The lies of the demo's model that lead down every path of a dispute.
fn lies() -> [(&'static str, Lie); 4] {
    let of = Side::Plus(2);
    [
        (
            "word",
            Lie::Word {
                of,
                sample: 400,
                op: 0,
                at: 64,
                by: 1 << 26,
                carries: true,
            },
        ),
        (
            "weight",
            Lie::Weight {
                of,
                position: 50_000,
                by: 500,
            },
        ),
        (
            "term",
            Lie::Term {
                of,
                position: 50_000,
                row: 2,
                by: 500,
            },
        ),
        (
            "similar",
            Lie::Similar {
                row: 2,
                to: Some(0),
            },
        ),
    ]
}

/// Plays every kind of dispute about the demo's model.
fn disputes(
    round: &Round,
    honest: &Witness,
    referee: &Referee,
    report: &mut Map<String, Value>,
) -> Result<()> {
    let mut all = Vec::new();
    for (name, lie) in lies() {
        let liar = round.liar(&mut FastCpu, lie)?;
        let played = Played::of(&liar, honest, referee)?;
        report.insert(format!("dispute_reveals_{name}"), json!(played.reveals));
        report.insert(format!("dispute_bytes_{name}"), json!(played.bytes));
        all.push(played);
    }
    let most = |of: fn(&Played) -> f64| all.iter().map(of).fold(0.0, f64::max);
    report.insert(
        "dispute_reveals".into(),
        json!(most(|p| p.reveals.into()) as u32),
    );
    report.insert(
        "dispute_bytes".into(),
        json!(most(|p| p.bytes as f64) as u32),
    );
    report.insert("referee_ms".into(), rounded(most(|p| p.referee_ms)));
    Ok(())
}

/// The leaves that cost the referee most, whatever the model: as many samples, deltas and inputs as
/// there may be.
fn worst_leaves(referee: &Referee, report: &mut Map<String, Value>) -> Result<()> {
    let word = |op, at| Lie::Word {
        of: Side::Base,
        sample: 1,
        op,
        at,
        by: 1 << 26,
        carries: true,
    };
    // The last bias.
    let term = Lie::Term {
        of: Side::Plus(0),
        position: 2_145,
        row: 0,
        by: 20_000,
    };
    for (name, round, lie) in [
        ("samples", Round::made_up(&[16, 2], 4_096, 2)?, word(2, 0)),
        ("deltas", Round::made_up(&[64, 32, 2], 16, 1_024)?, term),
        ("inputs", Round::made_up(&[16_383, 2], 2, 2)?, word(0, 7)),
    ] {
        let mut exact = FastCpu;
        let honest = round.honest(&mut exact)?;
        let played = Played::of(&round.liar(&mut exact, lie)?, &honest, referee).context(name)?;
        report.insert(
            format!("referee_ms_most_{name}"),
            rounded(played.referee_ms),
        );
    }
    Ok(())
}

/// The referee as the chain runs it: in the runtime's Wasm.
struct Referee {
    executor: WasmExecutor,
    code: WrappedRuntimeCode<'static>,
    view_function: [u8; 32],
}

impl Referee {
    fn new() -> Result<Self> {
        let code = WASM_BINARY.context("the runtime was built with its Wasm")?;
        // Some constants in the metadata are read from storage.
        let metadata = sp_io::TestExternalities::default()
            .execute_with(|| Runtime::metadata_at_version(16))
            .context("metadata of version 16")?;
        let metadata = Metadata::decode(&mut &metadata[..])?;
        let view_function = metadata
            .pallet_by_name("Referee")
            .and_then(|pallet| pallet.view_function_by_name("rule"))
            .context("the referee has a view function `rule`")?;
        Ok(Self {
            executor: WasmExecutor::builder().build(),
            code: WrappedRuntimeCode(code.into()),
            view_function: *view_function.query_id(),
        })
    }

    /// Time that the referee takes for an answer: of the call, less that of a call that is refused
    /// before it looks at anything.
    fn milliseconds(
        &self,
        case: &Case,
        opening: &Opening,
        trial: &Trial,
        answer: &Answer,
    ) -> Result<f64> {
        let idle = Trial {
            statement: Statement::Similar,
            shown: Some(Shown::Similar(Vec::new())),
        };
        let mut seconds = [const { Vec::new() }; 2];
        for _ in 0..REPEATS {
            seconds[0].push(self.call(&(case, opening, trial, answer).encode(), true)?);
            let refused = (case, opening, &idle, Answer::Dots(Vec::new()));
            seconds[1].push(self.call(&refused.encode(), false)?);
        }
        let [all, idle] = seconds.map(median);
        Ok((all - idle).max(0.0) * 1e3)
    }

    /// Seconds of one call in a fresh instance.
    fn call(&self, arguments: &[u8], is_taken: bool) -> Result<f64> {
        let code = RuntimeCode {
            code_fetcher: &self.code,
            heap_pages: None,
            hash: vec![1],
        };
        let mut state = sp_io::TestExternalities::default();
        let input = (self.view_function, arguments).encode();
        let start = Instant::now();
        let (output, _) = self.executor.call(
            &mut state.ext(),
            &code,
            "RuntimeViewFunction_execute_view_function",
            &input,
            CallContext::Offchain,
        );
        let seconds = start.elapsed().as_secs_f64();
        let output = output.map_err(|error| anyhow::anyhow!("the runtime: {error}"))?;
        let ruling = Result::<Vec<u8>, ViewFunctionDispatchError>::decode(&mut &*output)?
            .map_err(|error| anyhow::anyhow!("the view function: {error:?}"))?;
        let ruling = Result::<Ruling, Refusal>::decode(&mut &*ruling)?;
        ensure!(ruling.is_ok() == is_taken, "the referee says {ruling:?}");
        Ok(seconds)
    }
}

/// A model that nobody trains here, by its layers, and what a dispute about it takes at most: the
/// answers are built at their full size, with nothing in them.
struct Shape {
    layers: Vec<u32>,
}

impl Shape {
    /// Number of parameters.
    fn parameters(&self) -> u64 {
        let layer = |pair: &[u32]| u64::from(pair[1]) * (u64::from(pair[0]) + 1);
        self.layers.windows(2).map(layer).sum()
    }

    /// The answers of a dispute about a wrong word, longest way.
    fn word(&self) -> Vec<Answer> {
        let tiles = self.trace_tiles();
        let trace = strides(tiles);
        let mut answers = self.row();
        let (first, rest) = trace.split_first().map_or((0, &[][..]), |(f, r)| (*f, r));
        answers.push(Answer::Sample {
            nodes: nodes(first),
            last: siblings(tiles),
        });
        answers.extend(rest.iter().map(|width| Answer::Nodes(nodes(*width))));
        answers.push(Answer::Tile(vec![0; 4 * TRACE_TILE as usize]));
        // A running sum that goes on from another, and reads as many inputs as one may: a word of the
        // widest layer but the first.
        let widest = self.layers[1..].iter().copied().max().unwrap_or(0);
        let inputs = widest.min(TRACE_WIDTH);
        let weight_tiles = u64::from(inputs).div_ceil(WEIGHT_TILE as u64) + 1;
        answers.push(Answer::Word {
            record: None,
            inputs: Some(Tiles {
                bytes: vec![0; inputs as usize],
                siblings: twice(siblings(tiles)),
            }),
            before: Some(Tiles {
                bytes: vec![0; 4 * TRACE_TILE as usize],
                siblings: siblings(tiles),
            }),
            weights: Some(Tiles {
                bytes: vec![0; 2 * WEIGHT_TILE * weight_tiles as usize],
                siblings: twice(siblings(self.weight_tiles())),
            }),
            bias: None,
        });
        answers
    }

    /// The answers of a dispute about a wrong weight, longest way.
    fn weight(&self) -> Vec<Answer> {
        let mut answers = self.row();
        let tiles = strides(self.weight_tiles());
        answers.extend(tiles.into_iter().map(|width| Answer::Nodes(nodes(width))));
        answers.push(Answer::Weights(vec![0; WEIGHT_TILE]));
        answers.push(Answer::Terms {
            base: Tiles {
                bytes: vec![0; 2 * WEIGHT_TILE],
                siblings: siblings(self.weight_tiles()),
            },
            terms: vec![Term::default(); REVEALS as usize],
        });
        let chunks = self.parameters().div_ceil(CHUNK as u64) as u32;
        answers.push(Answer::Term {
            part: Part::Midpoint(0, siblings(REVEALS)),
            record: reveal(),
            chunk: ProvedChunk {
                // A chunk at 10 %, by the demo's bits a parameter.
                bytes: vec![0; CHUNK * 7 / 80],
                siblings: siblings(chunks),
            },
        });
        answers
    }

    /// Tiles of a trace, as [`Layout`] has them of graphs that are not too large for it: of each layer
    /// the running sums, their requantisation, and the activation or the loss.
    fn trace_tiles(&self) -> u32 {
        let tiles = |words: u32| words.div_ceil(TRACE_TILE);
        let layer = |pair: &[u32]| {
            let sums = pair[1] * pair[0].div_ceil(TRACE_WIDTH);
            tiles(sums) + 2 * tiles(pair[1])
        };
        self.layers.windows(2).map(layer).sum()
    }

    fn weight_tiles(&self) -> u32 {
        self.parameters().div_ceil(WEIGHT_TILE as u64) as u32
    }

    /// Down to the losses of a row.
    fn row(&self) -> Vec<Answer> {
        let rows = strides(REVEALS).into_iter();
        let mut answers: Vec<Answer> = rows
            .map(|width| Answer::SumNodes(vec![SumNode::default(); width as usize]))
            .collect();
        let losses = || vec![0; SAMPLES as usize];
        answers.push(Answer::Row {
            row: row(),
            record: reveal(),
            similar: siblings(REVEALS),
            losses: [losses(), losses()],
            weights: [[0; 32]; 2],
        });
        answers
    }
}

/// Nodes that are shown at each stride from the root of a tree to a leaf.
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

/// As many siblings as a leaf of so many has at most.
fn siblings(leaves: u32) -> Vec<Hash> {
    let levels = u32::BITS - leaves.saturating_sub(1).leading_zeros();
    vec![[0; 32]; levels as usize]
}

/// A span has siblings on both sides.
fn twice(siblings: Vec<Hash>) -> Vec<Hash> {
    [&siblings[..], &siblings].concat()
}

fn reveal() -> ProvedReveal {
    ProvedReveal {
        record: RevealRecord {
            delta_hash: [0; 32],
            delta_root: [0; 32],
            weight: 0,
            square_norm: 0,
        },
        siblings: siblings(REVEALS),
    }
}

fn row() -> Row {
    Row {
        delta_hash: [0; 32],
        weight: 0,
        clip_q16: 0,
        phi: 0,
        standard_error: 0,
        standing: Standing::Admitted,
        share: 0,
        minus: SumNode::default(),
        plus: SumNode::default(),
    }
}

/// Reveals and bytes by construction, for the demo's model and for larger ones. Alternating widths, as
/// in the feed-forward blocks of a transformer.
fn shapes(report: &mut Map<String, Value>) -> Result<()> {
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
        for (path, answers) in [("word", shape.word()), ("weight", shape.weight())] {
            let bytes: usize = answers.iter().map(Encode::encoded_size).sum();
            report.insert(
                format!("dispute_reveals_{name}_{path}"),
                json!(answers.len()),
            );
            report.insert(format!("dispute_bytes_{name}_{path}"), json!(bytes));
            // A block for each answer and for each pick between two, as real disputes take.
            let blocks = 2 * answers.len() - 1;
            report.insert(format!("dispute_blocks_{name}_{path}"), json!(blocks));
        }
    }
    Ok(())
}

/// Seconds from the opening to the verdict of a dispute about the demo's model, between real processes
/// on a development chain.
async fn real_dispute(report: &mut Map<String, Value>) -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith", "Liar"]).await?;
    let size = "--model=mlp:784,128,10 --shards=1 --shard-samples=800";
    let task = network
        .open_task(size, &["One"], &["Judith", "Liar"], 1)
        .await?;
    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={task}"))?,
        network.daemon("One", &format!("contribute --task={task} --steps=100"))?,
        network.daemon("Judith", "attest")?,
        network.daemon("Liar", "attest --lie=word")?,
    ];
    let limit = Duration::from_secs(240);
    network
        .until("a dispute", limit, async |moment| {
            Ok(moment.disputes(Some(task)).await?.pop())
        })
        .await?;
    let start = Instant::now();
    let verdict = network
        .until("its verdict", limit, async |moment| {
            Ok(moment.verdicts().await?.pop())
        })
        .await?;
    ensure!(verdict.verdict.convicts(), "{verdict:?}");
    let seconds = start.elapsed().as_secs_f64();
    report.insert("dispute_seconds".into(), rounded(seconds));
    let blocks = verdict.ended_at - verdict.opened_at;
    report.insert("dispute_blocks".into(), json!(blocks));
    Ok(())
}
