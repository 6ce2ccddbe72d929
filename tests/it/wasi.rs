//! Plugins that use WASI preview 1: what their permissions grant is there, and the rest is an error number.

use forgeone_tests::{Engine, Environment, Ran, Wat, World, lifecycle, on_both_engines, workspace_root};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `put` writes `text` to the file the input names beneath the first directory, `get` answers what is in it. The status
/// is the error number. The name lies at 1024; one vector at 64 names the 4 bytes at 256.
fn notes(permissions: Value) -> Wat {
    let fields = format!(
        r#"(import "wasi_snapshot_preview1" "path_open"
             (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
           (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
           (import "env" "output" (func $output (param i32 i32) (result i32)))
           (memory (export "memory") 1)
           (data (i32.const 64) "\00\01\00\00\04\00\00\00") (data (i32.const 256) "text")
           {}
           (func $opened (param $len i32) (param $how i32) (param $rights i64) (result i32)
             (drop (call $input_read (i32.const 0) (i32.const 1024) (i32.const 512)))
             (call $open (i32.const 3) (i32.const 0) (i32.const 1024) (local.get $len) (local.get $how)
               (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 32)))
           (func (export "put") (param $len i32) (result i32) (local $no i32)
             (if (local.tee $no (call $opened (local.get $len) (i32.const 9) (i64.const 64)))
               (then (return (local.get $no))))
             (if (local.tee $no (call $write (i32.load (i32.const 32)) (i32.const 64) (i32.const 1) (i32.const 40)))
               (then (return (local.get $no))))
             (call $close (i32.load (i32.const 32))))
           (func (export "get") (param $len i32) (result i32) (local $no i32)
             (if (local.tee $no (call $opened (local.get $len) (i32.const 0) (i64.const 2)))
               (then (return (local.get $no))))
             (i32.store (i32.const 256) (i32.const 0))
             (if (local.tee $no (call $read (i32.load (i32.const 32)) (i32.const 64) (i32.const 1) (i32.const 40)))
               (then (return (local.get $no))))
             (drop (call $close (i32.load (i32.const 32))))
             (call $output (i32.const 256) (i32.load (i32.const 40))))
           (func (export "say") (param i32) (result i32)
             (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 40)))"#,
        lifecycle()
    );
    Wat::of_module("notes", &["put", "get", "say"], &fields).says("permissions", permissions)
}

/// Each record with this outcome: action, resource and code.
fn records(world: &World, outcome: &str) -> Vec<String> {
    let all = world.run(&["audit", "tail", "--json", "--lines", "1000"]).ok().json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let records = all["records"].as_array().expect("records").iter();
    let shown =
        |r: &Value| format!("{} {} {}", text(&r["action"]), text(&r["resource"]["name"]), text(&r["code"]));
    records.filter(|r| r["outcome"] == outcome).map(shown).collect()
}

on_both_engines! {
    /// What is granted works and is recorded; what is not is EACCES, and no trap.
    fn files_are_reached_as_far_as_the_grant_goes(engine) {
        let world = World::new(Environment::Development, engine);
        let scoped = json!({ "filesystem": ["read:/data/open/*", "write:/data/open/*", "write:/data/closed/*"] });
        world.install("notes", &notes(scoped).package()).ok();
        world.write("home/data/acme/notes/open/there", b"old!");
        world.write("home/data/acme/notes/secret", b"1234");
        world.call("notes", "put", b"open/new").ok();
        assert_eq!(world.call("notes", "get", b"open/new").ok().text(), "text");
        assert_eq!(world.call("notes", "get", b"open/there").ok().text(), "old!");
        world.call("notes", "get", b"secret").fails(5, "E4002").says("status 2");
        world.call("notes", "put", b"secret").fails(5, "E4002").says("status 2");
        world.call("notes", "get", b"open/../secret").fails(5, "E4002").says("status 2");
        world.call("notes", "get", b"../other/secret").fails(5, "E4002").says("status 76");
        world.call("notes", "get", b"/etc/passwd").fails(5, "E4002").says("status 76");
        world.call("notes", "get", b"open/none").fails(5, "E4002").says("status 44");
        world.call("notes", "say", b"").ok();
        assert!(world.run(&["logs", "notes"]).ok().text().contains("text"));
        let secret = world.home().join("data/acme/notes/secret");
        assert_eq!(std::fs::read(secret).unwrap(), b"1234", "what was denied was not done");
    }

    /// A link that somebody planted leads nowhere.
    fn a_link_is_not_followed(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("notes", &notes(json!({ "filesystem": ["read", "write"] })).package()).ok();
        let area = world.home().join("data/acme/notes");
        world.call("notes", "put", b"first").ok();
        let outside = world.write("outside", b"1234");
        std::os::unix::fs::symlink(&outside, area.join("link")).unwrap();
        std::os::unix::fs::symlink(world.path(""), area.join("up")).unwrap();
        for name in ["link", "up/outside"] {
            world.call("notes", "get", name.as_bytes()).fails(5, "E4002").says("status 2");
            world.call("notes", "put", name.as_bytes()).fails(5, "E4002").says("status 2");
        }
        assert_eq!(std::fs::read(&outside).unwrap(), b"1234");
    }
}

#[test]
fn a_module_whose_manifest_does_not_ask_for_what_it_imports_is_refused() {
    let world = World::development();
    let package = notes(json!({ "clock": ["now"] })).package();
    let refused = world.install("notes", &package).fails(3, "E1014");
    assert!(refused.stderr.contains("wasi_snapshot_preview1.path_open"), "{refused}");
    assert!(refused.stderr.contains("filesystem = [\"read\"]"), "{refused}");
}

#[test]
fn each_denial_is_on_record_with_what_was_asked_for() {
    let world = World::development();
    world.install("notes", &notes(json!({ "filesystem": ["write:/data/open/*"] })).package()).ok();
    world.call("notes", "get", b"secret").fails(5, "E4002").says("status 2");
    let denied = records(&world, "denied");
    assert_eq!(denied, ["file_stat /data/secret E2002"]);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8 path")
}

/// A file of this repository.
fn source(name: &str) -> PathBuf {
    workspace_root().join(name)
}

/// cargo, told by nothing of the build these tests are part of.
fn cargo(dir: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(dir).args(arguments);
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS"] {
        command.env_remove(name);
    }
    Ran::of(&mut command, b"").ok()
}

