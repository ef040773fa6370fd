//! Child processes on this machine: a development node and workers, as the demo and the
//! end-to-end tests start them. Every child is killed when its handle is dropped.

mod processor_time;

use rand::{rngs::StdRng, Rng, SeedableRng};
use std::{
    collections::BTreeSet,
    fs::File,
    io,
    net::TcpListener,
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Why a child process could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program does not lie next to this one.
    #[error("{0} is not built: run `make build` first")]
    NotBuilt(PathBuf),
    /// The system did not start it.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A child ended with an error.
    #[error("{name} failed ({status}); its log: {log}")]
    Failed {
        /// Its name among the children.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        log: PathBuf,
    },
    /// Something that a child depends on failed: its log, its folder or its port.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The program `name` beside the running one: cargo puts the binaries of node, worker and (one folder down) tests into one place.
pub fn sibling(name: &str) -> Result<PathBuf, ProcessError> {
    let own = std::env::current_exe()?;
    let name = &format!("{name}{}", std::env::consts::EXE_SUFFIX);
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| ProcessError::NotBuilt(PathBuf::from(name)))
}

/// A running child that writes its output to a log file.
pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
    cpu_seconds: Option<f64>,
}

impl Running {
    /// Starts `program` with `arguments`; standard output and error go to `folder/name.log`.
    pub fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
    ) -> Result<Self, ProcessError> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(name, command, folder)
    }

    fn spawn(name: &str, mut command: Command, folder: &Path) -> Result<Self, ProcessError> {
        let log = folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let child = command.spawn().map_err(|source| ProcessError::Start {
            program: command.get_program().into(),
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child,
            cpu_seconds: None,
        })
    }

    /// Its name among the children.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it prints to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails if the child has failed. It is fine if the child is done, like a sponsor without shards.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        // The system says nothing about a child that was already waited for.
        self.cpu_seconds = processor_time::seconds_of(self.child.id()).or(self.cpu_seconds);
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(ProcessError::Failed {
                name: self.name.clone(),
                status,
                log: self.log.clone(),
            }),
        }
    }

    /// Whether the child has ended, in whatever way.
    pub fn has_ended(&mut self) -> Result<bool, ProcessError> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The processor seconds that the child, with all its threads, had used at the last [`check`](Self::check) while it ran; `None`
    /// on a system other than Linux.
    pub fn cpu_seconds(&self) -> Option<f64> {
        self.cpu_seconds
    }

    /// Waits until the child ends by itself.
    pub fn wait(&mut self) -> Result<ExitStatus, ProcessError> {
        Ok(self.child.wait()?)
    }

    /// Sends `kill -9`, and waits until the child is gone.
    pub fn kill(&mut self) {
        // Either call fails only when the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A node with its own folder and ports, which survives `kill` and `start`.
pub struct Node {
    running: Option<Running>,
    program: PathBuf,
    folder: PathBuf,
    logs: PathBuf,
    port: u16,
    peer_port: u16,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Node {
    /// Starts a development chain that keeps its data in `folder` and its log in `logs`, with `more` arguments.
    pub fn start(folder: &Path, logs: &Path, more: &[&str]) -> Result<Self, ProcessError> {
        Self::launch(folder, logs, &[&["--dev"][..], more].concat())
    }

    /// Starts a node on the chain that `arguments` name. It keeps its data in `folder`, unless `arguments` have a `--base-path=`,
    /// and its log in `logs`. It serves metrics only if they have a `--prometheus-port=`.
    pub fn launch(folder: &Path, logs: &Path, arguments: &[&str]) -> Result<Self, ProcessError> {
        Self::launch_with(folder, logs, arguments, &[])
    }

    /// The same, with these variables in the node's environment.
    pub fn launch_with(
        folder: &Path,
        logs: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, ProcessError> {
        let [port, peer_port] = free_ports()?;
        let variables = variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let mut node = Self {
            arguments: arguments.iter().map(|&one| one.into()).collect(),
            running: None,
            program: sibling("gotong-node")?,
            folder: folder.to_owned(),
            logs: logs.to_owned(),
            port,
            peer_port,
            variables: variables.collect(),
        };
        node.restart()?;
        Ok(node)
    }

    /// Starts the node again on the same data and port.
    pub fn restart(&mut self) -> Result<(), ProcessError> {
        self.restart_with(&[])
    }

    /// The same, with `more` arguments this time.
    pub fn restart_with(&mut self, more: &[&str]) -> Result<(), ProcessError> {
        self.kill();
        let mut arguments = vec![
            format!("--rpc-port={}", self.port),
            format!("--port={}", self.peer_port),
            "--no-telemetry".into(),
        ];
        if !self.is_given("--prometheus-port=") {
            arguments.push("--no-prometheus".into());
        }
        if !self.is_given("--base-path=") {
            let folder = self.folder.join("chain");
            arguments.push(format!("--base-path={}", folder.display()));
        }
        arguments.extend_from_slice(&self.arguments);
        arguments.extend(more.iter().map(|&one| one.into()));
        let mut command = Command::new(&self.program);
        command.args(arguments);
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        self.running = Some(Running::spawn("node", command, &self.logs)?);
        Ok(())
    }

    /// Whether the node was started with this `--option=`.
    fn is_given(&self, option: &str) -> bool {
        self.arguments.iter().any(|one| one.starts_with(option))
    }

    /// Fails if the node has stopped by itself.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        self.running.as_mut().map_or(Ok(()), Running::check)
    }

    /// Sends `kill -9`.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Where its RPC server listens.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// The port on which other nodes reach it.
    pub fn peer_port(&self) -> u16 {
        self.peer_port
    }

    /// Waits until the node answers on its port, for at most `limit`.
    pub async fn ready(&mut self, limit: Duration) -> Result<(), ProcessError> {
        let started = tokio::time::Instant::now();
        loop {
            self.check()?;
            match tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() > limit => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Ports below those that Linux, macOS and Windows give to connections, so that a node that was killed finds its own still free.
const PORTS: Range<u16> = 10_000..32_768;
/// How many ports to try. It is unlikely that all of them are in use.
const TRIES: u32 = 1_000;

/// Two ports that were free a moment ago.
fn free_ports() -> io::Result<[u16; 2]> {
    let (one, other) = (listen()?, listen()?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

/// A port of this machine that was free a moment ago.
///
/// # Errors
/// If no port can be listened on.
pub fn free_port() -> io::Result<u16> {
    Ok(listen()?.local_addr()?.port())
}

/// The ports that this program has chosen. A node that was given one may not listen on it yet, or no longer and again soon.
static CHOSEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Listens on a free port that was not chosen before.
fn listen() -> io::Result<TcpListener> {
    let mut random = StdRng::from_os_rng();
    let mut listened = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..TRIES {
        let port = random.random_range(PORTS);
        let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !chosen.insert(port) {
            continue;
        }
        listened = TcpListener::bind(("127.0.0.1", port));
        if listened.is_ok() {
            break;
        }
    }
    listened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_done_has_ended_and_not_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut done = Running::start("done", Path::new("true"), &[], folder.path()).unwrap();
        done.wait().unwrap();
        assert!(done.has_ended().unwrap());
        done.check().unwrap();

        let seconds = ["60".to_owned()];
        let sleep = Path::new("sleep");
        let mut at_work = Running::start("at work", sleep, &seconds, folder.path()).unwrap();
        assert!(!at_work.has_ended().unwrap());
        at_work.kill();
        assert!(at_work.has_ended().unwrap());
        assert!(at_work.check().is_err());
    }
}
