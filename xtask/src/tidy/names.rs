//! Names that may stand in one place only: engines, crates behind a door, output, the environment, clocks.

use super::Finding;
use super::source::{NamePath, Source, paths, tokens};

/// Crates and the one place that may name them, within `plugin-manager/src`.
const DOORS: &[(&str, &[&str])] = &[
    ("wasmtime", &["runtime/wasmtime_engine"]),
    ("wasmer", &["runtime/wasmer_engine"]),
    ("petgraph", &["resolver"]),
    ("redb", &["store"]),
    ("rcgen", &["attestation/authority"]),
    ("webpki", &["attestation"]),
    ("x509_cert", &["attestation"]),
    ("ring", &["attestation"]),
    ("hyper", &["extension/http"]),
    ("rustls", &["extension/http"]),
    ("tokio_rustls", &["extension/http"]),
];

/// What `common` and `microkernel` may not name, as a word of any identifier.
const ABOVE: [&str; 11] = [
    "wasm",
    "wasmtime",
    "wasmer",
    "wasmparser",
    "cranelift",
    "clap",
    "http",
    "https",
    "hyper",
    "axum",
    "reqwest",
];

/// The name of a system call is data of the contract, not a protocol that is spoken.
const SYSCALL_NAMES: [&str; 3] = ["http_request", "HttpRequest", "HTTP_REQUEST"];

/// Rooms that are given their files, clocks and threads.
const PURE: [&str; 4] = [
    "plugin-manager/src/attestation",
    "plugin-manager/src/resolver",
    "plugin-manager/src/sandbox",
    "microkernel/src/trust",
];

/// Every name that stands where it may not.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |offset: usize, what: String| {
        findings.push(Finding::new(&source.path, source.line(offset), what));
    };
    if is_library(&source.path) {
        for path in paths(&source.library) {
            path_faults(&source.path, &path).into_iter().for_each(|what| find(path.offset, what));
        }
        for (offset, what) in printing(&source.library) {
            find(offset, what);
        }
        if let Some(offset) = engine_feature(source) {
            find(offset, "an engine's feature is named outside runtime".into());
        }
    }
    if ["common/src/", "microkernel/src/"].iter().any(|below| source.path.starts_with(below)) {
        for token in tokens(&source.library) {
            if let Some(word) = word_above(token.text) {
                find(token.offset, format!("`{}` names {word}, which lives above this crate", token.text));
            }
        }
    }
    findings
}

/// Whether a file is one of the library crates, which never print, exit or read the environment.
fn is_library(path: &str) -> bool {
    ["common/src/", "microkernel/src/", "plugin-manager/src/"].iter().any(|library| path.starts_with(library))
}

fn path_faults(file: &str, path: &NamePath<'_>) -> Vec<String> {
    [door(file, path), outside_world(path), impure(file, path)].into_iter().flatten().collect()
}

/// A crate that stands behind a door, named outside.
fn door(file: &str, path: &NamePath<'_>) -> Option<String> {
    let first = path.parts.first()?;
    if path.parts.len() < 2 && !path.used {
        return None;
    }
    let (name, places) = DOORS.iter().find(|(name, _)| first == name || is_part_of(first, name))?;
    let inside = file.strip_prefix("plugin-manager/src/");
    let at_home = inside.is_some_and(|file| places.iter().any(|place| file.starts_with(place)));
    let crypto = *name == "ring" && file.starts_with("common/src/crypto");
    (!at_home && !crypto).then(|| format!("`{first}` may be named in {} only", places.join(", ")))
}

/// `wasmtime_environ` is wasmtime, `wasmtime_engine` is our own.
fn is_part_of(name: &str, family: &str) -> bool {
    let rest = name.strip_prefix(family).and_then(|rest| rest.strip_prefix('_'));
    family.starts_with("wasm") && rest.is_some_and(|rest| rest != "engine")
}

fn outside_world(path: &NamePath<'_>) -> Option<String> {
    let shown = path.parts.join("::");
    let ends = |tail: &str| shown == tail || shown.ends_with(&format!("::{tail}"));
    if ends("process::exit") || ends("process::abort") {
        return Some(format!("a library does not end the process (`{shown}`)"));
    }
    let reads = ["env::var", "env::var_os", "env::vars", "env::vars_os", "env::args", "env::args_os"];
    reads
        .iter()
        .any(|read| ends(read))
        .then(|| format!("a library does not read the environment (`{shown}`)"))
}

fn impure(file: &str, path: &NamePath<'_>) -> Option<String> {
    if !PURE.iter().any(|room| file.starts_with(room)) {
        return None;
    }
    let is_io = matches!(path.parts.as_slice(), ["std", "fs" | "net", ..] | ["tokio" | "rustix", ..]);
    let is_clock = matches!(path.parts.as_slice(), [.., "SystemTime" | "Instant", "now"]);
    (is_io || is_clock).then(|| {
        format!("this room has no I/O, no async and no clock of its own (`{}`)", path.parts.join("::"))
    })
}

/// Macros that print.
fn printing(code: &str) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    pairs
        .filter(|(name, bang)| {
            bang.text == "!" && matches!(name.text, "print" | "println" | "eprint" | "eprintln" | "dbg")
        })
        .map(|(name, _)| (name.offset, format!("a library does not print (`{}!`)", name.text)))
        .collect()
}

