//! Rounds whose deltas are public, while attesters are busy, step back or never come. They wait, and nobody gains by it.

use super::lab::*;
use crate::{
    mock::*,
    weights::{SubstrateWeight, WeightInfo},
    Event, HoldReason, Rounds, SeatsPromised,
};
use frame_support::{assert_ok, traits::fungible::InspectHold};
use gotong_protocol::{bounds, Outcome, Phase, Roles, RoundId, TaskId, TaskState};

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);

fn outcome(id: TaskId) -> Option<Outcome> {
    Rounds::<Test>::get(id, FIRST).unwrap().outcome
}

/// Whether a round waits for attesters, as everybody sees it. If it does, no attester has a duty, and its window ended no longer ago
/// than the hook may be late.
fn waits(id: TaskId) -> bool {
    let view = Contribution::round(id, task(id).round).unwrap();
    let waits = view.phase == Phase::AttestCommit && view.awaits_attesters;
    if waits {
        assert!(view.seats.is_empty() && view.ends_at >= System::block_number());
        for number in 0..3 {
            let duties = Contribution::duties(attester(number), id);
            assert!(duties.items.is_empty());
        }
        assert_ok!(Contribution::do_try_state());
    }
    waits
}

fn seats_held() -> u32 {
    let held = |number| crate::view::offer::<Test>(&attester(number));
    (0..16).filter_map(held).map(|offer| offer.seats_held).sum()
}

fn staked(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

fn is_slash(event: &Event<Test>) -> bool {
    matches!(event, Event::Slashed { .. })
}

/// A task with one contributor, whose delta is public. Its two attesters let it be revealed and have stepped back since.
fn deserted() -> Lab {
    let mut lab = Lab::default();
    register(1, 2);
    lab.open();
    assert_ok!(commit(&contributor(0), TASK, &lab.delta(0)));
    run_to_phase(TASK, Phase::Reveal);
    for number in 0..2 {
        assert_ok!(offer(&attester(number), 0));
    }
    assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
    assert_ok!(lab.publish(TASK));
    next_block();
    assert!(waits(TASK));
    lab
}

fn come_back() {
    for number in 0..2 {
        assert_ok!(offer(&attester(number), 9));
    }
}

/// The two who had stepped back attest after all, and the contributor is paid.
fn ends_well(lab: &mut Lab) {
    come_back();
    run_to_phase(TASK, Phase::AttestCommit);
    let table = lab.finish(TASK);
    assert_eq!(outcome(TASK), Some(Outcome::Settled));
    let who = contributor(0);
    assert_ok!(claim(&who, TASK, FIRST, &table, 0));
    assert!(submission(TASK, FIRST, &who).claimed.unwrap().paid > 0);
    assert!(!events().iter().any(is_slash));
}

#[test]
fn a_revealed_round_waits_for_attesters_who_stepped_back() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = deserted();
        assert_eq!(current(TASK).seed, None);
        let began = current(TASK).phase_started_at;
        for _ in 0..40 {
            next_block();
            assert!(waits(TASK));
        }
        assert_eq!(current(TASK).phase_started_at, began);
        // One is not a quorum.
        assert_ok!(offer(&attester(0), 9));
        run_blocks(4);
        assert!(waits(TASK) && seats_held() == 0);
        come_back();
        run_to_phase(TASK, Phase::AttestCommit);
        // The window to evaluate begins with the seats, however long the round has waited.
        let window = lab.terms().windows.attest_blocks;
        assert_eq!(current(TASK).ends_at, System::block_number() + window);
        let table = lab.finish(TASK);
        assert_eq!(outcome(TASK), Some(Outcome::Settled));
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        assert!(
            submission(TASK, FIRST, &contributor(0))
                .claimed
                .unwrap()
                .paid
                > 0
        );
        assert!(!events().iter().any(is_slash));
    });
}

