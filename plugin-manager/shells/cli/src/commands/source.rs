//! The directory `pack` reads: plugin.toml, the module, and the supporting files, as bytes.

use crate::args::Pack;
use crate::failure;
use crate::files::{self, MAX_FILE};
use common::error::{ForgeError, codes};
use plugin_manager::{Asset, Package, PackageLimits, Phase, Progress, Source};
use std::fs;
use std::path::{Path, PathBuf};

/// Deepest directory under `assets/` that is looked into.
const MAX_DEPTH: usize = 16;

/// The bytes of the package this directory makes.
///
/// # Errors
/// When a file cannot be read, or what the directory has is no package a host would accept.
pub fn pack(args: &Pack, progress: &dyn Progress) -> Result<Vec<u8>, ForgeError> {
    let text = files::read_text(&args.dir.join("plugin.toml"), MAX_FILE).map_err(no_directory)?;
    let path = args.wasm.clone().unwrap_or_else(|| args.dir.join("plugin.wasm"));
    let module = files::read_telling(&path, MAX_FILE, progress).map_err(|e| no_module(e, args))?;
    let assets = supporting(&args.dir)?;
    let publisher = args.publisher.as_ref();
    let source = Source { plugin_toml: &text, publisher, module: &module, assets: &assets };
    progress.begin(Phase::Pack, &args.dir.display().to_string(), None);
    let packed = plugin_manager::pack(&source, &PackageLimits::default());
    progress.end(Phase::Pack);
    let packed = packed?;
    let package = Package::load(&packed, &PackageLimits::default())?;
    let judged = plugin_manager::check_module(&package);
    judged.map_err(|error| error.reason(format!("the module is {}", path.display())))?;
    Ok(packed)
}

/// What to do about a directory without `plugin.toml`.
fn no_directory(error: ForgeError) -> ForgeError {
    let help = "is this a plugin's directory? `forgeone new` makes one";
    if error.code() == &codes::E5008 { error.with_help(help) } else { error }
}

/// What to do about a module that is not there.
fn no_module(error: ForgeError, args: &Pack) -> ForgeError {
    let help = match args.wasm {
        Some(_) => "build the module first, or check the path",
        None => "build it (`cargo wasm` in a directory of `forgeone new`) and name it with --wasm",
    };
    if error.code() == &codes::E5008 { error.with_help(help) } else { error }
}

fn supporting(dir: &Path) -> Result<Vec<Asset>, ForgeError> {
    let mut found = Vec::new();
    if dir.join("sbom.cdx.json").exists() {
        found.push(asset(&dir.join("sbom.cdx.json"), "sbom.cdx.json".to_owned())?);
    }
    if dir.join("assets").exists() {
        walk(&dir.join("assets"), "assets", 0, &mut found)?;
    }
    Ok(found)
}

fn asset(path: &Path, name: String) -> Result<Asset, ForgeError> {
    Ok(Asset { name, bytes: files::read(path, MAX_FILE)? })
}

/// Adds every file below `dir`. Anything that is neither file nor directory is refused, links too: what they
/// point at may not be what the author meant to publish.
fn walk(dir: &Path, name: &str, depth: usize, found: &mut Vec<Asset>) -> Result<(), ForgeError> {
    if depth > MAX_DEPTH {
        return Err(not_packable(dir, "it is nested too deeply"));
    }
    for path in entries(dir)? {
        let part = path
            .file_name()
            .and_then(|n| n.to_str())
            .ok_or_else(|| not_packable(&path, "its name is not UTF-8"))?;
        let name = format!("{name}/{part}");
        let kind = fs::symlink_metadata(&path).map_err(|e| failure::file("read", &path, &e))?.file_type();
        if kind.is_dir() {
            walk(&path, &name, depth + 1, found)?;
        } else if kind.is_file() {
            found.push(asset(&path, name)?);
        } else {
            return Err(not_packable(&path, "it is neither a file nor a directory"));
        }
    }
    Ok(())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, ForgeError> {
    let read = fs::read_dir(dir).and_then(|all| all.map(|e| e.map(|e| e.path())).collect());
    read.map_err(|e| failure::file("read", dir, &e))
}

fn not_packable(path: &Path, why: &str) -> ForgeError {
    ForgeError::new(&codes::E1003, format!("{} cannot be packed: {why}", path.display()))
}
