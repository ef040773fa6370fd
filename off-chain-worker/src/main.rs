//! `gotong`: the one binary that people run. All of it is in the library.

use clap::Parser;
use gotong::cli::output;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::{field::MakeExt, fmt::format, EnvFilter};

fn main() -> ExitCode {
    gotong::allocator::keep_freed_memory();
    let cli = gotong::cli::Cli::parse();
    // The demo prints its own progress; what its workers log is in files. What drivers of graphics log while
    // they are looked for is no error of ours.
    let levels = match cli.command {
        gotong::cli::Command::Demo(_) => "warn,wgpu_hal=off",
        _ => "warn,gotong=info,wgpu_hal=off",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(levels));
    // An event is a line, and what it tells may be a stranger's text, such as the name of a class.
    let fields = format::debug_fn(|line, field, value| {
        let value = format!("{value:?}");
        let value = output::printable(&value);
        match field.name() {
            "message" => write!(line, "{value}"),
            // What the crate `log` says of an event is in its head already.
            name if name.starts_with("log.") => Ok(()),
            name => write!(line, "{name}={value}"),
        }
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(fields.delimited(" "))
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // If standard error is closed there is nowhere to report it, and trying to would panic.
        .log_internal_errors(false)
        .init();
    let result = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(gotong::cli::run(cli)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It may hold a stranger's text, such as the name of a class, which is escaped here.
            output::tell(format_args!("error: {}", output::explain(&error)));
            ExitCode::FAILURE
        }
    }
}
