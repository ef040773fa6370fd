//! A device on a thread of its own. A driver may hang for ever, and nothing can end its thread: so a caller waits for an answer
//! only up to a limit, and then leaves the thread behind.

use super::DeviceEvaluator;
use std::{
    sync::mpsc::{channel, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// What a device is asked.
type Question = Box<dyn FnOnce(&mut dyn DeviceEvaluator) + Send>;

/// A device, and the thread that asks it one question after another. The thread ends with this.
#[derive(Debug)]
pub(super) struct DeviceThread {
    questions: Sender<Question>,
}

/// Why a device gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It has not answered in time, and may never do so.
    Late,
    /// Its thread is gone, or could not be started.
    Gone,
}

impl DeviceThread {
    /// Moves the device to a new thread.
    pub fn start(mut evaluator: Box<dyn DeviceEvaluator>) -> Self {
        let (questions, asked) = channel::<Question>();
        let work = move || {
            for question in asked {
                question(evaluator.as_mut());
            }
        };
        let started = thread::Builder::new().name("device".into()).spawn(work);
        if let Err(error) = started {
            // Every question fails then.
            tracing::error!("cannot start a thread for the device: {error}");
        }
        Self { questions }
    }

    /// The device's answer, within `limit`.
    pub fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce(&mut dyn DeviceEvaluator) -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let (tell, told) = channel();
        let question: Question = Box::new(move |device| {
            // If it is late, nobody is waiting any more.
            let _ = tell.send(question(device));
        });
        self.questions.send(question).map_err(|_| NoAnswer::Gone)?;
        told.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => NoAnswer::Late,
            RecvTimeoutError::Disconnected => NoAnswer::Gone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flipping;
    use gotong_scoring::Reference;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn who_asks_waits_so_long_and_no_longer() {
        let device = DeviceThread::start(Box::new(Flipping::new(Reference, 0..0, |_| 0)));
        assert_eq!(device.ask(SOON, |_| 7), Ok(7));
        let (end, ended) = channel::<()>();
        let late = device.ask(Duration::from_millis(20), move |_| ended.recv().is_err());
        assert_eq!(late, Err(NoAnswer::Late));
        drop(end);
        assert_eq!(device.ask(SOON, |_| 8), Ok(8), "it goes on after all");
    }

    #[test]
    fn a_thread_that_is_gone_is_no_answer() {
        let device = DeviceThread::start(Box::new(Flipping::new(Reference, 0..0, |_| 0)));
        let gone: Result<(), _> = device.ask(SOON, |_| panic!("of a test"));
        assert_eq!(gone, Err(NoAnswer::Gone));
        assert_eq!(device.ask(SOON, |_| 7), Err(NoAnswer::Gone));
    }
}
