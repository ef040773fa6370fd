//! A node for tests, without a connection: a closure says what it answers.

use super::{Client, Nodes};
use futures::{stream, StreamExt};
use serde_json::{json, Value};
use std::future::pending;
use subxt::rpcs::{
    client::{RawRpcFuture, RawRpcSubscription, RawValue, RpcClientT},
    Error, RpcClient, UserError,
};

/// What a node answers to a request.
pub enum Answer {
    /// This JSON value.
    Json(Value),
    /// A refusal: it does not do what it was asked for.
    Refusal(UserError),
    /// Nothing, ever.
    Silence,
}

impl Answer {
    /// These bytes, in hexadecimal.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::Json(format!("0x{}", hex::encode(bytes)).into())
    }

    /// The hash of a block, the same one for all.
    pub fn hash() -> Self {
        Self::bytes(&[4; 32])
    }

    /// An error: the node has pruned the state that it was asked about.
    pub fn no_state() -> Self {
        Self::Refusal(UserError {
            code: 4003,
            message: "State already discarded".into(),
            data: None,
        })
    }
}

/// The header of a block. All bytes of its parent's hash are 1.
pub fn header(number: u32) -> Value {
    let hash = |byte: u8| format!("0x{}", hex::encode([byte; 32]));
    json!({
        "parentHash": hash(1),
        "number": format!("{number:#x}"),
        "stateRoot": hash(2),
        "extrinsicsRoot": hash(3),
        "digest": { "logs": [] },
    })
}

/// What a node answers, by the method and its parameters, a JSON array.
type Answers = dyn Fn(&str, &str) -> Answer + Send + Sync;

/// A node that answers requests by a closure, and subscriptions only if it has a [head](Self::with_head).
pub struct MockNode {
    answers: Box<Answers>,
    /// Number of the best block.
    head: Option<u32>,
}

impl MockNode {
    /// A node whose answers come from `answers`, which takes a method and its parameters, a JSON array.
    pub fn new(answers: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            answers: Box::new(answers),
            head: None,
        }
    }

    /// The same, with a single best block, which every subscriber gets. Another block never comes.
    pub fn with_head(self, number: u32) -> Self {
        Self {
            head: Some(number),
            ..self
        }
    }

    /// A client of this node, which is the first one of `urls`.
    pub async fn client(self, urls: &[&str]) -> Client {
        let nodes = Nodes::new(urls.iter().map(|&url| url.to_owned()), None);
        let client = Client::over(RpcClient::new(self), urls[0], nodes);
        client.await.unwrap()
    }
}

impl RpcClientT for MockNode {
    fn request_raw<'a>(
        &'a self,
        method: &'a str,
        parameters: Option<Box<RawValue>>,
    ) -> RawRpcFuture<'a, Box<RawValue>> {
        let parameters = parameters.as_deref().map_or("[]", RawValue::get);
        let answer = (self.answers)(method, parameters);
        Box::pin(async move {
            match answer {
                Answer::Json(json) => raw(&json),
                Answer::Refusal(error) => Err(Error::User(error)),
                Answer::Silence => pending().await,
            }
        })
    }

    fn subscribe_raw<'a>(
        &'a self,
        subscription: &'a str,
        _: Option<Box<RawValue>>,
        _: &'a str,
    ) -> RawRpcFuture<'a, RawRpcSubscription> {
        let Some(head) = self.head else {
            return Box::pin(pending());
        };
        assert_eq!(subscription, "chain_subscribeNewHeads");
        let heads = stream::iter([raw(&header(head))]).chain(stream::pending());
        let subscribed = RawRpcSubscription {
            stream: Box::pin(heads),
            id: None,
        };
        Box::pin(async { Ok(subscribed) })
    }
}

fn raw(json: &Value) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(json.to_string()).map_err(Error::Deserialization)
}
