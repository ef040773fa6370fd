//! What the allocator does with memory that is freed.

/// Has the GNU C library keep freed memory for what is allocated next, up to 64 MiB an arena; elsewhere it does nothing. Returns
/// whether it could. Call it once, before there are threads.
///
/// Every op of a training allocates its result and frees its operands, megabytes each. By default, much of that goes back to the
/// system, which clears the pages before it hands them out again: 60 updates of the demo's language model had 304,000 page faults
/// and took 11.8 processor seconds, including what else the lab does. With this setting they had 40,000 and took 10.7 (one run
/// each).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "a function of the C library, which Rust's has no word for"
)]
pub fn keep_freed_memory() -> bool {
    /// Longest allocation from an arena: the longest that the library accepts.
    const LONGEST: libc::c_int = 32 << 20;
    const KEPT: libc::c_int = 64 << 20;
    // SAFETY: it sets two numbers of the allocator's own, which are valid, and touches nothing else.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LONGEST) == 1
            && libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT) == 1
    }
}

/// The allocator stays as it is: only that of the GNU C library is known.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_memory() -> bool {
    false
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn the_library_takes_it() {
        assert!(keep_freed_memory());
    }
}
