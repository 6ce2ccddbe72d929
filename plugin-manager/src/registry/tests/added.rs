//! Host calls a host program adds, asked for by a guest on each engine and by a native plugin: denied and recorded
//! without a policy, permitted with one, -3 when the arguments are not the schema's.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::runtime::native::{ForgePlugin, NativeError, NativeHost};
use crate::{Argument, ExtensionCall, PluginManager, SyscallExtension};
use common::audit::RecordClass;
use microkernel::syscall_bridge::{CallError, Status, SyscallArgs};
use microkernel::trust::ResourceKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

on_each_engine! {
    a_guest_reaches_an_added_call_as_policy_says
    what_an_added_call_answers_reaches_the_guest
}

/// `bell_ring`: the bell's name, and how often, which the record shows. Bell `broken` panics, `gone` is not found.
fn ring(rung: &Arc<AtomicU32>) -> SyscallExtension {
    let rung = rung.clone();
    SyscallExtension::new("bell_ring", move |call: &mut ExtensionCall<'_>| {
        rung.fetch_add(1, Ordering::SeqCst);
        match call.text(0)? {
            "broken" => panic!("as asked"),
            "gone" => return Err(CallError::new(Status::NotFound, "no such bell")),
            _ => {}
        }
        let (bell, times, who) = (call.resource(), call.number(1)?, call.identity().name());
        call.respond(format!("{who}: {bell} x{times}"));
        Ok(())
    })
    .argument(Argument::text("bell", 1..=16))
    .argument(Argument::number("times", 1..=12).recorded())
    .resource(ResourceKind::Key, 0)
    .needs("plugins", "call")
    .class(RecordClass::B)
}

fn open(world: &World, rung: &Arc<AtomicU32>) -> PluginManager {
    PluginManager::builder().home(world.path("")).extension(ring(rung)).open().unwrap()
}

fn world(kind: EngineKind) -> World {
    World::configured(&format!(
        "  environment: development\n  engine: {kind}\n  default_timeout: 2s\n  \
         security: {{ verify_signatures: false, namespace_isolation: false }}\n"
    ))
}

const PERMIT: &str = "permit(principal, action == Action::\"bell_ring\", resource) \
                      when { resource.name != \"secret\" };";

fn permit(world: &World) {
    std::fs::write(world.path("trust/policy/bells.cedar"), PERMIT).unwrap();
}

/// A guest whose operation `ring` passes its input on as arguments, and answers what it was answered or fails with
/// the status.
fn guest(permissions: &str) -> Vec<u8> {
    let body = GOOD.to_owned()
        + r#"(data (i32.const 300) "bell_ring")
        (func (export "ring") (param $n i32) (result i32) (local $got i32)
          (drop (call $input_read (i32.const 0) (i32.const 1024) (local.get $n)))
          (local.set $got (call $syscall (i32.const 300) (i32.const 9)
            (i32.const 1024) (local.get $n) (i32.const 2048) (i32.const 256)))
          (if (i32.lt_s (local.get $got) (i32.const 0)) (then (return (local.get $got))))
          (call $output (i32.const 2048) (local.get $got)))"#;
    Guest::new("ringer").tables(permissions).body(&body).operation("ring").package()
}

const ASKS: &str = "[permissions]\nplugins = [\"call\"]";

fn bell(name: &str, times: u64) -> Vec<u8> {
    SyscallArgs::new().arg(name).arg(times.to_le_bytes()).as_bytes().to_vec()
}

