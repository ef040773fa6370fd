//! What is offered, and when.

use super::*;
use crate::{
    run::{round_memory::RoundMemory, views},
    state::Folder,
};
use gotong_protocol::HoldOutTerms;
use gotong_scoring::pool_tree;

const SALT: [u8; 32] = [3; 32];
const RECORDS: [u8; 350] = [1; 350];

#[test]
fn no_more_is_offered_than_this_machine_can_do() {
    let slow_processor = bounds::COST_PER_BLOCK as f64;
    for (speed, block_millis, part) in [
        (slow_processor, 1_000, 1),
        (slow_processor * 9.0, 1_000, 1),
        (slow_processor - 1.0, 1_000, 2),
        (slow_processor / 5.0, 1_000, 8),
        // A block of six seconds leaves more time. A very short one counts as the second that the chain assumes.
        (slow_processor / 5.0, 6_000, 1),
        (slow_processor / 5.0, 60, 8),
        (0.0, 0, bounds::COST_PER_BLOCK),
    ] {
        let expected = bounds::COST_PER_BLOCK / part;
        assert_eq!(
            Capacity::products(speed, block_millis),
            expected,
            "{speed} {block_millis}"
        );
    }
}

/// The speed may be measured before a node is connected, or with a node of another chain.
#[tokio::test]
async fn what_is_offered_goes_by_the_chain_that_is_there() {
    let (_folder, mut volunteer) = volunteer(None, false);
    let slow = bounds::COST_PER_BLOCK as f64 / 5.0;
    for (block_millis, part) in [(1_000, 8), (6_000, 1)] {
        volunteer.takes_on(Capacity::products(slow, block_millis));
        let due = volunteer.due(1, None, &[], |_| true, true).await;
        let products = bounds::COST_PER_BLOCK / part;
        assert_eq!(due, Some(Call::offer(Capacity::SEATS, products, true, &[])));
    }
}

/// Serves `only` these tasks, or all, with or without the pool of [`drawn_task`].
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
    (
        folder,
        Volunteer::new([4; 32], Capacity::default(), only, pools),
    )
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

/// An offer as the chain has it.
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

/// The offer once the search for pools is over, which takes a while.
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
        // A task that the node cannot be asked about just now is offered all the same.
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
    assert!(!volunteer.has_left(None), "it is meant to continue");
}

#[tokio::test]
async fn what_others_undo_is_offered_again_after_ever_longer_waits() {
    let (_folder, mut volunteer) = volunteer(None, false);
    let suspended = found(0, true, &[]);
    let stands = found(Capacity::SEATS, true, &[]);
    let mut sent = vec![];
    for block in 0..30_000 {
        // After the first thousand blocks the offer stands for long, and is then ended again.
        let is_undone = !(1_000..20_000).contains(&block);
        let offer = if is_undone { &suspended } else { &stands };
        let due = volunteer.due(block, Some(offer), &[], |_| true, true).await;
        if due.is_some() {
            volunteer.sent(block, &[], |_| true, true);
            sent.push(block);
        }
    }
    assert_eq!(sent[..4], [0, 101, 302, 703]);
    // It is made again some blocks after its end was seen, not at once. Then the wait is as short as at first.
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

/// A sponsor may open a task that does not suit, and a node may hide one that does. The others are offered all the same.
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
    // One of them fails, and the node cannot be asked about it just now.
    let due = volunteer.due(1, None, &tasks[..2], suits, false).await;
    assert_eq!(due, Some(call));
    // All of them suit, so none has to be named.
    let call = Call::offer(all.seats, all.products, true, &[]);
    let due = volunteer.due(1, None, &tasks, |_| true, true).await;
    assert_eq!(due, Some(call));
}

/// Tasks with sealed samples and these terms, and after them one of somebody else.
fn displacing(
    count: u32,
    price_per_millibit: u128,
    cap_per_round: u128,
) -> (Vec<TaskView>, TaskId) {
    let mut tasks: Vec<_> = (1..=count + 1)
        .map(|id| TaskView {
            id: TaskId(id),
            ..views::task()
        })
        .collect();
    let others = TaskId(count + 1);
    for task in tasks.iter_mut().filter(|task| task.id != others) {
        task.terms.price_per_millibit = price_per_millibit;
        task.terms.cap_per_round = cap_per_round;
    }
    (tasks, others)
}