const TOUR: &str = "file 012abc67 8
names b d/
text 012abc67!
again Err(Some(20))
full Err(Some(55))
none Err(Some(44))
no directory Err(Some(54))
directory Err(Some(31))
outside Err(Some(44))
above Err(Some(76))
left false
slept true
after 2020 true
hashed 9
variables LANG=C
arguments 0";

/// The example in Rust for wasm32-wasip1, which is built once.
#[test]
#[ignore = "run by cargo xtask interop: needs the target wasm32-wasip1"]
fn interop_wasi_the_standard_library_of_rust_works_on_both_engines() {
    let dir = source("plugin-manager/guest/examples/wasi");
    let builder = World::development();
    let out = builder.path("wasi");
    cargo(&dir, &["build", "--release", "--target", "wasm32-wasip1", "--target-dir", text(&out)]);
    let module = out.join("wasm32-wasip1/release/plugin.wasm");
    for engine in [Engine::Wasmtime, Engine::Wasmer] {
        let world = World::new(Environment::Development, engine).with("default_timeout", json!("10s"));
        let permit = r#"permit(principal == Plugin::"notes", action in Action::"syscall.*", resource);"#;
        world.write("home/trust/policy/notes.cedar", permit);
        let package = world.path("notes.forgepkg");
        world.run(&["pack", text(&dir), "--wasm", text(&module), "-o", text(&package)]).ok();
        world.run(&["install", text(&package)]).ok();
        world.run(&["config", "notes", "set", "--env", "LANG", "C"]).ok();
        world.run(&["config", "notes", "set", "--env", "HOME", "hidden"]).ok();
        world.call("notes", "note", b"shopping\nmilk").ok();
        assert_eq!(world.call("notes", "noted", b"shopping").ok().text(), "milk");
        assert_eq!(world.run(&["call", "notes", "tour"]).ok().text(), TOUR, "{engine:?}");
        let logs = world.run(&["logs", "notes"]).ok();
        assert!(logs.text().contains("noted shopping") && logs.text().contains("done"), "{logs}");
        world.call("notes", "noted", b"none").fails(5, "E4002");
    }
}

