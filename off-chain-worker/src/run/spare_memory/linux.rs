//! What Linux says of its memory.

use std::fs;

/// Bytes that the system gives without taking them from another program, or `None` if it does not tell: of the machine, or of
/// the container that this runs in, whichever is less.
pub fn available() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let of_machine = field(&read("/proc/meminfo"), "MemAvailable:").map(|kib| kib << 10);
    let of_container = in_container(
        &read("/sys/fs/cgroup/memory.max"),
        &read("/sys/fs/cgroup/memory.current"),
        &read("/sys/fs/cgroup/memory.stat"),
    );
    match (of_machine, of_container) {
        (Some(machine), Some(container)) => Some(machine.min(container)),
        (machine, container) => machine.or(container),
    }
}

/// What a container may still take. Pages of files that nobody uses are given back when memory is short.
fn in_container(most: &str, taken: &str, statistics: &str) -> Option<u64> {
    let (most, taken): (u64, u64) = (most.trim().parse().ok()?, taken.trim().parse().ok()?);
    let unused = field(statistics, "inactive_file").unwrap_or(0);
    Some(most.saturating_sub(taken.saturating_sub(unused)))
}

/// The number after `name` at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.next() == Some(name);
        is_it.then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_read() {
        let text = "MemTotal:       16 kB\nMemAvailable:    7 kB\n";
        assert_eq!(field(text, "MemAvailable:"), Some(7));
        assert_eq!(field(text, "MemFree:"), None);
        assert_eq!(field("MemAvailable: many", "MemAvailable:"), None);
        let container = |most| in_container(most, "70\n", "anon 9\ninactive_file 30\n");
        assert_eq!(container("100\n"), Some(60));
        assert_eq!(container("30\n"), Some(0));
        assert_eq!(container("max\n"), None, "it has no bound of its own");
    }
}
