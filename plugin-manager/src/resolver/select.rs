//! Chooses one version of each plugin that is needed, or says in words why there is no choice.
//!
//! Preferred is what is installed, then the highest version; one before its release only where a requirement names
//! it. The result depends on the set of choices alone. The work is counted: where it is spent the search ends in an
//! error that names the plugins it could not bring together.

#[cfg(test)]
mod tests;

use super::solver::{Rule, Rules, Solver, Stop};
use super::versions::Versions;
use super::words::{Conflict, Wish};
use super::{Candidate, HostVersions, LoadPlan, ResolveError, resolve};
use common::error::{Code, Coded, codes};
use common::identity::Name;
use semver::{Version, VersionReq};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The work of one search unless told otherwise, in units of about a machine word looked at.
pub const SEARCH_WORK: u64 = 50_000_000;

/// One version of a plugin that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The version, and what it needs.
    pub candidate: Candidate,
    /// It is the one that is installed. One version of a name at most is.
    pub installed: bool,
}

/// One version of each plugin that is wanted or needed.
#[derive(Debug)]
pub struct Selection {
    /// The places in the list of choices, those that are needed first.
    pub order: Vec<usize>,
    /// Who needs whom among them.
    pub plan: LoadPlan,
    /// How much work it was.
    pub work: u64,
}

/// Why there is no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No version of a plugin satisfies everyone who needs it.
    #[error("{0}")]
    Conflict(Box<Conflict>),
    /// What would have to be chosen stands in a circle, is named as the host, or is there twice.
    #[error(transparent)]
    Plan(#[from] ResolveError),
    /// The work was spent.
    #[error("no versions that fit were found with {work} units of work")]
    Spent {
        /// How many there were.
        work: u64,
        /// The plugins whose versions were in the way most often, the worst first.
        about: Vec<Name>,
    },
}

impl SelectError {
    /// The plugins it is about.
    pub fn names(&self) -> BTreeSet<&Name> {
        match self {
            Self::Conflict(conflict) => conflict.names().collect(),
            Self::Spent { about, .. } => about.iter().collect(),
            Self::Plan(_) => BTreeSet::new(),
        }
    }
}

impl Coded for SelectError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Conflict(conflict) => conflict.code(),
            Self::Plan(error) => error.code(),
            Self::Spent { .. } => &codes::E1605,
        }
    }
    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Conflict(conflict) => conflict.reasons(),
            Self::Plan(error) => error.reasons(),
            Self::Spent { about, .. } => {
                about.iter().take(5).map(|name| format!("versions of {name} were tried in vain")).collect()
            }
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::Conflict(conflict) => conflict.help(),
            Self::Plan(error) => error.help(),
            Self::Spent { .. } => None,
        }
    }
}

/// Chooses versions so that every wanted choice is taken and everything it needs, itself or through others, is met.
///
/// An installed plugin that nothing wanted needs stays as it is; another version of it is chosen only where it could
/// not use what it needs any more.
///
/// # Errors
/// E1601 to E1604 for what cannot be met; E1605 when `work` is spent; E1104, E1411 and E5004 for a set of choices
/// nobody can decide about.
pub fn select(
    choices: &[Choice],
    wanted: &[usize],
    host: &HostVersions,
    work: u64,
) -> Result<Selection, SelectError> {
    let mut market = Market::new(choices, host)?;
    let first = market.first(wanted);
    let plugins = market.names.len();
    match Solver::new(plugins, &mut market, work).solve(first) {
        Ok((chosen, work)) => market.selection(&chosen, host, work),
        Err(Stop::Contradiction(leaves)) => Err(market.conflict(&leaves, host)),
        Err(Stop::Spent(about)) => {
            let about = about.iter().filter_map(|plugin| market.names.get(*plugin)).map(|n| (*n).clone());
            Err(SelectError::Spent { work, about: about.collect() })
        }
    }
}

/// Why a rule is there.
#[derive(Debug)]
enum Leaf {
    /// This plugin is wanted at this place.
    Wanted(usize, usize),
    /// A plugin at these places needs another.
    Needs { by: usize, at: Versions, on: usize, requirement: VersionReq },
    /// These would wait for each other.
    Circle(Vec<Name>),
}

