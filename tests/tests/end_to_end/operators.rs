//! The commands of docs/operators.md, as it has them: four people start a chain of their own, a fifth joins, they upgrade the
//! runtime, and one of them loses the machine.

use anyhow::{ensure, Context, Result};
use gotong::{
    chain::{Call, Client, Inclusion},
    process::{sibling, Node},
};
use gotong_tests::{
    authorities::{add, author, bond_with, owner, SessionKeys},
    connect, is_final, key, peer_address, reaches, turn, until,
    upgrade::{
        apply, authorize, next_dispute, next_spec_version, spec_version, spec_version_in, NEXT_WASM,
    },
    UNIT,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use subxt::utils::AccountId32;

const PAGE: &str = include_str!("../../../docs/operators.md");
/// The headings over the commands.
const KEYS: &str = "## An authority";
const CHAIN: &str = "### A chain of your own";
const START: &str = "### Start it";
const JOIN: &str = "### Another authority";
const BACKUP: &str = "## Backup";
const RUNTIME: &str = "### The runtime";
const RESTORE: &str = "### A lost machine";

/// What stands for systemd, and for a second account on the machine.
const PRELUDE: &str = "set -e\nsystemctl() { :; }\nchown() { :; }\n";
/// Who has which account.
const PEOPLE: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
/// Two thirds of them, rounded up.
const COUNCIL: [&str; 3] = ["Alice", "Bob", "Charlie"];
/// The file of a release.
const WASM: &str = "gotong_runtime.compact.compressed.wasm";
/// Where a node answers on the page.
const ADDRESS: &str = "127.0.0.1:9944";

/// Longest wait for blocks to become final, with a new runtime that every node compiles, or with an authority that joins.
const LIMIT: Duration = Duration::from_secs(180);
/// Blocks in which something is seen to go on.
const SOME: u32 = 5;

/// The commands under a heading.
fn commands(heading: &str) -> String {
    let section = PAGE.lines().skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with('#'));
    let code = section.filter(|line| line.starts_with("    "));
    // What a file looks like is no command.
    let commands = code
        .map(str::trim_start)
        .filter(|line| !line.starts_with('['));
    commands.collect::<Vec<_>>().join("\n")
}

/// A machine: what lies in /etc, in /var/lib and at home is in one folder.
struct Machine {
    folder: PathBuf,
}

impl Machine {
    fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(folder.join("home"))?;
        fs::create_dir_all(folder.join("etc/gotong"))?;
        Ok(Self { folder })
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    fn specification(&self) -> PathBuf {
        self.folder.join("etc/gotong/chain.json")
    }

    /// Runs the commands under a heading at home, and returns what they print. What `input` has is pasted.
    fn follow(&self, heading: &str, input: Option<&Path>) -> Result<String> {
        self.run(heading, &commands(heading), input)
    }

    /// The same beside the machine's node, for an account with the public key `owner`.
    fn follow_beside(&self, heading: &str, node: &Node, owner: &str) -> Result<String> {
        let url = node.url();
        let address = url.trim_start_matches("ws://");
        let commands = commands(heading)
            .replace(ADDRESS, address)
            .replace("OWNER", owner);
        self.run(heading, &commands, None)
    }

