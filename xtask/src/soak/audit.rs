//! Runs the example `audit_soak`: millions of records written, verified from nothing but the files, one proof made and
//! checked; time and memory of each.

use anyhow::Result;

use crate::project::{cargo, run as run_command, target};

/// `cargo xtask soak audit [RECORDS]`; ten million where no number is given. The log is removed afterwards.
pub fn run(args: &[String]) -> Result<()> {
    let dir = target()?.join("audit_soak");
    let mut command =
        cargo(&["run", "--quiet", "--release", "-p", "common", "--example", "audit_soak", "--"])?;
    command.arg(dir).args(args);
    run_command(command)
}
