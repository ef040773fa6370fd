//! What the Makefile says before a build.

use anyhow::{ensure, Result};
use std::{fs, path::Path, process::Command, time::SystemTime};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/announce.sh");

/// What it says about a build of everything into `folder`.
fn said(folder: &Path) -> Result<String> {
    said_of("build", folder)
}

/// What it says about a `build` with that name into `folder`.
fn said_of(build: &str, folder: &Path) -> Result<String> {
    let output = Command::new(SCRIPT).arg(build).arg(folder).output()?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(output.stdout.is_empty(), "{output:?}");
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn a_build_is_announced_unless_there_is_nothing_to_build() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let first = said(folder)?;
    assert!(first.contains("not been built here yet"), "{first}");
    assert!(first.contains("minutes on "), "{first}");
    let for_demo = said_of("build-for-demo", folder)?;
    assert!(for_demo.contains("leaves out what GPUs need"), "{for_demo}");

    // Stand-ins for the programs. All that counts is that they can be executed, and how old they
    // are.
    let programs = ["gotong", "gotong-node"].map(|name| folder.join(name));
    for program in &programs {
        fs::copy(SCRIPT, program)?;
    }
    assert_eq!(said(folder)?, "");
    for program in &programs {
        let program = fs::File::options().append(true).open(program)?;
        program.set_modified(SystemTime::UNIX_EPOCH)?;
    }
    let changed = said(folder)?;
    assert!(changed.contains("have changed"), "{changed}");

    // A change of the sources that changed neither program.
    fs::write(folder.join(".built"), "")?;
    assert_eq!(said(folder)?, "");

    // The programs lack the parts for GPUs.
    fs::rename(folder.join(".built"), folder.join(".built-for-demo"))?;
    assert_eq!(said_of("build-for-demo", folder)?, "");
    let rest = said(folder)?;
    assert!(rest.contains("Adding what GPUs need"), "{rest}");
    Ok(())
}
