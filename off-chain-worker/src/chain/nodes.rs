//! The nodes that a program may talk to. It uses the first one that can be reached, is on the right chain and keeps up with it.
//! When that node fails, the program switches to the next. Before it risks stake, it needs a proof or a second node.

use super::{proof::finality::Trust, Call, ChainError, Client, Grounds, Moment};
use crate::state::{Folder, StateError};
use gotong_protocol::Hash;
use std::{
    future::Future,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, OnceLock,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use subxt::{metadata::ArcMetadata, utils::H256};
use tokio::{sync::Mutex, time::timeout};

/// A node is behind if its newest block is older than this, or if it shows no new block for this long.
pub(super) const LATE: Duration = Duration::from_secs(120);
/// The longest wait until a node is connected and has sent its newest block, so that a node that hangs does not cause a long delay.
/// The node also sends its metadata, nearly a megabyte, which takes some seconds on a slow line.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for a second node's answer.
const OPINION_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for a node's proof: for votes, and for some answers.
const PROOF_TIMEOUT: Duration = Duration::from_secs(30);
/// The shortest wait for a proof, however short a node says that blocks are.
const LEAST_PROOF_TIMEOUT: Duration = Duration::from_secs(1);
/// The folder for what is known about finality, with one file per chain.
const FINALITY: &str = "finality";

/// The nodes that a program may talk to. All clones share which node is tried first.
#[derive(Clone, Debug)]
pub struct Nodes {
    urls: Arc<[String]>,
    /// The hash of the chain's first block: the given one, or else the one that the first node to answer names.
    genesis: Arc<OnceLock<Hash>>,
    /// The index of the node that is tried first.
    first: Arc<AtomicUsize>,
    /// Whether one node's word is enough.
    are_trusted: bool,
    /// Whether nothing but a proof is enough.
    need_proofs: bool,
    /// What is known to be final.
    trust: Arc<Mutex<Option<Trust>>>,
    /// Where it is stored.
    folder: Option<Folder>,
    /// The longest wait until each is connected.
    patience: Duration,
}

/// How long to wait for a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofWait {
    /// Whether there is time to ask again in a later block.
    pub can_wait: bool,
    /// How many blocks all nodes together have for it now, so that a node that never answers does not use up the window.
    pub blocks: u32,
}

impl Nodes {
    /// The nodes at `urls`, the preferred one first. Nodes whose chain does not begin with the block `genesis` are skipped. If it
    /// is not given, the first node that answers decides which chain it is.
    pub fn new(urls: impl IntoIterator<Item = String>, genesis: Option<Hash>) -> Self {
        let mut known: Vec<String> = Vec::new();
        for url in urls {
            // The same node twice is not two nodes.
            if !url.is_empty() && !known.contains(&url) {
                known.push(url);
            }
        }
        Self {
            urls: known.into(),
            genesis: Arc::new(genesis.map_or_else(OnceLock::new, OnceLock::from)),
            first: Arc::default(),
            are_trusted: false,
            need_proofs: false,
            trust: Arc::default(),
            folder: None,
            patience: CONNECT_TIMEOUT,
        }
    }

    /// If `are_trusted`, one node's word is enough.
    pub fn trusted(self, are_trusted: bool) -> Self {
        Self {
            are_trusted,
            ..self
        }
    }

    /// If `need_proofs`, nodes have to prove everything that stake is risked on. Nobody's word is enough.
    pub fn needing_proofs(self, need_proofs: bool) -> Self {
        Self {
            need_proofs,
            ..self
        }
    }

    /// The longest wait for each node's proof, with blocks of this many milliseconds.
    fn proof_timeout(&self, wait: ProofWait, block_millis: u64) -> Duration {
        let together = Duration::from_millis(block_millis).saturating_mul(wait.blocks.max(1));
        let nodes = u32::try_from(self.count()).unwrap_or(u32::MAX);
        (together / nodes.max(1)).clamp(LEAST_PROOF_TIMEOUT, PROOF_TIMEOUT)
    }

    /// Remembers in `folder` who finalizes the chain, so that no node can name different authorities later.
    pub fn remembering(self, folder: Folder) -> Self {
        Self {
            folder: Some(folder),
            ..self
        }
    }

    /// Whether there is more than one node.
    pub(super) fn are_several(&self) -> bool {
        self.urls.len() > 1
    }

