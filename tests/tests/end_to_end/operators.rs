//! Runs the commands of docs/operators.md as they stand there: four people start a chain of their own, a fifth joins with a worker,
//! they upgrade the runtime, and one of them loses the machine.
//!
//! Services are started as their units say, with the options that the commands have written. The test starts them instead of
//! systemd, with ports of their own and as one user.

use anyhow::{ensure, Context, Result};
use gotong::{
    chain::{Call, Client, Inclusion},
    process::{free_port, sibling, Node, Running},
};
use gotong_tests::{
    authorities::{add, author, bond_with, fast_local, owner, SessionKeys},
    compiled_runtimes, connect, is_final, key, peer_address, reaches, turn, until,
    upgrade::{
        apply, authorize, next_dispute, next_spec_version, spec_version, spec_version_in, NEXT_WASM,
    },
    UNIT,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use subxt::utils::AccountId32;

const PAGE: &str = include_str!("../../../docs/operators.md");
/// The headings over the commands.
const NODE: &str = "## A node";
const DISK: &str = "### Disk and pruning";
const KEYS: &str = "## An authority";
const CHAIN: &str = "### A chain of your own";
const START: &str = "### Start it";
const JOIN: &str = "### Another authority";
const WORKER: &str = "## A worker";
const BACKUP: &str = "## Backup";
const RUNTIME: &str = "### The runtime";
const RESTORE: &str = "### A lost machine";
const WATCH: &str = "## Watch";

/// Blocks of commands, by their headings and places, that the test has followed.
static FOLLOWED: Mutex<BTreeSet<(&str, usize)>> = Mutex::new(BTreeSet::new());
/// Blocks that the test does not follow, and why.
const NOT_FOLLOWED: [(&str, usize, &str); 8] = [
    ("## Install", 0, "test-package.sh installs packages"),
    ("### Clocks", 0, "there may be no time service"),
    (WORKER, 1, "systemd reads it"),
    (WATCH, 1, "Prometheus reads it"),
    (WATCH, 2, "Prometheus reads it"),
    (WATCH, 3, "finality.rs runs these commands"),
    ("### The programs", 0, "test-package.sh installs packages"),
    ("## In a container", 0, "there may be no container engine"),
];

/// What the package installs.
const NODE_UNIT: &str = include_str!("../../../packaging/systemd/gotong-node.service");
const NODE_CONF: &str = include_str!("../../../packaging/systemd/node.conf");
const WORKER_UNIT: &str = include_str!("../../../packaging/systemd/gotong@.service");

/// Stand-ins for systemd, for its journal, and for a second account on the machine. `doctor` may find that data sets are missing.
/// The specification gets the code with slots of a second, and otherwise stays as it was exported.
const PRELUDE: &str = r#"set -e
systemctl() { echo "$@" >> ~/systemctl; }
journalctl() { :; }
chown() { :; }
sudo() { shift 2; "$@"; }
gotong() { command gotong "$@" || [ "$1" = doctor ]; }
gotong-node() {
    command gotong-node "$@"
    if [ "$*" = "export-chain-spec --chain local --output local.json" ]; then cp fast-local.json local.json; fi
}
"#;

/// Whose accounts these are.
const PEOPLE: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
/// Two thirds of them, rounded up.
const COUNCIL: [&str; 3] = ["Alice", "Bob", "Charlie"];
/// The file of a release.
const WASM: &str = "gotong_runtime.compact.compressed.wasm";
/// Where a node answers, as the page has it.
const ADDRESS: &str = "127.0.0.1:9944";
/// Where its metrics are, as the page has it.
const METRICS: &str = "127.0.0.1:9615";
/// Where another node reaches it, as the page has it.
const PEER: &str = "/dns4/HOST/tcp/30333/p2p/ID";

/// Longest wait for blocks to become final, with a new runtime that every node compiles, or with an authority that joins.
const LIMIT: Duration = Duration::from_secs(180);
/// How many blocks show that something continues.
const SOME: u32 = 5;

/// The commands under a heading, in blocks with text in between.
fn blocks(heading: &str) -> Vec<String> {
    let section = PAGE.lines().skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with('#'));
    let lines: Vec<&str> = section.collect();
    let code = lines.split(|line| !line.starts_with("    "));
    let blocks = code.map(|block| {
        let lines = block.iter().map(|line| line.trim_start());
        // Lines that show what a file looks like are not commands.
        let commands = lines.filter(|line| !line.starts_with('['));
        commands.collect::<Vec<_>>().join("\n")
    });
    blocks.filter(|block| !block.is_empty()).collect()
}

