//! What an installation of several plugins would do: which version of each is taken, from where, and in which order.
//! Nothing is changed here.

use super::dependencies::{candidates, host_versions};
use super::error::HostError;
use super::install::conflict;
use super::lockfile::Lock;
use super::manager::PluginManager;
use super::offers::{LeftOut, Offer, Offers, publishers};
use super::sources;
use crate::resolver::{self, Candidate, Choice, SEARCH_WORK, SelectError};
use crate::store::{InstalledPlugin, LOCK_BYTES};
use common::error::{Coded, ForgeError, codes};
use common::identity::{Digest, Name, Publisher};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Plugins to install, and where to find what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallRequest {
    /// Packages to install.
    pub packages: Vec<PathBuf>,
    /// Folders whose packages may be taken for what is needed.
    pub from: Vec<PathBuf>,
    /// A lock file: what it lists, and nothing else, is to be installed.
    pub locked: Option<PathBuf>,
    /// What is installed is left desired running and brought up; otherwise it is left stopped.
    pub start: bool,
    /// A version lower than the installed one may be taken for what is needed.
    pub allow_downgrade: bool,
    /// Permissions that an installed version does not ask for are consented to.
    pub accept_permissions: bool,
}

/// What becomes of one plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedChange {
    /// It is installed.
    Install,
    /// It takes the place of another version.
    Upgrade,
    /// It was kept, and takes the place of another version.
    Rollback,
    /// It is installed already and stays.
    Stay,
}

impl PlannedChange {
    /// The change as one lower-case word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Stay => "stay",
        }
    }
}

/// One plugin of a plan.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// Its name.
    pub name: String,
    /// The version there will be.
    pub version: String,
    /// Who publishes it.
    pub publisher: String,
    /// The digest of the package.
    pub package: Digest,
    /// What becomes of it.
    pub change: PlannedChange,
    /// The installed version it takes the place of.
    pub replaces: Option<String>,
    /// The package; `None` for what is in the home already.
    pub file: Option<PathBuf>,
    /// Who of the plan needs it.
    pub needed_by: Vec<String>,
}

/// What an installation would do.
#[derive(Debug, Clone)]
pub struct InstallPlan {
    /// One step for each plugin, in the order in which they are done: those that are needed first.
    pub steps: Vec<PlannedStep>,
    /// Packages that were not chosen from, and why.
    pub left_out: Vec<LeftOut>,
    /// Units of work the search took, of about a machine word looked at.
    pub work: u64,
}

/// A version that may be taken, and where it is.
#[derive(Debug, Clone)]
struct Source {
    candidate: Candidate,
    package: Digest,
    /// `None` for what is in the home.
    file: Option<PathBuf>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Installed,
    Kept,
    Offered,
}

/// What there is before anything is chosen.
struct Stock {
    installed: BTreeMap<Name, (Arc<InstalledPlugin>, Version)>,
    sources: Vec<Source>,
    left_out: Vec<LeftOut>,
}

impl PluginManager {
    /// What [`PluginManager::install_all`] would do now. Every package that may be chosen is proven first; one that
    /// cannot be is not chosen, and told.
    ///
    /// # Errors
    /// Whatever refuses a package that is named, E1411 and E1414 for one name of two publishers; E1601 to E1605 when no
    /// versions fit; E1606 for a lock file that cannot be followed; when a file cannot be read, or the policy denies it.
    pub fn plan_install(&self, request: &InstallRequest) -> Result<InstallPlan, ForgeError> {
        self.host().may_read("")?;
        match &request.locked {
            Some(file) => self.plan_locked(request, file),
            None => self.plan_chosen(request),
        }
    }

