//! When a training has to be over.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// When a training has to be over; it may move while the training runs, and at first it may not be known.
#[derive(Debug, Default)]
pub struct Deadline(Mutex<Option<Instant>>);

impl Deadline {
    /// Sets it.
    pub fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Updates after which the speed of a training is known.
const TIMED: usize = 3;

/// Watches over the time that a training has left.
pub(super) struct Watch<'a> {
    deadline: Option<&'a Deadline>,
    started: Instant,
    /// Updates made before that, by an interrupted training.
    before: usize,
}

impl<'a> Watch<'a> {
    /// Begins after so many updates.
    pub fn new(deadline: Option<&'a Deadline>, before: usize) -> Self {
        Self {
            deadline,
            started: Instant::now(),
            before,
        }
    }

    /// After `step` updates of `of`: how many fit, if they are fewer.
    pub fn fitting(&self, step: usize, of: usize) -> Option<usize> {
        let made = step.saturating_sub(self.before);
        let left = self.deadline?.get()?;
        let left = left.saturating_duration_since(Instant::now());
        let fit = step.saturating_add(updates_in(left, self.started.elapsed(), made)?);
        (fit < of).then_some(fit)
    }
}

/// Updates that fit into `left` if `made` took `elapsed`; `None` while that is not known well enough.
fn updates_in(left: Duration, elapsed: Duration, made: usize) -> Option<usize> {
    let each = elapsed.as_secs_f64() / made as f64;
    (made >= TIMED && each > 0.0).then(|| (left.as_secs_f64() / each) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_updates_fit_as_their_speed_says() {
        let seconds = Duration::from_secs;
        assert_eq!(updates_in(seconds(10), seconds(2), 4), Some(20));
        assert_eq!(updates_in(seconds(0), seconds(2), 4), Some(0));
        assert_eq!(updates_in(seconds(10), seconds(2), 2), None, "too few");
        assert_eq!(updates_in(seconds(10), seconds(0), 4), None);
    }

    #[test]
    fn only_a_deadline_makes_a_training_shorter() {
        let deadline = Deadline::default();
        let begun = Instant::now();
        let watch = |deadline| Watch {
            deadline,
            started: begun.checked_sub(Duration::from_secs(10)).unwrap_or(begun),
            before: 5,
        };
        assert_eq!(watch(None).fitting(15, 100), None);
        assert_eq!(watch(Some(&deadline)).fitting(15, 100), None, "not known");
        deadline.set(begun);
        assert_eq!(watch(Some(&deadline)).fitting(15, 100), Some(15), "over");
        deadline.set(begun + Duration::from_secs(3_600));
        assert_eq!(watch(Some(&deadline)).fitting(15, 100), None, "time enough");
    }
}
