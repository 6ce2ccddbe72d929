//! Builds the sample plugin as a module for its hosts.

use anyhow::{Context, Result};

use crate::project::{self, cargo, root, sample_wasm};

/// Builds it and answers its size in bytes.
pub fn build() -> Result<u64> {
    let args =
        ["build", "-p", "sample-plugin", "--lib", "--target", "wasm32-unknown-unknown", "--profile", "guest"];
    project::run(cargo(&args)?)?;
    let wasm = sample_wasm()?;
    Ok(std::fs::metadata(&wasm).with_context(|| format!("{} was not built", wasm.display()))?.len())
}

/// `cargo xtask guests`.
pub fn run() -> Result<()> {
    let size = build()?;
    let wasm = sample_wasm()?;
    let shown = wasm.strip_prefix(root()?).unwrap_or(&wasm);
    println!("{} ({size} bytes)", shown.display());
    Ok(())
}
