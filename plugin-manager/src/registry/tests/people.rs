//! People in records: named by pseudonym, known until erased, and every proof as before.

use super::{Guest, World, code};
use crate::store::people_of;
use crate::{AuditSource, ReviewSubject};
use common::audit::{Proof, prove, verify};
use common::error::codes;
use common::identity::IdentityContext;
use microkernel::trust::TrustContext;
use std::path::Path;

const NAME: &str = "zebulon.canary@example.com";

fn files_with(dir: &Path, needle: &str, found: &mut Vec<std::path::PathBuf>) {
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files_with(&path, needle, found);
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle.as_bytes()))
        {
            found.push(path);
        }
    }
}

#[test]
fn what_a_person_did_is_proved_before_and_after_the_person_is_erased() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    let who = TrustContext::new(&IdentityContext::operator(NAME).with_role("release"));
    let canary = host.acting_as(&who);
    canary.install(&Guest::new("a").package(), true).unwrap();
    assert_eq!(code(canary.install(b"no package", true)), "E1002");
    let person = host.people().unwrap().into_iter().find(|person| person.name == NAME).unwrap();
    assert_eq!(world.recorded(&host, &["\"install\"", &person.pseudonym, &person.commitment.to_string()]), 2);
    host.flush().unwrap();
    let source = AuditSource::of(&world.path("")).unwrap();
    let checks =
        |proof: &Proof| verify(&source.dir, &source.key).is_ok() && proof.verify(&source.key).is_ok();
    let seq = (0..).find(|seq| prove(&source.dir, *seq).unwrap().line.contains(&person.pseudonym)).unwrap();
    let before = prove(&source.dir, seq).unwrap();
    assert!(checks(&before));

    let reviewer = || host.reviews().unwrap().remove(0).reviewer;
    canary.review(&ReviewSubject::Plugin("a".into()), None, None).unwrap();
    assert_eq!(reviewer().as_deref(), Some(NAME));

    assert_eq!(host.erasures(), 0);
    assert_eq!(host.erase_person(NAME).unwrap(), person);
    assert_eq!(host.erasures(), 1);
    assert_eq!(world.recorded(&host, &["\"action\":\"erase\"", "\"kind\":\"person\"", &person.pseudonym]), 1);
    assert!(host.people().unwrap().iter().all(|known| known.name != NAME));
    let after = prove(&source.dir, seq).unwrap();
    assert!(checks(&before) && checks(&after) && after.line == before.line);
    assert_eq!(code(host.erase_person(NAME)), codes::E5008.id);
    assert_eq!(reviewer().as_deref(), Some(person.pseudonym.as_str()));

    // The same name again is somebody else, as far as records tell.
    host.acting_as(&who).stop("a").unwrap();
    let again = people_of(&world.path("")).unwrap().into_iter().find(|known| known.name == NAME).unwrap();
    assert_ne!(again.pseudonym, person.pseudonym);
    assert_eq!(world.recorded(&host, &["\"action\":\"stop\"", &again.pseudonym]), 1);
    host.shutdown().unwrap();
    let mut found = Vec::new();
    files_with(&world.path(""), NAME, &mut found);
    assert_eq!(found, [] as [std::path::PathBuf; 0]);
}

#[test]
fn one_who_cannot_be_kept_may_do_nothing() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    std::fs::remove_dir_all(world.path("people")).unwrap();
    std::fs::write(world.path("people"), "").unwrap();
    let ann = host.acting_as(&TrustContext::new(&IdentityContext::operator("ann")));
    assert_eq!(code(ann.install(&Guest::new("a").package(), true)), codes::E0002.id);
    assert_eq!(world.recorded(&host, &["\"action\":\"install\"", "E0002", "\"user\":\"unnamed\""]), 1);
    host.install(&Guest::new("a").package(), true).unwrap();
}
