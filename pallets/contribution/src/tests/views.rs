use super::lab::*;
use crate::mock::*;
use frame_support::assert_ok;
use gotong_protocol::{
    view::{Duty, DutyKind, RewardKind, RewardState},
    Phase, Roles, RoundId, TaskId, TaskState,
};

fn duties(who: AccountId) -> Vec<DutyKind> {
    let all = Contribution::duties(who);
    all.into_iter().map(|duty: Duty| duty.what).collect()
}

#[test]
fn stake_says_what_backs_an_account() {
    ExtBuilder::default().build_and_execute(|| {
        assert_eq!(Contribution::stake(account(5)), None);
        register(0, 1);
        let who = attester(0);
        assert_ok!(Contribution::unstake(signed(&who), 100));
        let view = Contribution::stake(who).unwrap();
        assert_eq!(view.roles, Roles::ATTESTER);
        assert_eq!((view.stake, view.active), (400, true));
        assert_eq!(view.unbonding, Some((100, 121)));
        assert_eq!(view.seats_held, 0);
    });
}

#[test]
fn a_round_is_seen_as_it_goes() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        assert_eq!(Contribution::tasks(), [TaskId(0)]);
        assert_eq!(Contribution::task(TaskId(1)), None);
        assert_eq!(Contribution::round(id, RoundId(1)), None);
        let view = Contribution::task(id).unwrap();
        assert_eq!((view.state, view.pool), (TaskState::Running, POOL));
        assert_eq!(view.graph, lab.graph);

        assert_eq!(duties(contributor(0)), [DutyKind::Commit]);
        assert_eq!(duties(sponsor()), []);
        assert_eq!(duties(attester(0)), []);
        for number in 0..2 {
            assert_ok!(commit(&contributor(number), id, &lab.delta(number)));
        }
        assert_eq!(duties(contributor(0)), []);
        let pending = Contribution::rewards(contributor(0));
        assert_eq!(pending[0].state, RewardState::Pending);
        next_block();
        assert_eq!(duties(contributor(0)), [DutyKind::Reveal]);
        assert_eq!(duties(sponsor()), []);
        for number in 0..2 {
            assert_ok!(reveal(&contributor(number), id, &lab.delta(number)));
        }
        assert_eq!(duties(sponsor()), [DutyKind::PublishShard]);
        assert_ok!(lab.publish(id));
        assert_eq!(duties(sponsor()), []);
        next_block();
        assert_eq!(duties(attester(0)), [DutyKind::CommitAttestation]);
        assert_eq!(Contribution::stake(attester(0)).unwrap().seats_held, 1);
        let view = Contribution::round(id, RoundId(0)).unwrap();
        assert_eq!(
            (view.phase, view.commits, view.reveals),
            (Phase::AttestCommit, 2, 2)
        );
        assert_eq!(view.shard.unwrap().key, lab.keys[0]);
        let submissions = Contribution::submissions(id, RoundId(0));
        assert_eq!(submissions[1].account, contributor(1));
        assert_eq!(submissions[1].index, 1);
    });
}

#[test]
fn rewards_are_seen_from_pending_to_paid() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let table = lab.play(id, 2);
        let view = Contribution::round(id, RoundId(0)).unwrap();
        assert_eq!(view.claim, Some(table.claim()));
        let who = contributor(1);
        let reward = || Contribution::rewards(who.clone())[0].clone();
        let claimable = RewardState::Claimable {
            pot: view.owed - view.fees,
            total: table.shares_sum(),
        };
        assert_eq!(reward().kind, RewardKind::Contributor);
        assert_eq!(reward().state, claimable);
        assert!(duties(who.clone()).contains(&DutyKind::Claim));
        assert_ok!(claim(&who, id, RoundId(0), &table, 1));
        let paid = Contribution::round(id, RoundId(0)).unwrap().claimed;
        assert_eq!(reward().state, RewardState::Paid(paid));
        assert!(!duties(who).contains(&DutyKind::Claim));
        let fee = Contribution::rewards(attester(2))[0].clone();
        assert_eq!(fee.kind, RewardKind::Attester);
        assert_eq!(fee.state, RewardState::Paid(view.seats[0].fee));
    });
}
