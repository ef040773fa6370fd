//! What an attester offers, kept up to date on the chain.

use super::{pay::most_pay, round_memory::MemoryForRounds, Pool, PoolError, Pools};
use crate::chain::{Account, Call};
use gotong_protocol::{
    bounds,
    view::{OfferView, TaskView},
    TaskId,
};
use gotong_scoring::blake2_256;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use tokio::task::JoinHandle;

/// What a worker's account should keep for fees, in planck. While blocks are not full, this pays for a dozen of the most expensive
/// calls: reveals of the longest deltas.
pub const FEES_TO_KEEP: u128 = 1_000_000_000_000;

/// How much an attester takes on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The most seats at once.
    pub seats: u8,
    /// The most work that all of them together may require in a block, in products ([`gotong_protocol::TaskTerms::load`]).
    pub products: u64,
}

impl Capacity {
    /// How many seats a program can serve at once, however little work they require.
    pub const SEATS: u8 = 16;

    /// How many products in a block to offer, given a `speed` in products a second and the time that a block takes. Shorter blocks
    /// count as one second, because that is what the chain assumes when it admits tasks. Rounded down to a power of two, so that
    /// the offer is the same after a restart.
    pub fn products(speed: f64, block_millis: u64) -> u64 {
        let of_block = speed * block_millis.max(1_000) as f64 / 1_000.0;
        let rounded = 1 << (of_block as u64).clamp(1, bounds::COST_PER_BLOCK).ilog2();
        bounds::COST_PER_BLOCK.min(rounded)
    }
}

impl Default for Capacity {
    /// What a slow processor can do: the one that the chain assumes when it admits tasks.
    fn default() -> Self {
        Self {
            seats: Self::SEATS,
            products: bounds::COST_PER_BLOCK,
        }
    }
}

/// An offer: the arguments of the call.
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

    /// Whether the chain has this offer.
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

/// Offers what the attester can do, and makes a new offer when that changes. An offer may also end for another reason: a missed
/// seat, an attester with a larger stake, or another program with the same account. Then it is made again after a wait, which
/// doubles each time.
pub(super) struct Volunteer {
    account: Account,
    capacity: Capacity,
    /// Serves only these; every task if there are none.
    only: BTreeSet<TaskId>,
    pools: Pools,
    /// For each task whose samples are drawn: the most that a round can pay for a seat, or `None` if its pool is not here.
    pooled: BTreeMap<TaskId, Option<u128>>,
    /// For each task whose samples are sealed: the most that a round can pay for a seat.
    sealed: BTreeMap<TaskId, u128>,
    /// The search for a pool that is under way.
    search: Option<Search>,
    last: Option<Sent>,
    /// Whether the account cannot pay for a seat's calls.
    is_poor: bool,
    /// Whether the chain refuses offers of this account.
    is_refused: bool,
    memory: MemoryForRounds,
    /// The number of seats last reported, if there is no memory for more.
    told: Option<u8>,
    /// The tasks last reported as left out because there is no memory for them beside the others.
    told_left_out: BTreeSet<TaskId>,
    /// Whether a call was due. Its result may be unknown.
    was_due: bool,
}

/// A search for a task's pool among the files in the pool folders.
struct Search {
    task: TaskId,
    /// The most that a round can pay for a seat.
    most_pay: u128,
    found: JoinHandle<Result<(), PoolError>>,
}

/// The last offer that was sent.
struct Sent {
    offer: Offer,
    at: u32,
    /// How many blocks to wait once the chain no longer has it.
    wait: u32,
    /// The block at which the chain was first seen to have it.
    seen_at: Option<u32>,
    /// The block at which the chain was first seen not to have it any more.
    undone_at: Option<u32>,
}

impl Volunteer {
    const FIRST_WAIT: u32 = 100;
    const LONGEST_WAIT: u32 = 10_000;
    /// The fewest blocks between two different offers.
    const CHANGE_WAIT: u32 = 10;
    /// If there is memory for fewer seats than this, the largest tasks are left out. Otherwise somebody could open two tasks of the
    /// maximum size, and most attesters would offer only a single seat.
    const LEAST_SEATS: u8 = 4;

