//! Homes whose plugin directory is scanned, one scan at a time and by a clock that moves when told to.

mod model;
mod scans;
mod troubles;
mod watching;

use super::keeper::Keeper;
use super::report::DirectoryReport;
use crate::PluginManager;
use crate::registry::tests::{Guest, World};
use crate::runtime;
use common::clock::ManualClock;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const SETTLE: Duration = Duration::from_secs(1);

/// A development home with more keys, on an engine of this build.
fn world(more: &str) -> World {
    World::with(*runtime::available().first().unwrap(), more)
}

/// A home that is open, and its plugin directory.
struct Desk {
    host: PluginManager,
    keeper: Keeper,
    clock: Arc<ManualClock>,
    dir: PathBuf,
}

impl Desk {
    fn at(world: &World) -> Self {
        let (host, clock, dir) = (world.open(), ManualClock::at(0), world.path("plugins"));
        let keeper = Keeper::new(host.clone(), dir.clone(), clock.clone());
        Self { host, keeper, clock, dir }
    }
    /// Writes a file as a copying program does: in place.
    fn write(&self, file: &str, bytes: &[u8]) {
        std::fs::write(self.dir.join(file), bytes).unwrap();
    }
    fn delete(&self, file: &str) {
        std::fs::remove_file(self.dir.join(file)).unwrap();
    }
    /// One scan, in which these files were heard to be closed.
    fn closed(&mut self, files: &[&str]) -> Duration {
        self.keeper.scan(&files.iter().map(ToString::to_string).collect::<BTreeSet<_>>())
    }
    /// Scans until everything that stands still has settled, and once more.
    fn settle(&mut self) -> DirectoryReport {
        for _ in 0..3 {
            self.keeper.scan(&BTreeSet::new());
            self.clock.advance(SETTLE);
        }
        self.keeper.scan(&BTreeSet::new());
        self.keeper.report().clone()
    }
    /// `name version state` of what is installed.
    fn installed(&self) -> Vec<String> {
        let all = self.host.list().unwrap();
        all.iter().map(|p| format!("{} {} {}", p.name, p.version, p.state)).collect()
    }
    fn names(&self, below: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.dir.join(below)) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| n != "rejected")
            .collect();
        names.sort();
        names
    }
    fn reason(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join("rejected").join(format!("{file}.reason.txt"))).unwrap()
    }
}

fn package(name: &str, version: &str) -> Vec<u8> {
    Guest::new(name).version(version).package()
}