/// By default, an attester offers 16 seats, and as much work as the heaviest round asks for.
#[test]
fn of_two_heavy_rounds_the_second_waits_and_both_settle() {
    for is_published in [true, false] {
        ExtBuilder::default().build_and_execute(|| {
            let mut lab = Lab::default();
            register(1, 3);
            let (first, second) = (lab.open(), lab.open());
            for number in 0..3 {
                let (origin, capacity) = (signed(&attester(number)), task(first).load(1));
                let tasks = Default::default();
                assert_ok!(Contribution::offer(origin, 16, capacity, true, tasks));
            }
            let (who, delta) = (contributor(0), lab.delta(0));
            for id in [first, second] {
                assert_ok!(commit(&who, id, &delta));
            }
            for id in [first, second] {
                run_to_phase(id, Phase::Reveal);
                assert_ok!(reveal(&who, id, &delta));
            }
            assert_ok!(lab.publish(first));
            // The second round draws together with the first, or once the first has its seats.
            if is_published {
                assert_ok!(lab.publish(second));
            }
            run_to_phase(first, Phase::AttestCommit);
            if !is_published {
                assert_ok!(lab.publish(second));
            }
            run_blocks(2);
            assert!(waits(second));
            assert_eq!((seats_held(), SeatsPromised::<Test>::get()), (3, 0));
            let score = lab.score(first);
            settle(first, &score);
            run_to_phase(second, Phase::AttestCommit);
            assert_eq!(current(second).seats.len(), 3);
            let score = lab.score(second);
            settle(second, &score);
            for id in [first, second] {
                assert_eq!(outcome(id), Some(Outcome::Settled));
                let seats = Rounds::<Test>::get(id, FIRST).unwrap().seats;
                assert!(seats.iter().all(|seat| seat.fee > 0));
            }
            assert!(!events().iter().any(is_slash));
        });
    }
}

/// A candidate that offers nothing any more when the draw is over costs the others nothing. It does not choose the samples either.
#[test]
fn a_draw_that_an_attester_steps_back_from_is_made_again() {
    ExtBuilder::default().build_and_execute(|| {
        DrawBlocks::set(3);
        let mut lab = Lab::default();
        register(1, 2);
        lab.open();
        assert_ok!(commit(&contributor(0), TASK, &lab.delta(0)));
        run_to_phase(TASK, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
        assert_ok!(lab.publish(TASK));
        let step_back = |promised| {
            events();
            while current(TASK).draw.is_none() {
                next_block();
            }
            assert_eq!(SeatsPromised::<Test>::get(), promised);
            assert_ok!(offer(&attester(1), 0));
            while current(TASK).draw.is_some() {
                next_block();
            }
            assert!(waits(TASK));
            // The other attester is free for rounds that have a quorum.
            assert_eq!((seats_held(), SeatsPromised::<Test>::get()), (0, 0));
            let is_drawn = |event: &Event<Test>| matches!(event, Event::AttestersDrawn { .. });
            assert!(!events().iter().any(is_drawn));
            assert_ok!(offer(&attester(1), 9));
            current(TASK).seed
        };
        let drawn = step_back(2);
        assert!(drawn.is_some());
        Seed::set(7);
        // Otherwise draws that fail would keep seats from others.
        assert_eq!(step_back(0), drawn);
        run_to_phase(TASK, Phase::AttestCommit);
        assert_eq!(current(TASK).seed, drawn);
        lab.finish(TASK);
        assert_eq!(outcome(TASK), Some(Outcome::Settled));
        assert_eq!(staked(&attester(1)), 500);
        Seed::set(0);
    });
}

/// When a task has been idle for too long, money goes back to its owners, nobody is slashed, and the place is free.
#[test]
fn a_round_that_nobody_attests_is_given_up_with_its_idle_task() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        deserted();
        while outcome(TASK).is_none() {
            assert!(waits(TASK));
            next_block();
        }
        // The task is idle from block 31 on, and a window that began before lasts four blocks.
        assert!((31..35).contains(&System::block_number()));
        assert_eq!(outcome(TASK), Some(Outcome::Unattested));
        assert_eq!(task(TASK).state, TaskState::Closed);
        assert!(Contribution::live_tasks().is_empty());
        let told = events();
        assert!(told.contains(&Event::TaskExpired { task: TASK }));
        assert!(told.contains(&Event::AttestersAwaited {
            task: TASK,
            round: FIRST,
        }));
        assert!(!told.iter().any(is_slash));
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
        assert_eq!(Balances::free_balance(contributor(0)), ENDOWMENT - 500);
    });
}

