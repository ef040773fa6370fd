//! The signals by which a user or the system asks the program to end. Each system has its own.

use std::{future::Future, io};

/// Listens from now on; what is returned waits for Ctrl-C or the termination signal.
///
/// # Errors
/// Fails if the system does not let the program listen.
#[cfg(unix)]
pub fn end_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{signal, SignalKind};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens from now on; what is returned waits for Ctrl-C, Ctrl-Break, the end of the console or that of the system.
///
/// # Errors
/// Fails if the system does not let the program listen.
#[cfg(windows)]
pub fn end_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut interrupt, mut stop) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = stop.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}