/// A high cap costs a sponsor nothing, because whatever is not paid comes back.
#[tokio::test]
async fn tasks_with_a_high_cap_and_a_low_price_displace_no_other() {
    let (_folder, mut volunteer) = volunteer(None, false);
    let (tasks, others) = displacing(17, 1, u128::MAX);
    volunteer.due(1, None, &tasks, |_| true, false).await;
    let named = volunteer.offer(&tasks, |_| true, false).tasks;
    assert_eq!(named.len(), bounds::MAX_OFFERED_TASKS as usize);
    assert!(named.contains(&others));
}

/// Sponsors may promise what no round will pay.
#[tokio::test]
async fn tasks_that_promise_more_displace_no_other_everywhere() {
    let (_folder, mut volunteer) = volunteer(None, false);
    let (tasks, others) = displacing(24, u128::MAX, u128::MAX);
    volunteer.due(1, None, &tasks, |_| true, false).await;
    let accounts = (0..64u8).filter(|account| {
        volunteer.account = [*account; 32];
        let named = volunteer.offer(&tasks, |_| true, false).tasks;
        assert_eq!(named.len(), bounds::MAX_OFFERED_TASKS as usize);
        assert!(named.is_sorted());
        named.contains(&others)
    });
    // The expected share is 16 in 25.
    let count = accounts.count();
    assert!((20..62).contains(&count), "{count} of 64");
}

/// If a wallet sends away all free money, the attester offers no further seats, and so loses none of them.
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
    assert!(!volunteer.has_left(None), "it continues");
    volunteer.sent(1, &[], |_| true, true);
    // With only a little more, it must not offer and withdraw in turn.
    volunteer.can_spend(FEES_TO_KEEP - 1);
    assert_eq!(volunteer.due(50, None, &[], |_| true, true).await, None);
    volunteer.can_spend(FEES_TO_KEEP);
    let due = volunteer.due(51, None, &[], |_| true, true).await;
    assert_eq!(due, Some(Call::offer(Capacity::SEATS, products, true, &[])));
}

/// Otherwise it would be drawn for a task in which it does nothing.
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

/// Each call that the chain refuses costs a fee.
#[tokio::test]
async fn no_offer_is_sent_that_the_chain_refuses_for_too_little_stake() {
    let (_folder, mut volunteer) = volunteer(None, false);
    volunteer.may_attest(false);
    // A loss has ended the offer.
    let ended = found(0, true, &[]);
    for block in 0..30_000 {
        let due = volunteer
            .due(block, Some(&ended), &[], |_| true, true)
            .await;
        assert_eq!(due, None, "in block {block}");
    }
    assert!(!volunteer.has_offered());
    assert!(!volunteer.has_left(Some(&ended)), "it goes on");
    // What was missing was added: it does not wait.
    volunteer.may_attest(true);
    let all = Capacity::default();
    let call = Call::offer(all.seats, all.products, true, &[]);
    let due = volunteer.due(30_000, Some(&ended), &[], |_| true, true);
    assert_eq!(due.await, Some(call));
}

/// The chain accepts that without any stake.
#[tokio::test]
async fn an_offer_is_taken_back_whatever_the_stake_is() {
    let (_folder, mut volunteer) = volunteer(None, false);
    volunteer.may_attest(false);
    volunteer.capacity.seats = 0;
    let stands = found(3, true, &[]);
    let due = volunteer.due(1, Some(&stands), &[], |_| true, true).await;
    let products = Capacity::default().products;
    assert_eq!(due, Some(Call::offer(0, products, true, &[])));
}

/// Sealed tasks of these numbers, whose deltas take a gigabyte, and memory for that many rounds of them at once.
fn heavy(tasks: std::ops::Range<u32>, rounds: u64) -> (Vec<TaskView>, MemoryForRounds) {
    let round = RoundMemory {
        evaluation: 0,
        deltas: 1 << 30,
    };
    let ids = || tasks.clone().map(TaskId);
    let memory = MemoryForRounds {
        // One more may be replayed meanwhile.
        free: (rounds + 1) << 30,
        tasks: ids().map(|task| (task, round)).collect(),
    };
    let tasks = ids().map(|task| views::task_at(task.0, 0)).collect();
    (tasks, memory)
}

