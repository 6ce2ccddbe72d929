//! What a new directory holds: the files of an example with its own name, publisher and SDK put in.

use super::sdk::{CRATES, Embedded, LICENSE, VERSION_HERE, embedded};
use common::identity::{Name, Publisher};

/// The name every example goes by.
const EXAMPLE: &str = "greeter";
/// The publisher of every example.
const PUBLISHER: &str = "acme";
/// The path to the SDK in the manifest of the Rust example.
const SDK: &str = "\"../../pdk\"";

const RUST: &[Embedded] = embedded! {
    "examples/rust":
    ".cargo/config.toml",
    ".github/workflows/plugin.yml",
    ".gitignore",
    "Cargo.toml",
    "README.md",
    "assets/tests/greet.json",
    "plugin.toml",
    "src/lib.rs",
};

const C: &[Embedded] = embedded! {
    "examples/c":
    ".github/workflows/plugin.yml",
    ".gitignore",
    "README.md",
    "assets/tests/greet.json",
    "build.sh",
    "forgeone.h",
    "plugin.c",
    "plugin.toml",
};

const WAT: &[Embedded] = embedded! {
    "examples/wat":
    ".github/workflows/plugin.yml",
    ".gitignore",
    "README.md",
    "assets/tests/greet.json",
    "build.sh",
    "plugin.toml",
    "plugin.wat",
};

/// What a new plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// C, with a header of the imports.
    C,
    /// WebAssembly text.
    Wat,
}

impl Language {
    /// The word used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Wat => "wat",
        }
    }

    /// The commands that lead from the new directory to a package, in order.
    pub(super) fn steps(self, name: &Name) -> Vec<String> {
        let pack = |module: &str| format!("forgeone pack .{module} -o {name}.forgepkg");
        let steps = match self {
            Self::Rust => vec![
                "cargo test".to_owned(),
                "cargo wasm".to_owned(),
                pack(" --wasm target/wasm32-unknown-unknown/release/plugin.wasm"),
            ],
            Self::C | Self::Wat => vec!["sh build.sh".to_owned(), pack("")],
        };
        steps.into_iter().chain([format!("forgeone install {name}.forgepkg")]).collect()
    }

    const fn example(self) -> &'static [Embedded] {
        match self {
            Self::Rust => RUST,
            Self::C => C,
            Self::Wat => WAT,
        }
    }
}

/// A file of the new directory: its path with `/`, and its text.
pub(super) type NewFile = (String, String);

/// The example in this language as `name` of `publisher`. In Rust, `sdk` is the path its manifest names.
pub(super) fn example(language: Language, name: &Name, publisher: &Publisher, sdk: &str) -> Vec<NewFile> {
    let mut files: Vec<NewFile> = language
        .example()
        .iter()
        .map(|(path, text)| ((*path).to_owned(), renamed(path, text, name, publisher, sdk)))
        .collect();
    if language == Language::Rust {
        files.push((
            "rust-toolchain.toml".to_owned(),
            include_str!("../../../rust-toolchain.toml").to_owned(),
        ));
    }
    files
}

/// Sources have no name of their own in them; everything else is about this plugin.
fn renamed(path: &str, text: &str, name: &Name, publisher: &Publisher, sdk: &str) -> String {
    if path.ends_with(".rs") || path.ends_with(".c") || path.ends_with(".h") || path.ends_with(".wat") {
        return text.to_owned();
    }
    let crate_name = crate_name(name);
    let shown = if path == "Cargo.toml" { &crate_name } else { name.as_str() };
    // Piece by piece, so that a name that holds another of the words is not replaced again.
    let pieces: Vec<String> = text
        .split(EXAMPLE)
        .map(|piece| {
            piece
                .split(PUBLISHER)
                .map(|rest| rest.replace(SDK, sdk))
                .collect::<Vec<_>>()
                .join(publisher.as_str())
        })
        .collect();
    pieces.join(shown)
}

/// Cargo takes no package name that begins with a digit or is that of a dependency.
fn crate_name(name: &Name) -> String {
    let text = name.as_str();
    let own = text.starts_with(|c: char| c.is_ascii_alphabetic()) && CRATES.iter().all(|c| c.name != text);
    if own { text.to_owned() } else { format!("plugin-{text}") }
}

/// The SDK, as it stands under `vendor/`.
pub(super) fn vendored() -> Vec<NewFile> {
    let mut files = vec![("vendor/LICENSE".to_owned(), LICENSE.to_owned())];
    for krate in &CRATES {
        let manifest = krate.manifest.replace(VERSION_HERE, env!("CARGO_PKG_VERSION"));
        files.push((format!("vendor/{}/Cargo.toml", krate.name), manifest));
        let source =
            |(path, text): &Embedded| (format!("vendor/{}/src/{path}", krate.name), (*text).to_owned());
        files.extend(krate.sources.iter().map(source));
    }
    files
}
