use super::lab::*;
use crate::mock::*;
use frame_support::assert_ok;
use gotong_protocol::{
    bounds,
    view::{Duty, DutyKind, LedgerView, RewardKind, RewardState, RewardView},
    Court, Delta, EntrantRecord, Phase, Roles, RoundId, SeatState, TaskId, TaskState,
};
use gotong_scoring::share::company::Entrant;

fn duties(who: AccountId) -> Vec<DutyKind> {
    let all = Contribution::duties(who, TaskId(0)).items;
    all.into_iter().map(|duty: Duty| duty.what).collect()
}

fn rewards(who: AccountId) -> Vec<RewardView> {
    let page = Contribution::rewards(who, (TaskId(0), RoundId(0)));
    assert_eq!(page.next, None);
    page.items
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
        assert_eq!(view.unbonding, Some((100, 1 + UnbondingBlocks::get())));
        assert_eq!(view.seats_held, 0);
    });
}

#[test]
fn a_round_is_seen_as_it_goes() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        assert_eq!(Contribution::tasks(TaskId(0)).items, [TaskId(0)]);
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
        let pending = rewards(contributor(0));
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
        // Nothing can be evaluated before the halves are drawn.
        let has_samples = || Contribution::round(id, RoundId(0)).unwrap().has_samples();
        assert_eq!((duties(attester(0)), has_samples()), (vec![], false));
        next_block();
        assert!(has_samples());
        assert_eq!(duties(attester(0)), [DutyKind::CommitAttestation]);
        assert_eq!(Contribution::stake(attester(0)).unwrap().seats_held, 1);
        let view = Contribution::round(id, RoundId(0)).unwrap();
        assert_eq!(
            (view.phase, view.commits, view.reveals),
            (Phase::AttestCommit, 2, 2)
        );
        assert_eq!(view.shard.unwrap().key, lab.keys[0]);
        let submissions = Contribution::submissions(id, RoundId(0), 0).items;
        assert_eq!(submissions[1].account, contributor(1));
        assert_eq!(submissions[1].index, 1);
    });
}

#[test]
fn seats_are_seen_from_draw_to_fee() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let view = || Contribution::round(id, RoundId(0)).unwrap();
        let seat = |number| {
            let seats = view().seats.into_iter();
            let mut of = seats.filter(|seat| seat.account == attester(number));
            of.next().unwrap()
        };
        let drawn = seat(0);
        assert_eq!((drawn.stake, drawn.state), (500, SeatState::Sitting));
        assert!(!drawn.committed && drawn.table.is_none() && drawn.work_root.is_none());
        assert_eq!(view().audit_seed, None);
        let score = lab.score(id);
        attest(id, |who| (*who != attester(2)).then(|| score.clone()));
        let revealed = seat(0);
        assert!(revealed.committed && !revealed.audited);
        assert_eq!(revealed.table, Some(score.table.summary()));
        assert_eq!(revealed.claim, Some(claim_of(id, &score.table)));
        assert_eq!(revealed.work_root, Some(own_work(&attester(0), &score)));
        assert_eq!(seat(2).state, SeatState::Missed);
        assert_eq!(view().audit_seed, current(id).audit_seed);
        assert!(view().audit_seed.is_some());

        assert_eq!(duties(attester(0)), [DutyKind::AnswerAudits]);
        assert_eq!(duties(attester(2)), []);
        assert_ok!(answer_audits(&attester(0), id, &score));
        assert_eq!(duties(attester(0)), []);
        assert!(seat(0).audited);
        let held = |number| Contribution::stake(attester(number)).map(|view| view.seats_held);
        assert_eq!((held(0), held(2)), (Some(1), Some(0)));
        Contribution::dispute_opened(id, RoundId(0));
        assert_eq!(view().open_disputes, 1);
        run_blocks(3);
        // Past the window: nothing is asked for, however long the dispute takes.
        assert_eq!(view().phase, Phase::Challenge);
        assert_eq!(duties(attester(1)), []);
        Contribution::convict(id, RoundId(0), &attester(1), &account(50));
        Contribution::dispute_closed(id, RoundId(0), None);
        assert_eq!(seat(1).state, SeatState::Convicted);
        let nothing = rewards(attester(1))[0].state;
        assert_eq!(nothing, RewardState::Nothing);
        run_blocks(1);
        assert_eq!(
            (view().open_disputes, view().redraws),
            (0, bounds::MAX_REDRAWS)
        );
        assert_eq!(view().fees, seat(0).fee);
        assert!(view().fees > 0);
        // Nothing can be disputed any more; the claims stay.
        assert_eq!(seat(0).table, None);
        assert_eq!(view().claim, seat(0).claim);
        assert_eq!(crate::Tables::<Test>::iter().count(), 0);
    });
}

