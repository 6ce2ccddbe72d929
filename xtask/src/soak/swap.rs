//! Runs the example `swap_pauses`: what callers see while a plugin they call is replaced again and again.

use anyhow::Result;

use crate::project::{FEATURES, cargo, run as run_command};

/// `cargo xtask soak swap [ENGINE]...`; both engines where none is named.
pub fn run(engines: &[String]) -> Result<()> {
    let mut command = cargo(&["run", "--quiet", "--workspace"])?;
    command.args(FEATURES).args(["--example", "swap_pauses", "--"]).args(engines);
    run_command(command)
}
