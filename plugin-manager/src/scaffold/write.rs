//! Writes a new directory whole or not at all, and over nothing.

use super::error::ScaffoldError;
use super::files::{self, Language, NewFile};
use common::error::ForgeError;
use common::identity::{HOST_PARTS, Name, Publisher};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Where a Rust plugin has its SDK from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdk {
    /// A copy of the one this host was built with, under `vendor/`.
    Vendored,
    /// The crate in this directory.
    Path(PathBuf),
}

/// A new plugin to be.
#[derive(Debug, Clone)]
pub struct Scaffold {
    /// Its name.
    pub name: Name,
    /// Its publisher.
    pub publisher: Publisher,
    /// What it is written in.
    pub language: Language,
    /// Where it has its SDK from. Only Rust has one.
    pub sdk: Sdk,
}

/// A new plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaffolded {
    /// Its directory.
    pub dir: PathBuf,
    /// Its files, sorted, without those under `vendor/`.
    pub files: Vec<String>,
    /// The commands that lead from there to an installed plugin, in order.
    pub next: Vec<String>,
}

impl Scaffold {
    /// Makes `dir`, which is not there or is empty.
    ///
    /// # Errors
    /// E5009 when something is there; E5008 when the SDK is not; E0101 when the language has none or the
    /// name is the host's; E0002 when it
    /// cannot be written.
    pub fn write(&self, dir: &Path) -> Result<Scaffolded, ForgeError> {
        if HOST_PARTS.contains(&self.name.as_str()) {
            return Err(ScaffoldError::Provided(self.name.clone()).into());
        }
        let files = self.files()?;
        free(dir)?;
        whole(dir, &files)?;
        let mut own: Vec<String> =
            files.into_iter().map(|(path, _)| path).filter(|path| !path.starts_with("vendor/")).collect();
        own.sort_unstable();
        Ok(Scaffolded { dir: dir.to_owned(), files: own, next: self.language.steps(&self.name) })
    }

    fn files(&self) -> Result<Vec<NewFile>, ScaffoldError> {
        let with = |sdk: &str| files::example(self.language, &self.name, &self.publisher, sdk);
        match (self.language, &self.sdk) {
            (Language::Rust, Sdk::Vendored) => {
                Ok(with("\"vendor/forgeone-pdk\"").into_iter().chain(files::vendored()).collect())
            }
            (Language::Rust, Sdk::Path(path)) => Ok(with(&crate_path(path)?)),
            (_, Sdk::Vendored) => Ok(with("")),
            (other, Sdk::Path(_)) => Err(ScaffoldError::SdkUnused(other.name())),
        }
    }
}

/// The absolute path of the SDK's crate as a TOML string.
fn crate_path(path: &Path) -> Result<String, ScaffoldError> {
    let none = || ScaffoldError::NoSdk(path.to_owned());
    let found = fs::canonicalize(path).map_err(|_| none())?;
    let manifest = fs::read_to_string(found.join("Cargo.toml")).map_err(|_| none())?;
    let manifest: toml::Table = manifest.parse().map_err(|_| none())?;
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
    match (name, found.to_str()) {
        (Some("forgeone-pdk"), Some(text)) => Ok(toml::Value::from(text).to_string()),
        _ => Err(none()),
    }
}

/// Whether a directory may be made there.
fn free(dir: &Path) -> Result<(), ScaffoldError> {
    let taken = || ScaffoldError::Taken(dir.to_owned());
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(taken())),
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(dir).is_err() => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(failed(dir)(error)),
        Err(_) => Err(taken()),
    }
}

/// Writes beside the final place and renames: a directory that is not empty by then refuses the rename.
fn whole(dir: &Path, files: &[NewFile]) -> Result<(), ScaffoldError> {
    let dir = std::path::absolute(dir).map_err(failed(dir))?;
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else {
        return Err(ScaffoldError::Taken(dir));
    };
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let beside = parent.join(hidden);
    // One that is there already is somebody's: it is neither used nor removed.
    fs::create_dir(&beside).map_err(failed(&beside))?;
    let written = fill(&beside, files).and_then(|()| fs::rename(&beside, &dir).map_err(failed(&dir)));
    if written.is_err() {
        // What failed above is what matters; a directory that cannot be removed either has its name in it.
        let _ = fs::remove_dir_all(&beside);
    }
    written
}

