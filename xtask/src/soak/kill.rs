//! The binary killed at every K-th system call that changes the disk, and every sync and write failing once.

use anyhow::{Context, Result, ensure};

use crate::project::build_binary;
use crate::test::{Sum, cargo_test, counted};

/// `cargo xtask soak kill [ROUNDS] [STRIDE]`: so many rounds (1) of the loop, K counted up by the stride (1).
pub fn run(args: &[String]) -> Result<()> {
    ensure!(args.len() < 3, "usage: cargo xtask soak kill [ROUNDS] [STRIDE]");
    let number = |at: usize| args.get(at).map_or(Ok(1), |text| text.parse::<u32>());
    let (rounds, stride) = (number(0).context("ROUNDS")?, number(1).context("STRIDE")?);
    build_binary()?;
    for round in 1..=rounds {
        println!("\n== round {round} of {rounds}");
        let mut sum = Sum::default();
        let mut command = cargo_test()?;
        command.args(["--test", "it", "--", "--ignored", "--nocapture", "kill_loop::"]);
        command.env("FORGEONE_KILL_STRIDE", stride.to_string());
        counted(command, &mut sum)?;
        ensure!(sum.passed > 0, "no loop ran");
    }
    Ok(())
}
