//! The JSON-RPC methods that this node adds to those of `sc_service`.

use std::sync::Arc;

use gotong_runtime::{opaque::Block, BlockNumber, Hash};
use jsonrpsee::RpcModule;
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{
    FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sp_keystore::KeystorePtr;
use substrate_frame_rpc_system::{System, SystemApiServer};

use crate::service::{FullBackend, FullClient, FullPool, FullSelectChain};

/// What the methods work with.
#[derive(Clone)]
pub struct Deps {
    pub client: Arc<FullClient>,
    pub pool: Arc<FullPool>,
    pub select_chain: FullSelectChain,
    pub keystore: KeystorePtr,
    pub babe_worker: BabeWorkerHandle<Block>,
    pub voter_state: SharedVoterState,
    pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
    pub justification_stream: GrandpaJustificationStream<Block>,
    pub finality_proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// Builds the methods.
pub fn create(
    deps: Deps,
    executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
    let mut module = RpcModule::new(());
    module.merge(System::new(deps.client.clone(), deps.pool).into_rpc())?;
    module.merge(TransactionPayment::new(deps.client.clone()).into_rpc())?;
    module.merge(
        Babe::new(
            deps.client,
            deps.babe_worker,
            deps.keystore,
            deps.select_chain,
        )
        .into_rpc(),
    )?;
    module.merge(
        Grandpa::new(
            executor,
            deps.authority_set,
            deps.voter_state,
            deps.justification_stream,
            deps.finality_proofs,
        )
        .into_rpc(),
    )?;
    Ok(module)
}
