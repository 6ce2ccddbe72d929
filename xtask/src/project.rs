//! Where things are in the workspace, and running its tools.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Features every build of the workspace uses, so that one set of artefacts serves them all.
pub const FEATURES: [&str; 2] = ["--features", "forgeone-cli/wasmer-runtime"];

/// The workspace's directory: the one cargo runs this for, which need not be the one it was built in.
pub fn root() -> Result<PathBuf> {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built));
    manifest.parent().map(Path::to_path_buf).context("xtask stands in a workspace")
}

/// Where cargo puts what it builds.
pub fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => Ok(root()?.join(dir)),
        None => Ok(root()?.join("target")),
    }
}

/// The built `forgeone` binary.
pub fn binary() -> Result<PathBuf> {
    Ok(target()?.join("debug").join(format!("forgeone{}", std::env::consts::EXE_SUFFIX)))
}

/// The built sample plugin.
pub fn sample_wasm() -> Result<PathBuf> {
    Ok(target()?.join("wasm32-unknown-unknown/guest/sample_plugin.wasm"))
}

/// A cargo command in the workspace.
pub fn cargo(args: &[&str]) -> Result<Command> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()?).args(args);
    Ok(command)
}

/// Runs a command to its end with its output shown.
pub fn run(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} does not start", shown(&command)))?;
    match status.success() {
        true => Ok(()),
        false => bail!("{} ended with {status}", shown(&command)),
    }
}

/// Builds the `forgeone` binary with both engines.
pub fn build_binary() -> Result<()> {
    let mut command = cargo(&["build", "--workspace", "--bin", "forgeone"])?;
    command.args(FEATURES);
    run(command)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What a piece of work answered and how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

/// A duration in the unit that suits it.
pub fn human(time: Duration) -> String {
    match time.as_millis() {
        0..10 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        10..2_000 => format!("{} ms", time.as_millis()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().unwrap().join("rust-toolchain.toml").exists());
    }

    #[test]
    fn durations_are_short_to_read() {
        let shown = [900, 12_000, 1_999_000, 61_200_000].map(|us| human(Duration::from_micros(us)));
        assert_eq!(shown, ["0.9 ms", "12 ms", "1999 ms", "61.2 s"]);
    }
}
