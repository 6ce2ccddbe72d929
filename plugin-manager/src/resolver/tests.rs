//! Orders, cycles, conflicts and what the host provides (FAULTS.md, part D).

use super::*;
use common::error::Coded;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn plugin(text: &str, version: &str, needs: &[(&str, &str)]) -> Candidate {
    Candidate {
        name: name(text),
        publisher: name("acme"),
        version: version.parse().unwrap(),
        dependencies: needs.iter().map(|(n, r)| (name(n), r.parse().unwrap())).collect(),
    }
}

fn host() -> HostVersions {
    HostVersions { common: Version::new(1, 0, 0), microkernel: Version::new(1, 0, 0) }
}

fn order_of(candidates: &[Candidate]) -> Vec<String> {
    resolve(candidates, &host()).unwrap().start_order().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(candidates: &[Candidate], code: &str) -> ResolveError {
    let error = resolve(candidates, &host()).expect_err("there is an order");
    assert_eq!(error.code().id, code, "{error}");
    error
}

#[test]
fn what_is_needed_starts_first_and_names_decide_among_equals() {
    let all = [
        plugin("a", "1.0.0", &[("z", "^1"), ("common", "^1.0.0")]),
        plugin("z", "1.2.0", &[("m", "*")]),
        plugin("m", "0.1.0", &[("microkernel", "^1")]),
        plugin("b", "1.0.0", &[]),
    ];
    assert_eq!(order_of(&all), ["b", "m", "z", "a"]);
    let mut turned = all.clone();
    turned.reverse();
    assert_eq!(order_of(&turned), ["b", "m", "z", "a"]);
    let plan = resolve(&all, &host()).unwrap();
    assert_eq!(plan.stop_order().next().unwrap().as_str(), "a");
    assert_eq!(plan.dependencies_of(&name("a")), [&name("z")]);
    assert_eq!(plan.dependents_of(&name("m")), [&name("z")]);
    assert_eq!(plan.broken_without(&name("m")), [&name("a"), &name("z")]);
    assert!(plan.broken_without(&name("nobody")).is_empty());
    assert!(resolve::<Candidate>(&[], &host()).unwrap().start_order().is_empty());
}

#[test]
fn fault_065_cycles_are_printed_as_a_path() {
    let e = refused(&[plugin("a", "1.0.0", &[("a", "*")])], "E1601");
    assert_eq!(e.to_string(), "the dependencies form a cycle: a → a");
    let e = refused(&[plugin("b", "1.0.0", &[("a", "*")]), plugin("a", "1.0.0", &[("b", "*")])], "E1601");
    assert_eq!(e.to_string(), "the dependencies form a cycle: a → b → a");
    let three = [
        plugin("out", "1.0.0", &[("b", "*")]),
        plugin("b", "1.0.0", &[("c", "*"), ("leaf", "*")]),
        plugin("c", "1.0.0", &[("d", "*")]),
        plugin("d", "1.0.0", &[("b", "*")]),
        plugin("leaf", "1.0.0", &[]),
    ];
    assert_eq!(refused(&three, "E1601").to_string(), "the dependencies form a cycle: b → c → d → b");
    let ring = |n: usize| -> Vec<Candidate> {
        (0..n).map(|i| plugin(&format!("p{i}"), "1.0.0", &[(&format!("p{}", (i + 1) % n), "*")])).collect()
    };
    let ResolveError::Cycle { path } = refused(&ring(50), "E1601") else { panic!() };
    assert_eq!((path.len(), path.first()), (51, path.last()));
    assert!(refused(&ring(5_000), "E1601").to_string().contains("5000 in all"));
}

#[test]
fn what_is_missing_is_named_with_who_needs_it() {
    let all = [plugin("a", "1.0.0", &[("x", "^2"), ("y", "*")]), plugin("b", "1.0.0", &[("x", "^1")])];
    let e = refused(&all, "E1602");
    assert_eq!(e.to_string(), "not installed: x, y");
    assert_eq!(e.reasons(), ["a 1.0.0 needs x ^2", "a 1.0.0 needs y *", "b 1.0.0 needs x ^1"]);
}

#[test]
fn fault_066_conflicts_are_explained_in_words() {
    let diamond = [
        plugin("a", "1.0.0", &[("base", "^1")]),
        plugin("b", "1.0.0", &[("base", "^2")]),
        plugin("base", "1.5.0", &[]),
    ];
    let e = refused(&diamond, "E1603");
    assert_eq!(e.to_string(), "base is installed at 1.5.0, which does not satisfy every requirement");
    assert_eq!(e.reasons(), ["b 1.0.0 needs base ^2, which it is not", "a 1.0.0 needs base ^1"]);
}

#[test]
fn fault_064_pre_releases_satisfy_only_who_asks_for_them() {
    let with = |req: &str| [plugin("a", "1.0.0", &[("b", req)]), plugin("b", "2.0.0-rc.1", &[])];
    refused(&with("^2"), "E1603");
    refused(&with("*"), "E1603");
    assert_eq!(order_of(&with(">=2.0.0-rc.0")), ["b", "a"]);
}

#[test]
fn fault_067_two_publishers_of_one_name() {
    let mut other = plugin("a", "9.0.0", &[]);
    other.publisher = name("evil");
    refused(&[plugin("a", "1.0.0", &[]), other], "E1411");
    refused(&[plugin("a", "1.0.0", &[]), plugin("a", "1.1.0", &[])], "E5004");
}

#[test]
fn fault_072_what_the_host_provides() {
    let e = refused(&[plugin("a", "1.0.0", &[("microkernel", "^9")])], "E1604");
    assert_eq!(e.to_string(), "a 1.0.0 needs microkernel ^9, but this host provides 1.0.0");
    refused(&[plugin("common", "1.0.0", &[])], "E1104");
}

/// So many plugins, each needing up to eight before it.
fn dense(count: usize) -> Vec<Candidate> {
    let needs = |i: usize| (1..=8).filter_map(move |d| i.checked_sub(d * d)).map(|n| format!("p{n}"));
    let candidate = |i| {
        let needs: Vec<String> = needs(i).collect();
        let needs: Vec<(&str, &str)> = needs.iter().map(|n| (n.as_str(), "^1")).collect();
        plugin(&format!("p{i}"), "1.0.0", &needs)
    };
    (0..count).map(candidate).collect()
}

#[test]
fn ten_thousand_plugins_are_ordered_in_one_step_for_each_plugin_and_need() {
    let many = dense(10_000);
    let plan = resolve(&many, &host()).unwrap();
    assert_eq!(plan.start_order().len(), 10_000);
    assert_eq!(plan.broken_without(&name("p0")).len(), 9_999);
    let needs: usize = many.iter().map(|candidate| candidate.dependencies.len()).sum();
    assert_eq!(plan.steps(), 10_000 + needs);
    assert_eq!(plan.start_levels().iter().map(Vec::len).sum::<usize>(), 10_000);
}

proptest! {
    #[test]
    fn an_order_puts_every_need_first_or_there_is_a_real_cycle(edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..30)) {
        let mut all: Vec<Candidate> = (0..12).map(|i| plugin(&format!("p{i}"), "1.0.0", &[])).collect();
        for (by, on) in &edges {
            all[*by].dependencies.insert(name(&format!("p{on}")), "^1".parse().unwrap());
        }
        match resolve(&all, &host()) {
            Ok(plan) => {
                let place = |n: &Name| plan.start_order().iter().position(|x| x == n).unwrap();
                for c in &all {
                    prop_assert!(c.dependencies.keys().all(|d| place(d) < place(&c.name)));
                }
            }
            Err(ResolveError::Cycle { path }) => {
                prop_assert!(path.len() >= 2 && path.first() == path.last());
                for pair in path.windows(2) {
                    let by = all.iter().find(|c| c.name == pair[0]).unwrap();
                    prop_assert!(by.dependencies.contains_key(&pair[1]));
                }
                let inner: BTreeSet<_> = path[1..].iter().collect();
                prop_assert_eq!(inner.len(), path.len() - 1);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
