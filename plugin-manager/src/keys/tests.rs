//! Keys are made once, kept private, and what they sign is trusted by the home they were made in.

use super::*;
use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn request(publisher: &str) -> IssueRequest {
    IssueRequest {
        publisher: name(publisher),
        algorithm: Algorithm::Ed25519,
        days: 30,
        development: false,
        packages: vec!["log-*".into()],
    }
}

#[test]
fn an_authority_and_a_publisher_are_made_once_and_trusted() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    assert_eq!(ring.issue(&request("acme")).unwrap_err().code().id, "E5008");
    ring.init(&name("house"), false).unwrap();
    assert_eq!(ring.init(&name("other"), false).unwrap_err().code().id, "E5009");
    let made = ring.issue(&request("acme")).unwrap();
    assert_eq!(made.identity.as_deref(), Some("forgeone://house/acme"));
    assert!(made.private_key && !made.development);
    assert_eq!(ring.issue(&request("acme")).unwrap_err().code().id, "E5009");
    let names: Vec<String> = ring.list().unwrap().into_iter().map(|k| k.name).collect();
    assert_eq!(names, ["house", "acme"]);
    let trust = ring.trust_config().unwrap();
    assert_eq!(trust.publishers[0].packages[0].to_string(), "log-*");
    assert_eq!(trust.files().collect::<Vec<_>>(), ["roots/house.pem"]);
}

#[test]
fn nobody_else_can_read_what_is_written() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    ring.init(&name("house"), false).unwrap();
    ring.issue(&request("acme")).unwrap();
    for file in ["keys/authority.key.pem", "keys/publishers/acme.key.pem", "trust/trust.toml"] {
        let mode = fs::metadata(home.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mode = fs::metadata(home.path().join("keys/publishers")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_a_development_authority_issues_is_for_development() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    ring.init(&name("desk"), true).unwrap();
    assert!(ring.issue(&request("acme")).unwrap().development);
    let trust = ring.trust_config().unwrap();
    assert!(!trust.publishers[0].environments.contains(&Environment::Production));
}

#[test]
fn a_change_that_cannot_be_recorded_is_not_made() {
    let home = tempfile::tempdir().unwrap();
    let refuse = |_: &str, _: &str, _: &[(&str, &str)]| Err(ForgeError::new(&codes::E3001, "no space"));
    let ring = KeyRing::new(home.path()).recorded_by(Box::new(refuse));
    assert_eq!(ring.init(&name("house"), false).unwrap_err().code().id, "E3001");
    assert!(ring.list().unwrap().is_empty());
    assert!(!home.path().join("trust/trust.toml").exists());
}

#[test]
fn a_change_is_recorded_with_the_certificate_it_makes() {
    let home = tempfile::tempdir().unwrap();
    let seen = RefCell::new(Vec::new());
    let keep = |action: &str, name: &str, details: &[(&str, &str)]| {
        seen.borrow_mut().push((action.to_owned(), name.to_owned(), details[0].1.to_owned()));
        Ok(())
    };
    let made = KeyRing::new(home.path()).recorded_by(Box::new(keep)).init(&name("house"), false).unwrap();
    assert_eq!(*seen.borrow(), [("key_init".into(), "house".into(), made.fingerprint.to_string())]);
}

#[test]
fn names_cannot_leave_the_directory() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    for who in ["../authority", "publishers/acme", "", "a/../../b"] {
        assert_eq!(ring.certificate(who).unwrap_err().code().id, "E5008", "{who}");
    }
}