/// The choices by plugin, and what is known of them.
struct Market<'a> {
    choices: &'a [Choice],
    /// The names there are and those that are needed, sorted; a plugin's number is its place here.
    names: Vec<&'a Name>,
    numbers: HashMap<&'a Name, usize>,
    /// By plugin, its choices, those that are preferred first; place 1 is the first of them.
    shelves: Vec<Vec<usize>>,
    /// By plugin, the version the host provides.
    host: Vec<Option<Version>>,
    leaves: Vec<Leaf>,
    /// By plugin and requirement, the places that meet it.
    met: HashMap<(usize, VersionReq), Versions>,
    told: HashSet<(usize, usize, VersionReq)>,
}

/// Those that are preferred first.
fn preference(a: &Choice, b: &Choice) -> Ordering {
    let before = |c: &Choice| !c.candidate.version.pre.is_empty();
    let (x, y) = (&a.candidate, &b.candidate);
    (b.installed, before(a), &y.version).cmp(&(a.installed, before(b), &x.version))
}

impl<'a> Market<'a> {
    fn new(choices: &'a [Choice], host: &HostVersions) -> Result<Self, ResolveError> {
        let mut by_name: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
        for (number, choice) in choices.iter().enumerate() {
            if host.provides(&choice.candidate.name) {
                return Err(ResolveError::Reserved { name: choice.candidate.name.clone() });
            }
            by_name.entry(&choice.candidate.name).or_default().push(number);
            for name in choice.candidate.dependencies.keys() {
                by_name.entry(name).or_default();
            }
        }
        let names: Vec<&Name> = by_name.keys().copied().collect();
        let sorted = |mut shelf: Vec<usize>| {
            shelf.sort_by(|a, b| match (choices.get(*a), choices.get(*b)) {
                (Some(a), Some(b)) => preference(a, b),
                _ => Ordering::Equal,
            });
            shelf
        };
        let market = Self {
            numbers: names.iter().enumerate().map(|(number, name)| (*name, number)).collect(),
            host: names.iter().map(|name| host.version_of(name).cloned()).collect(),
            shelves: by_name.into_values().map(sorted).collect(),
            names,
            choices,
            leaves: Vec::new(),
            met: HashMap::new(),
            told: HashSet::new(),
        };
        market.undoubled()?;
        Ok(market)
    }

    /// Two publishers, or twice the same version, are nothing to choose from.
    fn undoubled(&self) -> Result<(), ResolveError> {
        for shelf in &self.shelves {
            let mut seen = BTreeSet::new();
            let of: Vec<&Candidate> =
                shelf.iter().filter_map(|c| Some(&self.choices.get(*c)?.candidate)).collect();
            for candidate in &of {
                let other = of.iter().find(|c| c.publisher != candidate.publisher);
                if other.is_some() || !seen.insert(&candidate.version) {
                    let mut both =
                        [candidate.publisher.clone(), other.unwrap_or(candidate).publisher.clone()];
                    both.sort_unstable();
                    let [first, second] = both;
                    return Err(ResolveError::Twice { name: candidate.name.clone(), first, second });
                }
            }
        }
        Ok(())
    }