    /// Serves every task that it can, or `only` these if there are any.
    pub fn new(account: Account, capacity: Capacity, only: BTreeSet<TaskId>, pools: Pools) -> Self {
        Self {
            account,
            capacity,
            only,
            pools,
            pooled: BTreeMap::new(),
            sealed: BTreeMap::new(),
            is_poor: false,
            is_refused: false,
            memory: MemoryForRounds::default(),
            told: None,
            told_left_out: BTreeSet::new(),
            search: None,
            last: None,
            was_due: false,
        }
    }

    /// From now on, all seats together may require this many products in a block.
    pub fn takes_on(&mut self, products: u64) {
        if products != self.capacity.products && products < bounds::COST_PER_BLOCK {
            tracing::warn!(
                "this machine, or this program's share of it, is slower than the chain assumes. So all seats together take on at \
                 most {:.3} of the work that one task may require. If this measurement is wrong, give --speed",
                products as f64 / bounds::COST_PER_BLOCK as f64
            );
        }
        self.capacity.products = products;
    }

    /// Notes what the account can spend, in planck. If that is too little, no seats are offered, because a seat whose calls cannot
    /// be paid for costs stake. Offers resume only at twice that amount, because each offer costs a fee, too.
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

    /// Notes whether the account has the role and the stake that an offer needs. Without them the chain would refuse each offer and
    /// still take the fee, so none is sent until the account has them.
    pub fn may_attest(&mut self, may: bool) {
        if !may && !self.is_refused {
            tracing::warn!(
                "no seats are offered, because the account's stake is below the minimum for attesters: add stake with `gotong register`"
            );
        }
        self.is_refused = !may;
    }

    /// Offers no more seats from now on than there is memory for.
    pub fn fits_into(&mut self, memory: MemoryForRounds) {
        self.memory = memory;
    }

