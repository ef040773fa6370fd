use super::super::{
    data::FashionMnist,
    initial_weights, noise_change,
    test_model::{self, small_transformer, SMALL_TRANSFORMER},
    Optimizer, Span,
};
use super::*;
use burn::{
    grad_clipping::GradientClipping,
    optim::{
        momentum::MomentumConfig, AdamWConfig, AdjustLrFn, MuonConfig, Optimizer as _, SgdConfig,
    },
};
use codec::{Decode, Encode};
use gotong_scoring::{
    arith::MASTER_BOUND, Cnn, Convolution, Evaluator, Image, Op, Pool, Reference, Samples,
    Transformer, Width, Window,
};
use rand::{rngs::StdRng, Rng, SeedableRng};
use std::{
    ops::Range,
    time::{Duration, Instant},
};

fn run(graph: &Graph, data: &Labelled, config: &TrainingConfig) -> Vec<i32> {
    let master = initial_weights(graph, 1);
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    train(graph, &master, data, config, &device, &mut |_| {}, &stop).unwrap()
}

fn stepped(master: &[i16], change: &[i32]) -> Vec<i16> {
    let bound = i32::from(MASTER_BOUND);
    let sum = |(&w, &c): (&i16, &i32)| (i32::from(w) + c).clamp(-bound, bound) as i16;
    master.iter().zip(change).map(sum).collect()
}

/// Mean loss in bits, by the machine.
fn exact(graph: &Graph, master: &[i16], data: &Labelled) -> f64 {
    let samples = Samples::new(graph.inputs, graph.classes(), &data.records()).unwrap();
    let losses = Reference.losses(graph, master, &samples).unwrap();
    losses.iter().map(|&l| f64::from(l)).sum::<f64>() / losses.len() as f64 / 65_536.0
}

#[test]
fn training_lowers_the_exact_loss_and_the_float_loss_equals_it() {
    let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
    let (part, test) = (set.train.slice(0..2_000), set.test.slice(0..500));
    let graph = Graph::mlp(&[784, 32, 16, 10]);
    let config = TrainingConfig {
        steps: 120,
        ..TrainingConfig::default()
    };
    let first = initial_weights(&graph, 1);
    let change = run(&graph, &part, &config);
    assert_eq!(run(&graph, &part, &config), change, "the seed decides");
    let network = Network::new(&graph, &first, &Device::flex()).unwrap();
    assert_eq!(network.master().unwrap(), first);
    let trained = stepped(&first, &change);
    let (before, after) = (exact(&graph, &first, &test), exact(&graph, &trained, &test));
    assert!(before > 3.0 && after < 1.6, "from {before} to {after} bits");

    let float = float(&graph, &trained, &test);
    let apart = (float - after).abs();
    assert!(apart < 0.02, "float {float}, exact {after} bits");

    let noise = noise_change(change.len(), 1, &change);
    assert!(exact(&graph, &stepped(&first, &noise), &test) > before - 0.2);
}

/// Samples that cannot be divided evenly among the cores: the mean counts every sample once.
#[test]
fn parts_of_a_batch_add_up_to_all_of_it() {
    let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
    let (graph, device) = (Graph::mlp(&[784, 16, 10]), Device::flex());
    let network = Network::new(&graph, &initial_weights(&graph, 1), &device).unwrap();
    let samples: Vec<usize> = (0..7).collect();
    let computed = |cores: usize| {
        let cores = Cores::new(cores).unwrap();
        let batch = |chosen: &[usize]| Batch::of(&graph, &set.train, chosen, &device);
        let (loss, gradients) = cores.gradients(&network, &samples, batch);
        let mut descent = Descent::new(Optimizer::Momentum, &network, None, &device);
        let next = descent.step(1.0, network.clone(), gradients);
        (bits(loss).unwrap(), next.master().unwrap())
    };
    let (loss, weights) = computed(1);
    for cores in [2, 3, 9] {
        let (other_loss, others) = computed(cores);
        assert!((loss - other_loss).abs() < 1e-4, "{loss} and {other_loss}");
        let far = |(a, b): &(&i16, &i16)| a.abs_diff(**b) > 1;
        assert_eq!(weights.iter().zip(&others).filter(far).count(), 0);
    }
}

