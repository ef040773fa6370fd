//! Byte and count limits that the chain enforces and the worker plans for.

/// Longest SCALE encoding of a task's graph.
pub const MAX_GRAPH_BYTES: u32 = 1024;
/// Longest first weights of a task: two bytes a parameter, about a million parameters.
pub const MAX_WEIGHT_BYTES: u32 = 2 << 20;
/// Longest encoded delta.
pub const MAX_DELTA_BYTES: u32 = 64 << 10;
/// Longest shard: every record of it, published in one extrinsic.
pub const MAX_SHARD_BYTES: u32 = 1 << 20;
/// Most samples in a shard: each costs the chain two hashes.
pub const MAX_SHARD_SAMPLES: u32 = 4096;
/// Most contributors that one round holds.
pub const MAX_SUBMISSIONS: u32 = 1024;
/// Most attesters drawn for one round.
pub const MAX_SEATS: u32 = 16;
/// Most shares claimed in one call.
pub const MAX_CLAIMS: u32 = 32;
/// Largest weight of one delta in the merge.
pub const MAX_MERGE_WEIGHT: u32 = 1 << 20;
/// Audits that each attester of a round answers.
pub const AUDITS: u32 = 4;
/// Most times that a round draws seats anew.
pub const MAX_REDRAWS: u8 = 3;
/// Longest record: one sample with its label. A dispute may have to show one.
pub const MAX_RECORD_BYTES: u32 = 16 << 10;
/// Longest encoded answer in a dispute.
pub const MAX_ANSWER_BYTES: u32 = 64 << 10;
