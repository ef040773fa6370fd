//! What an attester offers, kept up to date on the chain.

use super::{Pool, PoolError, Pools};
use crate::chain::Call;
use gotong_protocol::{
    bounds,
    view::{OfferView, TaskView},
    TaskId,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use tokio::task::JoinHandle;

/// What the account of a worker should keep for fees, in planck: a dozen of the dearest calls, reveals of the longest deltas, while
/// blocks are not full.
pub const FEES_TO_KEEP: u128 = 1_000_000_000_000;

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
    fn call(&self) -> Call {
        let Capacity { seats, products } = self.capacity;
        Call::offer(seats, products, self.sealed, &self.tasks)
    }

    /// Whether the chain has it.
    fn stands(&self, found: Option<&OfferView>) -> bool {
        let Capacity { seats, products } = self.capacity;
        match found {
            None => seats == 0,
            Some(found) if seats == 0 => found.seats == 0,
            Some(found) => {
                (found.seats, found.capacity, found.sealed) == (seats, products, self.sealed)
                    && found.tasks == self.tasks
            }
        }
    }
}

/// Offers what the attester can do, and again when that changes. What others undo (a seat that was missed, a larger stake, another
/// program with the same account) is offered again after a while, which doubles.
pub(super) struct Volunteer {
    capacity: Capacity,
    /// Serves only these; every task if there are none.
    only: BTreeSet<TaskId>,
    pools: Pools,
    /// Tasks whose samples are drawn: if their pool is here, what a round can pay attesters at most.
    pooled: BTreeMap<TaskId, Option<u128>>,
    /// The same of those whose samples are sealed.
    sealed: BTreeMap<TaskId, u128>,
    /// The pool that is looked for.
    search: Option<Search>,
    last: Option<Sent>,
    /// Whether the account cannot pay for the calls of a seat.
    is_poor: bool,
    /// Whether a call was due, be it that nobody knows what became of it.
    was_due: bool,
}

/// The pool of a task is looked for among the files that there are.
struct Search {
    task: TaskId,
    /// What a round can pay attesters at most.
    worth: u128,
    found: JoinHandle<Result<(), PoolError>>,
}

/// What was sent last.
struct Sent {
    offer: Offer,
    at: u32,
    /// Blocks to wait once it does not stand any more.
    wait: u32,
    /// Block at which it was first seen to stand.
    seen_at: Option<u32>,
    /// Block at which it was first seen not to stand, after that.
    undone_at: Option<u32>,
}

impl Volunteer {
    const FIRST_WAIT: u32 = 100;
    const LONGEST_WAIT: u32 = 10_000;
    /// Least blocks from one offer to another one.
    const CHANGE_WAIT: u32 = 10;

    /// Serves every task that it can, or `only` these if there are any.
    pub fn new(capacity: Capacity, only: BTreeSet<TaskId>, pools: Pools) -> Self {
        Self {
            capacity,
            only,
            pools,
            pooled: BTreeMap::new(),
            sealed: BTreeMap::new(),
            is_poor: false,
            search: None,
            last: None,
            was_due: false,
        }
    }

    /// Notes what the account can spend, in planck. Without enough of it no seats are offered: each costs stake if its calls
    /// cannot be paid. Once there is too little, it takes twice as much to offer again, since offers have to be paid, too.
    pub fn can_spend(&mut self, planck: u128) {
        let enough = match self.is_poor {
            true => FEES_TO_KEEP,
            false => FEES_TO_KEEP / 2,
        };
        let is_poor = planck < enough;
        if is_poor && !self.is_poor {
            tracing::warn!(
                "no seats are offered, because too little is free to pay for the calls: keep at least 1 GTG (`gotong doctor`)"
            );
        }
        self.is_poor = is_poor;
    }

