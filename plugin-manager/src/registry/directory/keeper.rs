//! One scan of the plugin directory: what changed in it is taken into the host, and what cannot be is moved aside or
//! waits. A scan of a directory in which nothing changed reads no file and does nothing.
//!
//! INVARIANT: what is kept of a file is written after the host has changed. A crash in between leaves a file that is
//! read again and is then what is installed already, or a row of a plugin that is gone.

use super::DirectoryError;
use super::aside::{Refused, set_aside};
use super::place::Place;
use super::plan::{Choice, Fate, Installed, Known, Offer, fate, in_order};
use super::report::{DirectoryReport, HeldBack};
use super::settle::Settling;
use super::tell::{News, tell};
use crate::UpgradeOptions;
use crate::loader::Package;
use crate::registry::PluginManager;
use crate::registry::dependencies::dependencies;
use crate::store::{Dropped, InstalledPlugin, Stamp};
use crate::syscall::text::escaped;
use common::clock::Clock;
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name};
use microkernel::trust::ManagementAction;
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of packages that are kept from looking at them to installing them; beyond, a file is read twice.
const CARRIED_BYTES: usize = 64 << 20;
/// Bytes of a file's name in a record.
const NAME_BYTES: usize = 256;
/// How often the time until another try is doubled.
const DOUBLINGS: u32 = 6;

/// Until when something that was tried is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Until something else is installed than this.
    Roster(Digest),
    /// Until this time, after as many tries.
    Time(u64, u32),
    /// Until the file changes.
    Change,
}

/// A file that is left alone.
#[derive(Debug)]
struct Held {
    stamp: Stamp,
    plugin: Option<Name>,
    until: Until,
    why: String,
}

/// A package, and its bytes while they fit.
type Carried = (Offer, Option<Vec<u8>>);

/// Keeps the host as the directory says.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) manager: PluginManager,
    path: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    arriving: Settling<Stamp>,
    pub(super) leaving: Settling<()>,
    /// At most one for each file there is.
    held: BTreeMap<String, Held>,
    /// Removals that are left alone, at most one for each row.
    pub(super) needed: BTreeMap<Name, Until>,
    /// Something changed in this scan that may let go of what is left alone.
    pub(super) stirred: bool,
    pub(super) report: DirectoryReport,
}

impl Keeper {
    pub fn new(manager: PluginManager, path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let report = DirectoryReport { path: path.clone(), ..DirectoryReport::default() };
        Self {
            manager,
            path,
            clock,
            arriving: Settling::default(),
            leaving: Settling::default(),
            held: BTreeMap::new(),
            needed: BTreeMap::new(),
            stirred: false,
            report,
        }
    }

    /// What the last scan found.
    pub const fn report(&self) -> &DirectoryReport {
        &self.report
    }

    /// One scan. `closed` are files that were closed after writing, or renamed in: they need not settle. How long the
    /// next scan may wait.
    pub fn scan(&mut self, closed: &BTreeSet<String>) -> Duration {
        self.report.scans = self.report.scans.saturating_add(1);
        self.stirred = false;
        let rescan = self.times().1;
        let (next, problem) = match self.pass(closed) {
            Ok(next) => (next, None),
            Err(error) => (None, Some(format!("{}: {error}", error.code().id))),
        };
        if problem != self.report.problem
            && let Some(problem) = &problem
        {
            tracing::error!(path = %self.path.display(), problem, "the plugin directory cannot be scanned");
        }
        self.report.problem = problem;
        let held = |(file, held): (&String, &Held)| HeldBack {
            file: file.clone(),
            plugin: held.plugin.as_ref().map(ToString::to_string),
            why: held.why.clone(),
        };
        self.report.held_back.extend(self.held.iter().map(held));
        let settle = self.stirred.then_some(self.times().0);
        next.into_iter()
            .chain(settle)
            .map(Duration::from_nanos)
            .chain([Duration::from_nanos(rescan)])
            .min()
            .unwrap_or_default()
    }

    /// How long things settle, and until they are looked at again, in nanoseconds.
    pub(super) fn times(&self) -> (u64, u64) {
        let directory = &self.manager.host().parts().config.directory;
        let ns = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        (ns(directory.settle.0), ns(directory.rescan.0))
    }

