//! The layer table of ARCHITECTURE.md, and every arrow of the sources against it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::Finding;
use super::source::{NamePath, Source, paths};

/// What everyone may import.
const EVERYONE: [&str; 2] = ["common", "metrics"];
/// Where the rooms of the plugin manager are.
const ROOMS: &str = "plugin-manager/src/";

/// What one row allows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum May {
    Import(BTreeSet<String>),
    Everything,
    CrateRoot,
}

/// Rooms and what each may import.
#[derive(Debug)]
pub struct Table(BTreeMap<String, May>);

impl Table {
    /// Reads the rows `| level | room | may import |` of a page.
    pub fn parse(page: &str) -> Result<Self> {
        let mut rows = BTreeMap::new();
        for line in page.lines() {
            let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
            let [level, rooms, allowed] = cells.as_slice() else { continue };
            if level.parse::<u8>().is_err() {
                continue;
            }
            for room in list(rooms) {
                rows.insert(room, may(allowed));
            }
        }
        match rows.is_empty() {
            true => bail!("there is no layer table `| level | room | may import |`"),
            false => Ok(Self(rows)),
        }
    }

    fn allows(&self, from: &str, to: &str) -> bool {
        match self.0.get(from) {
            Some(May::Import(rooms)) => rooms.contains(to),
            Some(May::Everything) => true,
            Some(May::CrateRoot) | None => false,
        }
    }
}

