//! Networks of several authorities take turns.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most networks of several authorities that this process runs at the same time.
const NETWORKS: u32 = 2;
/// Held by the networks of several authorities that this process runs at the moment: see [`turn`].
static TURNS: Semaphore = Semaphore::const_new(NETWORKS as usize);

/// Keeps other networks of several authorities from starting.
pub type Turn = SemaphorePermit<'static>;

/// Waits until this process runs few enough other networks of several authorities: their nodes need all processors of the machine.
pub async fn turn() -> Turn {
    turns(1).await
}

/// Waits until this process runs no other network of several authorities, and keeps others from starting.
pub async fn turn_alone() -> Turn {
    turns(NETWORKS).await
}

async fn turns(count: u32) -> Turn {
    let taken = TURNS.acquire_many(count).await;
    taken.expect("it is never closed")
}
