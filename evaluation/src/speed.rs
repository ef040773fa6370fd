//! How fast this machine evaluates models.

use super::{Backend, FastCpu};
use gotong_scoring::{
    Cnn, Convolution, EvalError, Evaluator, Graph, Image, Pool, Samples, Transformer, Window,
};
use std::time::{Duration, Instant};

/// How often each model is measured. The fastest counts: the first also starts threads and compiles a device's kernels, and others
/// may use the machine meanwhile.
const ATTEMPTS: u32 = 5;
/// After this long, no attempt but the second begins.
const LONGEST: Duration = Duration::from_secs(2);

/// Products that are evaluated in a second, as [`Graph::cost`] counts them, whatever happens to the device: as many as `backend`
/// does, but no more than the processor does, which takes over when a device fails or is found wrong.
///
/// # Errors
/// The evaluation fails.
pub fn reliable_speed(backend: &Backend) -> Result<f64, EvalError> {
    let processor = products_per_second(&mut FastCpu)?;
    let device = backend.device().cloned();
    least(
        processor,
        device.map(|mut device| products_per_second(&mut device)),
    )
}

/// The speed of the processor or that of the device, whichever is less. A device that goes wrong is not used any more.
fn least(processor: f64, device: Option<Result<f64, EvalError>>) -> Result<f64, EvalError> {
    match device {
        None | Some(Err(EvalError::Device(_))) => Ok(processor),
        Some(device) => Ok(processor.min(device?)),
    }
}

/// Products that `evaluator` evaluates in a second, in models of the kind that is the slowest by that measure: convolutions move
/// more bytes per product than linear ops, and were a fifth as fast when measured.
fn products_per_second(evaluator: &mut impl Evaluator) -> Result<f64, EvalError> {
    let mut least = f64::INFINITY;
    for (graph, samples) in models() {
        least = least.min(speed_of(evaluator, &graph, samples)?);
    }
    Ok(least)
}

/// Small models of each kind, and how many samples of each are evaluated at once: enough to keep all threads of a large machine
/// busy.
fn models() -> [(Graph, usize); 3] {
    let convolution = |channels| Convolution {
        channels,
        window: Window {
            size: 3,
            stride: 1,
            padding: 1,
        },
        pool: Pool::Max(2),
    };
    let images = Cnn {
        image: Image {
            height: 16,
            width: 16,
            channels: 1,
        },
        convolutions: vec![convolution(8), convolution(16)],
        hidden: Vec::new(),
        classes: 10,
    };
    let text = Transformer {
        vocab: 96,
        tokens: 32,
        width: 64,
        heads: 4,
        hidden: 256,
        layers: 1,
        tied: true,
    };
    [
        (Graph::mlp(&[256, 128, 16]), 2_048),
        (Graph::cnn(&images), 512),
        (Graph::transformer(&text), 512),
    ]
}

fn speed_of(
    evaluator: &mut impl Evaluator,
    graph: &Graph,
    samples: usize,
) -> Result<f64, EvalError> {
    // Zeros take as long as anything else.
    let weights = vec![0i16; graph.parameters()];
    let records = vec![0u8; samples * (graph.inputs as usize + 1)];
    let products = graph.cost() as f64 * samples as f64;
    let samples = Samples::new(graph.inputs, graph.classes(), &records);
    let samples = samples.map_err(|_| EvalError::WrongOperand)?;
    let mut time = || {
        let attempt = Instant::now();
        evaluator.losses(graph, &weights, &samples)?;
        Ok::<_, EvalError>(attempt.elapsed())
    };
    let mut fastest = time()?;
    let began = Instant::now();
    for _ in 1..ATTEMPTS {
        fastest = fastest.min(time()?);
        if began.elapsed() > LONGEST {
            break;
        }
    }
    Ok(products / fastest.as_secs_f64().max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            after::{After, Happening},
            CheckedDevice,
        },
        *,
    };
    use std::thread::sleep;

    #[test]
    fn a_speed_is_measured() {
        let speed = reliable_speed(&Backend::Cpu).unwrap();
        assert!(speed.is_finite() && speed > 1e6, "{speed}");
    }

    #[test]
    fn models_of_all_kinds_are_measured() {
        let has = |is_it: fn(&gotong_scoring::Op) -> bool| {
            let kinds = models().into_iter();
            kinds
                .filter(|(graph, _)| graph.ops.iter().any(is_it))
                .count()
        };
        assert_eq!(has(|op| matches!(op, gotong_scoring::Op::Im2col { .. })), 1);
        assert_eq!(
            has(|op| matches!(op, gotong_scoring::Op::Softmax { .. })),
            1
        );
        for (graph, _) in models() {
            assert_eq!(graph.validate(), Ok(()));
        }
    }

    /// The processor takes over from a device that is faster, and a slower device is used as long as it works.
    #[test]
    fn the_slower_of_processor_and_device_counts() {
        let wrong = || EvalError::Device("wrong".into());
        assert_eq!(least(2.0, None), Ok(2.0));
        assert_eq!(least(2.0, Some(Ok(3.0))), Ok(2.0));
        assert_eq!(least(2.0, Some(Ok(1.0))), Ok(1.0));
        assert_eq!(least(2.0, Some(Err(wrong()))), Ok(2.0));
        let failed = EvalError::WrongOperand;
        assert_eq!(least(2.0, Some(Err(failed.clone()))), Err(failed));
    }

    /// The shortest time that a slow device takes for an answer.
    const PAUSE: Duration = Duration::from_millis(50);

    /// Pauses before each answer.
    #[derive(Debug)]
    struct Pause;

    impl Happening for Pause {
        fn happen(&mut self) {
            sleep(PAUSE);
        }
    }

    #[test]
    fn a_slow_device_is_measured_with_all_that_checks_it() {
        let device = CheckedDevice::new(Box::new(After(Pause)));
        let speed = reliable_speed(&Backend::Device(device)).unwrap();
        // It is called twice.
        let most = models().map(|(graph, samples)| graph.cost() as f64 * samples as f64);
        let most = most.into_iter().fold(f64::INFINITY, f64::min) / (2.0 * PAUSE.as_secs_f64());
        assert!(speed <= most, "{speed} {most}");
    }
}
