//! The port in front of a real bridge: names, variables, log lines, bounds.

use super::super::LogSink;
use super::super::testing::{Plant, plugin};
use super::super::{CallAllowance, CallRates};
use super::*;
use common::clock::ManualClock;
use microkernel::syscall_bridge::SyscallArgs;
use microkernel::trust::Chain;
use parking_lot::Mutex;
use std::time::Duration;

#[derive(Default)]
struct Memory(Mutex<String>);

impl LogSink for Memory {
    fn write(&self, plugin: &Name, block: &[u8]) -> std::io::Result<()> {
        for line in std::str::from_utf8(block).unwrap().lines() {
            let (_, line) = line.split_once(' ').unwrap();
            *self.0.lock() += &format!("{plugin}: {line}\n");
        }
        Ok(())
    }
}

struct Setup {
    plant: Plant,
    bus: LogBus,
    sink: Arc<Memory>,
    clock: Arc<ManualClock>,
    allowance: Arc<LogAllowance>,
}

fn setup() -> Setup {
    let (sink, clock) = (Arc::new(Memory::default()), ManualClock::at(0));
    let bus = LogBus::start(sink.clone()).unwrap();
    Setup { plant: Plant::new(clock.clone()), bus, sink, clock, allowance: Arc::new(LogAllowance::new(0)) }
}

impl Setup {
    fn port(&self) -> HostPort {
        let caller = self.plant.caller(plugin(7));
        let mut port = HostPort::new(self.plant.bridge.clone(), caller, &self.bus, self.allowance.clone());
        port.begin(Deadline::NEVER, &Chain::new());
        port
    }
    fn text(&self) -> String {
        self.bus.flush();
        std::mem::take(&mut *self.sink.0.lock())
    }
}

#[test]
fn calls_reach_their_handler_by_name() {
    let setup = setup();
    let mut port = setup.port();
    let mut response = b"old".to_vec();
    for _ in 0..3 {
        assert_eq!(port.syscall(b"ping", b"", &mut response), Ok(()));
        assert_eq!(response, b"ping:");
        let args = SyscallArgs::new().arg("k");
        assert_eq!(port.syscall(b"config_get", args.as_bytes(), &mut response), Ok(()));
        assert_eq!(response, b"config_get:k");
    }
    // Nothing was granted that would let it draw random bytes.
    assert_eq!(port.syscall(b"random", b"", &mut response), Err(Status::Denied));
    assert!(response.is_empty());
    let stats = port.caller.stats().clone();
    assert_eq!((stats.allowed(), stats.denied(), stats.failed()), (6, 1, 0));
}

#[test]
fn unknown_names_are_recorded_and_never_kept() {
    let setup = setup();
    let mut port = setup.port();
    let long = vec![b'x'; 1 << 20];
    let mut response = b"old".to_vec();
    let names = [&b"nope"[..], b"", b"\xff\xfe", b"ping ", b"PING", b"ping\0", &long];
    for name in names {
        assert_eq!(port.syscall(name, b"", &mut response), Err(Status::Unknown), "{name:?}");
        assert!(response.is_empty());
    }
    assert_eq!(port.caller.stats().failed(), names.len() as u64);
    assert_eq!(port.syscall(b"log", b"", &mut response), Err(Status::Unknown), "log is an import");
}

#[test]
fn more_names_than_are_kept_still_resolve() {
    let mut names = Names::default();
    let setup = setup();
    let action = |name: &str| setup.plant.bridge.action(name).unwrap();
    let (ping, get) = (action("ping"), action("kv_get"));
    for i in 0..100 {
        names.keep(format!("name{i}").as_bytes(), if i % 2 == 0 { ping } else { get });
    }
    for i in 0..100 {
        let expected = (i >= 68).then_some(if i % 2 == 0 { ping } else { get });
        assert_eq!(names.get(format!("name{i}").as_bytes()), expected, "{i}");
    }
    names.keep(&[b'x'; 33], ping);
    assert_eq!(names.get(&[b'x'; 33]), None);
    names.keep(&[b'x'; 32], ping);
    assert_eq!(names.get(&[b'x'; 32]), Some(ping));
    assert_eq!(names.get(&[b'x'; 31]), None);
}

#[test]
fn a_variable_is_an_argument_of_its_action() {
    let setup = setup();
    let mut port = setup.port();
    let mut response = Vec::new();
    assert_eq!(port.env_get(b"HOME", &mut response), Ok(()));
    assert_eq!(response, b"env_get:HOME");
    assert_eq!(port.env_get(&[b'x'; 4097], &mut response), Err(Status::Invalid));
    assert!(response.is_empty());
    assert_eq!(port.caller.stats().failed(), 1);
}

#[test]
fn fault_045_log_lines_arrive_safe_when_the_call_ends() {
    let setup = setup();
    let mut port = setup.port();
    port.log(LogLevel::Info, b"hello");
    port.log(LogLevel::Error, b"one\nrm -rf \x1b[2J");
    assert_eq!(setup.text(), "");
    port.end();
    assert_eq!(setup.text(), "acme-plugin: info  #7 hello\nacme-plugin: error #7 one\\nrm -rf \\u{1b}[2J\n");
    assert_eq!(port.caller.stats().allowed(), 2);
    port.end();
    assert_eq!(setup.text(), "");
}

