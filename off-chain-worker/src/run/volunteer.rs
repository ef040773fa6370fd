//! What an attester offers, kept up to date on the chain.

use super::{Pool, PoolError, Pools, RunError};
use crate::chain::Call;
use gotong_protocol::{
    bounds,
    view::{OfferView, TaskView},
    TaskId,
};
use std::collections::BTreeMap;

/// How much an attester takes on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Most seats.
    pub seats: u8,
    /// Most that they may ask for together in a block, in products ([`gotong_protocol::TaskTerms::load`]).
    pub products: u64,
}

impl Capacity {
    /// Seats that a program can look after at once, whatever they ask for.
    pub const SEATS: u8 = 16;
}

impl Default for Capacity {
    /// That of the slow processor for which the chain admits tasks.
    fn default() -> Self {
        Self {
            seats: Self::SEATS,
            products: bounds::COST_PER_BLOCK,
        }
    }
}

/// What is offered: arguments of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    capacity: Capacity,
    sealed: bool,
    tasks: Vec<TaskId>,
}

impl Offer {
    fn is(&self, found: &OfferView) -> bool {
        let Capacity { seats, products } = self.capacity;
        (found.seats, found.capacity, found.sealed) == (seats, products, self.sealed)
            && found.tasks == self.tasks
    }
}

/// Offers what the attester can do, and again when it changes. What others undo (a seat that was missed, a larger stake, another
/// program with the same account) is offered again after a while, which doubles.
pub(super) struct Volunteer {
    capacity: Capacity,
    only: Option<TaskId>,
    pools: Pools,
    /// Tasks whose samples are drawn: whether their pool is here.
    has_pool: BTreeMap<TaskId, bool>,
    last: Option<Sent>,
}

struct Sent {
    offer: Offer,
    /// The block from which it may be sent again.
    again_at: u32,
    wait: u32,
}

impl Volunteer {
    const FIRST_WAIT: u32 = 100;
    const LONGEST_WAIT: u32 = 10_000;

    /// Serves every task that it can, or `only` one.
    pub fn new(capacity: Capacity, only: Option<TaskId>, pools: Pools) -> Self {
        Self {
            capacity,
            only,
            pools,
            has_pool: BTreeMap::new(),
            last: None,
        }
    }

    /// The call that offers what is not offered yet, if it is time for it.
    pub async fn due(
        &mut self,
        block: u32,
        found: Option<&OfferView>,
        tasks: &[TaskView],
    ) -> Result<Option<Call>, RunError> {
        self.look_for_pools(tasks).await?;
        let offer = self.offer(tasks);
        if found.is_some_and(|found| offer.is(found)) || !self.may_send(&offer, block) {
            return Ok(None);
        }
        let Capacity { seats, products } = offer.capacity;
        let call = Call::offer(seats, products, offer.sealed, &offer.tasks);
        self.sent(offer, block);
        Ok(Some(call))
    }

    /// Offers no more seats.
    pub fn leave() -> Call {
        Call::offer(0, 0, false, &[])
    }

    fn offer(&self, tasks: &[TaskView]) -> Offer {
        let drawn = tasks.iter().map(|task| task.id);
        let with_pool = drawn.filter(|id| self.has_pool.get(id) == Some(&true));
        Offer {
            capacity: self.capacity,
            sealed: self.only.is_none(),
            tasks: match self.only {
                Some(task) => vec![task],
                None => with_pool.take(bounds::MAX_OFFERED_TASKS as usize).collect(),
            },
        }
    }

    fn may_send(&self, offer: &Offer, block: u32) -> bool {
        self.last
            .as_ref()
            .is_none_or(|last| last.offer != *offer || last.again_at <= block)
    }

    fn sent(&mut self, offer: Offer, block: u32) {
        let before = self.last.as_ref().filter(|last| last.offer == offer);
        let wait = before.map_or(Self::FIRST_WAIT, |last| {
            last.wait.saturating_mul(2).min(Self::LONGEST_WAIT)
        });
        self.last = Some(Sent {
            offer,
            again_at: block.saturating_add(wait),
            wait,
        });
    }

