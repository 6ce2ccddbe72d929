//! `cargo xtask soak NAME`: measurements that take too long for the tests.

mod churn;

use anyhow::{Result, bail};

/// `cargo xtask soak NAME [ARGS]`.
pub fn run(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "churn" => churn::run(rest),
        Some((name, _)) => bail!("there is no soak {name}; there is: churn"),
        None => bail!("name one: churn"),
    }
}
