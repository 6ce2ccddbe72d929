//! Installs tools from outside and runs the tests that need them; a tool that is missing is a failure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::project::{build_binary, cargo, root, run as run_command, target};
use crate::test::{Sum, cargo_test, counted};
use crate::{docs, guests};

/// Debian packages, and a program each must bring.
const DEBIAN: [(&str, &str); 14] = [
    ("clang", "clang"),
    ("lld", "wasm-ld"),
    ("openssl", "openssl"),
    ("nodejs", "node"),
    ("npm", "npm"),
    ("tar", "tar"),
    ("graphviz", "dot"),
    ("libxml2-utils", "xmllint"),
    ("mandoc", "mandoc"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("strace", "strace"),
    ("rsyslog", "rsyslogd"),
    ("chromium", "chromium"),
];

/// Debian packages without a program, and a file each must bring.
const LIBRARIES: [(&str, &str); 2] = [
    ("wasi-libc", "/usr/lib/wasm32-wasi/libc.a"),
    ("libclang-rt-dev-wasm32", "/usr/share/doc/libclang-rt-dev-wasm32"),
];

/// What Rust plugins with a standard library of their own are built for.
const WASI_TARGET: &str = "wasm32-wasip1";

/// PyPI packages with their versions, installed into an environment of their own.
const PYPI: [&str; 6] = [
    "check-jsonschema==0.33.3",
    "compliance-trestle==5.2.0",
    "cryptography==48.0.0",
    "jsonschema==4.26.0",
    "moto[server]==5.2.5",
    "ocsf-json-schema==1.2.0",
];

/// npm packages with their versions, installed into a directory of their own. They state newer engines than Debian's
/// Node.js, and run on it from version 18: what they do is what the tests see.
const NPM: [&str; 3] = ["@sigstore/verify@4.1.3", "@sigstore/bundle@5.0.1", "@sigstore/protobuf-specs@0.5.2"];

/// crates.io tools with their versions.
const CARGO_DENY: &str = "0.20.2";

/// `cargo xtask interop [FILTER]`.
pub fn run(args: &[String]) -> Result<()> {
    println!("== tools");
    debian()?;
    wasi_target()?;
    let tools = Tools { python: python()?, node_modules: node_modules()? };
    println!("\n== documents");
    docs::run(&[])?;
    println!("\n== licences, bans and sources");
    deny()?;
    println!("\n== tests that need tools");
    tests(args, tools)
}

/// Where tools from outside were put.
struct Tools {
    /// Programs of the Python environment.
    python: PathBuf,
    /// The directory with the `node_modules` of the tests.
    node_modules: PathBuf,
}

/// Installs what is missing.
fn debian() -> Result<()> {
    let programs = DEBIAN.iter().filter(|(_, program)| !found(program));
    let libraries = LIBRARIES.iter().filter(|(_, file)| !Path::new(file).exists());
    let missing: BTreeSet<_> = programs.chain(libraries).map(|(package, _)| *package).collect();
    if !missing.is_empty() {
        let apt = |args: &[&str]| {
            let mut command = Command::new("apt-get");
            command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        run_command(apt(&["update", "--quiet"]))?;
        let mut install = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
        install.args(&missing);
        run_command(install)?;
    }
    for (package, program) in DEBIAN {
        ensure!(found(program), "the package {package} brought no {program}");
    }
    for (package, file) in LIBRARIES {
        ensure!(Path::new(file).exists(), "the package {package} brought no {file}");
    }
    Ok(())
}

/// The standard library of Rust for WASI.
fn wasi_target() -> Result<()> {
    let mut add = Command::new("rustup");
    add.current_dir(root()?).args(["target", "add", WASI_TARGET]);
    run_command(add)
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// The `bin` directory of a Python environment with the packages of this tier.
fn python() -> Result<PathBuf> {
    let dir = target()?.join("interop/python");
    if !dir.join("bin/pip").exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&dir);
        run_command(make)?;
    }
    let mut install = Command::new(dir.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PYPI);
    run_command(install)?;
    Ok(dir.join("bin"))
}

/// The directory with the npm packages of this tier.
fn node_modules() -> Result<PathBuf> {
    let dir = target()?.join("interop/node");
    std::fs::create_dir_all(&dir)?;
    let mut install = Command::new("npm");
    install.current_dir(&dir).args([
        "install",
        "--prefix",
        ".",
        "--no-audit",
        "--no-fund",
        "--loglevel",
        "error",
    ]);
    install.args(NPM);
    run_command(install)?;
    Ok(dir)
}

/// `cargo deny` with this workspace's configuration. Advisories need a network that CI may lack: not checked.
fn deny() -> Result<()> {
    let tools = target()?.join("interop/tools");
    if !tools.join("bin/cargo-deny").exists() {
        let mut install = cargo(&["install", "cargo-deny", "--locked", "--quiet", "--version", CARGO_DENY])?;
        install.arg("--root").arg(&tools).env("CARGO_TARGET_DIR", target()?.join("interop/build"));
        run_command(install)?;
    }
    let mut check = Command::new(tools.join("bin/cargo-deny"));
    check.current_dir(root()?);
    check.args(["--config", ".deny.toml", "check", "licenses", "bans", "sources"]);
    run_command(check)
}

/// The tests named `interop_…`, which plain `cargo test` ignores.
fn tests(args: &[String], tools: Tools) -> Result<()> {
    guests::build()?;
    build_binary()?;
    let every = ["interop_".to_owned()];
    let mut command = cargo_test()?;
    command.args(["--lib", "--bins", "--tests", "--", "--ignored"]).args(if args.is_empty() {
        &every[..]
    } else {
        args
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools.python).chain(std::env::split_paths(&path)))?;
    command.env("PATH", path).env("FORGEONE_NODE_MODULES", tools.node_modules);
    let mut sum = Sum::default();
    let held = counted(command, &mut sum).context("interop");
    println!("\ninterop: {sum}");
    held?;
    ensure!(sum.passed > 0, "no interop test ran");
    Ok(())
}
