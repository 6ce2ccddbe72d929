//! Plugins and packages that mean harm end as the contract says within two seconds, and others go on.

use forgeone_tests::{Engine, Environment, Ran, Wat, World, gzip, lifecycle, on_both_engines, tar_of};
use serde_json::json;
use std::time::Duration;

/// With `default_timeout: 1s`.
const SOON: Duration = Duration::from_secs(2);
const LOOP: &str = "(loop $again (br $again))";

/// A development home with a plugin that works, beside which the hostile one is put.
fn world(engine: Engine) -> World {
    let world = World::new(Environment::Development, engine);
    world.install("good", &Wat::good().package()).ok();
    world
}

/// Fails unless the command ends soon. It is told again when it does not, twice: this machine may be busy with
/// something else once, a plugin that is not stopped in time is late each time.
#[track_caller]
fn soon(run: impl Fn() -> Ran) -> Ran {
    let mut last = run();
    for _ in 0..2 {
        if last.took < SOON {
            break;
        }
        last = run();
    }
    assert!(last.took < SOON, "too late: {last}");
    last
}

#[track_caller]
fn good_goes_on(world: &World) {
    assert_eq!(world.run(&["call", "good", "hello"]).ok().stdout, b"hello");
}

/// A plugin `bad` whose operation `run` does this.
fn bad(body: &str) -> Vec<u8> {
    let run = format!("(func (export \"run\") (param $len i32) (result i32) {body})");
    Wat::new("bad", &["run"], &format!("{}{run}", lifecycle())).package()
}

/// Installs `bad` and calls it.
fn call_bad(world: &World, body: &str) -> Ran {
    world.install("bad", &bad(body)).ok();
    soon(|| world.run(&["call", "bad", "run"]))
}

/// A plugin `bad` with this in place of one lifecycle function.
fn bad_lifecycle(function: &str, body: &str) -> Vec<u8> {
    let functions: String = ["init", "start", "stop"]
        .iter()
        .map(|name| {
            let body = if *name == function { body } else { "" };
            format!("(func (export \"{name}\") (result i32) {body} (i32.const 0))")
        })
        .collect();
    Wat::new("bad", &[], &functions).package()
}

/// Installs a plugin that does not start: `install` says so at once and the plugin is `Failed`.
fn fails_to_start(world: &World, package: &[u8], code: i32, error: &str) {
    soon(|| {
        // Told again, it must not be in the way of itself.
        world.run(&["remove", "bad"]);
        world.install("bad", package)
    })
    .fails(code, error);
    let status = world.run(&["status", "bad", "--json"]).ok().json();
    assert_eq!(status["state"], "Failed", "{status}");
    good_goes_on(world);
}

