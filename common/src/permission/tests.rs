//! What the grammar of permissions accepts, and what its scopes cover.

use super::*;
use proptest::prelude::*;

fn path(glob: &str, text: &str) -> bool {
    Glob::path(glob).unwrap().matches(text)
}

#[test]
fn each_capability_alone_is_itself() {
    for capability in Capability::all() {
        assert_eq!(capability.alone(), [capability]);
    }
}

#[test]
fn stars_stay_in_their_segment_and_double_stars_cross() {
    assert!(path("/data/*", "/data/a"));
    assert!(!path("/data/*", "/data/a/b"));
    assert!(path("/data/*.log", "/data/x.log"));
    assert!(path("/data/**", "/data/a/b/c"));
    assert!(path("/data/**", "/data"));
    assert!(path("/a/**/z", "/a/z"));
    assert!(path("/a/**/z", "/a/b/c/z"));
    assert!(!path("/a/**/z", "/a/b/c/y"));
    assert!(!path("/data/**", "/database/x"));
    assert!(!path("/data/[ab]", "/data/a"));
    assert!(path("/data/[ab]", "/data/[ab]"));
}

#[test]
fn scopes_that_do_not_parse_are_refused() {
    for bad in ["*", "http://*", "/a/../b", "/a//b", "/a/./b", "", "/a\\b", "/a/**b", "/a\0b"] {
        assert!(Permission::parse("filesystem", &format!("read:{bad}")).is_err(), "{bad:?}");
    }
    for bad in [
        "*",
        "http://*",
        "a:0",
        "a:0-65535",
        "a:99999",
        "*:443",
        "a.*:443",
        ":443",
        "-a:1",
        "a:9-1",
        "[::1:443",
    ] {
        assert!(Permission::parse("network", &format!("connect:{bad}")).is_err(), "{bad:?}");
    }
    assert!(Permission::parse("clock", "now:x").is_err());
}

#[test]
fn hosts_and_port_ranges() {
    let p = Permission::parse("network", "connect:*.Example.com:8000-8100").unwrap();
    let s = p.scope.unwrap();
    assert!(s.covers("api.example.COM:8050"));
    assert!(!s.covers("example.com:8050"));
    assert!(!s.covers("evilexample.com:8050"));
    assert!(!s.covers("api.example.com:8101"));
    assert!(Permission::parse("network", "connect:[::1]:443").unwrap().scope.unwrap().covers("[::1]:443"));
}

#[test]
fn unknown_words_get_the_nearest_known_one() {
    let e = Permission::parse("filesystm", "read").unwrap_err().to_string();
    assert!(e.contains("did you mean \"filesystem\""), "{e}");
    let e = Permission::parse("storage", "gett").unwrap_err().to_string();
    assert!(e.contains("did you mean \"get\""), "{e}");
}

#[test]
fn every_capability_has_its_own_bit_and_row() {
    let bits = Capability::all().fold(0u32, |bits, c| {
        assert_eq!(bits & c.bit(), 0);
        bits | c.bit()
    });
    assert_eq!(bits.count_ones() as usize, Capability::COUNT);
}

/// `**` is any number of segments, `*` any number of characters of one.
fn plainly(pattern: &[&str], text: &[&str]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ["**", rest @ ..] => (0..=text.len()).any(|n| plainly(rest, &text[n..])),
        [first, rest @ ..] => text.split_first().is_some_and(|(segment, more)| {
            letters(first.as_bytes(), segment.as_bytes()) && plainly(rest, more)
        }),
    }
}

fn letters(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|n| letters(rest, &text[n..])),
        [first, rest @ ..] => text.first() == Some(first) && letters(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn parsing_and_matching_never_panic(family in ".{0,20}", text in ".{0,60}", resource in ".{0,60}") {
        if let Ok(p) = Permission::parse(&family, &text) {
            let _ = p.scope.map(|s| s.covers(&resource));
        }
        for f in ["filesystem", "network", "storage"] {
            if let Ok(Permission { scope: Some(s), .. }) = Permission::parse(f, &text) {
                let _ = s.covers(&resource);
            }
        }
    }

    #[test]
    fn a_glob_matches_what_a_plain_reading_of_it_matches(
        pattern in "(/([ab*]{1,3}|[*][*])){1,5}", text in "(/[ab]{0,3}){1,6}",
    ) {
        if let Ok(glob) = Glob::path(&pattern) {
            let (p, t): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), text.split('/').collect());
            prop_assert_eq!(glob.matches(&text), plainly(&p, &t), "{} {}", pattern, text);
        } else {
            prop_assert!(pattern.split('/').any(|s| s.contains("**") && s != "**"), "{}", pattern);
        }
    }

    #[test]
    fn a_scope_that_parses_is_what_it_says(verb in "read|write|list|delete", scope in "[/a*.\\\\ \u{0}]{1,12}") {
        if let Ok(p) = Permission::parse("filesystem", &format!("{verb}:{scope}")) {
            let said = p.scope.as_ref().unwrap().to_string();
            prop_assert_eq!(&said, &scope);
            prop_assert_eq!(Permission::parse("filesystem", &format!("{verb}:{said}")).unwrap(), p);
            prop_assert!(said.starts_with('/') && !said.contains(['\\', '\0']));
            prop_assert!(!said.split('/').any(|s| s == "." || s == ".."));
        }
    }

    #[test]
    fn ports_are_covered_exactly_within_their_range(from in 0u32..70_000, to in 0u32..70_000, port: u16) {
        let parsed = Permission::parse("network", &format!("connect:a.example:{from}-{to}"));
        let narrow = from >= 1 && from <= to && to <= 65_535;
        if let Ok(p) = parsed {
            prop_assert!(narrow);
            let covers = p.scope.unwrap().covers(&format!("a.example:{port}"));
            prop_assert_eq!(covers, (from..=to).contains(&u32::from(port)));
        }
    }

    #[test]
    fn a_literal_matches_itself_only(a in "[a-z]{1,6}(/[a-z]{1,6}){0,3}", b in "[a-z]{1,6}(/[a-z]{1,6}){0,3}") {
        let g = Glob::path(&format!("/{a}")).unwrap();
        let (itself, other) = (format!("/{a}"), format!("/{b}"));
        prop_assert!(g.matches(&itself));
        prop_assert_eq!(g.matches(&other), a == b);
    }
}
