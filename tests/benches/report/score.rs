//! What it costs to score a round, by the number of its contributors: choice, merge, credits and commitments, compared with one
//! evaluation of its exam.

use crate::{language::MODEL, worker::rounded};
use anyhow::Result;
use gotong_evaluation::FastCpu;
use gotong_scoring::{
    share::{share_table, Entrant},
    Delta, Entry, Evaluator, Graph, Hash, Samples, ShareTerms,
};
use gotong_training::initial_weights;
use serde_json::{json, Map, Value};
use std::{hint::black_box, time::Instant};

/// Records of the exam. Half of them decide, and half pay.
const SAMPLES: usize = 400;
/// Numbers of contributors.
const CONTRIBUTORS: [usize; 4] = [4, 30, 100, 1_000];
/// A delta changes one in this many parameters.
const SPARSITY: usize = 100;

/// Times for scoring the million-parameter language model. The deltas are noise, so that as many companies are tried as are
/// allowed.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let graph = Graph::transformer(&MODEL);
    let base = initial_weights(&graph, 1);
    let length = graph.inputs as usize + 1;
    let token = |at: usize| (at * at % 8_191 * 31 % MODEL.vocab as usize) as u8;
    let records: Vec<u8> = (0..SAMPLES * length).map(token).collect();
    let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
    let evaluation = (0..3)
        .map(|_| {
            let start = Instant::now();
            black_box(FastCpu.losses(&graph, &base, &samples)?);
            anyhow::Ok(start.elapsed().as_secs_f64())
        })
        .collect::<Result<Vec<_>>>()?;
    let evaluation = evaluation.into_iter().fold(f64::INFINITY, f64::min);
    let mut seconds = Map::new();
    let mut last = 0.0;
    for count in CONTRIBUTORS {
        let deltas = (0..count)
            .map(|number| noise(base.len(), number))
            .collect::<Result<Vec<_>>>()?;
        let hashes: Vec<Hash> = deltas
            .iter()
            .map(|delta| Delta::hash_of(&delta.encode()))
            .collect();
        let entrants: Vec<Entrant> = deltas
            .iter()
            .map(|delta| Entrant {
                delta,
                weight: 1,
                is_proven: false,
            })
            .collect();
        let start = Instant::now();
        let (round, table) = share_table(
            &mut FastCpu,
            &graph,
            &base,
            &samples,
            &[7; 32],
            &entrants,
            &hashes,
            &ShareTerms::default(),
        )?;
        black_box(table.summary());
        last = start.elapsed().as_secs_f64();
        seconds.insert(count.to_string(), rounded(last));
        if count == 1_000 {
            report.insert("score_1000_passes".into(), json!(round.passes.len()));
        }
    }
    report.insert("score_seconds_by_contributors".into(), seconds.into());
    let ratio = rounded(last / evaluation);
    report.insert("score_1000_over_evaluation".into(), ratio);
    report.insert("score_evaluation_seconds".into(), rounded(evaluation));
    Ok(())
}

/// The delta with this `number`. Each has other parameters and signs.
fn noise(parameters: usize, number: usize) -> Result<Delta> {
    let place = |nth: usize| nth * SPARSITY + (nth * 31 + number * 17) % SPARSITY;
    let entries = (0..parameters / SPARSITY).map(|nth| {
        // Two magnitudes per chunk, as a delta has.
        let size = 40 + (nth + number) % 2 * 40;
        let is_up = (nth * 13 + number * 29) % 61 < 30;
        let size = i16::try_from(size).unwrap_or(1);
        Entry {
            position: place(nth) as u32,
            change: if is_up { size } else { -size },
        }
    });
    Ok(Delta::new(u32::try_from(parameters)?, entries.collect())?)
}