#[test]
fn a_convolutional_network_learns_and_its_float_loss_equals_the_exact_one() {
    let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
    let (part, test) = (set.train.slice(0..2_000), set.test.slice(0..200));
    let convolution = |channels, pool| Convolution {
        channels,
        window: Window {
            size: 3,
            stride: 1,
            padding: 1,
        },
        pool,
    };
    let graph = Graph::cnn(&Cnn {
        image: Image {
            height: 28,
            width: 28,
            channels: 1,
        },
        convolutions: vec![convolution(8, Pool::Max(2)), convolution(16, Pool::Mean(2))],
        hidden: vec![],
        classes: 10,
    });
    let config = TrainingConfig {
        steps: 60,
        ..TrainingConfig::of(&graph)
    };
    let first = initial_weights(&graph, 1);
    let change = run(&graph, &part, &config);
    let trained = stepped(&first, &change);
    let (before, after) = (exact(&graph, &first, &test), exact(&graph, &trained, &test));
    let apart = (float(&graph, &trained, &test) - after).abs();
    println!("from {before} to {after} bits exact, {apart} apart");
    assert!(before > 2.5 && after < 1.6, "from {before} to {after} bits");
    assert!(apart < 0.01, "float and exact loss are {apart} bits apart");
}

/// Windows of the licence's text; a token is a byte less 32.
fn text(tokens: usize, range: Range<usize>) -> Labelled {
    let license = include_bytes!("../../../LICENSE");
    let text: Vec<u8> = license.iter().map(|c| c.saturating_sub(32)).collect();
    let windows = range.map(|window| &text[window * 7..][..=tokens]);
    let windows: Vec<&[u8]> = windows.collect();
    Labelled {
        inputs: tokens,
        pixels: windows.iter().flat_map(|w| &w[..tokens]).copied().collect(),
        labels: windows.iter().map(|window| window[tokens]).collect(),
    }
}

fn float(graph: &Graph, master: &[i16], data: &Labelled) -> f64 {
    float_loss(graph, master, data, &Device::flex())
        .unwrap()
        .into()
}

/// An image cut into patches that attend to one another.
#[test]
fn attention_of_patches_has_the_exact_loss() {
    let requant = |shift_in, width| Op::Requant {
        shift_in,
        multiplier: 64,
        shift_out: 6,
        width,
    };
    let linear = |inputs, outputs| Op::Linear {
        inputs,
        outputs,
        bias_shift: 0,
    };
    let (heads, head_width, patches) = (2, 8, 4);
    let graph = Graph {
        inputs: 64,
        ops: vec![
            Op::Im2col {
                image: Image {
                    height: 8,
                    width: 8,
                    channels: 1,
                },
                window: Window {
                    size: 4,
                    stride: 4,
                    padding: 0,
                },
            },
            linear(16, 3 * heads * head_width),
            requant(9, Width::Narrow),
            Op::Scores { heads, head_width },
            requant(4, Width::Wide),
            Op::Softmax {
                heads,
                tokens: patches,
            },
            Op::Mix {
                from: 2,
                heads,
                head_width,
            },
            requant(4, Width::Narrow),
            Op::Flatten,
            linear(patches * heads * head_width, 10),
            requant(7, Width::Wide),
            Op::CrossEntropy { classes: 10 },
        ],
    };
    let mut random = StdRng::seed_from_u64(3);
    let master: Vec<i16> = (0..graph.parameters())
        .map(|_| random.random_range(-MASTER_BOUND..=MASTER_BOUND))
        .collect();
    let data = Labelled {
        inputs: 64,
        pixels: (0..64 * 20).map(|_| random.random()).collect(),
        labels: (0..20).map(|_| random.random_range(0..10)).collect(),
    };
    let (exact, float) = (exact(&graph, &master, &data), float(&graph, &master, &data));
    assert!((exact - float).abs() < 0.05, "exact {exact}, float {float}");
}