/// `cfg(feature = "wasmtime-runtime")` outside the room that knows the engines.
fn engine_feature(source: &Source) -> Option<usize> {
    if source.path.starts_with("plugin-manager/src/runtime/") {
        return None;
    }
    let named = |(offset, _): &(usize, &str)| source.library.get(*offset..*offset + 3) == Some("cfg");
    source.text.match_indices("cfg(feature = \"wasm").find(named).map(|(offset, _)| offset)
}

fn word_above(name: &str) -> Option<&'static str> {
    if SYSCALL_NAMES.contains(&name) {
        return None;
    }
    words(name).into_iter().find_map(|word| ABOVE.into_iter().find(|above| word == **above))
}

/// The words of `snake_case`, `CamelCase` or `SCREAMING_CASE`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_lower = false;
    for c in name.chars() {
        if (c == '_' || (c.is_uppercase() && before_lower))
            && words.last().is_some_and(|word| !word.is_empty())
        {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().into_iter().for_each(|word| word.extend(c.to_lowercase()));
        }
        before_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str) -> usize {
        check(&Source::new(path, code.to_owned())).len()
    }

    #[test]
    fn an_engine_is_named_in_its_own_file_only() {
        let code = "use wasmtime::Engine; fn f() -> wasmtime::Result<()> {}";
        assert_eq!(found("plugin-manager/src/runtime/wasmtime_engine.rs", code), 0);
        assert_eq!(found("plugin-manager/src/runtime/wasmtime_engine/store.rs", code), 0);
        assert_eq!(found("plugin-manager/src/runtime/execution.rs", code), 2);
        assert_eq!(found("plugin-manager/src/runtime/mod.rs", "use wasmer;"), 1);
        assert_eq!(found("plugin-manager/src/runtime/mod.rs", "use wasmer_types::X;"), 1);
        assert_eq!(
            found(
                "plugin-manager/src/runtime/mod.rs",
                "mod wasmer_engine; use wasmer_engine::X; // wasmer::Y"
            ),
            0
        );
    }

    #[test]
    fn crates_behind_a_door_stay_there() {
        for (code, home) in [
            ("use petgraph::Graph;", "resolver.rs"),
            ("use redb::Database;", "store/mod.rs"),
            ("use rcgen::KeyPair;", "attestation/authority.rs"),
            ("use ring::digest;", "attestation/verify.rs"),
        ] {
            assert_eq!(found(&format!("plugin-manager/src/{home}"), code), 0, "{code}");
            assert_eq!(found("plugin-manager/src/registry.rs", code), 1, "{code}");
        }
        assert_eq!(found("plugin-manager/src/attestation/verify.rs", "use rcgen::KeyPair;"), 1);
        assert_eq!(found("common/src/crypto.rs", "use ring::digest;"), 0);
    }

    #[test]
    fn libraries_do_not_print_exit_or_read_the_environment() {
        for code in [
            "fn f() { println!(\"x\") }",
            "fn f() { eprintln!() }",
            "fn f() { std::process::exit(1) }",
            "use std::env; fn f() { env::var(\"HOME\"); }",
            "fn f() { std::env::vars_os(); }",
        ] {
            assert_eq!(found("plugin-manager/src/registry.rs", code), 1, "{code}");
            assert_eq!(found("plugin-manager/shells/cli/src/main.rs", code), 0, "{code}");
            assert_eq!(
                found("common/src/a.rs", &format!("#[cfg(test)] mod tests {{ {code} }}")),
                0,
                "{code}"
            );
        }
        assert_eq!(
            found("plugin-manager/src/a.rs", "const E: &str = env!(\"X\"); fn println() {} // println!"),
            0
        );
    }

    #[test]
    fn pure_rooms_have_no_io_and_no_clock() {
        let code = "fn f() { std::fs::read(p); std::time::Instant::now(); SystemTime::now(); }";
        assert_eq!(found("plugin-manager/src/attestation/verify.rs", code), 3);
        assert_eq!(found("microkernel/src/trust/mod.rs", code), 3);
        assert_eq!(found("plugin-manager/src/store/mod.rs", code), 0);
    }

    #[test]
    fn the_crates_below_name_nothing_above() {
        for (code, count) in [
            ("fn wasm_size() {}", 1),
            ("struct WasmModule;", 1),
            ("use clap::Parser;", 1),
            ("enum E { Http }", 1),
            ("enum E { HttpRequest }", 0),
            ("fn swasmi() {} // wasm", 0),
            ("const A: &str = \"wasm\";", 0),
        ] {
            assert_eq!(found("microkernel/src/trust/a.rs", code), count, "{code}");
            assert_eq!(found("sample-plugin/src/a.rs", code), 0, "{code}");
        }
    }

    #[test]
    fn engine_features_stay_in_runtime() {
        let code = "#[cfg(feature = \"wasmtime-runtime\")]\nfn f() {}";
        assert_eq!(found("plugin-manager/src/registry.rs", code), 1);
        assert_eq!(found("plugin-manager/src/runtime/mod.rs", code), 0);
        assert_eq!(found("plugin-manager/src/registry.rs", &format!("// {code}")), 0);
    }
}
