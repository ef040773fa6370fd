//! The rounds that an account can claim: what each of them credits, proves and pays, and how they are claimed.
//!
//! The chain accepts claims only in order, for every round in which the account revealed. It knows the credit if nothing was
//! merged, or if somebody has published it. Every other claim needs a proof, which comes from a replay of the task.

use super::{replica::in_commit_order, Replica, RunError};
use crate::chain::{Account, Call, ChainError, Client, Inclusion, Keypair, Moment};
use gotong_protocol::{
    bounds::MAX_CLAIMS,
    claim::Claimed,
    pay,
    view::{RewardState, RewardView, RoundView, SubmissionView, TaskView},
    ClaimItem, Credit, CreditProof, Ledger, RoundId, TaskId,
};

/// A round to claim, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueClaim {
    /// The argument of the call.
    pub item: ClaimItem,
    /// Its result on the chain, if the rounds before it are claimed first.
    pub claimed: Claimed,
}

/// A round that cannot be claimed now. The chain accepts rounds in order, so later ones have to wait for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("round {round} of task {task}, which later rounds have to wait for: {why}")]
pub struct StuckClaim {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// Why not, and what to do.
    pub why: String,
    /// Whether trying again is pointless.
    pub is_final: bool,
}

impl StuckClaim {
    /// No honest party can show the credit of the round, for a reason that arose in round `of`.
    fn for_ever(task: TaskId, round: RoundId, of: RoundId, reason: &str) -> Self {
        let why = format!(
            "{reason}. So its credit cannot be shown. If `gotong verify --task {task} --round {of}` agrees, you can give this \
             credit up with `gotong claim --task {task} --forfeit {round}`: the account starts over in the task, with an empty \
             ledger and the weight of a newcomer, and keeps what it was paid"
        );
        Self {
            task,
            round,
            why,
            is_final: true,
        }
    }
}

/// What can be claimed, or was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// In order.
    pub claimed: Vec<DueClaim>,
    /// The first round that cannot be claimed, if there is one.
    pub stuck: Option<StuckClaim>,
}

impl Claims {
    /// What they pay together, in planck.
    pub fn paid(&self) -> u128 {
        self.claimed.iter().map(|due| due.claimed.paid).sum()
    }
}

/// Whether the claims of `account` in `task` need a replica of the task. They do not if the chain knows all of the account's
/// credits.
pub async fn needs_replay(
    now: &Moment,
    account: &Account,
    task: &TaskView,
) -> Result<bool, RunError> {
    let rounds = claimable_rounds(&now.task_rewards(task.id, account).await?);
    Ok(rounds.iter().any(|(_, credit)| credit.is_none()))
}

/// The rounds of a task that `account` can claim at `now`: those whose credits the chain knows, and others that `replica` has
/// already replayed.
pub async fn due_claims(
    replica: Option<&Replica>,
    now: &Moment,
    account: &Account,
    task: &TaskView,
) -> Result<Claims, RunError> {
    let rounds = claimable_rounds(&now.task_rewards(task.id, account).await?);
    let ledger = now.ledger(account, task.id).await?;
    let mut ledger = ledger.map(|view| view.ledger).unwrap_or_default();
    let mut due = Claims::default();
    for (round, known) in rounds {
        let view = now.round(task.id, round).await?;
        let Some(view) = view else { break };
        let proof = match (known, replica) {
            (None, Some(replica)) => credit_proof(replica, now, account, task.id, round).await?,
            _ => None,
        };
        let credit = known.or_else(|| proved_credit(proof.as_ref()?, &view));
        let claimed = credit.and_then(|credit| take(&mut ledger, &credit, task, &view));
        let Some(claimed) = claimed else {
            let next = replica.map_or(round, Replica::next_round);
            due.stuck = Some(without_proof(task.id, round, next));
            break;
        };
        due.claimed.push(DueClaim {
            item: ClaimItem {
                task: task.id,
                round,
                proof,
            },
            claimed,
        });
    }
    Ok(due)
}