    /// What is known to be final, whichever node proved it.
    pub(super) fn trust(&self) -> &Mutex<Option<Trust>> {
        &self.trust
    }

    /// Whether proofs may start from what is `known`. One node's word is not enough if another node can be asked.
    pub(super) fn may_rely_on(&self, known: &Trust) -> bool {
        !(known.is_one_word && self.are_several())
    }

    /// What was known about the chain with this first block when the program last ran.
    pub(super) fn remembered(&self, genesis: &Hash) -> Option<Trust> {
        let load = |folder: &Folder| folder.sub(FINALITY)?.load(&hex::encode(genesis));
        let kept = self.folder.as_ref().map(load)?;
        kept.unwrap_or_else(|error: StateError| {
            tracing::warn!("the authorities that finalize blocks are not remembered: {error}");
            None
        })
    }

    pub(super) fn remember(&self, genesis: &Hash, known: &Trust) {
        let save = |folder: &Folder| folder.sub(FINALITY)?.save(&hex::encode(genesis), known);
        if let Some(Err(error)) = self.folder.as_ref().map(save) {
            tracing::warn!("the authorities that finalize blocks are not stored: {error}");
        }
    }

    /// Connects to the first node that can be used. Each node has some seconds to answer. If all nodes that can be reached are
    /// behind, the chain itself may stand still, so it connects to the first of those.
    pub async fn connect(&self) -> Result<Client, ChainError> {
        let (mut behind, mut failures) = (None, Vec::new());
        for (place, url) in self.in_turn() {
            let opened = async {
                let client = self.open(url).await?;
                let age = self.check_age(&client).await;
                Ok::<_, ChainError>((client, age))
            };
            let opened = timeout(self.patience, opened).await;
            let failure = match opened.unwrap_or_else(|_| Err(self.hangs(url))) {
                Err(error) => error,
                Ok((client, Ok(()))) => return Ok(self.taken(place, client)),
                Ok((client, Err(error))) => {
                    if matches!(error, ChainError::Behind { .. }) {
                        behind.get_or_insert((place, client));
                    }
                    error
                }
            };
            if self.are_several() {
                tracing::warn!("{failure}");
            }
            failures.push(failure);
        }
        match behind {
            Some((place, client)) => Ok(self.taken(place, client)),
            None => Err(ChainError::none_of(failures)),
        }
    }

    /// The number of nodes.
    pub fn count(&self) -> usize {
        self.urls.len()
    }

    /// From now on, the node after the one used last is tried first.
    pub fn pass_over(&self) {
        let next = self.first.load(Ordering::Relaxed).saturating_add(1);
        let next = next.checked_rem(self.urls.len()).unwrap_or(0);
        self.first.store(next, Ordering::Relaxed);
    }

    /// From now on, the node at `url` is tried first, if it is one of them.
    pub fn turn_to(&self, url: &str) {
        if let Some(place) = self.urls.iter().position(|known| known == url) {
            self.first.store(place, Ordering::Relaxed);
        }
    }

    fn taken(&self, place: usize, client: Client) -> Client {
        self.first.store(place, Ordering::Relaxed);
        client
    }

    fn hangs(&self, url: &str) -> ChainError {
        let seconds = self.patience.as_secs();
        ChainError::unreachable(url, &format!("it did not answer within {seconds} seconds"))
    }

    /// All nodes with their indexes, beginning with the one that is tried first.
    fn in_turn(&self) -> impl Iterator<Item = (usize, &String)> {
        let first = self.first.load(Ordering::Relaxed);
        let after = self.urls.iter().enumerate().skip(first);
        after.chain(self.urls.iter().enumerate().take(first))
    }

    /// Connects to a node, which has to be on the chain.
    async fn open(&self, url: &str) -> Result<Client, ChainError> {
        let client = Client::open(url, self.clone()).await?;
        let found = client.genesis().0;
        let expected = *self.genesis.get_or_init(|| found);
        match found == expected {
            true => Ok(client),
            false => Err(ChainError::OtherChain {
                url: url.to_owned(),
                found,
                expected,
            }),
        }
    }

    /// Fails if there are other nodes and this one is far behind. The node is compared with this machine's clock, not with other
    /// nodes, because a node that lies about its blocks could make the others look late.
    async fn check_age(&self, client: &Client) -> Result<(), ChainError> {
        if !self.are_several() {
            return Ok(());
        }
        let age = age(&client.best().await?).await?;
        match age <= LATE {
            true => Ok(()),
            false => Err(behind(client, age)),
        }
    }
}

