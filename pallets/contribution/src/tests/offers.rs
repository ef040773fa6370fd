//! Attesters volunteer: nobody is drawn for more than it offered, and an attester that stays away loses its place.

use super::lab::*;
use crate::{mock::*, Error, Event, HoldReason};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold, BoundedVec};
use gotong_protocol::{bounds, view::OfferView, Phase, Roles, RoundId, SeatState, TaskId};

fn staked(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

fn offer_tasks(
    who: &AccountId,
    seats: u8,
    capacity: u64,
    sealed: bool,
    tasks: &[u32],
) -> sp_runtime::DispatchResult {
    let tasks = tasks.iter().copied().map(TaskId).collect();
    let tasks = BoundedVec::truncate_from(tasks);
    Contribution::offer(signed(who), seats, capacity, sealed, tasks)
}

fn view(who: &AccountId) -> Option<OfferView> {
    crate::view::offer::<Test>(who)
}

fn seats_held(who: &AccountId) -> u32 {
    view(who).map_or(0, |offer| offer.seats_held)
}

/// Opens this many tasks, and plays their first rounds in parallel until seats are drawn.
fn draw_in(lab: &mut Lab, tasks: u32) -> Vec<TaskId> {
    let ids: Vec<_> = (0..tasks).map(|_| lab.open()).collect();
    let (who, delta) = (contributor(0), lab.delta(0));
    for id in &ids {
        assert_ok!(commit(&who, *id, &delta));
    }
    let all_in = |phase| ids.iter().for_each(|id| run_to_phase(*id, phase));
    all_in(Phase::Reveal);
    for id in &ids {
        assert_ok!(reveal(&who, *id, &delta));
        assert_ok!(lab.publish(*id));
    }
    all_in(Phase::AttestCommit);
    ids
}

fn sits_in(who: &AccountId, id: TaskId) -> bool {
    let seats = current(id).seats;
    seats.iter().any(|seat| seat.account == *who && seat.sits())
}

#[test]
fn only_volunteers_are_drawn() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        let unwilling = attester(2);
        assert_ok!(Contribution::register(
            signed(&unwilling),
            Roles::ATTESTER,
            ENDOWMENT / 2
        ));
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        assert_eq!(current(id).seats.len(), 2);
        assert!(!sits_in(&unwilling, id));
        assert_eq!(seats_held(&unwilling), 0);
        assert_eq!(seats_held(&attester(0)), 1);
    });
}

#[test]
fn nobody_holds_more_seats_than_it_offers() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        let careful = attester(2);
        register_attester(&careful, Roles::ATTESTER, ENDOWMENT / 2);
        assert_ok!(offer(&careful, 2));
        let ids = draw_in(&mut lab, 3);
        let seats = ids.iter().filter(|id| sits_in(&careful, **id)).count();
        assert_eq!(seats, 2);
        assert_eq!(seats_held(&careful), 2);
        // The seats are free again when their rounds are over.
        for id in ids {
            run_to_phase(id, Phase::AttestCommit);
            let score = lab.score(id);
            settle(id, &score);
        }
        assert_eq!(seats_held(&careful), 0);
    });
}

/// This holds for seats beyond a round's quorum. Otherwise the other round would have no attesters for what it has revealed.
#[test]
fn a_draw_leaves_the_seats_that_are_promised_to_others() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 4);
        for number in 0..4 {
            assert_ok!(offer(&attester(number), 1));
        }
        let ids = draw_in(&mut lab, 2);
        for id in ids {
            assert_eq!(current(id).seats.len(), 2);
        }
    });
}

#[test]
fn nobody_is_asked_for_more_work_than_it_offers() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        let slow = attester(2);
        register_attester(&slow, Roles::ATTESTER, ENDOWMENT / 2);
        let graph_cost = lab.graph.cost();
        let load = lab.terms().load(graph_cost, PARAMETERS, 1);
        assert_ok!(offer_tasks(&slow, 9, 2 * load - 1, true, &[]));
        let ids = draw_in(&mut lab, 2);
        assert_eq!(task(ids[0]).load(1), load);
        assert!(sits_in(&slow, ids[0]) != sits_in(&slow, ids[1]));
        let offer = view(&slow).unwrap();
        assert_eq!((offer.seats_held, offer.load_held), (1, load));
    });
}

#[test]
fn an_offer_names_tasks_or_all_with_sealed_samples() {
    ExtBuilder::default().build_and_execute(|| {
        register(1, 2);
        let (named, sealed) = (attester(2), attester(3));
        for who in [&named, &sealed] {
            register_attester(who, Roles::ATTESTER, ENDOWMENT / 2);
        }
        assert_ok!(offer_tasks(&named, 9, u64::MAX, false, &[0]));
        assert_ok!(offer_tasks(&sealed, 9, u64::MAX, true, &[]));
        let mut drawn = Lab::drawn();
        let id = drawn.open();
        drawn.play_to_attestation(id, 1);
        assert!(sits_in(&named, id) && !sits_in(&sealed, id));
        let mut lab = Lab::default();
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        assert!(!sits_in(&named, id) && sits_in(&sealed, id));
    });
}