/// Somebody who wants to hold one of the places for live tasks offers seats whenever the round looks for them, and steps back from
/// every draw.
#[test]
fn draws_that_fail_make_no_round_wait_for_longer() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        deserted();
        let mut draws = 0;
        let mut was_drawing = false;
        while outcome(TASK).is_none() {
            let is_drawing = current(TASK).draw.is_some();
            draws += u32::from(is_drawing && !was_drawing);
            was_drawing = is_drawing;
            for number in 0..2 {
                assert_ok!(offer(&attester(number), if is_drawing { 0 } else { 9 }));
            }
            next_block();
            assert_ok!(Contribution::do_try_state());
            assert!(System::block_number() < 31 + 4 + 2);
        }
        assert!(draws > 5, "{draws}");
        assert_eq!(outcome(TASK), Some(Outcome::Unattested));
        assert_eq!(task(TASK).state, TaskState::Closed);
    });
}

/// A sponsor's accomplices take the seats and do nothing, while its other tasks keep everybody else busy. Only their time is lost.
#[test]
fn accomplices_who_sit_down_do_not_end_a_round_that_waits() {
    for committing in 0..2 {
        ExtBuilder::default().build_and_execute(|| {
            let mut lab = deserted();
            let accomplices = [attester(2), attester(3)];
            for who in &accomplices {
                register_attester(who, Roles::ATTESTER, 500);
            }
            // It makes no difference how often they do it.
            for _ in 0..3 {
                run_to_phase(TASK, Phase::AttestCommit);
                assert_eq!(seats_held(), 2);
                let score = lab.score(TASK);
                for who in &accomplices[..committing] {
                    assert_ok!(commit_attestation(who, TASK, &score));
                }
                run_blocks(lab.terms().windows.attest_blocks);
                assert_eq!(outcome(TASK), None);
                assert!(waits(TASK) && seats_held() == 0);
            }
            for who in &accomplices {
                assert_ok!(offer(who, 0));
            }
            ends_well(&mut lab);
        });
    }
}

/// The round does not end either if many accomplices are drawn anew one after another, or step back from such a draw.
#[test]
fn draws_anew_that_come_to_nothing_do_not_end_a_round() {
    for (steps_back, draws) in [(false, bounds::MAX_REDRAWS), (true, 1)] {
        ExtBuilder::default().build_and_execute(|| {
            let mut lab = deserted();
            let accomplices = (2..14).map(attester);
            for who in accomplices.clone() {
                register_attester(&who, Roles::ATTESTER, 500);
            }
            let step_back = || {
                for who in accomplices.clone() {
                    assert_ok!(offer(&who, 0));
                }
            };
            run_to_phase(TASK, Phase::AttestCommit);
            let mut redraws = 0;
            while !current(TASK).seats.is_empty() {
                redraws = redraws.max(current(TASK).redraws);
                if steps_back && current(TASK).draw.is_some() {
                    step_back();
                }
                next_block();
                assert_ok!(Contribution::do_try_state());
            }
            assert_eq!((outcome(TASK), redraws), (None, draws));
            assert!(waits(TASK) && seats_held() == 0);
            step_back();
            ends_well(&mut lab);
        });
    }
}