/// Rings, and gives what came back or the status.
fn rings(host: &PluginManager, args: Vec<u8>) -> Result<String, String> {
    match host.call("ringer", "ring", args) {
        Ok(answer) => Ok(String::from_utf8(answer).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

fn fails_with(host: &PluginManager, args: Vec<u8>, status: i32) {
    let error = rings(host, args).unwrap_err();
    assert!(error.contains(&status.to_string()), "{error}");
}

fn a_guest_reaches_an_added_call_as_policy_says(kind: EngineKind) {
    let (world, rung) = (world(kind), Arc::new(AtomicU32::new(0)));
    let host = open(&world, &rung);
    host.install(&guest(ASKS), true).unwrap();
    fails_with(&host, bell("door", 2), -1);
    assert_eq!(world.recorded(&host, &["denial", "bell_ring", "door", "E2002"]), 1);
    host.shutdown().unwrap();

    permit(&world);
    let host = open(&world, &rung);
    assert_eq!(rings(&host, bell("door", 2)).unwrap(), "ringer: door x2");
    assert_eq!(world.recorded(&host, &["host_call", "bell_ring", "door", "times=2"]), 1);
    fails_with(&host, bell("secret", 2), -1);
    for malformed in [vec![], vec![1, 2, 3], bell("", 1), bell("door", 13), bell(&"x".repeat(17), 1)] {
        fails_with(&host, malformed, -3);
    }
    assert_eq!(rung.load(Ordering::SeqCst), 1, "only the permitted call reached the function");
    assert_eq!(world.recorded(&host, &["bell_ring", "E4060"]), 5);
}

fn what_an_added_call_answers_reaches_the_guest(kind: EngineKind) {
    let (world, rung) = (world(kind), Arc::new(AtomicU32::new(0)));
    drop(open(&world, &rung));
    permit(&world);
    let host = open(&world, &rung);
    host.install(&guest(ASKS), true).unwrap();
    fails_with(&host, bell("gone", 1), -2);
    fails_with(&host, bell("broken", 1), -7);
    assert_eq!(world.recorded(&host, &["bell_ring", "broken", "the extension panicked"]), 1);
    host.remove("ringer", false).unwrap();
    host.install(&guest(""), true).unwrap();
    fails_with(&host, bell("door", 1), -1);
    assert_eq!(world.recorded(&host, &["denial", "bell_ring", "door", "it was not granted"]), 1);
}

#[derive(Debug, Clone)]
struct Ringer;

impl ForgePlugin for Ringer {
    const MANIFEST: &'static str = "[plugin]\nname = \"ringer\"\nversion = \"1.0.0\"\n\
         [permissions]\nplugins = [\"call\"]\n[[operations]]\nname = \"ring\"";
    fn call(&mut self, _: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        let text = std::str::from_utf8(host.input())?;
        let args = SyscallArgs::new().arg(text).arg(3u64.to_le_bytes());
        let answer = host.syscall("bell_ring", &args)?.to_vec();
        Ok(host.output(answer)?)
    }
}

#[test]
fn a_native_plugin_reaches_an_added_call_as_policy_says() {
    let (world, rung) = (World::configured("  environment: production\n"), Arc::new(AtomicU32::new(0)));
    let host = open(&world, &rung);
    host.register(Ringer).unwrap();
    fails_with(&host, b"door".to_vec(), -1);
    assert_eq!(world.recorded(&host, &["denial", "bell_ring", "door"]), 1);
    host.shutdown().unwrap();
    permit(&world);
    let host = open(&world, &rung);
    host.register(Ringer).unwrap();
    assert_eq!(rings(&host, b"door".to_vec()).unwrap(), "ringer: door x3");
    fails_with(&host, vec![b'x'; 17], -3);
}

#[test]
fn the_schema_the_class_table_and_the_policy_check_know_added_calls() {
    let (world, rung) = (World::configured("  environment: production\n"), Arc::new(AtomicU32::new(0)));
    let host = open(&world, &rung);
    let schema = host.policy_schema();
    assert!(schema.contains(r#"action "bell_ring" in ["plugins.*", "syscall.*"]"#), "{schema}");
    let row = host.classes().into_iter().find(|row| row.name == "bell_ring").unwrap();
    assert_eq!((row.class, row.resource), (RecordClass::B, ResourceKind::Key));
    drop(host);
    permit(&world);
    let home = world.path("");
    assert_eq!(code(crate::check_policies(&home, None)), "E2004");
    let with = crate::check_policies_with(&home, None, vec![ring(&rung)]).unwrap();
    assert_eq!(with.sources.len(), 1);
    assert_eq!(code(world_without(&world)), "E2004");
}

fn world_without(world: &World) -> Result<PluginManager, common::error::ForgeError> {
    PluginManager::builder().home(world.path("")).open()
}

#[test]
fn a_call_that_cannot_be_added_keeps_the_manager_from_opening() {
    let world = World::configured("");
    let twice = Arc::new(AtomicU32::new(0));
    let open = PluginManager::builder().home(world.path("")).extension(ring(&twice)).extension(ring(&twice));
    assert_eq!(code(open.open()), "E0101");
    let builtin = SyscallExtension::new("kv_get", |_: &mut ExtensionCall<'_>| Ok(()));
    assert_eq!(code(PluginManager::builder().home(world.path("")).extension(builtin).open()), "E0101");
}
