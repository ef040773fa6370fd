//! Devices that fail, which Burn says with a panic.

use gotong_scoring::EvalError;

/// That the device failed, and what to do.
pub(super) fn failure(what: String) -> EvalError {
    EvalError::Device(format!(
        "{what}; evaluate without `--device`, on the processor"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panics::caught;

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
