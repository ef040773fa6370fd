//! Answers to a client that only knows runtime APIs.

use super::{api::dispatch, *};
use crate::{RuntimeOrigin, UNIT};
use codec::Encode;
use gotong_protocol::Roles;
use sp_genesis_builder::DEV_RUNTIME_PRESET;
use sp_keyring::Sr25519Keyring::Bob;
use sp_runtime::BuildStorage;

#[test]
fn runtime_apis_answer_what_views_answer() {
    let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
    let storage = genesis.build_storage().expect("the genesis builds");
    sp_io::TestExternalities::from(storage).execute_with(|| {
        let who = Bob.to_account_id();
        let origin = RuntimeOrigin::signed(who.clone());
        assert_eq!(
            Contribution::register(origin, Roles::CONTRIBUTOR, 100 * UNIT),
            Ok(())
        );
        assert!(Contribution::stake(who.clone()).is_some());
        let (task, round) = (TaskId(0), RoundId(0));
        let of_account = (&who, task).encode();
        let in_task = (task, &who).encode();
        let answers = [
            (
                "stake",
                who.encode(),
                Contribution::stake(who.clone()).encode(),
            ),
            (
                "offer_of",
                who.encode(),
                Contribution::offer_of(who.clone()).encode(),
            ),
            ("tasks", task.encode(), Contribution::tasks(task).encode()),
            ("live_tasks", vec![], Contribution::live_tasks().encode()),
            ("task", task.encode(), Contribution::task(task).encode()),
            (
                "round",
                (task, round).encode(),
                Contribution::round(task, round).encode(),
            ),
            (
                "submissions",
                (task, round, 0u32).encode(),
                Contribution::submissions(task, round, 0).encode(),
            ),
            (
                "facts",
                (task, round).encode(),
                Contribution::facts(task, round).encode(),
            ),
            (
                "rewards",
                (&who, (task, round)).encode(),
                Contribution::rewards(who.clone(), (task, round)).encode(),
            ),
            (
                "task_rewards",
                (task, &who, round).encode(),
                Contribution::task_rewards(task, who.clone(), round).encode(),
            ),
            (
                "claimable",
                in_task.clone(),
                Contribution::claimable(task, who.clone()).encode(),
            ),
            (
                "claimables",
                of_account.clone(),
                Contribution::claimables(who.clone(), task).encode(),
            ),
            (
                "ledger",
                in_task,
                Contribution::ledger(task, who.clone()).encode(),
            ),
            (
                "ledgers",
                of_account.clone(),
                Contribution::ledgers(who.clone(), task).encode(),
            ),
            (
                "duties",
                of_account,
                Contribution::duties(who.clone(), task).encode(),
            ),
        ];
        for (name, arguments, expected) in answers {
            let answer = dispatch(&format!("ContributionApi_{name}"), &arguments);
            assert_eq!(answer, Some(expected), "{name}");
        }
        let first = DisputeId(0);
        let answers = [
            (
                "disputes",
                (Some(task), first).encode(),
                Referee::disputes(Some(task), first).encode(),
            ),
            ("dispute", first.encode(), Referee::dispute(first).encode()),
            ("verdicts", vec![], Referee::verdicts().encode()),
        ];
        for (name, arguments, expected) in answers {
            let answer = dispatch(&format!("RefereeApi_{name}"), &arguments);
            assert_eq!(answer, Some(expected), "{name}");
        }
        assert_eq!(dispatch("ContributionApi_none", &[]), None);
    });
}

/// Clients find them by these names and versions.
#[test]
fn the_runtime_says_which_apis_it_has() {
    for id in [
        gotong_runtime_api::runtime_decl_for_contribution_api::ID,
        gotong_runtime_api::runtime_decl_for_referee_api::ID,
    ] {
        assert!(VERSION.apis.contains(&(id, 1)));
    }
}
