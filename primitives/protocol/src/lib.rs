//! The types that chain and worker share.
//!
//! Ids, roles, the terms of a task, the commitments that hide a submission until it is revealed,
//! the round clock as a pure state machine, the exact arithmetic of pay, and the views that the
//! chain answers questions with. No FRAME, no I/O, no floats.
//!
//! Units: money is in planck (10^12 planck = 1 GTG), time in blocks, an improvement in Q16 bits
//! summed over the samples of a round.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::panic,
    clippy::unreachable
)]

extern crate alloc;

pub mod bounds;
pub mod claim;
pub mod clock;
pub mod commitment;
pub mod court;
pub mod dispute;
pub mod id;
pub mod pay;
pub mod role;
pub mod stored;
pub mod task;
pub mod view;

pub use claim::ClaimItem;
pub use clock::{
    may_reveal, next_phase, shard_is_due, Agreement, Facts, Outcome, Phase, SeatState, ShardState,
    Transition, Windows,
};
pub use commitment::{attestation_commitment, round_inputs, submission_commitment};
pub use court::Court;
pub use gotong_scoring::{
    Audit, AuditAnswer, Credit, CreditProof, Delta, EntrantRecord, Graph, Hash, Ledger, Proof,
    RoundFacts, ShareClaim, ShareTerms, TableSummary,
};
pub use id::{RoundId, TaskId};
pub use role::Roles;
pub use task::{HoldOutTerms, TaskName, TaskState, TaskTerms, TermsError};