    fn plan_chosen(&self, request: &InstallRequest) -> Result<InstallPlan, ForgeError> {
        let rows = self.host().rows()?;
        let installed: Vec<Candidate> = self.host().parsed.of(&rows)?.iter().map(|c| (**c).clone()).collect();
        let mut found = self.offered(&request.packages, &request.from)?;
        self.prove_offers(&mut found, &installed)?;
        self.undisputed(&mut found, &rows)?;
        let stock = self.stock(found, rows, installed, request.allow_downgrade)?;
        let choice =
            |s: &Source| Choice { candidate: s.candidate.clone(), installed: s.kind == Kind::Installed };
        let choices: Vec<Choice> = stock.sources.iter().map(choice).collect();
        let wanted = stock.wanted(&request.packages)?;
        let selection = resolver::select(&choices, &wanted, &host_versions()?, SEARCH_WORK)
            .map_err(|error| stock.explained(&error))?;
        let taken: Vec<&Source> = selection.order.iter().filter_map(|at| stock.sources.get(*at)).collect();
        stock.plan(&taken, selection.work)
    }

    /// Leaves out what is of another publisher than a name belongs to, or of two.
    fn undisputed(&self, found: &mut Offers, rows: &[Arc<InstalledPlugin>]) -> Result<(), ForgeError> {
        let mut owners: BTreeMap<Name, Publisher> =
            rows.iter().map(|row| (row.plugin.name.clone(), row.plugin.publisher.clone())).collect();
        for offer in found.offers.iter().filter(|offer| offer.named) {
            let Candidate { name, publisher, .. } = &offer.candidate;
            let owner = owners.entry(name.clone()).or_insert_with(|| publisher.clone());
            if owner != publisher {
                let (name, installed) = (name.to_string(), owner.to_string());
                return Err(
                    HostError::OtherPublisher { name, installed, offered: publisher.to_string() }.into()
                );
            }
        }
        let all = publishers(&found.offers);
        found.only(|offer| {
            let Candidate { name, publisher, .. } = &offer.candidate;
            let several = all.get(name).filter(|all| all.len() > 1);
            match (owners.get(name), several) {
                (Some(owner), _) if owner != publisher => {
                    Err((&codes::E1411, format!("it is of publisher {publisher}; {name} here is of {owner}")))
                }
                (None, Some(several)) => {
                    let names: Vec<&str> = several.iter().map(Name::as_str).collect();
                    Err((&codes::E1414, format!("{name} is offered by {}", names.join(" and by "))))
                }
                _ => Ok(()),
            }
        });
        Ok(())
    }

    /// What may be chosen: what is installed, what is kept, and of the offers those that add something.
    fn stock(
        &self,
        mut found: Offers,
        rows: Vec<Arc<InstalledPlugin>>,
        candidates: Vec<Candidate>,
        allow_downgrade: bool,
    ) -> Result<Stock, ForgeError> {
        let versions = candidates.iter().map(|c| c.version.clone());
        let installed: BTreeMap<Name, (Arc<InstalledPlugin>, Version)> =
            rows.into_iter().zip(versions).map(|(row, v)| (row.plugin.name.clone(), (row, v))).collect();
        let mut sources = Vec::new();
        for candidate in candidates {
            let Some((row, _)) = installed.get(&candidate.name) else { continue };
            sources.push(Source {
                package: row.plugin.package,
                candidate,
                file: None,
                kind: Kind::Installed,
            });
        }
        let touched: BTreeSet<&Name> = found.offers.iter().map(|o| &o.candidate.name).collect();
        for name in touched.into_iter().filter(|name| installed.contains_key(*name)) {
            for (row, candidate) in self.kept_candidates(name)? {
                sources.push(Source { package: row.plugin.package, candidate, file: None, kind: Kind::Kept });
            }
        }
        let mut there: BTreeMap<(Name, Version), Digest> = sources
            .iter()
            .map(|s| ((s.candidate.name.clone(), s.candidate.version.clone()), s.package))
            .collect();
        let doubled = doubled(&found.offers);
        let mut offered = Vec::new();
        found.only(|offer| {
            let Candidate { name, version, .. } = &offer.candidate;
            let key = (name.clone(), version.clone());
            if doubled.contains(&key) {
                return Err((
                    &codes::E5004,
                    format!("there are packages of {name} {version} with other bytes"),
                ));
            }
            let other = there.insert(key, offer.package);
            if other.is_some_and(|other| other != offer.package) {
                return Err((&codes::E5004, format!("{name} {version} is here with other bytes")));
            }
            if other.is_none() {
                let (candidate, file) = (offer.candidate.clone(), Some(offer.path.clone()));
                offered.push(Source { candidate, package: offer.package, file, kind: Kind::Offered });
            }
            Ok(())
        });
        sources.extend(offered);
        let mut stock = Stock { installed, sources, left_out: found.left_out };
        if !allow_downgrade {
            stock.without_lower();
        }
        Ok(stock)
    }

