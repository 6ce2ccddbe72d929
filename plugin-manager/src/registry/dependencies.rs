//! What installed plugins need of each other and of the host.

use super::install::fact;
use super::steps::known;
use crate::resolver::{self, Candidate, HostVersions, LoadPlan};
use crate::store::InstalledPlugin;
use common::error::{ForgeError, codes};
use common::identity::Name;
use parking_lot::Mutex;
use semver::{Version, VersionReq};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a plugin needs, by name, as its manifest asked for it.
pub(super) fn dependencies(row: &InstalledPlugin) -> Result<BTreeMap<String, String>, ForgeError> {
    known(row, fact::DEPENDENCIES)
}

/// Installed plugins as the resolver sees them.
pub(super) fn candidates(rows: &[InstalledPlugin]) -> Result<Vec<Candidate>, ForgeError> {
    rows.iter().map(candidate).collect()
}

/// What rows need, parsed once for as long as a row is the same.
#[derive(Debug, Default)]
pub(super) struct Parsed(Mutex<HashMap<Name, Pair>>);

/// A row, and what it was parsed into.
type Pair = (Arc<InstalledPlugin>, Arc<Candidate>);

impl Parsed {
    /// Installed plugins as the resolver sees them.
    pub fn of(&self, rows: &[Arc<InstalledPlugin>]) -> Result<Vec<Arc<Candidate>>, ForgeError> {
        let mut known = self.0.lock();
        let mut before = std::mem::take(&mut *known);
        let mut all = Vec::with_capacity(rows.len());
        known.reserve(rows.len());
        for row in rows {
            let same = before.remove_entry(&row.plugin.name).filter(|(_, (old, _))| Arc::ptr_eq(old, row));
            let (name, (row, candidate)) = match same {
                Some(same) => same,
                None => (row.plugin.name.clone(), (row.clone(), Arc::new(candidate(row)?))),
            };
            all.push(candidate.clone());
            known.insert(name, (row, candidate));
        }
        Ok(all)
    }
}

fn candidate(row: &InstalledPlugin) -> Result<Candidate, ForgeError> {
    let damaged = |what: String| {
        let name = &row.plugin.name;
        ForgeError::new(&codes::E0001, format!("the record of plugin {name} is damaged")).reason(what)
    };
    let need = |(name, req): (String, String)| {
        let name = Name::new(&name).map_err(|e| damaged(e.to_string()))?;
        Ok((name, VersionReq::parse(&req).map_err(|e| damaged(e.to_string()))?))
    };
    Ok(Candidate {
        name: row.plugin.name.clone(),
        publisher: row.plugin.publisher.clone(),
        version: Version::parse(&row.plugin.version).map_err(|e| damaged(e.to_string()))?,
        dependencies: dependencies(row)?.into_iter().map(need).collect::<Result<_, ForgeError>>()?,
    })
}

/// The order in which a plugin and what it needs are started. A problem elsewhere does not concern it.
pub(super) fn plan(all: &[Arc<Candidate>], wanted: &Name) -> Result<LoadPlan, ForgeError> {
    let by_name: HashMap<&Name, &Candidate> = all.iter().map(|c| (&c.name, &**c)).collect();
    let mut taken = BTreeSet::from([wanted]);
    let mut open = vec![wanted];
    while let Some(name) = open.pop() {
        let needs = by_name.get(name).into_iter().flat_map(|c| c.dependencies.keys());
        open.extend(needs.filter(|need| taken.insert(need)));
    }
    let members: Vec<&Candidate> = taken.iter().filter_map(|name| by_name.get(name).copied()).collect();
    Ok(resolver::resolve(&members, &host_versions()?)?)
}

/// The order in which another version of an installed plugin and what it needs are started, when every plugin that
/// needs it can use it.
pub(super) fn plan_with(mut all: Vec<Arc<Candidate>>, new: Candidate) -> Result<LoadPlan, ForgeError> {
    all.retain(|c| c.name != new.name);
    // What else those that need it have need of is not what is changed.
    let only = |c: &Candidate| {
        let need = c.dependencies.get_key_value(&new.name)?;
        let dependencies = BTreeMap::from([(need.0.clone(), need.1.clone())]);
        Some(Candidate { dependencies, ..c.clone() })
    };
    let mut about: Vec<Candidate> = all.iter().filter_map(|c| only(c)).collect();
    about.push(Candidate { dependencies: BTreeMap::new(), ..new.clone() });
    resolver::resolve(&about, &host_versions()?)?;
    let name = new.name.clone();
    all.push(Arc::new(new));
    plan(&all, &name)
}

/// The versions of what the host provides itself.
pub(super) fn host_versions() -> Result<HostVersions, ForgeError> {
    let version =
        |text: &str| Version::parse(text).map_err(|e| ForgeError::new(&codes::E0001, e.to_string()));
    Ok(HostVersions { common: version(common::VERSION)?, microkernel: version(microkernel::VERSION)? })
}