/// They hold the task's place only until it has been idle for too long and the window in which they then sit is over.
#[test]
fn accomplices_who_sit_down_keep_no_place() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        let lab = deserted();
        for number in 2..4 {
            register_attester(&attester(number), Roles::ATTESTER, 500);
        }
        let window = lab.terms().windows.attest_blocks;
        while outcome(TASK).is_none() {
            next_block();
            assert_ok!(Contribution::do_try_state());
            assert!(System::block_number() < 31 + window + 2 + window);
        }
        assert_eq!(outcome(TASK), Some(Outcome::Unattested));
        assert_eq!(task(TASK).state, TaskState::Closed);
        assert!(!events().iter().any(is_slash));
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
    });
}

/// Otherwise, if deltas are revealed right before their task expires, it would be enough to keep attesters away for one window.
#[test]
fn a_task_about_to_expire_reveals_nothing() {
    for (blocks, phase) in [(29, Phase::Reveal), (30, Phase::Commit)] {
        ExtBuilder::default().build_and_execute(|| {
            // A seventh of that is five blocks.
            IdleBlocks::set(35);
            let mut lab = Lab::default();
            register(1, 2);
            lab.open();
            run_blocks(blocks);
            assert_ok!(commit(&contributor(0), TASK, &lab.delta(0)));
            next_block();
            assert_eq!(current(TASK).phase, phase);
            let view = Contribution::round(TASK, FIRST).unwrap();
            assert_eq!(view.awaits_attesters, phase == Phase::Commit);
            if phase == Phase::Reveal {
                return;
            }
            while outcome(TASK).is_none() {
                assert_eq!(current(TASK).phase, Phase::Commit);
                next_block();
            }
            assert_eq!(System::block_number(), 36);
            assert_eq!(outcome(TASK), Some(Outcome::NoReveals));
            assert_eq!(task(TASK).state, TaskState::Closed);
            assert_eq!(Balances::free_balance(contributor(0)), ENDOWMENT - 500);
            assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
        });
    }
}

/// Otherwise a sponsor could wait until attesters are busy, read the deltas, close the task, and have them for nothing.
#[test]
fn a_sponsor_does_not_end_a_round_that_waits() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = deserted();
        assert_ok!(Contribution::close_task(signed(&sponsor()), TASK));
        run_blocks(20);
        assert!(waits(TASK));
        assert_eq!(task(TASK).state, TaskState::Closing);
        come_back();
        run_to_phase(TASK, Phase::AttestCommit);
        let table = lab.finish(TASK);
        assert_eq!(task(TASK).state, TaskState::Closed);
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        assert!(Balances::free_balance(contributor(0)) > ENDOWMENT - 500);
    });
}

/// Otherwise somebody could open a task that nobody can attest, just to keep all others in Commit.
#[test]
fn a_round_that_waits_keeps_no_seats_from_others() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        lab.open();
        let offer_work = |deltas| {
            for number in 0..2 {
                let (origin, capacity) = (signed(&attester(number)), task(TASK).load(deltas));
                let tasks = Default::default();
                assert_ok!(Contribution::offer(origin, 1, capacity, true, tasks));
            }
        };
        // It enters Reveal as if nobody would reveal anything, and then somebody does.
        offer_work(0);
        assert_ok!(commit(&contributor(0), TASK, &lab.delta(0)));
        run_to_phase(TASK, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
        assert_ok!(lab.publish(TASK));
        next_block();
        assert!(waits(TASK));
        assert_eq!(SeatsPromised::<Test>::get(), 0);
        let mut terms = lab.terms();
        terms.windows.attest_blocks = 16;
        assert_ok!(lab.open_with(terms, POOL));
        let other = TaskId(1);
        lab.play_to_attestation(other, 1);
        let score = lab.score(other);
        settle(other, &score);
        assert_eq!(outcome(other), Some(Outcome::Settled));
        assert!(waits(TASK));
        offer_work(1);
        run_to_phase(TASK, Phase::AttestCommit);
        lab.finish(TASK);
        assert_eq!(outcome(TASK), Some(Outcome::Settled));
    });
}

