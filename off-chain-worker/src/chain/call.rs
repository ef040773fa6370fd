//! Calls of the runtime, encoded without code generated from its metadata.

use super::{Account, ChainError, PALLET, REFEREE};
use codec::{Compact, Encode};
use gotong_protocol::{
    id::DisputeId,
    stored::{COMMIT_ATTESTATION, OPEN_DISPUTE, PICK_IN_DISPUTE},
    AuditAnswer, ClaimItem, CreditProof, Hash, Proof, Roles, RoundId, TableSummary, TaskId,
    TaskTerms,
};
use gotong_scoring::share::trial::{Accusation, Answer, Pick};
use subxt::{
    ext::scale_encode::{self, EncodeAsFields, FieldIter, TypeResolver},
    metadata::Metadata,
    tx::Payload,
};

/// A call of the runtime: its names, looked up in the live metadata, and its encoded arguments.
///
/// The argument types are the chain's own, shared through `gotong-protocol`, so their SCALE
/// encoding is what the runtime decodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pallet: &'static str,
    name: &'static str,
    arguments: Arguments,
}

/// Encoded arguments, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments(Vec<u8>);

impl Call {
    /// The call `name` of `pallet`, with its arguments in order. It is for calls that have no function here.
    pub fn new(pallet: &'static str, name: &'static str, arguments: impl Encode) -> Self {
        Self {
            pallet,
            name,
            arguments: Arguments(arguments.encode()),
        }
    }

    /// Puts `stake` planck on hold and takes `roles`.
    pub fn register(roles: Roles, stake: u128) -> Self {
        Self::new(PALLET, "register", (roles, stake))
    }

    /// Puts `amount` planck more on hold.
    pub fn add_stake(amount: u128) -> Self {
        Self::new(PALLET, "add_stake", amount)
    }

    /// Begins to unbond `amount` planck.
    pub fn unstake(amount: u128) -> Self {
        Self::new(PALLET, "unstake", amount)
    }

    /// Takes back what has unbonded.
    pub fn withdraw() -> Self {
        Self::new(PALLET, "withdraw", ())
    }

    /// Offers to attest in `tasks` and, if `sealed`, in all tasks with sealed samples: at most `seats` seats at once, which
    /// together take at most `capacity` products per block.
    pub fn offer(seats: u8, capacity: u64, sealed: bool, tasks: &[TaskId]) -> Self {
        Self::new(PALLET, "offer", (seats, capacity, sealed, tasks))
    }

    /// `graph` is the SCALE encoding of the graph, `weights` has two bytes per parameter, little endian, and `recipe` is the recipe
    /// that the terms name; empty if they name none.
    pub fn open_task(
        terms: &TaskTerms,
        graph: &[u8],
        weights: &[u8],
        recipe: &[u8],
        pool: u128,
    ) -> Self {
        let arguments = (terms, graph, weights, recipe, pool);
        Self::new(PALLET, "open_task", arguments)
    }

    /// Adds `amount` planck to the pool of a task.
    pub fn top_up(task: TaskId, amount: u128) -> Self {
        Self::new(PALLET, "top_up", (task, amount))
    }

    /// Closes the sender's task once its round under way is over.
    pub fn close_task(task: TaskId) -> Self {
        Self::new(PALLET, "close_task", task)
    }

    /// Commits to a delta: `commitment` is [`gotong_protocol::submission_commitment`].
    pub fn commit(task: TaskId, round: RoundId, commitment: Hash) -> Self {
        Self::new(PALLET, "commit", (task, round, commitment))
    }

    /// Reveals the encoded `delta` that was committed to with `salt`.
    pub fn reveal(task: TaskId, round: RoundId, delta: &[u8], salt: Hash) -> Self {
        Self::new(PALLET, "reveal", (task, round, delta, salt))
    }

    /// `proof` places the shard's root under the task's root of shards.
    pub fn publish_shard(
        task: TaskId,
        round: RoundId,
        key: Hash,
        records: &[u8],
        proof: &Proof,
    ) -> Self {
        Self::new(PALLET, "publish_shard", (task, round, key, records, proof))
    }

    /// Commits to a share table: `commitment` is [`gotong_protocol::attestation_commitment`], and `inputs`
    /// [`gotong_protocol::round_inputs`] of what the table is about.
    pub fn commit_attestation(
        task: TaskId,
        round: RoundId,
        commitment: Hash,
        inputs: Hash,
    ) -> Self {
        let fields = (task, round, commitment, inputs);
        Self::new(PALLET, "commit_attestation", fields)
    }

    /// Reveals the summary of the table that was committed to with `salt`, and the root over the work behind it.
    pub fn reveal_attestation(
        task: TaskId,
        round: RoundId,
        table: &TableSummary,
        work_root: Hash,
        salt: Hash,
    ) -> Self {
        Self::new(
            PALLET,
            "reveal_attestation",
            (task, round, table, work_root, salt),
        )
    }

    /// Shows the work that the audits of the sender's seat ask for.
    pub fn answer_audits(task: TaskId, round: RoundId, answers: &[AuditAnswer]) -> Self {
        Self::new(PALLET, "answer_audits", (task, round, answers))
    }

