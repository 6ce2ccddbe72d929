//! `cargo xtask soak NAME`: runs that take longer than tests may.

mod crowd;

use anyhow::{Result, bail};

/// What there is to run.
const NAMES: &str = "crowd";

/// Runs one of them.
pub fn run(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, args)) if name == "crowd" => crowd::run(args),
        _ => bail!("usage: cargo xtask soak NAME [ARGS], where NAME is one of: {NAMES}"),
    }
}
