//! Byte and count limits that the chain enforces and the worker plans for.

/// Longest SCALE encoding of a task's graph.
pub const MAX_GRAPH_BYTES: u32 = 4096;
/// Longest first weights of a task: two bytes per parameter, about a million parameters.
pub const MAX_WEIGHT_BYTES: u32 = 2 << 20;
/// Longest recipe of a task.
pub const MAX_RECIPE_BYTES: u32 = 64 << 10;
/// Longest encoded delta that a task may allow: its reveal fits into a nearly full block of a chain with one block per second.
pub const MAX_DELTA_BYTES: u32 = 192 << 10;
/// A task may always allow deltas of this length, whatever its model.
pub const USUAL_DELTA_BYTES: u32 = 64 << 10;
/// Shortest limit that a task may set for its deltas.
pub const MIN_DELTA_BYTES: u32 = 4 << 10;
/// Most bytes of all deltas of a round together: blocks carry them, and attesters hold them in memory.
pub const MAX_ROUND_DELTA_BYTES: u32 = 64 << 20;
/// Longest shard: every record of it, published in one extrinsic.
pub const MAX_SHARD_BYTES: u32 = 1 << 20;
/// Fewest samples of a round.
pub const MIN_SAMPLES: u32 = 64;
/// Most samples in a shard: the chain computes two hashes for each.
pub const MAX_SHARD_SAMPLES: u32 = 4096;
/// Most records in a pool that samples are drawn from: a dispute shows 24 hashes of it with a record.
pub const MAX_POOL_RECORDS: u32 = 1 << 24;
/// Fewest records in a pool for each sample that a round draws. So one round shows at most a sixteenth of the pool, and
/// whoever learns its samples by heart knows little about those of later rounds. How many more records keep a model from
/// memorising the pool, only its sponsor can know.
pub const MIN_RECORDS_PER_SAMPLE: u32 = 16;
/// What a slow processor can evaluate in a block of one second, in products ([`crate::Graph::cost`]).
pub const COST_PER_BLOCK: u64 = 1 << 34;
/// The number of products for which attesters are paid [`crate::TaskTerms::work_fee`].
pub const WORK_UNIT: u64 = 1 << 30;
/// How many evaluations of all samples have to fit into the attestation window. Base and merge take two; the gradients of
/// eight passes and of the pay, each over half of the samples, take 22.5.
pub const EVALUATIONS: u64 = 25;
/// About what the gradient of some samples costs, in evaluations of the same samples.
pub const COST_OF_GRADIENT: u64 = 5;
/// Number of groups of samples; a gradient is computed for each group.
pub const GROUPS: u64 = gotong_scoring::share::GROUPS as u64;
/// Most gradients that each delta of a round is multiplied with: those of all groups, in eight passes and for the pay.
pub const GRADIENTS: u64 = GROUPS * 9;
/// What a product of a gradient and a delta costs, in products of an evaluation: it has 128 bits, and is out of order.
pub const COST_OF_PRODUCT: u64 = 8;
/// Most contributors in one round, if its deltas are short ([`crate::TaskTerms::places`]).
pub const MAX_SUBMISSIONS: u32 = 1024;
/// Most attesters drawn for one round, including those who replace others.
pub const MAX_SEATS: u32 = 16;
/// Most attesters that a task may ask for: the other half of a round's places is left for replacements.
pub const MAX_TASK_SEATS: u32 = MAX_SEATS / 2;
/// Highest price of a millibit, in planck: the pay for the largest ledger fits into 128 bits.
pub const MAX_PRICE: u128 = 1 << 76;
/// Lowest cap of a round, in planck: pay is rounded for each of [`MAX_SUBMISSIONS`].
pub const MIN_CAP: u128 = 4096;
/// Number of rounds that a proven contributor may leave unclaimed without losing that status.
pub const CLAIM_ROUNDS: u32 = 2;
/// Most rounds claimed in one call.
pub const MAX_CLAIMS: u32 = 32;
/// Most credits published in one call.
pub const MAX_PUBLISHED: u32 = 32;
/// Most places that a page of a view looks at. Each place gives at most one item, or two for an account's duties.
pub const MAX_PAGE: u32 = 256;
/// Number of audits that each attester of a round has to answer.
pub const AUDITS: u32 = 4;
/// Most tasks that an attester may name in its offer.
pub const MAX_OFFERED_TASKS: u32 = 16;
/// Most times that a round draws seats again.
pub const MAX_REDRAWS: u8 = 3;
/// Longest record, which is one sample with its label. A dispute may have to show one.
pub const MAX_RECORD_BYTES: u32 = 16 << 10;
/// Longest encoded answer in a dispute.
pub const MAX_ANSWER_BYTES: u32 = 64 << 10;
