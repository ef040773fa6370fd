//! What a daemon has under way while it looks at the blocks.
//!
//! A call may have to wait long for its block, or for a node that does not answer. Each kind of work in a task has a lock. While
//! one piece of work holds it, no other of its kind begins. So nothing is sent twice, and nothing waits for another kind's calls.

use futures::{future::LocalBoxFuture, stream::FuturesUnordered, FutureExt, StreamExt};
use std::{future::Future, pin::pin, sync::Arc};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Something that is under way.
pub(super) type Work<T> = LocalBoxFuture<'static, Ended<T>>;

/// The result of work that has ended, and the work that begins then.
pub(super) struct Ended<T> {
    pub came: Option<T>,
    pub next: Vec<Work<T>>,
}

impl<T> Ended<T> {
    /// No further work begins.
    pub fn with(came: T) -> Self {
        Self {
            came: Some(came),
            next: Vec::new(),
        }
    }
}

/// The work that needs what `lock` guards; none while other work holds the lock.
pub(super) fn holding<L, T, F>(
    lock: &Arc<Mutex<L>>,
    work: impl FnOnce(OwnedMutexGuard<L>) -> F,
) -> Option<Work<T>>
where
    F: Future<Output = Ended<T>> + 'static,
{
    let guard = lock.clone().try_lock_owned().ok()?;
    Some(work(guard).boxed_local())
}

/// All work that a daemon has under way. It makes progress only while the daemon waits [`beside`](Self::beside) it.
pub(super) struct UnderWay<T> {
    works: FuturesUnordered<Work<T>>,
    came: Vec<T>,
}

impl<T> Default for UnderWay<T> {
    fn default() -> Self {
        Self {
            works: FuturesUnordered::new(),
            came: Vec::new(),
        }
    }
}

impl<T> UnderWay<T> {
    /// Begins these, in order.
    pub fn begin(&mut self, works: impl IntoIterator<Item = Work<T>>) {
        self.works.extend(works);
    }

    /// Awaits `wait`, and meanwhile continues all work that is under way.
    pub async fn beside<R>(&mut self, wait: impl Future<Output = R>) -> R {
        let mut wait = pin!(wait);
        loop {
            tokio::select! {
                biased;
                waited = &mut wait => return waited,
                Some(Ended { came, next }) = self.works.next() => {
                    self.came.extend(came);
                    self.works.extend(next);
                }
            }
        }
    }

    /// The results of all work that has ended since the last call.
    pub fn came(&mut self) -> Vec<T> {
        std::mem::take(&mut self.came)
    }

    /// Abandons everything that is under way.
    pub fn clear(&mut self) {
        self.works.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, future::pending, rc::Rc, time::Duration};

    /// The task for which the node never answers.
    const STUCK: usize = 1;

    /// A node that notes the calls that it receives.
    #[derive(Default)]
    struct Node(RefCell<Vec<usize>>);

    impl Node {
        async fn call(&self, task: usize) {
            self.0.borrow_mut().push(task);
            if task == STUCK {
                pending::<()>().await;
            }
        }
    }

    #[tokio::test]
    async fn a_call_that_is_never_answered_holds_up_no_other_and_is_sent_once() {
        let node = Rc::new(Node::default());
        let locks: Vec<_> = (0..3).map(|_| Arc::new(Mutex::new(()))).collect();
        let mut under_way = UnderWay::default();
        for _block in 0..4 {
            let due = (0..3).filter_map(|task: usize| {
                let node = node.clone();
                holding(&locks[task], |guard| async move {
                    node.call(task).await;
                    drop(guard);
                    Ended::with(task)
                })
            });
            under_way.begin(due);
            // This lasts until the next block.
            under_way
                .beside(tokio::time::sleep(Duration::from_millis(5)))
                .await;
        }
        let mut came = under_way.came();
        came.sort_unstable();
        assert_eq!(came, [0, 0, 0, 0, 2, 2, 2, 2]);
        let sent = node.0.borrow();
        assert_eq!(sent.iter().filter(|task| **task == STUCK).count(), 1);
        assert!(locks[STUCK].try_lock().is_err());
        under_way.clear();
        assert!(locks[STUCK].try_lock().is_ok(), "it can be sent again");
    }

    #[tokio::test]
    async fn what_follows_begins_at_once() {
        let mut under_way = UnderWay::default();
        let first = async {
            let second = async { Ended::with(2) };
            Ended {
                came: Some(1),
                next: vec![second.boxed_local()],
            }
        };
        under_way.begin([first.boxed_local()]);
        under_way
            .beside(tokio::time::sleep(Duration::from_millis(5)))
            .await;
        assert_eq!(under_way.came(), [1, 2]);
        assert!(under_way.came().is_empty());
    }
}
