//! How much memory this machine has, how much of it training data may take, and how many programs share it.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
use linux::{attesting, available};

/// Bytes that a program can have now. The largest number if the system does not tell.
pub fn free_memory() -> u64 {
    available().unwrap_or(u64::MAX)
}

/// How many programs attest on this machine, including this one. Only Linux shows the others.
pub fn attesting_programs() -> u64 {
    attesting().max(1)
}

/// Bytes that data may take: a third of the memory that is available now, because training copies its data and needs memory for
/// computing as well. If the system does not tell, there is no limit.
pub fn spare_memory() -> u64 {
    available().map_or(u64::MAX, |bytes| bytes / 3)
}

/// Bytes that the system gives without taking them from another program, or `None` if it does not tell.
#[cfg(not(target_os = "linux"))]
fn available() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    Some(system.available_memory()).filter(|bytes| *bytes > 0)
}

/// How many programs attest on this machine, as far as the system shows them.
#[cfg(not(target_os = "linux"))]
fn attesting() -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_os = "linux", target_os = "macos", windows))]
    #[test]
    fn the_system_tells() {
        let spare = spare_memory();
        assert!((1..u64::MAX).contains(&spare), "{spare}");
    }
}
