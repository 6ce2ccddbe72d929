//! Every `sh` block of the README and the guides runs, in order, and the first command that fails is named.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::guests;
use crate::project::{binary, build_binary, human, root, target, timed};

/// Documents whose blocks run, and whether they run in the checkout or in an empty directory.
const DOCUMENTS: [(&str, Place); 6] = [
    ("README.md", Place::Checkout),
    ("plugin-manager/docs/operator-guide.md", Place::Empty),
    ("plugin-manager/docs/plugin-author-guide.md", Place::Empty),
    ("plugin-manager/docs/embedding-guide.md", Place::Empty),
    ("plugin-manager/docs/native-plugins.md", Place::Empty),
    ("plugin-manager/docs/signing.md", Place::Empty),
];

/// Blocks of `.ci/run`'s own commands: not run again here, but each command has to stand in that file.
const CI_BLOCK: &str = "sh ci";

/// Where a document's commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Checkout,
    Empty,
}

/// A fenced block: the line its first command is on, what the fence says, its text.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    line: usize,
    info: &'a str,
    text: String,
}

/// `cargo xtask docs [NAME]`: all documents, or those whose path contains `NAME`.
pub fn run(only: &[String]) -> Result<()> {
    guests::build()?;
    build_binary()?;
    let chosen = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let before = unrecorded()?;
    let documents: Vec<_> = DOCUMENTS.into_iter().filter(|(name, _)| chosen(name)).collect();
    ensure!(!documents.is_empty(), "no document is called so: {}", only.join(", "));
    let mut failed = Vec::new();
    for (name, place) in documents {
        let (result, time) = timed(|| document(name, place));
        match result {
            Ok(blocks) => println!("{name}: {blocks} sh blocks ran in {}", human(time)),
            Err(error) => {
                println!("{name}: {error:#}");
                failed.push(name);
            }
        }
    }
    ensure!(unrecorded()? == before, "the commands left files in the checkout: see `git status`");
    ensure!(failed.is_empty(), "documents whose commands do not run: {}", failed.join(", "));
    Ok(())
}

/// What git sees changed in the checkout.
fn unrecorded() -> Result<Vec<u8>> {
    let status = Command::new("git").args(["status", "--porcelain"]).current_dir(root()?).output();
    let status = status.context("git does not start")?;
    ensure!(status.status.success(), "git status: {}", String::from_utf8_lossy(&status.stderr));
    Ok(status.stdout)
}

/// Runs one document's blocks as one script and answers how many there were.
fn document(name: &str, place: Place) -> Result<usize> {
    let root = root()?;
    let text = std::fs::read_to_string(root.join(name)).with_context(|| name.to_owned())?;
    let blocks = blocks(&text)?;
    let ci = std::fs::read_to_string(root.join(".ci/run"))?;
    for block in blocks.iter().filter(|block| block.info == CI_BLOCK) {
        in_ci(block, &ci)?;
    }
    let runnable: Vec<_> = blocks.iter().filter(|block| block.info == "sh").collect();
    let scratch = fresh(&target()?.join("docs").join(name.replace('/', "-")))?;
    let dir = if place == Place::Checkout { root.clone() } else { scratch.join("work") };
    std::fs::create_dir_all(&dir)?;
    let script = scratch.join("script.sh");
    std::fs::write(&script, script_of(name, &runnable))?;
    let output = shell(&script, &dir, &scratch)?.output().context("bash does not start")?;
    std::fs::write(scratch.join("stdout"), &output.stdout)?;
    std::fs::write(scratch.join("stderr"), &output.stderr)?;
    match output.status.success() {
        true => Ok(runnable.len()),
        false => bail!("{}", last_words(&output.stderr, &scratch)),
    }
}

/// bash with the built binary first in its path and no home but its own.
fn shell(script: &Path, dir: &Path, scratch: &Path) -> Result<Command> {
    let bin = binary()?.parent().context("the binary lies in a directory")?.to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?;
    let mut command = Command::new("bash");
    command.arg(script).current_dir(dir).stdin(Stdio::null());
    command.env("PATH", path).env("FORGEONE_REPO", root()?).env("XDG_DATA_HOME", scratch.join("data"));
    command.env("TMPDIR", scratch).env_remove("FORGEONE_HOME");
    Ok(command)
}

/// The script of some blocks; each command line is shown on stderr before it runs.
fn script_of(name: &str, blocks: &[&Block<'_>]) -> String {
    let mut script = String::from("set -euo pipefail\n");
    for block in blocks {
        script += &format!("echo '== {name}:{}' >&2\n{}", block.line, block.text);
    }
    script
}

fn last_words(stderr: &[u8], scratch: &Path) -> String {
    let text = String::from_utf8_lossy(stderr);
    let from = text.rfind("== ").unwrap_or_default();
    let tail = text.get(from..).unwrap_or_default();
    format!("a command failed (all output is in {}):\n{tail}", scratch.display())
}

/// Fails for a command of a `sh ci` block that `.ci/run` does not run.
fn in_ci(block: &Block<'_>, ci: &str) -> Result<()> {
    for line in block.text.lines() {
        let command = line.split(" #").next().unwrap_or_default().trim();
        ensure!(command.is_empty() || ci.contains(command), "line {}: .ci/run lacks `{command}`", block.line);
    }
    Ok(())
}

/// A directory that is there and empty.
fn fresh(dir: &Path) -> Result<PathBuf> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    std::fs::create_dir_all(dir)?;
    Ok(dir.to_path_buf())
}

/// The fenced blocks of a Markdown text.
fn blocks(text: &str) -> Result<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block { line: index + 2, info: info.trim(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    match open {
        None => Ok(blocks),
        Some(block) => bail!("the block of line {} has no end", block.line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_line_and_their_fence() {
        let found = blocks("a\n```sh\nls\n```\n```sh ci\ncargo x\n```\n").unwrap();
        assert_eq!(found[0], Block { line: 3, info: "sh", text: "ls\n".into() });
        assert_eq!(found[1], Block { line: 6, info: "sh ci", text: "cargo x\n".into() });
        assert!(blocks("```sh\nls\n").is_err());
    }

    #[test]
    fn a_command_of_ci_has_to_stand_in_its_file() {
        let block = |text: &str| Block { line: 1, info: CI_BLOCK, text: text.into() };
        assert!(in_ci(&block("cargo xtask demo   # shows\n\n"), "x\ncargo xtask demo\n").is_ok());
        assert!(in_ci(&block("cargo xtask soak\n"), "x\ncargo xtask demo\n").is_err());
    }

    #[test]
    fn the_first_command_that_fails_ends_the_script() {
        let block = Block { line: 7, info: "sh", text: "false\ntouch made\n".into() };
        let dir = fresh(&target().unwrap().join("docs/self-test")).unwrap();
        std::fs::write(dir.join("script.sh"), script_of("x.md", &[&block])).unwrap();
        let output = shell(&dir.join("script.sh"), &dir, &dir).unwrap().output().unwrap();
        assert!(!output.status.success());
        assert!(last_words(&output.stderr, &dir).contains("== x.md:7"));
        assert!(!dir.join("made").exists());
    }
}