#[test]
fn submissions_show_what_a_dispute_needs() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 2);
        for (number, view) in (0..).zip(Contribution::submissions(id, RoundId(0), 0).items) {
            let bytes = lab.delta(number);
            let delta = Delta::decode(&bytes, PARAMETERS).unwrap();
            let entrant = Entrant {
                delta: &delta,
                weight: view.weight,
                is_proven: view.is_proven,
            };
            let record = EntrantRecord::of(Delta::hash_of(&bytes), &entrant);
            let revealed = view.revealed.unwrap();
            assert_eq!(revealed.record, record);
            assert_eq!(revealed.bytes as usize, bytes.len());
        }
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
        assert!(view.claim.unwrap().merged.is_some());
        let who = contributor(1);
        let reward = || rewards(who.clone())[0].clone();
        // Nobody has published its credit.
        let claimable = RewardState::Claimable { credit: None };
        assert_eq!(reward().kind, RewardKind::Contributor);
        assert_eq!(reward().state, claimable);
        assert_ok!(claim(&who, id, RoundId(0), &table, 1));
        let after = Contribution::round(id, RoundId(0)).unwrap();
        let claimed = Contribution::submissions(id, RoundId(0), 0).items[1]
            .claimed
            .unwrap();
        assert_eq!(reward().state, RewardState::Claimed(claimed));
        assert_eq!((after.paid, after.claims), (claimed.paid, 1));
        assert_eq!(
            after.released,
            view.pot - after.paid - task(id).purse.reserved
        );
        let fee = rewards(attester(2))[0].clone();
        assert_eq!(fee.kind, RewardKind::Attester);
        let seat = view.seats.iter().find(|seat| seat.account == attester(2));
        assert_eq!(fee.state, RewardState::Paid(seat.unwrap().fee));
    });
}

#[test]
fn ledgers_show_what_is_proved_paid_and_open() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let who = contributor(1);
        let ledgers = || Contribution::ledgers(who.clone(), TaskId(0)).items;
        assert_eq!(ledgers(), []);
        let table = lab.play(id, 2);
        let unclaimed = LedgerView {
            task: id,
            ledger: Default::default(),
            doubt: 0,
            paid: 0,
            open: 0,
            next: Some(RoundId(0)),
            is_proven: false,
        };
        assert_eq!(ledgers(), [unclaimed]);
        assert_ok!(claim(&who, id, RoundId(0), &table, 1));
        let view = ledgers().remove(0);
        let ledger = ledger(id, &who).ledger;
        assert_eq!((view.ledger, view.next), (ledger, None));
        assert!(view.is_proven && view.doubt > 0 && view.paid > 0);
        assert_eq!(view.doubt, ledger.sum as u128 - u128::from(ledger.proved));
        // All of the credits: 20 planck per millibit, over the samples that pay, minus the
        // attesters' part.
        let all = ledger.sum as u128 * 20 * 899 / (32 * 65_536);
        assert_eq!(view.paid + view.open, all);
        assert!(view.open > 0);
    });
}
