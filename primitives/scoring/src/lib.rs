//! The exact machine of Gotong: what a score *is*.
//!
//! Everything here is integer arithmetic with proven bounds, so a chain in Wasm, a worker on a
//! CPU and a worker on a GPU that follow the same definition get the same bits. `no_std`, no
//! floats, no I/O.
//!
//! | module | what it defines |
//! | --- | --- |
//! | [`arith`] | rounding shifts, rounding division, clamps |
//! | [`graph`] | an architecture as data: a list of [`Op`]s, validated once |
//! | [`op`] | the ops, one file per family, with everything about each of them; [`lut`] holds their tables |
//! | [`Transformer`] | the shape of a language model, from which a [`Graph`] is made |
//! | [`Cnn`] | the shape of a convolutional network, from which a graph is made, too; [`Image`] and [`Window`] are its parts |
//! | [`gradient`] | which way each weight would have to move: one exact backward pass |
//! | [`weights`] | the canonical 16-bit master weights and their Merkle root |
//! | [`machine`] | a graph on one sample, op by op |
//! | [`memory`] | the most memory that a sample takes at any one time |
//! | [`evaluator`] | samples, the [`Evaluator`] trait and the [`Reference`] that defines it |
//! | [`delta`] | a sparse change to the master weights and its only encoding |
//! | [`merkle`] | one tree, plain or summing |
//! | [`shard`] | held-out samples, sealed until a round needs them |
//! | [`hold_out`] | which samples score a round: a shard, or some of a public pool |
//! | [`merge`] | clipping, the weighted merge |
//! | [`losses`] | the tree over the losses of an evaluation |
//! | [`share`] | a whole round: which deltas are merged, what each is credited, what an account has proved; its table, claim, audits and disputes |
//! | [`trial`] | a dispute about one sample's loss, or a word of a gradient, and the referee of the last step |
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::panic,
    clippy::unreachable
)]

extern crate alloc;

pub mod arith;
mod cnn;
pub mod delta;
pub mod evaluator;
pub mod gradient;
pub mod graph;
mod hash;
pub mod hold_out;
pub mod losses;
pub mod lut;
pub mod machine;
pub mod memory;
pub mod merge;
pub mod merkle;
pub mod op;
mod paired;
pub mod shard;
pub mod share;
mod transformer;
pub mod trial;
pub mod weights;

pub use cnn::{Cnn, Convolution, Pool};
pub use delta::{Delta, DeltaError, Entry};
pub use evaluator::{predict, EvalError, Evaluator, Reference, Samples, SamplesError};
pub use graph::{Flow, Graph, GraphError, Kind};
pub use hash::{blake2_256, Hash};
pub use hold_out::{draw, pool_tree, HoldOut, RoundSamples};
pub use merkle::{Node, Proof, SumNode, SumProof, SumTree, Tree};
pub use op::window::{Image, Window, MAX_POOL_SPAN};
pub use op::{Op, Width};
pub use shard::{seal_leaf, shard_root, shards_root, ShardError};
pub use share::{
    audits, can_decide, work_root, Audit, AuditAnswer, AuditError, Audited, Credit, CreditError,
    CreditProof, EntrantRecord, Ledger, MergedGain, ProvedCredit, RoundFacts, ScoreError,
    ShareClaim, ShareTable, ShareTerms, TableSummary,
};
pub use transformer::Transformer;
pub use weights::{MasterWeights, WeightsError};

/// Master weights in a leaf of their tree.
pub const WEIGHT_TILE: usize = 512;
/// Parameters in a chunk: the unit of delta encoding and of its magnitudes.
pub const CHUNK: usize = 4096;
