//! What is chosen, what is told when nothing can be, and that no set of versions costs more than its bound.

use super::*;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn host() -> HostVersions {
    HostVersions { common: Version::new(1, 0, 0), microkernel: Version::new(1, 0, 0) }
}

fn choice(text: &str, version: &str, needs: &[(&str, &str)]) -> Choice {
    let candidate = Candidate {
        name: name(text),
        publisher: name("acme"),
        version: version.parse().unwrap(),
        dependencies: needs.iter().map(|(n, r)| (name(n), r.parse().unwrap())).collect(),
    };
    Choice { candidate, installed: false }
}

fn installed(text: &str, version: &str, needs: &[(&str, &str)]) -> Choice {
    Choice { installed: true, ..choice(text, version, needs) }
}

/// The selection in words, in its order, when the first choice is wanted.
fn chosen(choices: &[Choice]) -> Vec<String> {
    let selection = select(choices, &[0], &host(), SEARCH_WORK).unwrap();
    let word = |at: &usize| format!("{} {}", choices[*at].candidate.name, choices[*at].candidate.version);
    selection.order.iter().map(word).collect()
}

#[track_caller]
fn refused(choices: &[Choice], code: &str) -> SelectError {
    let error = select(choices, &[0], &host(), SEARCH_WORK).expect_err("something is chosen");
    assert_eq!(error.code().id, code, "{error}: {:?}", error.reasons());
    error
}

#[test]
fn the_installed_version_is_preferred_then_the_highest_that_is_released() {
    let top = choice("top", "1.0.0", &[("base", "^1"), ("common", "^1")]);
    let offered = ["1.2.0", "1.10.0", "1.9.0", "1.11.0-rc.1", "2.0.0"].map(|v| choice("base", v, &[]));
    let mut all = vec![top.clone()];
    all.extend(offered);
    assert_eq!(chosen(&all), ["base 1.10.0", "top 1.0.0"]);
    all.push(installed("base", "1.3.0", &[]));
    assert_eq!(chosen(&all), ["base 1.3.0", "top 1.0.0"]);
    all[0] = choice("top", "1.0.0", &[("base", ">=1.11.0-rc.0, <1.12")]);
    assert_eq!(chosen(&all), ["base 1.11.0-rc.1", "top 1.0.0"]);
    all[1..].reverse();
    assert_eq!(chosen(&all), ["base 1.11.0-rc.1", "top 1.0.0"]);
}

#[test]
fn a_lower_version_is_taken_where_only_it_lets_everything_fit() {
    let all = [
        choice("top", "1.0.0", &[("left", "*"), ("right", "*")]),
        choice("left", "2.0.0", &[("base", "^2")]),
        choice("left", "1.0.0", &[("base", "^1")]),
        choice("right", "1.0.0", &[("base", "^1")]),
        choice("base", "2.0.0", &[]),
        choice("base", "1.0.0", &[]),
    ];
    assert_eq!(chosen(&all), ["base 1.0.0", "left 1.0.0", "right 1.0.0", "top 1.0.0"]);
}

#[test]
fn an_installed_plugin_moves_only_where_it_must() {
    let all = [
        choice("new", "1.0.0", &[("base", "^2")]),
        choice("base", "2.1.0", &[]),
        installed("base", "1.0.0", &[]),
        installed("old", "1.0.0", &[("base", "^1")]),
        choice("old", "1.1.0", &[("base", ">=1, <3")]),
        installed("apart", "1.0.0", &[("gone", "*")]),
        choice("apart", "2.0.0", &[]),
    ];
    assert_eq!(chosen(&all), ["base 2.1.0", "new 1.0.0", "old 1.1.0"]);
    let error = refused(&all[..4], "E1603");
    assert_eq!(error.to_string(), "no version of base there is satisfies everyone who needs it");
    assert_eq!(
        error.reasons(),
        [
            "new 1.0.0 needs base ^2; 2.1.0 will do",
            "old 1.0.0 (installed) needs base ^1; 1.0.0 will do",
            "new 1.0.0 is what was asked for",
        ]
    );
    assert_eq!(
        error.help().unwrap(),
        "offer a version of base that meets ^1 and ^2, or other versions of new and old"
    );
}

#[test]
fn what_cannot_be_met_is_told_by_its_kind() {
    let top = |needs| choice("top", "1.0.0", needs);
    let e = refused(&[top(&[("gone", "^3")])], "E1602");
    assert_eq!(e.to_string(), "not installed and not offered: gone");
    assert_eq!(e.reasons()[0], "top 1.0.0 needs gone ^3; none can be chosen");
    let e = refused(&[top(&[("base", "^3")]), choice("base", "1.0.0", &[])], "E1603");
    assert_eq!(e.to_string(), "no version of base there is meets what top needs: ^3");
    let e = refused(&[top(&[("common", "^3")])], "E1604");
    assert_eq!(e.to_string(), "top needs common ^3, but this host provides 1.0.0");
    refused(&[choice("common", "1.0.0", &[])], "E1104");
    refused(&[top(&[]), top(&[])], "E5004");
}

