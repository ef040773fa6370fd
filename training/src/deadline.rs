//! When a training has to be over.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When a training has to be over, and how much of the time until then is for what follows it. Both may change while the training
/// runs, and at first the time may not be known.
#[derive(Debug, Default)]
pub struct Deadline(Mutex<Limits>);

#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    at: Option<Instant>,
    reserved: Duration,
}

impl Deadline {
    /// Sets when everything has to be over.
    pub fn set(&self, at: Instant) {
        self.limits().at = Some(at);
    }

    /// Sets how long before that the training has to be over.
    pub fn reserve(&self, time: Duration) {
        self.limits().reserved = time;
    }

    /// The time that is left for training, if it is known.
    fn left(&self) -> Option<Duration> {
        let Limits { at, reserved } = *self.limits();
        let left = at?.saturating_duration_since(Instant::now());
        Some(left.saturating_sub(reserved))
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Updates after which the speed of a training is known.
const TIMED: usize = 3;
/// The part of the time left that a training fills with more updates than it was asked for. The rest is for a machine that gets
/// slower meanwhile.
const FILLED: f64 = 0.75;

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
        self.fit(step, 1.0).map_or(asked, |fit| fit.min(asked))
    }

    /// After `step` updates: how many can be made in all in most of the time that is left. `None` while that is not known.
    pub fn fitting_in_most(&mut self, step: usize) -> Option<usize> {
        self.fit(step, FILLED)
    }

    /// After `step` updates: how many can be made in all in this part of the time that is left.
    fn fit(&mut self, step: usize, part: f64) -> Option<usize> {
        let (first_at, first) = *self.first.get_or_insert_with(|| (Instant::now(), step));
        let left = self.deadline?.left()?.mul_f64(part);
        let made = step.saturating_sub(first);
        Some(step.saturating_add(updates_in(left, first_at.elapsed(), made)?))
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
        // One update a second, for three quarters of an hour.
        let most = watch.fitting_in_most(15).unwrap();
        assert!((2_650..=2_715).contains(&most), "{most}");
        // What follows the training needs almost all of the hour.
        deadline.reserve(Duration::from_secs(3_580));
        let fitting = watch.fitting(15, 100);
        assert!((30..=35).contains(&fitting), "{fitting}");
        deadline.reserve(Duration::from_secs(7_200));
        assert_eq!(watch.fitting(15, 100), 15);
        deadline.reserve(Duration::ZERO);
        watch.deadline = None;
        assert_eq!(watch.fitting(15, 100), 100);
        assert_eq!(watch.fitting_in_most(15), None);
    }
}
