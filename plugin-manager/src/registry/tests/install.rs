//! Installing and removing: who gets in, what stays behind.

use super::{Guest, World, code, on_each_engine};
use crate::loader::testing::{packed, wasm};
use crate::runtime::EngineKind;
use crate::{IssueRequest, PluginManager};
use common::crypto::Algorithm;
use common::identity::Name;
use std::sync::Barrier;

on_each_engine! {
    an_installed_plugin_answers_and_is_gone_when_removed
    what_it_kept_is_erased_with_it_or_kept_for_the_same_publisher
    fault_074_a_dependency_is_brought_up_first_and_not_removed_before
}

fn an_installed_plugin_answers_and_is_gone_when_removed(kind: EngineKind) {
    let world = World::with(kind, "  plugins: { hello: { config: { rule: from-file } } }\n");
    let host = world.open();
    let report = host.install(&Guest::new("hello").package(), true).unwrap();
    assert!(report.started && report.compiled_in.is_some());
    assert_eq!(report.engine, kind.name());
    assert_eq!(host.call("hello", "echo", b"abc".to_vec()).unwrap(), b"abc");
    assert_eq!(host.call("hello", "rule", vec![]).unwrap(), b"from-file", "settings hold at once");
    host.set_setting("hello", "config", "rule", Some("set")).unwrap();
    assert_eq!(host.call("hello", "rule", vec![]).unwrap(), b"set");
    assert_eq!(host.settings("hello").unwrap(), [("config".into(), "rule".into(), "set".into())]);
    host.set_setting("hello", "config", "rule", None).unwrap();
    assert_eq!(host.call("hello", "rule", vec![]).unwrap(), b"from-file");
    for (section, key) in [("none", "k"), ("config", ""), ("env", "a\nb"), ("env", &*"k".repeat(257))] {
        assert_eq!(code(host.set_setting("hello", section, key, Some("v"))), "E0101", "{section} {key}");
    }
    host.call("hello", "greet", vec![]).unwrap();
    assert!(host.logs("hello", 9).unwrap().last().unwrap().ends_with("hello"));
    let [status] = host.list().unwrap().try_into().unwrap();
    assert_eq!(
        (status.state.as_str(), status.desired.as_str(), status.failure),
        ("Running", "running", None)
    );
    assert_eq!((status.calls, status.errors, status.engine.as_str()), (5, 0, kind.name()));
    assert!(host.metrics_text().contains("forgeone_plugin_calls_total{plugin=\"hello\"} 5\n"));
    assert_eq!(code(host.install(&Guest::new("hello").package(), true)), "E5004");
    host.remove("hello", false).unwrap();
    assert!(host.list().unwrap().is_empty());
    assert_eq!(code(host.call("hello", "echo", vec![])), "E5001");
    assert_eq!(code(host.remove("hello", false)), "E5001");
    for below in ["store/sha256", "cache", "logs"] {
        assert_eq!(std::fs::read_dir(world.path(below)).unwrap().count(), 0, "{below}");
    }
    assert_eq!(world.recorded(&host, &["\"action\":\"install\"", "\"outcome\":\"ok\""]), 1);
    assert_eq!(world.recorded(&host, &["\"action\":\"install\"", "E5004"]), 1);
    assert_eq!(world.recorded(&host, &["\"action\":\"remove\"", "\"outcome\":\"ok\"", "erased"]), 1);
}

/// Counts calls of `tick` in a state that is saved.
const COUNTER: &str = r#"(func (export "init") (result i32) i32.const 0)
    (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)
    (global $n (mut i32) (i32.const 0))
    (func (export "tick") (param i32) (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store8 (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 1)))
    (func (export "state_save") (result i32)
      (i32.store8 (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 1)))
    (func (export "state_load") (param i32) (result i32)
      (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 1)))
      (global.set $n (i32.load8_u (i32.const 0))) i32.const 0)"#;