fn fill(dir: &Path, files: &[NewFile]) -> Result<(), ScaffoldError> {
    for (path, text) in files {
        let path = dir.join(path);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ScaffoldError {
    let path = path.to_owned();
    move |source| ScaffoldError::Write { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::PluginToml;

    const ALL: [Language; 3] = [Language::Rust, Language::C, Language::Wat];

    fn scaffold(name: &str, publisher: &str, language: Language) -> Scaffold {
        let (name, publisher) = (Name::new(name).unwrap(), Name::new(publisher).unwrap());
        Scaffold { name, publisher, language, sdk: Sdk::Vendored }
    }

    fn code(result: Result<Scaffolded, ForgeError>) -> &'static str {
        result.unwrap_err().code().id
    }

    #[test]
    fn every_language_makes_its_files_under_the_new_name() {
        let home = tempfile::tempdir().unwrap();
        for language in ALL {
            // Each name holds the other's word, which a careless replacement would replace again.
            let dir = home.path().join(language.name());
            let made = scaffold("acme-tool", "greeters", language).write(&dir).unwrap();
            for path in &made.files {
                let text = fs::read_to_string(dir.join(path)).unwrap();
                assert!(!text.replace("greeters", "").contains("greeter"), "{path}:\n{text}");
                assert!(!text.contains("../../pdk"), "{path}");
            }
            let source = fs::read_to_string(dir.join("plugin.toml")).unwrap();
            let source = PluginToml::parse(&source).unwrap();
            assert_eq!(source.name().as_str(), "acme-tool");
            assert_eq!(source.publisher().unwrap().as_str(), "greeters");
            for file in ["README.md", ".gitignore", ".github/workflows/plugin.yml"] {
                assert!(made.files.iter().any(|f| f == file), "{file} in {:?}", made.files);
            }
            assert!(made.next.iter().any(|step| step == "forgeone install acme-tool.forgepkg"));
        }
    }

    #[test]
    fn the_sdk_is_copied_or_named() {
        let home = tempfile::tempdir().unwrap();
        let mut plugin = scaffold("a", "me", Language::Rust);
        plugin.write(&home.path().join("copied")).unwrap();
        let manifest = fs::read_to_string(home.path().join("copied/vendor/forgeone-pdk/Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("version = \"{}\"", env!("CARGO_PKG_VERSION"))), "{manifest}");
        plugin.sdk = Sdk::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/pdk"));
        plugin.write(&home.path().join("named")).unwrap();
        let manifest: toml::Table =
            fs::read_to_string(home.path().join("named/Cargo.toml")).unwrap().parse().unwrap();
        let path = manifest["dependencies"]["forgeone-pdk"]["path"].as_str().unwrap();
        assert!(Path::new(path).is_absolute() && path.ends_with("guest/pdk"), "{path}");
        assert!(!home.path().join("named/vendor").exists());
    }

    #[test]
    fn an_sdk_that_is_none_or_is_not_used_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("new");
        let mut plugin = scaffold("a", "me", Language::Rust);
        plugin.sdk = Sdk::Path(home.path().to_owned());
        assert_eq!(code(plugin.write(&dir)), "E5008");
        plugin.language = Language::C;
        assert_eq!(code(plugin.write(&dir)), "E0101");
        assert!(!dir.exists());
    }

    #[test]
    fn nothing_is_written_over() {
        let home = tempfile::tempdir().unwrap();
        let plugin = scaffold("a", "me", Language::Wat);
        let at = |name: &str| home.path().join(name);
        fs::write(at("file"), "mine").unwrap();
        fs::create_dir(at("full")).unwrap();
        fs::write(at("full/mine"), "mine").unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("link")).unwrap();
        for taken in ["file", "full", "link"] {
            assert_eq!(code(plugin.write(&at(taken))), "E5009", "{taken}");
        }
        fs::create_dir(at("empty")).unwrap();
        plugin.write(&at("empty")).unwrap();
        assert_eq!(code(plugin.write(&at("empty"))), "E5009");
        plugin.write(&at("with/parents")).unwrap();
        let mut left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["empty", "file", "full", "link", "with"]);
        assert_eq!(fs::read_to_string(at("full/mine")).unwrap(), "mine");
    }

    #[test]
    fn names_cargo_would_refuse_are_no_hindrance() {
        let home = tempfile::tempdir().unwrap();
        for (name, expected) in [("3d", "plugin-3d"), ("forgeone-pdk", "plugin-forgeone-pdk"), ("fn", "fn")] {
            let dir = home.path().join(name);
            scaffold(name, "me", Language::Rust).write(&dir).unwrap();
            let manifest: toml::Table = fs::read_to_string(dir.join("Cargo.toml")).unwrap().parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some(expected));
        }
    }
}
