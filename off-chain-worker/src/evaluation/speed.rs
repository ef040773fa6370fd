//! How fast this machine evaluates models.

use super::FastCpu;
use gotong_scoring::{EvalError, Evaluator, Graph, Samples};
use std::time::{Duration, Instant};

/// How many samples are evaluated at once: enough to keep all threads of a large machine busy.
const SAMPLES: usize = 2_048;
/// How many times the speed is measured. The fastest attempt counts, because the first one also starts the threads, and other
/// programs may be using the machine.
const ATTEMPTS: u32 = 5;
/// No new attempt begins after this long.
const LONGEST: Duration = Duration::from_secs(2);

/// How many products the processor evaluates in a second, in the units of [`Graph::cost`].
///
/// # Errors
/// Fails if the evaluation fails.
pub fn products_per_second() -> Result<f64, EvalError> {
    // Zeros take as long as any other values.
    let graph = Graph::mlp(&[256, 128, 16]);
    let weights = vec![0i16; graph.parameters()];
    let records = vec![0u8; SAMPLES * (graph.inputs as usize + 1)];
    let samples = Samples::new(graph.inputs, graph.classes(), &records);
    let samples = samples.map_err(|_| EvalError::WrongOperand)?;
    let products = graph.cost() as f64 * SAMPLES as f64;
    let (began, mut fastest) = (Instant::now(), Duration::MAX);
    for _ in 0..ATTEMPTS {
        let attempt = Instant::now();
        FastCpu.losses(&graph, &weights, &samples)?;
        fastest = fastest.min(attempt.elapsed());
        if began.elapsed() > LONGEST {
            break;
        }
    }
    Ok(products / fastest.as_secs_f64().max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_measured() {
        let speed = products_per_second().unwrap();
        assert!(speed.is_finite() && speed > 1e6, "{speed}");
    }
}