    fn pass(&mut self, closed: &BTreeSet<String>) -> Result<Option<u64>, ForgeError> {
        self.report.held_back.clear();
        let place = Place::open(&self.path)?;
        let listing = place.list()?;
        self.report.passed_over = listing.passed_over;
        let mut known = self.known(&place, listing.files)?;
        let next = self.take_in(&place, &mut known, closed)?;
        let later = self.let_go(&mut known)?;
        Ok(next.into_iter().chain(later).min())
    }

    fn known(&self, place: &Place, files: BTreeMap<String, Stamp>) -> Result<Known, ForgeError> {
        let host = self.manager.host();
        let mut known = Known { files, ..Known::default() };
        for row in host.home.plugins()? {
            known.installed.insert(row.plugin.name.clone(), installed(&row)?);
        }
        let id = place.id();
        for row in host.home.dropped()? {
            if row.directory == id {
                known.rows.insert(row.plugin.clone(), row);
            } else if !known.installed.contains_key(&row.plugin) {
                host.home.forget_dropped(&row.plugin)?;
            }
        }
        Ok(known)
    }

    /// Takes in the files that have settled. Nanoseconds until the next will have.
    fn take_in(
        &mut self,
        place: &Place,
        known: &mut Known,
        closed: &BTreeSet<String>,
    ) -> Result<Option<u64>, ForgeError> {
        let (now, (settle, _)) = (self.clock.mono_ns(), self.times());
        self.held.retain(|file, held| known.files.get(file) == Some(&held.stamp));
        let roster = known.roster();
        let mut strange = known.strange();
        strange.retain(|file, _| self.held.get(file).is_none_or(|held| over(held.until, roster, now)));
        let still = self.arriving.observe(strange.clone(), now, settle);
        strange.retain(|file, _| still.settled.contains(file) || closed.contains(file));
        let (mut offers, mut bytes, mut carried) = (Vec::new(), BTreeMap::new(), 0_usize);
        for (file, stamp) in &strange {
            if let Some((offer, content)) = self.look(place, known, file, *stamp)? {
                carried = carried.saturating_add(content.len());
                if carried <= CARRIED_BYTES {
                    bytes.insert(file.clone(), content);
                }
                offers.push(offer);
            }
        }
        for offer in in_order(offers) {
            let content = bytes.remove(&offer.file);
            self.decide(place, known, (offer, content))?;
        }
        self.report.files = known.files.len();
        self.report.arriving = known.strange().len().saturating_sub(self.held.len());
        Ok(still.next_ns)
    }