/// What [`FOLLOWED`] has.
fn followed() -> MutexGuard<'static, BTreeSet<(&'static str, usize)>> {
    FOLLOWED.lock().expect("nothing panics while it is locked")
}

/// A machine on which the package is installed. What would be in /etc, in /var/lib and at home is in one folder.
struct Machine {
    folder: PathBuf,
    /// The port at which its node serves metrics.
    metrics: u16,
}

impl Machine {
    fn new(folder: PathBuf) -> Result<Self> {
        for own in ["home", "etc/gotong", "var/lib/gotong"] {
            fs::create_dir_all(folder.join(own))?;
        }
        let metrics = free_port()?;
        let machine = Self { folder, metrics };
        fs::write(machine.configuration("node"), NODE_CONF)?;
        Ok(machine)
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// The file with the variables of a service.
    fn configuration(&self, service: &str) -> PathBuf {
        self.folder.join(format!("etc/gotong/{service}.conf"))
    }

    /// A text in which paths are replaced by those of this machine.
    fn here(&self, text: &str) -> String {
        let folder = self.folder.display();
        text.replace("/var/lib", &format!("{folder}/var/lib"))
            .replace("/etc", &format!("{folder}/etc"))
    }

    /// Runs a block of commands under a heading at home, and returns what they print. `chosen` are the names on the page, with what
    /// they stand for. `input` is pasted. `beside` is the machine's node, if one is running.
    fn follow(
        &self,
        (heading, number): (&'static str, usize),
        chosen: &[(&str, &str)],
        input: Option<&Path>,
        beside: Option<&Node>,
    ) -> Result<String> {
        let blocks = blocks(heading);
        let block = blocks.get(number);
        let block = block.with_context(|| format!("{heading} has no block {number}"))?;
        let mut commands = self.here(block).replace("-o gotong ", "");
        for (name, value) in chosen {
            ensure!(commands.contains(name), "{heading} does not say {name}");
            commands = commands.replace(name, value);
        }
        let node = sibling("gotong-node")?;
        let programs = node.parent().context("it is in a folder")?.display();
        let path = format!("{programs}:{}", env::var("PATH")?);
        let input = match input {
            Some(file) => Stdio::from(File::open(file)?),
            None => Stdio::null(),
        };
        commands = commands.replace(METRICS, &format!("127.0.0.1:{}", self.metrics));
        let mut bash = Command::new("bash");
        if let Some(node) = beside {
            let url = node.url();
            let address = url.trim_start_matches("ws://");
            commands = commands.replace(ADDRESS, address);
            bash.env("GOTONG_NODE", &url);
        }
        let output = bash
            .args(["-c", &format!("{PRELUDE}{commands}")])
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("PATH", path)
            .stdin(input)
            .output()?;
        ensure!(output.status.success(), "{heading}: {output:?}");
        followed().insert((heading, number));
        // This is what a machine has whose files are where they belong. Another machine may get it from a backup.
        let configuration = self.configuration("node");
        let folder = self.folder.display().to_string();
        let written = fs::read_to_string(&configuration)?.replace(&folder, "");
        fs::write(configuration, written)?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Puts the specification where the node looks for it, and returns its hash.
    fn get_specification(&self, from: &Machine) -> Result<String> {
        let (theirs, own) = (from.home(), self.home());
        if theirs != own {
            fs::copy(theirs.join("chain.json"), own.join("chain.json"))?;
        }
        let told = self.follow((NODE, 0), &[], None, None)?;
        let hash = told.split_whitespace().next().context("a hash")?;
        Ok(hash.to_owned())
    }

    /// Tells the node where its peers are.
    fn add_peers(&self, peers: &[String]) -> Result<()> {
        for peer in peers {
            self.follow((NODE, 1), &[(PEER, &peer[..])], None, None)?;
        }
        Ok(())
    }

    /// Makes keys from a phrase, and returns the address for blocks and the one for votes. On another network, the same phrase
    /// would give other addresses.
    fn make_keys(&self) -> Result<[String; 2]> {
        let (made, phrase) = self.phrase()?;
        let told = self.follow((KEYS, 0), &[], Some(&phrase), None)?;
        let lines = told.lines();
        let addresses: Vec<String> = lines
            .filter_map(|line| Some(line.split_once("SS58 Address:")?.1.trim().to_owned()))
            .collect();
        // The first address belongs to another phrase, which was shown so that it can be written down.
        match <[String; 3]>::try_from(addresses) {
            Ok([_, babe, grandpa]) => {
                let of_phrase = &made["ss58Address"];
                ensure!(
                    of_phrase.is_string() && *of_phrase != babe,
                    "the keys are those of any network"
                );
                Ok([babe, grandpa])
            }
            Err(other) => anyhow::bail!("other keys were shown: {other:?}"),
        }
    }

    /// A new key, and a file with its phrase.
    fn phrase(&self) -> Result<(Value, PathBuf)> {
        let made = Command::new(sibling("gotong-node")?)
            .args(["key", "generate", "--output-type=json"])
            .output()?;
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let phrase = self.home().join("phrase");
        let text = made["secretPhrase"].as_str().context("a phrase")?;
        fs::write(&phrase, text)?;
        Ok((made, phrase))
    }

    /// The arguments with which systemd starts a service's program, if the commands said to start that service.
    fn arguments(&self, unit: &str, service: &str, name: &str) -> Result<Vec<String>> {
        let told = fs::read_to_string(self.home().join("systemctl"))?;
        let last = told.lines().last().unwrap_or_default();
        let does_start = last
            .strip_suffix(name)
            .is_some_and(|verb| ["restart ", "enable --now "].contains(&verb));
        ensure!(does_start, "{name} was not started, but: {told}");
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let variables = self.variables(service)?;
        let mut arguments = Vec::new();
        for word in line.context("a program")?.split_whitespace().skip(1) {
            let wanted = word.strip_prefix('$');
            let found = variables.iter().find(|(name, _)| wanted == Some(&name[..]));
            match found {
                Some((_, value)) => arguments.extend(value.split_whitespace().map(str::to_owned)),
                None => {
                    let word = word
                        .replace("%S", "/var/lib")
                        .replace("%i", service)
                        .replace(
                            "${CREDENTIALS_DIRECTORY}/",
                            &format!("/etc/gotong/{service}."),
                        );
                    ensure!(!word.contains('$'), "nothing says what {word} is");
                    arguments.push(self.here(&word));
                }
            }
        }
        Ok(arguments)
    }

    /// The variables of a service, with their names.
    fn variables(&self, service: &str) -> Result<Vec<(String, String)>> {
        let written = self.here(&fs::read_to_string(self.configuration(service))?);
        let lines = written.lines().filter(|line| !line.starts_with('#'));
        let variables = lines.filter_map(|line| line.split_once('='));
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
            .collect();
        Ok(variables)
    }

    /// Starts the node as systemd does, on ports that are free here. It finds only the peers that it was told of.
    fn start(&self) -> Result<Node> {
        let mut arguments = self.arguments(NODE_UNIT, "node", "gotong-node")?;
        arguments.push("--no-mdns".into());
        arguments.push(format!("--prometheus-port={}", self.metrics));
        arguments.push(compiled_runtimes()?);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Ok(Node::launch(&self.folder, &self.folder, &arguments)?)
    }

    /// The same for a node that is running, with the options that it has now.
    fn restart(&self, node: &mut Node) -> Result<()> {
        node.kill();
        *node = self.start()?;
        Ok(())
    }

    /// Starts the worker with this name as systemd does.
    fn start_worker(&self, name: &str) -> Result<Running> {
        let variables = self.variables(name)?.into_iter();
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        let mut arguments: Vec<String> = variables.collect();
        arguments.push(sibling("gotong")?.display().to_string());
        arguments.extend(self.arguments(WORKER_UNIT, name, &format!("gotong@{name}"))?);
        // `env` becomes the program that it starts, so the process is that of the worker.
        let env = Path::new("/usr/bin/env");
        Ok(Running::start(name, env, &arguments, &self.folder)?)
    }
}

/// What the node answers.
#[derive(Deserialize)]
struct Answer {
    result: SessionKeys,
}

/// Makes Eve an authority beside the four, whose nodes are `peers`. Returns her node.
async fn join(machine: &Machine, peers: &[String], client: &Client) -> Result<Node> {
    machine.add_peers(peers)?;
    machine.follow((NODE, 2), &[], None, None)?;
    let mut node = machine.start()?;
    let on_node = connect(&mut node).await?;
    reaches(&on_node, client.best().await?.block(), LIMIT).await?;
    until(&on_node, "a healthy node", LIMIT, async |_| {
        let told = machine.follow((NODE, 3), &[], None, Some(&node))?;
        let health: Value = serde_json::from_str(&told)?;
        let is_up_to_date = health["result"]["isSyncing"].as_bool() == Some(false);
        let peers = health["result"]["peers"].as_u64();
        Ok((is_up_to_date && peers > Some(0)).then_some(()))
    })
    .await?;
    machine.follow((JOIN, 0), &[], None, None)?;
    machine.restart(&mut node)?;
    connect(&mut node).await?;
    let owner = owner("Eve");
    let told = machine.follow((JOIN, 1), &[("OWNER", &owner[..])], None, Some(&node))?;
    let Answer { result: made } = serde_json::from_str(&told).context(told)?;
    machine.follow((JOIN, 2), &[], None, None)?;
    machine.restart(&mut node)?;
    connect(&mut node).await?;

    let transfer = Call::transfer(key("Eve").public_key().0, 20_000 * UNIT);
    client
        .submit(&key("Alice"), &transfer, Inclusion::Finalized)
        .await?;
    bond_with(client, "Eve", &made).await?;
    add(client, &COUNCIL, "Eve").await?;
    until(client, "a block of the fifth", LIMIT, async |now| {
        let place = author(client.url(), now.hash()).await?;
        Ok((place as usize == PEOPLE.len()).then_some(()))
    })
    .await?;
    Ok(node)
}

/// Registers an attester beside a node, and starts its service, whose other node is `second`.
async fn work(machine: &Machine, node: &Node, second: &Node, client: &Client) -> Result<Running> {
    let (made, phrase) = machine.phrase()?;
    let mut account = [0; 32];
    let public = made["publicKey"].as_str().context("a public key")?;
    hex::decode_to_slice(public.trim_start_matches("0x"), &mut account)?;
    let transfer = Call::transfer(account, 2_000 * UNIT);
    client
        .submit(&key("Alice"), &transfer, Inclusion::Finalized)
        .await?;
    // The block that took a call may be on a fork that is dropped a moment later. The next block takes the call again.
    let on_node = Client::connect(&node.url()).await?;
    until(&on_node, "the money", LIMIT, async |now| {
        Ok((now.balance(&account).await?.free > 0).then_some(()))
    })
    .await?;
    let (second, genesis) = (second.url(), format!("{:?}", client.genesis()));
    let chosen = [("wss://one.example", &second[..]), ("0x...", &genesis[..])];
    machine.follow((WORKER, 0), &chosen, Some(&phrase), Some(node))?;
    let stake = until(&on_node, "the registration", LIMIT, async |now| {
        Ok(now.stake(&account).await?)
    })
    .await?;
    assert_eq!(stake.stake, 1_000 * UNIT);
    machine.start_worker("judith")
}

/// Upgrades the runtime to one from a file at home; `machine` is that of the first node.
async fn upgrade(machine: &Machine, nodes: &[Node], client: &Client) -> Result<()> {
    let first = nodes.first().context("a node")?;
    let file = machine.home().join(WASM);
    fs::write(&file, NEXT_WASM)?;
    // The hash of the file, and the runtime that the node has.
    let told = || -> Result<(String, u32)> {
        let told = machine.follow((RUNTIME, 0), &[], None, Some(first))?;
        let (sum, answer) = told.split_once('\n').context("two lines")?;
        let hash = sum.split_whitespace().next().context("a hash")?;
        let answer: Value = serde_json::from_str(answer)?;
        Ok((hash.to_owned(), spec_version_in(&answer["result"])?))
    };
    let (hash, version) = told()?;
    ensure!(version < next_spec_version(), "it has it already");
    let mut authorized = [0; 32];
    hex::decode_to_slice(&hash, &mut authorized)?;
    authorize(client, &COUNCIL, authorized).await?;
    let applied = apply(client, "Dave", &fs::read(&file)?).await?;
    is_final(client, applied.block + SOME, LIMIT).await?;
    assert_eq!(told()?, (hash, next_spec_version()));
    for node in nodes {
        let on_node = Client::connect(&node.url()).await?;
        reaches(&on_node, applied.block + 1, LIMIT).await?;
        assert_eq!(spec_version(&node.url()).await?, next_spec_version());
    }
    assert_eq!(next_dispute(client.url(), applied.block).await?, 0);
    let migrated = next_dispute(client.url(), applied.block + 1).await?;
    assert_eq!(migrated, 1, "the storage was migrated");
    Ok(())
}

/// Metrics that the page names, each with a label if the page names one.
fn named_metrics() -> BTreeSet<(&'static str, &'static str)> {
    let is_other = |letter: char| letter != '_' && !letter.is_ascii_alphanumeric();
    let starts = PAGE.match_indices("substrate_");
    let named = starts.map(|(start, _)| {
        let text = &PAGE[start..];
        let (name, rest) = text.split_at(text.find(is_other).unwrap_or(text.len()));
        let label = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        (name, label.map_or("", |(label, _)| label))
    });
    named.collect()
}

/// Waits until the node of a machine has all metrics that the page names.
async fn has_metrics(machine: &Machine, client: &Client) -> Result<()> {
    let named = named_metrics();
    ensure!(!named.is_empty(), "the page names no metrics");
    let mut missing = Vec::new();
    let found = until(client, "all metrics", LIMIT, async |_| {
        let told = machine.follow((WATCH, 0), &[], None, None)?;
        let is_told = |(name, label): &(&str, &str)| {
            let mut values = told.lines().filter_map(|line| line.strip_prefix(name));
            values.any(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
        };
        missing = named.iter().filter(|&one| !is_told(one)).collect();
        Ok(missing.is_empty().then_some(()))
    })
    .await;
    found.with_context(|| format!("without {missing:?}"))
}

/// No block is forgotten, and no block that is followed is excused.
fn all_is_followed() -> Result<()> {
    let headings = PAGE.lines().filter(|line| line.starts_with('#'));
    let mut left: BTreeSet<(&str, usize)> = headings
        .flat_map(|heading| (0..blocks(heading).len()).map(move |number| (heading, number)))
        .collect();
    for one in followed().iter() {
        ensure!(left.remove(one), "{one:?} is not on the page");
    }
    let excused = NOT_FOLLOWED.map(|(heading, number, _)| (heading, number));
    assert_eq!(left, BTreeSet::from(excused));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn four_people_start_a_chain_a_fifth_joins_they_upgrade_it_and_one_loses_the_machine(
) -> Result<()> {
    let _turn = turn().await;
    let folder = tempfile::tempdir()?;
    let (mut machines, mut authorities) = (Vec::new(), Vec::new());
    for name in PEOPLE {
        let machine = Machine::new(folder.path().join(name))?;
        let account = AccountId32(key(name).public_key().0).to_string();
        let [babe, grandpa] = machine.make_keys()?;
        authorities.push(json!({ "account": account, "babe": babe, "grandpa": grandpa }));
        machines.push(machine);
    }
    let first = machines[0].home();
    let list = Value::from(authorities).to_string();
    fs::write(first.join("authorities.json"), list)?;
    let fast = fast_local(PEOPLE.len() - 1)?;
    fs::write(first.join("fast-local.json"), fast.to_string())?;
    machines[0].follow((CHAIN, 0), &[], None, None)?;
    let specification = fs::read_to_string(first.join("chain.json"))?;
    let specification: Value = serde_json::from_str(&specification)?;
    // Clients report that the field is deprecated.
    ensure!(specification["protocolId"].is_null(), "it has a protocolId");
    let hash = machines[0].get_specification(&machines[0])?;
    let (mut nodes, mut peers) = (Vec::new(), Vec::new());
    for (machine, name) in machines.iter().zip(PEOPLE) {
        assert_eq!(machine.get_specification(&machines[0])?, hash);
        machine.follow((START, 0), &[], None, None)?;
        machine.add_peers(&peers)?;
        machine.follow((START, 1), &[("NAME", name)], None, None)?;
        let mut node = machine.start()?;
        connect(&mut node).await?;
        peers.push(peer_address(&node).await?);
        nodes.push(node);
    }
    let on_alice = connect(&mut nodes[0]).await?;
    is_final(&on_alice, 1, LIMIT).await?;
    has_metrics(&machines[0], &on_alice).await?;

    let fifth = Machine::new(folder.path().join("Eve"))?;
    assert_eq!(fifth.get_specification(&machines[0])?, hash);
    nodes.push(join(&fifth, &peers, &on_alice).await?);
    let mut worker = work(&fifth, &nodes[4], &nodes[0], &on_alice).await?;
    machines[3].follow((BACKUP, 0), &[], None, None)?;
    upgrade(&machines[0], &nodes, &on_alice).await?;

    // Only the copies are left, and they are put on another machine. Four of five are needed, so this shows that the fifth votes.
    nodes[3].kill();
    let told = machines[3].follow((DISK, 0), &[], None, None)?;
    ensure!(told.contains("chains/own"), "{told}");
    let height = on_alice.best().await?.block();
    is_final(&on_alice, height + SOME, LIMIT).await?;
    let new = Machine::new(folder.path().join("new"))?;
    for copy in ["authority.tar.gz", "gotong-etc.tar.gz"] {
        fs::copy(machines[3].home().join(copy), new.home().join(copy))?;
    }
    new.follow((RESTORE, 0), &[], None, None)?;
    nodes[3] = new.start()?;
    let on_new = connect(&mut nodes[3]).await?;
    let height = on_alice.best().await?.block();
    is_final(&on_new, height + SOME, LIMIT).await?;
    new.follow((RESTORE, 1), &[], None, None)?;
    new.restart(&mut nodes[3])?;
    connect(&mut nodes[3]).await?;

    worker.check()?;

    // This shows that it votes, too.
    nodes[2].kill();
    let height = on_alice.best().await?.block();
    is_final(&on_alice, height + SOME, LIMIT).await?;
    all_is_followed()
}
