//! Puts the node together: client, transaction pool, network, consensus and RPC.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::FutureExt;
use gotong_runtime::{configs::MAX_BLOCK_LENGTH, opaque::Block, BlockNumber, Hash, RuntimeApi};
use sc_basic_authorship::ProposerFactory;
use sc_client_api::{Backend, BlockBackend};
use sc_consensus_babe::{BabeBlockImport, BabeLink, BabeWorkerHandle, SlotProportion};
use sc_consensus_grandpa::{FinalityProofProvider, GrandpaBlockImport, LinkHalf, SharedVoterState};
use sc_executor::{HeapAllocStrategy, DEFAULT_HEAP_ALLOC_STRATEGY};
use sc_network::{
    config::{FullNetworkConfiguration, NetworkBackendType},
    service::{traits::NetworkService, NotificationMetrics},
    Litep2pNetworkBackend, NetworkBackend, NotificationService, ProtocolName,
};
use sc_service::{
    config::{ExecutorConfiguration, PrometheusConfig},
    Configuration, Error as ServiceError, TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_babe::{
    inherents::{BabeCreateInherentDataProviders, InherentDataProvider},
    SlotDuration,
};
use sp_keystore::KeystorePtr;

use crate::{room, rpc};

/// Executes the runtime's Wasm.
type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// The chain as this node knows it.
pub type FullClient = sc_service::TFullClient<Block, RuntimeApi, Executor>;
/// Chooses among forks: the longest wins, GRANDPA permitting.
pub type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
/// The transactions that wait for a block.
pub type FullPool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;

/// The network: the SDK has two implementations, and this is the one that it prefers.
type Network = Litep2pNetworkBackend;
type NetworkConfiguration = FullNetworkConfiguration<Block, Hash, Network>;
type Grandpa = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
type Babe = BabeBlockImport<
    Block,
    FullClient,
    Grandpa,
    BabeCreateInherentDataProviders<Block>,
    FullSelectChain,
>;

/// GRANDPA keeps a justification at least once in this many blocks; warp sync follows them.
const JUSTIFICATION_PERIOD: BlockNumber = 512;

/// The part of the consensus machinery that is built with the client and used by the full node.
pub struct Consensus {
    block_import: Babe,
    babe_link: BabeLink<Block>,
    babe_worker: BabeWorkerHandle<Block>,
    grandpa_link: LinkHalf<Block, FullClient, FullSelectChain>,
    inherents: BabeCreateInherentDataProviders<Block>,
    telemetry: Option<Telemetry>,
}

/// The node without network and authoring: what commands on the database work with.
pub type PartialComponents = sc_service::PartialComponents<
    FullClient,
    FullBackend,
    FullSelectChain,
    sc_consensus::DefaultImportQueue<Block>,
    FullPool,
    Consensus,
>;

/// Opens the database and builds the parts that use it. Keeps compiled runtimes in the folder `compiled`.
pub fn new_partial(
    config: &Configuration,
    compiled: Option<PathBuf>,
) -> Result<PartialComponents, ServiceError> {
    room::check(config.base_path.path())?;
    let (telemetry_worker, telemetry) = open_telemetry(config)?.unzip();
    let telemetry_handle = telemetry.as_ref().map(Telemetry::handle);

    let (client, backend, keystore_container, task_manager) =
        sc_service::new_full_parts::<Block, RuntimeApi, Executor>(
            config,
            telemetry_handle.clone(),
            executor(&config.executor, compiled),
            Vec::new(),
        )?;
    let client = Arc::new(client);
    if let Some(worker) = telemetry_worker {
        task_manager
            .spawn_handle()
            .spawn("telemetry", None, worker.run());
    }

    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let transaction_pool = Arc::new(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    let (grandpa_block_import, grandpa_link) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        telemetry_handle.clone(),
    )?;
    let babe_config = sc_consensus_babe::configuration(&*client)?;
    let inherents = inherents(babe_config.slot_duration());
    let (block_import, babe_link) = sc_consensus_babe::block_import(
        babe_config,
        grandpa_block_import.clone(),
        client.clone(),
        inherents.clone(),
        select_chain.clone(),
        OffchainTransactionPoolFactory::new(transaction_pool.clone()),
    )?;
    let (import_queue, babe_worker) =
        sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
            link: babe_link.clone(),
            block_import: block_import.clone(),
            justification_import: Some(Box::new(grandpa_block_import)),
            client: client.clone(),
            slot_duration: babe_link.config().slot_duration(),
            spawner: &task_manager.spawn_essential_handle(),
            registry: config.prometheus_registry(),
            telemetry: telemetry_handle,
        })?;

    Ok(PartialComponents {
        client,
        backend,
        task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: Consensus {
            block_import,
            babe_link,
            babe_worker,
            grandpa_link,
            inherents,
            telemetry,
        },
    })
}

