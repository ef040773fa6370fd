//! What can go wrong between this program and the chain.

use super::{proof::ProofError, Call};
use gotong_protocol::{Hash, TaskId};
use subxt::{
    error::{BackendError, DispatchError, ExtrinsicError, RpcError, TransactionEventsError},
    rpcs,
};

/// Why the chain could not be asked, or why it refused something.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Nobody answers at the address.
    #[error("cannot reach a node at {url}: {reason}")]
    Unreachable {
        /// The node's URL.
        url: String,
        /// What the connection reported.
        reason: String,
    },
    /// The node is on another chain.
    #[error(
        "the node at {url} is on another chain: its first block has the hash 0x{}, not 0x{}",
        hex::encode(.found), hex::encode(.expected)
    )]
    OtherChain {
        /// Where the node is.
        url: String,
        /// The hash of its chain's first block.
        found: Hash,
        /// What that hash should be.
        expected: Hash,
    },
    /// The node does not keep up with the chain, or the chain stands still.
    #[error("the node at {url} is behind: its newest block is {seconds} seconds old")]
    Behind {
        /// Where the node is.
        url: String,
        /// Age of its newest block.
        seconds: u64,
    },
    /// The node is connected but sends nothing.
    #[error("the node at {url} has sent nothing new for {seconds} seconds")]
    Silent {
        /// Where the node is.
        url: String,
        /// For how long.
        seconds: u64,
    },
    /// No node can be used.
    #[error("no node can be used: {}", listed(.0))]
    NoNode(
        /// The reason for each node.
        Vec<ChainError>,
    ),
    /// A second node does not confirm what the first one says.
    #[error("the node at {url} disagrees, or does not know the facts yet")]
    Contradicted {
        /// Where the second node is.
        url: String,
    },
    /// The last block that is known to be final is too early for the question.
    #[error(
        "the node at {url} proves only that block {block} is final, but a later block is needed"
    )]
    NotFinal {
        /// Where the node is.
        url: String,
        /// Number of the block.
        block: u32,
    },
    /// The node shows no votes that make a block final: finality may be stalled.
    #[error("the node at {url} showed no newly finalized block within {seconds} seconds")]
    NoVotes {
        /// Where the node is.
        url: String,
        /// How long the worker waited.
        seconds: u64,
    },
    /// A node sent a proof that does not prove what it should.
    #[error("the proof that the node at {url} sent is wrong: {source}")]
    BadProof {
        /// Where the node is.
        url: String,
        /// What is wrong.
        source: ProofError,
    },
    /// The chain's final state shows that the node lied.
    #[error("the node at {url} lies: the chain's final state contradicts it")]
    Disproved {
        /// Where the node is.
        url: String,
    },
    /// The node hides something that the account has to do, and another node shows it.
    #[error("the node at {url} hides that the account has to {what}, which the node at {shown_by} shows")]
    Hidden {
        /// Where the node is.
        url: String,
        /// Where the other node is.
        shown_by: String,
        /// What the account has to do.
        what: String,
    },
    /// Stake or a bond would be at risk, and no node proves the facts behind it.
    #[error("no node can yet prove the facts that the call relies on: {}", listed(.0))]
    Unproved(
        /// The result for each node that was asked.
        Vec<ChainError>,
    ),
    /// Stake or a bond would be at risk on the word of one node, and no other one confirms it.
    #[error("no second node confirms the facts that the call relies on, so nothing is sent: {}", listed(.0))]
    Unconfirmed(
        /// The result for each other node.
        Vec<ChainError>,
    ),
    /// The connection is gone.
    #[error("the connection to the node was lost: {0}")]
    Disconnected(String),
    /// The call was executed and a pallet refused it, with the name of its error.
    #[error("refused: {name}. {docs}")]
    Refused {
        /// The name of the error, such as `NotRegistered`.
        name: String,
        /// What the runtime says about it.
        docs: String,
    },
    /// The call was executed and failed with an error that belongs to no pallet.
    #[error("the call failed: {0}")]
    Failed(String),
    /// The node did not accept the transaction, because it is invalid or its fee cannot be paid.
    #[error("the node did not accept the transaction: {reason}")]
    Rejected {
        /// The code of the node's answer.
        code: i32,
        /// What the node said.
        reason: String,
        /// Whether it was refused only because of a fork that is not the best chain: the pool looked at it, or the transaction was
        /// signed for one of its blocks. If so, the call may be signed again, unless it is about one of those blocks.
        of_a_fork: bool,
    },
    /// Another transaction of the account came first, or the runtime was upgraded; the call may be signed again with the next
    /// nonce.
    #[error("the transaction's nonce or runtime is no longer the current one: {0}")]
    Overtaken(String),
    /// The transaction left the pool before any block took it; it may be sent again.
    #[error("the transaction was dropped: {0}")]
    Dropped(String),
    /// The node does not answer questions that have to be answered before a call can be signed. Nothing was sent, so the call may
    /// be sent again, or to another node.
    #[error(
        "nothing was sent: for {seconds} seconds, the node at {url} has not given what signing a call needs"
    )]
    Unsent {
        /// Where the node is.
        url: String,
        /// For how long.
        seconds: u64,
    },
    /// A block may have taken the transaction without being seen, or may still take it.
    #[error(
        "no block was seen to take the transaction. One may have done so, or one of the next 256 may: check before you send it \
         again"
    )]
    Pending,
    /// The chain does not have something that this worker needs, because it runs another runtime.
    #[error("the chain has no {0}: this worker does not match the chain's runtime")]
    Incompatible(String),
    /// The chain answered with something that cannot be read.
    #[error("cannot decode {what}: {source}")]
    Undecodable {
        /// What was asked for.
        what: String,
        /// Why it cannot be read.
        source: codec::Error,
    },
    /// No task has this id at the block in question. It may exist in the next block, or on another fork.
    #[error("there is no task {0}")]
    NoTask(TaskId),
    /// A payload that the chain says is in a block is not there.
    #[error("not found in block {block}: {what}")]
    Missing {
        /// What is missing.
        what: String,
        /// The number of the block.
        block: u32,
    },
    /// The node answered with an error.
    #[error("the node answered: {0}")]
    Node(String),
    /// The program is ending, or has a bug.
    #[error("reading a block's body was interrupted: {0}")]
    Aborted(#[from] tokio::task::JoinError),
}

