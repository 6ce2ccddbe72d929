//! Native plugins beside packages: registered, called, operated, refused, and dropped when they panic.

use super::{Guest, World, code};
use crate::runtime::available;
use crate::runtime::native::{ForgePlugin, NativeError, NativeHost};
use crate::syscall::{LogLevel, SyscallArgs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Counts what is done to it, over all instances.
#[derive(Debug, Default)]
struct Seen {
    made: AtomicU32,
    init: AtomicU32,
    stop: AtomicU32,
    unload: AtomicU32,
}

#[derive(Debug, Default)]
struct Tool {
    seen: Arc<Seen>,
    calls: u64,
}

impl Clone for Tool {
    fn clone(&self) -> Self {
        self.seen.made.fetch_add(1, Ordering::SeqCst);
        Self { seen: self.seen.clone(), calls: self.calls }
    }
}

impl ForgePlugin for Tool {
    const MANIFEST: &'static str = r#"
        [plugin]
        name = "tool"
        version = "1.2.0"
        description = "what tests need"
        [permissions]
        storage = ["get", "set"]
        clock = ["now"]
        plugins = ["call"]
        [limits]
        timeout = "300ms"
        [[operations]]
        name = "echo"
        [[operations]]
        name = "count"
        [[operations]]
        name = "store"
        [[operations]]
        name = "time"
        [[operations]]
        name = "ask"
        [[operations]]
        name = "fail"
        [[operations]]
        name = "panic"
        [[operations]]
        name = "late"
        [[operations]]
        name = "greet"
    "#;
    const KEEPS_STATE: bool = true;

    fn init(&mut self, _: &mut NativeHost<'_>) -> Result<(), NativeError> {
        self.seen.init.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn stop(&mut self, _: &mut NativeHost<'_>) -> Result<(), NativeError> {
        self.seen.stop.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn unload(&mut self, _: &mut NativeHost<'_>) -> Result<(), NativeError> {
        self.seen.unload.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn state_save(&mut self, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(host.output(self.calls.to_le_bytes())?)
    }
    fn state_load(&mut self, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        self.calls = u64::from_le_bytes(host.input().try_into().map_err(|_| "not eight bytes")?);
        Ok(())
    }
    fn call(&mut self, operation: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        self.calls += 1;
        let input = host.input();
        let args = SyscallArgs::new();
        match operation {
            "echo" => host.output(input)?,
            "count" => host.output(self.calls.to_string())?,
            "store" => {
                host.syscall("kv_set", &args.arg("k").arg(input))?;
                let stored = host.syscall("kv_get", &SyscallArgs::new().arg("k"))?.to_vec();
                host.output(stored)?;
            }
            "time" => drop(host.syscall("time_now", &args)?.to_vec()),
            "ask" => {
                let answer = host.syscall("plugin_call", &args.arg("wasm").arg("echo").arg(input))?.to_vec();
                host.output(answer)?;
            }
            "fail" => return Err(NativeError::new(7, "no way")),
            "late" => {
                while !host.expired() {
                    std::thread::yield_now();
                }
            }
            "greet" => host.log(LogLevel::Warn, "hello"),
            _ => panic!("as asked"),
        }
        Ok(())
    }
}

fn world() -> World {
    let engine = available().first().copied().unwrap();
    World::configured(&format!(
        "  environment: development\n  engine: {engine}\n  default_timeout: 2s\n  \
         security: {{ verify_signatures: false, namespace_isolation: false }}\n"
    ))
}

/// A home as production has it: everything on, no policy files.
fn production() -> World {
    World::configured("  environment: production\n")
}

#[test]
fn a_registered_plugin_is_called_operated_and_recorded_like_any_other() {
    let world = production();
    let host = world.open();
    let tool = Tool::default();
    let seen = tool.seen.clone();
    host.register(tool).unwrap();
    assert_eq!(seen.made.load(Ordering::SeqCst), 0, "registering makes no instance");
    let status = host.status("tool").unwrap();
    assert_eq!((status.kind, status.engine.as_str()), ("native", "native"));
    assert_eq!((status.state.as_str(), status.publisher.as_str()), ("Stopped", "host"));
    assert!(status.enforcement.contains("without worker process, memory_limit"), "{}", status.enforcement);
    assert!(!status.limits.iter().any(|(name, _)| name == "memory"), "{:?}", status.limits);
    assert_eq!(host.list().unwrap().len(), 1);

    assert_eq!(host.call("tool", "echo", b"hi".to_vec()).unwrap(), b"hi");
    let mut count = host.handle("tool").unwrap().operation("count").unwrap();
    let (mut input, mut output) = (Vec::new(), Vec::new());
    count.call(&mut input, &mut output).unwrap();
    assert_eq!(output, b"2", "state is kept");
    assert_eq!(code(host.call("tool", "dance", vec![])), "E5005");
    assert_eq!(code(host.call("tool", "fail", vec![])), "E4002");

    host.pause("tool").unwrap();
    assert_eq!(code(host.call("tool", "echo", vec![])), "E5003");
    host.resume("tool").unwrap();
    host.stop("tool").unwrap();
    assert_eq!(seen.stop.load(Ordering::SeqCst), 1);
    host.start("tool").unwrap();
    count.call(&mut input, &mut output).unwrap();
    assert_eq!(output, b"4", "the saved state was loaded");

    let status = host.status("tool").unwrap();
    assert_eq!((status.state.as_str(), status.calls), ("Running", 1));
    for (parts, times) in [
        (&[r#""action":"install""#, r#""kind":"native""#, "tool"][..], 1),
        (&[r#""type":"lifecycle""#, r#""to":"Running""#, "tool"][..], 3),
        (&[r#""action":"call:fail""#][..], 1),
    ] {
        assert!(world.recorded(&host, parts) >= times, "{parts:?}");
    }
    assert!(host.metrics_text().contains("tool"));

    host.remove("tool", false).unwrap();
    assert_eq!(code(host.status("tool")), "E5001");
    assert_eq!(seen.unload.load(Ordering::SeqCst), 1);
}

#[test]
fn its_host_calls_pass_the_door_with_its_own_identity() {
    let world = world();
    let host = world.open();
    host.register(Tool::default()).unwrap();
    assert_eq!(host.call("tool", "store", b"v".to_vec()).unwrap(), b"v", "its private area needs no policy");
    let error = host.call("tool", "time", vec![]).unwrap_err();
    assert_eq!(error.code().id, "E4002");
    assert!(error.to_string().contains("-1"), "{error}");
    assert!(format!("{error:?}").contains("time_now: denied"), "{error:?}");
    assert_eq!(host.status("tool").unwrap().denials, 1);
    assert_eq!(world.recorded(&host, &[r#""type":"denial""#, "time_now", "tool"]), 1);
    host.call("tool", "greet", vec![]).unwrap();
    host.stop("tool").unwrap();
    assert!(host.logs("tool", 10).unwrap().iter().any(|line| line.contains("hello")));
    host.shutdown().unwrap();

    std::fs::write(
        world.path("trust/policy/tool.cedar"),
        "permit(principal == Plugin::\"tool\", action in Action::\"clock.*\", resource);\n\
         permit(principal in Publisher::\"host\", action == Action::\"plugin_call\", resource);",
    )
    .unwrap();
    let host = world.open();
    host.register(Tool::default()).unwrap();
    assert_eq!(host.call("tool", "time", vec![]).unwrap(), b"");
    host.install(&Guest::new("wasm").package(), true).unwrap();
    assert_eq!(host.call("tool", "ask", b"over there".to_vec()).unwrap(), b"over there");
}

#[test]
fn a_panic_is_a_trap_and_enough_of_them_make_it_failed() {
    let world = world();
    let host = world.open();
    let tool = Tool::default();
    let seen = tool.seen.clone();
    host.register(tool).unwrap();
    for round in 1..=5 {
        let error = host.call("tool", "panic", vec![]).unwrap_err();
        assert_eq!(error.code().id, "E4001", "{error}");
        assert!(format!("{error:?}").contains("as asked"), "{error:?}");
        assert_eq!(seen.made.load(Ordering::SeqCst), round, "each call after a panic has a new instance");
    }
    let status = host.status("tool").unwrap();
    assert_eq!(status.state, "Failed");
    assert_eq!(code(host.call("tool", "echo", vec![])), "E5003");
    host.start("tool").unwrap();
    assert_eq!(host.call("tool", "echo", b"x".to_vec()).unwrap(), b"x");
}

#[test]
fn a_call_that_comes_back_late_is_a_deadline() {
    let world = world();
    let host = world.open();
    host.register(Tool::default()).unwrap();
    assert_eq!(code(host.call("tool", "late", vec![])), "E4010");
    assert_eq!(host.call("tool", "echo", b"x".to_vec()).unwrap(), b"x");
}

#[test]
fn no_name_is_taken_twice_whichever_comes_first() {
    let world = world();
    let host = world.open();
    host.register(Tool::default()).unwrap();
    assert_eq!(code(host.register(Tool::default())), "E5004");
    let error = host.install(&Guest::new("tool").package(), true).unwrap_err();
    assert_eq!(error.code().id, "E5004");
    assert!(error.to_string().contains("native plugin of this program"), "{error}");
    host.remove("tool", true).unwrap();
    host.install(&Guest::new("tool").package(), true).unwrap();
    assert_eq!(code(host.register(Tool::default())), "E1411");
    assert_eq!(host.status("tool").unwrap().kind, "package");
}

#[test]
fn what_a_native_plugin_stored_goes_with_it_unless_it_is_kept() {
    let world = world();
    let host = world.open();
    let stored = |host: &crate::PluginManager| host.call("tool", "count", vec![]).unwrap();
    host.register(Tool::default()).unwrap();
    assert_eq!(stored(&host), b"1");
    host.stop("tool").unwrap();
    host.remove("tool", true).unwrap();
    host.register(Tool::default()).unwrap();
    assert_eq!(stored(&host), b"2", "the saved state was kept");
    host.remove("tool", false).unwrap();
    host.register(Tool::default()).unwrap();
    assert_eq!(stored(&host), b"1");
}

#[test]
fn nothing_of_a_registration_outlasts_the_manager() {
    let world = world();
    let host = world.open();
    host.register(Tool::default()).unwrap();
    host.stop("tool").unwrap();
    host.shutdown().unwrap();
    let host = world.open();
    assert_eq!(code(host.status("tool")), "E5001");
    host.register(Tool::default()).unwrap();
    assert_eq!(host.status("tool").unwrap().desired, "running");
}

#[test]
fn operators_refuse_native_plugins_by_configuration_or_policy() {
    let world = World::configured("  security: { native_plugins: false }\n");
    let host = world.open();
    assert_eq!(code(host.register(Tool::default())), "E4051");
    assert_eq!(world.recorded(&host, &[r#""action":"install""#, "E4051", "tool"]), 1);
    drop(host);

    let world = production();
    drop(world.open());
    let policy = "forbid(principal, action == Action::\"install\", resource == PluginResource::\"tool\");";
    std::fs::write(world.path("trust/policy/tool.cedar"), policy).unwrap();
    let host = world.open();
    assert_eq!(code(host.register(Tool::default())), "E2001");
    assert_eq!(host.list().unwrap().len(), 0);
}

macro_rules! with_manifest {
    ($name:ident, $manifest:expr) => {
        #[derive(Debug, Clone)]
        struct $name;
        impl ForgePlugin for $name {
            const MANIFEST: &'static str = $manifest;
            fn call(&mut self, _: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
                Ok(host.output("ok")?)
            }
        }
    };
}

#[test]
fn a_manifest_that_says_what_only_a_package_can_is_refused() {
    with_manifest!(Broken, "[plugin]\nname = \"x\"");
    with_manifest!(OnEngine, "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\nengine = \"wasmtime\"");
    with_manifest!(Exports, "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\n[entry_points]\ninit = \"go\"");
    with_manifest!(Other, "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\npublisher = \"acme\"");
    let world = production();
    let host = world.open();
    assert_eq!(code(host.register(Broken)), "E1104");
    assert_eq!(code(host.register(OnEngine)), "E1104");
    assert_eq!(code(host.register(Exports)), "E1104");
    assert_eq!(code(host.register(Other)), "E1104");
    drop(host);
    let host = crate::PluginManager::builder().home(world.path("")).publisher("acme").open().unwrap();
    host.register(Other).unwrap();
    assert_eq!(host.status("x").unwrap().publisher, "acme");
}

#[test]
fn pooled_instances_answer_beside_one_another() {
    #[derive(Debug, Clone)]
    struct Meeting(Arc<std::sync::Barrier>);
    impl ForgePlugin for Meeting {
        const MANIFEST: &'static str = "[plugin]\nname = \"meeting\"\nversion = \"1.0.0\"\n\
             [instances]\nmode = \"pooled\"\nmax = 3\n[[operations]]\nname = \"meet\"";
        fn call(&mut self, _: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
            self.0.wait();
            Ok(host.output("met")?)
        }
    }
    let world = production();
    let host = world.open();
    host.register(Meeting(Arc::new(std::sync::Barrier::new(3)))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(host.call("meeting", "meet", vec![]).unwrap(), b"met"));
        }
    });
}

static LAZILY_MADE: AtomicU32 = AtomicU32::new(0);

#[test]
fn a_lazy_plugin_is_made_once_by_concurrent_first_calls() {
    let world = production();
    let host = world.open();
    let make = || {
        LAZILY_MADE.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        Tool::default()
    };
    host.register_code(crate::runtime::native::NativeCode::lazy::<Tool>(make)).unwrap();
    assert_eq!(LAZILY_MADE.load(Ordering::SeqCst), 0);
    assert_eq!(host.list().unwrap().len(), 1);
    assert_eq!(LAZILY_MADE.load(Ordering::SeqCst), 0, "listing it makes nothing");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(host.call("tool", "echo", b"x".to_vec()).unwrap(), b"x"));
        }
    });
    assert_eq!(LAZILY_MADE.load(Ordering::SeqCst), 1);
    assert_eq!(world.recorded(&host, &[r#""type":"lifecycle""#, r#""to":"Initializing""#]), 1);
}

#[test]
fn a_package_calls_a_native_plugin() {
    let world = world();
    drop(world.open());
    std::fs::write(
        world.path("trust/policy/calls.cedar"),
        "permit(principal, action == Action::\"plugin_call\", resource == PluginResource::\"tool\");",
    )
    .unwrap();
    let host = world.open();
    host.register(Tool::default()).unwrap();
    let body =
        super::asks("tool") + super::GOOD + r#"(func (export "go") (param i32) (result i32) (call $ask))"#;
    let guest =
        Guest::new("caller").tables("[permissions]\nplugins = [\"call\"]").body(&body).operation("go");
    host.install(&guest.package(), true).unwrap();
    assert_eq!(host.call("caller", "go", vec![]).unwrap(), b"");
    assert_eq!(host.status("tool").unwrap().calls, 1);
    let known: Vec<String> =
        host.dependencies(&[]).unwrap().nodes.into_iter().map(|node| node.name).collect();
    assert!(known.contains(&"tool".to_owned()) && known.contains(&"caller".to_owned()), "{known:?}");
}
