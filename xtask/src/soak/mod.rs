//! `cargo xtask soak NAME`: measurements that take too long for the tests.

mod audit;

use anyhow::{Result, bail};

/// `cargo xtask soak NAME [ARGS]`.
pub fn run(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "audit" => audit::run(rest),
        Some((name, _)) => bail!("there is no soak {name}; there is: audit"),
        None => bail!("name one: audit"),
    }
}
