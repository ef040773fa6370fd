//! The invariants of registrations and offers.

use super::Check;
use crate::{
    offers::{Held, Listed},
    stakes::Registration,
    Attesters, Candidates, Config, Contributors, Registrations, Rounds, SeatsPromised, Tasks,
};
use alloc::collections::BTreeMap;
use frame_support::ensure;

/// 2. The count of active contributors is the number of registrations that contribute.
/// 3. Every registration has stake and a role.
pub(super) fn check<T: Config>() -> Check {
    let all = || Registrations::<T>::iter_values();
    let contributing = all().filter(Registration::contributes::<T>).count();
    ensure!(
        Contributors::<T>::get().active as usize == contributing,
        "2: the count of contributors is wrong"
    );
    ensure!(
        all().all(|registration| registration.held() > 0 && !registration.roles.is_empty()),
        "3: a registration is empty"
    );
    Ok(())
}

/// 1. The registry of attesters is sorted by account, lists each once, and has the stakes of their registrations. An account that
///    offers seats is an attester; one that offers none holds seats or may be drawn for some.
/// 34. It says what each attester holds: the seats in rounds under way that it has not lost, and the work that they take.
/// 35. It says in how many draws each attester may be drawn.
/// 37. The promised seats are the quorums of the rounds that accept reveals, or are in their first draw, which yields the seed.
pub(super) fn check_registry<T: Config>() -> Check {
    let registry = Attesters::<T>::get();
    let is_true = |listed: &Listed<T::AccountId>| {
        let registration = Registrations::<T>::get(&listed.account);
        let attesting = registration.filter(Registration::attests::<T>);
        let stake = attesting.as_ref().map_or(0, |one| one.stake);
        let is_listed_for_something =
            listed.offer.seats > 0 || listed.held.seats > 0 || listed.candidacies > 0;
        listed.stake == stake
            && is_listed_for_something
            && (listed.offer.seats == 0 || attesting.is_some())
    };
    ensure!(
        registry.is_sorted_by(|one, next| one.account < next.account)
            && registry.iter().all(is_true),
        "1: the registry of attesters does not mirror the registrations"
    );
    let mut held = BTreeMap::<_, Held>::new();
    let mut promised = 0u32;
    for (id, task) in Tasks::<T>::iter() {
        let rounds = Rounds::<T>::iter_prefix_values(id);
        let under_way = rounds.filter(|round| round.outcome.is_none());
        for round in under_way {
            if round.is_promised_seats() {
                promised = promised.saturating_add(task.terms.quorum.into());
            }
            let load = task.load(round.reveals);
            for seat in round.seats.into_iter().filter(|seat| seat.sits()) {
                let held = held.entry(seat.account).or_default();
                held.seats = held.seats.saturating_add(1);
                held.load = held.load.saturating_add(load);
            }
        }
    }
    let holding = registry.iter().filter(|listed| listed.held.seats > 0);
    let holding: BTreeMap<_, _> = holding
        .map(|listed| (listed.account.clone(), listed.held))
        .collect();
    ensure!(
        holding == held,
        "34: the registry does not tell who holds seats"
    );
    let mut candidacies = BTreeMap::<_, u32>::new();
    for (who, _) in Candidates::<T>::iter_values().flatten() {
        let of_one = candidacies.entry(who).or_default();
        *of_one = of_one.saturating_add(1);
    }
    let listed = registry.into_iter().filter(|listed| listed.candidacies > 0);
    let listed: BTreeMap<_, _> = listed.map(|one| (one.account, one.candidacies)).collect();
    ensure!(
        listed == candidacies,
        "35: the registry does not tell who may be drawn"
    );
    ensure!(
        SeatsPromised::<T>::get() == promised,
        "37: seats are promised to no round, or too few are"
    );
    Ok(())
}
