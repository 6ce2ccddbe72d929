//! Timestamps and log entries of a signature: each that is judged holds or refuses, and a timestamp outlives its
//! certificate.

use super::timestamp::Timestamper;
use super::trust::LogAuthority;
use super::*;
use common::audit::tree::{Edge, leaf};

const LOG: &str = "log.test";

/// The home's notary: a timestamp authority below the root, and a log.
struct Notary {
    times: Issued,
    log: SigningKey,
}

static NOTARY: LazyLock<Notary> = LazyLock::new(|| Notary {
    times: WORLD.authority.timestamper("times", YEAR, false).unwrap(),
    log: SigningKey::generate(Algorithm::Ed25519).unwrap().0,
});

impl Notary {
    fn stamper(&self) -> Timestamper {
        let chain = format!("{}{}", self.times.certificate, WORLD.root.certificate);
        Timestamper::new(SigningKey::from_pkcs8(&self.times.key).unwrap(), chain.as_bytes()).unwrap()
    }
    fn trust(&self) -> String {
        let (own, root) = (&self.times.certificate, &WORLD.root.certificate);
        let vkey = LogAuthority::new(LOG, self.log.public()).unwrap().vkey();
        format!(
            "[[timestamp_authority]]\nname = \"times\"\npem = \"\"\"{own}{root}\"\"\"\n[[log]]\nvkey = \"{vkey}\"\n"
        )
    }
    fn judging(&self, verify: &str) -> Verifier {
        production(&WORLD.root, &format!("{}[verify]\n{verify}\n", self.trust()))
    }
}

/// The sample signed, with what `note` adds.
fn noted(note: impl FnOnce(&mut NotedBundle)) -> Package {
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let bundle = sign(&load(&sample()).unwrap(), &key, &WORLD.leaf.der, NOW * 1_000_000_000).unwrap();
    let mut bundle = NotedBundle::parse(&bundle).unwrap();
    note(&mut bundle);
    bundled(&bundle.to_json().unwrap())
}

fn stamped_at(seconds: u64) -> impl FnOnce(&mut NotedBundle) {
    move |bundle| {
        let stamp = NOTARY.stamper().stamp(bundle.signature(), seconds).unwrap();
        bundle.add_timestamp(stamp);
    }
}

fn logged(bundle: &mut NotedBundle) {
    let mut before = Edge::default();
    (0..5_u8).for_each(|i| before.push(leaf(&[i])));
    bundle.add_log_entry(&before, LOG, &NOTARY.log).unwrap();
}

fn seen(verified: &VerifiedPackage, step: Step) -> String {
    verified.attestation().checks.iter().find(|c| c.step == step).unwrap().detail.clone()
}

/// What the page of signature faults says of timestamps and log entries.
pub(super) fn faults() -> Vec<(&'static str, Result<VerifiedPackage, Refusal>)> {
    let (trusting, timed, logging) = (
        NOTARY.judging(""),
        NOTARY.judging("require_timestamp = true"),
        NOTARY.judging("require_log_entry = true"),
    );
    let of_other =
        |bundle: &mut NotedBundle| bundle.add_timestamp(NOTARY.stamper().stamp(b"other", NOW).unwrap());
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap().0;
    let foreign = |bundle: &mut NotedBundle| drop(bundle.add_log_entry(&Edge::default(), LOG, &key).unwrap());
    vec![
        ("timestamp required and missing", now(&timed, noted(|_| {}))),
        ("timestamp of another signature", now(&trusting, noted(of_other))),
        ("timestamp of the future", now(&trusting, noted(stamped_at(NOW + 1)))),
        ("timestamp that is none", now(&trusting, noted(|b| b.add_timestamp(b"nonsense".to_vec())))),
        ("certificate expired when the timestamp was made", {
            at(&trusting, noted(stamped_at(NOW + 60 * DAY)), NOW + 60 * DAY + 1)
        }),
        ("log entry required and missing", now(&logging, noted(|_| {}))),
        ("log entry of a log nobody names", now(&trusting, noted(foreign))),
    ]
}

