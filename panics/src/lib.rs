//! Panics as errors. Burn panics when a device fails, in training and in evaluation.

#![forbid(unsafe_code)]

use std::panic::{catch_unwind, AssertUnwindSafe};

/// Does `work`, and turns a panic into an error with the panic's message.
///
/// # Errors
/// The error of `work`, or what `failed` makes of the message of its panic.
pub fn caught<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| words.to_string());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(failed(words.unwrap_or_else(|| "it panicked".to_owned())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    #[test]
    fn a_panic_is_an_error_in_its_own_words() {
        fn said(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
            caught(work, |words| words)
        }
        let says = |words: &str| Err(words.to_owned());
        assert_eq!(said(|| Ok(())), Ok(()));
        assert_eq!(said(|| says("no")), says("no"));
        assert_eq!(said(|| panic!("out of memory")), says("out of memory"));
        let formatted = "out of memory".to_owned();
        assert_eq!(said(|| panic_any(formatted)), says("out of memory"));
        assert_eq!(said(|| panic_any(7)), says("it panicked"));
    }
}
