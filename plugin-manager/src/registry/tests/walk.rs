//! The walk: every host call and every import of every ABI version, permitted and denied, on each engine. What stands
//! behind the door counts how often it is reached, and is not reached once it is shut.

use super::{World, on_each_engine};
use crate::abi::{IMPORTS, WASI_FUNCTIONS};
use crate::extension;
use crate::runtime::conformance::{Bench, LIFECYCLE, MEMORY, every_wasi_function};
use crate::runtime::{CompiledModule, EngineKind, Execution, ExportPlan, Terms, Trap};
use crate::sandbox::{Lifecycle, Limits};
use crate::syscall::testing::plugin;
use crate::syscall::{Chain, HostPort, LogAllowance, LogBus, LogSink, Surroundings};
use common::cancel::CancelToken;
use common::clock::Deadline;
use common::identity::{IdentityContext, Name};
use common::permission::{Capability, Permission};
use forgeone_abi::layout::{FileKind, FileStat, ValType};
use forgeone_abi::names::syscall as name;
use forgeone_abi::{ABI_VERSION, Status as Code, status};
use microkernel::syscall_bridge::{
    Call, CallError, CallerStats, SyscallArgs, SyscallBridge, SyscallHandler, Target, builtin_actions,
};
use microkernel::trust::{Enforcement, Permit, PolicyOptions, PolicySource, TrustContext, TrustEvaluator};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

on_each_engine! {
    every_host_call_is_served_when_permitted_and_reaches_nothing_when_denied
    every_function_of_wasi_reaches_nothing_when_denied
}

/// What is reached behind the door.
#[derive(Debug, Default)]
struct Reached(AtomicUsize);

impl Reached {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
    fn once_more(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reads arguments as the service of this build does, and counts in its place.
struct Counts {
    name: &'static str,
    real: Arc<dyn SyscallHandler>,
    reached: Arc<Reached>,
}

impl SyscallHandler for Counts {
    fn target<'a>(&self, identity: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        self.real.target(identity, args)
    }
    fn summary(&self, args: &[u8]) -> Option<String> {
        self.real.summary(args)
    }
    fn decides_further(&self) -> bool {
        self.real.decides_further()
    }
    fn handle(&self, _: Permit, call: Call<'_>) -> Result<(), CallError> {
        self.reached.once_more();
        if self.name == name::FILE_STAT {
            let file = FileStat { size: 4, mtime: 0, kind: FileKind::File };
            call.response.extend_from_slice(&file.encode());
        }
        Ok(())
    }
}

/// Log lines reach this, and are counted as well.
struct Lines(Arc<Reached>);

impl LogSink for Lines {
    fn write(&self, _: &Name, _: &[u8]) -> std::io::Result<()> {
        self.0.once_more();
        Ok(())
    }
}

/// A door that permits what was granted until it is shut.
struct Door {
    bridge: Arc<SyscallBridge>,
    bus: LogBus,
    reached: Arc<Reached>,
    _world: World,
}

impl Door {
    fn new(engine: EngineKind) -> Self {
        let world = World::development(engine);
        let manager = world.open();
        let host = manager.host();
        let reached = Arc::new(Reached::default());
        let actions = builtin_actions();
        let lax = PolicyOptions { enforcement: Enforcement::GrantedIsPermitted, ..PolicyOptions::default() };
        let evaluator = Arc::new(TrustEvaluator::with_options(&actions, &[], &lax).unwrap());
        let mut services: BTreeMap<_, _> = extension::services(&host.services).into_iter().collect();
        let entries = actions.into_iter().map(|action| {
            let counts = services.remove(action.name).map(|real| {
                let (name, reached) = (action.name, reached.clone());
                Arc::new(Counts { name, real, reached }) as Arc<dyn SyscallHandler>
            });
            (action, counts)
        });
        let entries = entries.collect();
        let bridge = SyscallBridge::new(evaluator, host.audit.clone(), host.clock.clone(), entries);
        let bus = LogBus::start(Arc::new(Lines(reached.clone()))).unwrap();
        Self { bridge: Arc::new(bridge), bus, reached, _world: world }
    }