#[test]
fn a_timestamp_and_a_log_entry_are_judged_and_shown() {
    let both = || {
        noted(|bundle| {
            stamped_at(NOW)(bundle);
            logged(bundle);
        })
    };
    let required = NOTARY.judging("require_timestamp = true\nrequire_log_entry = true");
    let verified = now(&required, both()).unwrap();
    assert!(seen(&verified, Step::Path).ends_with(&format!("the timestamp's time, {}", time::rfc3339(NOW))));
    assert!(seen(&verified, Step::Attestations).ends_with("entry 5 of the log log.test"));
    // Nobody is named who makes them: nothing rests on them, and the package is proven without.
    let verified = now(&production(&WORLD.root, ""), both()).unwrap();
    assert!(!seen(&verified, Step::Path).contains("timestamp"));
}

#[test]
fn what_is_required_and_missing_refuses() {
    let plain = || noted(|_| {});
    refused(now(&NOTARY.judging("require_timestamp = true"), plain()), Step::Path, "E1415");
    refused(now(&NOTARY.judging("require_log_entry = true"), plain()), Step::Attestations, "E1416");
    now(&NOTARY.judging(""), plain()).unwrap();
}

#[test]
fn a_certificate_is_judged_at_the_time_of_the_timestamp() {
    let later = NOW + 60 * DAY;
    let trusting = NOTARY.judging("");
    refused(at(&trusting, noted(|_| {}), later), Step::Path, "E1302");
    let verified = at(&trusting, noted(stamped_at(NOW)), later).unwrap();
    trusting.still_stands(verified.standing(), later * 1_000_000_000).unwrap();
    // Signed after the certificate had run out, or by an authority nobody names: time proves nothing.
    refused(at(&trusting, noted(stamped_at(later)), later + 1), Step::Path, "E1302");
    refused(at(&production(&WORLD.root, ""), noted(stamped_at(NOW)), later), Step::Path, "E1302");
    // On the kill-list a timestamp helps nobody.
    let serial = certificate_facts(&WORLD.leaf.der).unwrap().serial;
    let killing = production(&WORLD.root, &format!("{}[kill]\nserials = [\"{serial}\"]\n", NOTARY.trust()));
    refused(at(&killing, noted(stamped_at(NOW)), later), Step::Trust, "E1404");
    let error = killing.still_stands(verified.standing(), later * 1_000_000_000).unwrap_err();
    assert_eq!(error.code().id, "E1404");
}

#[test]
fn timestamps_that_do_not_hold_refuse() {
    let trusting = NOTARY.judging("");
    refused(now(&trusting, noted(stamped_at(NOW + 1))), Step::Path, "E1415");
    let of_other =
        |bundle: &mut NotedBundle| bundle.add_timestamp(NOTARY.stamper().stamp(b"other", NOW).unwrap());
    refused(now(&trusting, noted(of_other)), Step::Path, "E1415");
    // Beside one that holds, too.
    let both = |bundle: &mut NotedBundle| {
        stamped_at(NOW)(bundle);
        of_other(bundle);
    };
    refused(now(&trusting, noted(both)), Step::Path, "E1415");
    refused(now(&trusting, noted(|b| b.add_timestamp(b"nonsense".to_vec()))), Step::Path, "E1415");
    let other = WORLD.authority.timestamper("times", YEAR, false).unwrap();
    let other = Notary { times: other, log: SigningKey::generate(Algorithm::Ed25519).unwrap().0 };
    let foreign = |bundle: &mut NotedBundle| {
        bundle.add_timestamp(other.stamper().stamp(bundle.signature(), NOW).unwrap());
    };
    refused(now(&trusting, noted(foreign)), Step::Path, "E1415");
    refused(now(&other.judging(""), noted(stamped_at(NOW))), Step::Path, "E1415");
    // Outside the validity of the authority's own certificate.
    refused(now(&trusting, noted(stamped_at(NOW - 2 * DAY))), Step::Path, "E1415");
}

