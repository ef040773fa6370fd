//! Networks of several authorities take turns.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Networks of several authorities that the process has at most at the same time.
const NETWORKS: u32 = 2;
/// Held by the networks of several authorities that the process has just now: see [`turn`].
static TURNS: Semaphore = Semaphore::const_new(NETWORKS as usize);

/// Keeps other networks of several authorities from starting.
pub type Turn = SemaphorePermit<'static>;

/// Waits until this process has few other networks of several authorities: many nodes want all the processors that there are.
pub async fn turn() -> Turn {
    turns(1).await
}

/// Waits until this process has no other network of several authorities, and keeps it so.
pub async fn turn_alone() -> Turn {
    turns(NETWORKS).await
}

async fn turns(count: u32) -> Turn {
    let taken = TURNS.acquire_many(count).await;
    taken.expect("it is never closed")
}