fn what_it_kept_is_erased_with_it_or_kept_for_the_same_publisher(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let counter = Guest::new("counter").body(COUNTER).operation("tick");
    let tick = |host: &PluginManager| host.call("counter", "tick", vec![]).unwrap();
    host.install(&counter.package(), true).unwrap();
    assert_eq!((tick(&host), tick(&host)), (vec![1], vec![2]));
    host.remove("counter", true).unwrap();
    host.install(&counter.package(), true).unwrap();
    assert_eq!(tick(&host), [3]);
    host.remove("counter", true).unwrap();
    let other = Guest::new("counter").publisher("other").body(COUNTER).operation("tick");
    host.install(&other.package(), true).unwrap();
    assert_eq!(tick(&host), [1], "another publisher's plugin never sees it");
    assert_eq!(code(host.install(&counter.package(), true)), "E1411");
    host.remove("counter", false).unwrap();
    host.install(&counter.package(), true).unwrap();
    assert_eq!(tick(&host), [4]);
    host.remove("counter", false).unwrap();
    host.install(&counter.package(), true).unwrap();
    assert_eq!(tick(&host), [1]);
}

fn fault_074_a_dependency_is_brought_up_first_and_not_removed_before(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let needs =
        |name, version: &str| Guest::new(name).tables(&format!("[dependencies]\nbase = \"{version}\""));
    assert_eq!(code(host.install(&needs("top", "^1").package(), true)), "E1602");
    host.install(&Guest::new("base").package(), false).unwrap();
    assert_eq!(code(host.install(&needs("late", "^2").package(), true)), "E1603");
    assert_eq!(code(host.install(&needs("top", "^1").package(), true)), "E5003", "base is to stay stopped");
    assert_eq!(host.status("base").unwrap().state, "Stopped");
    host.start("base").unwrap();
    host.start("top").unwrap();
    assert_eq!(code(host.remove("base", false)), "E5007");
    host.shutdown().unwrap();

    let host = world.open();
    assert_eq!(host.status("base").unwrap().state, "Stopped");
    host.call("top", "echo", vec![]).unwrap();
    assert_eq!(host.status("base").unwrap().state, "Running");
    assert_eq!(host.down_order(), ["top", "base"]);
    host.stop("base").unwrap();
    host.remove("top", false).unwrap();
    host.remove("base", false).unwrap();
}

#[test]
fn the_engine_is_the_manifests_choice_then_the_configurations() {
    for kind in crate::runtime::available() {
        let world = World::development(*kind);
        let host = world.open();
        for wanted in crate::runtime::available() {
            let guest = Guest::new(&format!("on-{wanted}")).plugin(&format!("engine = \"{wanted}\""));
            assert_eq!(host.install(&guest.package(), true).unwrap().engine, wanted.name());
            assert_eq!(host.call(&format!("on-{wanted}"), "echo", b"x".to_vec()).unwrap(), b"x");
            assert_eq!(host.status(&format!("on-{wanted}")).unwrap().engine, wanted.name());
        }
        assert_eq!(host.install(&Guest::new("any").package(), true).unwrap().engine, kind.name());
    }
}

#[test]
fn no_more_plugins_than_allowed_however_many_come_at_once() {
    let world = World::with(crate::runtime::available()[0], "  max_plugins: 3\n");
    let host = world.open();
    let barrier = Barrier::new(8);
    let codes: Vec<_> = std::thread::scope(|scope| {
        let install = |i: usize| {
            let (host, barrier) = (&host, &barrier);
            scope.spawn(move || {
                let package = Guest::new(&format!("p{i}")).package();
                barrier.wait();
                host.install(&package, false).map_or_else(|e| e.code().id, |_| "ok")
            })
        };
        (0..8).map(install).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|c| **c == "ok").count(), 3, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == "E4018").count(), 5, "{codes:?}");
    assert_eq!(host.list().unwrap().len(), 3);
}

