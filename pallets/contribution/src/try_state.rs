//! The pallet's invariants, in English and in code.
//!
//! Checked after every test, after every step of the property tests, and by `try-runtime`.

use crate::{
    asset::Asset,
    ledgers::Account,
    rewards::Settlement,
    rounds::{now, Draw, Round},
    submissions::Submission,
    tasks::{Purse, Task},
    Balance, Candidates, Config, Credits, DeltaAuthors, Graphs, HoldReason, Ledgers, NextTask,
    Pallet, Registrations, Rounds, Schedule, Submissions, Tables, Tasks,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::{ensure, traits::Get};
use gotong_protocol::{
    bounds, pay, Credit, EntrantRecord, HoldOutTerms, Outcome, Phase, RoundId, SeatState, TaskId,
    TaskState,
};
use gotong_scoring::share::{entrants_tree, EntryWeights};
use sp_runtime::TryRuntimeError;

mod credits;
mod registrations;
mod waiting;

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
    /// Checks every invariant.
    pub fn do_try_state() -> Check {
        registrations::check::<T>()?;
        Self::holds_equal_the_books()?;
        Self::live_tasks_are_scheduled()?;
        Self::history_has_no_strays()?;
        for (id, task) in Tasks::<T>::iter() {
            Self::purse_adds_up(id, &task)?;
            Self::rounds_fit_their_task(id, &task)?;
            waiting::check::<T>(id, &task)?;
            Self::candidates_are_kept_while_seats_are_drawn(id)?;
            for (round_id, round) in Rounds::<T>::iter_prefix(id) {
                Self::counts_mirror_submissions(id, round_id, &round)?;
                Self::entrants_are_those_who_revealed(id, round_id, &round)?;
                Self::seeds_are_drawn_in_time(&round)?;
                Self::tables_are_of_seats(id, round_id, &round)?;
                Self::seats_fit_the_terms(id, round_id, &task, &round)?;
                Self::challenges_come_in_time(&round)?;
                Self::settlement_pays_no_more_than_it_owes(id, round_id, &task, &round)?;
                credits::check::<T>(id, round_id, &round)?;
            }
            for (who, account) in Ledgers::<T>::iter_prefix(id) {
                Self::ledger_is_made_of_claims(id, &task, &who, &account)?;
            }
        }
        registrations::check_registry::<T>()
    }

    /// 4. What each account has on hold for each reason is what the books say: stake and unbonding,
    ///    pools and what is set aside, bonds, deposits of unrevealed commits.
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
            let Purse { pool, reserved, .. } = task.purse;
            add(task.sponsor.clone(), 1, pool)?;
            add(task.sponsor.clone(), 1, reserved)?;
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
    /// 27. A round is looked at when its phase is over at the latest, or in the next block; only a
    ///     challenge past its window waits for its disputes. (After a full block it is as late as before.)
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
        let next = now::<T>().saturating_add(1);
        ensure!(
            schedule.iter().all(|(id, at)| {
                Tasks::<T>::get(id)
                    .and_then(|task| Rounds::<T>::get(id, task.round))
                    .is_none_or(|round| {
                        let waits = round.open_disputes > 0 && round.ends_at <= next;
                        *at <= round.ends_at.max(next) || waits
                    })
            }),
            "27: a round is looked at too late"
        );
        Ok(())
    }

    /// 6. Every task has an id below the next one, and a model. Every round, author and ledger belongs to a task; every submission,
    ///    table and published credit belongs to a round.
    fn history_has_no_strays() -> Check {
        let next = NextTask::<T>::get();
        ensure!(
            Tasks::<T>::iter_keys().all(|id| id < next && Graphs::<T>::contains_key(id))
                && Graphs::<T>::iter_keys().all(Tasks::<T>::contains_key)
                && Rounds::<T>::iter_keys().all(|(id, _)| Tasks::<T>::contains_key(id))
                && Submissions::<T>::iter_keys()
                    .all(|((id, round), _)| Rounds::<T>::contains_key(id, round))
                && Tables::<T>::iter_keys()
                    .chain(Credits::<T>::iter_keys())
                    .all(|((id, round), _)| Rounds::<T>::contains_key(id, round))
                && DeltaAuthors::<T>::iter_keys().all(|(id, _)| Tasks::<T>::contains_key(id))
                && Ledgers::<T>::iter_keys().all(|(id, _)| Tasks::<T>::contains_key(id)),
            "6: something in the history belongs to nothing"
        );
        Ok(())
    }

    /// 7. What a sponsor put in is in the pool, set aside, claimed, paid as fees, or returned.
    /// 8. What a task has set aside, claimed and paid as fees is the sum over its settled rounds.
    /// 9. The pool of a task with a round under way covers the round.
    fn purse_adds_up(id: TaskId, task: &Task<T::AccountId>) -> Check {
        let purse = &task.purse;
        let parts = [
            purse.pool,
            purse.reserved,
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
                && sum(settled().map(|settlement| settlement.paid)) == Some(purse.claimed)
                && sum(settled().map(|settlement| settlement.reserved())) == Some(purse.reserved),
            "8: a task's payments are not those of its rounds"
        );
        ensure!(
            !task.state.is_live() || purse.pool >= task.most_per_round(),
            "9: a round is under way that the pool does not cover"
        );
        Ok(())
    }

    /// 10. The current round of a live task is under way; every other round has an outcome.
    /// 11. No round is beyond the current one.
    /// 12. Published shards are numbered from 0 up to the task's next one, in the order of rounds,
    ///     and there are no more than in the terms. A task with a pool has no shards, and no more
    ///     rounds than in the terms.
    /// 13. A closed task holds no budget and no bond. A task with a round under way has a bond; if there are shards to publish, the
    ///     bond is at least what the round can pay.
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
                && match task.terms.hold_out {
                    HoldOutTerms::Sealed { shards, .. } => task.next_shard <= shards,
                    HoldOutTerms::Drawn { rounds, .. } => {
                        task.next_shard == 0 && task.round.0 < rounds
                    }
                },
            "12: shards are not numbered in the order of rounds, or there are too many"
        );
        ensure!(
            task.state != TaskState::Closed || (task.purse.pool == 0 && task.purse.bond == 0),
            "13: a closed task holds its sponsor's money"
        );
        let least_bond = match task.terms.hold_out.is_sealed() {
            true => task.most_per_round(),
            false => 1,
        };
        ensure!(
            !task.state.is_live() || task.purse.bond >= least_bond,
            "13: the bond is not what the terms ask for"
        );
        Ok(())
    }

    /// 14. A round's submissions are numbered from 0 to its commits, and its newcomers are counted.
    /// 15. Its reveals are the submissions that revealed, each a delta of its own, of which its account is the author.
    /// 16. A deposit is on hold only for an unrevealed commit of a round that accepts reveals or
    ///     will accept them.
    fn counts_mirror_submissions(
        id: TaskId,
        round_id: RoundId,
        round: &Round<T::AccountId>,
    ) -> Check {
        let all: Vec<_> = Submissions::<T>::iter_prefix((id, round_id)).collect();
        let submissions: Vec<_> = all.iter().map(|(_, one)| one).collect();
        let indices: BTreeSet<u32> = submissions.iter().map(|one| one.index).collect();
        ensure!(
            indices.len() == submissions.len() && indices.into_iter().eq(0..round.commits),
            "14: submissions are not numbered by commits"
        );
        let newcomers = submissions.iter().filter(|one| !one.is_proven);
        ensure!(
            newcomers.count() == round.newcomers as usize,
            "14: the newcomers of a round are not counted"
        );
        let mut weights = EntryWeights::default();
        for one in submissions.iter().filter(|one| one.revealed.is_some()) {
            weights.add(one.weight, one.is_proven);
        }
        ensure!(
            round.weights == weights,
            "14: the weights of a round are not those of who revealed"
        );
        let revealed = || {
            let hash = |one: &Submission| Some(one.revealed.as_ref()?.record.delta_hash);
            all.iter()
                .filter_map(move |(who, one)| Some((who, hash(one)?)))
        };
        let deltas: BTreeSet<_> = revealed().map(|(_, hash)| hash).collect();
        let is_own = |(who, hash): (&T::AccountId, _)| {
            DeltaAuthors::<T>::get(id, hash).is_some_and(|author| author == *who)
        };
        ensure!(
            deltas.len() == round.reveals as usize
                && revealed().count() == deltas.len()
                && revealed().all(is_own),
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

    /// 22. From the end of the reveals on, the entrants of a round are those who revealed.
    fn entrants_are_those_who_revealed(
        id: TaskId,
        round_id: RoundId,
        round: &Round<T::AccountId>,
    ) -> Check {
        let mut records: Vec<(u32, EntrantRecord)> =
            Submissions::<T>::iter_prefix_values((id, round_id))
                .filter_map(|one| Some((one.index, one.revealed?.entrant(&round.weights))))
                .collect();
        records.sort_by_key(|(index, _)| *index);
        let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
        let is_known = round.phase > Phase::Reveal && !records.is_empty();
        ensure!(
            round.entrants_root == is_known.then(|| entrants_tree(&records).root().hash),
            "22: the entrants are not those who revealed"
        );
        Ok(())
    }

    /// 28. Seeds are drawn only once nothing more is revealed, and before any table is revealed, challenged or settled on. A draw
    ///     is under way only at the beginning of a phase that starts with one, and is over after its number of blocks.
    fn seeds_are_drawn_in_time(round: &Round<T::AccountId>) -> Check {
        let draws = matches!(round.phase, Phase::AttestCommit | Phase::Challenge);
        let is_due = |draw: &Draw| draws && draw.blocks < T::DrawBlocks::get();
        ensure!(
            round.draw.as_ref().is_none_or(is_due),
            "28: a draw is under way too early or for too long"
        );
        let attested = matches!(round.phase, Phase::AttestReveal | Phase::Challenge);
        let is_used = attested || round.settlement.is_some();
        ensure!(
            match round.seed {
                None => !is_used,
                Some(_) => round.phase > Phase::Reveal,
            },
            "28: a seed is drawn too early or too late"
        );
        Ok(())
    }

    /// 33. The candidates of a draw are stored while seats are drawn, and no longer.
    fn candidates_are_kept_while_seats_are_drawn(id: TaskId) -> Check {
        let draws = |round: Round<_>| round.phase == Phase::AttestCommit && round.draw.is_some();
        ensure!(
            Candidates::<T>::contains_key(id) == Rounds::<T>::iter_prefix_values(id).any(draws),
            "33: candidates are missing, or kept for too long"
        );
        Ok(())
    }

    /// 29. The tables of a round under way are those that its seats revealed and claim. A round that is over has none.
    fn tables_are_of_seats(id: TaskId, round_id: RoundId, round: &Round<T::AccountId>) -> Check {
        let mut tables: BTreeMap<_, _> = Tables::<T>::iter_prefix((id, round_id)).collect();
        let seats = round.seats.iter().filter(|_| round.outcome.is_none());
        let are_those = seats
            .filter_map(|seat| Some((seat, seat.revealed.as_ref()?)))
            .all(|(seat, revealed)| {
                let table = tables.remove(&seat.account);
                table.is_some_and(|table| table.claim(&round.base_root) == revealed.claim)
            });
        ensure!(
            are_those && tables.is_empty(),
            "29: tables are not those of the seats"
        );
        Ok(())
    }

    /// 30. A ledger is the sum of its account's claims since the last forfeit, each credit at the rate of its round.
    /// 31. An account was paid the sum of what its claims paid. For the claims in its ledger, that is never more than what it
    ///     proved is worth, and exactly that as long as nothing in the task has expired.
    /// 32. The rounds that an account still has to claim are those in which it revealed and did not claim. All of them come after
    ///     the claimed ones, and each names the next.
    fn ledger_is_made_of_claims(
        id: TaskId,
        task: &Task<T::AccountId>,
        who: &T::AccountId,
        account: &Account,
    ) -> Check {
        let mut revealed: Vec<(RoundId, Submission)> = Rounds::<T>::iter_key_prefix(id)
            .filter_map(|round| Some((round, Submissions::<T>::get((id, round), who)?)))
            .filter(|(_, one)| one.revealed.is_some())
            .collect();
        revealed.sort_by_key(|(round, _)| *round);
        let is_claimed = |(_, one): &&(RoundId, Submission)| one.claimed.is_some();
        let is_counted = |round: &RoundId| account.forfeited.is_none_or(|last| *round > last);
        let all_claimed = || {
            let all = revealed.iter().filter(is_claimed);
            all.filter_map(|(round, one)| Some((*round, one.claimed?)))
        };
        let claimed = || all_claimed().filter(|(round, _)| is_counted(round));
        let counted = claimed().map(|(round, claimed)| {
            let settlement = Rounds::<T>::get(id, round).and_then(|round| round.settlement);
            let rate = settlement.map_or(pay::WHOLE_Q32, |settlement| settlement.rate_q32);
            let credit = Credit {
                credit: claimed.credit,
                variance: 0,
            };
            i128::from(pay::credit_at_rate(&credit, rate).credit)
        });
        ensure!(
            counted.sum::<i128>() == i128::from(account.ledger.sum)
                && claimed().map(|(_, claimed)| claimed.proved).sum::<u64>()
                    == account.ledger.proved,
            "30: a ledger is not what was claimed"
        );
        let most = task.terms.contributor_pay(account.ledger.proved);
        let expired = Rounds::<T>::iter_prefix_values(id)
            .filter_map(|round| round.settlement)
            .any(|settlement| settlement.expires_at <= now::<T>());
        let paid = sum(claimed().map(|(_, claimed)| claimed.paid));
        ensure!(
            sum(all_claimed().map(|(_, claimed)| claimed.paid)) == Some(account.paid)
                && most.is_some_and(|most| paid <= Some(most))
                && (expired || most == paid),
            "31: an account was paid something else than it proved"
        );
        let waiting: Vec<_> = revealed.iter().skip_while(is_claimed).collect();
        let numbers = waiting.iter().map(|(round, _)| Some(*round));
        let named = waiting.iter().map(|(_, one)| one.next);
        ensure!(
            waiting.iter().all(|one| !is_claimed(one))
                && core::iter::once(account.next)
                    .chain(named)
                    .eq(numbers.chain([None]))
                && revealed
                    .last()
                    .is_none_or(|(round, _)| *round == account.last),
            "32: the rounds to claim are not those that were not claimed"
        );
        Ok(())
    }

    /// 17. A round has at most as many sitting attesters as the terms say. No seat belongs to the
    ///     task's sponsor or to a contributor of the round, and no account has two. There are no
    ///     seats before attestation, and at least the quorum after a draw that seated somebody.
    /// 18. An attester that revealed a table had committed to it. One that answered audits, or lost
    ///     its seat after the reveals, had revealed a table, in a round that was challenged. One
    ///     that lost its seat earlier had not.
    fn seats_fit_the_terms(
        id: TaskId,
        round_id: RoundId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> Check {
        let accounts: BTreeSet<_> = round.seats.iter().map(|seat| &seat.account).collect();
        let sitting = round.seats.iter().filter(|seat| seat.sits()).count();
        let least = match round.phase {
            Phase::Commit | Phase::Reveal | Phase::Ended => 0,
            Phase::AttestCommit if round.draw.is_some() || round.seats.is_empty() => 0,
            _ => usize::from(task.terms.quorum),
        };
        ensure!(
            sitting <= task.terms.seats.into()
                && round.seats.len() >= least
                && (round.seats.is_empty() || round.phase > Phase::Reveal)
                && accounts.len() == round.seats.len()
                && !accounts.contains(&task.sponsor)
                && accounts
                    .iter()
                    .all(|who| !Submissions::<T>::contains_key((id, round_id), who)),
            "17: the seats do not fit the terms"
        );
        ensure!(
            round.seats.iter().all(|seat| {
                use SeatState::*;
                let revealed = seat.revealed.is_some();
                let fits = match seat.state {
                    Sitting => revealed || !seat.audited,
                    Missed => !revealed && !seat.audited,
                    Convicted | Unaudited => revealed,
                };
                let late = seat.audited || !matches!(seat.state, Sitting | Missed);
                fits && (seat.commitment.is_some() || !revealed)
                    && (round.audit_seed.is_some() || !late)
            }),
            "18: a seat is not where it came to"
        );
        Ok(())
    }

    /// 23. Disputes are open only about a round in its challenge.
    /// 24. Seats are drawn anew only after a first draw, and only a limited number of times since the quorum was filled. A round in
    ///     its challenge has the seed of its audits, once that is drawn.
    /// 25. Every sitting attester revealed when the challenge started.
    fn challenges_come_in_time(round: &Round<T::AccountId>) -> Check {
        ensure!(
            round.open_disputes == 0 || round.phase == Phase::Challenge,
            "23: a dispute is open about a round that is not challenged"
        );
        let early = round.phase <= Phase::Reveal;
        ensure!(
            round.redraws <= bounds::MAX_REDRAWS
                && (round.redraws == 0 || round.seed.is_some())
                && (round.audit_seed.is_some()
                    || round.draw.is_some()
                    || round.phase != Phase::Challenge)
                && !(early && round.audit_seed.is_some()),
            "24: redraws and audits are not what challenges made them"
        );
        let sitting = || round.seats.iter().filter(|seat| seat.sits());
        ensure!(
            round.phase != Phase::Challenge || sitting().all(|seat| seat.revealed.is_some()),
            "25: a round is challenged that waits for a claim"
        );
        Ok(())
    }

    /// 19. Only settled rounds have a settlement, and it stays within the cap and the fee for work.
    /// 20. What contributors claimed for a round is what it paid them, and no more than its pot. Once all have claimed, nothing is
    ///     set aside any more, and their credits add up to its gain if nobody forfeited.
    /// 21. The fees of a round are what its seats were paid, and only seats that stand were paid.
    /// 26. A round settled on the claim that all sitting attesters share, and all of them answered their audits.
    fn settlement_pays_no_more_than_it_owes(
        id: TaskId,
        round_id: RoundId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> Check {
        let of = |part: fn(&Settlement) -> Balance| round.settlement.as_ref().map_or(0, part);
        let (pot, fees) = (of(|one| one.pot), of(|one| one.fees));
        let settled = round.outcome == Some(Outcome::Settled);
        ensure!(
            settled == round.settlement.is_some()
                && sum([pot, fees]).is_some_and(|owed| owed <= task.most_per_round()),
            "19: a settlement is missing, unfounded or over the cap"
        );
        if let Some(settlement) = &round.settlement {
            let submissions = Submissions::<T>::iter_prefix_values((id, round_id));
            let claimed: Vec<_> = submissions.filter_map(|one| one.claimed).collect();
            let gain = settlement.claim.merged.map_or(0, |merged| merged.gain);
            let all_claimed = settlement.claims == round.reveals;
            let expired = now::<T>() >= settlement.expires_at;
            // None if the round could not even be priced. Then nothing is merged.
            let owed = task.terms.contributor_pay(settlement.most_credits);
            ensure!(
                sum(claimed.iter().map(|one| one.paid)) == Some(settlement.paid)
                    && sum([settlement.paid, settlement.released])
                        .is_some_and(|gone| gone <= settlement.pot)
                    && claimed.len() == settlement.claims as usize
                    && claimed.iter().map(|one| one.credit).sum::<i64>() == settlement.credited
                    && settlement.forfeits <= settlement.claims
                    && (!all_claimed || settlement.reserved() == 0)
                    && (expired
                        || all_claimed
                        || owed.is_none_or(|owed| owed <= settlement.reserved()))
                    && (!all_claimed || settlement.forfeits > 0 || settlement.credited == gain),
                "20: claims are not those of the contributors"
            );
        }
        ensure!(
            sum(round.seats.iter().map(|seat| seat.fee)) == Some(fees)
                && round
                    .seats
                    .iter()
                    .all(|seat| seat.fee == 0 || seat.stands()),
            "21: fees are not those of the seats"
        );
        let agreed = |claim| {
            round
                .seats
                .iter()
                .filter(|seat| seat.sits())
                .all(|seat| seat.audited && seat.claim() == Some(&claim))
        };
        ensure!(
            round
                .settlement
                .as_ref()
                .is_none_or(|settlement| agreed(settlement.claim)),
            "26: a round settled on a claim that does not stand"
        );
        Ok(())
    }
}

fn sum(amounts: impl IntoIterator<Item = Balance>) -> Option<Balance> {
    amounts
        .into_iter()
        .try_fold(0, |sum: Balance, amount| sum.checked_add(amount))
}
