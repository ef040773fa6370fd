use super::lab::*;
use crate::{mock::*, Error, Event, HoldReason, Rounds, SlashReason, Tasks};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold, BoundedVec};
use gotong_protocol::{
    bounds, Graph, HoldOutTerms, Outcome, Phase, RoundId, ShareTerms, TaskId, TaskName, TaskState,
    TaskTerms,
};

fn held(reason: HoldReason) -> Balance {
    Balances::balance_on_hold(&reason.into(), &sponsor())
}

fn top_up(id: TaskId, amount: Balance) -> sp_runtime::DispatchResult {
    Contribution::top_up(signed(&sponsor()), id, amount)
}

fn close(id: TaskId) -> sp_runtime::DispatchResult {
    Contribution::close_task(signed(&sponsor()), id)
}

#[test]
fn opening_holds_pool_and_bond_and_starts_a_round() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let id = lab.open();
        assert_eq!(held(HoldReason::Pool), POOL);
        // The cap of a round, which is more than the smallest bond.
        assert_eq!(held(HoldReason::Bond), 10_000);
        let mut terms = lab.terms();
        terms.cap_per_round = 4_096;
        assert_ok!(lab.open_with(terms, POOL));
        assert_eq!(held(HoldReason::Bond), 10_000 + TaskBond::get());
        assert_ok!(close(TaskId(1)));
        assert_eq!(held(HoldReason::Bond), 10_000);
        let task = task(id);
        assert_eq!(
            (task.parameters, task.classes, task.record_bytes),
            (23, 2, 5)
        );
        assert_eq!(current(id).phase, Phase::Commit);
        assert_eq!(current(id).ends_at, 6);
        let opened = Event::TaskOpened {
            task: id,
            sponsor: sponsor(),
            parameters: 23,
            master_root: task.master_root,
        };
        assert_eq!(events()[0], opened);
    });
}

#[test]
fn bad_terms_are_refused_by_name() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let refused = |change: &dyn Fn(&mut TaskTerms<Balance>), error: Error<Test>| {
            let mut terms = lab.terms();
            change(&mut terms);
            assert_noop!(lab.open_with(terms, POOL), error);
        };
        refused(&|t| t.windows.attest_blocks = 1, Error::TermsWindowInvalid);
        refused(&|t| t.windows.commit_blocks = 21, Error::TermsWindowInvalid);
        refused(&|t| t.seats = 9, Error::TermsSeatsInvalid);
        refused(&|t| t.quorum = 4, Error::TermsQuorumInvalid);
        refused(&|t| t.quorum = 1, Error::TermsQuorumInvalid);
        refused(&|t| t.price_per_millibit = 0, Error::TermsZero);
        refused(&|t| t.attester_fee_permille = 1_001, Error::TermsFeeInvalid);
        let sealed = |samples| HoldOutTerms::Sealed {
            root: [1; 32],
            shards: 1,
            samples,
        };
        refused(&|t| t.hold_out = sealed(1 << 20), Error::TermsShardsInvalid);
        let drawn = |records| HoldOutTerms::Drawn {
            salt: [1; 32],
            root: [1; 32],
            records,
            samples: 64,
            rounds: 1,
        };
        refused(&|t| t.hold_out = drawn(1_023), Error::TermsPoolInvalid);
        for samples in [0, 2, 62, 65] {
            refused(&|t| t.hold_out = sealed(samples), Error::TermsShardsInvalid);
            let drawn = HoldOutTerms::Drawn {
                salt: [1; 32],
                root: [1; 32],
                records: 2_000,
                samples,
                rounds: 1,
            };
            refused(&|t| t.hold_out = drawn, Error::TermsPoolInvalid);
        }
        refused(
            &|t| t.price_per_millibit = bounds::MAX_PRICE + 1,
            Error::TermsPriceInvalid,
        );
        refused(&|t| t.cap_per_round = 4_095, Error::TermsCapInvalid);
        refused(&|t| t.delta_bytes = 4_095, Error::TermsDeltaInvalid);
        refused(
            &|t| t.delta_bytes = (192 << 10) + 1,
            Error::TermsDeltaInvalid,
        );
        // Longer than a delta for such a small model can be.
        refused(&|t| t.delta_bytes = 65 << 10, Error::TermsDeltaInvalid);
        // Less than a millibit.
        refused(&|t| t.price_per_millibit = 10_001, Error::TermsCapInvalid);
        let shares: [fn(&mut ShareTerms); 7] = [
            |share| share.newcomer_floor_q8 = 127,
            |share| share.proven_floor_q8 = 257,
            |share| share.gain_floor_q8 = 513,
            |share| share.doubt_q8 = 255,
            |share| share.doubt_q8 = 1_025,
            |share| share.outer_rate_q8 = 127,
            |share| share.outer_rate_q8 = 513,
        ];
        for change in shares {
            refused(&|t| change(&mut t.share), Error::TermsShareInvalid);
        }
        refused(&|t| t.cap_per_round = POOL + 1, Error::PoolTooSmall);
        refused(&|t| t.recipe = [1; 32], Error::TermsRecipeInvalid);
        refused(&|t| t.recipe_bytes = 1, Error::TermsRecipeInvalid);
        let nameless = TaskName::new("x").map(|_| TaskTerms {
            name: codec::Decode::decode(&mut &[0u8; 32][..]).unwrap(),
            ..lab.terms()
        });
        assert_noop!(
            lab.open_with(nameless.unwrap(), POOL),
            Error::<Test>::TermsNameInvalid
        );
    });
}