/// How long ago the block was made, by this machine's clock.
pub(super) async fn age(now: &Moment) -> Result<Duration, ChainError> {
    let made = Duration::from_millis(now.time().await?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(now.saturating_sub(made))
}

fn behind(client: &Client, age: Duration) -> ChainError {
    ChainError::Behind {
        url: client.url().to_owned(),
        seconds: age.as_secs(),
    }
}

/// Whether a node may not have the newest blocks: it says that it is syncing, or its newest block is old because it has no peers
/// yet.
fn is_behind(is_syncing: bool, age: Duration) -> bool {
    is_syncing || age > LATE
}

impl Client {
    /// Whether this client's node has to prove what it says, or another node has to confirm it.
    pub fn is_doubted(&self) -> bool {
        !self.nodes.are_trusted
    }

    /// Fails if the node has not caught up with the chain at `now`, its best block. Something may be on the chain that such a node
    /// does not know yet.
    ///
    /// # Errors
    /// [`ChainError::Behind`] if the node has not caught up; trying again later may help.
    pub async fn check_caught_up(&self, now: &Moment) -> Result<(), ChainError> {
        let age = age(now).await?;
        match is_behind(self.rpc.system_health().await?.is_syncing, age) {
            true => Err(behind(self, age)),
            false => Ok(()),
        }
    }

    /// The metadata of the runtime that executed the block with this hash, from the first other node that has its state. Whatever
    /// is found with it is checked by a hash, so nobody has to trust that node.
    pub(super) async fn metadata_elsewhere(&self, block: H256) -> Option<ArcMetadata> {
        for (_, url) in self.nodes.in_turn() {
            if url == self.url() {
                continue;
            }
            let asked = async {
                let other = self.nodes.open(url).await?;
                Ok::<_, ChainError>(other.api.at_block(block).await?.metadata())
            };
            match timeout(OPINION_TIMEOUT, asked).await {
                Ok(Ok(metadata)) => return Some(metadata),
                Ok(Err(error)) => tracing::debug!(url, "no metadata of an old block: {error}"),
                Err(_) => tracing::debug!(url, "the metadata of an old block did not come in time"),
            }
        }
        None
    }

    /// Fails unless `call`, which relies on `grounds`, may be signed.
    ///
    /// It may be signed if any node proves that the chain's state at a final block agrees with `grounds`. If that state says
    /// something else, it fails with [`ChainError::Disproved`]; if this client's node sends what no honest node would, with
    /// [`ChainError::BadProof`]. In both cases the next node should be used. As long as nothing is proved and there is time to
    /// `wait`, it fails with [`ChainError::Unproved`]. After that, a second node has to confirm: `is_said` asks it at its best
    /// block. If there is no other node, this one is believed, unless only proofs are enough.
    pub async fn confirm(
        &self,
        call: &Call,
        grounds: &Grounds<'_>,
        wait: ProofWait,
        is_said: impl AsyncFn(&Moment) -> Result<bool, ChainError>,
    ) -> Result<(), ChainError> {
        if !self.is_doubted() {
            return Ok(());
        }
        let best = self.best().await?;
        let encoded = self.encoded(call, &best)?;
        let limit = self.nodes.proof_timeout(wait, best.block_millis()?);
        let Err(failures) = self.proved(grounds, wait.can_wait, limit).await? else {
            return Ok(());
        };
        let unproved = ChainError::Unproved(failures);
        if wait.can_wait || self.nodes.need_proofs {
            if !wait.can_wait {
                tracing::error!("nothing is sent without a proof (--require-finality)");
            }
            return Err(unproved);
        }
        if !self.nodes.are_several() {
            tracing::warn!("{unproved}. There is no other node to ask, so this one is trusted");
            return Ok(());
        }
        tracing::warn!("{unproved}. Asking a second node to confirm");
        self.second_word(async |other: Client| {
            let other = other.best().await?;
            let is_same = call.encoded(other.metadata())? == encoded;
            Ok::<_, ChainError>(is_same && is_said(&other).await?)
        })
        .await
    }

    /// The call, encoded for the chain at `moment`, which is a block of this client's node.
    ///
    /// # Errors
    /// [`ChainError::Disproved`] if the call can cost stake or a bond, and the node's metadata gives its name to a different call.
    pub fn encoded(&self, call: &Call, moment: &Moment) -> Result<Vec<u8>, ChainError> {
        let encoded = call.encoded(moment.metadata())?;
        match call.is_encoded_as_known(&encoded) {
            true => Ok(encoded),
            false => Err(ChainError::Disproved {
                url: self.url().to_owned(),
            }),
        }
    }

    /// Whether the `grounds` are proved, or why not by each node that was asked. The other nodes are asked if this client's has no
    /// proof, or is too far behind and there is no time to wait for it. Each has up to `limit`.
    ///
    /// # Errors
    /// [`ChainError::Disproved`] or [`ChainError::BadProof`] if this client's node lies.
    pub async fn proved(
        &self,
        grounds: &Grounds<'_>,
        can_wait: bool,
        limit: Duration,
    ) -> Result<Result<(), Vec<ChainError>>, ChainError> {
        let disproved = || ChainError::Disproved {
            url: self.url().to_owned(),
        };
        let failure = match in_time(self.url(), limit, self.prove(grounds)).await {
            Ok(true) => return Ok(Ok(())),
            Ok(false) => return Err(disproved()),
            Err(ChainError::BadProof { url, source }) if source.is_a_lie() => {
                return Err(ChainError::BadProof { url, source });
            }
            Err(error) => error,
        };
        let is_late = matches!(failure, ChainError::NotFinal { .. });
        let mut failures = vec![failure];
        if is_late && can_wait {
            return Ok(Err(failures));
        }
        for url in self.others() {
            let asked = async { self.nodes.open(url).await?.prove(grounds).await };
            match in_time(url, limit, asked).await {
                Ok(true) => return Ok(Ok(())),
                Ok(false) => return Err(disproved()),
                Err(error) => failures.push(error),
            }
        }
        Ok(Err(failures))
    }

    /// Fails unless another node confirms it.
    pub(super) async fn second_word(
        &self,
        says_so: impl AsyncFn(Client) -> Result<bool, ChainError>,
    ) -> Result<(), ChainError> {
        let mut failures = Vec::new();
        for url in self.others() {
            let asked = async { says_so(self.nodes.open(url).await?).await };
            let failure = match in_time(url, OPINION_TIMEOUT, asked).await {
                Ok(true) => return Ok(()),
                Ok(false) => ChainError::Contradicted { url: url.clone() },
                Err(error) => error,
            };
            failures.push(failure);
        }
        Err(ChainError::Unconfirmed(failures))
    }

    /// Connects to another node, which has to be on the same chain.
    pub async fn open_other(&self, url: &str) -> Result<Self, ChainError> {
        in_time(url, OPINION_TIMEOUT, self.nodes.open(url)).await
    }

    /// The URLs of the other nodes.
    pub fn others(&self) -> impl Iterator<Item = &String> {
        let all = self.nodes.in_turn().map(|(_, url)| url);
        all.filter(move |url| *url != self.url())
    }
}

/// The answer of the node at `url`, if it comes within `limit`.
async fn in_time<T>(
    url: &str,
    limit: Duration,
    asked: impl Future<Output = Result<T, ChainError>>,
) -> Result<T, ChainError> {
    let silent = |_| ChainError::Silent {
        url: url.to_owned(),
        seconds: limit.as_secs(),
    };
    timeout(limit, asked).await.map_err(silent)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::proof::finality::AuthoritySet;

    fn nodes(urls: &[&str]) -> Nodes {
        Nodes::new(urls.iter().map(|&url| url.to_owned()), None)
    }

    fn turns(nodes: &Nodes) -> Vec<&str> {
        nodes.in_turn().map(|(_, url)| url.as_str()).collect()
    }

    /// After an outage of the machine, such a node may say that a registration is missing. That is no reason to exit.
    #[test]
    fn a_node_that_syncs_may_know_nothing_of_late() {
        let second = Duration::from_secs(1);
        assert!(is_behind(true, second));
        assert!(is_behind(false, LATE + second), "it has no peers yet");
        assert!(!is_behind(false, LATE));
    }

    #[test]
    fn after_a_node_that_failed_the_next_one_is_tried_first() {
        let nodes = nodes(&["a", "b", "c"]);
        assert_eq!(turns(&nodes), ["a", "b", "c"]);
        nodes.pass_over();
        assert_eq!(turns(&nodes.clone()), ["b", "c", "a"]);
        for _ in 0..2 {
            nodes.clone().pass_over();
        }
        assert_eq!(turns(&nodes), ["a", "b", "c"]);
        nodes.clone().turn_to("c");
        assert_eq!(turns(&nodes), ["c", "a", "b"]);
        nodes.turn_to("d");
        assert_eq!(turns(&nodes), ["c", "a", "b"], "it is none of them");
    }

    #[test]
    fn a_node_that_is_named_twice_is_no_second_one() {
        let one = nodes(&["a", "a", ""]);
        assert_eq!(turns(&one), ["a"]);
        one.pass_over();
        assert_eq!(turns(&one), ["a"]);
        assert!(!one.are_several());
        assert!(nodes(&["a", "b"]).are_several());
    }

    #[test]
    fn one_nodes_word_on_who_finalizes_is_remembered_and_not_relied_on_beside_others() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = || Folder::open(temporary.path()).unwrap();
        let known = Trust {
            set: AuthoritySet {
                id: 1,
                authorities: Vec::new(),
            },
            number: 2,
            hash: [3; 32],
            is_one_word: true,
        };
        let chain = [7; 32];
        let one = nodes(&["a"]);
        one.remember(&chain, &known);
        assert_eq!(one.remembered(&chain), None, "there is no folder");
        let one = one.remembering(folder());
        assert_eq!(one.remembered(&chain), None);
        one.remember(&chain, &known);
        assert_eq!(one.remembered(&chain), Some(known.clone()));
        assert_eq!(one.remembered(&[8; 32]), None, "another chain");
        assert!(one.may_rely_on(&known));

        let two = nodes(&["a", "b"]).remembering(folder());
        let kept = two.remembered(&chain).unwrap();
        assert!(!two.may_rely_on(&kept));
        assert!(two.may_rely_on(&Trust {
            is_one_word: false,
            ..kept
        }));
    }

    #[test]
    fn nodes_that_never_prove_anything_do_not_cost_the_window() {
        let seconds = |names: &[&str], blocks: u32, block_millis: u64| {
            let wait = ProofWait {
                can_wait: true,
                blocks,
            };
            nodes(names).proof_timeout(wait, block_millis).as_secs()
        };
        assert_eq!(seconds(&["a"], 100, 6_000), 30);
        assert_eq!(seconds(&["a"], 2, 6_000), 12);
        assert_eq!(seconds(&["a", "b", "c"], 2, 6_000), 4);
        // A node made this up.
        assert_eq!(seconds(&["a"], 2, u64::MAX), 30);
        assert_eq!(seconds(&["a", "b"], 2, 0), 1);
        assert_eq!(seconds(&[], 0, 0), 1);
    }

    /// Nobody listens there.
    const DEAD: [&str; 2] = ["ws://127.0.0.1:1", "ws://127.0.0.1:2"];

    /// The system accepts the connection, but nobody answers.
    #[tokio::test]
    async fn a_node_that_hangs_delays_nobody() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let hangs = format!("ws://{}", listener.local_addr().unwrap());
        let nodes = Nodes {
            patience: Duration::from_millis(50),
            ..nodes(&[&hangs, DEAD[0]])
        };
        let connected = timeout(Duration::from_secs(5), nodes.connect()).await;
        let Ok(Err(ChainError::NoNode(failures))) = connected else {
            panic!("waited, or connected");
        };
        assert!(
            matches!(
                &*failures,
                [
                    ChainError::Unreachable { url, .. },
                    ChainError::Unreachable { url: dead, .. },
                ] if *url == hangs && dead == DEAD[0]
            ),
            "{failures:?}"
        );
    }

    #[tokio::test]
    async fn that_no_node_can_be_used_says_why_of_each() {
        let one = nodes(&DEAD[..1]).connect().await;
        assert!(
            matches!(&one, Err(ChainError::Unreachable { url, .. }) if url == DEAD[0]),
            "{:?}",
            one.err()
        );
        let both = nodes(&DEAD).connect().await;
        let Err(ChainError::NoNode(failures)) = both else {
            panic!("connected");
        };
        for (failure, dead) in failures.iter().zip(DEAD) {
            assert!(
                matches!(failure, ChainError::Unreachable { url, .. } if url == dead),
                "{failure:?}"
            );
        }
        assert_eq!(failures.len(), 2);
    }
}
