//! What a check found, as `gotong doctor` and `gotong task check` report it.

use super::output::{explain, Format};
use anyhow::{bail, Result};
use serde_json::{json, Value};

/// The result of one check: what was found, or what is wrong and what to do.
pub struct Finding {
    what: &'static str,
    result: Result<String, String>,
    /// What the JSON has in addition, and its name.
    details: Option<(&'static str, Value)>,
}

impl Finding {
    /// The result of a check on something.
    pub fn new(what: &'static str, result: Result<String>) -> Self {
        Self {
            what,
            result: result.map_err(|error| explain(&error)),
            details: None,
        }
    }

    /// The same finding with an addition to its JSON, under a name.
    pub fn with(self, name: &'static str, details: Value) -> Self {
        Self {
            details: Some((name, details)),
            ..self
        }
    }

    /// The finding, for programs.
    pub fn json(&self) -> Value {
        let found = self.result.as_ref().unwrap_or_else(|error| error);
        let mut json = json!({ "check": self.what, "ok": self.result.is_ok(), "found": found });
        if let Some((name, details)) = &self.details {
            json[*name] = details.clone();
        }
        json
    }

    /// The finding, for people.
    pub fn line(&self) -> String {
        match &self.result {
            Ok(found) => format!("ok    {:11} {found}\n", self.what),
            Err(wrong) => format!("FAIL  {:11} {wrong}\n", self.what),
        }
    }
}

/// Prints all findings.
///
/// # Errors
/// Returns an error that says how many checks failed.
pub fn print(findings: &[Finding], output: Format) -> Result<()> {
    let is_wrong = |finding: &&Finding| finding.result.is_err();
    let failed = findings.iter().filter(is_wrong).count();
    let json = findings.iter().map(Finding::json).collect();
    output.print(json, || findings.iter().map(Finding::line).collect());
    match failed {
        0 => Ok(()),
        1 => bail!("1 check failed"),
        more => bail!("{more} checks failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_in_both_forms() {
        let wrong = Finding::new("key", Err(anyhow::anyhow!("none")));
        assert_eq!(wrong.line(), "FAIL  key         none\n");
        let expected = json!({ "check": "key", "ok": false, "found": "none" });
        assert_eq!(wrong.json(), expected);
        assert!(print(&[wrong], Format::Json).is_err());
    }

    #[test]
    fn programs_are_told_more() {
        let right = Finding::new("cost", Ok("little".into())).with("planck", json!("7"));
        assert_eq!(right.line(), "ok    cost        little\n");
        assert_eq!(right.json()["planck"], "7");
        assert!(print(&[right], Format::Json).is_ok());
    }
}
