//! Why no versions fit, in words: who wants what, which versions there are and for whom each would do.

use common::error::{Code, codes};
use common::identity::Name;
use semver::{Version, VersionReq};
use std::collections::{BTreeMap, BTreeSet};

/// Most reasons one conflict spells out.
const MAX_REASONS: usize = 50;
/// Most versions one reason spells out.
const MAX_VERSIONS: usize = 4;

/// Versions of a plugin with one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Who needs it.
    pub by: Name,
    /// At which versions, rising.
    pub versions: Vec<Version>,
    /// One of them is installed.
    pub installed: bool,
    /// What is needed.
    pub on: Name,
    /// Which versions of it will do.
    pub requirement: VersionReq,
}

/// Requirements that cannot all be met by what there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflict {
    /// What had to be chosen.
    pub wanted: Vec<(Name, Version)>,
    /// Everyone who needs something and has a part in it; what it is mostly about comes first.
    pub wishes: Vec<Wish>,
    /// The versions there are of what is needed, rising.
    pub there: BTreeMap<Name, Vec<Version>>,
    /// Which of those the host provides.
    pub host: BTreeSet<Name>,
}

impl Conflict {
    /// The plugins it is about.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.there.keys()
    }

    /// Puts the wishes about one plugin together, and first those about the one it is mostly about.
    pub(super) fn sorted(mut self) -> Self {
        let about = self.about().cloned();
        let key = |w: &Wish| (Some(&w.on) != about.as_ref(), w.on.clone(), w.by.clone(), w.versions.clone());
        self.wishes.sort_by_key(key);
        self.wishes.dedup();
        self.wanted.sort();
        self
    }

    /// Whether no version there is of it meets this wish.
    fn hopeless(&self, wish: &Wish) -> bool {
        self.fitting(wish).next().is_none()
    }
    fn fitting(&self, wish: &Wish) -> impl Iterator<Item = &Version> {
        let there = self.there.get(&wish.on).map(Vec::as_slice).unwrap_or_default();
        let requirement = wish.requirement.clone();
        there.iter().filter(move |version| requirement.matches(version))
    }

    /// The plugin it is mostly about: a part of the host that does not fit, one that is not there, one of which no
    /// version fits, or else the one with the most who need it.
    fn about(&self) -> Option<&Name> {
        let grade = |wish: &Wish| {
            let there = self.there.get(&wish.on).is_some_and(|versions| !versions.is_empty());
            match (self.host.contains(&wish.on), there, self.hopeless(wish)) {
                (true, ..) => 0,
                (_, false, _) => 1,
                (_, _, true) => 2,
                _ => 3,
            }
        };
        let many = |on: &Name| self.wishes.iter().filter(|wish| wish.on == *on).count();
        let first = |w: &&Wish| (grade(w), std::cmp::Reverse(many(&w.on)), w.on.clone());
        self.wishes.iter().min_by_key(first).map(|wish| &wish.on)
    }

    fn is_missing(&self, name: &Name) -> bool {
        self.there.get(name).is_none_or(Vec::is_empty)
    }

    /// E1602 for what is not there, E1604 for the host, else E1603.
    pub fn code(&self) -> &'static Code {
        match self.about() {
            Some(name) if self.host.contains(name) => &codes::E1604,
            Some(name) if self.is_missing(name) => &codes::E1602,
            _ => &codes::E1603,
        }
    }

    /// Who wants what, a line each.
    pub fn reasons(&self) -> Vec<String> {
        let same = |a: &Wish, b: &Wish| (&a.on, &a.by) == (&b.on, &b.by);
        let groups = self.wishes.chunk_by(same);
        let mut lines: Vec<String> = groups.flat_map(|wishes| self.lines(wishes)).collect();
        if lines.len() > MAX_REASONS {
            let more = lines.len() - MAX_REASONS;
            lines.truncate(MAX_REASONS);
            lines.push(format!("and {more} more"));
        }
        let wanted = self.wanted.iter().take(MAX_REASONS);
        lines.extend(wanted.map(|(name, version)| format!("{name} {version} is what was asked for")));
        lines
    }

    /// The wishes of one plugin about another; of many one line speaks for all.
    fn lines(&self, wishes: &[Wish]) -> Vec<String> {
        let [first, .., last] = wishes else { return wishes.iter().map(|wish| self.line(wish)).collect() };
        if wishes.len() <= MAX_VERSIONS {
            return wishes.iter().map(|wish| self.line(wish)).collect();
        }
        let mut versions: Vec<Version> = wishes.iter().flat_map(|wish| wish.versions.clone()).collect();
        versions.sort_unstable();
        vec![format!(
            "{} {} needs {}, with {} different requirements from {} to {}",
            first.by,
            listed(&versions),
            first.on,
            wishes.len(),
            first.requirement,
            last.requirement
        )]
    }

    fn line(&self, wish: &Wish) -> String {
        let Wish { by, on, requirement, .. } = wish;
        let note = if wish.installed { " (installed)" } else { "" };
        let needs = format!("{by} {}{note} needs {on} {requirement}", listed(&wish.versions));
        let fitting: Vec<Version> = self.fitting(wish).cloned().collect();
        match (self.host.contains(on), fitting.is_empty(), self.is_missing(on)) {
            (true, _, _) => format!("{needs}; this host provides {}", self.there_of(on)),
            (_, _, true) => format!("{needs}; none can be chosen"),
            (_, true, _) => format!("{needs}; there is {}, which will not do", self.there_of(on)),
            _ => format!("{needs}; {} will do", listed(&fitting)),
        }
    }

    fn there_of(&self, name: &Name) -> String {
        listed(self.there.get(name).map(Vec::as_slice).unwrap_or_default())
    }

    /// What to change.
    pub fn help(&self) -> Option<String> {
        let about = self.about()?;
        let of: Vec<&Wish> = self.wishes.iter().filter(|wish| wish.on == *about).collect();
        let all: BTreeSet<String> = of.iter().map(|wish| wish.requirement.to_string()).collect();
        let by: BTreeSet<&str> = of.iter().map(|wish| wish.by.as_str()).collect();
        let (all, by) = (bounded(all.iter().map(String::as_str)), bounded(by.into_iter()));
        Some(if self.host.contains(about) {
            format!("use a build of the host with a {about} that meets {all}, or another version of {by}")
        } else {
            format!("offer a version of {about} that meets {all}, or other versions of {by}")
        })
    }
}

/// The first few of many.
fn bounded<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    let shown: Vec<&str> = all.iter().take(MAX_VERSIONS).copied().collect();
    let more = all.len().saturating_sub(MAX_VERSIONS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(" and "))
}

/// Versions, rising; of many the first and the last.
fn listed(versions: &[Version]) -> String {
    match versions {
        [first, .., last] if versions.len() > MAX_VERSIONS => {
            format!("{first} to {last} ({} versions)", versions.len())
        }
        _ => versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(about) = self.about() else { return f.write_str("what is wanted cannot all be had") };
        let wish = self.wishes.iter().find(|wish| wish.on == *about);
        match wish {
            Some(_) if self.is_missing(about) => write!(f, "not installed and not offered: {about}"),
            Some(wish) if self.host.contains(about) => {
                let provided = self.there_of(about);
                write!(f, "{} needs {about} {}, but this host provides {provided}", wish.by, wish.requirement)
            }
            Some(wish) if self.hopeless(wish) => {
                write!(f, "no version of {about} there is meets what {} needs: {}", wish.by, wish.requirement)
            }
            _ => write!(f, "no version of {about} there is satisfies everyone who needs it"),
        }
    }
}