    fn kept_candidates(&self, name: &Name) -> Result<Vec<(InstalledPlugin, Candidate)>, ForgeError> {
        let rows = self.host().home.versions(name)?;
        let candidates = candidates(&rows)?;
        Ok(rows.into_iter().zip(candidates).collect())
    }

    fn plan_locked(&self, request: &InstallRequest, file: &Path) -> Result<InstallPlan, ForgeError> {
        let bytes = sources::package(file, LOCK_BYTES)?;
        let named = file.display().to_string();
        let text = String::from_utf8(bytes).map_err(|_| {
            ForgeError::new(&codes::E1606, format!("{named} is no lock file")).reason("it is not UTF-8 text")
        })?;
        let lock = Lock::parse(&named, &text)?;
        let rows = self.host().rows()?;
        let installed: Vec<Candidate> = self.host().parsed.of(&rows)?.iter().map(|c| (**c).clone()).collect();
        let mut found = self.offered(&request.packages, &request.from)?;
        let wanted: BTreeSet<Digest> = lock.plugins.values().map(|locked| locked.package).collect();
        found.offers.retain(|offer| wanted.contains(&offer.package));
        found.offers.iter_mut().for_each(|offer| offer.named = true);
        self.prove_offers(&mut found, &installed)?;
        let stock = self.stock(found, rows, installed, true)?;
        let taken = stock.locked(&lock, |name| self.host().natives.row(name).is_some())?;
        let candidates: Vec<Candidate> = taken.iter().map(|source| source.candidate.clone()).collect();
        let plan = resolver::resolve(&candidates, &host_versions()?)?;
        let by_name: BTreeMap<&Name, &Source> = taken.iter().map(|s| (&s.candidate.name, *s)).collect();
        let taken: Vec<&Source> =
            plan.start_order().iter().filter_map(|name| by_name.get(name).copied()).collect();
        stock.plan(&taken, 0)
    }
}

/// Versions that are offered with different bytes.
fn doubled(offers: &[Offer]) -> BTreeSet<(Name, Version)> {
    let mut seen: BTreeMap<(&Name, &Version), Digest> = BTreeMap::new();
    let mut doubled = BTreeSet::new();
    for Offer { candidate: Candidate { name, version, .. }, package, .. } in offers {
        if seen.insert((name, version), *package).is_some_and(|other| other != *package) {
            doubled.insert((name.clone(), version.clone()));
        }
    }
    doubled
}

impl Stock {
    /// Leaves out versions below the installed one.
    fn without_lower(&mut self) {
        let sources = std::mem::take(&mut self.sources);
        for source in sources {
            let Candidate { name, version, .. } = &source.candidate;
            let installed = self.installed.get(name).map(|(_, installed)| installed);
            match installed.filter(|installed| version.cmp_precedence(installed) == Ordering::Less) {
                None => self.sources.push(source),
                Some(installed) => {
                    let why = format!("{name} {version} is lower than {installed}, which is installed");
                    let at =
                        source.file.as_ref().map_or("kept".to_owned(), |file| file.display().to_string());
                    let (name, code) = (Some(name.to_string()), &codes::E1406);
                    self.left_out.push(LeftOut { source: at, name, code, why });
                }
            }
        }
    }

