//! Carries out what the command line asks for.

use gotong_runtime::opaque::Block;
use sc_cli::SubstrateCli;
use sc_service::{PartialComponents, PruningMode};

use crate::{
    cli::{Cli, Command},
    service,
};

/// Runs the node, or the command given.
pub fn run() -> sc_cli::Result<()> {
    let cli = Cli::parse_args();

    match &cli.subcommand {
        None => {
            let mut runner = cli.create_runner(&cli.run)?;
            if cli.run.shared_params.is_dev() {
                // A development chain keeps every state, so that any moment of it can be examined.
                runner
                    .config_mut()
                    .state_pruning
                    .get_or_insert(PruningMode::ArchiveAll);
            }
            runner.run_node_until_exit(|config| async move {
                service::new_full(config).map_err(sc_cli::Error::Service)
            })
        }
        Some(Command::Key(cmd)) => cmd.run(&cli),
        Some(Command::BuildSpec(cmd)) => cli
            .create_runner(cmd)?
            .sync_run(|config| cmd.run(config.chain_spec, config.network)),
        Some(Command::ExportChainSpec(cmd)) => cmd.run(cli.load_spec(&cmd.chain)?),
        Some(Command::CheckBlock(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Command::ExportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, config.database), task_manager))
        }),
        Some(Command::ImportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Command::ExportState(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, config.chain_spec), task_manager))
        }),
        Some(Command::PurgeChain(cmd)) => cli
            .create_runner(cmd)?
            .sync_run(|config| cmd.run(config.database)),
        Some(Command::Revert(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                backend,
                ..
            } = service::new_partial(&config)?;
            Ok((
                cmd.run(client, backend, Some(Box::new(service::revert_consensus))),
                task_manager,
            ))
        }),
        Some(Command::ChainInfo(cmd)) => cli
            .create_runner(cmd)?
            .sync_run(|config| cmd.run::<Block>(&config)),
        #[cfg(feature = "runtime-benchmarks")]
        Some(Command::Benchmark(crate::cli::BenchmarkCommand::Pallet(cmd))) => {
            cli.create_runner(cmd)?.sync_run(|config| {
                cmd.run_with_spec::<sp_runtime::traits::HashingFor<Block>, ()>(Some(
                    config.chain_spec,
                ))
            })
        }
    }
}
