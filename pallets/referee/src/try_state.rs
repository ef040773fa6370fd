//! The pallet's invariants, in English and in code.
//!
//! Checked after every test, and by `try-runtime`.

use crate::{
    asset::Bonds, disputes::Party, Balance, Config, Deadlines, Disputes, NextDispute, Pallet,
    Parties, Verdicts,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::{ensure, traits::Get};
use gotong_protocol::{id::DisputeId, Court};
use sp_runtime::TryRuntimeError;

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
    /// Checks every invariant.
    pub fn do_try_state() -> Check {
        Self::deadlines_list_the_disputes()?;
        Self::parties_list_the_disputes()?;
        Self::bonds_are_on_hold()?;
        Self::disputes_are_possible()?;
        Self::verdicts_are_over()
    }

    /// 1. There is exactly one deadline for each open dispute, and the next comes first.
    fn deadlines_list_the_disputes() -> Check {
        let listed = Deadlines::<T>::get().into_inner();
        let all: BTreeMap<DisputeId, u32> = Disputes::<T>::iter()
            .map(|(id, dispute)| (id, dispute.deadline))
            .collect();
        ensure!(
            listed.is_sorted_by_key(|(_, deadline)| *deadline)
                && listed.len() == all.len()
                && listed.into_iter().collect::<BTreeMap<_, _>>() == all,
            "1: the deadlines are not those of the open disputes"
        );
        Ok(())
    }

    /// 2. The parties listed for each round are those of its open disputes, in the order of the
    ///    disputes' ids. No list is empty, and nobody disputes the same table twice at the same
    ///    time.
    fn parties_list_the_disputes() -> Check {
        let mut all: BTreeMap<_, Vec<Party<T::AccountId>>> = BTreeMap::new();
        for (id, dispute) in Disputes::<T>::iter() {
            all.entry((dispute.task, dispute.round))
                .or_default()
                .push(Party {
                    dispute: id,
                    accused: dispute.accused,
                    challenger: dispute.challenger,
                });
        }
        for parties in all.values_mut() {
            parties.sort_by_key(|party| party.dispute);
            let pairs: BTreeSet<_> = parties
                .iter()
                .map(|party| (&party.accused, &party.challenger))
                .collect();
            ensure!(
                pairs.len() == parties.len(),
                "2: somebody disputes the same table twice"
            );
        }
        let listed: BTreeMap<_, _> = Parties::<T>::iter()
            .map(|(task, round, parties)| ((task, round), parties.into_inner()))
            .collect();
        ensure!(
            listed == all,
            "2: the parties are not those of the open disputes"
        );
        Ok(())
    }

    /// 3. What each account has on hold for its disputes is the sum of its bonds.
    fn bonds_are_on_hold() -> Check {
        let mut books: BTreeMap<T::AccountId, Balance> = frame_system::Account::<T>::iter_keys()
            .map(|who| (who, 0))
            .collect();
        for dispute in Disputes::<T>::iter_values() {
            let held = books.entry(dispute.challenger).or_default();
            *held = held
                .checked_add(dispute.bond)
                .ok_or("3: the books overflow")?;
        }
        ensure!(
            books
                .into_iter()
                .all(|(who, amount)| Bonds::<T>::held(&who) == amount),
            "3: a hold differs from the bonds"
        );
        Ok(())
    }

    /// 4. Every open dispute has an id below the next one to be given out.
    /// 5. It is between two accounts, and has a bond.
    /// 6. The parties took turns, the accused first, and made fewer moves than they may.
    /// 7. The court knows the inputs of its round.
    fn disputes_are_possible() -> Check {
        let next = NextDispute::<T>::get();
        for (id, dispute) in Disputes::<T>::iter() {
            ensure!(id < next, "4: a dispute has an id that was not given out");
            ensure!(
                dispute.accused != dispute.challenger && dispute.bond >= T::DisputeBond::get(),
                "5: a dispute has one party only, or no bond"
            );
            let ahead = u32::from(!dispute.trial.awaits_answer());
            ensure!(
                dispute.picks.checked_add(ahead) == Some(dispute.answers)
                    && dispute.moves() < T::MaxMoves::get(),
                "6: the parties did not take turns, or too many"
            );
            ensure!(
                T::Court::facts(dispute.task, dispute.round).is_some(),
                "7: a dispute is about a round without inputs"
            );
        }
        Ok(())
    }

    /// 8. Each remembered verdict is about a different dispute, and none is about an open one.
    fn verdicts_are_over() -> Check {
        let verdicts = Verdicts::<T>::get();
        let ids: BTreeSet<DisputeId> = verdicts.iter().map(|closed| closed.id).collect();
        let next = NextDispute::<T>::get();
        ensure!(
            ids.len() == verdicts.len()
                && ids
                    .iter()
                    .all(|id| *id < next && !Disputes::<T>::contains_key(id)),
            "8: there is a verdict about an open dispute, or two about the same"
        );
        Ok(())
    }
}
