//! The decisions against a host of three lines, over random lives of a directory.

use super::super::plan::{Choice, Gone, Installed, Known, Offer, in_order};
use crate::store::{Dropped, Stamp};
use common::identity::{Digest, Name};
use proptest::prelude::*;
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// A package: which plugin, and its version.
type Content = (u8, u64);

#[derive(Debug, Clone)]
enum Event {
    Drop(u8, Content),
    Delete(u8),
    Rename(u8, u8),
    CommandInstall(Content),
    CommandRemove(u8),
    Scan,
}

fn content() -> impl Strategy<Value = Content> {
    (0u8..3, 1u64..4)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0u8..4, content()).prop_map(|(file, content)| Event::Drop(file, content)),
        2 => (0u8..4).prop_map(Event::Delete),
        1 => (0u8..4, 0u8..4).prop_map(|(from, to)| Event::Rename(from, to)),
        1 => content().prop_map(Event::CommandInstall),
        1 => (0u8..3).prop_map(Event::CommandRemove),
        3 => Just(Event::Scan),
    ]
}

fn name(plugin: u8) -> Name {
    Name::new(&format!("p{plugin}")).unwrap()
}
fn version((_, version): Content) -> Version {
    Version::new(version, 0, 0)
}
fn digest(content: Content) -> Digest {
    Digest::of(format!("{content:?}").as_bytes())
}
fn installed(content: Content) -> Installed {
    Installed { package: digest(content), version: version(content), needs: BTreeSet::new() }
}

/// A directory and a host that installs everything but lower versions.
#[derive(Debug, Default)]
struct World {
    contents: BTreeMap<String, Content>,
    known: Known,
    time: i64,
    /// Plugins whose file was replaced by one that was moved aside.
    orphans: BTreeSet<Name>,
    /// Plugins a command installed or exchanged last, and no file since, with a package that no file of it has.
    commands: BTreeSet<Name>,
    steps: usize,
}

impl World {
    fn put(&mut self, file: String, content: Content) {
        self.time += 1;
        let stamp = Stamp { inode: 1, bytes: 1, modified_ns: self.time, changed_ns: self.time };
        self.contents.insert(file.clone(), content);
        self.known.files.insert(file, stamp);
    }

    fn take(&mut self, file: &str) -> Option<Content> {
        self.known.files.remove(file);
        self.contents.remove(file)
    }

    fn happen(&mut self, event: Event) {
        let file = |n: u8| format!("{n}.forgepkg");
        match event {
            Event::Drop(n, content) => self.put(file(n), content),
            Event::Delete(n) => drop(self.take(&file(n))),
            Event::Rename(from, to) => {
                if let Some(content) = self.take(&file(from)) {
                    self.put(file(to), content);
                }
            }
            Event::CommandInstall(content) => {
                let plugin = name(content.0);
                let newer = self.known.installed.get(&plugin).is_none_or(|i| i.version < version(content));
                if newer {
                    self.known.installed.insert(plugin.clone(), installed(content));
                    self.orphans.remove(&plugin);
                    let of_a_file =
                        self.known.rows.get(&plugin).is_some_and(|row| row.package == digest(content));
                    if of_a_file {
                        self.commands.remove(&plugin)
                    } else {
                        self.commands.insert(plugin)
                    };
                }
            }
            Event::CommandRemove(plugin) => {
                self.known.installed.remove(&name(plugin));
                self.commands.remove(&name(plugin));
            }
            Event::Scan => self.scan(),
        }
    }

    /// What the keeper does, with everything settled.
    fn scan(&mut self) {
        let offer = |(file, stamp): (String, Stamp)| {
            let content = self.contents[&file];
            let (package, name, version) = (digest(content), name(content.0), version(content));
            Offer { file, stamp, package, name, version, needs: BTreeSet::new() }
        };
        for offer in in_order(self.known.strange().into_iter().map(offer).collect()) {
            let lower = self.known.installed.get(&offer.name).is_some_and(|i| offer.version < i.version);
            let choice = self.known.choose(&offer);
            self.steps += usize::from(choice != Choice::Known);
            match choice {
                Choice::Upgrade if lower => self.reject(&offer),
                Choice::Second { .. } => self.reject(&offer),
                Choice::Install | Choice::Upgrade | Choice::Adopt => {
                    let content = self.contents[&offer.file];
                    self.known.installed.insert(offer.name.clone(), installed(content));
                    self.commands.remove(&offer.name);
                    self.orphans.remove(&offer.name);
                    self.keep(offer);
                }
                Choice::Known => self.keep(offer),
            }
        }
        for plugin in self.known.missing().into_keys().map(|name| Name::new(&name).unwrap()) {
            self.steps += 1;
            if self.known.gone(&plugin) == Gone::Remove {
                assert!(!self.commands.contains(&plugin), "{plugin} came by a command");
                self.known.installed.remove(&plugin);
            }
            self.known.rows.remove(&plugin);
        }
    }

