//! Everything plugins need of each other and of the host, met or not, with every fault there is instead of the first.

use super::{
    Candidate, HostVersions, Need, ResolveError, cycles, graph, levels, needs, start_order, tangles, unique,
    unmet,
};
use common::identity::Name;
use semver::Version;
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// One requirement and what there is for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// Who needs what.
    pub need: Need,
    /// The version there is; `None` when there is none.
    pub found: Option<Version>,
    /// Both ends stand in one circle.
    pub circular: bool,
}

impl Surveyed {
    /// Whether the version there is will do.
    pub fn met(&self) -> bool {
        self.found.as_ref().is_some_and(|v| self.need.requirement.matches(v))
    }
}

/// What a set of plugins needs.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Every requirement, by who has it and then by what it is on.
    pub needs: Vec<Surveyed>,
    /// Every reason why there is no order: the host's versions, what is missing, what conflicts, then cycles.
    pub faults: Vec<ResolveError>,
    /// The order of starting; without the plugins in circles and those that need them.
    pub order: Vec<Name>,
}

impl Survey {
    /// The order as sets: those of one may start side by side once every set before it is up. Each by name.
    pub fn levels(&self) -> Vec<Vec<&Name>> {
        let mut needs: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
        for Surveyed { need, .. } in &self.needs {
            needs.entry(&need.by).or_default().push(&need.on);
        }
        levels(&self.order, |name| needs.get(name).into_iter().flatten().copied())
    }
}

/// Looks at every requirement. The result depends on the set of candidates alone, not on their order.
///
/// # Errors
/// A reserved or doubled name: of such a set nobody can say who needs whom.
pub fn survey<C: Borrow<Candidate>>(candidates: &[C], host: &HostVersions) -> Result<Survey, ResolveError> {
    let by_name = unique(candidates, host)?;
    let needs = needs(&by_name);
    let (graph, index) = graph(&by_name, &needs);
    let mut tangle = BTreeMap::new();
    for (number, part) in tangles(&graph).into_iter().enumerate() {
        tangle.extend(part.into_iter().map(|node| (node, number)));
    }
    let tangle_of = |name: &Name| index.get(name).and_then(|node| tangle.get(node));
    let mut faults = unmet(&needs, &by_name, host);
    faults.extend(cycles(&graph).into_iter().map(|path| ResolveError::Cycle { path }));
    let surveyed = |need: Need| Surveyed {
        found: host.version_of(&need.on).or_else(|| by_name.get(&need.on).map(|c| &c.version)).cloned(),
        circular: tangle_of(&need.by).is_some_and(|t| tangle_of(&need.on) == Some(t)),
        need,
    };
    let (order, _) = start_order(&graph);
    Ok(Survey { needs: needs.into_iter().map(surveyed).collect(), faults, order })
}

#[cfg(test)]
mod tests {
    use super::super::resolve;
    use super::*;
    use common::error::Coded;

    fn plugin(name: &str, version: &str, needs: &[(&str, &str)]) -> Candidate {
        Candidate {
            name: Name::new(name).unwrap(),
            publisher: Name::new("acme").unwrap(),
            version: version.parse().unwrap(),
            dependencies: needs.iter().map(|(n, r)| (Name::new(n).unwrap(), r.parse().unwrap())).collect(),
        }
    }

    fn host() -> HostVersions {
        HostVersions { common: Version::new(1, 0, 0), microkernel: Version::new(1, 0, 0) }
    }

    #[test]
    fn every_fault_is_told_and_the_first_is_the_one_resolve_gives() {
        let all = [
            plugin("a", "1.0.0", &[("gone", "^1"), ("common", "^2")]),
            plugin("b", "1.0.0", &[("a", "^2"), ("c", "*")]),
            plugin("c", "1.0.0", &[("b", "*")]),
            plugin("d", "1.0.0", &[("d", "*")]),
        ];
        let survey = survey(&all, &host()).unwrap();
        let codes: Vec<&str> = survey.faults.iter().map(|f| f.code().id).collect();
        assert_eq!(codes, ["E1604", "E1602", "E1603", "E1601", "E1601"]);
        assert_eq!(resolve(&all, &host()).unwrap_err(), survey.faults[0]);
        assert_eq!(survey.order, [Name::new("a").unwrap()]);
        let seen: Vec<(String, bool, bool)> = survey
            .needs
            .iter()
            .map(|n| (format!("{} {}", n.need.by, n.need.on), n.met(), n.circular))
            .collect();
        let line = |text: &str, met, circular| (text.to_owned(), met, circular);
        assert_eq!(
            seen,
            [
                line("a common", false, false),
                line("a gone", false, false),
                line("b a", false, false),
                line("b c", true, true),
                line("c b", true, true),
                line("d d", true, true),
            ]
        );
    }

    #[test]
    fn two_circles_with_an_edge_between_them_are_two() {
        let all = [
            plugin("a", "1.0.0", &[("b", "*"), ("c", "*")]),
            plugin("b", "1.0.0", &[("a", "*")]),
            plugin("c", "1.0.0", &[("d", "*")]),
            plugin("d", "1.0.0", &[("c", "*")]),
        ];
        let survey = survey(&all, &host()).unwrap();
        assert_eq!(survey.faults.len(), 2);
        let between = survey.needs.iter().find(|n| n.need.by.as_str() == "a" && n.need.on.as_str() == "c");
        assert!(!between.unwrap().circular);
    }

    #[test]
    fn a_set_without_faults_has_the_order_of_resolve() {
        let all = [plugin("a", "1.0.0", &[("z", "^1"), ("common", "^1")]), plugin("z", "1.2.0", &[])];
        let survey = survey(&all, &host()).unwrap();
        assert_eq!(survey.order, resolve(&all, &host()).unwrap().start_order());
        assert!(survey.faults.is_empty() && survey.needs.iter().all(Surveyed::met));
        assert_eq!(survey.needs[0].found, Some(Version::new(1, 0, 0)));
    }

    #[test]
    fn a_doubled_name_is_an_error() {
        assert!(survey(&[plugin("a", "1.0.0", &[]), plugin("a", "2.0.0", &[])], &host()).is_err());
    }
}
