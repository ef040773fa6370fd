//! When a training has to be over.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When a training has to be over, how much of the time until then is for what follows it, and whether it may fill the rest with more
/// updates than usual. All of this may change while the training runs, and at first the time may not be known.
#[derive(Debug, Default)]
pub struct Deadline(Mutex<Limits>);

#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    at: Option<Instant>,
    /// The time for what follows, and when it was reserved.
    reserved: Option<(Duration, Instant)>,
    usual_only: bool,
}

impl Deadline {
    /// Sets when everything has to be over.
    pub fn set(&self, at: Instant) {
        self.limits().at = Some(at);
    }

    /// Sets how long before that the training has to be over. It keeps at least half of the time from now on.
    pub fn reserve(&self, time: Duration) {
        self.limits().reserved = Some((time, Instant::now()));
    }

    /// Ends the training at the usual number of updates, or at once if it has made more.
    pub fn keep_to_usual(&self) {
        self.limits().usual_only = true;
    }

    /// The time that is left for training, if it is known.
    fn left(&self) -> Option<Duration> {
        let Limits { at, reserved, .. } = *self.limits();
        let at = at?;
        let reserved = reserved.map(|(time, since)| {
            let half = at.saturating_duration_since(since) / 2;
            time.min(half)
        });
        let left = at.saturating_duration_since(Instant::now());
        Some(left.saturating_sub(reserved.unwrap_or_default()))
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
    /// When updates beyond the usual number have to be over.
    extra_until: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub fn new(deadline: Option<&'a Deadline>) -> Self {
        Self {
            deadline,
            first: None,
            extra_until: None,
        }
    }

    /// After `step` updates: how many to make if `asked` is the usual number and `most` the highest. `None` while it is not known how
    /// many fit.
    pub fn grown(&mut self, step: usize, asked: usize, most: usize) -> Option<usize> {
        let left = self.left()?.mul_f64(FILLED);
        Some(self.fit(step, left)?.clamp(asked, most.max(asked)))
    }

    /// After `step` updates: how many of `of` can be made in total. Those beyond `asked` have to leave a part of the time.
    pub fn fitting(&mut self, step: usize, asked: usize, of: usize) -> usize {
        let now = Instant::now();
        self.first.get_or_insert((now, step));
        let Some(left) = self.left() else {
            return of;
        };
        let Some(fit) = self.fit(step, left) else {
            return of;
        };
        if of <= asked {
            return fit.min(of);
        }
        let until = *self
            .extra_until
            .get_or_insert_with(|| now + left.mul_f64(FILLED));
        let usual_only = self.deadline.is_some_and(|it| it.limits().usual_only);
        let extra = match usual_only {
            true => Some(asked),
            false => self.fit(step, until.saturating_duration_since(now)),
        };
        fit.min(extra.map_or(of, |extra| extra.clamp(asked, of)))
            .max(step)
    }

    fn left(&self) -> Option<Duration> {
        self.deadline?.left()
    }

    /// After `step` updates: how many can be made in all if there is this much time `left`. `None` while that is not known.
    fn fit(&mut self, step: usize, left: Duration) -> Option<usize> {
        let (first_at, first) = *self.first.get_or_insert_with(|| (Instant::now(), step));
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

    /// A training that made ten updates in the last ten seconds, up to number 15.
    fn watch(deadline: &Deadline) -> Watch<'_> {
        let first_at = Instant::now().checked_sub(Duration::from_secs(10));
        Watch {
            first: first_at.map(|at| (at, 5)),
            ..Watch::new(Some(deadline))
        }
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn only_a_deadline_makes_a_training_shorter() {
        let (deadline, begun) = (Deadline::default(), Instant::now());
        let mut watch = watch(&deadline);
        assert_eq!(watch.fitting(15, 100, 100), 100, "not known");
        deadline.set(begun);
        assert_eq!(watch.fitting(15, 100, 100), 15, "over");
        deadline.set(begun + HOUR);
        assert_eq!(watch.fitting(15, 100, 100), 100, "it was put off");
        assert_eq!(Watch::new(None).fitting(15, 100, 100), 100);
        assert_eq!(Watch::new(None).grown(15, 100, 1_000), None);
    }

    #[test]
    fn what_follows_a_training_gets_at_most_half_of_the_time() {
        let deadline = Deadline::default();
        deadline.set(Instant::now() + HOUR);
        deadline.reserve(HOUR / 3);
        let fitting = watch(&deadline).fitting(15, 10_000, 10_000);
        assert!((2_350..=2_415).contains(&fitting), "{fitting}");
        deadline.reserve(HOUR * 2);
        let fitting = watch(&deadline).fitting(15, 10_000, 10_000);
        assert!((1_770..=1_815).contains(&fitting), "{fitting}");
    }

    #[test]
    fn a_training_fills_most_of_the_time_and_no_more() {
        let deadline = Deadline::default();
        deadline.set(Instant::now() + HOUR);
        let mut watch = watch(&deadline);
        // One update a second, for three quarters of an hour.
        let grown = watch.grown(15, 100, 10_000).unwrap();
        assert!((2_650..=2_715).contains(&grown), "{grown}");
        assert_eq!(watch.grown(15, 100, 200), Some(200));
        assert_eq!(watch.grown(15, 5_000, 10_000), Some(5_000));
        // A machine that gets slower does not take the rest of the time for it.
        let fitting = watch.fitting(15, 100, 5_000);
        assert!((2_650..=2_715).contains(&fitting), "{fitting}");
        watch.extra_until = Some(Instant::now());
        assert_eq!(watch.fitting(15, 100, 5_000), 100);
        assert_eq!(watch.fitting(200, 100, 5_000), 200);
    }

    #[test]
    fn a_training_that_is_to_keep_to_the_usual_ends_there() {
        let deadline = Deadline::default();
        deadline.set(Instant::now() + HOUR);
        let mut watch = watch(&deadline);
        deadline.keep_to_usual();
        assert_eq!(watch.fitting(15, 100, 5_000), 100);
        assert_eq!(watch.fitting(200, 100, 5_000), 200);
        assert_eq!(watch.fitting(15, 100, 100), 100);
    }
}