    fn number(&self, name: &Name) -> Option<usize> {
        self.numbers.get(name).copied()
    }
    fn choice(&self, plugin: usize, place: usize) -> Option<&'a Choice> {
        self.choices.get(*self.shelves.get(plugin)?.get(place.checked_sub(1)?)?)
    }
    /// The version at a place: one of the choices, or the host's own.
    fn version(&self, plugin: usize, place: usize) -> Option<&Version> {
        match self.host.get(plugin)? {
            Some(provided) => (place == 1).then_some(provided),
            None => self.choice(plugin, place).map(|choice| &choice.candidate.version),
        }
    }

    /// The places of a plugin that meet a requirement.
    fn met(&mut self, plugin: usize, requirement: &VersionReq, work: &mut u64) -> Versions {
        let key = (plugin, requirement.clone());
        if let Some(met) = self.met.get(&key) {
            return met.clone();
        }
        let places = self.places(plugin);
        *work = work.saturating_add(4 * places as u64);
        let meets = |place| self.version(plugin, place).is_some_and(|v| requirement.matches(v));
        let met = Versions::of(places, meets);
        self.met.insert(key, met.clone());
        met
    }

    /// What holds from the start: what is wanted, and that installed plugins go on being met.
    fn first(&mut self, wanted: &[usize]) -> Vec<Rule> {
        let mut rules = Vec::new();
        for choice in wanted {
            let plugin = self.choices.get(*choice).and_then(|c| self.number(&c.candidate.name));
            let Some(plugin) = plugin else { continue };
            let at = self.shelves.get(plugin).and_then(|shelf| shelf.iter().position(|c| c == choice));
            let Some(place) = at.map(|at| at + 1) else { continue };
            let set = Versions::one(self.places(plugin), place).others();
            rules.push(self.rule([(plugin, set)], Leaf::Wanted(plugin, place)));
        }
        for choice in self.choices.iter().filter(|choice| choice.installed) {
            rules.extend(self.keeps(&choice.candidate));
        }
        rules
    }

    /// An installed plugin that is no part of the plan can go on using what it needs: the version that is there, or
    /// one that it asks for.
    fn keeps(&mut self, installed: &'a Candidate) -> Vec<Rule> {
        let Some(by) = self.number(&installed.name) else { return Vec::new() };
        let mut rules = Vec::new();
        for (name, requirement) in &installed.dependencies {
            let Some(on) = self.number(name).filter(|on| *on != by) else { continue };
            let met = self.met(on, requirement, &mut 0);
            let stays = |place| place == 0 || self.choice(on, place).is_none_or(|c| c.installed);
            let bad = Versions::of(self.places(on), |place| !met.has(place) && !stays(place));
            if !bad.is_none() {
                let at = Versions::one(self.places(by), 0);
                let leaf = Leaf::Needs { by, at: at.clone(), on, requirement: requirement.clone() };
                rules.push(self.rule([(by, at), (on, bad)], leaf));
            }
        }
        rules
    }

    /// A rule of these terms; what is true in any case is none.
    fn rule(&mut self, terms: impl IntoIterator<Item = (usize, Versions)>, leaf: Leaf) -> Rule {
        self.leaves.push(leaf);
        let terms = terms.into_iter().filter(|(_, set)| !set.is_all()).collect();
        Rule { terms, leaf: self.leaves.len() - 1 }
    }

    fn selection(
        &self,
        chosen: &BTreeMap<usize, usize>,
        host: &HostVersions,
        work: u64,
    ) -> Result<Selection, SelectError> {
        let shelf = |(plugin, place): (&usize, &usize)| {
            self.shelves.get(*plugin)?.get(place.checked_sub(1)?).copied()
        };
        let taken: Vec<usize> = chosen.iter().filter_map(shelf).collect();
        let all = taken.iter().filter_map(|choice| Some((*choice, &self.choices.get(*choice)?.candidate)));
        let by_name: BTreeMap<&Name, usize> = all.clone().map(|(choice, c)| (&c.name, choice)).collect();
        let candidates: Vec<Candidate> = all.map(|(_, c)| c.clone()).collect();
        let plan = resolve(&candidates, host)?;
        let order = plan.start_order().iter().filter_map(|name| by_name.get(name).copied()).collect();
        Ok(Selection { order, plan, work })
    }

    /// The rules that contradict each other, in words.
    fn conflict(&self, leaves: &BTreeSet<usize>, host: &HostVersions) -> SelectError {
        let mut conflict = Conflict::default();
        for leaf in leaves.iter().filter_map(|leaf| self.leaves.get(*leaf)) {
            match leaf {
                Leaf::Circle(path) => return ResolveError::Cycle { path: path.clone() }.into(),
                Leaf::Wanted(plugin, place) => {
                    let name = self.names.get(*plugin).map(|name| (*name).clone());
                    conflict.wanted.extend(name.zip(self.version(*plugin, *place).cloned()));
                }
                Leaf::Needs { by, at, on, requirement } => {
                    conflict.wishes.extend(self.wish(*by, at, *on, requirement));
                    self.describe(*on, host, &mut conflict);
                }
            }
        }
        SelectError::Conflict(Box::new(conflict.sorted()))
    }

    fn wish(&self, by: usize, at: &Versions, on: usize, requirement: &VersionReq) -> Option<Wish> {
        let place_of = |place: usize| match place {
            0 => self.shelves.get(by)?.iter().find_map(|c| self.choices.get(*c).filter(|c| c.installed)),
            place => self.choice(by, place),
        };
        let versions: BTreeSet<Version> =
            at.places().filter_map(place_of).map(|choice| choice.candidate.version.clone()).collect();
        Some(Wish {
            by: (*self.names.get(by)?).clone(),
            versions: versions.into_iter().collect(),
            installed: at.places().filter_map(place_of).any(|choice| choice.installed),
            on: (*self.names.get(on)?).clone(),
            requirement: requirement.clone(),
        })
    }

    /// The versions there are of a plugin.
    fn describe(&self, plugin: usize, host: &HostVersions, conflict: &mut Conflict) {
        let Some(name) = self.names.get(plugin) else { return };
        let mut there: Vec<Version> =
            (1..self.places(plugin)).filter_map(|place| self.version(plugin, place).cloned()).collect();
        there.sort_unstable();
        if host.provides(name) {
            conflict.host.insert((*name).clone());
        }
        conflict.there.insert((*name).clone(), there);
    }
}

