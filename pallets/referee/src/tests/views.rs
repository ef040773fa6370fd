use super::lab::*;
use crate::{mock::*, MAX_VERDICTS};
use gotong_protocol::{
    bounds, dispute::Verdict, id::DisputeId, view::DisputeView, RoundFacts, RoundId, TableSummary,
    TaskId,
};
use gotong_scoring::trial::Refusal;

/// All open disputes, which fit on one page.
fn disputes(task: Option<TaskId>) -> Vec<DisputeView<AccountId>> {
    let page = Referee::disputes(task, DisputeId(0));
    assert_eq!(page.next, None);
    page.items
}

#[test]
fn a_dispute_is_seen_as_it_goes() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        assert_eq!(disputes(None), []);
        assert_eq!(Referee::dispute(DisputeId(0)), None);
        System::set_block_number(3);
        let id = dispute(&liar, &honest);
        let view = Referee::dispute(id).unwrap();
        assert_eq!((view.id, view.task, view.round), (id, TASK, ROUND));
        let parties = (view.accused.clone(), view.challenger.clone());
        assert_eq!(parties, (accused(), challenger()));
        assert_eq!(view.bond, bond_of(1));
        assert_eq!(view.accusation, LOSSES);
        assert_eq!(&view.table, liar.summary());
        assert!(view.awaits_answer);
        assert_eq!((view.opened_at, view.deadline), (3, 3 + MoveBlocks::get()));
        assert_eq!((view.answers, view.picks, view.bytes), (0, 0, 0));
        assert_eq!(disputes(None), [view]);

        next_block();
        assert!(step(id, &liar, &honest));
        let view = Referee::dispute(id).unwrap();
        assert!(!view.awaits_answer);
        assert_eq!(view.trial, get(id).unwrap().trial);
        assert_eq!((view.opened_at, view.deadline), (3, 4 + MoveBlocks::get()));
        assert_eq!((view.answers, view.picks), (1, 0));
        assert!(view.bytes > 0);

        assert!(step(id, &liar, &honest));
        let view = Referee::dispute(id).unwrap();
        assert_eq!((view.answers, view.picks), (1, 1));
        assert!(view.awaits_answer);

        assert_eq!(Referee::verdicts(), []);
        play_alone(id, &liar, &honest);
        assert_eq!(Referee::dispute(id), None);
        assert_eq!(disputes(None), []);
        let verdicts = Referee::verdicts();
        assert_eq!(verdicts.len(), 1);
        let over = &verdicts[0];
        assert_eq!((over.id, over.task, over.round), (id, TASK, ROUND));
        assert_eq!(
            (&over.accused, &over.challenger),
            (&accused(), &challenger())
        );
        assert!(over.verdict.convicts());
        assert_eq!(over.reward, STAKE / 2);
        assert_eq!(over.opened_at, 3);
        assert_eq!(over.ended_at, System::block_number());
        assert_eq!(over.answers, over.picks + 1);
    });
}

#[test]
fn disputes_are_seen_in_order_and_by_task() {
    let honest = Lab::get().honest();
    execute(|| {
        let rounds = [(TASK, ROUND), (TASK, RoundId(2)), (TaskId(9), ROUND)];
        for id in rounds {
            seat(id, &[(accused(), &honest)]);
        }
        for number in 0..9 {
            let (task, round) = rounds[number % 3];
            let who = account(10 + number as u8);
            let opened = Referee::open(signed(&who), task, round, accused(), ROWS);
            frame_support::assert_ok!(opened);
        }
        let ids = |task| {
            disputes(task)
                .into_iter()
                .map(|view| view.id.0)
                .collect::<Vec<u32>>()
        };
        assert_eq!(ids(None), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ids(Some(TASK)), [0, 1, 3, 4, 6, 7]);
        assert_eq!(ids(Some(TaskId(9))), [2, 5, 8]);
        assert!(ids(Some(TaskId(0))).is_empty());
        let rest = Referee::disputes(Some(TASK), DisputeId(2)).items;
        assert!(rest.iter().map(|view| view.id.0).eq([3, 4, 6, 7]));
    });
}

#[test]
fn only_the_last_verdicts_are_remembered() {
    let honest = Lab::get().honest();
    execute(|| {
        seat(ID, &[(accused(), &honest)]);
        with_round(ID, |round| round.window_ends = u32::MAX);
        let all = MAX_VERDICTS + 3;
        for _ in 0..all {
            let id = crate::NextDispute::<Test>::get();
            frame_support::assert_ok!(open(&challenger(), &accused(), GRADIENTS));
            // There is nothing to pick in an honest answer, so the challenger runs out of time.
            play(id, &honest, &honest);
            assert_eq!(verdict(id), Some(Verdict::Abandoned));
        }
        let ids: Vec<u32> = Referee::verdicts().iter().map(|over| over.id.0).collect();
        assert_eq!(ids, (3..all).collect::<Vec<u32>>());
    });
}

#[test]
fn anybody_may_ask_what_the_referee_says() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        while let Some(dispute) = get(id) {
            if dispute.trial.awaits_answer() {
                let answer = liar.answer(&dispute.trial).unwrap();
                let facts = honest.facts();
                let said = |facts: &RoundFacts, table: &TableSummary| {
                    let (trial, answer) = (dispute.trial.clone(), answer.clone());
                    Referee::rule(facts.clone(), table.clone(), trial, answer)
                };
                let ruling = said(&facts, &dispute.table).unwrap();
                assert_eq!(
                    Ok(ruling),
                    dispute.trial.answer(&facts, &dispute.table, &answer)
                );
                let impossible: [fn(&mut RoundFacts); 4] = [
                    |facts| facts.graph.ops.clear(),
                    |facts| facts.terms.doubt_q8 = 0,
                    |facts| facts.samples = bounds::MAX_SHARD_SAMPLES + 2,
                    |facts| facts.entrants += 1,
                ];
                for change in impossible {
                    let mut facts = facts.clone();
                    change(&mut facts);
                    let refused = Err(Refusal::WrongShape);
                    assert_eq!(said(&facts, &dispute.table), refused);
                }
                // A table that the chain would refuse.
                let mut table = dispute.table.clone();
                table.merge = None;
                assert_eq!(said(&facts, &table), Err(Refusal::WrongShape));
            }
            step(id, &liar, &honest);
        }
    });
}
