//! Runs the mutation runner of `fuzz/`, built as for release with the checks of a debug build.

use anyhow::Result;

use crate::project::{cargo, run as run_command};

/// `cargo xtask fuzz [ARGS]`; ARGS go to the runner.
pub fn run(args: &[String]) -> Result<()> {
    let mut command = cargo(&["run", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml", "--"])?;
    // Its profile and its lock file are its own, so its artefacts are too.
    command.args(args).env_remove("CARGO_TARGET_DIR");
    run_command(command)
}
