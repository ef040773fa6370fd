//! `gotong`: the one binary that people run. All of its code is in the library.

use gotong::cli::{colours, output, Cli};
use std::process::ExitCode;
use tracing_subscriber::{field::MakeExt, fmt::format, EnvFilter};

fn main() -> ExitCode {
    let cli = Cli::of_process();
    if cli.trains() {
        gotong::allocator::keep_freed_memory();
    }
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(cli.log_levels()));
    // An event is one line, and its text may be a stranger's, such as the name of a class.
    let fields = format::debug_fn(|line, field, value| {
        let value = format!("{value:?}");
        let value = output::printable(&value);
        match field.name() {
            "message" => write!(line, "{value}"),
            // The head of the line already has what the crate `log` says about an event.
            name if name.starts_with("log.") => Ok(()),
            name => write!(line, "{name}={value}"),
        }
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(fields.delimited(" "))
        .with_target(false)
        .with_ansi(colours::of_log())
        .with_writer(std::io::stderr)
        // If standard error is closed there is nowhere to report it, and trying to would panic.
        .log_internal_errors(false)
        .init();
    match gotong::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The message may contain a stranger's text, such as the name of a class, which is
            // escaped here.
            output::tell(format_args!("error: {}", output::explain(&error)));
            ExitCode::FAILURE
        }
    }
}