    /// Reads one file. What is no package is refused.
    fn look(
        &mut self,
        place: &Place,
        known: &mut Known,
        file: &str,
        stamp: Stamp,
    ) -> Result<Option<(Offer, Vec<u8>)>, ForgeError> {
        let limits = self.manager.host().parts().package_limits.clone();
        let bytes = match place.read(file, &stamp, limits.compressed) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unread(place, known, (file, stamp), error)?;
                return Ok(None);
            }
        };
        let package = Digest::of(&bytes);
        match Package::load(&bytes, &limits) {
            Ok(found) => {
                let manifest = found.manifest();
                let offer = Offer {
                    file: file.to_owned(),
                    stamp,
                    package,
                    name: manifest.name.clone(),
                    version: manifest.version.clone(),
                    needs: manifest.dependencies.keys().cloned().collect(),
                };
                Ok(Some((offer, bytes)))
            }
            Err(error) => {
                let refused = self.recorded(&package.to_string(), error.into());
                self.refused(place, known, (file, stamp, Some(package)), None, &refused)?;
                Ok(None)
            }
        }
    }

    /// A file that could not be read, or was not for its size.
    fn unread(
        &mut self,
        place: &Place,
        known: &mut Known,
        (file, stamp): (&str, Stamp),
        error: DirectoryError,
    ) -> Result<(), ForgeError> {
        if matches!(error, DirectoryError::Changing(_)) {
            self.stirred = true;
            return Ok(());
        }
        let refused = self.recorded(&escaped(file.as_bytes(), NAME_BYTES), error.into());
        self.refused(place, known, (file, stamp, None), None, &refused)
    }

    /// A refusal that no step of the host has recorded.
    fn recorded(&self, resource: &str, error: ForgeError) -> ForgeError {
        let told = error.again();
        let _: Result<(), ForgeError> =
            self.manager.host().recorded(ManagementAction::Install, resource, || Err(error));
        told
    }

    fn decide(
        &mut self,
        place: &Place,
        known: &mut Known,
        (offer, bytes): Carried,
    ) -> Result<(), ForgeError> {
        let choice = known.choose(&offer);
        let done = match &choice {
            Choice::Known => Ok(()),
            Choice::Adopt => self.adopt(&offer),
            Choice::Install | Choice::Upgrade => match self.content(place, &offer, bytes) {
                Ok(bytes) => self.put(&offer, &bytes, &choice),
                Err(error) => return self.unread(place, known, (&offer.file, offer.stamp), error),
            },
            Choice::Second { file, installed } => {
                let second = DirectoryError::Second {
                    name: offer.name.to_string(),
                    file: escaped(file.as_bytes(), NAME_BYTES),
                    installed: installed.to_string(),
                    offered: offer.version.to_string(),
                    lower: offer.version.cmp_precedence(installed).is_lt(),
                };
                Err(self.recorded(&offer.package.to_string(), second.into()))
            }
        };
        self.refresh(known, &offer.name)?;
        let there = known.installed.get(&offer.name).is_some_and(|i| i.package == offer.package);
        match done {
            Ok(()) => self.took(place, known, &offer, &choice),
            // Installed, and it does not start: that is shown as of any plugin.
            Err(error) if there && choice == Choice::Install => {
                tell(
                    &self.manager,
                    Some(offer.name.as_str()),
                    &offer.file,
                    &News::DoesNotRun { plugin: offer.name.as_str(), error: &error },
                );
                self.keep(place, known, &offer)
            }
            Err(error) => {
                let file = (offer.file.as_str(), offer.stamp, Some(offer.package));
                self.refused(place, known, file, Some(&offer.name), &error)
            }
        }
    }

    fn took(
        &mut self,
        place: &Place,
        known: &mut Known,
        offer: &Offer,
        choice: &Choice,
    ) -> Result<(), ForgeError> {
        let plugin = offer.name.as_str();
        match choice {
            Choice::Install => {
                tell(&self.manager, Some(offer.name.as_str()), &offer.file, &News::Installed { plugin })
            }
            Choice::Upgrade => {
                tell(&self.manager, Some(offer.name.as_str()), &offer.file, &News::Upgraded { plugin })
            }
            Choice::Adopt => {
                tell(&self.manager, Some(offer.name.as_str()), &offer.file, &News::Adopted { plugin })
            }
            Choice::Known | Choice::Second { .. } => {}
        }
        self.keep(place, known, offer)
    }

    /// The bytes of an offer, read again when they were not carried.
    fn content(
        &self,
        place: &Place,
        offer: &Offer,
        bytes: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, DirectoryError> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => place.read(&offer.file, &offer.stamp, self.manager.host().package_limits.compressed)?,
        };
        let same = Digest::of(&bytes) == offer.package;
        if same { Ok(bytes) } else { Err(DirectoryError::Changing(offer.file.clone())) }
    }

    /// What is installed is this file's from now on, for who may install it.
    fn adopt(&self, offer: &Offer) -> Result<(), ForgeError> {
        let (host, install) = (self.manager.host(), ManagementAction::Install);
        host.recorded(install, offer.name.as_str(), || host.authorise(install, offer.name.as_str()))?;
        self.announce("adopt", &offer.name, &offer.file, &offer.package)
    }

    fn put(&self, offer: &Offer, bytes: &[u8], choice: &Choice) -> Result<(), ForgeError> {
        if *choice == Choice::Install {
            self.announce("install", &offer.name, &offer.file, &offer.package)?;
            return self.manager.install(bytes, true).map(drop);
        }
        self.announce("upgrade", &offer.name, &offer.file, &offer.package)?;
        let allow_downgrade = self.manager.host().config.directory.allow_downgrade;
        let options = UpgradeOptions { allow_downgrade, ..UpgradeOptions::default() };
        self.manager.upgrade(bytes, &options).map(drop)
    }

    /// Records which file it is that the next step is taken for.
    pub(super) fn announce(
        &self,
        does: &str,
        plugin: &Name,
        file: &str,
        package: &Digest,
    ) -> Result<(), ForgeError> {
        let (file, package) = (escaped(file.as_bytes(), NAME_BYTES), package.to_string());
        let details = [("does", does), ("file", file.as_str()), ("package", package.as_str())];
        self.manager.host().intend("directory", plugin.as_str(), &details)
    }

    /// Keeps that this file brought its plugin.
    fn keep(&mut self, place: &Place, known: &mut Known, offer: &Offer) -> Result<(), ForgeError> {
        let row = Dropped {
            plugin: offer.name.clone(),
            directory: place.id(),
            file: offer.file.clone(),
            stamp: offer.stamp,
            package: offer.package,
            problem: None,
        };
        self.manager.host().home.keep_dropped(&row)?;
        self.held.remove(&offer.file);
        known.rows.insert(offer.name.clone(), row);
        self.stirred = true;
        Ok(())
    }

    pub(super) fn refresh(&self, known: &mut Known, plugin: &Name) -> Result<(), ForgeError> {
        match self.manager.host().home.plugin(plugin)? {
            Some(row) => known.installed.insert(plugin.clone(), installed(&row)?),
            None => known.installed.remove(plugin),
        };
        Ok(())
    }

    /// What becomes of a file that was refused.
    fn refused(
        &mut self,
        place: &Place,
        known: &mut Known,
        (file, stamp, package): (&str, Stamp, Option<Digest>),
        plugin: Option<&Name>,
        error: &ForgeError,
    ) -> Result<(), ForgeError> {
        let until = match fate(error.code()) {
            Fate::Wait => Until::Roster(known.roster()),
            Fate::Later => self.later(self.held.get(file).filter(|h| h.stamp == stamp).map(|h| h.until)),
            Fate::SetAside => {
                // Before the file goes: what it brought earlier stays, and nobody deleted it.
                for plugin in known.brought_by(file) {
                    self.manager.host().home.forget_dropped(&plugin)?;
                    known.rows.remove(&plugin);
                }
                let at_ms = self.manager.host().clock.wall_ns() / 1_000_000;
                match set_aside(place, &Refused { file, stamp, package, error, at_ms }) {
                    Ok(to) => {
                        tell(
                            &self.manager,
                            plugin.map(Name::as_str),
                            file,
                            &News::SetAside { to: &to, error },
                        );
                        known.files.remove(file);
                        self.held.remove(file);
                        return Ok(());
                    }
                    Err(DirectoryError::Changing(_)) => {
                        self.stirred = true;
                        return Ok(());
                    }
                    Err(because) => tell(
                        &self.manager,
                        plugin.map(Name::as_str),
                        file,
                        &News::Stuck { error, because: &because.into() },
                    ),
                }
                Until::Change
            }
        };
        let why = format!("{}: {error}", error.code().id);
        if self.held.get(file).is_none_or(|held| held.why != why) && until != Until::Change {
            tell(&self.manager, plugin.map(Name::as_str), file, &News::HeldBack { error });
        }
        self.held.insert(file.to_owned(), Held { stamp, plugin: plugin.cloned(), until, why });
        Ok(())
    }

    /// Longer after each try.
    pub(super) fn later(&self, before: Option<Until>) -> Until {
        let tries = if let Some(Until::Time(_, tries)) = before { tries } else { 0 };
        let wait = self.times().1.saturating_mul(1 << tries.min(DOUBLINGS));
        Until::Time(self.clock.mono_ns().saturating_add(wait), tries.saturating_add(1))
    }
}

/// Whether what was left alone is tried again.
pub(super) fn over(until: Until, roster: Digest, now: u64) -> bool {
    match until {
        Until::Roster(then) => then != roster,
        Until::Time(at, _) => at <= now,
        Until::Change => false,
    }
}

fn installed(row: &InstalledPlugin) -> Result<Installed, ForgeError> {
    let damaged = |what: String| {
        ForgeError::new(&codes::E0003, format!("the record of plugin {} is damaged", row.plugin.name))
            .reason(what)
    };
    let needs =
        dependencies(row)?.into_keys().map(|name| Name::new(&name).map_err(|e| damaged(e.to_string())));
    Ok(Installed {
        package: row.plugin.package,
        version: Version::parse(&row.plugin.version).map_err(|e| damaged(e.to_string()))?,
        needs: needs.collect::<Result<_, _>>()?,
    })
}