#[test]
fn fault_067_two_publishers_of_one_name_are_no_choice() {
    let mut other = choice("base", "9.0.0", &[]);
    other.candidate.publisher = name("mallory");
    refused(&[choice("top", "1.0.0", &[("base", "*")]), choice("base", "1.0.0", &[]), other], "E1411");
}

#[test]
fn fault_065_a_circle_is_gone_round_where_there_is_another_way_and_printed_where_not() {
    let mut all = vec![
        choice("a", "1.0.0", &[("b", "*")]),
        choice("b", "2.0.0", &[("c", "*")]),
        choice("c", "1.0.0", &[("a", "*")]),
        choice("b", "1.0.0", &[]),
    ];
    assert_eq!(chosen(&all), ["b 1.0.0", "a 1.0.0"]);
    all.pop();
    assert_eq!(refused(&all, "E1601").to_string(), "the dependencies form a cycle: a → b → c → a");
    refused(&[choice("a", "1.0.0", &[("a", "*")])], "E1601");
}

/// Floors of a tower: every version of one needs versions of the next two that share nothing but the lowest.
fn tower(floors: usize, versions: u64) -> Vec<Choice> {
    let mut all = vec![choice("f0", "1.0.0", &[("f1", "*")])];
    for floor in 1..floors {
        for v in 1..=versions {
            let next = [floor + 1, floor + 2].into_iter().filter(|next| *next < floors);
            // The higher one is, the more it asks for, but for the lowest.
            let needs: Vec<(String, String)> = next
                .map(|n| {
                    (format!("f{n}"), if v == 1 { "*".into() } else { format!("={}.0.0", v % versions + 1) })
                })
                .collect();
            let needs: Vec<(&str, &str)> = needs.iter().map(|(n, r)| (n.as_str(), r.as_str())).collect();
            all.push(choice(&format!("f{floor}"), &format!("{v}.0.0"), &needs));
        }
    }
    all
}

/// More plugins that want a home of their own than there are homes: the classic that no learning shortens.
fn pigeons(holes: usize) -> Vec<Choice> {
    let mut all = vec![];
    let wants: Vec<String> = (0..=holes).map(|p| format!("pigeon{p}")).collect();
    let wants: Vec<(&str, &str)> = wants.iter().map(|p| (p.as_str(), "*")).collect();
    all.push(choice("top", "1.0.0", &wants));
    for pigeon in 0..=holes {
        for hole in 1..=holes {
            let (home, own) = (format!("hole{hole}"), format!("={}.0.0", pigeon + 1));
            all.push(choice(&format!("pigeon{pigeon}"), &format!("{hole}.0.0"), &[(&home, &own)]));
        }
    }
    for hole in 1..=holes {
        all.extend(
            (0..=holes).map(|pigeon| choice(&format!("hole{hole}"), &format!("{}.0.0", pigeon + 1), &[])),
        );
    }
    all
}

#[test]
fn fault_066_a_thousand_versions_in_deep_diamonds_are_decided() {
    // Each of 1,000 versions on top asks for the base in its own version; the other side takes the lowest alone.
    let mut all = vec![choice("top", "1.0.0", &[("left", "*"), ("right", "*")])];
    for v in 1..=1_000 {
        let (version, own) = (format!("{v}.0.0"), format!("={v}.0.0"));
        all.push(choice("left", &version, &[("base", &own)]));
        all.push(choice("base", &version, &[]));
    }
    all.push(choice("right", "1.0.0", &[("base", "=1.0.0")]));
    let selection = select(&all, &[0], &host(), SEARCH_WORK).unwrap();
    assert_eq!(chosen(&all), ["base 1.0.0", "left 1.0.0", "right 1.0.0", "top 1.0.0"]);
    assert!(selection.work < SEARCH_WORK / 4, "{}", selection.work);
    // The same, and nothing fits.
    let last = all.len() - 1;
    all[last] = choice("right", "1.0.0", &[("base", ">1000")]);
    refused(&all, "E1603");
    all[last] = choice("right", "1.0.0", &[("base", "=1000.0.0")]);
    all.retain(|c| c.candidate.name != name("left") || c.candidate.version < Version::new(1_000, 0, 0));
    let error = refused(&all, "E1603");
    assert_eq!(
        error.reasons(),
        [
            "left 1.0.0 to 999.0.0 (999 versions) needs base, with 999 different requirements from =1.0.0 to =999.0.0",
            "right 1.0.0 needs base =1000.0.0; 1000.0.0 will do",
            "top 1.0.0 needs left *; 1.0.0 to 999.0.0 (999 versions) will do",
            "top 1.0.0 needs right *; 1.0.0 will do",
            "top 1.0.0 is what was asked for",
        ]
    );
}