#[test]
fn who_misses_a_seat_loses_once_and_frees_its_place() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        let absent = attester(2);
        register_attester(&absent, Roles::ATTESTER, ENDOWMENT / 2);
        let id = lab.open();
        for _ in 0..2 {
            lab.play_to_attestation(id, 1);
            let score = lab.score(id);
            let says = |who: &AccountId| (*who != absent).then(|| score.clone());
            attest(id, says);
            audit(id, says);
            run_to_phase(id, Phase::Commit);
            lab.weights = score.weights;
        }
        let states = |round| states(id, round);
        assert_eq!(states(RoundId(0))[&absent], SeatState::Missed);
        assert!(!states(RoundId(1)).contains_key(&absent), "drawn again");
        let slash = MissedAttestationSlash::get();
        assert_eq!(staked(&absent), ENDOWMENT / 2 - slash);
        assert!(events().contains(&Event::OfferSuspended {
            who: absent.clone()
        }));
        assert!(listed().iter().all(|(who, _)| *who != absent));
        assert_ok!(offer(&absent, 1));
        assert!(listed().iter().any(|(who, _)| *who == absent));
    });
}

#[test]
fn a_window_in_which_nobody_could_ends_no_offer() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        run_blocks(lab.terms().windows.attest_blocks);
        assert!(current(id).is_unattended());
        assert_eq!(listed().len(), 3);
        assert_eq!(staked(&attester(0)), 500);
    });
}

#[test]
fn the_registry_keeps_the_largest_stakes() {
    ExtBuilder::default().build_and_execute(|| {
        let most = MaxAttesters::get() as u8;
        register(0, most);
        assert_ok!(Contribution::add_stake(signed(&attester(0)), 1));
        let newcomer = attester(most);
        assert_ok!(Contribution::register(
            signed(&newcomer),
            Roles::ATTESTER,
            500
        ));
        assert_noop!(offer(&newcomer, 1), Error::<Test>::TooManyAttesters);
        assert_ok!(Contribution::add_stake(signed(&newcomer), 1));
        assert_ok!(offer(&newcomer, 1));
        let displaced = events().into_iter().find_map(|event| match event {
            Event::OfferDisplaced { who } => Some(who),
            _ => None,
        });
        let displaced = displaced.unwrap();
        assert_ne!(displaced, attester(0), "which has more");
        let listed = listed();
        assert_eq!(listed.len(), usize::from(most));
        assert!(listed.iter().all(|(who, _)| *who != displaced));
        assert!(listed.iter().any(|(who, _)| *who == newcomer));
        // Its stake is its own as before.
        assert_eq!(staked(&displaced), 500);
    });
}

#[test]
fn who_holds_a_seat_is_not_displaced() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        let most = MaxAttesters::get() as u8;
        register(1, most);
        let mut terms = lab.terms();
        (terms.seats, terms.quorum) = (8, 6);
        assert_ok!(lab.open_with(terms, POOL));
        let id = TaskId(0);
        lab.play_to_attestation(id, 1);
        let seated: Vec<_> = current(id)
            .seats
            .into_iter()
            .map(|seat| seat.account)
            .collect();
        assert_eq!(seated.len(), 8);
        for number in 0..most - 8 {
            let who = account(20 + number);
            register_attester(&who, Roles::ATTESTER, 600);
        }
        let late = account(59);
        assert_ok!(Contribution::register(signed(&late), Roles::ATTESTER, 600));
        assert_noop!(offer(&late, 1), Error::<Test>::TooManyAttesters);
        let listed = listed();
        assert!(seated
            .iter()
            .all(|who| listed.iter().any(|(one, _)| one == who)));
    });
}

#[test]
fn bad_offers_are_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let who = contributor(0);
        assert_noop!(offer(&who, 1), Error::<Test>::NotRegistered);
        register(1, 0);
        assert_noop!(offer(&who, 1), Error::<Test>::WrongRole);
        let leaver = attester(0);
        register_attester(&leaver, Roles::ATTESTER, 500);
        assert_ok!(Contribution::unstake(signed(&leaver), 500));
        assert_noop!(offer(&leaver, 1), Error::<Test>::WrongRole);
        let useful = attester(1);
        register_attester(&useful, Roles::ATTESTER, 500);
        for (capacity, sealed, tasks) in [(0, true, &[0][..]), (9, false, &[])] {
            let offered = offer_tasks(&useful, 1, capacity, sealed, tasks);
            assert_eq!(offered, Err(Error::<Test>::OfferEmpty.into()));
        }
        assert_ok!(offer(&useful, 0));
        // An offer of nothing is always valid.
        assert_ok!(offer(&leaver, 0));
        assert_eq!(listed(), []);
    });
}