on_both_engines! {
    fn an_endless_operation_ends_at_its_deadline(engine) {
        let world = world(engine);
        call_bad(&world, &format!("{LOOP} (i32.const 0)")).fails(6, "E4010");
        good_goes_on(&world);
    }

    fn an_endless_operation_ends_when_its_caller_has_waited_enough(engine) {
        let world = world(engine);
        world.install("bad", &bad(&format!("{LOOP} (i32.const 0)"))).ok();
        soon(|| world.run(&["call", "bad", "run", "--timeout", "50ms"])).fails(6, "E4010");
        good_goes_on(&world);
    }

    fn an_endless_init_ends_at_its_deadline(engine) {
        fails_to_start(&world(engine), &bad_lifecycle("init", LOOP), 6, "E4010");
    }

    fn an_endless_start_ends_at_its_deadline(engine) {
        fails_to_start(&world(engine), &bad_lifecycle("start", LOOP), 6, "E4010");
    }

    fn an_endless_start_section_ends_at_its_deadline(engine) {
        let body = format!("{} (func $spin {LOOP}) (start $spin)", lifecycle());
        fails_to_start(&world(engine), &Wat::new("bad", &[], &body).package(), 6, "E4010");
    }

    fn a_trap_in_init_fails_the_plugin(engine) {
        fails_to_start(&world(engine), &bad_lifecycle("init", "unreachable"), 5, "E4001");
    }

    fn endless_recursion_exhausts_the_stack_of_the_plugin_alone(engine) {
        let world = world(engine);
        let body = r#"(func $deeper (param i32) (result i32)
              (i32.add (i32.const 1) (call $deeper (local.get 0))))
            (func (export "run") (param i32) (result i32) (call $deeper (local.get 0)))"#;
        let package = Wat::new("bad", &["run"], &format!("{}{body}", lifecycle())).package();
        world.install("bad", &package).ok();
        soon(|| world.run(&["call", "bad", "run"])).fails(6, "E4012");
        good_goes_on(&world);
    }

    fn endless_growth_gets_minus_one_at_the_limit(engine) {
        let world = world(engine);
        // Grows page by page until -1, then answers how many pages there are.
        let body = r#"(func (export "run") (param i32) (result i32)
              (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
              (i32.store (i32.const 0) (memory.size))
              (call $output (i32.const 0) (i32.const 4)))"#;
        let plugin = Wat::new("bad", &["run"], &format!("{}{body}", lifecycle()))
            .says("limits", json!({ "memory": "1MiB" }));
        world.install("bad", &plugin.package()).ok();
        let answer = soon(|| world.run(&["call", "bad", "run"])).ok();
        assert_eq!(answer.stdout, 16_u32.to_le_bytes(), "{answer}");
        good_goes_on(&world);
    }

    fn wild_pointers_are_invalid_and_nothing_more(engine) {
        let world = world(engine);
        // Four statuses: output past the end, output wrapping around, input_read into nowhere, a syscall whose
        // name is nowhere. `log` and `fail` of nowhere are ignored.
        let body = r#"(func (export "run") (param i32) (result i32)
              (call $log (i32.const -1) (i32.const -1))
              (call $fail (i32.const 0x7fffffff) (i32.const 2))
              (i32.store (i32.const 0) (call $output (i32.const 0x3fff0) (i32.const 17)))
              (i32.store (i32.const 4) (call $output (i32.const -16) (i32.const 32)))
              (i32.store (i32.const 8) (call $input_read (i32.const 0) (i32.const -1) (i32.const 1)))
              (i32.store (i32.const 12) (call $syscall (i32.const -8) (i32.const 4) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0)))
              (call $output (i32.const 0) (i32.const 16)))"#;
        let package = Wat::new("bad", &["run"], &format!("{}{body}", lifecycle())).package();
        world.install("bad", &package).ok();
        let answer = soon(|| world.call("bad", "run", b"input")).ok();
        let statuses: Vec<i32> = answer.stdout.chunks(4).map(|c| i32::from_le_bytes(c.try_into().unwrap())).collect();
        assert_eq!(statuses, [-3, -3, -3, -3], "{answer}");
        good_goes_on(&world);
    }

    fn a_trap_drops_the_instance_and_not_the_plugin(engine) {
        let world = world(engine);
        call_bad(&world, "unreachable").fails(5, "E4001");
        world.run(&["call", "bad", "run"]).fails(5, "E4001");
        good_goes_on(&world);
    }

    fn an_unknown_import_is_refused_by_name(engine) {
        let world = world(engine);
        let body = format!(
            "(import \"env\" \"open_the_door\" (func)) (memory (export \"memory\") 1) {}",
            lifecycle()
        );
        let package = Wat::of_module("bad", &[], &body).package();
        soon(|| world.install("bad", &package)).fails(3, "E1011").says("open_the_door");
        good_goes_on(&world);
    }
}

#[test]
fn a_truncated_archive_is_refused_wherever_it_ends() {
    let world = world(Engine::Wasmtime);
    let package = Wat::good().package();
    let tar = tar_of(&Wat::good().entries());
    for cut in [0, 1, 10, package.len() / 2, package.len() - 9, package.len() - 1] {
        let refused = soon(|| world.install("cut", &package[..cut])).exits(3);
        assert!(refused.stderr.starts_with("error[E100"), "cut at {cut}: {refused}");
    }
    // Whole gzip, cut tar.
    for cut in [100, 512, 700, tar.len() - 1024] {
        let refused = soon(|| world.install("cut", &gzip(&tar[..cut]))).exits(3);
        assert!(refused.stderr.starts_with("error[E100"), "tar cut at {cut}: {refused}");
    }
    good_goes_on(&world);
}

#[test]
fn an_archive_that_climbs_out_is_refused_and_writes_nothing() {
    let world = world(Engine::Wasmtime);
    for name in ["../escaped", "assets/../../escaped", "/tmp/escaped", "assets/./x", "assets//x"] {
        let mut entries = Wat::new("bad", &[], lifecycle()).entries();
        entries.push((name.to_owned(), b"gotcha".to_vec()));
        let package = gzip(&tar_of(&entries));
        soon(|| world.install("bad", &package)).fails(3, "E1003");
    }
    assert!(!world.path("escaped").exists());
    good_goes_on(&world);
}