#[test]
fn a_record_longer_than_a_dispute_can_show_is_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let open = |inputs: u32| {
            let lab = Lab {
                graph: Graph::mlp(&[inputs, 2]),
                weights: vec![0; 2 * (inputs as usize + 1)],
                ..Lab::default()
            };
            lab.open_with(lab.terms(), POOL)
        };
        // The label takes a byte.
        assert_noop!(
            open(bounds::MAX_RECORD_BYTES),
            Error::<Test>::TermsRecordTooLong
        );
        assert_ok!(open(bounds::MAX_RECORD_BYTES - 1));
    });
}

#[test]
fn bad_models_are_refused_by_name() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let open = |graph: Vec<u8>, weights: Vec<u8>| {
            let (graph, weights) = (graph.try_into().unwrap(), weights.try_into().unwrap());
            Contribution::open_task(
                signed(&sponsor()),
                Box::new(lab.terms()),
                graph,
                weights,
                Default::default(),
                POOL,
            )
        };
        let graph = lab.graph.encode();
        let weights = lab.weight_bytes();
        assert_noop!(open(vec![], weights.clone()), Error::<Test>::GraphInvalid);
        assert_noop!(
            open(graph[..9].to_vec(), weights.clone()),
            Error::<Test>::GraphInvalid
        );
        let mut trailing = graph.clone();
        trailing.push(0);
        assert_noop!(open(trailing, weights.clone()), Error::<Test>::GraphInvalid);
        let mut shapeless = lab.graph.clone();
        shapeless.ops.pop();
        assert_noop!(
            open(shapeless.encode(), weights.clone()),
            Error::<Test>::GraphInvalid
        );
        let endless = Graph {
            inputs: u32::MAX,
            ops: vec![],
        };
        assert_noop!(
            open(endless.encode(), weights.clone()),
            Error::<Test>::GraphInvalid
        );
        let tokens = gotong_scoring::Transformer {
            vocab: 4,
            tokens: 2,
            width: 4,
            heads: 1,
            hidden: 4,
            layers: 1,
            tied: true,
        };
        let graph_of_tokens = Graph::transformer(&tokens);
        graph_of_tokens.validate().unwrap();
        assert_noop!(
            open(graph_of_tokens.encode(), weights.clone()),
            Error::<Test>::WeightsMismatch
        );
        for length in [0, 45, 44, 48] {
            let weights = weights.iter().copied().cycle().take(length).collect();
            assert_noop!(open(graph.clone(), weights), Error::<Test>::WeightsMismatch);
        }
        let mut wild = weights;
        wild[..2].copy_from_slice(&i16::MAX.to_le_bytes());
        assert_noop!(open(graph, wild), Error::<Test>::WeightsOutOfBounds);
    });
}

#[test]
fn the_recipe_is_what_the_terms_say() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let open = |terms: &TaskTerms<Balance>, recipe: &[u8]| {
            lab.open_by_recipe(terms.clone(), recipe, POOL)
        };
        let longest = vec![b'#'; bounds::MAX_RECIPE_BYTES as usize];
        let named = lab.terms().with_recipe(&longest);
        let mut other = longest.clone();
        other[0] = b' ';
        assert_noop!(open(&named, &other), Error::<Test>::RecipeHashMismatch);
        for recipe in [&[][..], &longest[1..]] {
            assert_noop!(open(&named, recipe), Error::<Test>::RecipeLengthMismatch);
        }
        assert_ok!(open(&named, &longest));
        assert_eq!(task(TaskId(0)).terms, named);

        let none = lab.terms();
        assert_noop!(open(&none, b"#"), Error::<Test>::RecipeLengthMismatch);
        assert_ok!(open(&none, &[]));

        let longer = none.with_recipe(&[&longest[..], b"#"].concat());
        assert_noop!(open(&longer, &longest), Error::<Test>::TermsRecipeInvalid);
    });
}