/// The executor of runtimes. It has the settings of the SDK's own executor, which cannot keep compiled runtimes in a folder.
fn executor(config: &ExecutorConfiguration, compiled: Option<PathBuf>) -> Executor {
    let pages = config.default_heap_pages;
    let heap = pages.map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| {
        HeapAllocStrategy::Static {
            extra_pages: u32::try_from(pages).unwrap_or(u32::MAX),
        }
    });
    let builder = Executor::builder()
        .with_execution_method(config.wasm_method)
        .with_onchain_heap_alloc_strategy(heap)
        .with_offchain_heap_alloc_strategy(heap)
        .with_max_runtime_instances(config.max_runtime_instances)
        .with_runtime_cache_size(config.runtime_cache_size);
    let builder = match compiled {
        Some(folder) => builder.with_cache_path(folder),
        None => builder,
    };
    builder.build()
}

fn open_telemetry(
    config: &Configuration,
) -> Result<Option<(TelemetryWorker, Telemetry)>, sc_telemetry::Error> {
    let endpoints = match &config.telemetry_endpoints {
        Some(endpoints) if !endpoints.is_empty() => endpoints.clone(),
        _ => return Ok(None),
    };
    let worker = TelemetryWorker::new(16)?;
    let telemetry = worker.handle().new_telemetry(endpoints);
    Ok(Some((worker, telemetry)))
}

/// What the author of a block tells the runtime: the time, and the slot of that time.
fn inherents(slot_duration: SlotDuration) -> BabeCreateInherentDataProviders<Block> {
    Arc::new(move |_, ()| async move {
        let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
        let slot =
            InherentDataProvider::from_timestamp_and_slot_duration(*timestamp, slot_duration);
        Ok((slot, timestamp))
    })
}

/// Reverts what consensus recorded about the last blocks, before the blocks themselves are reverted.
pub fn revert_consensus(
    client: Arc<FullClient>,
    backend: Arc<FullBackend>,
    blocks: BlockNumber,
) -> sc_cli::Result<()> {
    sc_consensus_babe::revert(client.clone(), backend, blocks)?;
    sc_consensus_grandpa::revert(client, blocks)?;
    Ok(())
}

/// What the parts of a running node share.
struct Node {
    client: Arc<FullClient>,
    backend: Arc<FullBackend>,
    pool: Arc<FullPool>,
    select_chain: FullSelectChain,
    keystore: KeystorePtr,
    prometheus: Option<PrometheusConfig>,
    telemetry: Option<TelemetryHandle>,
}

/// Starts a node, which lives as long as the task manager. It keeps compiled runtimes in the folder `compiled`.
pub fn new_full(
    config: Configuration,
    compiled: Option<PathBuf>,
) -> Result<TaskManager, ServiceError> {
    let PartialComponents {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool: pool,
        other: mut consensus,
    } = new_partial(&config, compiled)?;
    let node = Node {
        client,
        backend,
        pool,
        select_chain,
        keystore: keystore_container.keystore(),
        prometheus: config.prometheus_config.clone(),
        telemetry: consensus.telemetry.as_ref().map(Telemetry::handle),
    };

    let (net_config, metrics, grandpa_network) = configure_network(&config, &node)?;
    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        node.backend.clone(),
        consensus.grandpa_link.shared_authority_set().clone(),
        Vec::new(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: node.client.clone(),
            transaction_pool: node.pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    if config.offchain_worker.enabled {
        run_offchain_workers(
            &node,
            config.role.is_authority(),
            network.clone(),
            &task_manager,
        )?;
    }

    let authors = config.role.is_authority();
    let force_authoring = config.force_authoring;
    let grandpa_config = (!config.disable_grandpa).then(|| sc_consensus_grandpa::Config {
        gossip_duration: Duration::from_millis(333),
        justification_generation_period: JUSTIFICATION_PERIOD,
        observer_enabled: false,
        local_role: config.role,
        name: Some(config.network.node_name.clone()),
        // Only an authority votes; others follow.
        keystore: authors.then(|| node.keystore.clone()),
        telemetry: node.telemetry.clone(),
        protocol_name: grandpa_network.protocol,
    });
    let voter_state = SharedVoterState::empty();
    let rpc_deps = rpc_deps(&node, &consensus, voter_state.clone());

    // This also puts the keys of `--dev` and its like into the keystore, where GRANDPA's voter
    // looks for its own when it starts.
    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        config,
        client: node.client.clone(),
        backend: node.backend.clone(),
        task_manager: &mut task_manager,
        keystore: node.keystore.clone(),
        transaction_pool: node.pool.clone(),
        rpc_builder: Box::new(move |executor| {
            rpc::create(rpc_deps.clone(), executor).map_err(Into::into)
        }),
        network: network.clone(),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync_service.clone(),
        telemetry: consensus.telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if authors {
        let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
            keystore: node.keystore.clone(),
            client: node.client.clone(),
            select_chain: node.select_chain.clone(),
            env: proposer(&node, &task_manager),
            block_import: consensus.block_import,
            sync_oracle: sync_service.clone(),
            justification_sync_link: sync_service.clone(),
            create_inherent_data_providers: consensus.inherents,
            force_authoring,
            backoff_authoring_blocks: None::<()>,
            babe_link: consensus.babe_link,
            block_proposal_slot_portion: SlotProportion::new(2f32 / 3f32),
            max_block_proposal_slot_portion: None,
            telemetry: node.telemetry.clone(),
        })?;
        // Essential: an authority that cannot make blocks should stop, not pretend to run.
        task_manager.spawn_essential_handle().spawn_blocking(
            "babe-proposer",
            Some("block-authoring"),
            babe,
        );
    }

    if let Some(config) = grandpa_config {
        let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
            config,
            link: consensus.grandpa_link,
            network,
            sync: sync_service,
            notification_service: grandpa_network.notifications,
            voting_rule: sc_consensus_grandpa::VotingRulesBuilder::default().build(),
            prometheus_registry: node.prometheus.map(|prometheus| prometheus.registry),
            shared_voter_state: voter_state,
            telemetry: node.telemetry,
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(node.pool),
        })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("grandpa-voter", None, voter);
    }

    Ok(task_manager)
}

