//! Devices that fail, which Burn says with a panic.

use std::panic::{catch_unwind, AssertUnwindSafe};

use gotong_scoring::EvalError;

/// That the device failed, and what to do.
pub(super) fn failure(what: String) -> EvalError {
    EvalError::Device(format!(
        "{what}; evaluate without `--device`, on the processor"
    ))
}

/// Does `work`, and turns a panic into an error: with a panic Burn says that a device fails.
pub(in crate::evaluation) fn caught<T, E>(
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

    #[test]
    fn a_device_that_panics_has_failed() {
        let words = "out of memory".to_owned();
        let result: Result<(), EvalError> = caught(|| std::panic::panic_any(words), failure);
        let error = result.unwrap_err().to_string();
        let expected =
            "the device failed: out of memory; evaluate without `--device`, on the processor";
        assert_eq!(error, expected);
    }
}