/// SQLite as crates.io has it, built against Debian's wasi-libc with `tests/fixtures/wasi/sqlite.c` around it.
fn sqlite(world: &World) -> PathBuf {
    const VERSION: &str = "0.30.1";
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nlibsqlite3-sys = \"={VERSION}\"\n"
    );
    world.write("fetch/Cargo.toml", manifest);
    world.write("fetch/src/lib.rs", "");
    let found = cargo(&world.path("fetch"), &["metadata", "--format-version", "1"]).json();
    let packages = found["packages"].as_array().expect("packages");
    let crate_dir = packages.iter().find(|p| p["name"] == "libsqlite3-sys").expect("the crate");
    let sources = Path::new(crate_dir["manifest_path"].as_str().expect("a path")).with_file_name("sqlite3");
    let module = world.path("sqlite.wasm");
    let mut clang = Command::new("clang");
    clang.args(["--target=wasm32-wasi", "--sysroot=/usr", "-mexec-model=reactor", "-Os", "-mbulk-memory"]);
    clang.args(["-I/usr/include/wasm32-wasi", "-Wl,--strip-all", "-w"]);
    for define in ["THREADSAFE=0", "OMIT_LOAD_EXTENSION", "TEMP_STORE=3", "OMIT_WAL"] {
        clang.arg(format!("-DSQLITE_{define}"));
    }
    clang.arg("-I").arg(&sources).arg("-I").arg(source("plugin-manager/guest/examples/c"));
    clang.arg(sources.join("sqlite3.c")).arg(source("tests/fixtures/wasi/sqlite.c")).arg("-o").arg(&module);
    Ran::of(&mut clang, b"").ok();
    module
}

const SQLITE: &str = r#"
[plugin]
name = "sqlite"
version = "1.0.0"
publisher = "acme"
[permissions]
filesystem = ["read:/data", "read:/data/books*", "write:/data/books*", "delete:/data/books*"]
clock = ["now"]
[[operations]]
name = "sql"
"#;

/// A program nobody here wrote: databases its grant names are made, read and rolled back; others are not there for it.
#[test]
#[ignore = "run by cargo xtask interop: needs clang, wasi-libc and crates.io"]
fn interop_wasi_sqlite_keeps_its_database_within_the_grant_on_both_engines() {
    let builder = World::development();
    let module = sqlite(&builder);
    for engine in [Engine::Wasmtime, Engine::Wasmer] {
        let world = World::new(Environment::Development, engine).with("default_timeout", json!("20s"));
        world.write("p/plugin.toml", SQLITE);
        std::fs::copy(&module, world.path("p/plugin.wasm")).unwrap();
        world.run(&["pack", text(&world.path("p")), "-o", "sqlite.forgepkg"]).ok();
        world.run(&["install", "sqlite.forgepkg"]).ok();
        let sql = |database: &str, statements: &str| {
            world.call("sqlite", "sql", format!("{database}\n{statements}").as_bytes())
        };
        sql(
            "/data/books.db",
            "create table book(title, pages); begin; insert into book values('Emma', 474);
            insert into book values('Dubliners', 152); commit; begin; delete from book; rollback;",
        )
        .ok();
        let rows = sql("/data/books.db", "select title, pages from book order by pages").ok();
        assert_eq!(rows.text(), "Dubliners|152\nEmma|474\n", "{engine:?}");
        assert!(world.home().join("data/acme/sqlite/books.db").is_file());
        let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
            insert into book select 'title ' || i, i from n; select count(*) from book";
        assert_eq!(sql("/data/books.db", many).ok().text(), "2002\n");
        sql("/data/other.db", "create table t(x)").fails(5, "E4002").says("unable to open database file");
        sql("/etc/passwd", "select 1 from t").fails(5, "E4002").says("unable to open database file");
        sql("/data/../../etc/passwd", "select 1 from t").fails(5, "E4002");
        assert!(!world.home().join("data/acme/sqlite/other.db").exists());
        let denied = records(&world, "denied");
        assert!(denied.iter().any(|record| record.contains("/data/other.db")), "{denied:?}");
        assert!(
            !denied.iter().any(|record| record.contains("passwd")),
            "what has no mount asks nobody: {denied:?}"
        );
    }
}
