//! What is in the store is what was verified: a package, a summary or compiled code that somebody changed is refused, and
//! nothing is made anew unless an operator asks.

use super::{Guest, World, code, on_each_engine};
use crate::PluginManager;
use crate::attestation::Bound;
use crate::registry::envelope;
use crate::registry::load::Rebuild;
use crate::runtime::EngineKind;
use std::path::{Path, PathBuf};

on_each_engine! {
    changed_code_is_refused_until_an_operator_asks_for_new_code
    code_of_another_compilation_is_refused
    a_summary_that_is_gone_or_changed_refuses_the_plugin
    a_summary_is_signed_anew_when_policies_change
    fault_086_bytes_changed_between_verification_and_loading_are_refused
}

/// A development home with the plugin `a` that was up once.
fn installed(kind: EngineKind) -> World {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.shutdown().unwrap();
    world
}

fn only(dir: &Path) -> PathBuf {
    let files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    file.clone()
}

fn bound(host: &PluginManager, world: &World) -> Bound {
    let key = host.host().attestor.public();
    let envelope = std::fs::read(only(&world.path("store/summaries"))).unwrap();
    Bound::parse(&envelope::open(&envelope, &key).unwrap()).unwrap()
}

fn changed_code_is_refused_until_an_operator_asks_for_new_code(kind: EngineKind) {
    let world = installed(kind);
    world.damage("cache");
    let host = world.open();
    let before = bound(&host, &world);
    for _ in 0..2 {
        assert_eq!(code(host.call("a", "echo", b"x".to_vec())), "E1505");
    }
    assert_eq!(world.recorded(&host, &["detection", "E1505"]), 1);
    host.start("a").unwrap();
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x");
    assert_eq!(before, bound(&host, &world), "the same module makes the same code");
    let files = std::fs::read_dir(world.path("cache")).unwrap();
    let mut endings: Vec<_> = files.map(|f| f.unwrap().path().extension().is_some()).collect();
    endings.sort_unstable();
    assert_eq!(endings, [false, true], "new code, and the old one set aside");
    host.shutdown().unwrap();
    let host = world.open();
    host.call("a", "echo", vec![]).unwrap();
    assert_eq!(world.recorded(&host, &["detection", "E1505"]), 1, "the new code is good");
}

/// The seal says that this host made the code; the summary says which of it.
fn code_of_another_compilation_is_refused(kind: EngineKind) {
    let world = installed(kind);
    let host = world.open();
    let mut other = bound(&host, &world);
    other.code = other.package;
    let grant = host.proven(&host.row("a").unwrap()).unwrap();
    let ready = host.host().ready(&grant, Rebuild::NotAsked).unwrap();
    let judged = |said: &Bound, rebuild| host.host().still_attested((&grant, &ready), said, rebuild);
    assert_eq!(code(judged(&other, Rebuild::NotAsked)), "E1505");
    let said = bound(&host, &world);
    judged(&said, Rebuild::NotAsked).unwrap();
    assert_eq!(world.recorded(&host, &["\"action\":\"attest\""]), 0);
    judged(&other, Rebuild::Asked).unwrap();
    assert_eq!(world.recorded(&host, &["\"action\":\"attest\""]), 1);
}

fn a_summary_that_is_gone_or_changed_refuses_the_plugin(kind: EngineKind) {
    let world = installed(kind);
    let summary = only(&world.path("store/summaries"));
    let whole = std::fs::read(&summary).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&summary, changed).unwrap();
        let host = world.open();
        let (called, started) = (code(host.call("a", "echo", vec![])), code(host.start("a")));
        // The last character of base64 has bits that say nothing.
        assert_eq!((called, started), ("E1502", "E1502"), "byte {at}");
    }
    std::fs::remove_file(&summary).unwrap();
    let host = world.open();
    assert_eq!(code(host.start("a")), "E1501");
    assert!(!summary.exists(), "it is not made anew");
    host.shutdown().unwrap();
    // That of another package, signed by the same host.
    let host = world.open();
    host.install(&Guest::new("b").package(), false).unwrap();
    let other = only(&world.path("store/summaries"));
    std::fs::copy(other, &summary).unwrap();
    assert_eq!(code(host.start("a")), "E1502");
    host.remove("a", true).unwrap();
    assert!(!summary.exists(), "it goes with its package");
    host.install(&Guest::new("a").package(), true).unwrap();
    host.call("a", "echo", vec![]).unwrap();
}

fn a_summary_is_signed_anew_when_policies_change(kind: EngineKind) {
    let world = installed(kind);
    let host = world.open();
    let before = bound(&host, &world);
    host.call("a", "echo", vec![]).unwrap();
    assert_eq!(before, bound(&host, &world));
    host.shutdown().unwrap();
    let policy = "permit(principal is Plugin, action == Action::\"ping\", resource);";
    std::fs::write(world.path("trust/policy/more.cedar"), policy).unwrap();
    let host = world.open();
    host.call("a", "echo", vec![]).unwrap();
    let after = bound(&host, &world);
    assert_ne!(before.policies, after.policies);
    assert_eq!((before.package, before.module, before.code), (after.package, after.module, after.code));
    assert_eq!(world.recorded(&host, &["\"action\":\"attest\"", &after.code.to_string()]), 1);
}

/// What runs is made of bytes that were hashed after they were read, so that it does not matter when they changed.
fn fault_086_bytes_changed_between_verification_and_loading_are_refused(kind: EngineKind) {
    let world = installed(kind);
    let package = only(&world.path("store/sha256"));
    let (whole, other) = (std::fs::read(&package).unwrap(), Guest::new("a").version("1.0.1").package());
    let beside = world.path("other");
    let put: [(&str, &dyn Fn()); 4] = [
        ("overwritten", &|| std::fs::write(&package, &other).unwrap()),
        ("renamed", &|| {
            std::fs::write(&beside, &other).unwrap();
            std::fs::rename(&beside, &package).unwrap();
        }),
        ("linked", &|| {
            std::fs::remove_file(&package).unwrap();
            std::fs::write(&beside, &other).unwrap();
            std::fs::hard_link(&beside, &package).unwrap();
        }),
        ("a symbolic link", &|| {
            std::fs::remove_file(&package).unwrap();
            std::fs::write(&beside, &other).unwrap();
            std::os::unix::fs::symlink(&beside, &package).unwrap();
        }),
    ];
    for (what, put) in put {
        let host = world.open();
        host.call("a", "echo", vec![]).unwrap();
        put();
        assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x", "{what}: what was loaded goes on");
        host.stop("a").unwrap();
        assert_eq!(code(host.start("a")), "E1503", "{what}");
        let _ = std::fs::remove_file(&package);
        std::fs::write(&package, &whole).unwrap();
        host.start("a").unwrap();
    }
}