#[test]
fn a_model_that_is_too_heavy_for_its_window_is_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        // Few weights, and every token attends to a thousand others, separately in every value.
        lab.graph = Graph::transformer(&gotong_scoring::Transformer {
            vocab: 2,
            tokens: 1024,
            width: 32,
            heads: 32,
            hidden: 1,
            layers: 1,
            tied: true,
        });
        lab.weights = vec![0; lab.graph.parameters()];
        assert_noop!(
            lab.open_with(lab.terms(), POOL),
            Error::<Test>::TermsTooHeavy
        );
    });
}

#[test]
fn oversized_bytes_do_not_decode() {
    type Delta = crate::DeltaBytes;
    assert!(Delta::try_from(vec![0; 192 << 10]).is_ok());
    assert!(Delta::try_from(vec![0; (192 << 10) + 1]).is_err());
    let encoded = vec![0u8; (192 << 10) + 1].encode();
    assert!(<Delta as codec::Decode>::decode(&mut &encoded[..]).is_err());
    assert!(crate::RecipeBytes::try_from(vec![0; 64 << 10]).is_ok());
    assert!(crate::RecipeBytes::try_from(vec![0; (64 << 10) + 1]).is_err());
    let claims = vec![0u8; 33];
    assert!(BoundedVec::<u8, frame_support::traits::ConstU32<32>>::try_from(claims).is_err());
}

#[test]
fn an_unfunded_sponsor_opens_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let open = |pool| lab.open_with(lab.terms(), pool);
        assert_noop!(open(ENDOWMENT + 1), Error::<Test>::FundsTooLow);
        assert_noop!(open(ENDOWMENT - 500), Error::<Test>::FundsTooLow);
        assert_noop!(open(Balance::MAX), Error::<Test>::FundsTooLow);
    });
}

#[test]
fn live_tasks_are_bounded() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        (0..3).for_each(|_| {
            lab.open();
        });
        assert_noop!(
            lab.open_with(lab.terms(), POOL),
            Error::<Test>::TooManyLiveTasks
        );
        assert_ok!(close(TaskId(1)));
        lab.open();
    });
}

#[test]
fn task_ids_run_out() {
    ExtBuilder::default().build().execute_with(|| {
        let lab = Lab::default();
        crate::NextTask::<Test>::put(TaskId(u32::MAX));
        assert_noop!(
            lab.open_with(lab.terms(), POOL),
            Error::<Test>::TooManyTasks
        );
    });
}

#[test]
fn only_the_sponsor_tops_up_and_closes() {
    ExtBuilder::default().build_and_execute(|| {
        let id = Lab::default().open();
        let other = signed(&account(2));
        assert_noop!(
            Contribution::top_up(other.clone(), id, 5),
            Error::<Test>::NotSponsor
        );
        assert_noop!(
            Contribution::close_task(other, id),
            Error::<Test>::NotSponsor
        );
        assert_noop!(top_up(TaskId(9), 5), Error::<Test>::NoSuchTask);
        assert_noop!(close(TaskId(9)), Error::<Test>::NoSuchTask);
        assert_noop!(top_up(id, 0), Error::<Test>::ZeroAmount);
        assert_noop!(top_up(id, Balance::MAX), Error::<Test>::Overflow);
        assert_noop!(top_up(id, ENDOWMENT), Error::<Test>::FundsTooLow);
        assert_ok!(top_up(id, 5));
        assert_eq!(held(HoldReason::Pool), POOL + 5);
    });
}

#[test]
fn an_idle_task_closes_at_once() {
    ExtBuilder::default().build_and_execute(|| {
        let id = Lab::default().open();
        assert_ok!(close(id));
        assert_eq!(task(id).state, TaskState::Closed);
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
        assert!(Rounds::<Test>::get(id, RoundId(0)).is_none());
        assert_noop!(close(id), Error::<Test>::AlreadyClosed);
        assert_noop!(top_up(id, 5), Error::<Test>::TaskNotFundable);
        assert_noop!(
            commit(&contributor(0), id, &[1]),
            Error::<Test>::RoundNotCurrent
        );
    });
}

