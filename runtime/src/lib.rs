//! The Gotong runtime: the chain's state transition function.
//!
//! Authorities make blocks with BABE and finalize them with GRANDPA. A council adds and removes authorities, which lose a bond
//! if they equivocate; it can also upgrade the runtime. The protocol itself is two pallets: [`pallet_contribution`] has tasks,
//! commitments, reveals, attestations and rewards; [`pallet_referee`] judges disputes. Everything else here is the plumbing of
//! a solo chain.
//!
//! * [`authorities`]: who makes blocks and finalizes them, and with which bond;
//! * [`governance`]: what the council may do;
//! * [`migrations`]: what an upgrade does to storage;
//! * [`configs`]: how each pallet is set up, block limits and fees;
//! * [`fees`]: who pays them;
//! * [`pace`]: the slot and the epoch length, of which there are two, each compiled to a Wasm of its own;
//! * [`timing`]: which blocks count as time;
//! * [`apis`]: what the node and its clients may ask;
//! * [`presets`]: the built-in genesis configurations.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(clippy::float_arithmetic)]
#![recursion_limit = "512"]
// What `#[frame_support::runtime]` makes at the root has no docs. All other modules deny missing docs again.
#![allow(missing_docs)]

extern crate alloc;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

/// The Wasm with the pace [`Pace::FAST`](pace::Pace::FAST): for development chains.
#[cfg(feature = "std")]
pub mod fast {
    include!(concat!(env!("OUT_DIR"), "/fast_runtime.rs"));
}

pub mod apis;
pub mod authorities;
#[cfg(feature = "runtime-benchmarks")]
mod benches;
pub mod configs;
pub mod fees;
pub mod governance;
#[cfg(test)]
mod metadata;
pub mod migrations;
pub mod pace;
pub mod presets;
#[cfg(test)]
mod test_chain;
pub mod timing;
pub mod weights;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
    generic, impl_opaque_keys,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
    MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

pub use apis::RuntimeApi;

/// A signature of any of the supported schemes.
pub type Signature = MultiSignature;
/// Identifies an account: the public key of its signatures, or a hash thereof.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How transactions identify an account.
pub type Address = MultiAddress<AccountId, ()>;
/// An amount of the native token, in its smallest unit.
pub type Balance = u128;
/// Counts the transactions of an account.
pub type Nonce = u32;
/// Counts blocks.
pub type BlockNumber = u32;
/// The hash of blocks and of state.
pub type Hash = sp_core::H256;
/// Block header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// Block, with its transactions decoded.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

/// What the node needs to know about a block: it carries transactions without decoding them, so that it keeps working when an
/// upgrade changes them.
pub mod opaque {
    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    /// A block whose transactions are bytes.
    pub type Block = sp_runtime::generic::Block<super::Header, UncheckedExtrinsic>;
}

/// Everything that a transaction carries, and is checked for, besides its call.
#[cfg(not(feature = "next"))]
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    fees::ChargeWhoCanPay,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);
#[cfg(feature = "next")]
pub use migrations::next::TxExtension;

/// A transaction as it arrives.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;

/// What the signature of a transaction covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;

/// Executes blocks: dispatches to the pallets in the right order.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// Symbol of the native token.
pub const TOKEN_SYMBOL: &str = "GTG";
/// Decimals of the native token.
pub const TOKEN_DECIMALS: u8 = 12;
/// One token.
pub const UNIT: Balance = 10u128.pow(TOKEN_DECIMALS as u32);
/// A thousandth of a token.
pub const MILLI_UNIT: Balance = UNIT / 1_000;
/// A millionth of a token.
pub const MICRO_UNIT: Balance = UNIT / 1_000_000;
/// An account below this balance is removed.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLI_UNIT;
/// The SS58 prefix of addresses: Gotong has not registered its own, so it uses the generic one.
pub const SS58_PREFIX: u16 = 42;

impl_opaque_keys! {
    /// The session keys of an authority: it makes blocks with BABE and finalizes them with GRANDPA.
    pub struct SessionKeys {
        /// The key that signs the blocks it makes.
        pub babe: Babe,
        /// The key that signs its votes for final blocks.
        pub grandpa: Grandpa,
    }
}

/// Declares [`VERSION`]. The SDK's macro puts name and version into the Wasm before anything is evaluated, so they have to be
/// literals.
macro_rules! declare_version {
    ($spec_name:tt, $spec_version:tt, $transaction_version:tt) => {
        /// The version of the runtime. `spec_version` grows with every change of behaviour,
        /// `transaction_version` with every change of how transactions are encoded. `spec_name` is that of the pace: see
        /// [`pace::Pace::spec_name`].
        #[sp_version::runtime_version]
        pub const VERSION: RuntimeVersion = RuntimeVersion {
            spec_name: Cow::Borrowed($spec_name),
            impl_name: Cow::Borrowed("gotong-node"),
            authoring_version: 1,
            spec_version: $spec_version,
            impl_version: 1,
            apis: apis::RUNTIME_API_VERSIONS,
            transaction_version: $transaction_version,
            system_version: 1,
        };
    };
}

#[cfg(not(any(feature = "fast", feature = "next")))]
declare_version!("gotong", 7, 7);
#[cfg(all(feature = "fast", not(feature = "next")))]
declare_version!("gotong-fast", 7, 7);
#[cfg(all(feature = "fast", feature = "next"))]
declare_version!("gotong-fast", 8, 8);
#[cfg(all(feature = "next", not(feature = "fast")))]
compile_error!(
    "tests build the next release at the fast pace only: give it the feature `fast`, too"
);

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Timing = crate::timing;
    #[runtime::pallet_index(2)]
    pub type Babe = pallet_babe;
    #[runtime::pallet_index(3)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(4)]
    pub type Authorship = pallet_authorship;
    #[runtime::pallet_index(5)]
    pub type Grandpa = pallet_grandpa;

    #[runtime::pallet_index(6)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(7)]
    pub type TransactionPayment = pallet_transaction_payment;

    // After Balances, from which its genesis takes the bonds, and before Session, whose genesis asks it who the first authorities
    // are.
    #[runtime::pallet_index(8)]
    pub type Authorities = crate::authorities;
    #[runtime::pallet_index(9)]
    pub type Session = pallet_session;

    #[runtime::pallet_index(10)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(11)]
    pub type Multisig = pallet_multisig;
    #[runtime::pallet_index(12)]
    pub type Proxy = pallet_proxy;
    // Holds no key, and so can do nothing, unless the genesis names one: among the presets, only `development` does.
    #[runtime::pallet_index(13)]
    pub type Sudo = pallet_sudo;
    #[runtime::pallet_index(14)]
    pub type Historical = pallet_session::historical;
    #[runtime::pallet_index(15)]
    pub type Council = pallet_collective;
    #[runtime::pallet_index(16)]
    pub type Governance = crate::governance;

    #[runtime::pallet_index(20)]
    pub type Contribution = pallet_contribution;
    #[runtime::pallet_index(21)]
    pub type Referee = pallet_referee;
}