/// The author of the last block of a draw knows its result.
#[test]
fn who_may_be_drawn_is_not_displaced() {
    ExtBuilder::default().build_and_execute(|| {
        DrawBlocks::set(3);
        let mut lab = Lab::default();
        let most = MaxAttesters::get() as u8;
        register(1, most);
        lab.open();
        lab.play_to_attestation(TaskId(0), 1);
        let rich = account(59);
        assert_ok!(Contribution::register(
            signed(&rich),
            Roles::ATTESTER,
            5_000
        ));
        let is_drawing = || current(TaskId(0)).draw.is_some();
        while is_drawing() {
            assert_noop!(offer(&rich, 1), Error::<Test>::TooManyAttesters);
            next_block();
        }
        assert_eq!(current(TaskId(0)).seats.len(), 3);
        assert_ok!(offer(&rich, 1));
    });
}

#[test]
fn who_has_held_no_seat_for_long_makes_room() {
    ExtBuilder::default().build_and_execute(|| {
        let most = MaxAttesters::get() as u8;
        for number in 0..most {
            register_attester(&attester(number), Roles::ATTESTER, 900);
        }
        let poor = account(59);
        assert_ok!(Contribution::register(signed(&poor), Roles::ATTESTER, 200));
        assert_noop!(offer(&poor, 1), Error::<Test>::TooManyAttesters);
        run_blocks(UnbondingBlocks::get() + 1);
        // Making a new offer does not make it look busy.
        assert_ok!(offer(&attester(0), 9));
        assert_ok!(offer(&poor, 1));
        assert!(listed().iter().any(|(who, _)| *who == poor));
    });
}

/// The stake changes while a seat keeps the attester in the registry.
#[test]
fn the_registry_follows_the_stake() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let (leaver, liar) = (attester(0), attester(1));
        let stake_of = |who: &AccountId| {
            let found = listed().into_iter().find(|(one, _)| one == who);
            found.map(|(_, stake)| stake)
        };
        assert_ok!(Contribution::unstake(signed(&leaver), 500));
        assert_eq!(stake_of(&leaver), Some(0), "it holds a seat");
        assert_ok!(Contribution::add_stake(signed(&leaver), 700));
        assert_eq!(stake_of(&leaver), Some(700));
        assert_ok!(offer(&leaver, 5));
        assert_ok!(Contribution::do_try_state());

        // It is convicted in another task: everything is gone, and the account registers anew.
        crate::stakes::Stakes::<Test>::forfeit(&liar, &account(50));
        assert_eq!(stake_of(&liar), Some(0));
        assert_ok!(Contribution::register(signed(&liar), Roles::ATTESTER, 300));
        assert_eq!(stake_of(&liar), Some(300));
        assert_ok!(Contribution::do_try_state());
    });
}

#[test]
fn who_stops_offering_keeps_its_seats_and_gets_no_more() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let who = attester(0);
        assert_ok!(offer(&who, 0));
        assert_eq!(seats_held(&who), 1);
        let score = lab.score(id);
        for number in 0..3 {
            assert_ok!(commit_attestation(&attester(number), id, &score));
        }
        let other = lab.open();
        lab.play_to_attestation(other, 1);
        assert!(sits_in(&who, id) && !sits_in(&who, other));
        run_to_phase(id, Phase::Commit);
        assert!(listed().iter().all(|(one, _)| *one != who));
    });
}

#[test]
fn dead_tasks_are_not_listed_as_live() {
    ExtBuilder::default().build().execute_with(|| {
        let lab = Lab::default();
        let live = lab.open();
        let dead = crate::tasks::Task {
            state: gotong_protocol::TaskState::Closed,
            ..task(live)
        };
        for id in 1..100_000 {
            crate::Tasks::<Test>::insert(TaskId(id), &dead);
        }
        crate::NextTask::<Test>::put(TaskId(100_000));
        assert_eq!(Contribution::live_tasks(), [live]);
        // All of them come in pages.
        let (mut seen, mut next) = (Vec::new(), Some(TaskId(0)));
        while let Some(start) = next {
            let page = Contribution::tasks(start);
            assert!(page.items.len() <= bounds::MAX_PAGE as usize);
            seen.extend(page.items);
            next = page.next;
        }
        assert!(seen.into_iter().eq((0..100_000).map(TaskId)));
    });
}