/// GRANDPA's own protocol on the network.
struct GrandpaNetwork {
    protocol: ProtocolName,
    notifications: Box<dyn NotificationService>,
}

fn configure_network(
    config: &Configuration,
    node: &Node,
) -> Result<(NetworkConfiguration, NotificationMetrics, GrandpaNetwork), ServiceError> {
    if !matches!(config.network.network_backend, NetworkBackendType::Litep2p) {
        return Err(ServiceError::Other(
            "this node supports only the litep2p network: start it without --network-backend, or with litep2p".into(),
        ));
    }
    let registry = config.prometheus_registry();
    let metrics = <Network as NetworkBackend<Block, Hash>>::register_notification_metrics(registry);
    let mut net_config = FullNetworkConfiguration::new(&config.network, registry.cloned());

    let genesis_hash = node
        .client
        .block_hash(0)?
        .ok_or_else(|| ServiceError::Other("the database has no genesis block".into()))?;
    let protocol = sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
    let (protocol_config, notifications) =
        sc_consensus_grandpa::grandpa_peers_set_config::<Block, Network>(
            protocol.clone(),
            metrics.clone(),
            net_config.peer_store_handle(),
        );
    // If nobody keeps a protocol's handle, the protocol breaks every connection.
    if !config.disable_grandpa {
        net_config.add_notification_protocol(protocol_config);
    }

    Ok((
        net_config,
        metrics,
        GrandpaNetwork {
            protocol,
            notifications,
        },
    ))
}

/// Runs the runtime's own off-chain workers, in case a pallet has one. They get no HTTP: whatever needs the outside world is the
/// job of Gotong's off-chain worker, which is a separate program.
fn run_offchain_workers(
    node: &Node,
    is_validator: bool,
    network: Arc<dyn NetworkService>,
    task_manager: &TaskManager,
) -> Result<(), ServiceError> {
    let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
        runtime_api_provider: node.client.clone(),
        is_validator,
        keystore: Some(node.keystore.clone()),
        offchain_db: node.backend.offchain_storage(),
        transaction_pool: Some(OffchainTransactionPoolFactory::new(node.pool.clone())),
        network_provider: Arc::new(network),
        enable_http_requests: false,
        custom_extensions: |_| Vec::new(),
    })?;
    task_manager.spawn_handle().spawn(
        "offchain-workers-runner",
        Some("offchain-worker"),
        workers
            .run(node.client.clone(), task_manager.spawn_handle())
            .boxed(),
    );
    Ok(())
}

fn rpc_deps(node: &Node, consensus: &Consensus, voter_state: SharedVoterState) -> rpc::Deps {
    let authority_set = consensus.grandpa_link.shared_authority_set().clone();
    rpc::Deps {
        client: node.client.clone(),
        pool: node.pool.clone(),
        select_chain: node.select_chain.clone(),
        keystore: node.keystore.clone(),
        babe_worker: consensus.babe_worker.clone(),
        voter_state,
        authority_set: authority_set.clone(),
        justification_stream: consensus.grandpa_link.justification_stream(),
        finality_proofs: FinalityProofProvider::new_for_service(
            node.backend.clone(),
            Some(authority_set),
        ),
    }
}

/// Fills blocks with transactions from the pool.
fn proposer(node: &Node, task_manager: &TaskManager) -> ProposerFactory<FullPool, FullClient> {
    let mut proposer = ProposerFactory::new(
        task_manager.spawn_handle(),
        node.client.clone(),
        node.pool.clone(),
        node.prometheus
            .as_ref()
            .map(|prometheus| &prometheus.registry),
        node.telemetry.clone(),
    );
    // By default it stops at 4 MiB, less than the runtime allows.
    proposer.set_default_block_size_limit(MAX_BLOCK_LENGTH as usize);
    proposer
}
