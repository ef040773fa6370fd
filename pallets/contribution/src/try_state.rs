//! What is always true, in English and in code.
//!
//! Checked after every test, after every step of the property tests, and by `try-runtime`.

use crate::{
    asset::Asset,
    rounds::Round,
    stakes::Registration,
    tasks::{Purse, Task},
    Attesters, Balance, Config, Contributors, Graphs, HoldReason, NextTask, Pallet, Registrations,
    RevealedDeltas, Rounds, Schedule, Submissions, Tasks,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::ensure;
use gotong_protocol::{Phase, RoundId, TaskId, TaskState};
use sp_runtime::TryRuntimeError;

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
    /// Checks every invariant.
    pub fn do_try_state() -> Check {
        Self::registry_mirrors_registrations()?;
        Self::holds_equal_the_books()?;
        Self::live_tasks_are_scheduled()?;
        Self::history_has_no_strays()?;
        for (id, task) in Tasks::<T>::iter() {
            Self::purse_adds_up(id, &task)?;
            Self::rounds_fit_their_task(id, &task)?;
            for (round_id, round) in Rounds::<T>::iter_prefix(id) {
                Self::counts_mirror_submissions(id, round_id, &round)?;
                Self::seats_fit_the_terms(&task, &round)?;
                Self::settlement_pays_no_more_than_it_owes(id, round_id, &task, &round)?;
            }
        }
        Ok(())
    }

    /// 1. The registry of attesters lists, in the order of accounts, exactly the registrations
    ///    that attest, each with its stake.
    /// 2. The count of active contributors is the number of registrations that contribute.
    /// 3. No registration is empty, and none lacks a role.
    fn registry_mirrors_registrations() -> Check {
        let all: BTreeMap<T::AccountId, Registration> = Registrations::<T>::iter().collect();
        let attesting: Vec<_> = all
            .iter()
            .filter(|(_, registration)| registration.attests::<T>())
            .map(|(who, registration)| (who.clone(), registration.stake))
            .collect();
        ensure!(
            Attesters::<T>::get().into_inner() == attesting,
            "1: the registry of attesters does not mirror the registrations"
        );
        let contributing = all
            .values()
            .filter(|registration| registration.contributes::<T>())
            .count();
        ensure!(
            Contributors::<T>::get().active as usize == contributing,
            "2: the count of contributors is wrong"
        );
        ensure!(
            all.values()
                .all(|registration| registration.held() > 0 && !registration.roles.is_empty()),
            "3: a registration is empty"
        );
        Ok(())
    }

    /// 4. What each account has on hold for each reason is what the books say: stake and unbonding,
    ///    pools and unclaimed pots, bonds, deposits of unrevealed commits.
    fn holds_equal_the_books() -> Check {
        let mut books: BTreeMap<T::AccountId, [Balance; 4]> =
            frame_system::Account::<T>::iter_keys()
                .map(|who| (who, [0; 4]))
                .collect();
        let mut add = |who, index: usize, amount: Balance| -> Check {
            let held: &mut [Balance; 4] = books.entry(who).or_default();
            let held = held.get_mut(index).ok_or("no such hold")?;
            *held = held.checked_add(amount).ok_or("4: the books overflow")?;
            Ok(())
        };
        for (who, registration) in Registrations::<T>::iter() {
            add(who, 0, registration.held())?;
        }
        for (_, task) in Tasks::<T>::iter() {
            let Purse {
                pool, unclaimed, ..
            } = task.purse;
            add(task.sponsor.clone(), 1, pool)?;
            add(task.sponsor.clone(), 1, unclaimed)?;
            add(task.sponsor, 2, task.purse.bond)?;
        }
        for (_, who, submission) in Submissions::<T>::iter() {
            add(who, 3, submission.deposit)?;
        }
        let reasons = [
            HoldReason::Stake,
            HoldReason::Pool,
            HoldReason::Bond,
            HoldReason::CommitDeposit,
        ];
        for (who, amounts) in books {
            for (reason, amount) in reasons.into_iter().zip(amounts) {
                ensure!(
                    Asset::<T>::held(reason, &who) == amount,
                    "4: a hold differs from the books"
                );
            }
        }
        Ok(())
    }

    /// 5. Every task with a round under way is scheduled exactly once, and no other task is.
    fn live_tasks_are_scheduled() -> Check {
        let schedule = Schedule::<T>::get();
        let scheduled: BTreeSet<TaskId> = schedule.iter().map(|(id, _)| *id).collect();
        let live: BTreeSet<TaskId> = Tasks::<T>::iter()
            .filter(|(_, task)| task.state.is_live())
            .map(|(id, _)| id)
            .collect();
        ensure!(
            scheduled == live && scheduled.len() == schedule.len(),
            "5: the schedule does not list the live tasks"
        );
        Ok(())
    }

    /// 6. Every task has an id below the next, and a model; every round has a task, every
    ///    submission and revealed delta a round.
    fn history_has_no_strays() -> Check {
        let next = NextTask::<T>::get();
        ensure!(
            Tasks::<T>::iter_keys().all(|id| id < next && Graphs::<T>::contains_key(id))
                && Graphs::<T>::iter_keys().all(Tasks::<T>::contains_key)
                && Rounds::<T>::iter_keys().all(|(id, _)| Tasks::<T>::contains_key(id))
                && Submissions::<T>::iter_keys()
                    .all(|((id, round), _)| Rounds::<T>::contains_key(id, round))
                && RevealedDeltas::<T>::iter_keys()
                    .all(|((id, round), _)| Rounds::<T>::contains_key(id, round)),
            "6: something in the history belongs to nothing"
        );
        Ok(())
    }

    /// 7. What a sponsor put in is in the pool, unclaimed, claimed, paid as fees, or returned.
    /// 8. What is unclaimed, claimed and paid as fees is so in the task's settled rounds.
    /// 9. The pool of a task with a round under way covers the round.
    fn purse_adds_up(id: TaskId, task: &Task<T::AccountId>) -> Check {
        let purse = &task.purse;
        let parts = [
            purse.pool,
            purse.unclaimed,
            purse.claimed,
            purse.fees,
            purse.returned,
        ];
        ensure!(
            sum(parts) == Some(purse.deposited),
            "7: a task's money does not add up"
        );
        let settled = || {
            let rounds = Rounds::<T>::iter_prefix(id);
            rounds.filter_map(|(_, round)| round.settlement)
        };
        ensure!(
            sum(settled().map(|settlement| settlement.fees)) == Some(purse.fees)
                && sum(settled().map(|settlement| settlement.claimed)) == Some(purse.claimed)
                && sum(settled().map(|settlement| settlement.pot))
                    == purse.unclaimed.checked_add(purse.claimed),
            "8: a task's payments are not those of its rounds"
        );
        ensure!(
            !task.state.is_live() || purse.pool >= task.terms.cap_per_round,
            "9: a round is under way that the pool does not cover"
        );
        Ok(())
    }

    /// 10. The current round of a live task is under way; every other round has an outcome.
    /// 11. No round is beyond the current one.
    /// 12. The shards published are numbered from 0 to the task's next in the order of rounds,
    ///     and within the terms.
    /// 13. A closed task holds no pool and no bond.
    fn rounds_fit_their_task(id: TaskId, task: &Task<T::AccountId>) -> Check {
        let mut rounds: Vec<(RoundId, Round<T::AccountId>)> =
            Rounds::<T>::iter_prefix(id).collect();
        rounds.sort_by_key(|(round_id, _)| *round_id);
        let under_way = |round_id| task.state.is_live() && round_id == task.round;
        ensure!(
            rounds.iter().all(|(round_id, round)| {
                let ended = round.phase == Phase::Ended;
                ended == round.outcome.is_some() && ended != under_way(*round_id)
            }) && (!task.state.is_live() || Rounds::<T>::contains_key(id, task.round)),
            "10: a round is under way that should not be, or the reverse"
        );
        ensure!(
            rounds.iter().all(|(round_id, _)| *round_id <= task.round),
            "11: a round is beyond the current one"
        );
        let shards = rounds.iter().filter_map(|(_, round)| round.shard.as_ref());
        ensure!(
            shards.map(|shard| shard.index).eq(0..task.next_shard)
                && task.next_shard <= task.terms.shards,
            "12: shards are not numbered in the order of rounds"
        );
        ensure!(
            task.state != TaskState::Closed || (task.purse.pool == 0 && task.purse.bond == 0),
            "13: a closed task holds its sponsor's money"
        );
        Ok(())
    }

    /// 14. A round's submissions are numbered from 0 to its commits.
    /// 15. Its reveals are the submissions that revealed, each a delta of its own, and listed.
    /// 16. A deposit is on hold only for an unrevealed commit of a round that takes reveals or
    ///     will.
    fn counts_mirror_submissions(
        id: TaskId,
        round_id: RoundId,
        round: &Round<T::AccountId>,
    ) -> Check {
        let submissions: Vec<_> = Submissions::<T>::iter_prefix_values((id, round_id)).collect();
        let indices: BTreeSet<u32> = submissions.iter().map(|one| one.index).collect();
        ensure!(
            indices.len() == submissions.len() && indices.into_iter().eq(0..round.commits),
            "14: submissions are not numbered by commits"
        );
        let revealed: BTreeSet<_> = submissions
            .iter()
            .filter_map(|one| one.revealed.as_ref().map(|revealed| revealed.delta_hash))
            .collect();
        let listed: BTreeSet<_> = RevealedDeltas::<T>::iter_key_prefix((id, round_id)).collect();
        let reveals = submissions.iter().filter(|one| one.revealed.is_some());
        ensure!(
            revealed == listed
                && revealed.len() == round.reveals as usize
                && reveals.count() == revealed.len(),
            "15: reveals do not mirror the revealed submissions"
        );
        let open = round.phase <= Phase::Reveal;
        ensure!(
            submissions
                .iter()
                .all(|one| one.deposit == 0 || (open && one.revealed.is_none())),
            "16: a deposit outlived its reason"
        );
        Ok(())
    }

    /// 17. A round has at most as many seats as the terms say, none of them its sponsor's or the
    ///     same account's twice, none before attestation, and at least the quorum after the draw.
    /// 18. Who revealed a claim committed to it.
    fn seats_fit_the_terms(task: &Task<T::AccountId>, round: &Round<T::AccountId>) -> Check {
        let accounts: BTreeSet<_> = round.seats.iter().map(|seat| &seat.account).collect();
        let range = match round.phase {
            Phase::Commit | Phase::Reveal => 0..=0,
            Phase::Ended => 0..=task.terms.seats.into(),
            _ => task.terms.quorum.into()..=task.terms.seats.into(),
        };
        ensure!(
            range.contains(&round.seats.len())
                && accounts.len() == round.seats.len()
                && !accounts.contains(&task.sponsor),
            "17: the seats do not fit the terms"
        );
        ensure!(
            round
                .seats
                .iter()
                .all(|seat| seat.commitment.is_some() || seat.revealed.is_none()),
            "18: a claim was revealed without a commitment"
        );
        Ok(())
    }

    /// 19. Only settled rounds have a settlement, within the cap.
    /// 20. What contributors claimed of a round is what it paid them, and no more than its pot.
    /// 21. The fees of a round are what its seats were paid.
    fn settlement_pays_no_more_than_it_owes(
        id: TaskId,
        round_id: RoundId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> Check {
        let (pot, fees, claimed) = round
            .settlement
            .as_ref()
            .map_or((0, 0, 0), |one| (one.pot, one.fees, one.claimed));
        let settled = round.outcome == Some(gotong_protocol::Outcome::Settled);
        ensure!(
            settled == round.settlement.is_some()
                && sum([pot, fees]).is_some_and(|owed| owed <= task.terms.cap_per_round),
            "19: a settlement is missing, unfounded or over the cap"
        );
        let submissions = Submissions::<T>::iter_prefix_values((id, round_id));
        ensure!(
            sum(submissions.filter_map(|one| one.claimed)) == Some(claimed) && claimed <= pot,
            "20: claims are not those of the contributors"
        );
        ensure!(
            sum(round.seats.iter().map(|seat| seat.fee)) == Some(fees),
            "21: fees are not those of the seats"
        );
        Ok(())
    }
}

fn sum(amounts: impl IntoIterator<Item = Balance>) -> Option<Balance> {
    amounts
        .into_iter()
        .try_fold(0, |sum: Balance, amount| sum.checked_add(amount))
}