#[test]
fn a_timestamp_with_any_changed_byte_says_no_other_time() {
    let chain = format!("{}{}", NOTARY.times.certificate, WORLD.root.certificate);
    let chain = [timestamp::Chain::parse(chain.as_bytes()).unwrap()];
    let good = NOTARY.stamper().stamp(b"signature", NOW).unwrap();
    let judge = |token: &[u8]| timestamp::verify(token, b"signature", &chain, NOW).map(|stamped| stamped.at);
    assert_eq!(judge(&good).unwrap(), NOW);
    let mut refused = 0;
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 1;
        match judge(&bent) {
            Ok(time) => assert_eq!(time, NOW, "byte {at}"),
            Err(error) => {
                assert_eq!(error.code().id, "E1415");
                refused += 1;
            }
        }
    }
    // What passes lies in the copies of certificates, which are not read, and in fields without meaning.
    assert!(refused > 400, "{refused} of {}", good.len());
}

#[test]
fn log_entries_that_do_not_hold_refuse() {
    let trusting = NOTARY.judging("");
    now(&trusting, noted(logged)).unwrap();
    let bent = |from: &str, to: &str| {
        let package = noted(logged);
        let text = String::from_utf8(package.bundle().unwrap().to_vec()).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        bundled(text.replace(from, to).as_bytes())
    };
    for (from, to) in [
        ("\"treeSize\":\"6\"", "\"treeSize\":\"7\""),
        ("\"logIndex\":\"5\"", "\"logIndex\":\"4\""),
        ("log.test\\n6\\n", "log.test\\n7\\n"),
        ("log.test", "log.tost"),
        ("\"rootHash\":\"", "\"rootHash\":\"AAAA"),
    ] {
        let refusal = now(&trusting, bent(from, to)).expect_err(from);
        assert!(["E1416", "E1202"].contains(&refusal.code().id), "{from}: {refusal}");
    }
    // An entry of another signature in the same log.
    let other = noted(logged);
    let mut moved = NotedBundle::parse(noted(|_| {}).bundle().unwrap()).unwrap();
    moved.take_entries(NotedBundle::parse(other.bundle().unwrap()).unwrap());
    refused(now(&trusting, bundled(&moved.to_json().unwrap())), Step::Attestations, "E1416");
    // A log nobody names.
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap().0;
    let foreign = noted(|bundle| drop(bundle.add_log_entry(&Edge::default(), LOG, &key).unwrap()));
    refused(now(&trusting, foreign), Step::Attestations, "E1416");
}

#[test]
fn trust_asks_for_notes_only_of_somebody_it_names() {
    for (more, place) in [
        ("[verify]\nrequire_timestamp = true", "require_timestamp"),
        ("[verify]\nrequire_log_entry = true", "require_log_entry"),
        ("[[log]]\nvkey = \"a+00000000+AAAA\"", "vkey"),
        ("[[timestamp_authority]]\nname = \"x\"\nfile = \"/etc/x\"", "file"),
    ] {
        let error = TrustConfig::parse(&trust_toml(more)).unwrap_err();
        let told = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(error.code().id == "E1408" && told.contains(place), "{more}: {told}");
    }
    let config =
        TrustConfig::parse(&trust_toml(&format!("{}[verify]\nrequire_log_entry = true", NOTARY.trust())));
    let config = config.unwrap();
    assert_eq!(TrustConfig::parse(&config.to_toml()).unwrap(), config);
    // A root is no signing certificate, and a leaf for packages no timestamp authority's.
    for pem in
        [WORLD.root.certificate.clone(), format!("{}{}", WORLD.leaf.certificate, WORLD.root.certificate)]
    {
        assert!(timestamp::Chain::parse(pem.as_bytes()).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(timestamp::verify(&noise, b"", &[], NOW).is_err());
    }
}
