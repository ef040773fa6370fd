//! The header: joint gain and new weights.

use super::super::{Answer, Case, Refusal, Ruling, Shown, Statement, Step, Trial};
use super::check_losses;
use crate::round::{passes, Paired};
use crate::table::Opening;

/// [`Statement::Header`].
pub(super) fn header(case: &Case, opening: &Opening, answer: &Answer) -> Result<Ruling, Refusal> {
    let Answer::Header { losses, weights } = answer else {
        return Err(Refusal::WrongMove);
    };
    let [base, merged] = losses;
    let header = &opening.header;
    check_losses(case, base, &header.base)?;
    check_losses(case, merged, &header.merged)?;
    let gain = Paired::fall(base, merged);
    let improved = passes(gain.sum, gain.standard_error, case.rules.gain_floor_q8);
    let paid = if improved { gain.sum.unsigned_abs() } else { 0 };
    let root = if improved { weights } else { &case.base_root };
    let holds = header.gain == gain.sum
        && header.gain_se == gain.standard_error
        && header.paid_gain == paid
        && header.master_root == *root;
    if !holds {
        return Ok(Ruling::Refuted(Step::Header));
    }
    let shown = Shown::Header {
        weights: *weights,
        losses: losses.clone(),
    };
    Trial::showing(Statement::Header, shown)
}