impl Rules for Market<'_> {
    fn places(&self, plugin: usize) -> usize {
        let host = self.host.get(plugin).is_some_and(Option::is_some);
        1 + if host { 1 } else { self.shelves.get(plugin).map_or(0, Vec::len) }
    }

    fn of(&mut self, plugin: usize, place: usize, work: &mut u64) -> Vec<Rule> {
        let Some(choice) = self.choice(plugin, place) else { return Vec::new() };
        let mut rules = Vec::new();
        for (name, requirement) in &choice.candidate.dependencies {
            let Some(on) = self.number(name) else { continue };
            if !self.told.insert((plugin, on, requirement.clone())) {
                continue;
            }
            // Every version with the same need is told at once.
            let places = self.places(plugin);
            *work = work.saturating_add(4 * places as u64);
            let same = |at| {
                self.choice(plugin, at).and_then(|c| c.candidate.dependencies.get(name)) == Some(requirement)
            };
            let at = Versions::of(places, same);
            let unmet = self.met(on, requirement, work).others();
            let leaf = Leaf::Needs { by: plugin, at: at.clone(), on, requirement: requirement.clone() };
            if plugin == on {
                rules.push(self.rule([(plugin, at.clone())], Leaf::Circle(vec![name.clone(), name.clone()])));
            } else if !unmet.is_none() {
                rules.push(self.rule([(plugin, at), (on, unmet)], leaf));
            }
        }
        rules
    }

    fn objection(&mut self, chosen: &BTreeMap<usize, usize>, work: &mut u64) -> Option<Rule> {
        let taken = chosen.iter().filter_map(|(plugin, place)| self.choice(*plugin, *place));
        let candidates: Vec<&Candidate> = taken.map(|choice| &choice.candidate).collect();
        *work = work.saturating_add(candidates.iter().map(|c| 4 + 4 * c.dependencies.len() as u64).sum());
        let path = super::circle(&candidates)?;
        let mut terms = BTreeMap::new();
        for pair in path.windows(2) {
            let [by, on] = pair else { continue };
            let plugin = self.number(by)?;
            let needs =
                |at| self.choice(plugin, at).is_some_and(|c| c.candidate.dependencies.contains_key(on));
            terms.insert(plugin, Versions::of(self.places(plugin), needs));
        }
        Some(self.rule(terms, Leaf::Circle(path)))
    }
}
