//! What is trusted no more is stopped while it runs; what cannot be read stops nothing, and lets nothing begin.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::attestation::trust::TrustConfig;
use crate::attestation::{certificate_facts, pem_to_der};
use crate::keys::{IssueRequest, KeyRing};
use crate::runtime::EngineKind;
use crate::{PluginManager, TrustReload, sign};
use common::crypto::Algorithm;
use common::identity::{Digest, Name, Publisher};
use std::time::{Duration, Instant};

on_each_engine! {
    a_killed_digest_stops_what_runs_and_ends_its_call
    a_watcher_stops_within_a_second_what_its_files_revoke
}

/// A staging home that trusts `acme`.
pub(super) struct Trusting {
    pub world: World,
}

impl Trusting {
    pub fn new(engine: EngineKind) -> Self {
        let world = World::configured(&format!(
            "  engine: {engine}\n  default_timeout: 20s\n  security: {{ namespace_isolation: false }}\n  environment: staging\n"
        ));
        let ring = KeyRing::new(&world.path(""));
        ring.init(&Name::new("root").unwrap(), false).unwrap();
        let trusting = Self { world };
        trusting.issue("acme");
        trusting
    }
    pub fn ring(&self) -> KeyRing<'_> {
        KeyRing::new(&self.world.path(""))
    }
    fn issue(&self, publisher: &str) {
        let request = IssueRequest {
            publisher: Publisher::new(publisher).unwrap(),
            algorithm: Algorithm::EcdsaP256Sha256,
            days: 10,
            development: false,
            packages: vec!["*".to_owned()],
        };
        self.ring().issue(&request).unwrap();
    }
    pub fn signed(&self, guest: &Guest) -> Vec<u8> {
        sign(&guest.package(), &self.ring().signer(&Publisher::new("acme").unwrap()).unwrap()).unwrap()
    }
    pub fn change(&self, change: impl FnOnce(&mut TrustConfig)) {
        let file = self.world.path("trust/trust.toml");
        let mut config = TrustConfig::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        change(&mut config);
        let fresh = self.world.path("trust/new");
        std::fs::write(&fresh, config.to_toml()).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }
    fn serial(&self) -> String {
        let pem = self.ring().certificate("acme").unwrap();
        certificate_facts(&pem_to_der(pem.as_bytes()).unwrap()).unwrap().serial
    }
}

fn endless(name: &str) -> Guest {
    let spin = "(func (export \"spin\") (param i32) (result i32) (loop $l (br $l)) i32.const 0)";
    Guest::new(name).body(&format!("{GOOD}{spin}")).operation("spin")
}

/// A call that never ends, on a thread of its own; it has begun when this returns.
fn spinning(host: &PluginManager, name: &'static str) -> std::thread::JoinHandle<&'static str> {
    let caller = host.clone();
    let call = std::thread::spawn(move || code(caller.call(name, "spin", vec![])));
    let begun = Instant::now();
    // `shared`: whoever calls now has to wait for the one that spins.
    let busy = || {
        let options = crate::CallOptions::new().timeout(Duration::from_millis(5));
        let waited = host.call_with(name, "echo", vec![], &options);
        waited.is_err_and(|error| error.to_string().contains("was busy"))
    };
    while !busy() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the call did not begin");
    }
    call
}

fn a_killed_digest_stops_what_runs_and_ends_its_call(kind: EngineKind) {
    let home = Trusting::new(kind);
    let host = home.world.open();
    let (bad, good) = (home.signed(&endless("bad")), home.signed(&Guest::new("good")));
    host.install(&bad, true).unwrap();
    host.install(&good, true).unwrap();
    let call = spinning(&host, "bad");
    home.change(|trust| assert!(trust.kill.digests.insert(Digest::of(&bad))));
    let began = Instant::now();
    let read = host.reload_trust().unwrap();
    assert_eq!(call.join().unwrap(), "E1404");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(read.withdrawn, ["bad"]);
    let status = host.status("bad").unwrap();
    assert_eq!(status.state, "Quarantined");
    assert!(status.failure.unwrap().contains("kill-list"));
    assert_eq!(code(host.call("bad", "echo", vec![])), "E5003");
    assert_eq!(host.call("good", "echo", b"x".to_vec()).unwrap(), b"x");
    assert_eq!(home.world.recorded(&host, &["reload_trust", "\"withdrawn\":\"bad\""]), 1);
    // Released, it is judged as any other.
    host.release("bad").unwrap();
    assert_eq!(code(host.start("bad")), "E1404");
    host.shutdown().unwrap();
}