#[test]
fn a_language_model_learns_and_its_float_loss_equals_the_exact_one() {
    for tied in [false, true] {
        let graph = Graph::transformer(&Transformer {
            vocab: 96,
            tokens: 32,
            width: 64,
            heads: 4,
            hidden: 256,
            layers: 2,
            tied,
        });
        let (learned, other) = (text(32, 0..1_200), text(32, 1_300..1_380));
        let config = TrainingConfig {
            steps: 100,
            ..TrainingConfig::of(&graph)
        };
        let first = initial_weights(&graph, 1);
        let change = run(&graph, &learned, &config);
        assert_eq!(run(&graph, &learned, &config), change, "the seed decides");
        let trained = stepped(&first, &change);
        for (master, most) in [(&first, 8.0), (&trained, 4.2)] {
            let exact = exact(&graph, master, &other) / 32.0;
            let apart = (float(&graph, master, &other) - exact).abs();
            println!("tied {tied}: {exact} bits exact, {apart} apart");
            assert!(exact < most, "{exact} bits a token");
            assert!(apart < 0.01, "{apart} bits a token apart");
        }
    }
}

fn tiny() -> (Graph, Labelled) {
    let data = Labelled {
        inputs: 4,
        pixels: vec![255, 0, 0, 0, 0, 255, 0, 0],
        labels: vec![0, 1],
    };
    (Graph::mlp(&[4, 8, 2]), data)
}

#[test]
fn a_batch_larger_than_the_data_is_all_of_it() {
    let (graph, data) = tiny();
    let change = run(&graph, &data, &TrainingConfig::default());
    let trained = stepped(&initial_weights(&graph, 1), &change);
    let loss = exact(&graph, &trained, &data);
    assert!(loss < 0.5, "{loss} bits");
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let (graph, data) = tiny();
    let master = initial_weights(&graph, 1);
    let config = TrainingConfig::default();
    let attempt = |graph: &Graph, data: &Labelled, config: &TrainingConfig, stopped: bool| {
        let (device, stop) = (Device::flex(), AtomicBool::new(stopped));
        train(graph, &master, data, config, &device, &mut |_| {}, &stop).unwrap_err()
    };
    let error = attempt(&graph, &data, &config, true);
    assert_eq!(error, TrainingError::Stopped);
    let error = attempt(&graph, &data.slice(0..0), &config, false);
    assert_eq!(error, TrainingError::Empty);
    let mut foreign = data.clone();
    foreign.labels[0] = 2;
    let error = attempt(&graph, &foreign, &config, false);
    assert!(matches!(error, TrainingError::WrongData { .. }));
    let language = Graph::transformer(&Transformer {
        vocab: 4,
        tokens: 4,
        width: 4,
        heads: 1,
        hidden: 4,
        layers: 1,
        tied: true,
    });
    let error = Network::new(&language, &master, &Device::flex()).unwrap_err();
    assert!(matches!(error, UntrainableGraph::WrongParameters { .. }));
    let weights = initial_weights(&language, 1);
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let config_of_text = TrainingConfig::of(&language);
    let error = train(
        &language,
        &weights,
        &data,
        &config_of_text,
        &device,
        &mut |_| {},
        &stop,
    );
    assert!(
        matches!(error, Err(TrainingError::WrongData { .. })),
        "a token of 255"
    );
    // The loss before the only update is finite; the weights after it are not.
    let wild = TrainingConfig {
        steps: 1,
        learning_rate: f64::NAN,
        ..TrainingConfig::default()
    };
    let error = attempt(&graph, &data, &wild, false);
    assert_eq!(error, TrainingError::Diverged);
    let error = attempt(&Graph::mlp(&[4, 7, 2]), &data, &config, false);
    assert!(matches!(error, TrainingError::Graph(_)));
}

