//! `cargo xtask soak NAME`: measurements that take too long for the tests.

mod kill;
mod swap;

use anyhow::{Result, bail};

/// `cargo xtask soak NAME [ARGS]`.
pub fn run(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "kill" => kill::run(rest),
        Some((name, rest)) if name == "swap" => swap::run(rest),
        Some((name, _)) => bail!("there is no soak {name}; there are: kill, swap"),
        None => bail!("name one: kill, swap"),
    }
}
