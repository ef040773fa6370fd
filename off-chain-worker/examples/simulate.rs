//! The protocol's rounds in one process, without a chain: four honest contributors on disjoint
//! quarters of Fashion-MNIST, one that submits noise, exact scoring of each round on its own hold-out
//! shard. Prints how fast the model improves, and each contributor's credit in millibits a sample: `-` if its delta was
//! dropped. At the end, what each has proved.
//!
//!     cargo run -p gotong --example simulate -- --rounds 10

use std::{sync::atomic::AtomicBool, time::Instant};

use anyhow::Result;
use clap::Parser;
use gotong::{
    evaluation::FastCpu,
    training::{
        add_residual,
        data::{FashionMnist, Labelled},
        initial_weights, noise_change, train, DeviceChoice, TrainingConfig,
    },
};
use gotong_scoring::{
    blake2_256,
    share::{company::Entrant, entry_weight, share_round},
    Delta, Evaluator, Graph, Ledger, Samples, ShareTerms,
};

/// Samples that score one round.
const SHARD: usize = 800;
/// Test images from here on never score a round; they measure the model.
const HELD_OUT: usize = 8_000;
const HONEST: usize = 4;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    #[arg(long, default_value_t = TrainingConfig::default().steps)]
    steps: usize,
    #[arg(long, default_value_t = TrainingConfig::default().batch)]
    batch: usize,
    #[arg(long, default_value_t = TrainingConfig::default().learning_rate)]
    learning_rate: f64,
    /// Changed parameters of a thousand.
    #[arg(long, default_value_t = 100)]
    keep_permille: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value_t = DeviceChoice::Flex)]
    device: DeviceChoice,
}

/// What a contributor remembers between rounds.
struct Contributor {
    data: Labelled,
    /// What its deltas so far left out of its changes.
    residual: Vec<i32>,
    honest: bool,
    /// What its credits prove.
    ledger: Ledger,
}

impl Contributor {
    fn delta(
        &mut self,
        graph: &Graph,
        master: &[i16],
        options: &Options,
        seed: u64,
    ) -> Result<Delta> {
        let config = TrainingConfig {
            steps: options.steps,
            batch: options.batch,
            learning_rate: options.learning_rate,
            seed,
            ..TrainingConfig::default()
        };
        let device = options.device.open()?;
        let stop = AtomicBool::new(false);
        let mut change = train(
            graph,
            master,
            &self.data,
            &config,
            &device,
            &mut |_| {},
            &stop,
        )?;
        if self.honest {
            add_residual(&mut change, &self.residual);
        } else {
            change = noise_change(change.len(), seed, &change);
        }
        let delta = Delta::compress(&change, options.keep_permille);
        self.residual = delta.residual(&change);
        Ok(delta)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let set = FashionMnist::load(&FashionMnist::directory())?;
    let graph = Graph::mlp(&[784, 128, 10]);
    let held_out = samples(&graph, &set.test.slice(HELD_OUT..set.test.len()))?;
    let mut master = initial_weights(&graph, options.seed);
    let mut contributors: Vec<Contributor> = (0..=HONEST)
        .map(|index| Contributor {
            data: set.train.part(index % HONEST, HONEST),
            residual: vec![0; graph.parameters()],
            honest: index < HONEST,
            ledger: Ledger::default(),
        })
        .collect();
    println!("start: {}", measure(&graph, &master, &held_out)?);
    for round in 0..options.rounds {
        let shard = set
            .test
            .slice(round * SHARD..((round + 1) * SHARD).min(HELD_OUT));
        let shard = samples(&graph, &shard)?;
        master = play(&graph, &master, &shard, &mut contributors, &options, round)?;
        println!("         {}", measure(&graph, &master, &held_out)?);
    }
    for contributor in &contributors {
        let who = if contributor.honest {
            "honest"
        } else {
            "noise"
        };
        let ledger = &contributor.ledger;
        println!(
            "{who}: credits {:+.1}, proved {:.1} millibits a sample",
            millibits(ledger.sum),
            millibits(ledger.proved as i64)
        );
    }
    let proved = |contributor: &Contributor| contributor.ledger.proved;
    let honest = contributors[..HONEST].iter().map(proved).sum::<u64>() / HONEST as u64;
    println!(
        "noise proved {:.2} % of what the honest prove in the mean",
        100.0 * proved(&contributors[HONEST]) as f64 / honest.max(1) as f64
    );
    Ok(())
}

/// Units of a ledger, in millibits a sample of half a shard.
fn millibits(units: i64) -> f64 {
    units as f64 * 1000.0 / 65_536.0 / (SHARD / 2) as f64
}

/// Plays one round, books the credits, and gives the master weights after it.
fn play(
    graph: &Graph,
    master: &[i16],
    shard: &Samples,
    contributors: &mut [Contributor],
    options: &Options,
    round: usize,
) -> Result<Vec<i16>> {
    let start = Instant::now();
    let terms = ShareTerms::default();
    let mut deltas = Vec::new();
    for (index, contributor) in contributors.iter_mut().enumerate() {
        let seed = options.seed * 1_000_000 + (round * 1_000 + index) as u64;
        deltas.push(contributor.delta(graph, master, options, seed)?);
    }
    let bytes: usize = deltas.iter().map(|delta| delta.encode().len()).sum();
    let trained = start.elapsed();
    let entrants: Vec<Entrant> = deltas
        .iter()
        .zip(contributors.iter())
        .map(|(delta, contributor)| {
            let is_proven = contributor.ledger.is_proven(terms.doubt_q8);
            Entrant {
                delta,
                weight: entry_weight(1, is_proven),
                is_proven,
            }
        })
        .collect();
    let seed = blake2_256(&[
        b"simulate",
        &options.seed.to_le_bytes(),
        &round.to_le_bytes(),
    ]);
    let scored = share_round(&mut FastCpu, graph, master, shard, &seed, &entrants, &terms)?;
    print!("round {round:2}: credits");
    for (credit, contributor) in scored.credits.iter().zip(contributors) {
        match credit {
            Some(credit) => {
                contributor.ledger.add(credit, terms.doubt_q8);
                print!(" {:+8.1}", millibits(credit.credit));
            }
            None => print!("        -"),
        }
    }
    println!(
        " | gain {:+.1} millibits{}, {} companies tried | {} bytes a delta | trained {:.1} s, scored {:.2} s",
        millibits(scored.gain),
        if scored.merged_pass.is_some() {
            ""
        } else {
            ", nothing merged"
        },
        scored.passes.len(),
        bytes / deltas.len(),
        trained.as_secs_f64(),
        (start.elapsed() - trained).as_secs_f64(),
    );
    Ok(scored.weights)
}

fn samples(graph: &Graph, set: &Labelled) -> Result<Samples> {
    Ok(Samples::new(graph.inputs, graph.classes(), &set.records())?)
}

/// Loss and accuracy on samples that never score a round.
fn measure(graph: &Graph, master: &[i16], samples: &Samples) -> Result<String> {
    let losses = FastCpu.losses(graph, master, samples)?;
    let loss = losses.iter().map(|&l| f64::from(l)).sum::<f64>() / losses.len() as f64 / 65_536.0;
    let predicted = FastCpu.predict(graph, master, samples)?;
    let right = predicted
        .iter()
        .zip(samples.labels())
        .filter(|(a, b)| a == b)
        .count();
    let accuracy = 100.0 * right as f64 / samples.len() as f64;
    Ok(format!(
        "held-out loss {loss:.4} bits, accuracy {accuracy:.2} %"
    ))
}