#[test]
fn progress_ends_at_the_last_step() {
    let (graph, data) = tiny();
    let config = TrainingConfig {
        steps: 23,
        ..TrainingConfig::default()
    };
    let master = initial_weights(&graph, 1);
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let mut seen = Vec::new();
    let mut progress = |step: Step| seen.push((step.step, step.of));
    train(
        &graph,
        &master,
        &data,
        &config,
        &device,
        &mut progress,
        &stop,
    )
    .unwrap();
    assert_eq!(seen, [(10, 23), (20, 23), (23, 23)]);
}

/// A training of 20 updates or, if there is time, of 60, from a checkpoint if there is one, and stopped after update `last`: what came
/// of it, its checkpoints, and the updates that it was to make by its last report.
fn growing(
    deadline: Option<&Deadline>,
    checkpoint: Option<&Checkpoint>,
    last: Option<usize>,
) -> (Result<Trained, TrainingError>, Vec<Checkpoint>, usize) {
    let (graph, data) = tiny();
    let config = TrainingConfig {
        steps: 20,
        ..TrainingConfig::default()
    };
    let master = initial_weights(&graph, 1);
    let start = Start {
        graph: &graph,
        master: &master,
        memory: None,
        checkpoint,
    };
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let (mut kept, mut of) = (Vec::new(), 0);
    let mut keep = |checkpoint: Checkpoint| {
        stop.fetch_or(Some(checkpoint.step()) == last, Ordering::Relaxed);
        kept.push(checkpoint);
    };
    let supervisor = Supervisor {
        progress: &mut |step: Step| of = step.of,
        checkpoints: Some(CheckpointSink {
            every: Duration::ZERO,
            keep: &mut keep,
        }),
        stop: &stop,
        deadline,
        most_steps: Some(60),
    };
    let trained = train_from(start, &data, &config, &device, supervisor);
    (trained, kept, of)
}

#[test]
fn a_training_makes_more_updates_if_there_is_time() {
    let deadline = Deadline::default();
    let of = |deadline| growing(deadline, None, None).2;
    assert_eq!((of(None), of(Some(&deadline))), (20, 20), "not known");
    deadline.set(Instant::now() + Duration::from_secs(3_600));
    assert_eq!(of(Some(&deadline)), 60);
    deadline.keep_to_usual();
    assert_eq!(of(Some(&deadline)), 20);
    deadline.set(Instant::now());
    assert!(of(Some(&deadline)) < 20, "it is over");
}

#[test]
fn a_training_that_was_to_make_more_updates_goes_on_to_the_same_bits() {
    let deadline = Deadline::default();
    deadline.set(Instant::now() + Duration::from_secs(3_600));
    let (whole, _, of) = growing(Some(&deadline), None, None);
    assert_eq!(of, 60);
    let (stopped, mut kept, _) = growing(Some(&deadline), None, Some(30));
    assert_eq!(stopped.unwrap_err(), TrainingError::Stopped);
    let checkpoint = kept.pop().unwrap();
    assert_eq!(checkpoint.step(), 30);
    // It does not decide again.
    let (resumed, _, of) = growing(None, Some(&checkpoint), None);
    assert_eq!(of, 60);
    assert_eq!(resumed.unwrap().change, whole.unwrap().change);
}