#[test]
fn a_busy_task_closes_when_its_round_ends_and_keeps_what_is_owed() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        assert_ok!(close(id));
        assert_eq!(task(id).state, TaskState::Closing);
        assert_noop!(close(id), Error::<Test>::AlreadyClosed);
        assert_noop!(top_up(id, 5), Error::<Test>::TaskNotFundable);
        run_to_phase(id, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        assert_ok!(lab.publish(id));
        run_to_phase(id, Phase::AttestCommit);
        let table = lab.play_attestation(id).table;
        run_blocks(3);
        let closed = task(id);
        assert_eq!(closed.state, TaskState::Closed);
        assert!(closed.purse.reserved > 0);
        assert_eq!(held(HoldReason::Pool), closed.purse.reserved);
        assert_eq!(held(HoldReason::Bond), 0);
        assert_ok!(claim(&contributor(0), id, RoundId(0), &table, 0));
        assert_eq!(held(HoldReason::Pool), 0);
    });
}

#[test]
fn a_task_pauses_without_money_and_goes_on_with_it() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = TaskId(0);
        assert_ok!(lab.open_with(lab.terms(), 10_000));
        let table = lab.play(id, 2);
        assert_eq!(task(id).state, TaskState::Paused);
        assert!(events().contains(&Event::TaskPaused { task: id }));
        assert_noop!(
            commit(&contributor(0), id, &[1]),
            Error::<Test>::RoundNotCurrent
        );
        assert_ok!(top_up(id, 1));
        assert_eq!(task(id).state, TaskState::Paused);
        assert_ok!(top_up(id, 10_000));
        assert_eq!(task(id).state, TaskState::Running);
        assert_eq!(task(id).round, RoundId(1));
        assert_eq!(current(id).base_root, table.merge.unwrap().weights);
        lab.play_to_attestation(id, 2);
    });
}

#[test]
fn a_paused_task_needs_a_place_to_go_on() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        assert_ok!(lab.open_with(lab.terms(), 10_000));
        lab.play(TaskId(0), 2);
        let other = Lab::default();
        (0..3).for_each(|_| {
            other.open();
        });
        assert_noop!(top_up(TaskId(0), 10_000), Error::<Test>::TooManyLiveTasks);
        assert_ok!(close(TaskId(0)));
        assert_eq!(task(TaskId(0)).state, TaskState::Closed);
    });
}

#[test]
fn a_task_is_exhausted_when_every_shard_has_scored() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        for round in 0..SHARDS {
            assert_eq!(task(id).round, RoundId(round));
            lab.play(id, 2);
        }
        assert_eq!(task(id).state, TaskState::Exhausted);
        assert_eq!(task(id).next_shard, SHARDS);
        assert_noop!(top_up(id, 5), Error::<Test>::TaskNotFundable);
        assert_ok!(close(id));
        assert_eq!(task(id).purse.bond, 0);
    });
}

#[test]
fn a_sponsor_that_withholds_the_shard_loses_the_bond() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        for number in 0..2 {
            assert_ok!(commit(&contributor(number), id, &lab.delta(number)));
        }
        run_to_phase(id, Phase::Reveal);
        for number in 0..2 {
            assert_ok!(reveal(&contributor(number), id, &lab.delta(number)));
        }
        run_blocks(6);
        assert_eq!(task(id).state, TaskState::Stopped);
        assert_eq!(current(id).outcome, Some(Outcome::ShardMissed));
        assert_eq!(held(HoldReason::Bond), 0);
        assert_eq!(Balances::free_balance(contributor(0)), ENDOWMENT - 500);
        assert_noop!(lab.publish(id), Error::<Test>::RoundNotCurrent);
        assert_noop!(top_up(id, 5), Error::<Test>::TaskNotFundable);
        assert_ok!(close(id));
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT - 10_000);
        assert_eq!(Tasks::<Test>::get(id).unwrap().purse.returned, POOL);
    });
}

#[test]
fn idle_tasks_are_closed_and_make_room() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        let lab = Lab::default();
        let ids = [lab.open(), lab.open(), lab.open()];
        let view = Contribution::task(ids[0]).unwrap();
        assert_eq!(view.expires_at, Some(31));
        run_blocks(29);
        assert_eq!(task(ids[0]).state, TaskState::Running);
        assert_noop!(
            lab.open_with(lab.terms(), POOL),
            Error::<Test>::TooManyLiveTasks
        );
        events();
        // A block advances two rounds, so the third began its windows a block later.
        run_blocks(2);
        let told = events();
        for id in &ids {
            assert_eq!(task(*id).state, TaskState::Closed);
            assert!(told.contains(&Event::TaskExpired { task: *id }));
            assert!(told.contains(&Event::TaskClosed {
                task: *id,
                returned: POOL + 10_000
            }));
        }
        assert_eq!(Contribution::task(ids[0]).unwrap().expires_at, None);
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
        lab.open();
    });
}

