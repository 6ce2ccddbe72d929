//! What is found, what is left alone, and that masking is done once and for all.

use crate::redact::{Masked, redact};
use crate::rules::{Kind, Rules};
use proptest::prelude::*;

fn masked_with(text: &str, rules: &Rules) -> (String, Masked) {
    let mut output = Vec::new();
    let masked = redact(text.as_bytes(), rules, &mut output);
    (String::from_utf8(output).unwrap(), masked)
}

fn mask(text: &str) -> String {
    masked_with(text, &Rules::default()).0
}

#[track_caller]
fn masks(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(mask(text), *expected, "{text:?}");
        assert_eq!(mask(expected), *expected, "again: {expected:?}");
    }
}

#[track_caller]
fn leaves(texts: &[&str]) {
    for text in texts {
        assert_eq!(mask(text), *text);
    }
}

#[test]
fn emails_are_masked_wherever_they_stand() {
    masks(&[
        ("bob@example.com", "[email]"),
        ("to bob.o+tag_1%x@mail.example.co.uk, cc", "to [email], cc"),
        ("<bob@example.com>;\"al@example.org\"", "<[email]>;\"[email]\""),
        ("at the end: bob@example.com\nnext", "at the end: [email]\nnext"),
        ("sentence bob@example.com.", "sentence [email]."),
        ("mailto:bob@example.com?x=1", "mailto:[email]?x=1"),
        ("/q?user=bob%40example.com&n=1", "/q?user=[email]&n=1"),
        ("jörg@bücher.example und", "[email] und"),
        ("bob@example.com-", "[email]-"),
        ("a@b@example.com", "a@[email]"),
        ("...bob@example.com", "...[email]"),
        ("BOB@EXAMPLE.COM", "[email]"),
        ("bob@xn--bcher-kva.xn--p1ai!", "[email]!"),
    ]);
}

#[test]
fn what_is_no_email_is_left_alone() {
    leaves(&[
        "user@localhost",
        "@example.com",
        "a@",
        "a@.com",
        "pkg@1.2.3",
        "left-pad@v1.2",
        "@param x",
        "a @ b.com",
        "--@x.org",
        "100%40 of",
        "rate=5%40",
        "a@b.c",
        "/img/logo@2x.png",
        "icon@3x.PNG",
    ]);
}

#[test]
fn ipv4_addresses_are_masked_with_or_without_port() {
    masks(&[
        ("192.0.2.1", "[ipv4]"),
        ("192.0.2.1 - - [", "[ipv4] - - ["),
        ("from 198.51.100.7:51234, to 203.0.113.255/24.", "from [ipv4]:51234, to [ipv4]/24."),
        ("http://192.0.2.1/a /hosts/192.0.2.1", "http://[ipv4]/a /hosts/[ipv4]"),
        ("src=192.0.2.1;dst=\"192.0.2.2\"", "src=[ipv4];dst=\"[ipv4]\""),
        ("地址192.0.2.1。", "地址[ipv4]。"),
        ("user@192.0.2.1", "user@[ipv4]"),
        ("end 192.0.2.1.", "end [ipv4]."),
        ("192.0.2.1-192.0.2.9", "[ipv4]-[ipv4]"),
        ("hosts/192.0.2.1", "hosts/[ipv4]"),
    ]);
}

#[test]
fn versions_and_other_numbers_are_no_ipv4_addresses() {
    leaves(&[
        "1.2.3",
        "1.2.3.4.5",
        "v1.2.3.4",
        "1.2.3.4a",
        "1.2.3.256",
        "1.2.3.1234",
        "1..2.3.4",
        "1.2.3.",
        "0.1.2.3.4",
        "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
        "x1.2.3.4",
        "_1.2.3.4",
        "a.1.2.3.4",
    ]);
}

#[test]
fn ipv6_addresses_are_masked_in_every_form() {
    masks(&[
        ("2001:db8::1", "[ipv6]"),
        ("2001:DB8:0:0:8:800:200C:417A - ", "[ipv6] - "),
        ("http://[2001:db8::1]:8080/", "http://[[ipv6]]:8080/"),
        ("from 2001:db8::1: refused", "from [ipv6]: refused"),
        ("2001:db8::/32", "[ipv6]/32"),
        ("::1 and ::ffff:192.0.2.1", "[ipv6] and [ipv6]"),
        ("fe80::1%eth0", "[ipv6]%eth0"),
        ("client:2001:db8::1", "client:[ipv6]"),
        ("2001:db8::1.", "[ipv6]."),
        ("2001:db8::1:bob@example.com", "[ipv6]:[email]"),
        ("2001:db8::bob@example.com", "[ipv6]bob@example.com".replace("bob@example.com", "[email]").as_str()),
        ("1:2:3:4:5:6:7::4111111111111111", "[ipv6][card]"),
    ]);
}

