//! `cargo xtask soak NAME`: measurements that take too long for the tests.

mod audit;
mod churn;
mod crowd;
mod export;
mod kill;
mod revoke;
mod swap;

use anyhow::{Result, bail};

/// What there is to run.
const NAMES: &str = "audit, churn, crowd, export, kill, revoke, swap";

/// `cargo xtask soak NAME [ARGS]`.
pub fn run(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "audit" => audit::run(rest),
        Some((name, rest)) if name == "churn" => churn::run(rest),
        Some((name, rest)) if name == "crowd" => crowd::run(rest),
        Some((name, rest)) if name == "export" => export::run(rest),
        Some((name, rest)) if name == "kill" => kill::run(rest),
        Some((name, rest)) if name == "revoke" => revoke::run(rest),
        Some((name, rest)) if name == "swap" => swap::run(rest),
        _ => bail!("usage: cargo xtask soak NAME [ARGS], where NAME is one of: {NAMES}"),
    }
}