#[test]
fn fault_045_a_flood_is_cut_and_counted_exactly() {
    let setup = setup();
    let mut port = setup.port();
    let line = vec![b'y'; 10 << 20];
    const LINES: u64 = 3000;
    for _ in 0..LINES {
        port.log(LogLevel::Info, &line);
    }
    port.end();
    let written = setup.text();
    assert!(written.len() < 5 << 20, "{}", written.len());
    let kept = written.lines().count() as u64;
    assert!(kept > 900 && written.lines().all(|l| l.len() < 4200));
    // With time the plugin may log again, and what was dropped is told.
    setup.clock.advance(Duration::from_secs(1));
    port.log(LogLevel::Info, b"again");
    port.end();
    let told =
        format!("acme-plugin: warn  #7 {} lines dropped: more than this plugin may log\n", LINES - kept);
    assert_eq!(setup.text(), told + "acme-plugin: info  #7 again\n");
}

#[test]
fn fault_045_new_instances_do_not_bring_a_new_allowance() {
    let setup = setup();
    let line = vec![b'y'; 4096];
    for _ in 0..10 {
        let mut port = setup.port();
        for _ in 0..500 {
            port.log(LogLevel::Info, &line);
        }
    }
    let written = setup.text();
    assert!(written.len() < 5 << 20, "{}", written.len());
    let kept = written.lines().filter(|line| line.ends_with('y')).count();
    let told = |line: &str| {
        line.split_once(" lines dropped").and_then(|(n, _)| n.rsplit(' ').next()?.parse::<usize>().ok())
    };
    let dropped: usize = written.lines().filter_map(told).sum();
    assert_eq!((kept > 900, kept + dropped), (true, 5000));
}

#[test]
fn fault_044_calls_beyond_the_allowance_are_refused_recorded_and_possible_again_later() {
    let setup = setup();
    let metrics = Arc::new(crate::metrics::PluginMetrics::default());
    let rates = CallRates { calls: 2, effects: 1 };
    let allowance = Arc::new(CallAllowance::new(rates, metrics.clone(), 0));
    let mut port = setup.port().bounded(allowance.clone());
    let mut response = Vec::new();
    let granted = SyscallArgs::new().arg("k");
    for _ in 0..19 {
        assert_eq!(port.syscall(b"ping", b"", &mut response), Ok(()));
    }
    assert_eq!(port.env_get(b"HOME", &mut response), Ok(()));
    let failed = port.caller.stats().failed();
    assert_eq!(port.syscall(b"ping", b"", &mut response), Err(Status::Limit));
    assert!(response.is_empty());
    assert_eq!(port.env_get(b"HOME", &mut response), Err(Status::Limit));
    assert_eq!(port.caller.stats().failed() - failed, 2);
    assert_eq!(metrics.sample().host_calls_refused, 2);
    // Effects have their own, which a denied one uses up too.
    for _ in 0..60 {
        assert_eq!(port.syscall(b"kv_set", granted.as_bytes(), &mut response), Err(Status::Denied));
    }
    assert_eq!(port.syscall(b"kv_set", granted.as_bytes(), &mut response), Err(Status::Limit));
    // Another instance of the plugin finds what is left: nothing.
    let mut other = setup.port().bounded(allowance);
    assert_eq!(other.syscall(b"ping", b"", &mut response), Err(Status::Limit));
    setup.clock.advance(Duration::from_secs(1));
    assert_eq!(other.syscall(b"ping", b"", &mut response), Ok(()));
    let mut unbounded = setup.port();
    assert!((0..10_000).all(|_| unbounded.syscall(b"ping", b"", &mut response).is_ok()));
}

#[test]
fn fault_045_a_line_of_a_hundred_megabytes_is_one_short_line() {
    let setup = setup();
    let mut port = setup.port();
    port.log(LogLevel::Info, &vec![b'\x1b'; 100 << 20]);
    port.end();
    let written = setup.text();
    assert_eq!(written.lines().count(), 1);
    assert!(written.len() < 4200 && !written.contains('\x1b'), "{}", written.len());
}

#[test]
fn an_instance_that_ends_in_a_call_has_said_what_it_said() {
    let setup = setup();
    let mut port = setup.port();
    port.log(LogLevel::Warn, b"about to trap");
    drop(port);
    assert_eq!(setup.text(), "acme-plugin: warn  #7 about to trap\n");
    let mut port = setup.port();
    port.dropped = 5;
    drop(port);
    assert_eq!(setup.text(), "acme-plugin: warn  #7 5 lines dropped: more than this plugin may log\n");
}

#[test]
fn a_full_bus_loses_lines_by_count() {
    let setup = setup();
    let mut port = setup.port();
    let Setup { plant: _plant, bus, sink: _, clock: _, allowance: _ } = setup;
    drop(bus);
    port.log(LogLevel::Info, b"a");
    port.log(LogLevel::Info, b"b");
    port.end();
    assert_eq!(port.dropped, 2);
}

#[test]
fn each_call_has_its_own_deadline_and_chain() {
    let setup = setup();
    let mut port = setup.port();
    let chain = Chain::of([plugin(1).as_plugin().unwrap().id]);
    port.begin(Deadline::at_ms(10), &chain);
    assert!(!port.expired());
    assert!(port.caller.chain().is(&chain));
    setup.clock.advance(Duration::from_millis(10));
    assert!(port.expired());
    port.begin(Deadline::at_ms(20), &chain);
    assert!(!port.expired());
    assert_eq!(port.caller.chain().len(), 1);
    port.begin(Deadline::NEVER, &Chain::new());
    assert!(port.caller.chain().is_empty());
}

#[test]
fn wrong_use_of_imports_is_recorded() {
    let setup = setup();
    let mut port = setup.port();
    port.invalid("input_read", "a pointer or length outside memory");
    port.limited("output", "the output is larger than its limit");
    assert_eq!(port.caller.stats().failed(), 2);
}
