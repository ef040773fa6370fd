//! Runs what the command line asks for.

use gotong_runtime::opaque::Block;
use sc_cli::{CliConfiguration, DefaultConfigurationValues, Runner, SubstrateCli};
use sc_service::{PartialComponents, PruningMode};
use std::{env, ffi::OsString, path};

use crate::{
    cli::{Cli, Command},
    service,
};

/// Runs the node, or the command given.
pub fn run() -> sc_cli::Result<()> {
    let cli = Cli::parse_args();

    match &cli.subcommand {
        None => {
            let mut runner = runner(&cli, &cli.run)?;
            if cli.run.shared_params.is_dev() {
                // A development chain keeps the state of every block, so that all of its history can be examined.
                runner
                    .config_mut()
                    .state_pruning
                    .get_or_insert(PruningMode::ArchiveAll);
            }
            let compiled = cli.compiled_runtimes.as_deref().map(path::absolute);
            let compiled = compiled.transpose()?;
            runner.run_node_until_exit(|config| async move {
                service::new_full(config, compiled).map_err(sc_cli::Error::Service)
            })
        }
        Some(Command::Key(cmd)) => cmd.run(&cli),
        Some(Command::BuildSpec(cmd)) => {
            runner(&cli, cmd)?.sync_run(|config| cmd.run(config.chain_spec, config.network))
        }
        Some(Command::ExportChainSpec(cmd)) => cmd.run(cli.load_spec(&cmd.chain)?),
        Some(Command::CheckBlock(cmd)) => runner(&cli, cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = service::new_partial(&config, None)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Command::ExportBlocks(cmd)) => runner(&cli, cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                ..
            } = service::new_partial(&config, None)?;
            Ok((cmd.run(client, config.database), task_manager))
        }),
        Some(Command::ImportBlocks(cmd)) => runner(&cli, cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = service::new_partial(&config, None)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Command::ExportState(cmd)) => runner(&cli, cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                ..
            } = service::new_partial(&config, None)?;
            Ok((cmd.run(client, config.chain_spec), task_manager))
        }),
        Some(Command::PurgeChain(cmd)) => {
            runner(&cli, cmd)?.sync_run(|config| cmd.run(config.database))
        }
        Some(Command::Revert(cmd)) => runner(&cli, cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                backend,
                ..
            } = service::new_partial(&config, None)?;
            Ok((
                cmd.run(client, backend, Some(Box::new(service::revert_consensus))),
                task_manager,
            ))
        }),
        Some(Command::ChainInfo(cmd)) => {
            runner(&cli, cmd)?.sync_run(|config| cmd.run::<Block>(&config))
        }
        #[cfg(feature = "runtime-benchmarks")]
        Some(Command::Benchmark(crate::cli::BenchmarkCommand::Pallet(cmd))) => runner(&cli, cmd)?
            .sync_run(|config| {
                cmd.run_with_spec::<sp_runtime::traits::HashingFor<Block>, ()>(Some(
                    config.chain_spec,
                ))
            }),
    }
}

/// Builds the runner of a command. The SDK colours its log in every terminal. Here the log follows the user's wish, as the worker's
/// log does.
fn runner<Defaults: DefaultConfigurationValues>(
    cli: &Cli,
    command: &impl CliConfiguration<Defaults>,
) -> sc_cli::Result<Runner<Cli>> {
    cli.create_runner_with_logger_hook(command, |logger, _| {
        if !wants_colours(|name| env::var_os(name)) {
            logger.with_colors(false);
        }
    })
}

/// Whether the user wants colours: not if `NO_COLOR` has a value, and not with `CLICOLOR=0`.
fn wants_colours(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_off = variable("CLICOLOR").is_some_and(|value| value == "0");
    !(is_refused || is_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_follows_no_color_and_clicolor() {
        let wanted = |name: &'static str, value: &'static str| {
            wants_colours(move |asked| (asked == name).then(|| value.into()))
        };
        assert!(wants_colours(|_| None));
        assert!(!wanted("NO_COLOR", "1") && wanted("NO_COLOR", ""));
        assert!(!wanted("CLICOLOR", "0") && wanted("CLICOLOR", "1"));
    }
}
