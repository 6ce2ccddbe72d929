//! Decides from what is known what becomes of each file: no input, no output, no clock.

use crate::store::{Dropped, Stamp};
use common::error::{Code, ErrorClass, codes};
use common::identity::{Digest, Name};
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// A file whose bytes are a package. Nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub file: String,
    pub stamp: Stamp,
    /// The digest of the bytes.
    pub package: Digest,
    pub name: Name,
    pub version: Version,
    /// What it depends on.
    pub needs: BTreeSet<Name>,
}

/// An installed plugin, as far as files are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    pub package: Digest,
    pub version: Version,
    pub needs: BTreeSet<Name>,
}

/// What is known when a file is decided about.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The regular files there are.
    pub files: BTreeMap<String, Stamp>,
    /// Which of them brought which plugin.
    pub rows: BTreeMap<Name, Dropped>,
    /// The installed plugins that have a package.
    pub installed: BTreeMap<Name, Installed>,
}

/// What is to be done about an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Nothing: this file with these bytes was decided about before.
    Known,
    /// Nothing but keeping that this file brought it: what is installed is this very package.
    Adopt,
    /// It is installed.
    Install,
    /// It takes the place of the installed version.
    Upgrade,
    /// Another file brought this version or a higher one.
    Second { file: String, installed: Version },
}

/// What is to be done about a plugin whose file is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The plugin goes too.
    Remove,
    /// The plugin is another package by now, or went before: that a file brought it is forgotten.
    Forget,
}

/// What becomes of a file that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is moved aside: the same file would be refused again.
    SetAside,
    /// It stays, and is tried again when other plugins are installed than now.
    Wait,
    /// It stays, and is tried again later: the host is at fault, or busy.
    Later,
}

impl Known {
    /// Whether the file is there, and is what was kept of it.
    fn stands(&self, row: &Dropped) -> bool {
        self.files.get(&row.file) == Some(&row.stamp)
    }

    /// The files nothing is known of, or that have changed.
    pub fn strange(&self) -> BTreeMap<String, Stamp> {
        let standing: BTreeSet<&str> =
            self.rows.values().filter(|row| self.stands(row)).map(|row| row.file.as_str()).collect();
        let strange = self.files.iter().filter(|(file, _)| !standing.contains(file.as_str()));
        strange.map(|(file, stamp)| (file.clone(), *stamp)).collect()
    }

    /// The plugins whose file is not there any more, or brought another plugin since.
    pub fn missing(&self) -> BTreeMap<String, ()> {
        let replaced = |row: &Dropped| {
            let another = |other: &Dropped| other.plugin != row.plugin && other.file == row.file;
            self.rows.values().any(|other| another(other) && self.stands(other) && !self.stands(row))
        };
        let gone = self.rows.values().filter(|row| !self.files.contains_key(&row.file) || replaced(row));
        gone.map(|row| (row.plugin.to_string(), ())).collect()
    }

    /// The plugins this file brought, whatever it has become since.
    pub fn brought_by(&self, file: &str) -> Vec<Name> {
        self.rows.values().filter(|row| row.file == file).map(|row| row.plugin.clone()).collect()
    }

    /// What is to be done about an offer.
    pub fn choose(&self, offer: &Offer) -> Choice {
        let (row, installed) = (self.rows.get(&offer.name), self.installed.get(&offer.name));
        if row.is_some_and(|row| row.file == offer.file && row.package == offer.package) {
            return Choice::Known;
        }
        let Some(installed) = installed else { return Choice::Install };
        let other = row.filter(|row| row.file != offer.file && row.package == installed.package);
        if let Some(other) = other.filter(|row| self.stands(row))
            && offer.version.cmp_precedence(&installed.version).is_le()
        {
            return Choice::Second { file: other.file.clone(), installed: installed.version.clone() };
        }
        if installed.package == offer.package { Choice::Adopt } else { Choice::Upgrade }
    }

    /// What is to be done about a plugin whose file is gone.
    pub fn gone(&self, plugin: &Name) -> Gone {
        let is = self.installed.get(plugin).map(|i| i.package);
        let was = self.rows.get(plugin).map(|row| row.package);
        if is.is_some() && is == was { Gone::Remove } else { Gone::Forget }
    }

    /// These plugins in an order in which those that need others come before them.
    pub fn removal_order(&self, plugins: impl IntoIterator<Item = Name>) -> Vec<Name> {
        let none = BTreeSet::new();
        let needs = |name: &Name| self.installed.get(name).map_or(&none, |i| &i.needs);
        let all: BTreeMap<&Name, &BTreeSet<Name>> = self.installed.keys().map(|n| (n, needs(n))).collect();
        let wanted: BTreeSet<Name> = plugins.into_iter().collect();
        let mut order = needed_first(&all, &wanted);
        order.reverse();
        order
    }

    /// What is installed, as one value: it changes with every plugin that comes, goes or is exchanged.
    pub fn roster(&self) -> Digest {
        let mut text = String::new();
        for (name, installed) in &self.installed {
            text.push_str(&format!("{name} {}\n", installed.package));
        }
        Digest::of(text.as_bytes())
    }
}

/// Offers in the order in which they are tried: what others need first, then by name, the highest version of a
/// plugin first, files of one version by their names.
pub(super) fn in_order(offers: Vec<Offer>) -> Vec<Offer> {
    let mut needs: BTreeMap<&Name, BTreeSet<Name>> = BTreeMap::new();
    for offer in &offers {
        needs.entry(&offer.name).or_default().extend(offer.needs.iter().cloned());
    }
    let all = needs.iter().map(|(name, needs)| (*name, needs)).collect();
    let order = needed_first(&all, &offers.iter().map(|offer| offer.name.clone()).collect());
    let rank: BTreeMap<Name, usize> = order.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    let mut offers = offers;
    offers.sort_by(|a, b| {
        let ranks = rank.get(&a.name).cmp(&rank.get(&b.name));
        ranks.then_with(|| b.version.cmp(&a.version)).then_with(|| a.file.cmp(&b.file))
    });
    offers
}

/// The wanted names in an order in which what others need comes first. A cycle is cut at the name that comes first.
fn needed_first(all: &BTreeMap<&Name, &BTreeSet<Name>>, wanted: &BTreeSet<Name>) -> Vec<Name> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for name in wanted {
        let mut path = vec![(name, false)];
        while let Some((name, done)) = path.pop() {
            if done {
                order.push(name.clone());
            } else if seen.insert(name) {
                path.push((name, true));
                let needs = all.get(name).into_iter().flat_map(|needs| needs.iter());
                path.extend(needs.rev().filter(|need| !seen.contains(need)).map(|need| (need, false)));
            }
        }
    }
    order.retain(|name| wanted.contains(name));
    order
}

/// What becomes of a file that was refused with this code.
pub(super) fn fate(code: &'static Code) -> Fate {
    let waits = [&codes::E1602, &codes::E1603, &codes::E4018, &codes::E5007];
    if waits.iter().any(|wait| wait.id == code.id) {
        return Fate::Wait;
    }
    let closing = code.id == codes::E5001.id || code.id == codes::E5003.id;
    match code.class {
        ErrorClass::Internal | ErrorClass::Audit | ErrorClass::Usage => Fate::Later,
        ErrorClass::State if closing => Fate::Later,
        ErrorClass::Refused
        | ErrorClass::Denied
        | ErrorClass::Plugin
        | ErrorClass::Limit
        | ErrorClass::State => Fate::SetAside,
    }
}