#[test]
fn fault_066_towers_and_pigeons_end_within_their_work() {
    let towers = tower(40, 25);
    let selection = select(&towers, &[0], &host(), SEARCH_WORK).unwrap();
    assert!(selection.work < SEARCH_WORK / 10, "{}", selection.work);
    // So few that they are seen through, and so many that nobody sees through them.
    refused(&pigeons(4), "E1603");
    let error = refused(&pigeons(40), "E1605");
    assert!(error.to_string().contains("50000000 units of work"), "{error}");
    assert!(error.reasons().len() == 5 && error.names().len() > 40, "{:?}", error.reasons());
}

#[test]
fn ten_thousand_plugins_with_three_versions_each_cost_in_proportion() {
    let crowd = |count: usize| {
        let mut all = Vec::new();
        for i in (0..count).rev() {
            let needs: Vec<String> =
                (1..=8).filter_map(|d| i.checked_sub(d * d)).map(|n| format!("p{n}")).collect();
            let needs: Vec<(&str, &str)> = needs.iter().map(|n| (n.as_str(), ">=1.1, <1.3")).collect();
            all.extend(["1.0.0", "1.1.0", "1.2.0"].map(|v| choice(&format!("p{i}"), v, &needs)));
        }
        select(&all, &[2], &host(), SEARCH_WORK).unwrap()
    };
    let (few, many) = (crowd(1_000), crowd(10_000));
    assert!(many.order.len() > 9_900, "{}", many.order.len());
    assert!(many.work < few.work * 12, "{} for ten times what took {}", many.work, few.work);
    assert!(many.work < SEARCH_WORK / 5, "{}", many.work);
}

/// Whether this is an answer.
fn holds(choices: &[Choice], taken: &[usize]) -> bool {
    let of: BTreeMap<&Name, &Candidate> =
        taken.iter().map(|at| (&choices[*at].candidate.name, &choices[*at].candidate)).collect();
    let needs_met = of.values().all(|c| {
        c.dependencies.iter().all(|(on, req)| of.get(on).is_some_and(|there| req.matches(&there.version)))
    });
    let others = choices.iter().filter(|c| c.installed && !of.contains_key(&c.candidate.name));
    let others_met = others.flat_map(|c| &c.candidate.dependencies).all(|(on, req)| {
        let stays = |there: &Candidate| choices.iter().any(|c| c.installed && c.candidate == *there);
        of.get(on).is_none_or(|there| req.matches(&there.version) || stays(there))
    });
    of.len() == taken.len()
        && needs_met
        && others_met
        && resolve(&of.values().map(|c| (*c).clone()).collect::<Vec<_>>(), &host()).is_ok()
}

/// Whether any set of choices with the first is an answer.
fn any_answer(choices: &[Choice]) -> bool {
    (0_u32..1 << (choices.len() - 1)).any(|bits| {
        let taken: Vec<usize> =
            std::iter::once(0).chain((1..choices.len()).filter(|at| bits >> (at - 1) & 1 == 1)).collect();
        holds(choices, &taken)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn an_answer_is_found_where_there_is_one_and_is_one(
        needs in proptest::collection::vec((0_usize..11, 0_usize..5, 0_usize..5), 0..14),
        there in proptest::collection::vec(0_usize..5, 0..3),
    ) {
        // p0 has one version, p1 to p5 two each.
        let mut all = vec![choice("p0", "1.0.0", &[])];
        for plugin in 1..=5 {
            all.extend(["1.0.0", "2.0.0"].map(|version| choice(&format!("p{plugin}"), version, &[])));
        }
        for plugin in there {
            all[1 + plugin * 2].installed = true;
        }
        for (by, on, req) in needs {
            let req = ["*", "^1", "^2", ">=1", "^3"][req];
            all[by].candidate.dependencies.insert(name(&format!("p{}", on + 1)), req.parse().unwrap());
        }
        match select(&all, &[0], &host(), SEARCH_WORK) {
            Ok(selection) => prop_assert!(holds(&all, &selection.order)),
            Err(SelectError::Spent { .. }) => prop_assert!(false, "so few cost so much"),
            Err(error) => {
                prop_assert!(!any_answer(&all), "{} {:?}", error, error.reasons());
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