    /// The call that makes the chain's offer what it should be, if it is time for it. `tasks` are those that could be asked for;
    /// `serves` knows of those, too, that could not, and not of those that were given up or do not suit. Unless `is_sound`, one with
    /// sealed samples may be among the latter, so that those that are served are named.
    pub async fn due(
        &mut self,
        block: u32,
        found: Option<&OfferView>,
        tasks: &[TaskView],
        serves: impl Fn(TaskId) -> bool,
        is_sound: bool,
    ) -> Option<Call> {
        self.look_for_pools(tasks).await;
        let is_sealed = |task: &&TaskView| task.terms.hold_out.is_sealed();
        let sealed = tasks.iter().filter(is_sealed);
        self.sealed
            .extend(sealed.map(|task| (task.id, worth(task))));
        self.sealed.retain(|task, _| serves(*task));
        let offer = self.offer(tasks, serves, is_sound);
        let stands = offer.stands(found);
        let is_due = !self.note(&offer, stands, block);
        self.was_due |= is_due;
        is_due.then(|| offer.call())
    }

    /// Notes that the call was made, with success or not.
    pub fn sent(
        &mut self,
        block: u32,
        tasks: &[TaskView],
        serves: impl Fn(TaskId) -> bool,
        is_sound: bool,
    ) {
        let offer = self.offer(tasks, serves, is_sound);
        let before = self.last.take().filter(|last| last.offer == offer);
        let wait = before.map_or(Self::FIRST_WAIT, |last| last.next_wait(block));
        self.last = Some(Sent {
            offer,
            at: block,
            wait,
            seen_at: None,
            undone_at: None,
        });
    }

    /// Whether anything was offered, or may have been.
    pub fn has_offered(&self) -> bool {
        self.was_due
    }

    /// Whether it was to take its offer back and fill the seats that it held, and has done so.
    pub fn has_left(&self, found: Option<&OfferView>) -> bool {
        let is_nothing = |found: &OfferView| (found.seats, found.seats_held) == (0, 0);
        self.capacity.seats == 0 && found.is_none_or(is_nothing)
    }

    /// How many tasks with sealed samples it knows.
    #[cfg(test)]
    pub fn known_sealed(&self) -> usize {
        self.sealed.len()
    }

    /// Offers no more seats.
    pub fn leave() -> Call {
        Call::offer(0, 0, false, &[])
    }

    fn offer(&self, tasks: &[TaskView], serves: impl Fn(TaskId) -> bool, is_sound: bool) -> Offer {
        let sealed = self.only.is_empty() && is_sound;
        let is_here = |task: &TaskId| matches!(self.pooled.get(task), Some(Some(_)));
        let named = match self.only.is_empty() {
            false => {
                let is_served = |task: &TaskId| match tasks.iter().find(|view| view.id == *task) {
                    Some(view) => {
                        let is_sealed = view.terms.hold_out.is_sealed();
                        !view.state.is_over() && (is_sealed || is_here(task))
                    }
                    // It could not be asked for just now.
                    None => self.pooled.get(task).is_none_or(Option::is_some),
                };
                let mut served = self.only.iter().copied().collect::<Vec<_>>();
                served.retain(|task| serves(*task) && is_served(task));
                served.truncate(bounds::MAX_OFFERED_TASKS as usize);
                served
            }
            true => {
                let pooled = self.pooled.iter();
                let here = pooled.filter_map(|(task, worth)| Some((*task, (*worth)?)));
                let mut best: Vec<_> = here.filter(|(task, _)| serves(*task)).collect();
                if !sealed {
                    let others = self.sealed.iter().map(|(task, worth)| (*task, *worth));
                    best.extend(others.filter(|(task, _)| serves(*task)));
                }
                best.sort_by_key(|(_, worth)| Reverse(*worth));
                best.truncate(bounds::MAX_OFFERED_TASKS as usize);
                let mut named: Vec<_> = best.into_iter().map(|(task, _)| task).collect();
                named.sort_unstable();
                named
            }
        };
        let mut capacity = self.capacity;
        if self.is_poor || (!sealed && named.is_empty()) {
            capacity.seats = 0;
        }
        Offer {
            capacity,
            sealed,
            tasks: named,
        }
    }