    /// The places of what is named.
    fn wanted(&self, packages: &[PathBuf]) -> Result<Vec<usize>, ForgeError> {
        let mut wanted = Vec::new();
        for path in packages {
            let of = |source: &Source| source.file.as_deref() == Some(path);
            match self.sources.iter().position(of) {
                Some(at) => {
                    let candidate = self.sources.get(at).map(|source| &source.candidate);
                    if let Some((old, _)) = candidate.and_then(|c| self.installed.get(&c.name)) {
                        return Err(conflict(old, &old.plugin.publisher).into());
                    }
                    wanted.push(at);
                }
                None => wanted.push(self.standing_in(path)?),
            }
        }
        Ok(wanted)
    }

    /// Where a named package is that was left out, because it is here already or may not be taken.
    fn standing_in(&self, path: &Path) -> Result<usize, ForgeError> {
        let source = path.display().to_string();
        match self.left_out.iter().find(|left| left.source == source) {
            Some(left) => Err(ForgeError::new(left.code, left.why.clone())),
            None => {
                Err(ForgeError::new(&codes::E5004, format!("{source} is installed, kept or named already")))
            }
        }
    }

    /// What a lock file lists, by name.
    fn locked(&self, lock: &Lock, is_native: impl Fn(&Name) -> bool) -> Result<Vec<&Source>, ForgeError> {
        let (mut taken, mut missing) = (Vec::new(), Vec::new());
        for (name, locked) in &lock.plugins {
            let is = |source: &&Source| {
                let c = &source.candidate;
                (&c.name, &c.version, &c.publisher, source.package)
                    == (name, &locked.version, &locked.publisher, locked.package)
            };
            match self.sources.iter().find(is) {
                Some(source) => taken.push(source),
                None => missing.push(format!(
                    "{name} {} of {} with the package {} is not offered",
                    locked.version, locked.publisher, locked.package
                )),
            }
        }
        let more =
            self.installed.iter().filter(|(name, _)| !lock.plugins.contains_key(*name) && !is_native(name));
        missing
            .extend(more.map(|(name, (_, version))| format!("{name} {version} is installed and not in it")));
        if missing.is_empty() {
            return Ok(taken);
        }
        let error = ForgeError::new(&codes::E1606, "the lock file cannot be followed");
        Err(missing.into_iter().take(50).fold(error, ForgeError::reason))
    }

    /// Why nothing fits, with the packages of those names that were not to be chosen from.
    fn explained(&self, error: &SelectError) -> ForgeError {
        let names: BTreeSet<&str> = error.names().into_iter().map(Name::as_str).collect();
        let about = |left: &&LeftOut| left.name.as_deref().is_some_and(|name| names.contains(name));
        let about: Vec<&LeftOut> = self.left_out.iter().filter(about).collect();
        let disputes = [&codes::E1411, &codes::E1414];
        let dispute = about.iter().find(|left| disputes.contains(&left.code));
        let told = match dispute {
            Some(left) => ForgeError::new(left.code, disputed(left)),
            None => ForgeError::new(error.code(), error.to_string()),
        };
        let told = error.reasons().into_iter().fold(told, ForgeError::reason);
        let line = |left: &LeftOut| format!("not chosen from: {}: {}", left.source, left.why);
        let told = about.iter().take(20).fold(told, |told, left| told.reason(line(left)));
        match error.help().filter(|_| dispute.is_none()) {
            Some(help) => told.with_help(help),
            None => told,
        }
    }

