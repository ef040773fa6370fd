//! The chain as the worker sees it, through its live metadata only: [`Client`] submits calls and follows blocks, [`Moment`] asks
//! questions at one block, and [`Body`](body::Body) finds payloads in a block. [`Nodes`] decides which node to connect to, and
//! [`proof`] which one to believe.

mod blocks;
pub mod body;
mod call;
mod client;
mod error;
mod finalized;
#[cfg(test)]
pub(crate) mod mock;
mod moment;
mod nodes;
pub mod proof;
mod submit;

pub use blocks::Blocks;
pub use call::Call;
pub use client::Client;
pub use error::ChainError;
pub use moment::{Balance, Moment};
pub use nodes::{Nodes, ProofWait};
pub use proof::{Grounds, ProofError};
pub use submit::{Inclusion, Receipt};

/// An account: its public key.
pub type Account = [u8; 32];
/// An account's secret.
pub type Keypair = subxt_signer::sr25519::Keypair;

/// Name of the protocol's pallet in the runtime.
const PALLET: &str = "Contribution";
/// Name of the pallet that judges disputes.
const REFEREE: &str = "Referee";
/// What subxt needs to know about the chain: the SDK's defaults.
type Config = subxt::SubstrateConfig;
