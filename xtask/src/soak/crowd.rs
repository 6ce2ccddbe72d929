//! `cargo xtask soak crowd [COUNT [RUNNING]]`: a home with many installed plugins, by the example of that name.

use std::process::Command;

use anyhow::Result;

use crate::project::{FEATURES, binary, build_binary, cargo, run as run_command, target};

/// Builds the example and the binary, and runs the one with the other: 10,000 plugins, 200 of them running.
pub fn run(args: &[String]) -> Result<()> {
    let number = |at: usize, default: &str| args.get(at).map_or(default.to_owned(), Clone::clone);
    build_binary()?;
    let mut build = cargo(&["build", "--workspace", "--example", "crowd"])?;
    build.args(FEATURES);
    run_command(build)?;
    let mut example = Command::new(target()?.join("debug/examples/crowd"));
    example.args([number(0, "10000"), number(1, "200")]).arg(binary()?);
    run_command(example)
}