#[test]
fn times_and_paths_are_no_ipv6_addresses() {
    leaves(&[
        "12:34:56",
        "[21/Nov/2026:01:31:57 +0000]",
        "2026-11-21T01:31:57Z",
        "00:00:5e:00:53:af",
        "a:b",
        "std::vec::Vec",
        "::",
        "dead::beef",
        "fe80::",
        "foo::12",
        "e1::foo()",
        "a::b::c",
        "12:34",
        "localhost:8080",
        "1:2:3:4:5:6:7",
    ]);
}

#[test]
fn card_numbers_are_masked_in_one_piece_and_grouped() {
    masks(&[
        ("4111111111111111", "[card]"),
        ("card 4111 1111 1111 1111 ok", "card [card] ok"),
        ("4111-1111-1111-1111", "[card]"),
        ("3782 822463 10005", "[card]"),
        ("378282246310005", "[card]"),
        ("3056 930902 5904", "[card]"),
        ("4222222222222", "[card]"),
        ("6304000000000000000", "[card]"),
        ("4000 0000 0000 0000 006", "[card]"),
        ("7 4111 1111 1111 1111 200", "7 [card] 200"),
        ("pan=5555555555554444&cvc=", "pan=[card]&cvc="),
        ("order-4111111111111111.", "order-[card]."),
        ("4111 1111 1111 1111@example.com", "[card]@example.com"),
    ]);
}

#[test]
fn numbers_that_are_no_cards_are_left_alone() {
    leaves(&[
        "4111111111111112",
        "411111111111",
        "41111111111111111111",
        "1700000000000 1700000000000000 1700000000000000000",
        "0000000000000000",
        "x4111111111111111",
        "4111111111111111x",
        "0.4111111111111111",
        "4111111111111111.5",
        "4111  1111 1111 1111",
        "41 11 11 11 11 11 11 11",
        "550e8400-e29b-41d4-a716-446655440000",
        "HTTP/1.1\" 200 5316 123456 789012",
    ]);
}

#[test]
fn bearer_tokens_are_masked_and_the_scheme_stays() {
    masks(&[
        ("Authorization: Bearer abc", "Authorization: Bearer [bearer]"),
        ("\"authorization\": \"bearer x.y-z~1+/==\"", "\"authorization\": \"bearer [bearer]\""),
        ("auth Bearer demo-token-0001.", "auth Bearer [bearer]."),
        ("Bearer\tabcdefghijklmnop", "Bearer\t[bearer]"),
        ("'BEARER  sample1234'", "'BEARER  [bearer]'"),
        ("Proxy-Authorization: Bearer 192.0.2.1", "Proxy-Authorization: Bearer [bearer]"),
    ]);
}

#[test]
fn bearers_without_a_token_are_left_alone() {
    leaves(&[
        "Bearer of good news",
        "bearer certificate",
        "forbearer abcdefgh12345678",
        "Bearer",
        "Bearer ",
        "Authorization: Bearer  ,",
    ]);
}

#[test]
fn bytes_that_are_not_utf8_pass_through() {
    let mut output = Vec::new();
    let masked = redact(b"\xff192.0.2.1\xc3 bob@example.com\xe2\x82", &Rules::default(), &mut output);
    assert_eq!(output, b"\xff[ipv4]\xc3 [email]\xe2\x82");
    assert_eq!(masked.total(), 2);
}

#[test]
fn only_the_chosen_kinds_are_masked_with_the_chosen_mask() {
    let rules = Rules::parse(Some("ipv4"), Some("<{kind} removed>")).unwrap();
    let (text, masked) = masked_with("192.0.2.1 bob@example.com ::ffff:192.0.2.9", &rules);
    assert_eq!(text, "<ipv4 removed> bob@example.com ::ffff:<ipv4 removed>");
    assert_eq!(masked.iter().find(|(kind, _)| *kind == Kind::Ipv4), Some((Kind::Ipv4, 2)));
}

