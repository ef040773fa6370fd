//! Chains of several authorities at the pace of a development chain: their specification, a node for each authority, and how the
//! council changes the authorities.

use crate::{
    connect, key, peer_address, reaches, request_with, shared::exported, turn, Network, Turn,
};
use anyhow::{bail, ensure, Context, Result};
use codec::{Compact, Decode, Encode, Output};
use gotong::{
    chain::{Account, Call, Client, Inclusion, Receipt},
    process::Node,
};
use gotong_runtime::{
    authorities::{Bond, Bonds},
    AccountId, Runtime,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::time::Duration;
use subxt::{
    ext::{futures::future::try_join_all, jsonrpsee::rpc_params},
    utils::H256,
};

/// The authorities of these chains, in their order. Each authority's node has an option of this name. The first three are the
/// council.
const NAMES: [&str; 4] = ["alice", "bob", "charlie", "dave"];
/// Enough members of that council to pass a motion.
pub const COUNCIL: [&str; 2] = ["Alice", "Bob"];
/// Dave's account, which is his key for blocks, too.
const DAVE: &str = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy";
/// Dave's key for votes.
const DAVE_VOTES: &str = "5ECTwv6cZ5nJQPk6tWfaTrEk8YH2L7X1VT4EL5Tx2ikfFwb7";

/// Where `Session.Validators` is: Twox128 of both names.
const VALIDATORS: &str = "0xcec5070d609dd3497f72bde07fc96ba088dcde934c658227ee1dfafcd6e16903";
/// Longest wait for a new node to catch up with the others.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(120);

/// The limits for the cost of a motion: time in picoseconds, and the size of a proof in bytes.
const MOTION_WEIGHT: (Compact<u64>, Compact<u64>) = (Compact(250_000_000_000), Compact(1_000_000));
/// The limit for the length of a motion, in bytes.
const MOTION_LENGTH: Compact<u32> = Compact(2_000);

/// The specification of the chain `local`, with the code of `dev`, whose slots last a second, and with the first this many of
/// Alice, Bob, Charlie and Dave as authorities.
pub fn fast_local(authorities: usize) -> Result<Value> {
    let plain = |chain| anyhow::Ok(serde_json::from_slice::<Value>(&exported(chain, &[])?)?);
    let mut spec = plain("local")?;
    let genesis = &mut spec["genesis"]["runtimeGenesis"];
    genesis["code"] = plain("dev")?["genesis"]["runtimeGenesis"]["code"].take();
    let config = &mut genesis["config"];
    let keys = json!([DAVE, DAVE, { "babe": DAVE, "grandpa": DAVE_VOTES }]);
    for (section, list, fourth) in [
        ("session", "keys", keys),
        ("authorities", "authorities", json!(DAVE)),
    ] {
        let list = config[section][list].as_array_mut();
        let list = list.context("a list of authorities")?;
        list.push(fourth);
        list.truncate(authorities);
    }
    Ok(spec)
}

/// Authorities with a node each. As long as a node runs, it connects by itself to those that were started before it.
pub struct Authorities {
    /// The nodes of all except the first, in order. They are dropped before the first, which lets the next network start.
    pub others: Vec<Node>,
    /// The first node, Alice's, and what a test does with it.
    pub network: Network,
}

impl Authorities {
    /// Starts the nodes of the first `up` authorities on a chain that has `count`, once it is its [`turn`].
    pub async fn start(count: usize, up: usize) -> Result<Self> {
        Self::start_in(turn().await, count, up).await
    }

    /// The same, with a turn that the caller already has.
    pub async fn start_in(turn: Turn, count: usize, up: usize) -> Result<Self> {
        const NONE: &[&str] = &[];
        Self::start_with(turn, count, &vec![NONE; up]).await
    }

    /// The same with a node for each of `options`, which are those of the first authorities' nodes, in order.
    pub async fn start_with(turn: Turn, count: usize, options: &[&[&str]]) -> Result<Self> {
        let [first, others @ ..] = NAMES;
        let [options, of_others @ ..] = options else {
            bail!("no node is to run");
        };
        let (own, secret) = (format!("--{first}"), node_key(first));
        let arguments = [own.as_str(), "--no-mdns", secret.as_str()];
        let arguments = [&arguments[..], *options].concat();
        let spec = fast_local(count)?.to_string();
        let mut all = Self {
            network: Network::start_on(turn, &spec, &arguments).await?,
            others: Vec::new(),
        };
        for (name, options) in others.into_iter().zip(of_others) {
            let own = format!("--{name}");
            let arguments = [&[own.as_str()][..], *options].concat();
            let node = all.join(name, &arguments).await?;
            all.others.push(node);
        }
        Ok(all)
    }

    /// Starts one more node, with these arguments, and returns once it has caught up with the first. It keeps its files in the
    /// folder `name`.
    pub async fn join(&self, name: &str, arguments: &[&str]) -> Result<Node> {
        self.join_with(name, arguments, &[]).await
    }

    /// The same with these variables in the node's environment.
    pub async fn join_with(
        &self,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Node> {
        let mut node = self.launch_with(name, arguments, variables).await?;
        let client = connect(&mut node).await?;
        let height = self.network.client.best().await?.block();
        reaches(&client, height, CATCH_UP_LIMIT).await?;
        Ok(node)
    }

    /// The same for a node that has no state until it is up to date, and so cannot answer any questions before that.
    pub async fn launch(&self, name: &str, arguments: &[&str]) -> Result<Node> {
        self.launch_with(name, arguments, &[]).await
    }

    async fn launch_with(
        &self,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Node> {
        let chain = format!("--chain={}", self.network.spec().display());
        let mut all = vec![chain, "--no-mdns".into(), node_key(name)];
        for node in std::iter::once(&self.network.node).chain(&self.others) {
            all.push(format!("--reserved-nodes={}", peer_address(node).await?));
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let all = [&all[..], arguments].concat();
        self.network.stranger_with(name, &all, variables)
    }
}

/// The secret of a node in the network, which authorities need: any will do.
fn node_key(name: &str) -> String {
    format!("--node-key={:0>64}", hex::encode(name))
}

/// The answer of a node that has made session keys.
#[derive(Deserialize)]
pub struct SessionKeys {
    /// Public keys, for blocks and for votes.
    keys: String,
    /// The proof that the account owns them.
    proof: String,
}

/// Makes session keys for `name` on its node, which has to serve unsafe methods, and puts the account's bond on hold: from then on
/// the council may add it.
pub async fn bond(client: &Client, node: &Node, name: &str) -> Result<()> {
    let parameters = rpc_params![owner(name)];
    let made: SessionKeys =
        request_with(&node.url(), "author_rotateKeysWithOwner", parameters).await?;
    bond_with(client, name, &made).await
}

/// The public key of `name`, as a node takes it.
pub fn owner(name: &str) -> String {
    format!("0x{}", hex::encode(key(name).public_key().0))
}

/// Puts the bond of `name` on hold. Its node has made these keys.
pub async fn bond_with(client: &Client, name: &str, made: &SessionKeys) -> Result<()> {
    let (keys, proof) = (bytes(&made.keys)?, bytes(&made.proof)?);
    for call in [
        Call::new("Session", "set_keys", (Encoded(keys), proof)),
        Call::new("Authorities", "bond", ()),
    ] {
        submit(client, name, &call).await?;
    }
    Ok(())
}

/// Makes `name` an authority by a motion of the council. `council` are the members who approve it.
pub async fn add(client: &Client, council: &[&str], name: &str) -> Result<()> {
    let account = key(name).public_key().0;
    as_root(client, council, &Call::new("Authorities", "add", account)).await
}

/// Makes `call` as root, by a motion of the council. The first of `council` proposes it, and all of them approve: they are two
/// thirds, rounded up.
pub async fn as_root(client: &Client, council: &[&str], call: &Call) -> Result<()> {
    let first = council.first().context("a council")?;
    let ayes = Compact(u32::try_from(council.len())?);
    let moment = client.best().await?;
    let motion = Encoded(call.encoded(moment.metadata())?);
    let motion = Call::new("Governance", "as_root", motion);
    let motion = Encoded(motion.encoded(moment.metadata())?);
    let propose = Call::new("Council", "propose", (ayes, motion, MOTION_LENGTH));
    let proposed = submit(client, first, &propose).await?;
    let (_, index, hash): (Account, u32, [u8; 32]) = proposed.event("Proposed")?;
    let vote = Call::new("Council", "vote", (hash, Compact(index), true));
    try_join_all(council.iter().map(|name| submit(client, name, &vote))).await?;
    let close = (hash, Compact(index), MOTION_WEIGHT, MOTION_LENGTH);
    let close = Call::new("Council", "close", close);
    let closed = submit(client, first, &close).await?;
    // The rest of the event is the error, if there is one.
    let (_, has_failed): ([u8; 32], bool) = closed.event("Executed")?;
    ensure!(!has_failed, "the motion was refused: {closed:?}");
    Ok(())
}

/// Waits until the call is final, because what follows relies on it, and authorities that make blocks at once drop some of them.
async fn submit(client: &Client, name: &str, call: &Call) -> Result<Receipt> {
    let signer = key(name);
    Ok(client.submit(&signer, call, Inclusion::Finalized).await?)
}

/// Bytes of arguments that are encoded already.
pub(crate) struct Encoded(pub Vec<u8>);

impl Encode for Encoded {
    fn encode_to<T: Output + ?Sized>(&self, output: &mut T) {
        output.write(&self.0);
    }
}

/// The authorities of the current session, in their order, at a node's best block.
pub async fn authorities(node: &str) -> Result<Vec<Account>> {
    let stored: String = request_with(node, "state_getStorage", rpc_params![VALIDATORS]).await?;
    Ok(Decode::decode(&mut &bytes(&stored)?[..])?)
}

/// Whether `name` has been an authority and was convicted of equivocation, at a node's best block.
pub async fn is_convicted(node: &str, name: &str) -> Result<bool> {
    let account = AccountId::from(key(name).public_key().0);
    let place = hex::encode(Bonds::<Runtime>::hashed_key_for(account));
    let parameters = rpc_params![format!("0x{place}")];
    let stored: String = request_with(node, "state_getStorage", parameters).await?;
    Ok(Bond::decode(&mut &bytes(&stored)?[..])?.is_convicted)
}

/// The place of a block's author among the authorities of its session.
pub async fn author(node: &str, block: H256) -> Result<u32> {
    const BEFORE_RUNTIME: u8 = 6;
    let parameters = rpc_params![format!("{block:?}")];
    let header: Value = request_with(node, "chain_getHeader", parameters).await?;
    let claim = header["digest"]["logs"][0].as_str();
    let claim = bytes(claim.context("what the author says before the block")?)?;
    let (kind, engine, claim): (u8, [u8; 4], Vec<u8>) = Decode::decode(&mut &claim[..])?;
    ensure!(
        (kind, &engine) == (BEFORE_RUNTIME, b"BABE"),
        "no slot is claimed"
    );
    // The kind of the slot, and who claims it.
    let (_, author): (u8, u32) = Decode::decode(&mut &claim[..])?;
    Ok(author)
}

/// The hash of a node's block of this number.
pub async fn block_hash(node: &str, number: u32) -> Result<String> {
    Ok(request_with(node, "chain_getBlockHash", rpc_params![number]).await?)
}

/// Whether a node answers that it has what is in its block of this number.
pub async fn has_body(node: &str, number: u32) -> bool {
    let Ok(hash) = block_hash(node, number).await else {
        return false;
    };
    let asked = request_with(node, "chain_getBlock", rpc_params![hash]).await;
    asked.is_ok_and(|block: Option<Value>| block.is_some())
}

/// Whether a node answers that it has the state after its block of this number.
pub async fn has_state(node: &str, number: u32) -> bool {
    let Ok(hash) = block_hash(node, number).await else {
        return false;
    };
    let parameters = rpc_params![VALIDATORS, hash];
    let asked = request_with(node, "state_getStorage", parameters).await;
    asked.is_ok_and(|stored: Option<String>| stored.is_some())
}

/// The bytes that a node answers in hexadecimal.
pub(crate) fn bytes(hexadecimal: &str) -> Result<Vec<u8>> {
    Ok(hex::decode(hexadecimal.trim_start_matches("0x"))?)
}