/// What is written and read again is the same as what never left the memory.
#[test]
fn an_optimizer_goes_on_where_it_was() {
    let (graph, data, device) = (small_transformer(), test_model::text(40, 0), Device::flex());
    let network = Network::new(&graph, &initial_weights(&graph, 1), &device).unwrap();
    let cores = Cores::new(1).unwrap();
    let step = |descent: &mut Descent, network: &Network, samples: &[usize]| {
        let (_, gradients) = cores.gradients(network, samples, |chosen| {
            Batch::of(&graph, &data, chosen, &device)
        });
        descent.step(0.01, network.clone(), gradients)
    };
    let mut descent = Descent::new(Optimizer::Muon, &network, None, &device);
    assert_eq!((descent.updates(), descent.memory().unwrap()), (0, None));
    let first = step(&mut descent, &network, &[0, 1, 2]);
    let memory = descent.memory().unwrap().unwrap();
    let memory = Memory::decode(&mut &memory.encode()[..]).unwrap();
    let mut other = Descent::new(Optimizer::Muon, &first, Some(&memory), &device);
    let mut fresh = Descent::new(Optimizer::Muon, &first, None, &device);
    let [went_on, restored, forgot] = [&mut descent, &mut other, &mut fresh]
        .map(|descent| step(descent, &first, &[3, 4]).master().unwrap());
    assert_eq!(restored, went_on);
    assert_ne!(forgot, went_on);
    assert_eq!(other.updates(), 2);
}

/// Burn has the same optimizer, but does not show what it remembers.
#[test]
fn momentum_is_that_of_burn() {
    let (graph, data) = tiny();
    let device = Device::flex();
    let network = Network::new(&graph, &initial_weights(&graph, 1), &device).unwrap();
    let cores = Cores::new(1).unwrap();
    let gradients = |network: &Network| {
        let batch = |chosen: &[usize]| Batch::of(&graph, &data, chosen, &device);
        cores.gradients(network, &[0, 1], batch).1
    };
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).build();
    let mut states = vec![None; network.shapes().len()];
    let mut descent = Descent::new(Optimizer::Momentum, &network, None, &device);
    let (mut own, mut other) = (network.clone(), network);
    for rate in [0.3, 0.2, 0.1] {
        let of_own = gradients(&own);
        own = descent.step(rate, own, of_own);
        let of_other = gradients(&other);
        other = other.updated(of_other, &mut states, |_, state, master, gradient| {
            let (master, new) = sgd.step(rate, master, gradient, state.take());
            *state = new;
            master
        });
        assert_eq!(own.masters().unwrap(), other.masters().unwrap());
    }
}

/// Equals Burn's own Muon on the weights between hidden layers, and AdamW on the rest.
#[test]
fn muon_is_that_of_burn() {
    let (data, device) = (test_model::text(40, 0), Device::flex());
    let momentum = MomentumConfig::new()
        .with_momentum(0.9)
        .with_dampening(0.0)
        .with_nesterov(true);
    let muon = MuonConfig::new()
        .with_momentum(momentum)
        .with_ns_steps(3)
        .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
        .build();
    let adam = AdamWConfig::new()
        .with_beta_2(0.99)
        .with_epsilon(1e-8)
        .with_weight_decay(0.0)
        .build();
    let cores = Cores::new(1).unwrap();
    for tied in [true, false] {
        let graph = Graph::transformer(&Transformer {
            tied,
            ..SMALL_TRANSFORMER
        });
        let network = Network::new(&graph, &initial_weights(&graph, 1), &device).unwrap();
        let gradients = |network: &Network| {
            let batch = |chosen: &[usize]| Batch::of(&graph, &data, chosen, &device);
            cores.gradients(network, &[0, 1], batch).1
        };
        let hidden = network.hidden_weights();
        let mut states: Vec<_> = hidden.iter().map(|_| (None, None)).collect();
        let mut descent = Descent::new(Optimizer::Muon, &network, None, &device);
        let (mut own, mut other) = (network.clone(), network);
        for rate in [0.03, 0.02, 0.01] {
            let of_own = gradients(&own);
            own = descent.step(rate, own, of_own);
            let of_other = gradients(&other);
            other = other.updated(of_other, &mut states, |at, state, master, gradient| {
                let gradient = GradientClipping::Norm(1.0).clip_gradient(gradient);
                let (of_muon, of_adam) = state;
                if hidden[at] {
                    let (master, new) = muon.step(rate, master, gradient, of_muon.take());
                    *of_muon = new;
                    return master;
                }
                let (master, new) = adam.step(rate, master, gradient, of_adam.take());
                *of_adam = new;
                master
            });
            let apart = own.masters().unwrap().concat();
            let apart = apart.iter().zip(other.masters().unwrap().concat());
            let most = apart.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-5, "{most}");
        }
    }
}

