//! What a round can pay its attesters.

use gotong_protocol::view::TaskView;

/// The most millibits that a round can gain. A label is a byte, so a model that knows nothing about it loses eight bits.
const MOST_GAIN: u128 = 8_000;

/// The most that a round can pay for a seat, in planck, if all seats share it. The task's cap alone says little: a sponsor can
/// set it as high as the budget, with a price at which no gain comes near it.
pub(super) fn most_pay(task: &TaskView) -> u128 {
    let terms = &task.terms;
    let gain = terms.price_per_millibit.saturating_mul(MOST_GAIN);
    let of_gain = gain
        .min(terms.cap_per_round)
        .saturating_mul(terms.attester_fee_permille.into())
        / 1_000;
    let work = terms.work_pay(task.graph.cost()).unwrap_or_default();
    of_gain.saturating_add(work) / u128::from(terms.seats.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;

    #[test]
    fn a_round_pays_for_gain_and_for_work() {
        let mut task = views::task();
        let of_gain = task.terms.cap_per_round / 10;
        assert_eq!(most_pay(&task), of_gain / 3);
        task.terms.work_fee = 3 << 30;
        let work = u128::from(task.terms.evaluations(task.graph.cost())) * 3;
        assert_eq!(most_pay(&task), (of_gain + work) / 3);
        // No gain comes near this cap.
        let mut task = views::task();
        task.terms.price_per_millibit = 1_000;
        task.terms.cap_per_round = u128::MAX;
        assert_eq!(most_pay(&task), 8_000_000 / 10 / 3);
    }
}