    fn run(&self, heading: &str, commands: &str, input: Option<&Path>) -> Result<String> {
        let folder = self.folder.display();
        let commands = commands
            .replace("/var/lib/gotong/node", &format!("{folder}/chain"))
            .replace("/var/lib/gotong", &folder.to_string())
            .replace("/etc", &format!("{folder}/etc"))
            .replace("sudo -u gotong ", "")
            .replace("-o gotong ", "")
            // Slots of a second.
            .replace("--chain local", "--chain dev");
        ensure!(!commands.is_empty(), "nothing stands under {heading}");
        let node = sibling("gotong-node")?;
        let programs = node.parent().context("it is in a folder")?.display();
        let path = format!("{programs}:{}", env::var("PATH")?);
        let input = match input {
            Some(file) => Stdio::from(File::open(file)?),
            None => Stdio::null(),
        };
        let output = Command::new("bash")
            .args(["-c", &format!("{PRELUDE}{commands}")])
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("PATH", path)
            .stdin(input)
            .output()?;
        ensure!(output.status.success(), "{heading}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Makes keys of a phrase, and returns the addresses of that for blocks and that for votes. Another network would have others of
    /// the same phrase.
    fn make_keys(&self) -> Result<[String; 2]> {
        let made = Command::new(sibling("gotong-node")?)
            .args(["key", "generate", "--output-type=json"])
            .output()?;
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let phrase = self.home().join("phrase");
        let text = made["secretPhrase"].as_str().context("a phrase")?;
        fs::write(&phrase, text)?;
        let told = self.follow(KEYS, Some(&phrase))?;
        let lines = told.lines();
        let addresses: Vec<String> = lines
            .filter_map(|line| Some(line.split_once("SS58 Address:")?.1.trim().to_owned()))
            .collect();
        // The first is that of another phrase, which was shown to be written down.
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

    fn start(&self, more: &[&str], peers: &[String]) -> Result<Node> {
        let chain = format!("--chain={}", self.specification().display());
        let bootnodes = peers.iter().map(|peer| format!("--bootnodes={peer}"));
        let mut arguments: Vec<String> = bootnodes.collect();
        arguments.extend([chain, "--no-mdns".into()]);
        let arguments = arguments.iter().map(String::as_str);
        let arguments: Vec<&str> = arguments.chain(more.iter().copied()).collect();
        Ok(Node::launch(&self.folder, &self.folder, &arguments)?)
    }
}

/// What the node answers.
#[derive(Deserialize)]
struct Answer {
    result: SessionKeys,
}

/// Makes Eve an authority beside the four. Returns her node.
async fn join(machine: &Machine, peers: &[String], client: &Client) -> Result<Node> {
    let mut node = machine.start(&["--name=Eve"], peers)?;
    let on_node = connect(&mut node).await?;
    reaches(&on_node, client.best().await?.block(), LIMIT).await?;
    node.restart_with(&["--validator", "--rpc-methods=unsafe"])?;
    connect(&mut node).await?;
    let told = machine.follow_beside(JOIN, &node, &owner("Eve"))?;
    let Answer { result: made } = serde_json::from_str(&told).context(told)?;
    node.restart_with(&["--validator"])?;
    connect(&mut node).await?;

    let transfer = Call::transfer(key("Eve").public_key().0, 20_000 * UNIT);
    client
        .submit(&key("Alice"), &transfer, Inclusion::Best)
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

/// Upgrades the runtime to that of a file at home; `machine` is that of the first node.
async fn upgrade(machine: &Machine, nodes: &[Node], client: &Client) -> Result<()> {
    let first = nodes.first().context("a node")?;
    let file = machine.home().join(WASM);
    fs::write(&file, NEXT_WASM)?;
    // The hash of the file, and the runtime that the node has.
    let told = || -> Result<(String, u32)> {
        let told = machine.follow_beside(RUNTIME, first, "")?;
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
    machines[0].follow(CHAIN, None)?;
    let (mut nodes, mut peers) = (Vec::new(), Vec::new());
    for (machine, name) in machines.iter().zip(PEOPLE) {
        fs::copy(first.join("chain.json"), machine.specification())?;
        machine.follow(START, None)?;
        let name = format!("--name={name}");
        let mut node = machine.start(&["--validator", &name], &peers)?;
        connect(&mut node).await?;
        peers.push(peer_address(&node).await?);
        nodes.push(node);
    }
    let on_alice = connect(&mut nodes[0]).await?;
    is_final(&on_alice, 1, LIMIT).await?;

    let fifth = Machine::new(folder.path().join("Eve"))?;
    fs::copy(first.join("chain.json"), fifth.specification())?;
    nodes.push(join(&fifth, &peers, &on_alice).await?);
    machines[3].follow(BACKUP, None)?;
    upgrade(&machines[0], &nodes, &on_alice).await?;

    // Only the copies are left, and the machine that has them is another. Four of five are needed: the fifth votes.
    nodes[3].kill();
    let height = on_alice.best().await?.block();
    is_final(&on_alice, height + SOME, LIMIT).await?;
    let new = Machine::new(folder.path().join("new"))?;
    for copy in ["authority.tar.gz", "gotong-etc.tar.gz"] {
        fs::copy(machines[3].home().join(copy), new.home().join(copy))?;
    }
    new.follow(RESTORE, None)?;
    peers.truncate(3);
    nodes[3] = new.start(&["--name=Dave"], &peers)?;
    let on_new = connect(&mut nodes[3]).await?;
    let height = on_alice.best().await?.block();
    is_final(&on_new, height + SOME, LIMIT).await?;
    nodes[3].restart_with(&["--validator"])?;
    connect(&mut nodes[3]).await?;

    // It votes, too.
    nodes[2].kill();
    let height = on_alice.best().await?.block();
    is_final(&on_alice, height + SOME, LIMIT).await
}