fn list(cell: &str) -> BTreeSet<String> {
    cell.split(',')
        .map(|name| name.trim().trim_matches('`').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

fn may(cell: &str) -> May {
    match cell {
        _ if cell.starts_with("everything above") => May::Everything,
        "the crate root only" => May::CrateRoot,
        "–" | "-" => May::Import(BTreeSet::new()),
        rooms => May::Import(list(rooms)),
    }
}

/// Every arrow that the table does not allow.
pub fn check(sources: &[Source], table: &Table) -> Vec<Finding> {
    let rooms: BTreeSet<&str> = sources.iter().filter_map(|source| room_of(&source.path)).collect();
    let unlisted = rooms.iter().filter(|room| !table.0.contains_key(**room)).map(|room| {
        Finding::new(&format!("{ROOMS}{room}"), 0, format!("the room {room} is not in the layer table"))
    });
    let arrows = sources.iter().flat_map(|source| check_source(source, table, &rooms));
    unlisted.chain(arrows).collect()
}

/// The room a file of the plugin manager is in; `lib.rs` is in none.
fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix(ROOMS)?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (room != "lib" && room != "main").then_some(room)
}

fn check_source(source: &Source, table: &Table, rooms: &BTreeSet<&str>) -> Vec<Finding> {
    let (from, code) = match home(&source.path) {
        Some("tests") => ("tests", &source.code),
        Some(from) => (from, &source.library),
        None => return Vec::new(),
    };
    let depth = module_depth(&source.path);
    paths(code)
        .iter()
        .filter_map(|path| {
            let what = arrow(path, from, depth, table, rooms)?;
            Some(Finding::new(&source.path, source.line(path.offset), what))
        })
        .collect()
}

/// The row of the table a file is judged by.
fn home(path: &str) -> Option<&str> {
    match path.split('/').next()? {
        crate_name @ ("common" | "microkernel") => Some(crate_name),
        "tests" => Some("tests"),
        _ if path.starts_with("plugin-manager/shells/") => Some("shells"),
        _ => room_of(path),
    }
}

/// How many `super` lead from a file's module to the crate's root.
fn module_depth(path: &str) -> usize {
    let inside = path.strip_prefix(ROOMS).unwrap_or_default();
    inside.split('/').filter(|part| *part != "mod.rs").count()
}

/// What is wrong with a path, if anything is.
fn arrow(
    path: &NamePath<'_>,
    from: &str,
    depth: usize,
    table: &Table,
    rooms: &BTreeSet<&str>,
) -> Option<String> {
    let to = target(path, from, depth, rooms)?;
    if to == from || EVERYONE.contains(&to) || table.allows(from, to) {
        return None;
    }
    Some(match rooms.contains(to) || table.0.contains_key(to) {
        true => format!("{from} may not import {to} (layer table)"),
        false => {
            format!("{from} names `{to}` of the crate root: name its room, if the layer table allows it")
        }
    })
}

/// The room or crate a path leads to, if it leads out of its own.
fn target<'p>(path: &NamePath<'p>, from: &str, depth: usize, rooms: &BTreeSet<&str>) -> Option<&'p str> {
    let in_room = rooms.contains(from);
    let ups = path.parts.iter().take_while(|part| **part == "super").count();
    match path.parts.as_slice() {
        ["crate", to, ..] if in_room => Some(to),
        [first @ ("common" | "microkernel"), _, ..] => Some(first).copied(),
        ["forgeone_abi", _, ..] => Some("guest/abi"),
        // In shells and tests a lower-case name after the crate's is a room.
        ["plugin_manager", to, ..] if rooms.contains(to) || !matches!(from, "shells" | "tests") => Some(to),
        parts if in_room && ups >= depth && ups > 0 => parts.get(ups).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "
| level | room | may import (everyone may import `common`, `metrics`) |
|---|---|---|
| 0 | common | – |
| 0 | guest/abi | – |
| 0 | metrics | – |
| 1 | microkernel | – |
| 2 | syscall | microkernel |
| 3 | abi | syscall, guest/abi |
| 7 | registry | everything above; nothing imports it but lib.rs |
| 8 | shells, tests | the crate root only |
";

    fn found(path: &str, code: &str) -> Vec<String> {
        let mut sources: Vec<_> = ["abi/mod", "syscall/mod", "metrics/mod", "registry"]
            .map(|room| Source::new(&format!("plugin-manager/src/{room}.rs"), String::new()))
            .into();
        sources.push(Source::new(path, code.to_owned()));
        check(&sources, &Table::parse(PAGE).unwrap())
            .into_iter()
            .map(|f| format!("{}: {}", f.line, f.what))
            .collect()
    }

    #[test]
    fn arrows_of_the_table_are_allowed() {
        let code = "use crate::syscall::Port; use common::error::Coded; use crate::metrics::Counter; use forgeone_abi::Args;";
        assert_eq!(found("plugin-manager/src/abi/vm.rs", code), [""; 0]);
        assert_eq!(found("plugin-manager/src/registry.rs", "use crate::{abi::Vm, syscall::Port};"), [""; 0]);
        assert_eq!(found("plugin-manager/src/lib.rs", "pub use registry::PluginManager;"), [""; 0]);
        assert_eq!(
            found("plugin-manager/shells/cli/src/main.rs", "use plugin_manager::PluginManager;"),
            [""; 0]
        );
    }

    #[test]
    fn an_arrow_against_the_table_is_found_however_it_is_written() {
        let path = "plugin-manager/src/syscall/channel.rs";
        let wrong = "2: syscall may not import abi (layer table)";
        for code in [
            "\nuse crate::abi::Vm;",
            "\nuse crate::{metrics::Counter, abi::{self, Vm}};",
            "\nfn f(vm: &crate::abi::Vm) {}",
            "\nuse super::super::abi::Vm;",
        ] {
            assert!(found(path, code).iter().any(|f| f == wrong), "{code}: {:?}", found(path, code));
        }
        assert_eq!(found(path, "#[cfg(test)] mod tests { use crate::abi::Vm; }"), [""; 0]);
        assert_eq!(found(path, "use super::Port; // crate::abi::Vm"), [""; 0]);
    }

    #[test]
    fn nothing_imports_the_hall_or_the_crate_root() {
        let path = "plugin-manager/src/abi/vm.rs";
        assert_eq!(found(path, "use crate::registry::X;"), ["1: abi may not import registry (layer table)"]);
        assert_eq!(found(path, "use crate::PluginManager;").len(), 1);
    }

    #[test]
    fn crates_below_and_shells_keep_to_their_rows() {
        assert_eq!(
            found("common/src/a.rs", "use microkernel::trust::X;"),
            ["1: common may not import microkernel (layer table)"]
        );
        let shells = found("plugin-manager/shells/cli/src/a.rs", "use plugin_manager::abi::Vm;");
        assert_eq!(shells, ["1: shells may not import abi (layer table)"]);
        let tests = found("tests/it/a.rs", "use plugin_manager::{PluginManager, abi::Vm};");
        assert_eq!(tests, ["1: tests may not import abi (layer table)"]);
    }

    #[test]
    fn a_room_has_to_be_in_the_table() {
        assert_eq!(found("plugin-manager/src/attic.rs", ""), ["0: the room attic is not in the layer table"]);
    }
}
