//! Clients that others wrote. They contain none of our code, and know the chain by what it says about itself.

use super::{contribute, small_task, ROUND_LIMIT};
use anyhow::{ensure, Context, Result};
use gotong::process::{sibling, Node};
use gotong_protocol::RoundId;
use gotong_tests::{
    addresses, assert_settled,
    clients::{Clients, PythonClient},
    connect, key, Network,
};
use serde_json::{json, Value};
use std::process::Command;

/// The setting with which the Wasm of a development chain was compiled.
const METADATA_HASH: &str = include_str!("../../../runtime/metadata/hash-fast.txt");

/// Each registers an account; asks for stake, tasks, the round, rewards, duties and disputes by runtime APIs, as far as it supports
/// them; and reads storage and constants.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js: make test-clients"]
async fn clients_register_and_read_what_the_chain_says() -> Result<()> {
    let accounts = ["Sponsor", "Judith", "Polly", "Papi", "Sue", "Ada"];
    let network = Network::start(&accounts).await?;
    let url = network.node.url();
    let clients = Clients::new(network.folder())?;
    small_task(&network, &[], &["Judith"]).await?;

    let script = "polkadot-js.mjs";
    let polkadot_js = clients
        .javascript(script, &["register", &url, "//Polly"])
        .await?;
    clients.generate_papi(&url).await?;
    let papi = clients.javascript("papi.mjs", &[&url, "//Papi"]).await?;
    let client = PythonClient::SubstrateInterface;
    let substrate_interface = clients.python(client, &[&url, "//Sue"]).await?;
    let client = PythonClient::AioSubstrateInterface;
    let aio_substrate_interface = clients.python(client, &[&url, "//Ada"]).await?;

    let expected = json!({
        "stake": "100000000000000",
        "viewed_stake": "100000000000000",
        "stored_stake": "100000000000000",
        "name": "test",
        "stored_name": "test",
        "phase": "Commit",
        "duties": ["Commit"],
        "tasks": [0],
        "rewards": 0,
        "disputes": 0,
        "block_millis": 1_000,
        "move_blocks": 20,
    });
    for (told, answers) in [
        (polkadot_js, 10),
        (papi, 8),
        (substrate_interface, 5),
        (aio_substrate_interface, 10),
    ] {
        let told = told.as_object().context("an object")?;
        assert_eq!(told.len(), answers, "{told:?}");
        for (name, value) in told {
            assert_eq!(value, &expected[name], "{name} of {told:?}");
        }
    }
    Ok(())
}

/// It shows what it signs by means of metadata whose hash is part of the signature, and the chain compares that with its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js: make test-clients"]
async fn a_hardware_wallet_signs_what_it_has_shown() -> Result<()> {
    let network = Network::start(&["Polly"]).await?;
    let clients = Clients::new(network.folder())?;
    network
        .run("Polly", "register --role=contributor --stake=100")
        .await?;
    let arguments = ["sign-offline", &network.node.url(), "//Polly"];
    let told = clients.javascript("polkadot-js.mjs", &arguments).await?;
    assert_eq!(told["hash"], METADATA_HASH.trim());
    // The signature covers a hash that the chain does not know: `POOL_INVALID_TX` of sc-rpc-api, for `InvalidTransaction::BadProof`.
    let bad_proof = json!({ "code": 1010, "data": "Transaction has a bad signature" });
    assert_eq!(told["refused"], bad_proof);
    Ok(())
}

/// The fork runs the chain's code on the state of one of its blocks, in a process without a node. The node hears nothing of it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js: make test-clients"]
async fn a_fork_makes_a_block_of_its_own() -> Result<()> {
    let network = Network::start(&["Sponsor", "Polly", "Judith"]).await?;
    let clients = Clients::new(network.folder())?;
    small_task(&network, &[], &["Judith"]).await?;
    let block = format!("{:?}", network.client.best().await?.hash());

    let url = network.node.url();
    let arguments: [&str; 4] = [&url, &block, "//Polly", "//Receiver"];
    let told = clients.javascript("chopsticks.mjs", &arguments).await?;
    let expected = json!({
        "blocks": 1,
        "is_included": true,
        "received": "1000000000000",
        "name": "test",
    });
    assert_eq!(told, expected);
    let moment = network.client.best().await?;
    let receiver = moment.balance(&key("Receiver").public_key().0).await?;
    assert_eq!(receiver.free, 0, "the node heard of the transfer");
    Ok(())
}