#[test]
fn production_and_the_wall_refuse_before_anything_is_kept() {
    let package = Guest::new("hello").package();
    let open = "  environment: development\n  security: { verify_signatures: false }\n";
    for (config, expected) in [("  environment: production\n", "E1201"), (open, "E4050")] {
        let world = World::configured(config);
        let host = world.open();
        assert_eq!(code(host.install(&package, true)), expected);
        assert!(host.list().unwrap().is_empty());
        assert_eq!(std::fs::read_dir(world.path("store/sha256")).unwrap().count(), 0);
        assert_eq!(world.recorded(&host, &["\"action\":\"install\"", "\"outcome\":\"denied\"", expected]), 1);
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A staging home whose authority issued a key for `acme`, open.
fn signed_home() -> (World, PluginManager) {
    let world = World::configured("  environment: staging\n  security: { namespace_isolation: false }\n");
    let host = world.open();
    let keys = host.keys().unwrap();
    keys.init(&name("house"), false).unwrap();
    let request = IssueRequest {
        publisher: name("acme"),
        algorithm: Algorithm::Ed25519,
        days: 30,
        development: false,
        packages: vec!["*".into()],
    };
    keys.issue(&request).unwrap();
    drop(keys);
    host.shutdown().unwrap();
    let host = world.open();
    (world, host)
}

#[test]
fn a_signed_package_is_proven_again_each_time_it_is_brought_up() {
    let (world, host) = signed_home();
    let unsigned = Guest::new("hello").package();
    assert_eq!(code(host.install(&unsigned, true)), "E1201");
    let with = host.keys().unwrap().signer(&name("acme")).unwrap();
    let signed = crate::sign(&unsigned, &with).unwrap();
    let report = host.install(&signed, true).unwrap();
    assert!(!report.checks.is_empty());
    assert_eq!(host.status("hello").unwrap().signer.as_deref(), Some("forgeone://house/acme"));
    let foreign = Guest::new("theirs").publisher("other").package();
    let foreign = crate::sign(&foreign, &with).unwrap();
    assert_eq!(&code(host.install(&foreign, true))[..3], "E14", "acme cannot sign for other");
    host.shutdown().unwrap();

    let file = world.path("trust/trust.toml");
    let trust = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, trust.replace("\"staging\"", "\"development\"")).unwrap();
    let host = world.open();
    assert_eq!(&code(host.call("hello", "echo", vec![]))[..3], "E14", "no longer trusted");
    let status = host.status("hello").unwrap();
    assert_eq!(status.state, "Stopped", "that is not the plugin's failure");
    assert!(status.failure.is_some_and(|why| why.contains("is not trusted for")), "and it is told");
    host.shutdown().unwrap();
    std::fs::write(&file, trust).unwrap();
    assert_eq!(world.open().call("hello", "echo", b"1".to_vec()).unwrap(), b"1");
}

#[test]
fn a_module_that_does_not_compile_on_its_engine_is_not_installed() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    let module = wasm("(module (memory (export \"memory\") 1))");
    let source = "[plugin]\nname = \"bare\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n";
    assert_eq!(code(host.install(&packed(source, &module, &[]), true)), "E1012");
    assert!(host.list().unwrap().is_empty());
}

/// Remembers what it hears.
#[derive(Debug, Default)]
struct Heard(parking_lot::Mutex<Vec<String>>, std::sync::atomic::AtomicU64);

impl crate::Progress for Heard {
    fn begin(&self, phase: crate::Phase, subject: &str, total: Option<u64>) {
        let total = total.map_or_else(String::new, |_| " of known length".to_owned());
        self.0.lock().push(format!("{} {subject}{total}", phase.name()));
    }
    fn advance(&self, bytes: u64) {
        self.1.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    }
    fn end(&self, phase: crate::Phase) {
        self.0.lock().push(format!("{} ends", phase.name()));
    }
}

#[test]
fn installing_tells_each_phase_once_it_begins_and_ends_and_every_byte() {
    let world = World::development(crate::runtime::available()[0]);
    let heard = std::sync::Arc::new(Heard::default());
    let host = PluginManager::builder().home(world.path("")).progress(heard.clone()).open().unwrap();
    let package = Guest::new("a").package();
    host.install(&package, false).unwrap();
    let lines = heard.0.lock().clone();
    let expected = ["reading package of known length", "reading ends", "verifying a", "verifying ends"];
    assert_eq!(lines[..4], expected);
    assert_eq!(lines[4..], ["scanning a", "scanning ends", "compiling a", "compiling ends"]);
    let loaded = crate::Package::load(&package, &crate::PackageLimits::default()).unwrap();
    let bytes: usize = loaded.contents().map(|(_, file)| file.bytes().len()).sum();
    assert_eq!(heard.1.load(std::sync::atomic::Ordering::Relaxed), bytes as u64);
}