/// The counts are those of the script that made the log, which put each of them there.
#[test]
fn the_access_log_is_masked_to_the_last_one() {
    let log = include_str!("../../../tests/fixtures/access.log");
    let (text, masked) = masked_with(log, &Rules::default());
    let counts: Vec<_> = masked.iter().map(|(kind, count)| (kind.name(), count)).collect();
    assert_eq!(counts, [("email", 929), ("ipv4", 3189), ("ipv6", 999), ("card", 194), ("bearer", 264)]);
    for secret in [
        "@example.com",
        "@example.org",
        "192.0.2.",
        "198.51.100.",
        "203.0.113.",
        "2001:",
        "4111 1111 1111 1111",
        "example-token",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    let clean =
        |line: &str| ["health - [", "WARN  checkout", "INFO  agent"].iter().any(|mark| line.contains(mark));
    let lines: Vec<_> = log.lines().zip(text.lines()).collect();
    assert!(lines.iter().all(|(before, after)| clean(before) == (before == after)));
    assert_eq!((lines.len(), lines.iter().filter(|(before, _)| clean(before)).count()), (5200, 895));
}

/// A scanner that looked at each byte again for each match would take hours here, not seconds.
#[test]
fn hostile_texts_of_a_megabyte_are_scanned_within_seconds() {
    let units = [
        "a",
        ".",
        "@",
        "a@",
        "a%40",
        "a@a.",
        "1:",
        "::",
        "f:",
        "1.1.1.1-",
        "4111-",
        "4111 ",
        "Bearer ",
        "Bearer",
        "a@b.cc%",
        "é",
        "A/",
        "1.",
        "=",
        "a-",
        "1:1.",
        "9",
        "Authorization: ",
        "2001:db8::1.",
    ];
    for unit in units {
        let text = unit.repeat((1 << 20) / unit.len());
        let begun = std::time::Instant::now();
        mask(&text);
        assert!(begun.elapsed().as_secs() < 5, "{unit:?} took {:?}", begun.elapsed());
    }
}

/// Texts of the characters and fragments the rules are about.
fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        8 => "[0-9a-fA-Fg:.@%+_ =/\\-]{1,6}",
        2 => "[ -~\u{e9}\u{4e2d}\u{2026}\n]{1,4}",
        1 => Just("@".to_owned()),
        1 => Just("%40".to_owned()),
        1 => Just("::".to_owned()),
        1 => Just("2001:db8::1".to_owned()),
        1 => Just("1:2:3:4:5:6:7:".to_owned()),
        1 => Just("192.0.2.1".to_owned()),
        1 => Just("4111 1111 1111 1111".to_owned()),
        1 => Just("4111".to_owned()),
        1 => Just("1111".to_owned()),
        1 => Just("4222222222222".to_owned()),
        1 => Just("x.org".to_owned()),
        1 => Just("bob@x.org".to_owned()),
        1 => Just("Bearer ".to_owned()),
        1 => Just("Authorization: Bearer ".to_owned()),
        1 => Just("Chrome/".to_owned()),
    ];
    prop::collection::vec(fragment, 0..14).prop_map(|parts| parts.concat())
}

fn rules() -> impl Strategy<Value = Rules> {
    (1u8..32, prop::sample::select(vec!["[{kind}]", "***", "<x>", "#", "(gone)"])).prop_map(
        |(kinds, mask)| {
            let names: Vec<_> =
                Kind::ALL.into_iter().filter(|k| kinds & (1 << (*k as u8)) != 0).map(Kind::name).collect();
            Rules::parse(Some(&names.join(",")), Some(mask)).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_masked_text_holds_nothing_more_to_mask(text in hostile(), rules in rules()) {
        let (once, masked) = masked_with(&text, &rules);
        let (twice, again) = masked_with(&once, &rules);
        prop_assert_eq!(&twice, &once, "from {:?}", text);
        prop_assert_eq!(again, Masked::default());
        prop_assert_eq!(masked.total() == 0, text == once);
    }

    #[test]
    fn any_text_stays_text_and_any_bytes_are_taken(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        mask(&text);
        let mut output = Vec::new();
        let masked = redact(&bytes, &Rules::default(), &mut output);
        prop_assert_eq!(masked.total() == 0, bytes == output);
    }

    #[test]
    fn lines_of_words_and_short_numbers_are_unchanged(line in "[A-Za-z,;!?()'\"]{1,9}( ([A-Za-z]{1,9}|[0-9]{1,3}|[0-9]{1,2}\\.[0-9]{1,2})){0,12}") {
        prop_assume!(!line.to_ascii_lowercase().contains("bearer"));
        prop_assert_eq!(mask(&line), line);
    }

    #[test]
    fn what_was_put_in_is_gone_and_the_rest_is_there(
        local in "[a-z][a-z0-9._+]{0,10}[a-z0-9]", octet: u8, group: u16, digits in prop::collection::vec(0u8..10, 15),
        words in prop::collection::vec("[g-z]{3,8}", 5),
    ) {
        let email = format!("{local}@example.com");
        let ipv4 = format!("203.0.113.{octet}");
        let ipv6 = format!("2001:db8::{group:x}");
        let card = card(&digits);
        let token = format!("fake-{group:05}-{octet:03}");
        let secrets = [&email, &ipv4, &ipv6, &card, &token];
        let [a, b, c, d, e] = words.try_into().unwrap();
        let text = format!("{a} {email} {b} {ipv4} {c} [{ipv6}] {d} {card} {e} Bearer {token}\n");
        let (masked, counts) = masked_with(&text, &Rules::default());
        prop_assert_eq!(&masked, &format!("{a} [email] {b} [ipv4] {c} [[ipv6]] {d} [card] {e} Bearer [bearer]\n"));
        prop_assert!(secrets.iter().all(|secret| !masked.contains(secret.as_str())));
        prop_assert!(counts.iter().all(|(_, count)| count == 1));
    }
}

/// A card number: `4`, fifteen digits of which the last is replaced by the one that makes it pass.
fn card(digits: &[u8]) -> String {
    let body: String =
        std::iter::once(4).chain(digits.iter().take(14).copied()).map(|d| char::from(b'0' + d)).collect();
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0');
            if i % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}