    fn keep(&mut self, offer: Offer) {
        let Offer { file, stamp, package, name: plugin, .. } = offer;
        let row =
            Dropped { plugin: plugin.clone(), directory: String::new(), file, stamp, package, problem: None };
        self.known.rows.insert(plugin, row);
    }

    fn reject(&mut self, offer: &Offer) {
        for plugin in self.known.brought_by(&offer.file) {
            self.known.rows.remove(&plugin);
            self.orphans.insert(plugin);
        }
        self.take(&offer.file).unwrap();
    }
}

proptest! {
    #[test]
    fn a_directory_comes_to_rest_and_says_what_is_installed(events in proptest::collection::vec(event(), 0..40)) {
        let mut world = World::default();
        for event in events {
            world.happen(event);
        }
        // A file whose plugin another file brought since is strange, may bring it back, and puts the other aside then.
        for _ in 0..3 {
            world.scan();
        }
        let before = (world.steps, world.known.installed.clone(), world.contents.clone());
        world.scan();
        prop_assert_eq!(&before, &(world.steps, world.known.installed.clone(), world.contents.clone()), "it rests");
        prop_assert!(world.known.strange().is_empty() && world.known.missing().is_empty());
        // One file of a plugin at most; a plugin that came by a file has it.
        for (plugin, row) in &world.known.rows {
            prop_assert_eq!(digest(world.contents[&row.file]), row.package);
            prop_assert_eq!(name(world.contents[&row.file].0), plugin.clone());
        }
        for (plugin, is) in &world.known.installed {
            let brought = world.known.rows.get(plugin).is_some_and(|row| row.package == is.package);
            let other = world.commands.contains(plugin) || world.orphans.contains(plugin);
            prop_assert!(brought || other, "{plugin} came from nowhere");
        }
        for file in world.contents.keys() {
            prop_assert_eq!(world.known.brought_by(file).len(), 1);
        }
    }

    #[test]
    fn offers_are_tried_after_what_they_need_in_one_order(
        edges in proptest::collection::vec((0u8..12, 0u8..12), 0..30), seed in any::<u64>()
    ) {
        let needs = |of: u8| edges.iter().filter(|(a, b)| *a == of && b < a).map(|(_, b)| name(*b)).collect();
        let offer = |plugin: u8| Offer {
            file: format!("{}", 99 - plugin),
            stamp: Stamp { inode: 0, bytes: 0, modified_ns: 0, changed_ns: 0 },
            package: digest((plugin, 1)),
            name: name(plugin),
            version: Version::new(1, 0, 0),
            needs: needs(plugin),
        };
        let all: Vec<Offer> = (0..12).map(offer).collect();
        let order = in_order(all.clone());
        let mut turned = all.clone();
        turned.rotate_left(usize::try_from(seed % 12).unwrap());
        prop_assert_eq!(&in_order(turned), &order);
        let at = |wanted: &Name| order.iter().position(|o| o.name == *wanted).unwrap();
        prop_assert_eq!(order.len(), all.len());
        for offer in &all {
            for need in &offer.needs {
                prop_assert!(at(need) < at(&offer.name));
            }
        }
        let known = Known {
            installed: all.iter().map(|o| {
                (o.name.clone(), Installed { package: o.package, version: o.version.clone(), needs: o.needs.clone() })
            }).collect(),
            ..Known::default()
        };
        let mut away: Vec<Name> = known.removal_order(all.iter().map(|o| o.name.clone()));
        away.reverse();
        for offer in &all {
            for need in &offer.needs {
                let at = |wanted: &Name| away.iter().position(|n| n == wanted).unwrap();
                prop_assert!(at(need) < at(&offer.name));
            }
        }
    }
}

#[test]
fn needs_in_a_circle_have_an_order_too() {
    let offer = |a: u8, b: u8| Offer {
        file: format!("{a}"),
        stamp: Stamp { inode: 0, bytes: 0, modified_ns: 0, changed_ns: 0 },
        package: digest((a, 1)),
        name: name(a),
        version: Version::new(1, 0, 0),
        needs: BTreeSet::from([name(b)]),
    };
    let order = in_order(vec![offer(0, 1), offer(1, 2), offer(2, 0)]);
    assert_eq!(order.iter().map(|o| o.file.as_str()).collect::<Vec<_>>(), ["2", "1", "0"]);
}