/// Claims every round of `task` that can be claimed, as [`due_claims`] lists them. A round that the chain refuses is reported, and
/// the rounds before it are claimed.
pub async fn claim_rounds(
    client: &Client,
    now: &Moment,
    signer: &Keypair,
    replica: Option<&Replica>,
    task: &TaskView,
) -> Result<Claims, RunError> {
    let due = due_claims(replica, now, &signer.public_key().0, task).await?;
    let mut claims = Claims {
        claimed: Vec::new(),
        stuck: due.stuck,
    };
    let (mut rest, mut at_once) = (&due.claimed[..], MAX_CLAIMS as usize);
    while let Some(first) = rest.first() {
        let (batch, later) = rest.split_at(at_once.min(rest.len()));
        let items: Vec<ClaimItem> = batch.iter().map(|due| due.item.clone()).collect();
        let call = Call::claim(&items);
        match client.submit(signer, &call, Inclusion::Best).await {
            Ok(_) => {
                claims.claimed.extend_from_slice(batch);
                rest = later;
            }
            // A call claims all of its rounds or none. One by one, those before the refused round are claimed.
            Err(ChainError::Refused { .. }) if batch.len() > 1 => at_once = 1,
            Err(error @ (ChainError::Refused { .. } | ChainError::Rejected { .. })) => {
                claims.stuck = Some(refused(task.id, first.item.round, &error));
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(claims)
}

/// Why there is no proof of a credit in `round`, which merged something, although a replica has reached the round `next`.
fn without_proof(task: TaskId, round: RoundId, next: RoundId) -> StuckClaim {
    match next < round {
        // Nobody knows these weights, so the replica stays there for ever.
        true => {
            let reason = format!(
                "the chain settled round {next} on weights other than those computed here, so no later table can be computed"
            );
            StuckClaim::for_ever(task, round, next, &reason)
        }
        false => {
            let reason = "the chain settled it on a table other than the one computed here, and nobody disputed that in time";
            StuckClaim::for_ever(task, round, round, reason)
        }
    }
}

/// What the chain said about a claim, and what to do.
fn refused(task: TaskId, round: RoundId, error: &ChainError) -> StuckClaim {
    let is_any = |names: &[&str]| names.iter().any(|name| error.is_refusal(name));
    if is_any(&["ProofInvalid", "ForeignRow"]) {
        let reason = error.to_string();
        return StuckClaim::for_ever(task, round, round, reason.trim_end_matches('.'));
    }
    let why = match is_any(&["NotNextClaim", "AlreadyClaimed"]) {
        true => format!(
            "{error} Another program claims for this account, or the chain took blocks back: run `gotong claim` to claim what \
             is left, starting at the first unclaimed round"
        ),
        false => error.to_string(),
    };
    StuckClaim {
        task,
        round,
        why,
        is_final: false,
    }
}

/// Proof of the account's credit in a round that merged something; none if the replica has no table of it.
async fn credit_proof(
    replica: &Replica,
    now: &Moment,
    account: &Account,
    task: TaskId,
    round: RoundId,
) -> Result<Option<CreditProof>, RunError> {
    let Some(table) = replica.table(round)? else {
        return Ok(None);
    };
    let submissions = now.submissions(task, round).await?;
    Ok(entrant_of(account, &submissions).and_then(|entrant| table.prove_credit(entrant)))
}

/// Which entrant of a round's table an account is.
fn entrant_of(account: &Account, submissions: &[SubmissionView]) -> Option<u32> {
    let entrants = in_commit_order(submissions);
    let mut entrants = (0u32..).zip(entrants);
    let own = entrants.find(|(_, submission)| submission.account == *account);
    own.map(|(entrant, _)| entrant)
}

/// The credit that `proof` shows in a round, if the chain would accept it.
fn proved_credit(proof: &CreditProof, round: &RoundView) -> Option<Credit> {
    let proved = proof.verify(round.claim.as_ref()?).ok()?;
    Some(proved.credit)
}

/// Adds a round's credit to a ledger, as the chain does, and returns the result. None if its worth overflows.
fn take(
    ledger: &mut Ledger,
    credit: &Credit,
    task: &TaskView,
    round: &RoundView,
) -> Option<Claimed> {
    let pay = |ledger: &Ledger| task.terms.contributor_pay(ledger.proved);
    let before = pay(ledger)?;
    let counted = pay::credit_at_rate(credit, round.rate_q32);
    let proved = ledger.add(&counted, task.terms.share.doubt_q8);
    // If a round was not claimed in time, nothing may be left of its money.
    let left = (round.pot)
        .saturating_sub(round.paid)
        .saturating_sub(round.released);
    Some(Claimed {
        credit: credit.credit,
        proved,
        paid: pay(ledger)?.saturating_sub(before).min(left),
    })
}

/// The rounds to claim, in order, each with its credit if the chain knows it.
fn claimable_rounds(rewards: &[RewardView]) -> Vec<(RoundId, Option<Credit>)> {
    let claimable = |reward: &RewardView| match reward.state {
        RewardState::Claimable { credit } => Some((reward.round, credit)),
        _ => None,
    };
    let mut rounds: Vec<_> = rewards.iter().filter_map(claimable).collect();
    rounds.sort_unstable_by_key(|(round, _)| *round);
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        run::views::{round, settled, submission, task},
        test_lab::Lab,
    };
    use gotong_protocol::view::RewardKind;

    #[test]
    fn claims_are_what_the_chain_makes_of_them() {
        let lab = Lab::small();
        let (table, task) = (lab.table(), task());
        let settled = settled(&table);
        let gain = settled.claim.and_then(|claim| claim.merged).unwrap().gain;
        let submissions = [
            submission(2, true),
            submission(7, false),
            submission(0, true),
        ];
        assert_eq!(entrant_of(&[2; 32], &submissions), Some(1));
        assert_eq!(entrant_of(&[7; 32], &submissions), None);
        let mut sum = 0;
        for entrant in 0..lab.facts.entrants {
            let proof = table.prove_credit(entrant).unwrap();
            let credit = proved_credit(&proof, &settled).unwrap();
            let mut ledger = Ledger::default();
            let claimed = take(&mut ledger, &credit, &task, &settled).unwrap();
            assert_eq!(claimed.proved, ledger.proved);
            assert_eq!(
                Some(claimed.paid),
                task.terms.contributor_pay(ledger.proved)
            );
            sum += claimed.credit;
            // The second time, there is less doubt about the same credit.
            let again = take(&mut ledger, &credit, &task, &settled).unwrap();
            let both = task.terms.contributor_pay(ledger.proved);
            assert_eq!(Some(claimed.paid + again.paid), both);
        }
        assert_eq!(sum, gain);
    }

    #[test]
    fn only_a_proof_that_the_chain_takes_shows_a_credit() {
        let table = Lab::small().table();
        let settled = settled(&table);
        let mut proof = table.prove_credit(0).unwrap();
        assert!(proved_credit(&proof, &settled).is_some());
        assert_eq!(proved_credit(&proof, &round()), None);
        proof.row.delta_hash[0] ^= 1;
        assert_eq!(proved_credit(&proof, &settled), None);
    }

    #[test]
    fn a_round_that_merged_nothing_changes_no_ledger() {
        let mut ledger = Ledger::default();
        let void = take(&mut ledger, &Credit::default(), &task(), &round());
        assert_eq!(void, Some(Claimed::default()));
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn what_was_released_is_credited_and_not_paid() {
        let (table, task) = (Lab::small().table(), task());
        let settled = settled(&table);
        let late = RoundView {
            released: settled.pot,
            ..settled.clone()
        };
        let proof = table.prove_credit(0).unwrap();
        let credit = proved_credit(&proof, &settled).unwrap();
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        let in_time = take(&mut one, &credit, &task, &settled).unwrap();
        let too_late = take(&mut other, &credit, &task, &late).unwrap();
        assert_eq!((one, too_late.paid), (other, 0));
        assert_eq!(in_time.credit, too_late.credit);
    }

    #[test]
    fn a_claim_out_of_order_is_told_with_what_to_do() {
        let other = refused_with("NotNextClaim");
        assert!(other
            .why
            .contains("run `gotong claim` to claim what is left"));
        let failed = refused_with("Overflow");
        assert_eq!(failed.why, "refused: Overflow. Docs of the chain.");
        assert!(!other.is_final && !failed.is_final);
    }

    fn refused_with(name: &str) -> StuckClaim {
        let error = ChainError::Refused {
            name: name.into(),
            docs: "Docs of the chain.".into(),
        };
        refused(TaskId(1), RoundId(4), &error)
    }

    #[test]
    fn a_credit_that_nobody_can_show_is_told_with_how_to_give_it_up() {
        let stuck = [
            // The replica went past it, or stays at it.
            without_proof(TaskId(1), RoundId(4), RoundId(9)),
            without_proof(TaskId(1), RoundId(4), RoundId(4)),
            without_proof(TaskId(1), RoundId(4), RoundId(2)),
            refused_with("ForeignRow"),
        ];
        for stuck in &stuck {
            let text = stuck.to_string();
            assert!(text.starts_with("round 4 of task 1"), "{text}");
            assert!(
                text.contains("`gotong claim --task 1 --forfeit 4`"),
                "{text}"
            );
            assert!(text.contains("empty ledger"), "{text}");
            assert!(!text.contains(".."), "{text}");
            assert!(stuck.is_final);
        }
        let verified = |stuck: &StuckClaim, round| {
            let command = format!("`gotong verify --task 1 --round {round}`");
            assert!(stuck.why.contains(&command), "{stuck}");
        };
        verified(&stuck[0], 4);
        verified(&stuck[2], 2);
        assert!(stuck[2]
            .why
            .contains("settled round 2 on weights other than"));
    }

    #[test]
    fn only_unclaimed_rounds_are_claimable_and_in_order() {
        let reward = |round, kind, state| RewardView {
            task: TaskId(1),
            round: RoundId(round),
            kind,
            state,
        };
        let credit = Some(Credit {
            credit: 7,
            variance: 8,
        });
        let (claimable, unknown) = (
            RewardState::Claimable { credit },
            RewardState::Claimable { credit: None },
        );
        let claimed = RewardState::Claimed(Claimed::default());
        let rewards = [
            reward(4, RewardKind::Contributor, unknown),
            reward(0, RewardKind::Contributor, claimed),
            reward(1, RewardKind::Contributor, claimable),
            reward(2, RewardKind::Attester, RewardState::Nothing),
            reward(3, RewardKind::Contributor, RewardState::Pending),
        ];
        let rounds = claimable_rounds(&rewards);
        assert_eq!(rounds, [(RoundId(1), credit), (RoundId(4), None)]);
    }
}
