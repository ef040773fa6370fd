//! The protocol's rounds in one process, without a chain: four honest contributors on disjoint
//! quarters of Fashion-MNIST, one that submits noise, exact scoring of each round on its own hold-out
//! shard. Prints how fast the model improves and each contributor's midpoint share in bits a sample:
//! `*` admitted, `=` out because an earlier delta is too similar.
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
use gotong_scoring::{score_round, Delta, Evaluator, Graph, Reveal, Rules, Samples, Standing};

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
    earned: u64,
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
            earned: 0,
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
    let honest = contributors[..HONEST].iter().map(|c| c.earned).sum::<u64>() / HONEST as u64;
    let noise = contributors[HONEST].earned;
    println!(
        "noise earned {:.2} % of the mean honest share",
        100.0 * noise as f64 / honest as f64
    );
    Ok(())
}

/// Plays one round, books the shares, and gives the master weights after it.
fn play(
    graph: &Graph,
    master: &[i16],
    shard: &Samples,
    contributors: &mut [Contributor],
    options: &Options,
    round: usize,
) -> Result<Vec<i16>> {
    let start = Instant::now();
    let mut reveals = Vec::new();
    let mut bytes = 0;
    for (index, contributor) in contributors.iter_mut().enumerate() {
        let seed = options.seed * 1_000_000 + (round * 1_000 + index) as u64;
        let delta = contributor.delta(graph, master, options, seed)?;
        let encoded = delta.encode();
        bytes += encoded.len();
        reveals.push(Reveal {
            hash: Delta::hash_of(&encoded),
            weight: 1,
            delta,
        });
    }
    let trained = start.elapsed();
    let rules = Rules {
        admit_floor_q8: 256,
        gain_floor_q8: 512,
        central_difference: 1,
    };
    let score = score_round(&mut FastCpu, graph, master, shard, &reveals, &rules)?;
    let bits = |q16: f64| q16 / 65_536.0 / shard.len() as f64;
    print!("round {round:2}: phi");
    for (row, contributor) in score.table.rows.iter().zip(contributors) {
        contributor.earned += row.share;
        let mark = match row.standing {
            Standing::Admitted => '*',
            Standing::Similar { .. } => '=',
            Standing::BelowFloor => ' ',
        };
        print!(" {:7.4}{mark}", bits(row.phi as f64));
    }
    let header = &score.table.header;
    println!(
        " | gain {:.4} ({:.1} SE){} | {} bytes a delta | trained {:.1} s, scored {:.2} s",
        bits(header.gain as f64),
        header.gain as f64 / header.gain_se.max(1) as f64,
        if header.paid_gain > 0 {
            ""
        } else {
            " not merged"
        },
        bytes / reveals.len(),
        trained.as_secs_f64(),
        (start.elapsed() - trained).as_secs_f64(),
    );
    Ok(score.merged)
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
