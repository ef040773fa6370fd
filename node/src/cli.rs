//! The command line.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use sc_cli::{RunCmd, SubstrateCli};
use std::path::PathBuf;

use crate::chain_spec;

/// The maximum size of JSON-RPC requests and responses, in MiB. A full block of 10 MiB takes 20 MiB in hexadecimal JSON, so the
/// SDK's default of 15 would not even let a client read one.
const RPC_MESSAGE_MIB: &str = "32";

/// The size of the transaction pool, in KiB. A tenth of it, 16 MiB, is for transactions that wait for an earlier one of the same
/// sender: 80 of the longest reveals. All reveals of a round take 64 MiB, but each is its sender's next transaction, so they do not
/// count towards that tenth.
const POOL_KIB: &str = "163840";

/// The maximum number of connections at the same time; each daemon holds one. The SDK's default of 100 would not be enough for
/// the workers of one task. Each connection may have 1,024 subscriptions, the SDK's default: a daemon has one for blocks, and
/// a few for its pending transaction.
const RPC_CONNECTIONS: &str = "2048";

/// The RPC methods that are served, except on a development chain: none that change the node, its keys or its peers. A web page
/// with an allowed origin, open in a browser on the node's machine, can call whatever a program can, so these methods must be
/// harmless.
const RPC_METHODS: &str = "safe";
/// The RPC methods on a development chain: all of them on the loopback interface.
const RPC_METHODS_OF_DEV: &str = "auto";

/// The arguments of `gotong-node`.
#[derive(Debug, Parser)]
pub struct Cli {
    /// What to do instead of running a node.
    #[command(subcommand)]
    pub subcommand: Option<Command>,

    /// Keep compiled runtimes in this folder, so that later starts need not compile them. Several nodes may share it. Anybody who
    /// can write to the folder can make these nodes run any code.
    #[arg(long, value_name = "PATH")]
    pub compiled_runtimes: Option<PathBuf>,

    /// How to run a node.
    #[command(flatten)]
    pub run: RunCmd,
}

impl Cli {
    /// Parses the arguments of this process, with Gotong's defaults in place of the SDK's.
    pub fn parse_args() -> Self {
        let matches = Self::with_defaults().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    fn with_defaults() -> clap::Command {
        Self::setup_command(Self::command())
            .mut_arg("rpc_max_request_size", |arg| {
                arg.default_value(RPC_MESSAGE_MIB)
            })
            .mut_arg("rpc_max_response_size", |arg| {
                arg.default_value(RPC_MESSAGE_MIB)
            })
            .mut_arg("rpc_max_connections", |arg| {
                arg.default_value(RPC_CONNECTIONS)
            })
            .mut_arg("rpc_methods", |arg| {
                arg.default_value(RPC_METHODS)
                    .default_value_if("dev", "true", RPC_METHODS_OF_DEV)
            })
            .mut_arg("pool_kbytes", |arg| arg.default_value(POOL_KIB))
    }
}

/// The commands besides running a node.
// There is only one value per process, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate, inspect and insert keys.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Build a chain specification.
    BuildSpec(sc_cli::BuildSpecCmd),

    /// Export a chain specification, plain or raw.
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Validate a block in the database again.
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Export blocks to a file or standard output.
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Import blocks from a file or standard input.
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Export the state of a block into a chain specification.
    ExportState(sc_cli::ExportStateCmd),

    /// Delete the chain's database.
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Revert the chain to an earlier block.
    Revert(sc_cli::RevertCmd),

    /// Show the best and the finalized block in the database.
    ChainInfo(sc_cli::ChainInfoCmd),

    /// Measure the weights of the runtime's calls.
    #[cfg(feature = "runtime-benchmarks")]
    #[command(subcommand)]
    Benchmark(BenchmarkCommand),
}

/// What can be measured.
#[cfg(feature = "runtime-benchmarks")]
#[derive(Debug, Subcommand)]
pub enum BenchmarkCommand {
    /// The calls of a pallet.
    Pallet(frame_benchmarking_cli::PalletCmd),
}

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Gotong Node".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        "the Gotong authors".into()
    }

    fn support_url() -> String {
        "the issue tracker of the Gotong project".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        Ok(Box::new(match id {
            "dev" => chain_spec::development()?,
            // Some commands, such as those on keys, load a specification without being given one.
            "" | "local" => chain_spec::local()?,
            path => chain_spec::ChainSpec::from_json_file(path.into())?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sc_cli::RpcMethods;

    fn parsed(line: &str) -> Cli {
        let all = std::iter::once("gotong-node").chain(line.split_whitespace());
        let matches = Cli::with_defaults().try_get_matches_from(all).unwrap();
        Cli::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn a_page_in_a_browser_can_change_nothing_but_on_a_development_chain() {
        for (line, expected) in [
            ("", RpcMethods::Safe),
            ("--chain=dev --validator", RpcMethods::Safe),
            ("--dev", RpcMethods::Auto),
            ("--rpc-methods=unsafe", RpcMethods::Unsafe),
            ("--dev --rpc-methods=safe", RpcMethods::Safe),
        ] {
            let methods = parsed(line).run.rpc_params.rpc_methods;
            assert_eq!(methods, expected, "{line}");
        }
    }

    #[test]
    fn there_is_room_for_hundreds_of_workers() {
        let run = parsed("").run;
        assert_eq!(run.rpc_params.rpc_max_connections, 2048);
        assert_eq!(run.rpc_params.rpc_max_subscriptions_per_connection, 1024);
        assert_eq!(run.pool_config.pool_limit, 8192);
        assert_eq!(run.pool_config.pool_kbytes, 160 << 10);
        let few = parsed("--rpc-max-connections=7").run;
        assert_eq!(few.rpc_params.rpc_max_connections, 7);
    }
}
