//! Disks that are full: small disks in memory, which are mounted in the test's own namespaces.

use crate::{contribute, ROUND_LIMIT, SMALL};
use anyhow::{ensure, Context, Result};
use gotong::process::{Node, ProcessError};
use gotong_protocol::{Phase, RoundId};
use gotong_tests::{
    assert_settled, authorities::block_hash, connect, key, not_tested, reaches, Network, CHALLENGE,
    UNIT,
};
use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Set inside the namespaces.
const INSIDE: &str = "GOTONG_IN_NAMESPACE";
/// Longest wait for a node to end, or for blocks.
const LIMIT: Duration = Duration::from_secs(120);
/// The signal that Linux sends to a process that writes to a mapped part of a file for which there is no room.
const SIGBUS: i32 = 7;
/// Blocks in which something is seen to go on.
const SOME: u32 = 5;

/// A small disk.
struct Disk(PathBuf);

impl Disk {
    /// Mounts a disk on a new folder.
    fn mount(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "none"])
            .arg(&path)
            .status()?;
        ensure!(mounted.success(), "mount ended with {mounted}");
        Ok(Self(path))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes until there is no room left.
    fn fill(&self) -> Result<()> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())?;
        loop {
            match file.write_all(&[1; 4096]) {
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                written => written?,
            }
        }
    }

    /// Makes room.
    fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It goes away with the namespace in any case. Now the folder is empty for whatever removes it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Whether this process may mount. If not, the test `name` of this file runs again in namespaces of its own, where it may. This
/// fails if that test does.
fn may_mount(name: &str) -> Result<bool> {
    if env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    // Root needs no user namespace, and may be refused one.
    let both: [&[&str]; 2] = [&["--mount", "--map-root-user"], &["--mount"]];
    let may = |own: &&&[&str]| {
        let mut probe = Command::new("unshare");
        probe.args(**own).args(["mount", "-t", "tmpfs", "none"]);
        probe.arg(env::temp_dir()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    let Some(own) = both.iter().find(may) else {
        not_tested("this user may have no namespaces")?;
        return Ok(false);
    };
    let again = Command::new("unshare")
        .args(*own)
        .args(["--fork", "--kill-child"])
        .arg(env::current_exe()?)
        .args(["--exact", &format!("full_disk::{name}"), "--nocapture"])
        .env(INSIDE, "yes")
        .status()?;
    ensure!(again.success(), "in its namespaces the test failed");
    Ok(false)
}

/// Waits until a node has failed by itself, and meanwhile fills whatever room it frees.
async fn fails(node: &mut Node, disk: &Disk) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        match node.check() {
            Ok(()) => ensure!(started.elapsed() < LIMIT, "it still runs"),
            Err(ProcessError::Failed { status, .. }) => return Ok(status),
            Err(error) => return Err(error.into()),
        }
        disk.fill()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// It ends and says why, unless the system ends it in the middle of a write. It does not start until there is room. Then it has
/// everything that it had before.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_is_full_says_so_and_goes_on_once_there_is_room() -> Result<()> {
    if !may_mount("a_node_whose_disk_is_full_says_so_and_goes_on_once_there_is_room")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let log = || fs::read_to_string(folder.path().join("node.log"));
    let disk = Disk::mount(folder.path().join("disk"))?;
    let mut node = Node::start(&disk.0, folder.path(), &[])?;
    let client = connect(&mut node).await?;
    // The last blocks may not be on disk yet.
    reaches(&client, 2 * SOME, LIMIT).await?;
    let kept = block_hash(&node.url(), SOME).await?;

    let status = fails(&mut node, &disk).await?;
    // Part of the database is mapped into memory, where a failed write cannot report an error.
    ensure!(
        status.signal() == Some(SIGBUS) || log()?.contains("No space left on device"),
        "it ended with {status}: {}",
        log()?
    );
    node.restart()?;
    fails(&mut node, &disk).await?;
    ensure!(log()?.contains("no room on the disk"), "{}", log()?);

    disk.free()?;
    node.restart()?;
    let client = connect(&mut node).await?;
    assert_eq!(block_hash(&node.url(), SOME).await?, kept);
    let height = client.best().await?.block();
    reaches(&client, height + SOME, LIMIT).await
}

/// An attester that can store nothing commits to nothing, and offers no more seats. Once there is room, it commits. From then on it
/// needs none to reveal and to answer its audits, so it loses no stake.
#[tokio::test(flavor = "multi_thread")]
async fn an_attester_whose_disk_is_full_commits_to_nothing_and_reveals_what_it_had() -> Result<()> {
    if !may_mount("an_attester_whose_disk_is_full_commits_to_nothing_and_reveals_what_it_had")? {
        return Ok(());
    }
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let disk = Disk::mount(network.folder().join("Judith"))?;
    network.register(&["One"], &["Judith"]).await?;
    // An attester that waits for room misses nothing.
    let task = network.open_with_long_windows(SMALL, 1, CHALLENGE).await?;
    let judith = network.daemon("Judith", "attest")?;
    let _others = [
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon("One", &contribute(task, "1/1"))?,
    ];
    let is_reached = async |phase: Phase| {
        let what = format!("{phase:?}");
        network
            .until(&what, ROUND_LIMIT, async |now| {
                let view = now.round(task, RoundId(0)).await?;
                Ok(view.filter(|view| view.phase >= phase).map(drop))
            })
            .await
    };
    is_reached(Phase::Reveal).await?;
    disk.fill()?;
    is_reached(Phase::AttestCommit).await?;
    let account = key("Judith").public_key().0;
    network
        .until("the offer's end", ROUND_LIMIT, async |now| {
            let offer = now.offer(&account).await?;
            Ok(offer.is_none_or(|offer| offer.seats == 0).then_some(()))
        })
        .await?;
    let log = fs::read_to_string(judith.log())?;
    ensure!(log.contains("no room on the disk"), "{log}");
    let moment = network.client.best().await?;
    let round = moment.round(task, RoundId(0)).await?;
    let round = round.context("the round")?;
    ensure!(round.phase == Phase::AttestCommit, "{round:?}");
    ensure!(round.seats.iter().all(|seat| !seat.committed), "{round:?}");

    disk.free()?;
    network
        .until("the commitment", ROUND_LIMIT, async |now| {
            let view = now.round(task, RoundId(0)).await?;
            let seats = view.map(|view| view.seats).unwrap_or_default();
            Ok(seats.iter().any(|seat| seat.committed).then_some(()))
        })
        .await?;
    disk.fill()?;
    let round = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    let stake = network.client.best().await?.stake(&account).await?;
    assert_eq!(stake.map(|stake| stake.stake), Some(1_000 * UNIT));
    Ok(())
}
