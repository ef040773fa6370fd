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
    /// When the first update was made, and its number: that one may have taken long, because a device compiles what it runs.
    first: Option<(Instant, usize)>,
}

impl<'a> Watch<'a> {
    pub fn new(deadline: Option<&'a Deadline>) -> Self {
        Self {
            deadline,
            first: None,
        }
    }

    /// After `step` updates: how many of the `asked` ones can be made in total.
    pub fn fitting(&mut self, step: usize, asked: usize) -> usize {
        let (first_at, first) = *self.first.get_or_insert_with(|| (Instant::now(), step));
        let fit = || {
            let left = self.deadline?.get()?;
            let left = left.saturating_duration_since(Instant::now());
            let made = step.saturating_sub(first);
            Some(step.saturating_add(updates_in(left, first_at.elapsed(), made)?))
        };
        fit().map_or(asked, |fit| fit.min(asked))
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
        let first_at = begun.checked_sub(Duration::from_secs(10));
        let mut watch = Watch {
            deadline: Some(&deadline),
            first: first_at.map(|at| (at, 5)),
        };
        assert_eq!(watch.fitting(15, 100), 100, "not known");
        deadline.set(begun);
        assert_eq!(watch.fitting(15, 100), 15, "over");
        deadline.set(begun + Duration::from_secs(3_600));
        assert_eq!(watch.fitting(15, 100), 100, "it was put off");
        watch.deadline = None;
        assert_eq!(watch.fitting(15, 100), 100);
    }
}