    /// Notes whether the offer stands, and tells whether nothing is to be sent.
    fn note(&mut self, offer: &Offer, stands: bool, block: u32) -> bool {
        let last = self.last.as_mut().filter(|last| last.offer == *offer);
        if stands {
            if let Some(last) = last {
                last.seen_at.get_or_insert(block);
                last.undone_at = None;
            }
            return true;
        }
        match last {
            Some(last) => block < *last.undone_at.get_or_insert(block) + last.wait,
            None => {
                let before = self.last.as_ref();
                before.is_some_and(|before| block < before.at.saturating_add(Self::CHANGE_WAIT))
            }
        }
    }

    /// Looks for one pool after the other, in the background: all of a file is read.
    async fn look_for_pools(&mut self, tasks: &[TaskView]) {
        let over = self.search.take_if(|search| search.found.is_finished());
        if let Some(Search { task, worth, found }) = over {
            let is_here = match found.await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::warn!(%task, "not offered: {error}");
                    false
                }
                Err(error) => {
                    tracing::error!(%task, "not offered: the search for its pool failed: {error}");
                    false
                }
            };
            self.pooled.insert(task, is_here.then_some(worth));
        }
        if self.search.is_some() {
            return;
        }
        let wanted = tasks.iter().find_map(|task| {
            let is_served = self.only.is_empty() || self.only.contains(&task.id);
            let is_new = !self.pooled.contains_key(&task.id) && !task.state.is_over();
            let record_bytes = task.graph.inputs.saturating_add(1);
            let pool = Pool::of(&task.terms.hold_out, record_bytes)?;
            (is_served && is_new).then_some((task, pool))
        });
        if let Some((task, pool)) = wanted {
            let pools = self.pools.clone();
            self.search = Some(Search {
                task: task.id,
                worth: worth(task),
                found: tokio::task::spawn_blocking(move || pools.keep(&pool)),
            });
        }
    }
}

/// What a round of the task can pay attesters at most, in thousandths of a planck.
fn worth(task: &TaskView) -> u128 {
    let fee = u128::from(task.terms.attester_fee_permille);
    let of_gain = task.terms.cap_per_round.saturating_mul(fee);
    let work = task.terms.work_pay(task.graph.cost()).unwrap_or_default();
    of_gain.saturating_add(work.saturating_mul(1000))
}

