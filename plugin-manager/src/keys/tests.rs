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

fn parsed_list(home: &Path) -> Vec<crate::attestation::Revoked> {
    crate::attestation::revoked_in(&fs::read(home.join("trust/crl/house.pem")).unwrap()).unwrap()
}

#[test]
fn a_revoked_certificate_is_on_the_list_from_then_on_and_refused() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    ring.init(&name("house"), false).unwrap();
    let (acme, ada) = (ring.issue(&request("acme")).unwrap(), ring.issue(&request("ada")).unwrap());
    let revoke = |who: Option<&str>, kill| {
        ring.revoke(&RevokeRequest { who: who.map(name), serial: None, kill, days: 30 }).unwrap()
    };
    let list = revoke(None, false);
    assert_eq!((list.serial, list.revoked), (None, 0), "an empty list, for hosts that require one");
    let list = revoke(Some("acme"), false);
    assert_eq!((list.serial, list.revoked, list.killed), (Some(acme.serial), 1, false));
    assert_eq!(revoke(Some("acme"), false).revoked, 1, "once");
    let list = revoke(Some("ada"), true);
    assert_eq!((list.revoked, parsed_list(home.path()).len()), (2, 2));
    let trust = ring.trust_config().unwrap();
    assert!(trust.kill.serials.contains(&ada.serial) && trust.kill.keys.contains(&ada.key));
    assert_eq!(revoke(None, false).revoked, 2);
    let package = crate::loader::testing::packed(
        "[plugin]\nname = \"log-x\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n",
        &crate::loader::testing::wasm(crate::loader::testing::WAT),
        &[],
    );
    let signed = crate::sign(&package, &ring.signer(&name("acme")).unwrap()).unwrap();
    assert_eq!(crate::verify(home.path(), None, &signed).unwrap_err().code().id, "E1304");
    let nobody = RevokeRequest { who: Some(name("nobody")), serial: None, kill: false, days: 1 };
    assert_eq!(ring.revoke(&nobody).unwrap_err().code().id, "E5008");
    fs::write(home.path().join("trust/crl/house.pem"), "damaged").unwrap();
    assert_eq!(ring.revoke(&nobody).unwrap_err().code().id, "E1305", "what it named is not forgotten");
}

#[test]
fn a_rotated_key_is_kept_and_both_verify_until_the_old_one_is_revoked() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    ring.init(&name("house"), false).unwrap();
    let before = ring.issue(&request("acme")).unwrap();
    let old = ring.signer(&name("acme")).unwrap();
    let after = ring.rotate(&name("acme"), 60).unwrap();
    let new = ring.signer(&name("acme")).unwrap();
    assert_eq!(before.identity, after.identity);
    assert_ne!((before.key, &old.key), (after.key, &new.key));
    let kept = home.path().join(format!("keys/retired/acme-{}.key.pem", before.serial));
    assert_eq!(fs::read_to_string(&kept).unwrap(), old.key);
    assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    let package = crate::loader::testing::packed(
        "[plugin]\nname = \"log-x\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n",
        &crate::loader::testing::wasm(crate::loader::testing::WAT),
        &[],
    );
    let code = |with: &SignWith| {
        let signed = crate::sign(&package, with).unwrap();
        crate::verify(home.path(), None, &signed).map_err(|e| e.code().id).map(drop)
    };
    let path_fails = |result: Result<(), &str>| result == Err("E1304");
    assert!(!path_fails(code(&old)) && !path_fails(code(&new)));
    let request =
        RevokeRequest { who: Some(name("acme")), serial: Some(before.serial), kill: false, days: 30 };
    ring.revoke(&request).unwrap();
    assert!(path_fails(code(&old)) && !path_fails(code(&new)));
    assert_eq!(ring.rotate(&name("nobody"), 1).unwrap_err().code().id, "E5008");
}

