//! Revocation lists: what they name is refused, and what follows from one that is missing, old, forged or another's.

use super::super::revocation::Crl;
use super::super::trust::TrustFiles;
use super::*;

/// The root's certificate at its place, and these lists in `crl/`.
struct Files<'a>(Vec<(&'a str, Vec<u8>)>, Vec<(&'a str, String)>);

impl TrustFiles for Files<'_> {
    fn read(&mut self, file: &str) -> Option<Vec<u8>> {
        let list =
            |(name, text): &(&str, String)| (file == format!("crl/{name}")).then(|| text.clone().into());
        let named = self.0.iter().find(|(name, _)| *name == file).map(|(_, bytes)| bytes.clone());
        named.or_else(|| self.1.iter().find_map(list))
    }
    fn list(&mut self, directory: &str) -> Option<Vec<String>> {
        Some(self.1.iter().filter(|_| directory == "crl").map(|(name, _)| (*name).to_owned()).collect())
    }
}

pub(super) fn trusting(more: &str, lists: &[(&'static str, String)]) -> Verifier {
    let config = TrustConfig::parse(&trust_toml(more)).unwrap();
    let root = vec![("roots/test.pem", WORLD.root.certificate.clone().into_bytes())];
    verifier(
        Some(TrustRoot::from_files(config, Files(root, lists.to_vec())).unwrap()),
        Environment::Production,
    )
}

fn serial(leaf: &Issued) -> Vec<u8> {
    let hex = certificate_facts(&leaf.der).unwrap().serial;
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

pub(super) fn list(authority: &Authority, revoked: &[&Issued], from: u64, until: u64) -> String {
    let revoked: Vec<Revoked> =
        revoked.iter().map(|leaf| Revoked { serial: serial(leaf), at: from }).collect();
    authority.revocation_list(&revoked, 1, from, until).unwrap()
}

pub(super) const REQUIRED: &str = "[verify]\ncrl = { required = true }";
const HOUR: u64 = 3600;

#[test]
fn fault_080_a_certificate_that_a_list_names_is_refused_required_or_not() {
    let revoked = list(&WORLD.authority, &[&WORLD.leaf], NOW - HOUR, NOW + HOUR);
    let stale = list(&WORLD.authority, &[&WORLD.leaf], NOW - 2 * HOUR, NOW - HOUR);
    for (more, text) in [(REQUIRED, &revoked), ("", &revoked), ("", &stale), (REQUIRED, &stale)] {
        let verifier = trusting(more, &[("root.pem", text.clone())]);
        refused(now(&verifier, load(&good()).unwrap()), Step::Path, "E1304");
    }
    let other = WORLD.authority.issue(&leaf_spec()).unwrap();
    let verifier = trusting(REQUIRED, &[("root.pem", revoked)]);
    now(&verifier, load(&signed_with(&sample(), &other)).unwrap()).unwrap();
}

#[test]
fn fault_080_a_list_that_is_required_must_be_there_be_current_and_be_its_issuers() {
    let package = || load(&good()).unwrap();
    let none = |from, until| list(&WORLD.authority, &[], from, until);
    let good = [("root.pem", none(NOW - HOUR, NOW + HOUR))];
    now(&trusting(REQUIRED, &good), package()).unwrap();
    refused(now(&trusting(REQUIRED, &[]), package()), Step::Path, "E1305");
    for (from, until) in [(NOW - 2 * HOUR, NOW - HOUR), (NOW + HOUR, NOW + 2 * HOUR)] {
        let verifier = trusting(REQUIRED, &[("root.pem", none(from, until))]);
        refused(now(&verifier, package()), Step::Path, "E1306");
    }
    let other = world(&root_spec("Other Root"), &leaf_spec());
    let foreign = [("other.pem", list(&other.authority, &[], NOW - HOUR, NOW + HOUR))];
    refused(now(&trusting(REQUIRED, &foreign), package()), Step::Path, "E1305");
    let same_name = world(&root_spec("Test Root"), &leaf_spec());
    let forged = [("root.pem", list(&same_name.authority, &[], NOW - HOUR, NOW + HOUR))];
    for more in [REQUIRED, ""] {
        refused(now(&trusting(more, &forged), package()), Step::Path, "E1305");
    }
    let aged = "[verify]\ncrl = { required = true, max_age = \"30m\" }";
    refused(now(&trusting(aged, &good), package()), Step::Path, "E1306");
    let skewed = "[verify]\nclock_skew = \"1h\"\ncrl = { required = true, max_age = \"30m\" }";
    now(&trusting(skewed, &good), package()).unwrap();
}

#[test]
fn what_lists_that_are_not_required_could_not_say_is_told() {
    let detail = |lists: &[(&'static str, String)]| {
        let verified = now(&trusting("", lists), load(&good()).unwrap()).unwrap();
        let checks = &verified.attestation().checks;
        checks.iter().find(|c| c.step == Step::Path).unwrap().detail.clone()
    };
    assert!(detail(&[]).contains("no revocation list for"), "{}", detail(&[]));
    let old = [("root.pem", list(&WORLD.authority, &[], NOW - 2 * HOUR, NOW - HOUR))];
    assert!(detail(&old).contains("is not current"), "{}", detail(&old));
    let new = [("root.pem", list(&WORLD.authority, &[], NOW - HOUR, NOW + HOUR))];
    assert!(detail(&new).ends_with("not revoked"), "{}", detail(&new));
}

#[test]
fn the_newest_list_of_an_issuer_is_asked() {
    let before = list(&WORLD.authority, &[], NOW - 2 * HOUR, NOW + HOUR);
    let after = list(&WORLD.authority, &[&WORLD.leaf], NOW - HOUR, NOW + HOUR);
    for lists in
        [[("a.pem", before.clone()), ("b.pem", after.clone())], [("a.pem", after), ("b.pem", before)]]
    {
        refused(now(&trusting("", &lists), load(&good()).unwrap()), Step::Path, "E1304");
    }
}

#[test]
fn an_authority_between_can_be_revoked() {
    let (root, issued) = Authority::create(&AuthoritySpec { below: 1, ..root_spec("Root") }).unwrap();
    let (between, intermediate) = root.subordinate(&root_spec("Between")).unwrap();
    let package = load(&signed_with(&sample(), &between.issue(&leaf_spec()).unwrap())).unwrap();
    let more = format!("[[intermediate]]\nfile = \"between.pem\"\n{REQUIRED}");
    let judge = |lists: Vec<(&'static str, String)>| {
        let config = TrustConfig::parse(&trust_toml(&more)).unwrap();
        let files = vec![
            ("roots/test.pem", issued.certificate.clone().into_bytes()),
            ("between.pem", intermediate.certificate.clone().into_bytes()),
        ];
        let trust = TrustRoot::from_files(config, Files(files, lists)).unwrap();
        now(&verifier(Some(trust), Environment::Production), package.clone())
    };
    let own = || ("between.pem", list(&between, &[], NOW - HOUR, NOW + HOUR));
    refused(judge(vec![own()]), Step::Path, "E1305");
    judge(vec![own(), ("root.pem", list(&root, &[], NOW - HOUR, NOW + HOUR))]).unwrap();
    let revoked = ("root.pem", list(&root, &[&intermediate], NOW - HOUR, NOW + HOUR));
    refused(judge(vec![own(), revoked]), Step::Path, "E1304");
}

#[test]
fn a_file_that_is_no_list_leaves_no_trust_at_all() {
    let cut = list(&WORLD.authority, &[], NOW, NOW + HOUR).replace("-----END", "-----");
    for text in [String::new(), "garbage".to_owned(), WORLD.root.certificate.clone(), cut] {
        let config = TrustConfig::parse(&trust_toml("")).unwrap();
        let files = Files(
            vec![("roots/test.pem", WORLD.root.certificate.clone().into_bytes())],
            vec![("root.crl", text)],
        );
        assert_eq!(TrustRoot::from_files(config, files).unwrap_err().code().id, "E1305");
    }
}

#[test]
fn a_proof_is_asked_again_under_other_lists_without_the_package() {
    let standing = now(&trusting("", &[]), load(&good()).unwrap()).unwrap().standing().clone();
    let ask = |verifier: &Verifier, seconds: u64| verifier.still_stands(&standing, seconds * 1_000_000_000);
    let code = |result: Result<u64, AttestationError>| result.unwrap_err().code().id;
    let until = ask(&trusting("", &[]), NOW).unwrap();
    assert_eq!(until, (NOW + 30 * DAY) * 1_000_000_000, "as long as the certificate");
    let list = |revoked: &[&Issued]| [("root.pem", list(&WORLD.authority, revoked, NOW - HOUR, NOW + HOUR))];
    assert_eq!(ask(&trusting(REQUIRED, &list(&[])), NOW).unwrap(), (NOW + HOUR) * 1_000_000_000);
    assert_eq!(code(ask(&trusting(REQUIRED, &list(&[])), NOW + 2 * HOUR)), "E1306");
    assert_eq!(code(ask(&trusting("", &list(&[&WORLD.leaf])), NOW)), "E1304");
    assert_eq!(code(ask(&trusting("", &[]), NOW + 31 * DAY)), "E1302");
    assert_eq!(code(ask(&trusting("min_version = { hello = \"2.0.0\" }", &[]), NOW)), "E1403");
    let digest = common::identity::Digest::of(&wasm(WAT));
    assert_eq!(code(ask(&trusting(&format!("[kill]\ndigests = [\"{digest}\"]"), &[]), NOW)), "E1404");
    assert_eq!(code(ask(&trusting("require = [\"sbom\"]", &[]), NOW)), "E1405");
    let none = Verifier::new(
        None,
        Environment::Production,
        SignaturePolicy::Required,
        rules(),
        ModuleLimits::default(),
    );
    assert_eq!(code(ask(&none.unwrap(), NOW)), "E1408");
}

proptest! {
    #[test]
    fn reading_a_list_never_panics(at in any::<prop::sample::Index>(), byte: u8, noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        static LIST: LazyLock<Vec<u8>> = LazyLock::new(|| {
            pem::parse(list(&WORLD.authority, &[&WORLD.leaf], NOW, NOW + HOUR)).unwrap().into_contents()
        });
        let _ = Crl::parse(&noise);
        let mut der = LIST.clone();
        let at = at.index(der.len());
        der[at] = byte;
        let _ = Crl::parse(&der);
    }
}