impl ChainError {
    /// Whether a pallet refused the call with the error called `expected`.
    pub fn is_refusal(&self, expected: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name == expected)
    }

    /// Whether a pallet refused `call` because it has already been made: an earlier transaction of the same account was executed
    /// after all.
    pub fn is_done_already(&self, call: &Call) -> bool {
        call.done_already()
            .is_some_and(|name| self.is_refusal(name))
    }

    /// The error that no node can be used, with the reason for each.
    pub(super) fn none_of(mut failures: Vec<Self>) -> Self {
        match failures.pop() {
            Some(only) if failures.is_empty() => only,
            last => {
                failures.extend(last);
                Self::NoNode(failures)
            }
        }
    }

    /// Whether another connection may help: this node, or every node, is unusable now, or what it says is wrong.
    pub fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Disconnected(_)
                | Self::Silent { .. }
                | Self::Unsent { .. }
                | Self::NoNode(_)
                | Self::BadProof { .. }
                | Self::Disproved { .. }
                | Self::Hidden { .. }
        )
    }

    /// The URL of the node that showed what this one hid. It should be used next.
    pub fn shown_by(&self) -> Option<&str> {
        match self {
            Self::Hidden { shown_by, .. } => Some(shown_by),
            _ => None,
        }
    }

    pub(super) fn unreachable(url: &str, reason: &impl ToString) -> Self {
        Self::Unreachable {
            url: url.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn incompatible(what: impl Into<String>) -> Self {
        Self::Incompatible(what.into())
    }

    pub(super) fn undecodable(what: impl Into<String>) -> impl FnOnce(codec::Error) -> Self {
        move |source| Self::Undecodable {
            what: what.into(),
            source,
        }
    }
}

impl From<rpcs::Error> for ChainError {
    fn from(error: rpcs::Error) -> Self {
        match error {
            rpcs::Error::User(answer) => Self::Node(user_message(&answer)),
            rpcs::Error::Client(cause) => Self::Disconnected(cause.to_string()),
            other => Self::Node(other.to_string()),
        }
    }
}

impl From<subxt::Error> for ChainError {
    fn from(error: subxt::Error) -> Self {
        Self::Node(error.to_string())
    }
}

macro_rules! from_subxt {
    ($($error:ident),+) => { $(
        impl From<subxt::error::$error> for ChainError {
            fn from(error: subxt::error::$error) -> Self {
                subxt::Error::from(error).into()
            }
        }
    )+ };
}
from_subxt!(
    OnlineClientError,
    OnlineClientAtBlockError,
    RuntimeApiError,
    StorageError,
    StorageValueError,
    EventsError,
    TransactionProgressError
);

impl From<ExtrinsicError> for ChainError {
    fn from(error: ExtrinsicError) -> Self {
        match error {
            ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(
                RpcError::ClientError(cause),
            )) => match cause {
                rpcs::Error::User(answer) => Self::Rejected {
                    code: answer.code,
                    reason: user_message(&answer),
                    of_a_fork: false,
                },
                other => other.into(),
            },
            other => subxt::Error::from(other).into(),
        }
    }
}

impl From<TransactionEventsError> for ChainError {
    fn from(error: TransactionEventsError) -> Self {
        match error {
            TransactionEventsError::ExtrinsicFailed(DispatchError::Module(module)) => {
                match module.details() {
                    Ok(details) => Self::Refused {
                        name: details.variant.name.clone(),
                        docs: details.variant.docs.join(" ").trim().to_owned(),
                    },
                    Err(unknown) => Self::Failed(unknown.to_string()),
                }
            }
            TransactionEventsError::ExtrinsicFailed(other) => Self::Failed(other.to_string()),
            other => subxt::Error::from(other).into(),
        }
    }
}

fn listed(errors: &[ChainError]) -> String {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// The node's answer with its details, such as why a transaction is invalid.
fn user_message(answer: &rpcs::UserError) -> String {
    match &answer.data {
        Some(data) => format!("{}: {}", answer.message, data.get().trim_matches('"')),
        None => answer.message.clone(),
    }
}