    async fn look_for_pools(&mut self, tasks: &[TaskView]) -> Result<(), RunError> {
        if self.only.is_some() {
            return Ok(());
        }
        for task in tasks {
            let record_bytes = task.graph.inputs.saturating_add(1);
            let Some(pool) = Pool::of(&task.terms.hold_out, record_bytes) else {
                continue;
            };
            if self.has_pool.contains_key(&task.id) {
                continue;
            }
            // All of the file is read.
            let pools = self.pools.clone();
            let kept = tokio::task::spawn_blocking(move || pools.keep(&pool)).await?;
            let is_here = match kept {
                Ok(()) => true,
                Err(error @ PoolError::Missing { .. }) => {
                    tracing::warn!(task = %task.id, "not offered: {error}");
                    false
                }
                Err(error) => {
                    tracing::error!(task = %task.id, "not offered: {error}");
                    continue;
                }
            };
            self.has_pool.insert(task.id, is_here);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::views, state::Folder};
    use gotong_protocol::HoldOutTerms;
    use gotong_scoring::pool_tree;

    const SALT: [u8; 32] = [3; 32];
    const RECORDS: [u8; 350] = [1; 350];

    /// With the pool of [`drawn_task`] or not.
    fn volunteer(only: Option<TaskId>, has_pool: bool) -> (tempfile::TempDir, Volunteer) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pool");
        std::fs::write(&file, RECORDS).unwrap();
        let kept = Folder::open(folder.path().join("kept")).unwrap();
        let offered = has_pool.then_some(file).into_iter().collect();
        let pools = Pools::new(kept, offered);
        (folder, Volunteer::new(Capacity::default(), only, pools))
    }

    /// A task whose samples are drawn from 50 records of 7 bytes.
    fn drawn_task() -> TaskView {
        let mut task = views::task();
        task.id = TaskId(9);
        task.terms.hold_out = HoldOutTerms::Drawn {
            salt: SALT,
            root: pool_tree(&SALT, RECORDS.chunks(7)).root().hash,
            records: 50,
            samples: 3,
            rounds: 2,
        };
        task
    }

    /// What the chain has of an offer.
    fn found(seats: u8, sealed: bool, tasks: &[TaskId]) -> OfferView {
        OfferView {
            seats,
            capacity: Capacity::default().products,
            sealed,
            tasks: tasks.to_vec(),
            seats_held: 0,
            load_held: 0,
        }
    }

    #[tokio::test]
    async fn sealed_tasks_are_offered_and_those_whose_pool_is_here() {
        for (has_pool, named) in [(false, vec![]), (true, vec![TaskId(9)])] {
            let (_folder, mut volunteer) = volunteer(None, has_pool);
            let tasks = [views::task(), drawn_task()];
            let all = Capacity::default();
            let call = Call::offer(all.seats, all.products, true, &named);
            let due = volunteer.due(1, None, &tasks).await.unwrap();
            assert_eq!(due, Some(call));
            let offered = found(all.seats, true, &named);
            let again = volunteer.due(2, Some(&offered), &tasks).await.unwrap();
            assert_eq!(again, None);
        }
    }

    #[tokio::test]
    async fn one_task_is_offered_and_nothing_else() {
        let (_folder, mut volunteer) = volunteer(Some(TaskId(7)), false);
        let all = Capacity::default();
        let call = Call::offer(all.seats, all.products, false, &[TaskId(7)]);
        let due = volunteer.due(1, None, &[views::task()]).await.unwrap();
        assert_eq!(due, Some(call));
    }

    #[tokio::test]
    async fn what_others_undo_is_offered_again_after_ever_longer_waits() {
        let (_folder, mut volunteer) = volunteer(None, false);
        let suspended = found(0, true, &[]);
        let mut sent = vec![];
        for block in 0..1_000 {
            let due = volunteer.due(block, Some(&suspended), &[]).await.unwrap();
            sent.extend(due.map(|_| block));
        }
        assert_eq!(sent, [0, 100, 300, 700]);
    }
}
