//! Runs the example `revocations`: from a revocation to the end of the last call it concerns.

use std::process::Command;

use anyhow::Result;

use crate::project::{FEATURES, cargo, run as run_command, target};

/// `cargo xtask soak revoke [ENGINE]... [INSTANCES]`; both engines where none is named.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut build = cargo(&["build", "--quiet", "--workspace"])?;
    build.args(FEATURES).args(["--example", "revocations"]);
    run_command(build)?;
    let mut command = Command::new(target()?.join("debug/examples/revocations"));
    command.args(arguments);
    run_command(command)
}