    /// The steps to these, which stand in the order of their needs.
    fn plan(&self, taken: &[&Source], work: u64) -> Result<InstallPlan, ForgeError> {
        let mut needed_by: BTreeMap<&Name, Vec<String>> = BTreeMap::new();
        for source in taken {
            for on in source.candidate.dependencies.keys() {
                needed_by.entry(on).or_default().push(source.candidate.name.to_string());
            }
        }
        let step = |source: &&Source| {
            let Candidate { name, version, publisher, .. } = &source.candidate;
            let old = self.installed.get(name).map(|(row, _)| row.plugin.version.clone());
            let change = match (source.kind, &old) {
                (Kind::Installed, _) => PlannedChange::Stay,
                (Kind::Kept, _) => PlannedChange::Rollback,
                (Kind::Offered, Some(_)) => PlannedChange::Upgrade,
                (Kind::Offered, None) => PlannedChange::Install,
            };
            PlannedStep {
                name: name.to_string(),
                version: version.to_string(),
                publisher: publisher.to_string(),
                package: source.package,
                change,
                replaces: old.filter(|_| change != PlannedChange::Stay),
                file: source.file.clone(),
                needed_by: needed_by.get(name).cloned().unwrap_or_default(),
            }
        };
        let ordered = self.one_after_the_other(taken)?;
        Ok(InstallPlan { steps: ordered.iter().map(step).collect(), left_out: self.left_out.clone(), work })
    }

    /// An order in which each step leaves every plugin with what it needs. Without replacements it is the order of
    /// needs; what others rely on is replaced after those that cannot use the new version.
    fn one_after_the_other<'s>(&self, taken: &[&'s Source]) -> Result<Vec<&'s Source>, ForgeError> {
        let host = host_versions()?;
        let mut now: BTreeMap<&Name, &Candidate> = BTreeMap::new();
        let mut users: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
        for candidate in self.sources.iter().filter(|s| s.kind == Kind::Installed).map(|s| &s.candidate) {
            now.insert(&candidate.name, candidate);
        }
        for candidate in now.values().copied().chain(taken.iter().map(|s| &s.candidate)) {
            for on in candidate.dependencies.keys() {
                users.entry(on).or_default().insert(&candidate.name);
            }
        }
        let (mut order, mut left) = (Vec::with_capacity(taken.len()), taken.to_vec());
        while !left.is_empty() {
            let before = left.len();
            let waiting = std::mem::take(&mut left);
            for source in waiting {
                let c = &source.candidate;
                let met = c.dependencies.iter().all(|(on, req)| {
                    let there = host.version_of(on).or_else(|| now.get(on).map(|there| &there.version));
                    there.is_some_and(|version| req.matches(version))
                });
                let uses = |user: &Name| now.get(user).and_then(|user| user.dependencies.get(&c.name));
                let old = now.get(&c.name).map(|old| &old.version);
                let usable =
                    users.get(&c.name).into_iter().flatten().filter_map(|user| uses(user)).all(|req| {
                        req.matches(&c.version)
                            || old.is_some_and(|old| !req.matches(old) || *old == c.version)
                    });
                if met && usable {
                    now.insert(&c.name, c);
                    order.push(source);
                } else {
                    left.push(source);
                }
            }
            if left.len() == before {
                return Err(at_once(&left));
            }
        }
        Ok(order)
    }
}

/// What nobody chooses silently.
fn disputed(left: &LeftOut) -> String {
    let name = left.name.as_deref().unwrap_or_default();
    if left.code == &codes::E1414 {
        format!("{name} is needed, and offered by more than one publisher")
    } else {
        format!(
            "{name} is needed, and what is offered of it is of another publisher than the one it belongs to"
        )
    }
}

/// Replacements of which none can be the first.
fn at_once(left: &[&Source]) -> ForgeError {
    let names: Vec<String> =
        left.iter().take(20).map(|s| format!("{} {}", s.candidate.name, s.candidate.version)).collect();
    let message =
        format!("none of {} can be put in place while the others are as they are", names.join(", "));
    ForgeError::new(&codes::E1603, message)
        .with_help("offer a version of one of them that works with the old and the new version of the others")
}