#[test]
fn who_signs_beside_publishers_is_trusted_with_its_roles() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    ring.init(&name("house"), false).unwrap();
    ring.issue_signer(&request("ada"), &[name("review")]).unwrap();
    let trust = ring.trust_config().unwrap();
    assert!(trust.publishers.is_empty());
    assert_eq!(trust.signers[0].roles, [name("review")]);
    let package = crate::loader::testing::sample();
    let signed = crate::cosign(&package, &name("ada"), &ring.signer(&name("ada")).unwrap()).unwrap();
    let loaded = crate::Package::load(&signed, &crate::PackageLimits::default()).unwrap();
    assert!(loaded.bundle().is_none());
    assert_eq!(loaded.attestations().count(), 1);
}

fn passphrase(text: &str) -> crate::Passphrase {
    crate::Passphrase::new(text.to_owned()).unwrap()
}

/// The keys of a home that open with this passphrase, and are written under that one.
fn locked<'a>(home: &std::path::Path, opens: &'a str, protects: Option<&str>) -> KeyRing<'a> {
    KeyRing::new(home)
        .unlocked_by(Box::new(move |_| Ok(passphrase(opens))))
        .protecting(protects.map(passphrase))
}

#[test]
fn protected_keys_open_with_their_own_passphrase_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    locked(home.path(), "-", Some("of the authority")).init(&name("house"), false).unwrap();
    let code = |result: Result<KeyInfo, ForgeError>| result.map(drop).map_err(|e| e.code().id);
    assert_eq!(code(KeyRing::new(home.path()).issue(&request("acme"))), Err("E0141"));
    assert_eq!(code(locked(home.path(), "guessed", None).issue(&request("acme"))), Err("E0142"));
    assert!(!home.path().join("keys/publishers").exists(), "nothing was made of it");
    locked(home.path(), "of the authority", Some("of acme")).issue(&request("acme")).unwrap();
    let listed: Vec<_> = KeyRing::new(home.path()).list().unwrap().iter().map(|k| k.protected).collect();
    assert_eq!(listed, [true, true]);
    assert_eq!(
        locked(home.path(), "of the authority", None).signer(&name("acme")).unwrap_err().code().id,
        "E0142"
    );
    let signer = locked(home.path(), "of acme", None).signer(&name("acme")).unwrap();
    assert!(crate::sign(&crate::loader::testing::sample(), &signer).is_ok());
    locked(home.path(), "of the authority", None).rotate(&name("acme"), 30).unwrap();
    assert!(KeyRing::new(home.path()).signer(&name("acme")).is_ok(), "the new one was made without");
    let kept = fs::read_dir(home.path().join("keys/retired")).unwrap().flatten().map(|e| e.path());
    let kept: Vec<_> = kept.filter(|p| p.to_string_lossy().ends_with(".key.pem")).collect();
    assert!(matches!(&kept[..], [one] if fs::read_to_string(one).unwrap().contains("ENCRYPTED")));
    let again = RevokeRequest { who: None, serial: None, kill: false, days: 1 };
    assert_eq!(KeyRing::new(home.path()).revoke(&again).unwrap_err().code().id, "E0141");
    locked(home.path(), "of the authority", None).revoke(&again).unwrap();
}

#[test]
fn a_passphrase_is_set_changed_and_removed_and_a_key_is_never_lost_by_it() {
    let home = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(home.path());
    ring.init(&name("house"), false).unwrap();
    let plain = ring.private_key("authority").unwrap();
    locked(home.path(), "-", Some("one")).protect("authority").unwrap();
    assert!(ring.is_protected("authority").unwrap());
    assert_eq!(locked(home.path(), "zero", Some("two")).protect("authority").unwrap_err().code().id, "E0142");
    locked(home.path(), "one", Some("two")).protect("authority").unwrap();
    locked(home.path(), "two", None).notary().unwrap();
    locked(home.path(), "-", Some("three")).protect_notary().unwrap();
    assert!(ring.is_notary_protected().unwrap());
    assert_eq!(ring.timestamp(b"x").unwrap_err().code().id, "E0141");
    assert!(locked(home.path(), "three", None).timestamp(b"x").is_ok());
    locked(home.path(), "two", None).protect("authority").unwrap();
    assert_eq!(ring.private_key("authority").unwrap(), plain);
    assert_eq!(ring.protect("nobody").unwrap_err().code().id, "E5008");
}
