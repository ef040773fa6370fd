//! Which nodes a program may talk to: it takes the first that can be reached, is on the right chain and keeps up with it, goes on
//! with the next when that one fails, and asks a second one before it risks stake.

use super::{Call, ChainError, Client, Moment};
use gotong_protocol::Hash;
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, OnceLock,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use subxt::{metadata::ArcMetadata, utils::H256};
use tokio::time::timeout;

/// A node whose newest block is older than this is behind, as is one that shows no new block for as long.
pub(super) const LATE: Duration = Duration::from_secs(120);
/// Longest wait for a node to be connected and to tell its newest block, so that one that hangs delays nobody. It sends its
/// metadata, most of a megabyte, for which a slow line needs some seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for what a second node says.
const OPINION_TIMEOUT: Duration = Duration::from_secs(10);

/// The nodes that a program may talk to. Clones know of one another which node was taken.
#[derive(Clone, Debug)]
pub struct Nodes {
    urls: Arc<[String]>,
    /// Hash of the chain's first block: the one that was given, or that of the first node that answered.
    genesis: Arc<OnceLock<Hash>>,
    /// Place of the node that is tried first.
    first: Arc<AtomicUsize>,
    /// Whether one node's word is enough where there are several.
    are_trusted: bool,
    /// Longest wait for each to be connected.
    patience: Duration,
}

impl Nodes {
    /// The nodes at `urls`, the preferred one first. Nodes of another chain than that of `genesis` are passed over; without it
    /// the first one that answers tells the chain.
    pub fn new(urls: impl IntoIterator<Item = String>, genesis: Option<Hash>) -> Self {
        let mut known: Vec<String> = Vec::new();
        for url in urls {
            // The same node is no second one.
            if !url.is_empty() && !known.contains(&url) {
                known.push(url);
            }
        }
        Self {
            urls: known.into(),
            genesis: Arc::new(genesis.map_or_else(OnceLock::new, OnceLock::from)),
            first: Arc::default(),
            are_trusted: false,
            patience: CONNECT_TIMEOUT,
        }
    }

    /// Nodes of which one's word is enough, if `are_trusted`.
    pub fn trusted(self, are_trusted: bool) -> Self {
        Self {
            are_trusted,
            ..self
        }
    }

    /// Whether there is more than one.
    pub(super) fn are_several(&self) -> bool {
        self.urls.len() > 1
    }

    /// Whether what one says is to be confirmed by another.
    fn are_doubted(&self) -> bool {
        self.are_several() && !self.are_trusted
    }

    /// Connects to the first node that can be used, and gives each some seconds to answer. If all that can be reached are
    /// behind, the chain may stand still: then the first of those.
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

    /// How many there are.
    pub fn count(&self) -> usize {
        self.urls.len()
    }

    /// The node after the one that was taken last is tried first from now on.
    pub fn pass_over(&self) {
        let next = self.first.load(Ordering::Relaxed).saturating_add(1);
        let next = next.checked_rem(self.urls.len()).unwrap_or(0);
        self.first.store(next, Ordering::Relaxed);
    }

    fn taken(&self, place: usize, client: Client) -> Client {
        self.first.store(place, Ordering::Relaxed);
        client
    }

    fn hangs(&self, url: &str) -> ChainError {
        let seconds = self.patience.as_secs();
        ChainError::unreachable(url, &format!("it does not answer within {seconds} seconds"))
    }

    /// All of them with their places, from the one that is tried first.
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

    /// Fails if there are other nodes and this one is far behind. What is compared is this machine's clock and not another
    /// node: one that lies about its blocks may not speak against the rest.
    async fn check_age(&self, client: &Client) -> Result<(), ChainError> {
        if !self.are_several() {
            return Ok(());
        }
        let made = Duration::from_millis(client.best().await?.time().await?);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let age = now.saturating_sub(made);
        match age <= LATE {
            true => Ok(()),
            false => Err(ChainError::Behind {
                url: client.url().to_owned(),
                seconds: age.as_secs(),
            }),
        }
    }
}

impl Client {
    /// Whether what this client's node says is to be confirmed by another one.
    pub fn is_doubted(&self) -> bool {
        self.nodes.are_doubted()
    }

    /// The metadata of the runtime that executed the block of this hash, from the first other node that has its state. What
    /// is found by it is checked by its hash, so that nobody has to trust the node.
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
                Err(_) => tracing::debug!(url, "no metadata of an old block in time"),
            }
        }
        None
    }

    /// Fails unless a second node says the same as this client's: `is_said` asks it at its best block. It also has to encode
    /// `call` in the same way: what is signed follows from metadata that a node sent. Nobody is asked if there is only one
    /// node, or one is enough.
    pub async fn confirm(
        &self,
        call: &Call,
        is_said: impl AsyncFn(&Moment) -> Result<bool, ChainError>,
    ) -> Result<(), ChainError> {
        if !self.is_doubted() {
            return Ok(());
        }
        let encoded = call.encoded(self.best().await?.metadata())?;
        let mut failures = Vec::new();
        for (_, url) in self.nodes.in_turn() {
            if url == self.url() {
                continue;
            }
            let asked = async {
                let other = self.nodes.open(url).await?.best().await?;
                let is_same = call.encoded(other.metadata())? == encoded;
                Ok::<_, ChainError>(is_same && is_said(&other).await?)
            };
            let url = url.clone();
            let failure = match timeout(OPINION_TIMEOUT, asked).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => ChainError::Contradicted { url },
                Ok(Err(error)) => error,
                Err(_) => ChainError::Silent {
                    url,
                    seconds: OPINION_TIMEOUT.as_secs(),
                },
            };
            failures.push(failure);
        }
        Err(ChainError::Unconfirmed(failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(urls: &[&str]) -> Nodes {
        Nodes::new(urls.iter().map(|&url| url.to_owned()), None)
    }

    fn turns(nodes: &Nodes) -> Vec<&str> {
        nodes.in_turn().map(|(_, url)| url.as_str()).collect()
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
    }

    #[test]
    fn a_node_that_is_named_twice_is_no_second_one() {
        let one = nodes(&["a", "a", ""]);
        assert_eq!(turns(&one), ["a"]);
        one.pass_over();
        assert_eq!(turns(&one), ["a"]);
        assert!(!one.are_several() && !one.are_doubted());
        let two = nodes(&["a", "b"]);
        assert!(two.are_doubted());
        assert!(!two.trusted(true).are_doubted());
    }

    /// Nobody listens there.
    const DEAD: [&str; 2] = ["ws://127.0.0.1:1", "ws://127.0.0.1:2"];

    /// The system takes the connection, and nobody answers.
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