    fn publish(&self, text: &str) {
        let source = PolicySource { name: "walk".into(), text: text.into() };
        self.bridge.evaluator().publish(&[source]).unwrap();
    }
    fn open(&self) {
        self.bridge.evaluator().publish(&[]).unwrap();
    }
    /// From now on nothing is permitted, whoever asks and whatever was granted.
    fn shut(&self) {
        self.publish("forbid (principal, action, resource);");
    }

    /// A port of a plugin that was granted this, and what it was answered.
    fn port(&self, granted: Vec<Permission>) -> (HostPort, Arc<CallerStats>) {
        let caller = self.bridge.caller(TrustContext::with_grants(Arc::new(plugin(1)), granted));
        let stats = caller.stats().clone();
        let port = HostPort::new(self.bridge.clone(), caller, &self.bus, Arc::new(LogAllowance::new(0)));
        let around = || Surroundings { variables: vec!["HOME".into()], mounts: vec!["/data".into()] };
        (port.amid(Arc::new(around)), stats)
    }
}

/// Every capability: as it is, and over every scope it can have.
fn everything() -> Vec<Permission> {
    let scopes = ["", ":**", ":/**", ":example.com:443"];
    let all = Capability::all().flat_map(|capability| {
        let parse =
            move |scope| Permission::parse(capability.family(), &format!("{}{scope}", capability.verb()));
        scopes.into_iter().filter_map(move |scope| parse(scope).ok())
    });
    all.collect()
}

/// Good arguments of every host call of this version of the ABI; `None` for a version nobody wrote rows for.
fn rows(version: u32) -> Option<Vec<(&'static str, SyscallArgs)>> {
    let args = SyscallArgs::new;
    let n = |value: u64| value.to_le_bytes();
    let pair = || args().arg("a").arg("b");
    let token = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJhIiwiYXVkIjoiYiIsImV4cCI6NDAwMDAwMDAwMH0.AAAA";
    let span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let first = vec![
        (name::PING, args()),
        (name::FILE_READ, args().arg("/data/a")),
        (name::FILE_WRITE, args().arg("/data/a").arg("b")),
        (name::FILE_APPEND, args().arg("/data/a").arg("b")),
        (name::FILE_STAT, args().arg("/data/a")),
        (name::FILE_LIST, args().arg("/data")),
        (name::FILE_DELETE, args().arg("/data/a")),
        (name::FILE_OPEN, args().arg("/data/a").arg(n(1))),
        (name::FILE_WRITE_AT, args().arg("/data/a").arg(n(0)).arg("b")),
        (name::FILE_RESIZE, args().arg("/data/a").arg(n(0))),
        (name::FILE_SYNC, args().arg("/data/a")),
        (name::FILE_RENAME_FROM, args().arg("/data/a")),
        (name::FILE_RENAME_TO, args().arg("/data/a")),
        (name::DIR_CREATE, args().arg("/data/a")),
        (name::KV_GET, args().arg("a")),
        (name::KV_SET, pair()),
        (name::KV_DELETE, args().arg("a")),
        (name::KV_LIST, args().arg("")),
        (name::KV_CAS, args().arg("a").arg("").arg("b")),
        (name::OBJECT_GET, args().arg("b/a")),
        (name::OBJECT_PUT, args().arg("b/a").arg("c")),
        (name::OBJECT_LIST, args().arg("b")),
        (name::OBJECT_DELETE, args().arg("b/a")),
        (name::HTTP_REQUEST, args().arg("GET").arg("https://example.com/").arg("").arg("")),
        (name::SECRET_REVEAL, args().arg("a")),
        (name::AUTH_VERIFY, args().arg(token)),
        (name::METRIC_RECORD, args().arg("a").arg("gauge").arg(1f64.to_le_bytes()).arg("")),
        (name::SPAN_BEGIN, args().arg("a")),
        (name::SPAN_END, args().arg(span)),
        (name::EVENT_EMIT, args().arg("a").arg("{}")),
        (name::PLUGIN_CALL, args().arg("other").arg("operation").arg("")),
        (name::TIME_NOW, args()),
        (name::TIME_MONOTONIC, args()),
        (name::TIME_SLEEP, args().arg(n(0))),
        (name::RANDOM, args().arg(n(1))),
        (name::CONFIG_GET, args().arg("a")),
    ];
    (version == 1).then_some(first)
}

/// What a version of the ABI has beside its host calls: actions that a plugin reaches by an import of their own
/// (`log`, `env_get`), or that are decided within another call and cannot be called (`secret_use`).
const APART: [&str; 3] = ["log", "env_get", "secret_use"];
/// Imports that reach the door, and those that stay within the instance.
const TO_THE_DOOR: [&str; 4] = ["log", "log_at", "syscall", "env_get"];
const WITHIN: [&str; 5] = ["input_read", "output", "fail", "response_read", "abort"];

#[test]
fn the_walk_has_a_row_for_everything_there_is() {
    let mut calls = BTreeSet::new();
    for version in 1..=ABI_VERSION {
        let rows = rows(version).expect("rows for every version of the ABI");
        calls.extend(rows.iter().map(|row| row.0));
        assert_eq!(calls.len(), rows.len(), "none is there twice");
    }
    assert_eq!(calls, name::ALL.into_iter().collect());
    let actions: BTreeSet<&str> = builtin_actions().into_iter().map(|action| action.name).collect();
    assert_eq!(actions, calls.into_iter().chain(APART).collect());
    let imports: BTreeSet<&str> = IMPORTS.iter().map(|import| import.name).collect();
    assert_eq!(imports, TO_THE_DOOR.into_iter().chain(WITHIN).collect());
    let walked: Vec<&str> = WASI.iter().map(|row| row.0).collect();
    let there: Vec<&str> = WASI_FUNCTIONS.iter().map(|function| function.name()).collect();
    assert_eq!(walked, there);
    let of_type = WASI.iter().zip(WASI_FUNCTIONS).all(|(row, function)| {
        row.1.len() == function.params().len()
            && function.params().iter().all(|p| matches!(p, ValType::I32 | ValType::I64))
    });
    assert!(of_type, "as many words as parameters");
}

/// `call` asks for the host call its input names: the length of the name, the name, the arguments. `line` logs in
/// both ways, and `variable` asks for one. Each answers what it was answered, which a status of the host is.
const CALLER: &str = r#"
    (func (export "op_call") (param $all i32) (result i32) (local $n i32)
      (drop (call $input_read (i32.const 0) (i32.const 4096) (local.get $all)))
      (local.set $n (i32.load (i32.const 4096)))
      (call $syscall (i32.const 4100) (local.get $n) (i32.add (i32.const 4100) (local.get $n))
        (i32.sub (local.get $all) (i32.add (i32.const 4) (local.get $n))) (i32.const 0) (i32.const 0)))
    (func (export "op_line") (param i32) (result i32)
      (call $log (i32.const 0) (i32.const 4)) (call $log_at (i32.const 4) (i32.const 0) (i32.const 4)) (i32.const 0))
    (func (export "op_variable") (param i32) (result i32)
      (call $env_get (i32.const 0) (i32.const 4) (i32.const 64) (i32.const 8)))
    (data (i32.const 0) "HOME")"#;

/// An instance behind this door.
struct Walker {
    execution: Execution,
    stats: Arc<CallerStats>,
    deadline: Deadline,
}

impl Walker {
    fn new(
        bench: &Bench,
        module: &CompiledModule,
        operations: &[String],
        port: (HostPort, Arc<CallerStats>),
    ) -> Self {
        let plan = ExportPlan {
            lifecycle: Lifecycle::ALL
                .map(|f| ["init", "start", "stop"].contains(&f.name()).then(|| f.name().to_owned())),
            operations: operations.to_vec(),
            initialize: false,
            state_save: false,
            state_load: false,
        };
        let (chain, deadline) = (Chain::new(), Deadline::NEVER);
        let (limits, terms) = (Limits::default(), Terms::new(deadline, &chain));
        let (port, stats) = port;
        let token = CancelToken::new();
        let execution =
            Execution::new(bench.engine(), module, &plan, &limits, Box::new(port), &token, terms).unwrap();
        Self { execution, stats, deadline }
    }