fn a_watcher_stops_within_a_second_what_its_files_revoke(kind: EngineKind) {
    let home = Trusting::new(kind);
    let host = home.world.open();
    host.install(&home.signed(&endless("a")), true).unwrap();
    let watch = host.watch_trust().unwrap();
    let call = spinning(&host, "a");
    let serial = home.serial();
    home.change(|trust| assert!(trust.kill.serials.insert(serial)));
    let began = Instant::now();
    assert_eq!(call.join().unwrap(), "E1404");
    while host.status("a").unwrap().state != "Quarantined" {
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    drop(watch);
    host.shutdown().unwrap();
}

fn reload(host: &PluginManager) -> TrustReload {
    host.reload_trust().unwrap()
}

#[test]
fn a_trust_file_that_is_broken_stops_nothing_and_lets_nothing_begin() {
    let home = Trusting::new(crate::runtime::available()[0]);
    let host = home.world.open();
    let fresh = Guest::new("b").tables("[instances]\nmode = \"fresh\"");
    host.install(&home.signed(&Guest::new("a")), true).unwrap();
    host.install(&home.signed(&fresh), true).unwrap();
    let other = home.signed(&Guest::new("c"));
    let file = home.world.path("trust/trust.toml");
    let good = std::fs::read(&file).unwrap();
    for broken in [Some("version = 2"), Some("[verify]"), Some("version = 1\nnonsense = 1"), None] {
        match broken {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let read = reload(&host);
        assert_eq!((read.problem.is_some(), read.digest), (broken.is_some(), None));
        assert!(read.withdrawn.is_empty(), "{:?}", read.withdrawn);
        host.call("a", "echo", vec![]).unwrap();
        assert_eq!(code(host.call("b", "echo", vec![])), "E1408", "an instance for each call is a new one");
        assert_eq!(code(host.install(&other, true)), "E1408");
        let probe = host.doctor().into_iter().find(|p| p.name == "trust").unwrap();
        assert_ne!(probe.verdict, "ok");
    }
    std::fs::write(&file, good).unwrap();
    assert_eq!(reload(&host).problem, None);
    host.call("b", "echo", vec![]).unwrap();
    host.install(&other, true).unwrap();
    host.shutdown().unwrap();
}

#[test]
fn trust_that_is_narrowed_stops_what_lies_outside_and_time_alone_does_not() {
    let home = Trusting::new(crate::runtime::available()[0]);
    let host = home.world.open();
    let names = ["a", "b"];
    for name in names {
        host.install(&home.signed(&Guest::new(name)), true).unwrap();
    }
    let name = Name::new("a").unwrap();
    // No list is there: what runs goes on, and nothing new begins.
    home.change(|trust| trust.crl.required = true);
    assert!(reload(&host).withdrawn.is_empty());
    host.call("a", "echo", vec![]).unwrap();
    assert_eq!(code(host.install(&home.signed(&Guest::new("c")), true)), "E1305");
    home.change(|trust| trust.crl.required = false);
    let floor = semver::Version::new(2, 0, 0);
    home.change(|trust| drop(trust.publishers[0].min_version.insert(name, floor)));
    assert_eq!(reload(&host).withdrawn, ["a"]);
    assert_eq!(host.status("b").unwrap().state, "Running");
    home.change(|trust| trust.publishers.clear());
    assert_eq!(reload(&host).withdrawn, ["b"]);
    assert!(reload(&host).withdrawn.is_empty(), "once each");
    host.shutdown().unwrap();
    let host = home.world.open();
    assert_eq!(host.status("b").unwrap().state, "Quarantined", "kept in the home");
}

#[test]
fn who_may_not_configure_the_host_cannot_have_trust_read_again() {
    let home = Trusting::new(crate::runtime::available()[0]);
    let host = home.world.open();
    let text = r#"forbid(principal is Operator, action in Action::"management.*", resource);"#;
    let policy = microkernel::trust::PolicySource { name: "none".into(), text: text.into() };
    host.host().parts().bridge.evaluator().publish(&[policy]).unwrap();
    assert_eq!(code(host.reload_trust()), "E2001");
}