    /// The call that brings the offer on the chain up to date, if it is time for it. `tasks` are those that the node could be asked
    /// about. `serves` also covers tasks that it could not be asked about just now, but not those that were given up or do not suit.
    /// Unless `is_sound`, a task with sealed samples may be among the latter, so the offer names the tasks that it serves.
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
            .extend(sealed.map(|task| (task.id, most_pay(task))));
        self.sealed.retain(|task, _| serves(*task));
        let left_out = self.left_out(&serves);
        let offer = self.offer(tasks, serves, is_sound);
        self.tell_of_memory(offer.capacity.seats, left_out);
        if self.is_refused && offer.capacity.seats > 0 {
            return None;
        }
        let stands = offer.stands(found);
        let is_due = !self.note(&offer, stands, block);
        self.was_due |= is_due;
        is_due.then(|| offer.call())
    }

    /// Notes that the call was made, whether or not it succeeded.
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

    /// Whether it was told to withdraw its offer and serve the seats that it still held, and has done both.
    pub fn has_left(&self, found: Option<&OfferView>) -> bool {
        let is_nothing = |found: &OfferView| (found.seats, found.seats_held) == (0, 0);
        self.capacity.seats == 0 && found.is_none_or(is_nothing)
    }

    /// How many tasks with sealed samples it knows.
    #[cfg(test)]
    pub fn known_sealed(&self) -> usize {
        self.sealed.len()
    }

    /// The call that withdraws the offer.
    pub fn leave() -> Call {
        Call::offer(0, 0, false, &[])
    }

    fn offer(&self, tasks: &[TaskView], serves: impl Fn(TaskId) -> bool, is_sound: bool) -> Offer {
        let left_out = self.left_out(&serves);
        let has_all_sealed = !left_out.iter().any(|task| self.sealed.contains_key(task));
        let sealed = self.only.is_empty() && is_sound && has_all_sealed;
        let serves = |task: TaskId| serves(task) && !left_out.contains(&task);
        let is_here = |task: &TaskId| matches!(self.pooled.get(task), Some(Some(_)));
        let named = match self.only.is_empty() {
            false => {
                let is_served = |task: &TaskId| match tasks.iter().find(|view| view.id == *task) {
                    Some(view) => {
                        let is_sealed = view.terms.hold_out.is_sealed();
                        !view.state.is_over() && (is_sealed || is_here(task))
                    }
                    // The node could not be asked about it just now.
                    None => self.pooled.get(task).is_none_or(Option::is_some),
                };
                let mut served = self.only.iter().copied().collect::<Vec<_>>();
                served.retain(|task| serves(*task) && is_served(task));
                served.truncate(bounds::MAX_OFFERED_TASKS as usize);
                served
            }
            true => {
                let pooled = self.pooled.iter();
                let here = pooled.filter_map(|(task, pay)| Some((*task, (*pay)?)));
                let mut served: Vec<_> = here.filter(|(task, _)| serves(*task)).collect();
                if !sealed {
                    let others = self.sealed.iter().map(|(task, pay)| (*task, *pay));
                    served.extend(others.filter(|(task, _)| serves(*task)));
                }
                self.choose(served)
            }
        };
        let mut capacity = self.capacity;
        if self.is_poor || (!sealed && named.is_empty()) {
            capacity.seats = 0;
        }
        let unnamed = self.sealed.keys().filter(|task| sealed && serves(**task));
        if let Some(fit) = self.memory.at_once(named.iter().chain(unnamed).copied()) {
            capacity.seats = capacity.seats.min(u8::try_from(fit).unwrap_or(u8::MAX));
        }
        Offer {
            capacity,
            sealed,
            tasks: named,
        }
    }

    /// The tasks that are not offered because their rounds take so much memory that too few seats would fit. Empty if the user has
    /// named the tasks.
    fn left_out(&self, serves: impl Fn(TaskId) -> bool) -> BTreeSet<TaskId> {
        if !self.only.is_empty() {
            return BTreeSet::new();
        }
        let pooled = self.pooled.iter().filter(|(_, pay)| pay.is_some());
        let pooled = pooled.map(|(task, _)| *task);
        let tasks = pooled.chain(self.sealed.keys().copied());
        let wanted = self.capacity.seats.min(Self::LEAST_SEATS);
        let served = tasks.filter(|task| serves(*task));
        self.memory
            .left_out(served, |task| self.lot(task), wanted.into())
    }

    /// Reports, once for each number, that there is no memory for more than these seats, and once which tasks are left out because
    /// of it.
    fn tell_of_memory(&mut self, seats: u8, left_out: BTreeSet<TaskId>) {
        for task in left_out.difference(&self.told_left_out) {
            tracing::warn!(
                %task,
                "not offered: its rounds take so much memory that too few others would fit. If you want to serve it, name all \
                 tasks to serve with --task"
            );
        }
        self.told_left_out = left_out;
        let fewer = (1..self.capacity.seats).contains(&seats).then_some(seats);
        if fewer.is_some() && fewer != self.told {
            tracing::warn!(
                "offering only {seats} seats: the memory does not hold more of the largest rounds at once"
            );
        }
        self.told = fewer;
    }

    /// Chooses as many of these tasks as an offer can name, in order of id. Each comes with the most that it can pay for a seat. One
    /// half are those that can pay the most. That figure is only the sponsor's promise: somebody who opens many tasks that promise
    /// much could displace all others everywhere. So the other half is chosen by a lot that differs for each account.
    fn choose(&self, tasks: Vec<(TaskId, u128)>) -> Vec<TaskId> {
        let most = bounds::MAX_OFFERED_TASKS as usize;
        let ranked = tasks.into_iter();
        let ranked = ranked.map(|(task, pay)| (Reverse(pay), self.lot(task), task));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        if let Some(others) = ranked.get_mut(most / 2..) {
            others.sort_unstable_by_key(|(_, lot, _)| *lot);
        }
        ranked.truncate(most);
        let mut chosen: Vec<_> = ranked.into_iter().map(|(_, _, task)| task).collect();
        chosen.sort_unstable();
        chosen
    }

    /// A task's lot. It is the same at every start, so that the offer is the same after a restart.
    fn lot(&self, task: TaskId) -> [u8; 32] {
        blake2_256(&[b"gotong:offer", &self.account, &task.0.to_le_bytes()])
    }

    /// Notes whether the chain has the offer, and returns whether there is nothing to send now.
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

    /// Looks for one pool at a time, in the background because it reads whole files.
    async fn look_for_pools(&mut self, tasks: &[TaskView]) {
        let over = self.search.take_if(|search| search.found.is_finished());
        if let Some(Search {
            task,
            most_pay,
            found,
        }) = over
        {
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
            self.pooled.insert(task, is_here.then_some(most_pay));
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
                most_pay: most_pay(task),
                found: tokio::task::spawn_blocking(move || pools.keep(&pool)),
            });
        }
    }
}

impl Sent {
    /// How long to wait next time. If the chain had the offer for a long time, the wait is as short as at first.
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
mod tests;
