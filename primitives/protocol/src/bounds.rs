//! Byte and count limits that the chain enforces and the worker plans for.

/// Longest SCALE encoding of a task's graph.
pub const MAX_GRAPH_BYTES: u32 = 4096;
/// Longest first weights of a task: two bytes a parameter, about a million parameters.
pub const MAX_WEIGHT_BYTES: u32 = 2 << 20;
/// Longest recipe of a task.
pub const MAX_RECIPE_BYTES: u32 = 64 << 10;
/// Longest encoded delta that a task may take: its reveal fits into a nearly full block of a chain with a block a second.
pub const MAX_DELTA_BYTES: u32 = 192 << 10;
/// Deltas may be so long whatever the model.
pub const USUAL_DELTA_BYTES: u32 = 64 << 10;
/// Shortest limit that a task may set for its deltas.
pub const MIN_DELTA_BYTES: u32 = 4 << 10;
/// Most bytes of a round's deltas together: blocks carry them, and attesters hold them in memory.
pub const MAX_ROUND_DELTA_BYTES: u32 = 64 << 20;
/// Longest shard: every record of it, published in one extrinsic.
pub const MAX_SHARD_BYTES: u32 = 1 << 20;
/// Least samples of a round.
pub const MIN_SAMPLES: u32 = 64;
/// Most samples in a shard: each costs the chain two hashes.
pub const MAX_SHARD_SAMPLES: u32 = 4096;
/// Most records in a pool that samples are drawn from: a dispute shows 24 hashes of it with a record.
pub const MAX_POOL_RECORDS: u32 = 1 << 24;
/// Least records in a pool for each sample that a round draws. One round then shows a sixteenth of
/// what may be asked at most, and who learns by heart what was asked knows little of what will be.
/// How many more it takes for a model not to memorise the pool, only its sponsor can know.
pub const MIN_RECORDS_PER_SAMPLE: u32 = 16;
/// What a slow processor evaluates in a block of a second, in products ([`crate::Graph::cost`]).
pub const COST_PER_BLOCK: u64 = 1 << 34;
/// Products that attesters are paid [`crate::TaskTerms::work_fee`] for.
pub const WORK_UNIT: u64 = 1 << 30;
/// Evaluations of all samples that fit the window for them. Base and merge are two; the gradients of eight passes and of
/// the pay, each of half of the samples, are 22.5.
pub const EVALUATIONS: u64 = 25;
/// What the gradient of some samples costs at about, in evaluations of them.
pub const COST_OF_GRADIENT: u64 = 5;
/// Groups of samples that a gradient is computed for, each by itself.
pub const GROUPS: u64 = gotong_scoring::share::GROUPS as u64;
/// Gradients that every delta of a round is multiplied with at most: of all groups, in eight passes and for the pay.
pub const GRADIENTS: u64 = GROUPS * 9;
/// What a product of a gradient and a delta costs, in products of an evaluation: it is of 128 bits, and out of order.
pub const COST_OF_PRODUCT: u64 = 8;
/// Most contributors that one round holds, if its deltas are short ([`crate::TaskTerms::places`]).
pub const MAX_SUBMISSIONS: u32 = 1024;
/// Most attesters drawn for one round, together with those who come for others that were put out.
pub const MAX_SEATS: u32 = 16;
/// Most attesters that a task may ask for: as many places of a round are left for those who come for others.
pub const MAX_TASK_SEATS: u32 = MAX_SEATS / 2;
/// Dearest millibit, in planck: pay for the largest ledger fits 128 bits.
pub const MAX_PRICE: u128 = 1 << 76;
/// Least cap of a round, in planck: pay is rounded for each of [`MAX_SUBMISSIONS`].
pub const MIN_CAP: u128 = 4096;
/// Rounds that may pass before a contributor claims, and counts as proven all the same.
pub const CLAIM_ROUNDS: u32 = 2;
/// Most rounds claimed in one call.
pub const MAX_CLAIMS: u32 = 32;
/// Most credits published in one call.
pub const MAX_PUBLISHED: u32 = 32;
/// Most places that a page of a view looks at. Each has at most one item, and of an account's duties two.
pub const MAX_PAGE: u32 = 256;
/// Audits that each attester of a round answers.
pub const AUDITS: u32 = 4;
/// Most tasks that an attester names in its offer.
pub const MAX_OFFERED_TASKS: u32 = 16;
/// Most times that a round draws seats anew.
pub const MAX_REDRAWS: u8 = 3;
/// Longest record: one sample with its label. A dispute may have to show one.
pub const MAX_RECORD_BYTES: u32 = 16 << 10;
/// Longest encoded answer in a dispute.
pub const MAX_ANSWER_BYTES: u32 = 64 << 10;