/// The last linear op gives the logits, unless the embedding does.
#[test]
fn weights_between_hidden_layers_are_known() {
    let of = |tied: bool| {
        let graph = Graph::transformer(&Transformer {
            vocab: 84,
            tokens: 32,
            width: 48,
            heads: 3,
            hidden: 96,
            layers: 2,
            tied,
        });
        let master = vec![0; graph.parameters()];
        let network = Network::new(&graph, &master, &Device::flex()).unwrap();
        let shapes = network.shapes().into_iter().zip(network.hidden_weights());
        shapes
            .filter_map(|(shape, is_hidden)| is_hidden.then_some(shape))
            .collect::<Vec<_>>()
    };
    let layer = [[48, 144], [48, 48], [48, 96], [96, 48]];
    assert_eq!(of(true), [layer, layer].concat());
    assert_eq!(of(false), of(true));
}

#[test]
fn a_memory_of_another_model_counts_as_none() {
    let (graph, data) = (small_transformer(), test_model::text(40, 0));
    let config = TrainingConfig {
        steps: 3,
        batch: 4,
        ..TrainingConfig::of(&graph)
    };
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let master = initial_weights(&graph, 1);
    let trained = |memory: Option<&Memory>| {
        let start = Start {
            graph: &graph,
            master: &master,
            memory,
            checkpoint: None,
        };
        let supervisor = Supervisor {
            progress: &mut |_| {},
            checkpoints: None,
            stop: &stop,
            deadline: None,
            most_steps: None,
        };
        train_from(start, &data, &config, &device, supervisor).unwrap()
    };
    let first = trained(None);
    let memory = first.memory.unwrap();
    assert_ne!(trained(Some(&memory)).change, first.change);
    assert_eq!(trained(Some(&Memory::default())).change, first.change);
    let network = Network::new(&Graph::mlp(&[3, 2]), &[0; 8], &device).unwrap();
    let descent = Descent::new(Optimizer::Muon, &network, Some(&memory), &device);
    assert_eq!(descent.updates(), 0);
    assert_eq!(run(&graph, &data, &config), first.change);
}

#[test]
fn a_rate_falls_over_all_rounds_of_a_task() {
    let config = |round: u32, rounds: u32| TrainingConfig {
        steps: 80,
        span: Span::of_round(round, rounds),
        learning_rate: 1.0,
        optimizer: Optimizer::Muon,
        ..TrainingConfig::default()
    };
    let rate = |round: u32, step: usize, updates: usize| config(round, 10).rate(step, updates, 80);
    assert!((rate(0, 0, 0) - 1.0 / 16.0).abs() < 1e-9, "it warms up");
    assert!(
        (rate(0, 15, 15) - 785.0 / 800.0).abs() < 1e-9,
        "and is warm"
    );
    assert!((rate(1, 0, 80) - 0.9).abs() < 1e-9, "once");
    assert!((rate(5, 40, 440) - 0.45).abs() < 1e-9);
    assert!((rate(9, 79, 799) - 0.1 / 80.0).abs() < 1e-9, "to its end");
    // A later contributor warms up too, and nobody does for more than a round.
    assert!((rate(5, 0, 0) - 0.5 / 16.0).abs() < 1e-9);
    assert!((config(500, 1000).rate(0, 0, 80) - 0.5 / 80.0).abs() < 1e-9);
    // No rate is below zero, whatever the round's number.
    assert_eq!(config(12, 10).rate(3, 1000, 80), 0.0);
    assert_eq!(Span::of_round(0, 1), Span::WHOLE);
    // With momentum it falls over every training.
    let momentum = TrainingConfig {
        optimizer: Optimizer::Momentum,
        ..config(5, 10)
    };
    assert_eq!([0, 40].map(|step| momentum.rate(step, 0, 80)), [1.0, 0.5]);
}
