//! Runs the example `swap_pauses`: what callers see while a plugin they call is replaced again and again.

use std::process::Command;

use anyhow::Result;

use crate::project::{FEATURES, cargo, run as run_command, target};

/// `cargo xtask soak swap [ENGINE]...`; both engines where none is named.
pub fn run(engines: &[String]) -> Result<()> {
    let mut build = cargo(&["build", "--quiet", "--workspace"])?;
    build.args(FEATURES).args(["--example", "swap_pauses"]);
    run_command(build)?;
    let mut command = Command::new(target()?.join("debug/examples/swap_pauses"));
    command.args(engines);
    run_command(command)
}