impl Sent {
    /// How long to wait next time: as at first, if it stood for long.
    fn next_wait(&self, block: u32) -> u32 {
        let until = self.undone_at.unwrap_or(block);
        let stood = self.seen_at.map_or(0, |seen| until.saturating_sub(seen));
        match stood > Volunteer::LONGEST_WAIT {
            true => Volunteer::FIRST_WAIT,
            false => self.wait.saturating_mul(2).min(Volunteer::LONGEST_WAIT),
        }
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

    #[test]
    fn a_task_is_worth_what_it_pays_for_gain_and_for_work() {
        let mut task = views::task();
        assert_eq!(worth(&task), task.terms.cap_per_round * 100);
        let evaluations = task.terms.evaluations(task.graph.cost());
        task.terms.work_fee = 3 << 30;
        let work = u128::from(evaluations) * 3;
        let of_gain = task.terms.cap_per_round * 100;
        assert_eq!(worth(&task), of_gain + work * 1000);
    }

    /// For `only` these tasks, or all, with the pool of [`drawn_task`] or not.
    fn volunteer(
        only: impl IntoIterator<Item = TaskId>,
        has_pool: bool,
    ) -> (tempfile::TempDir, Volunteer) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pool");
        std::fs::write(&file, RECORDS).unwrap();
        let kept = Folder::open(folder.path().join("kept")).unwrap();
        let offered = has_pool.then_some(file).into_iter().collect();
        let pools = Pools::new(kept, offered);
        let only = only.into_iter().collect();
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

    /// What is offered once all pools were looked for, which takes a while.
    async fn settled(volunteer: &mut Volunteer, tasks: &[TaskView]) -> Option<Call> {
        loop {
            let due = volunteer.due(1, None, tasks, |_| true, true).await;
            if volunteer.search.is_none() {
                return due;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn sealed_tasks_are_offered_and_those_whose_pool_is_here() {
        for (has_pool, named) in [(false, vec![]), (true, vec![TaskId(9)])] {
            let (_folder, mut volunteer) = volunteer(None, has_pool);
            let tasks = [views::task(), drawn_task()];
            let all = Capacity::default();
            let call = Call::offer(all.seats, all.products, true, &named);
            assert_eq!(settled(&mut volunteer, &tasks).await, Some(call));
            let offered = found(all.seats, true, &named);
            // A task that cannot be asked for just now is offered all the same.
            let again = volunteer.due(2, Some(&offered), &tasks[..1], |_| true, true);
            assert_eq!(again.await, None);
        }
    }

    #[tokio::test]
    async fn one_task_is_offered_and_nothing_else() {
        let all = Capacity::default();
        for (task, has_pool, seats) in [
            (views::task(), false, all.seats),
            (drawn_task(), true, all.seats),
            (drawn_task(), false, 0),
        ] {
            let (_folder, mut volunteer) = volunteer(Some(task.id), has_pool);
            let tasks = [views::task(), task];
            let due = settled(&mut volunteer, &tasks).await;
            let call = Call::offer(seats, all.products, false, &[tasks[1].id]);
            assert_eq!(due, (seats > 0).then_some(call));
        }
    }

    #[tokio::test]
    async fn of_several_tasks_that_are_named_those_are_offered_that_can_be_served() {
        let all = Capacity::default();
        let tasks = [views::task(), drawn_task()];
        let [sealed, drawn] = [tasks[0].id, tasks[1].id];
        let named = [sealed, drawn, TaskId(77)];
        for has_pool in [false, true] {
            let (_folder, mut volunteer) = volunteer(named, has_pool);
            let serves = |task: TaskId| task != TaskId(77);
            let due = loop {
                let due = volunteer.due(1, None, &tasks, serves, true).await;
                if volunteer.search.is_none() {
                    break due;
                }
                tokio::task::yield_now().await;
            };
            let mut served = vec![sealed];
            served.extend(has_pool.then_some(drawn));
            let call = Call::offer(all.seats, all.products, false, &served);
            assert_eq!(due, Some(call));
        }
    }

    #[tokio::test]
    async fn who_offers_no_seats_takes_its_offer_back_and_is_done_once_it_holds_none() {
        let (_folder, mut volunteer) = volunteer(None, false);
        volunteer.capacity.seats = 0;
        let stands = found(3, true, &[]);
        let taken_back = OfferView {
            seats: 0,
            seats_held: 1,
            ..stands.clone()
        };
        let all = Capacity::default().products;
        let due = volunteer.due(1, Some(&stands), &[], |_| true, true).await;
        assert_eq!(due, Some(Call::offer(0, all, true, &[])));
        assert!(!volunteer.has_left(Some(&stands)));
        let due = volunteer.due(1, Some(&taken_back), &[], |_| true, true);
        assert_eq!(due.await, None);
        assert!(!volunteer.has_left(Some(&taken_back)));
        assert!(volunteer.has_left(None));
        volunteer.capacity.seats = 1;
        assert!(!volunteer.has_left(None), "it is to go on");
    }

    #[tokio::test]
    async fn what_others_undo_is_offered_again_after_ever_longer_waits() {
        let (_folder, mut volunteer) = volunteer(None, false);
        let suspended = found(0, true, &[]);
        let stands = found(Capacity::SEATS, true, &[]);
        let mut sent = vec![];
        for block in 0..30_000 {
            // After the first thousand blocks it stands for long, and is then undone again.
            let is_undone = !(1_000..20_000).contains(&block);
            let offer = if is_undone { &suspended } else { &stands };
            let due = volunteer.due(block, Some(offer), &[], |_| true, true).await;
            if due.is_some() {
                volunteer.sent(block, &[], |_| true, true);
                sent.push(block);
            }
        }
        assert_eq!(sent[..4], [0, 101, 302, 703]);
        // Some blocks after it was seen undone, and not at once; then as at first.
        assert_eq!(sent[4], 20_000 + 800);
        assert_eq!(sent[5] - sent[4], 1 + Volunteer::FIRST_WAIT);
    }

    #[tokio::test]
    async fn what_changes_often_is_not_sent_as_often() {
        let (_folder, mut volunteer) = volunteer(None, true);
        let tasks = [drawn_task()];
        settled(&mut volunteer, &tasks).await.unwrap();
        volunteer.sent(0, &tasks, |_| true, true);
        let mut calls = 0;
        for block in 1..=100 {
            let is_there = |_| block % 2 == 0;
            let due = volunteer.due(block, None, &tasks, is_there, true).await;
            if due.is_some() {
                volunteer.sent(block, &tasks, is_there, true);
                calls += 1;
            }
        }
        assert!((1..=10).contains(&calls), "{calls}");
    }

    /// A sponsor may open a task that does not suit, a node may not tell of one that does: the others are offered all the same.
    #[tokio::test]
    async fn tasks_that_do_not_suit_are_not_named_and_those_that_do_stay_named() {
        let (_folder, mut volunteer) = volunteer(None, false);
        let all = Capacity::default();
        let named = |task: u32| TaskView {
            id: TaskId(task),
            ..views::task()
        };
        let tasks = [named(1), named(2), named(3)];
        let suits = |task: TaskId| task != TaskId(2);
        let call = Call::offer(all.seats, all.products, false, &[TaskId(1), TaskId(3)]);
        let due = volunteer.due(1, None, &tasks, suits, false).await;
        assert_eq!(due.as_ref(), Some(&call));
        // One of them fails, and cannot be asked for just now.
        let due = volunteer.due(1, None, &tasks[..2], suits, false).await;
        assert_eq!(due, Some(call));
        // All do: none has to be named.
        let call = Call::offer(all.seats, all.products, true, &[]);
        let due = volunteer.due(1, None, &tasks, |_| true, true).await;
        assert_eq!(due, Some(call));
    }

    /// A wallet that sends away all that is free costs no seat that is not held yet.
    #[tokio::test]
    async fn without_money_for_its_calls_nothing_is_offered() {
        let (_folder, mut volunteer) = volunteer(None, false);
        let stands = found(Capacity::SEATS, true, &[]);
        volunteer.can_spend(FEES_TO_KEEP / 2);
        assert_eq!(
            volunteer.due(1, Some(&stands), &[], |_| true, true).await,
            None
        );
        volunteer.can_spend(FEES_TO_KEEP / 2 - 1);
        let products = Capacity::default().products;
        let due = volunteer.due(1, Some(&stands), &[], |_| true, true).await;
        assert_eq!(due, Some(Call::offer(0, products, true, &[])));
        assert!(!volunteer.has_left(None), "it goes on");
        volunteer.sent(1, &[], |_| true, true);
        // Who has a little more is not to offer and take back in turn.
        volunteer.can_spend(FEES_TO_KEEP - 1);
        assert_eq!(volunteer.due(50, None, &[], |_| true, true).await, None);
        volunteer.can_spend(FEES_TO_KEEP);
        let due = volunteer.due(51, None, &[], |_| true, true).await;
        assert_eq!(due, Some(Call::offer(Capacity::SEATS, products, true, &[])));
    }

    /// Else it would be drawn for a task for which it does nothing.
    #[tokio::test]
    async fn where_a_task_was_given_up_the_others_are_named() {
        let (_folder, mut volunteer) = volunteer(None, false);
        let all = Capacity::default();
        let tasks = [views::task(), drawn_task()];
        let due = volunteer.due(1, None, &tasks, |_| true, false).await;
        let call = Call::offer(all.seats, all.products, false, &[tasks[0].id]);
        assert_eq!(due, Some(call));
        assert_eq!(volunteer.due(1, None, &[], |_| false, false).await, None);
    }
}
