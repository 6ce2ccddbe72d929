//! Every bad package of FAULTS.md, parts A and B, taken through `install` and `call` on each engine. Of each is
//! expected: its code; a record with the code, whom it is about and why; a home that is as it was; a bystander that
//! answers; and that the mended plugin installs and answers.

mod archives;
mod modules;
mod running;

use super::{Guest, World, code};
use crate::PluginManager;
use crate::runtime::EngineKind;
use common::identity::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A package that is refused: the fault's number, what is wrong with it, its bytes, its code.
pub(super) struct Bad {
    pub number: u32,
    pub what: String,
    pub package: Vec<u8>,
    pub code: &'static str,
}

/// A home with a bystander that runs.
struct Stage {
    world: World,
    host: PluginManager,
}

impl Stage {
    fn new(engine: EngineKind) -> Self {
        Self::with(engine, "")
    }

    /// The same with more configuration.
    fn with(engine: EngineKind, more: &str) -> Self {
        let world = World::with(engine, more);
        let host = world.open();
        host.install(&Guest::new("bystander").package(), true).unwrap();
        Self { world, host }
    }

    /// Digests of all files of the home but its audit log.
    fn files(&self) -> BTreeMap<String, Digest> {
        let mut files = BTreeMap::new();
        collect(&self.world.path(""), &self.world.path(""), &mut files);
        files.retain(|name, _| !name.starts_with("audit/"));
        files
    }

    /// The code of what this package is refused with, once everything else that is expected holds.
    #[track_caller]
    fn refused(&self, bad: &Bad) {
        let what = format!("{} {}", bad.number, bad.what);
        let before = self.files();
        let refused = self.host.install(&bad.package, true);
        assert_eq!(code(refused), bad.code, "{what}");
        assert_eq!(self.files(), before, "{what}");
        let digest = Digest::of(&bad.package).to_string();
        let about = [&digest, "\"action\":\"install\"", bad.code, "\"denied\"", "\"why\":"];
        assert_eq!(self.world.recorded(&self.host, &about), 1, "{what}");
        self.bystander_answers(&what);
    }

    #[track_caller]
    fn bystander_answers(&self, what: &str) {
        assert_eq!(self.host.call("bystander", "echo", b"here".to_vec()).unwrap(), b"here", "{what}");
    }

    /// Installs a mended package, calls its operation and removes it.
    #[track_caller]
    fn answers(&self, package: &[u8], name: &str, operation: &str, what: &str) {
        self.host.install(package, true).unwrap_or_else(|e| panic!("{what}: {e}"));
        self.host.call(name, operation, Vec::new()).unwrap_or_else(|e| panic!("{what}: {e}"));
        self.host.remove(name, false).unwrap();
    }
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, Digest>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(name, Digest::of(&std::fs::read(&path).unwrap()));
        }
    }
}

/// The codes that the list of faults gives for one.
fn listed(number: u32) -> BTreeSet<String> {
    let list: toml::Table = include_str!("../../../../../tests/faults.toml").parse().unwrap();
    let faults = list["fault"].as_array().unwrap();
    let fault = faults.iter().find(|f| f["number"].as_integer() == Some(number.into())).unwrap();
    let codes = fault.get("codes").and_then(toml::Value::as_array).into_iter().flatten();
    codes.map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// Every number is there, and every code is one the list names for it.
#[track_caller]
fn agree_with_the_list(given: &[(u32, &str)], numbers: impl IntoIterator<Item = u32>) {
    let there: BTreeSet<u32> = given.iter().map(|(number, _)| *number).collect();
    let wanted: BTreeSet<u32> = numbers.into_iter().collect();
    assert_eq!(there, wanted);
    for (number, code) in given {
        assert!(listed(*number).contains(*code), "the list does not give {code} for fault {number}");
    }
}