    /// Opens a dispute about the table of `accused`; puts a bond on hold.
    pub fn open_dispute(
        task: TaskId,
        round: RoundId,
        accused: Account,
        accusation: Accusation,
    ) -> Self {
        Self::new(REFEREE, "open", (task, round, accused, accusation))
    }

    /// The move of the accused.
    pub fn answer_dispute(dispute: DisputeId, answer: &Answer) -> Self {
        Self::new(REFEREE, "answer", (dispute, answer))
    }

    /// The move of the challenger.
    pub fn pick_in_dispute(dispute: DisputeId, pick: Pick) -> Self {
        Self::new(REFEREE, "pick", (dispute, pick))
    }

    /// Claims rounds that are over, in order, each with the proof of its credit if it merged something.
    pub fn claim(items: &[ClaimItem]) -> Self {
        Self::new(PALLET, "claim", items)
    }

    /// Gives up the credit of the next round to claim; the ledger of the task starts over.
    pub fn forfeit(task: TaskId, round: RoundId) -> Self {
        Self::new(PALLET, "forfeit", (task, round))
    }

    /// Publishes what contributors are credited in a round, as these proofs show.
    pub fn publish_credits(task: TaskId, round: RoundId, proofs: &[CreditProof]) -> Self {
        Self::new(PALLET, "publish_credits", (task, round, proofs))
    }

    /// Gives back what was not claimed in a round in time.
    pub fn release(task: TaskId, round: RoundId) -> Self {
        Self::new(PALLET, "release", (task, round))
    }

    /// Sends `amount` planck to `to`, and keeps the sender alive.
    pub fn transfer(to: Account, amount: u128) -> Self {
        const ADDRESS_IS_ID: u8 = 0;
        Self::new(
            "Balances",
            "transfer_keep_alive",
            (ADDRESS_IS_ID, to, Compact(amount)),
        )
    }

    /// Calls that can be made only once: pallet, call, and the error that means that the account has already made the call, and
    /// nothing else.
    pub const ONCE: [(&'static str, &'static str, &'static str); 8] = [
        (PALLET, "register", "AlreadyRegistered"),
        (PALLET, "close_task", "AlreadyClosed"),
        (PALLET, "commit", "AlreadyCommitted"),
        (PALLET, "reveal", "AlreadyRevealed"),
        (PALLET, "publish_shard", "ShardAlreadyPublished"),
        (PALLET, "commit_attestation", "AlreadyAttested"),
        (PALLET, "reveal_attestation", "TableAlreadyRevealed"),
        (PALLET, "answer_audits", "AlreadyAudited"),
    ];

    /// The error in [`Self::ONCE`] of this call.
    pub(super) fn done_already(&self) -> Option<&'static str> {
        let mut all = Self::ONCE.into_iter();
        let (_, _, error) =
            all.find(|(pallet, name, _)| (*pallet, *name) == (self.pallet, self.name))?;
        Some(error)
    }

    /// Whether the call begins as this program expects, if it is one that can cost stake or a bond. The metadata that a node sends
    /// may give its name to a different call.
    pub(super) fn is_encoded_as_known(&self, encoded: &[u8]) -> bool {
        match (self.pallet, self.name) {
            (PALLET, "commit_attestation") => encoded.starts_with(&COMMIT_ATTESTATION),
            (REFEREE, "open") => encoded.starts_with(&OPEN_DISPUTE),
            (REFEREE, "pick") => encoded.starts_with(&PICK_IN_DISPUTE),
            _ => true,
        }
    }

    /// The call as it stands in a transaction.
    pub fn encoded(&self, metadata: &Metadata) -> Result<Vec<u8>, ChainError> {
        let (pallet, name) = indices(metadata, self.pallet, self.name)?;
        Ok([[pallet, name].as_slice(), self.arguments.0.as_slice()].concat())
    }

    /// All of `calls` in one transaction, or none.
    pub fn batch(calls: &[Self], metadata: &Metadata) -> Result<Self, ChainError> {
        let mut arguments = Compact(calls.len() as u32).encode();
        for call in calls {
            arguments.extend(call.encoded(metadata)?);
        }
        Ok(Self {
            pallet: "Utility",
            name: "batch_all",
            arguments: Arguments(arguments),
        })
    }
}

impl Payload for Call {
    type CallData = Arguments;

    fn pallet_name(&self) -> &str {
        self.pallet
    }

    fn call_name(&self) -> &str {
        self.name
    }

    fn call_data(&self) -> &Arguments {
        &self.arguments
    }
}