/// The worker is gone after its reveal, and with it everything that it knew about the round. An attester publishes the credit. An
/// account is told to claim only if it is owed something, and only until it has claimed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js: make test-clients"]
async fn a_wallet_claims_what_the_chain_says_it_may() -> Result<()> {
    let network = Network::start(&["Sponsor", "Polly", "Judith"]).await?;
    let clients = Clients::new(network.folder())?;
    let task = small_task(&network, &["Polly"], &["Judith"]).await?;
    let _workers = [
        network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?,
        network.daemon("Judith", "attest --trust-nodes")?,
    ];
    let mut contributor = network.daemon("Polly", &contribute(task, "1/1"))?;
    network
        .until("a reveal", ROUND_LIMIT, async |moment| {
            let round = moment.round(task, RoundId(0)).await?;
            Ok(round.filter(|round| round.reveals > 0))
        })
        .await?;
    contributor.kill();
    assert_settled(&network.ended(task, 0, ROUND_LIMIT).await?)?;

    let url = network.node.url();
    let script = "polkadot-js.mjs";
    let owed = clients
        .javascript(script, &["owed", &url, "//Judith"])
        .await?;
    let paid = json!({ "claimable": null, "claims": 0, "rewards": ["Paid"] });
    assert_eq!(owed, paid, "what attesters earn is not claimed");
    let claimed = clients
        .javascript(script, &["claim", &url, "//Polly"])
        .await?;
    assert_eq!(claimed["rounds"], 1);
    assert_eq!(claimed["claims"], 1);
    assert_ne!(claimed["pays"], "0");
    assert_eq!(claimed["got"], claimed["pays"]);
    let owed = clients
        .javascript(script, &["owed", &url, "//Polly"])
        .await?;
    let nothing = json!({ "claimable": null, "claims": 0, "rewards": ["Claimed"] });
    assert_eq!(owed, nothing);
    let moment = network.client.best().await?;
    let round = moment.round(task, RoundId(0)).await?;
    assert_eq!(round.context("the round")?.claims, 1);
    Ok(())
}

/// There are three authorities; a node that serves pages, as every node that is not an authority does; and a light client that
/// knows only the first block and the address of that node.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js: make test-clients"]
async fn a_light_client_follows_a_network_of_three() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clients = Clients::new(folder.path())?;
    let spec = folder.path().join("spec.json");
    let export = Command::new(sibling("gotong-node")?)
        .args(["export-chain-spec", "--chain=local", "--raw", "--output"])
        .arg(&spec)
        .output()?;
    let complaint = String::from_utf8_lossy(&export.stderr).into_owned();
    ensure!(export.status.success(), "no specification: {complaint}");

    let chain = format!("--chain={}", spec.display());
    let mut nodes: Vec<Node> = Vec::new();
    let mut listening: Vec<String> = Vec::new();
    let roles = [
        &["--alice", "--validator"][..],
        &["--bob", "--validator"],
        &["--charlie", "--validator"],
        &[],
    ];
    for (number, role) in roles.into_iter().enumerate() {
        let own = folder.path().join(number.to_string());
        std::fs::create_dir(&own)?;
        // Network keys that anybody knows.
        let key = format!("--node-key={:064x}", number + 1);
        let first = listening
            .first()
            .map(|first| format!("--bootnodes={first}"));
        let mut arguments = vec!["--no-mdns", &chain, &key];
        arguments.extend(role);
        arguments.extend(first.as_deref());
        let mut node = Node::launch(&own, &own, &arguments)?;
        connect(&mut node).await?;
        // A node that is not an authority also listens for WebRTC, which this light client does not support.
        let mut own = addresses(&node.url()).await?.into_iter();
        let address = own.find(|one| one.starts_with("/ip4/127.0.0.1/tcp/"));
        listening.push(address.context("the node listens on this machine")?);
        nodes.push(node);
    }
    let boot = listening.pop().context("four nodes")?;
    ensure!(boot.contains("/ws/"), "no page can reach {boot}");

    let spec = spec.display().to_string();
    let told = clients.javascript("light.mjs", &[&spec, &boot]).await?;
    assert_eq!(told["spec_name"], "gotong");
    ensure!(told["final"].as_array().is_some_and(|list| list.len() >= 2));
    assert_eq!(
        told["complaints"],
        Value::Array(vec![]),
        "deprecated fields"
    );
    Ok(())
}