/// The system kills a program that takes more memory, and all its seats are lost. Each task fits alone.
#[tokio::test]
async fn no_more_seats_are_offered_than_there_is_memory_for() {
    let products = Capacity::default().products;
    for (count, rounds, seats) in [(5, 3, 3), (3, 3, Capacity::SEATS), (5, 0, 1), (20, 18, 16)] {
        let (_folder, mut volunteer) = volunteer(None, false);
        let (tasks, memory) = heavy(0..count, rounds);
        volunteer.fits_into(memory);
        let due = volunteer.due(1, None, &tasks, |_| true, true).await;
        let call = Call::offer(seats, products, true, &[]);
        assert_eq!(due, Some(call), "{count} {rounds}");
    }
}

/// Two dummy tasks, as heavy as a task may be, once took all seats but one from an attester with 8 GB.
#[tokio::test]
async fn two_heavy_tasks_do_not_take_the_seats_of_light_ones() {
    let round = |deltas| RoundMemory {
        evaluation: 64 << 20,
        deltas,
    };
    let (heavy, light) = (round(2 << 30), round(10 << 20));
    let ids = || (0..16).map(TaskId);
    let all = Capacity::default();
    // With less memory, neither of the two is offered.
    for (free, most_heavy) in [(11 << 29, 1), (7 << 29, 0)] {
        let (_folder, mut volunteer) = volunteer(None, false);
        volunteer.fits_into(MemoryForRounds {
            free,
            tasks: ids()
                .zip([heavy; 2].into_iter().chain([light; 14]))
                .collect(),
        });
        let tasks: Vec<_> = ids().map(|task| views::task_at(task.0, 0)).collect();
        let offer = volunteer.due(1, None, &tasks, |_| true, true).await;
        let calls = [0, 1].map(|kept| {
            let named = ids().filter(|task| task.0 > 1 || (most_heavy > 0 && task.0 == kept));
            Call::offer(all.seats, all.products, false, &named.collect::<Vec<_>>())
        });
        let offer = offer.unwrap();
        assert!(calls.contains(&offer), "{free}: {offer:?}");
        assert_eq!(volunteer.told_left_out.len(), 2 - most_heavy);
        // Heavy tasks alone are better than none, and a user who names tasks gets those tasks.
        let is_heavy = |task: TaskId| task.0 < 2;
        assert!(volunteer.left_out(is_heavy).is_empty());
        volunteer.only = ids().collect();
        assert!(volunteer.left_out(|_| true).is_empty());
    }
}

/// With the same two tasks, others leave out the other one.
#[test]
fn not_all_attesters_leave_out_the_same_task() {
    let (tasks, mut memory) = heavy(0..2, 1);
    let light = RoundMemory {
        evaluation: 0,
        deltas: 0,
    };
    memory
        .tasks
        .extend((2..6).map(|task| (TaskId(task), light)));
    let left_out: BTreeSet<_> = (0..64)
        .flat_map(|account| {
            let (_folder, mut volunteer) = volunteer(None, false);
            volunteer.account = [account; 32];
            volunteer.fits_into(memory.clone());
            volunteer.sealed = (0..6).map(|task| (TaskId(task), 1)).collect();
            volunteer.left_out(|_| true)
        })
        .collect();
    let both: BTreeSet<_> = tasks.iter().map(|task| task.id).collect();
    assert_eq!(left_out, both);
}

/// Somebody who opens heavy tasks that are not served takes no seats away from the others.
#[tokio::test]
async fn memory_counts_only_for_tasks_that_are_served() {
    let (_folder, mut volunteer) = volunteer(None, false);
    let (tasks, memory) = heavy(0..5, 3);
    volunteer.fits_into(memory);
    let serves = |task: TaskId| task.0 < 3;
    let due = volunteer.due(1, None, &tasks, serves, false).await;
    let all = Capacity::default();
    let named: Vec<_> = (0..3).map(TaskId).collect();
    assert_eq!(
        due,
        Some(Call::offer(all.seats, all.products, false, &named))
    );
}

/// Memory limits the number of seats, but never raises it.
#[tokio::test]
async fn whoever_takes_its_offer_back_offers_no_seat_for_its_memory() {
    let (_folder, mut volunteer) = volunteer(None, false);
    let (tasks, memory) = heavy(0..5, 0);
    volunteer.fits_into(memory);
    volunteer.capacity.seats = 0;
    let stands = found(1, true, &[]);
    let due = volunteer.due(1, Some(&stands), &tasks, |_| true, true);
    let products = Capacity::default().products;
    assert_eq!(due.await, Some(Call::offer(0, products, true, &[])));
}
