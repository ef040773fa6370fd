//! A node that lies: what another node answers, with some bytes replaced on the way.

use anyhow::{ensure, Context, Result};
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc,
};
use tokio::{
    io::{copy, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Passes on what a node answers, and replaces a text in it by another of the same length. A server's WebSocket frames are not
/// masked, so no frame has to be taken apart.
pub struct Liar {
    /// Where it listens.
    pub url: String,
    serving: JoinHandle<()>,
}

impl Liar {
    /// Stands in front of the node at `url`, and says `lie` wherever the node says `truth`. Both are bytes that answers have in
    /// hexadecimal.
    pub async fn start(url: &str, truth: &[u8], lie: &[u8]) -> Result<Self> {
        Self::of(url, hexadecimal(truth), hexadecimal(lie), usize::MAX).await
    }

    /// The same for any text, and the lie is told only once.
    pub async fn once(url: &str, truth: &str, lie: &str) -> Result<Self> {
        Self::of(url, truth.into(), lie.into(), 1).await
    }

    async fn of(url: &str, truth: Vec<u8>, lie: Vec<u8>, times: usize) -> Result<Self> {
        ensure!(
            truth.len() == lie.len(),
            "a lie has the length of the truth"
        );
        let told = Arc::new(Lie {
            truth,
            lie,
            left: AtomicUsize::new(times),
        });
        let node = url.strip_prefix("ws://").context("a URL")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (node, told) = (node.clone(), told.clone());
                // If a connection breaks, the client has to deal with it.
                tokio::spawn(async move { serve(client, &node, &told).await });
            }
        });
        Ok(Self { url, serving })
    }
}

/// What is said instead of what.
struct Lie {
    truth: Vec<u8>,
    lie: Vec<u8>,
    /// How often it is still told.
    left: AtomicUsize,
}

impl Lie {
    /// Whether it is told once more.
    fn is_told(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        left.is_ok()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.into_bytes()
}

async fn serve(client: TcpStream, node: &str, lie: &Lie) -> std::io::Result<()> {
    let node = TcpStream::connect(node).await?;
    let (mut asked, answers) = client.into_split();
    let (told, mut asks) = node.into_split();
    tokio::select! {
        done = copy(&mut asked, &mut asks) => done.map(drop),
        done = tell(told, answers, lie) => done,
    }
}

/// Passes on what arrives, except for a tail that may be the beginning of `truth`, whose rest arrives next.
async fn tell(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    told: &Lie,
) -> std::io::Result<()> {
    let (truth, lie) = (&told.truth, &told.lie);
    let (mut held, mut read) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let count = from.read(&mut read).await?;
        if count == 0 {
            return to.write_all(&held).await;
        }
        held.extend_from_slice(&read[..count]);
        let place = |held: &[u8]| held.windows(truth.len()).position(|part| part == truth);
        while let Some(place) = place(&held).filter(|_| told.is_told()) {
            held[place..place + truth.len()].copy_from_slice(lie);
        }
        let longest = held.len().min(truth.len() - 1);
        let tail = (1..=longest)
            .rev()
            .find(|&tail| held.ends_with(&truth[..tail]));
        let rest = held.split_off(held.len() - tail.unwrap_or(0));
        to.write_all(&held).await?;
        to.flush().await?;
        held = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lie(times: usize) -> Lie {
        Lie {
            truth: b"truth".to_vec(),
            lie: b"error".to_vec(),
            left: AtomicUsize::new(times),
        }
    }

    #[tokio::test]
    async fn a_lie_may_be_told_once() {
        let mut told = Vec::new();
        let from = b"truth and truth, and the truth".as_slice();
        tell(from, &mut told, &lie(1)).await.unwrap();
        assert_eq!(told, b"error and truth, and the truth");
    }

    #[tokio::test]
    async fn only_the_truth_is_replaced_however_it_comes() {
        let parts: [&[u8]; 4] = [b"a truth, half a tr", b"uth", b", a tru", b"ce: t"];
        let (mut give, from) = tokio::io::duplex(64);
        let (to, mut take) = tokio::io::duplex(1 << 10);
        let telling = tokio::spawn(async move { tell(from, to, &lie(usize::MAX)).await });
        for part in parts {
            give.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(give);
        telling.await.unwrap().unwrap();
        let mut told = String::new();
        take.read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "a error, half a error, a truce: t");
    }
}