#[test]
fn a_round_that_waits_for_attesters_for_too_long_is_given_up_at_no_cost() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        let mut lab = Lab::default();
        register(1, 1);
        let id = lab.open();
        run_blocks(10);
        let who = contributor(0);
        assert_ok!(commit(&who, id, &lab.delta(0)));
        run_blocks(19);
        assert_eq!(current(id).phase, Phase::Commit);
        events();
        run_blocks(1);
        assert_eq!(task(id).state, TaskState::Closed);
        assert_eq!(current(id).outcome, Some(Outcome::NoReveals));
        let slashed = |event: &Event<Test>| matches!(event, Event::Slashed { .. });
        assert!(!events().iter().any(slashed));
        assert_eq!(Balances::free_balance(&who), ENDOWMENT - 500);
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
    });
}

/// Somebody who commits and never reveals does not keep a place for nothing either.
#[test]
fn only_reveals_keep_a_task_open() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        lab.play(id, 2);
        let ended = System::block_number();
        assert_eq!(task(id).idle_since, ended);
        while task(id).state == TaskState::Running {
            let round = task(id).round;
            if current(id).commits == 0 {
                assert_ok!(commit(&contributor(0), id, &[round.0 as u8]));
            }
            next_block();
            assert!(System::block_number() < ended + 60);
        }
        assert!(System::block_number() >= ended + 30);
        assert_eq!(task(id).state, TaskState::Closed);
        assert!(events().contains(&Event::Slashed {
            who: contributor(0),
            amount: CommitDeposit::get(),
            reason: SlashReason::UnrevealedCommit,
        }));
    });
}

/// Neither does somebody who reveals noise from time to time, which nobody attests.
#[test]
fn only_rounds_that_settle_keep_a_task_open() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(12);
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let score = lab.score(id);
        withhold_tables(id, &score);
        let first = Rounds::<Test>::get(id, RoundId(0)).unwrap();
        assert_eq!(first.outcome, Some(Outcome::Unattested));
        assert_eq!((first.reveals, task(id).idle_since), (1, 1));
        lab.play_to_attestation(id, 1);
        assert_eq!(task(id).state, TaskState::Running);
        run_blocks(lab.terms().windows.attest_blocks);
        assert_eq!(current(id).outcome, Some(Outcome::Unattested));
        assert_eq!(task(id).state, TaskState::Closed);
        assert!(events().contains(&Event::TaskExpired { task: id }));
    });
}

#[test]
fn a_paused_task_is_closed_if_nobody_tops_it_up() {
    ExtBuilder::default().build_and_execute(|| {
        IdleBlocks::set(30);
        let mut lab = Lab::default();
        register(2, 3);
        let id = TaskId(0);
        assert_ok!(lab.open_with(lab.terms(), 10_000));
        let table = lab.play(id, 2);
        assert_eq!(task(id).state, TaskState::Paused);
        run_blocks(29);
        assert_ok!(top_up(id, 1));
        run_blocks(29);
        assert_eq!(task(id).state, TaskState::Paused);
        next_block();
        assert_eq!(task(id).state, TaskState::Closed);
        assert!(events().contains(&Event::TaskExpired { task: id }));
        assert_eq!(held(HoldReason::Bond), 0);
        // What is owed to others stays on hold.
        assert_eq!(held(HoldReason::Pool), task(id).purse.reserved);
        assert_ok!(claim(&contributor(0), id, RoundId(0), &table, 0));
    });
}

/// This holds however many there are.
#[test]
fn a_block_looks_at_one_task_that_may_be_idle() {
    ExtBuilder::default().build().execute_with(|| {
        IdleBlocks::set(30);
        let mut lab = Lab::default();
        register(2, 3);
        assert_ok!(lab.open_with(lab.terms(), 10_000));
        lab.play(TaskId(0), 2);
        for id in 1..5 {
            Tasks::<Test>::insert(TaskId(id), task(TaskId(0)));
        }
        crate::NextTask::<Test>::put(TaskId(5));
        // There is nothing to give back, because these were never opened.
        (1..5).for_each(|id| {
            Tasks::<Test>::mutate_extant(TaskId(id), |task| {
                (task.purse.pool, task.purse.bond) = (0, 0);
            });
        });
        run_blocks(29);
        let closed = || {
            let is_closed = |id: &u32| task(TaskId(*id)).state == TaskState::Closed;
            (0..5).filter(is_closed).count()
        };
        for number in 0..5 {
            assert_eq!(closed(), number);
            next_block();
        }
        assert_eq!(closed(), 5);
    });
}