impl EncodeAsFields for Arguments {
    fn encode_as_fields_to<R: TypeResolver>(
        &self,
        _fields: &mut dyn FieldIter<'_, R::TypeId>,
        _types: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), scale_encode::Error> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

/// The two bytes that a call named `call` of `pallet` starts with.
pub(super) fn indices(
    metadata: &Metadata,
    pallet: &str,
    call: &str,
) -> Result<(u8, u8), ChainError> {
    metadata
        .pallet_by_name(pallet)
        .and_then(|found| {
            let variant = found.call_variant_by_name(call)?;
            Some((found.call_index(), variant.index))
        })
        .ok_or_else(|| ChainError::incompatible(format!("call {pallet}.{call}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Decode;
    use gotong_scoring::share::Half;
    use std::collections::HashSet;

    #[test]
    fn no_two_calls_share_the_error_that_says_that_they_are_done() {
        let errors: HashSet<_> = Call::ONCE.iter().map(|(_, _, error)| error).collect();
        assert_eq!(errors.len(), Call::ONCE.len());
    }

    #[test]
    fn calls_that_can_cost_stake_are_known_without_metadata() {
        let commit = Call::commit_attestation(TaskId(1), RoundId(2), [7; 32], [8; 32]);
        assert!(commit.is_encoded_as_known(&[20, 10, 1]));
        assert!(!commit.is_encoded_as_known(&[20, 11, 1]));
        let open = Call::open_dispute(TaskId(1), RoundId(2), [7; 32], Accusation::Losses(Half::B));
        assert!(open.is_encoded_as_known(&[21, 0, 1]));
        assert!(!open.is_encoded_as_known(&[6, 0, 1]));
        let pick = Call::new(REFEREE, "pick", ());
        assert!(pick.is_encoded_as_known(&[21, 2, 1]));
        assert!(!pick.is_encoded_as_known(&[21, 1, 1]));
        assert!(Call::withdraw().is_encoded_as_known(&[1]));
    }

    #[test]
    fn golden_bytes() {
        let commit = Call::commit(TaskId(1), RoundId(2), [7; 32]);
        let mut expected = vec![1, 0, 0, 0, 2, 0, 0, 0];
        expected.extend([7; 32]);
        assert_eq!(commit.arguments.0, expected);

        let reveal = Call::reveal(TaskId(1), RoundId(2), &[5, 6], [7; 32]);
        let mut expected = vec![1, 0, 0, 0, 2, 0, 0, 0, 8, 5, 6];
        expected.extend([7; 32]);
        assert_eq!(reveal.arguments.0, expected);

        let offer = Call::offer(3, 4, true, &[TaskId(5)]);
        let expected = [3, 4, 0, 0, 0, 0, 0, 0, 0, 1, 4, 5, 0, 0, 0];
        assert_eq!(offer.arguments.0, expected);

        // Zeros are valid terms, too.
        let terms = TaskTerms::<u128>::decode(&mut &[0u8; 512][..]).unwrap();
        let opening = Call::open_task(&terms, &[1], &[2, 3], &[4, 5, 6], 7);
        let expected = [4, 1, 8, 2, 3, 12, 4, 5, 6];
        let expected = [&terms.encode()[..], &expected, &7u128.to_le_bytes()].concat();
        assert_eq!(opening.arguments.0, expected);

        let transfer = Call::transfer([3; 32], 1);
        let mut expected = vec![0];
        expected.extend([3; 32]);
        expected.push(4);
        assert_eq!(transfer.arguments.0, expected);

        let open = Call::open_dispute(TaskId(1), RoundId(2), [7; 32], Accusation::Losses(Half::B));
        let mut expected = vec![1, 0, 0, 0, 2, 0, 0, 0];
        expected.extend([7; 32]);
        expected.extend([4, 1]);
        assert_eq!((open.pallet, open.name), ("Referee", "open"));
        assert_eq!(open.arguments.0, expected);

        let pick = Call::pick_in_dispute(DisputeId(3), Pick::Nth(5));
        assert_eq!(pick.arguments.0, [3, 0, 0, 0, 0, 5, 0, 0, 0]);

        let answer = Call::answer_dispute(DisputeId(3), &Answer::Products(vec![1]));
        let expected = [&[3, 0, 0, 0, 3, 4][..], &1i128.to_le_bytes()].concat();
        assert_eq!(answer.arguments.0, expected);

        let void = ClaimItem {
            task: TaskId(1),
            round: RoundId(2),
            proof: None,
        };
        let claim = Call::claim(&[void]);
        assert_eq!(claim.arguments.0, [4, 1, 0, 0, 0, 2, 0, 0, 0, 0]);

        let publish = Call::publish_credits(TaskId(1), RoundId(2), &[]);
        assert_eq!(publish.arguments.0, [1, 0, 0, 0, 2, 0, 0, 0, 0]);

        for call in [Call::release, Call::forfeit] {
            let call = call(TaskId(1), RoundId(2));
            assert_eq!(call.arguments.0, [1, 0, 0, 0, 2, 0, 0, 0]);
        }

        let table = TableSummary {
            passes: Vec::new().into(),
            merge: None,
        };
        let reveal = Call::reveal_attestation(TaskId(1), RoundId(2), &table, [7; 32], [8; 32]);
        let start = [1, 0, 0, 0, 2, 0, 0, 0, 0, 0];
        let expected = [&start[..], &[7; 32], &[8; 32]].concat();
        assert_eq!(reveal.arguments.0, expected);
    }
}
