//! Part B: plugins that are installed and do harm when they start or are called.

use super::super::{GOOD, asks, on_each_engine};
use super::{Guest, Stage, agree_with_the_list, code};
use crate::runtime::EngineKind;

on_each_engine! {
    every_plugin_that_cannot_start_fails_alone
    every_call_that_goes_wrong_is_told_and_goes_no_further
    fault_043_a_plugin_on_the_chain_of_calls_is_not_entered_again
    fault_044_a_flood_of_host_calls_is_cut_and_others_go_on
    fault_050_a_result_is_bytes_however_deep_it_nests
    fault_054_a_host_call_lasts_no_longer_than_the_call_it_serves
}

/// What a number ends in: a plugin whose operation `run` (or whose start) does it.
struct Case {
    number: u32,
    what: &'static str,
    guest: Guest,
    ends: Ends,
}

enum Ends {
    /// The caller is given this code.
    Code(&'static str),
    /// The caller's answer ends with these bytes; the log has a record with this code, unless there is none.
    Answer(Vec<u8>, Option<&'static str>),
}

const LOOP: &str = "(loop $again (br $again))";

fn guest(body: &str) -> Guest {
    Guest::new("bad").body(body).tables("[limits]\ntimeout = \"400ms\"\nmemory = \"1MiB\"").operation("run")
}

/// A plugin whose operation `run` is this.
fn run(code: &str) -> Guest {
    guest(&format!("{GOOD} (func (export \"run\") (param $n i32) (result i32) (local $i i32) {code})"))
}

/// A plugin whose operation `run` answers with the status this gives, as four bytes.
fn status(code: &str) -> Guest {
    run(&format!("(i32.store (i32.const 0) {code}) (call $output (i32.const 0) (i32.const 4))"))
}

fn bytes_of(status: i32) -> Vec<u8> {
    status.to_le_bytes().to_vec()
}

fn case(number: u32, what: &'static str, guest: Guest, code: &'static str) -> Case {
    Case { number, what, guest, ends: Ends::Code(code) }
}

fn answered(number: u32, what: &'static str, guest: Guest, status: i32, code: &'static str) -> Case {
    let code = Some(code).filter(|code| !code.is_empty());
    Case { number, what, guest, ends: Ends::Answer(bytes_of(status), code) }
}

fn starts() -> Vec<Case> {
    let start = |body: &str| {
        guest(&format!(
            "{GOOD} (func (export \"run\") (param i32) (result i32) i32.const 0) (func $s {body}) (start $s)"
        ))
    };
    let large = "(table 60000 funcref) (table 60000 funcref)";
    vec![
        case(25, "an endless start", start(LOOP), "E4010"),
        case(26, "a start that traps", start("unreachable"), "E4005"),
        case(
            30,
            "tables larger together",
            guest(&format!("{GOOD} {large} (func (export \"run\") (param i32) (result i32) i32.const 0)")),
            "E4014",
        ),
    ]
}

fn every_plugin_that_cannot_start_fails_alone(engine: EngineKind) {
    let stage = Stage::new(engine);
    let all = starts();
    for Case { number, what, guest, ends } in &all {
        let Ends::Code(expected) = ends else { panic!("{what}") };
        let mut before = stage.files();
        assert_eq!(code(stage.host.install(&guest.package(), true)), *expected, "{number} {what}");
        assert_eq!(stage.host.status("bad").unwrap().state, "Failed");
        let told = stage.world.recorded(&stage.host, &["\"action\":\"fail\"", "\"bad\"", "\"why\":"]);
        assert!(told >= 1, "{number} {what}");
        stage.bystander_answers(what);
        stage.host.remove("bad", false).unwrap();
        // Of a plugin that came and went only the database knows.
        let mut after = stage.files();
        before.remove("state.redb");
        after.remove("state.redb");
        assert_eq!(after, before, "{number} {what}");
        stage.answers(&run("i32.const 0").package(), "bad", "run", what);
    }
    let given: Vec<(u32, &str)> = all.iter().filter_map(|case| given(case)).collect();
    agree_with_the_list(&given, [25, 26, 30]);
}

fn given(case: &Case) -> Option<(u32, &'static str)> {
    let code = match case.ends {
        Ends::Code(code) => Some(code),
        Ends::Answer(_, code) => code,
    };
    code.map(|code| (case.number, code))
}

fn traps_and_limits() -> Vec<Case> {
    let deep = format!(
        "{GOOD} (func $f (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0))))
         (func (export \"run\") (param i32) (result i32) (call $f (i32.const 0)))"
    );
    let grown = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (i32.store (i32.const 0) (memory.size)) (call $output (i32.const 0) (i32.const 4))";
    vec![
        case(24, "an endless loop", run(&format!("{LOOP} i32.const 0")), "E4010"),
        case(27, "endless recursion", guest(&deep), "E4012"),
        answered(28, "growth to 4 GiB", run(grown), 16, ""),
        case(48, "unreachable", run("unreachable"), "E4001"),
        case(48, "division by zero", run("(i32.div_u (i32.const 1) (i32.const 0))"), "E4001"),
        case(48, "outside memory", run("(i32.load (i32.const -4))"), "E4001"),
    ]
}

fn pointers() -> Vec<Case> {
    let output =
        |ptr: &str, len: &str| status(&format!("(call $output (i32.const {ptr}) (i32.const {len}))"));
    // Pieces that leave room for the status in the end.
    let again = "(loop $more (br_if $more (i32.eqz
        (local.tee $i (call $output (i32.const 0) (i32.const 60000))))))";
    let ended = run(&format!(
        "{again} (i32.store (i32.const 0) (local.get $i)) (call $output (i32.const 0) (i32.const 4))"
    ));
    vec![
        answered(36, "a pointer out of range", output("65536", "1"), -3, "E4060"),
        answered(37, "a sum that overflows", output("-16", "32"), -3, "E4060"),
        answered(38, "a negative length", output("0", "-1"), -3, "E4060"),
        answered(39, "nothing from nowhere", output("-1", "0"), -3, "E4060"),
        answered(
            40,
            "arguments where the answer goes",
            status(
                "(call $syscall (i32.const 96) (i32.const 10) (i32.const 112) (i32.const 8) (i32.const 96) (i32.const 64))",
            ),
            -2,
            "",
        ),
        answered(
            42,
            "input to nowhere",
            status("(call $input_read (i32.const 0) (i32.const -1) (i32.const 1))"),
            -3,
            "E4060",
        ),
        answered(42, "output without end", ended, -4, "E4062"),
    ]
}

/// A plugin whose `run` and `back` answer with the status of its call of another's operation, a name of four
/// letters.
fn calls(other: &str, operation: &str) -> Guest {
    calls_as("bad", other, operation)
}

/// The same of a plugin of this name.
fn calls_as(name: &str, other: &str, operation: &str) -> Guest {
    let ask = asks(other).replace("echo", operation);
    let body = format!(
        "{GOOD} {ask} (func (export \"run\") (export \"back\") (param i32) (result i32) (i32.store (i32.const 0) (call $ask)) (call $output (i32.const 0) (i32.const 4)))"
    );
    let permissions = format!("[permissions]\nplugins = [\"call:{other}\"]\n[limits]\ntimeout = \"400ms\"");
    Guest::new(name).body(&body).tables(&permissions).operation("run").operation("back")
}

fn hosts() -> Vec<Case> {
    let time = r#"(func (export "run") (param i32) (result i32)
        (i32.store (i32.const 0) (call $syscall (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (call $output (i32.const 0) (i32.const 4)))"#;
    vec![
        answered(43, "a call back into itself", calls("bad", "echo"), -9, "E4065"),
        answered(54, "a host call that does not end", calls("sleeper", "idle"), -5, "E4010"),
        answered(
            34,
            "a capability not granted",
            guest(&format!("(data (i32.const 512) \"time_now\") {GOOD} {time}")),
            -1,
            "E2002",
        ),
    ]
}

fn every_call_that_goes_wrong_is_told_and_goes_no_further(engine: EngineKind) {
    let stage = Stage::new(engine);
    let idle = format!("{GOOD} (func (export \"idle\") (param i32) (result i32) {LOOP} i32.const 0)");
    stage.host.install(&Guest::new("sleeper").body(&idle).operation("idle").package(), true).unwrap();
    let all: Vec<Case> = traps_and_limits().into_iter().chain(pointers()).chain(hosts()).collect();
    for case in &all {
        stage.misbehaves(case);
    }
    let given: Vec<(u32, &str)> = all.iter().filter_map(given).collect();
    agree_with_the_list(&given, [24, 27, 34, 36, 37, 38, 39, 42, 43, 48, 54]);
}

impl Stage {
    #[track_caller]
    fn misbehaves(&self, Case { number, what, guest, ends }: &Case) {
        let what = format!("{number} {what}");
        self.host.install(&guest.package(), true).unwrap_or_else(|e| panic!("{what}: {e}"));
        let before = self.files();
        let records = |code: &str| self.world.recorded(&self.host, &["\"bad\"", code]);
        let call = || self.host.call("bad", "run", b"input".to_vec());
        let mut called = call();
        // Whose callee is late has a moment left to answer in, in which a busy machine may not run it at all.
        for _ in 0..4 {
            match (&called, ends) {
                (Err(error), Ends::Answer(..)) if error.code().id == "E4010" => called = call(),
                _ => break,
            }
        }
        match ends {
            Ends::Code(expected) => {
                assert_eq!(code(called), *expected, "{what}");
                assert!(records(expected) >= 1, "{what}");
            }
            Ends::Answer(answer, expected) => {
                let called = called.unwrap();
                assert!(called.ends_with(answer), "{what}: {:?}", called.last_chunk::<4>());
                assert!(expected.is_none_or(|expected| records(expected) >= 1), "{what}");
            }
        }
        assert_eq!(self.files(), before, "{what}");
        self.bystander_answers(&what);
        self.host.remove("bad", false).unwrap();
        self.answers(&run("i32.const 0").package(), "bad", "run", &what);
    }
}

fn fault_043_a_plugin_on_the_chain_of_calls_is_not_entered_again(engine: EngineKind) {
    let stage = Stage::new(engine);
    // The first calls the second, which calls the first.
    stage.host.install(&calls_as("first", "second", "back").package(), true).unwrap();
    stage.host.install(&calls_as("second", "first", "back").package(), true).unwrap();
    let answer = stage.host.call("first", "run", Vec::new()).unwrap();
    assert_eq!(answer, bytes_of(4), "the second was called and answered with a status");
    let told = ["\"action\":\"plugin_call\"", "second", "E4065", "conflict"];
    assert_eq!(stage.world.recorded(&stage.host, &told), 1);
    assert_eq!(stage.host.call("second", "run", Vec::new()).unwrap(), bytes_of(4), "the other way round");
    stage.bystander_answers("43");
}

fn fault_044_a_flood_of_host_calls_is_cut_and_others_go_on(engine: EngineKind) {
    let stage = Stage::with(engine, "  limits: { host_calls_per_second: 1000, effects_per_second: 50 }\n");
    // So many calls, and the number of those that were answered.
    let flood = |name: &str, calls: u32, call: &str| {
        format!(
            r#"(func (export "{name}") (param i32) (result i32) (local $i i32) (local $done i32)
              (loop $more
                (if (i32.ge_s {call} (i32.const 0)) (then (local.set $done (i32.add (local.get $done) (i32.const 1)))))
                (br_if $more (i32.ne (i32.const {calls}) (local.tee $i (i32.add (local.get $i) (i32.const 1))))))
              (i32.store (i32.const 0) (local.get $done)) (call $output (i32.const 0) (i32.const 4)))"#
        )
    };
    let call = |length: u32, at: u32, arguments: u32| {
        format!(
            "(call $syscall (i32.const {at}) (i32.const {length}) (i32.const 528) (i32.const {arguments}) (i32.const 0) (i32.const 0))"
        )
    };
    let body = format!(
        r#"(data (i32.const 512) "kv_set") (data (i32.const 520) "ping") (data (i32.const 528) "\01\00\00\00k\01\00\00\00v")
        {GOOD} {} {}"#,
        flood("run", 5_000, &call(6, 512, 10)),
        flood("pings", 50_000, &call(4, 520, 0))
    );
    let flooding = Guest::new("bad").body(&body).tables("[permissions]\nstorage = [\"set\"]");
    let package = flooding.operation("run").operation("pings").package();
    stage.host.install(&package, true).unwrap();
    let answered = |operation: &str| {
        let answer = stage.host.call("bad", operation, Vec::new()).unwrap();
        u32::from_le_bytes(answer.try_into().unwrap())
    };
    // A minute's worth of effects and ten seconds' of calls, and what flows in while they run: two seconds at most.
    assert!((3_000..=3_100).contains(&answered("run")));
    assert!((10_000..=12_000).contains(&answered("pings")));
    assert!(stage.world.recorded(&stage.host, &["\"bad\"", "kv_set", "E4062", "limit"]) >= 1);
    let metrics = stage.host.metrics_text();
    let refused = metrics
        .lines()
        .find_map(|line| line.strip_prefix("forgeone_plugin_host_calls_refused_total{plugin=\"bad\"} "));
    assert!(refused.unwrap().parse::<u32>().unwrap() >= 39_000, "{metrics}");
    stage.bystander_answers("44");
    stage.host.remove("bad", false).unwrap();
    stage.answers(&run("i32.const 0").package(), "bad", "run", "44");
}

fn fault_050_a_result_is_bytes_however_deep_it_nests(engine: EngineKind) {
    let stage = Stage::new(engine);
    let deep = "(memory.fill (i32.const 0) (i32.const 91) (i32.const 65536))
        (loop $more
          (if (call $output (i32.const 0) (i32.const 65536)) (then (return (i32.const 1))))
          (br_if $more (i32.ne (i32.const 128) (local.tee $i (i32.add (local.get $i) (i32.const 1))))))
        i32.const 0";
    stage.host.install(&run(deep).package(), true).unwrap();
    let answer = stage.host.call("bad", "run", Vec::new()).unwrap();
    assert_eq!((answer.len(), answer.iter().all(|b| *b == b'[')), (8 << 20, true));
    stage.host.remove("bad", false).unwrap();
    // 100 MB of it: -4 beyond 16 MiB, and the plugin's status is all the caller is told.
    let large = deep.replace("(i32.const 128)", "(i32.const 1600)");
    stage.host.install(&run(&large).package(), true).unwrap();
    assert_eq!(code(stage.host.call("bad", "run", Vec::new())), "E4002");
    assert_eq!(stage.world.recorded(&stage.host, &["\"bad\"", "E4062"]), 1);
    stage.bystander_answers("50");
}

fn fault_054_a_host_call_lasts_no_longer_than_the_call_it_serves(engine: EngineKind) {
    let stage = Stage::new(engine);
    let idle = format!("{GOOD} (func (export \"idle\") (param i32) (result i32) {LOOP} i32.const 0)");
    stage.host.install(&Guest::new("sleeper").body(&idle).operation("idle").package(), true).unwrap();
    stage.host.install(&calls("sleeper", "idle").package(), true).unwrap();
    let began = std::time::Instant::now();
    // The sleeper may take two seconds, who calls it 400 ms.
    assert_eq!(stage.host.call("bad", "run", Vec::new()).unwrap(), bytes_of(-5));
    assert!(began.elapsed() < std::time::Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(stage.world.recorded(&stage.host, &["\"action\":\"plugin_call\"", "E4010"]), 1);
    stage.bystander_answers("54");
}