    /// Calls an operation; the status it returned.
    fn call(&mut self, operation: u16, input: &[u8]) -> Result<i32, Trap> {
        let (chain, mut input, mut output) = (Chain::new(), input.to_vec(), Vec::new());
        let terms = Terms::new(self.deadline, &chain);
        self.execution.operation(operation, &mut input, &mut output, terms).map(|outcome| outcome.status)
    }

    fn host_call(&mut self, name: &str, args: &SyscallArgs) -> i32 {
        let length = u32::try_from(name.len()).unwrap();
        let input = [&length.to_le_bytes()[..], name.as_bytes(), args.as_bytes()].concat();
        self.call(0, &input).unwrap()
    }
}

fn every_host_call_is_served_when_permitted_and_reaches_nothing_when_denied(engine: EngineKind) {
    let (door, bench) = (Door::new(engine), Bench::on(engine));
    let imports = crate::runtime::conformance::IMPORTS;
    let module = bench.compile(&format!("(module {imports} {MEMORY} {LIFECYCLE} {CALLER})")).unwrap();
    let operations = ["op_call", "op_line", "op_variable"].map(str::to_owned);
    let (mut granted, mut bare) = [everything(), Vec::new()]
        .map(|granted| Walker::new(&bench, &module, &operations, door.port(granted)))
        .into();
    let rows: Vec<_> = (1..=ABI_VERSION).filter_map(rows).flatten().collect();
    let needs: BTreeMap<&str, bool> =
        builtin_actions().iter().map(|a| (a.name, !a.needs.is_empty())).collect();
    for (name, args) in &rows {
        let before = door.reached.times();
        assert!(granted.host_call(name, args) >= 0, "{name} is permitted");
        assert_eq!(door.reached.times(), before + 1, "{name} is served");
        if needs[name] {
            assert_eq!(bare.host_call(name, args), status::DENIED, "{name} was not granted");
            assert_eq!(door.reached.times(), before + 1, "{name} was not granted");
        }
    }
    assert!(granted.call(2, b"").unwrap() >= 0 && granted.call(1, b"") == Ok(0));
    assert_eq!(bare.call(2, b""), Ok(status::DENIED));
    door.bus.flush();
    let served = door.reached.times();
    assert_eq!(served, rows.len() + 2, "the variable and the lines are served too");
    door.shut();
    for (name, args) in &rows {
        let denied = granted.stats.denied();
        assert_eq!(granted.host_call(name, args), status::DENIED, "{name}");
        assert_eq!(granted.stats.denied(), denied + 1, "{name}");
    }
    let denied = granted.stats.denied();
    assert_eq!((granted.call(1, b""), granted.call(2, b"")), (Ok(0), Ok(status::DENIED)));
    assert_eq!(granted.stats.denied(), denied + 3);
    for unknown in ["secret_use", "log", "nothing"] {
        assert_eq!(granted.host_call(unknown, &SyscallArgs::new()), Code::UnknownSyscall.code(), "{unknown}");
    }
    door.bus.flush();
    assert_eq!(door.reached.times(), served, "something was reached behind a door that was shut");
}

/// Where the name `name` lies, and its length; a vector of the text `text`; a place for answers; all rights.
const NAME: (u64, u64) = (0, 4);
const VECTOR: (u64, u64) = (64, 1);
const OUT: u64 = 2048;
const RIGHTS: u64 = (1 << 30) - 1;
/// The mount, and a file that is opened in it while the door is open.
const DIR: u64 = 3;
const FILE: u64 = 4;

/// Every function with good words, and whether it asks at the door when it is called with them.
const WASI: [(&str, &[u64], bool); 46] = [
    ("args_get", &[OUT, OUT], false),
    ("args_sizes_get", &[OUT, OUT], false),
    ("environ_get", &[OUT, OUT + 64], true),
    ("environ_sizes_get", &[OUT, OUT + 8], true),
    ("clock_res_get", &[1, OUT], false),
    ("clock_time_get", &[1, 0, OUT], true),
    ("fd_advise", &[FILE, 0, 0, 0], false),
    ("fd_allocate", &[FILE, 0, 1], false),
    ("fd_close", &[FILE], false),
    ("fd_datasync", &[FILE], true),
    ("fd_fdstat_get", &[FILE, OUT], false),
    ("fd_fdstat_set_flags", &[FILE, 0], false),
    ("fd_fdstat_set_rights", &[FILE, 0, 0], false),
    ("fd_filestat_get", &[FILE, OUT], true),
    ("fd_filestat_set_size", &[FILE, 1], true),
    ("fd_filestat_set_times", &[FILE, 0, 0, 0], false),
    ("fd_pread", &[FILE, VECTOR.0, VECTOR.1, 0, OUT], true),
    ("fd_prestat_get", &[DIR, OUT], false),
    ("fd_prestat_dir_name", &[DIR, OUT, 5], false),
    ("fd_pwrite", &[FILE, VECTOR.0, VECTOR.1, 0, OUT], true),
    ("fd_read", &[FILE, VECTOR.0, VECTOR.1, OUT], true),
    ("fd_readdir", &[DIR, OUT, 64, 0, OUT + 64], true),
    ("fd_renumber", &[FILE, FILE], false),
    ("fd_seek", &[FILE, 0, 2, OUT], true),
    ("fd_sync", &[FILE], true),
    ("fd_tell", &[FILE, OUT], false),
    ("fd_write", &[FILE, VECTOR.0, VECTOR.1, OUT], true),
    ("path_create_directory", &[DIR, NAME.0, NAME.1], true),
    ("path_filestat_get", &[DIR, 0, NAME.0, NAME.1, OUT], true),
    ("path_filestat_set_times", &[DIR, 0, NAME.0, NAME.1, 0, 0, 0], false),
    ("path_link", &[DIR, 0, NAME.0, NAME.1, DIR, NAME.0, NAME.1], false),
    ("path_open", &[DIR, 0, NAME.0, NAME.1, 0, RIGHTS, RIGHTS, 0, OUT], true),
    ("path_readlink", &[DIR, NAME.0, NAME.1, OUT, 8, OUT + 16], true),
    ("path_remove_directory", &[DIR, NAME.0, NAME.1], true),
    ("path_rename", &[DIR, NAME.0, NAME.1, DIR, NAME.0, NAME.1], true),
    ("path_symlink", &[NAME.0, NAME.1, DIR, NAME.0, NAME.1], false),
    ("path_unlink_file", &[DIR, NAME.0, NAME.1], true),
    ("poll_oneoff", &[128, OUT, 1, OUT + 64], true),
    ("proc_exit", &[0], false),
    ("proc_raise", &[6], false),
    ("random_get", &[OUT, 8], true),
    ("sched_yield", &[], false),
    ("sock_accept", &[FILE, 0, OUT], false),
    ("sock_recv", &[FILE, VECTOR.0, VECTOR.1, 0, OUT, OUT + 8], false),
    ("sock_send", &[FILE, VECTOR.0, VECTOR.1, 0, OUT], false),
    ("sock_shutdown", &[FILE, 0], false),
];

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn every_function_of_wasi_reaches_nothing_when_denied(engine: EngineKind) {
    let (door, bench) = (Door::new(engine), Bench::on(engine));
    let module = bench.compile(&every_wasi_function()).unwrap();
    let operations: Vec<String> = WASI.iter().map(|row| format!("op_{}", row.0)).collect();
    let place = |name: &str| u16::try_from(WASI.iter().position(|row| row.0 == name).unwrap()).unwrap();
    for (name, good, asks) in WASI {
        door.open();
        let mut walker = Walker::new(&bench, &module, &operations, door.port(everything()));
        let before = door.reached.times();
        let (_, open, _) = WASI[usize::from(place("path_open"))];
        assert_eq!(walker.call(place("path_open"), &words(open)), Ok(0), "a file is opened");
        assert!(door.reached.times() > before);
        door.shut();
        let (reached, denied) = (door.reached.times(), walker.stats.denied());
        let answer = walker.call(place(name), &words(good));
        assert_eq!(answer.is_err(), name == "proc_exit", "{name}: {answer:?}");
        door.bus.flush();
        assert_eq!(door.reached.times(), reached, "{name} reached something behind a door that was shut");
        assert_eq!(walker.stats.denied() > denied, asks, "{name}: whether it asks at the door");
    }
}