/// Otherwise a few attesters could do the same, by offering seats whenever a round looks for them and stepping back before they are
/// drawn.
#[test]
fn draws_that_fail_promise_nothing_to_others() {
    ExtBuilder::default().build_and_execute(|| {
        DrawBlocks::set(3);
        let mut lab = Lab::default();
        register(1, 4);
        let failing = [lab.open(), lab.open()];
        let (who, delta) = (contributor(0), lab.delta(0));
        for id in failing {
            assert_ok!(commit(&who, id, &delta));
        }
        for id in failing {
            run_to_phase(id, Phase::Reveal);
            assert_ok!(reveal(&who, id, &delta));
        }
        for number in 0..4 {
            assert_ok!(offer(&attester(number), 0));
        }
        for id in failing {
            assert_ok!(lab.publish(id));
        }
        run_blocks(2);
        let drawing = |id: &TaskId| current(*id).draw.is_some();
        let toggle = |seats| {
            for number in 2..4 {
                assert_ok!(offer(&attester(number), seats));
            }
        };
        let lure = || {
            assert!(failing.iter().all(|id| waits(*id)));
            toggle(9);
            while !failing.iter().all(drawing) {
                next_block();
            }
            toggle(0);
        };
        // This is the first draw of each, which brings its seed.
        lure();
        assert_eq!(SeatsPromised::<Test>::get(), 4);
        while failing.iter().any(drawing) {
            next_block();
        }
        lure();
        assert_eq!(SeatsPromised::<Test>::get(), 0);
        let third = lab.open();
        for number in 0..2 {
            let tasks = vec![third].try_into().unwrap();
            let origin = signed(&attester(number));
            assert_ok!(Contribution::offer(origin, 1, u64::MAX, false, tasks));
        }
        assert_ok!(commit(&who, third, &delta));
        // A block advances two rounds.
        run_blocks(2);
        assert!(failing.iter().all(drawing));
        assert_eq!(current(third).phase, Phase::Reveal);
        assert_eq!(SeatsPromised::<Test>::get(), 2);
    });
}

/// However many rounds wait, a look at the offers is the most expensive thing that the hook does for them.
#[test]
fn rounds_that_wait_ask_at_a_bounded_pace() {
    type Weights = SubstrateWeight<Test>;
    let ask = Weights::redraw().max(Weights::end_phase());
    ExtBuilder::default().build_and_execute(|| {
        deserted();
        let costs: Vec<_> = (0..8)
            .map(|_| next_block() == Weights::look() + ask)
            .collect();
        // It asks every two blocks, which is the shortest window.
        let (yes, no) = (true, false);
        assert_eq!(costs, [no, yes, no, yes, no, yes, no, yes]);
    });
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        let ids: Vec<_> = (0..MaxLiveTasks::get()).map(|_| lab.open()).collect();
        for id in &ids {
            assert_ok!(commit(&contributor(0), *id, &lab.delta(0)));
        }
        for id in &ids {
            run_to_phase(*id, Phase::Reveal);
            assert_ok!(reveal(&contributor(0), *id, &lab.delta(0)));
        }
        for number in 0..2 {
            assert_ok!(offer(&attester(number), 0));
        }
        for id in &ids {
            assert_ok!(lab.publish(*id));
        }
        run_blocks(3);
        for _ in 0..20 {
            assert!(ids.iter().all(|id| waits(*id)));
            let cost = next_block();
            // A block never advances more rounds than it may.
            assert!(cost.all_lte(Weights::look() + ask + ask), "{cost}");
        }
        // Two seats are enough for all rounds, one after another.
        for number in 0..2 {
            assert_ok!(offer(&attester(number), 1));
        }
        let seated = || {
            let mut ids = ids.iter().copied();
            ids.find(|id| !current(*id).seats.is_empty())
        };
        for _ in &ids {
            for _ in 0..20 {
                if seated().is_none() {
                    next_block();
                }
            }
            let id = seated().unwrap();
            let score = lab.score(id);
            settle(id, &score);
        }
        for id in ids {
            assert_eq!(outcome(id), Some(Outcome::Settled));
        }
    });
}
