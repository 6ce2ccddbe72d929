//! FAULTS.md, part D, through the binary: what a manifest says and what plugins need of each other. Each is refused
//! with its code and recorded; nothing in the home changes, others answer, and the mended package is taken.

use forgeone_tests::{
    Ran, Wat, World, gzip, lifecycle, pack_args, signed_package, syscall_operation, tar_of,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A development home with the plugin `good`, and how many refusals were made in it.
struct Rig {
    world: World,
    before: Vec<(PathBuf, Vec<u8>)>,
    refused: Vec<String>,
}

impl Rig {
    fn new() -> Self {
        let world = World::development();
        world.install("good", &Wat::good().package()).ok();
        let before = kept(&world);
        Self { world, before, refused: Vec::new() }
    }

    /// Installs what must be refused with this code.
    #[track_caller]
    fn refuses(&mut self, package: &[u8], code: &str) -> Ran {
        let ran = self.world.install("bad", package);
        assert!(ran.stderr.starts_with(&format!("error[{code}]: ")), "wanted {code}: {ran}");
        assert!(ran.stderr.contains("\nhelp: "), "{ran}");
        assert_eq!(kept(&self.world), self.before, "{ran}");
        self.refused.push(code.to_owned());
        ran
    }

    /// Takes in a plugin that is in order; what is there afterwards is what must stay.
    #[track_caller]
    fn takes(&mut self, plugin: &Wat) {
        self.world.install("taken", &plugin.package()).ok();
        self.before = kept(&self.world);
    }

    /// Every refusal is in the log, the other plugin answers, and the mended package is installed.
    #[track_caller]
    fn ends(self, mended: &Wat) {
        let tail = self.world.run(&["audit", "tail", "-n", "1000", "--json"]).ok().json();
        let records = tail["records"].as_array().expect("records");
        let denied = |r: &&Value| r["action"] == "install" && r["outcome"] != "ok";
        let codes: Vec<&str> = records.iter().filter(denied).filter_map(|r| r["code"].as_str()).collect();
        assert_eq!(codes, self.refused);
        assert_eq!(self.world.run(&["call", "good", "hello"]).ok().stdout, b"hello");
        self.world.install("mended", &mended.package()).ok();
        self.world.run(&["audit", "verify"]).ok();
    }
}

/// What a refused package must leave as it is: packages, compiled code, private areas.
fn kept(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    ["store", "cache", "data", "trust", "keys"].iter().flat_map(|dir| world.files_below(dir)).collect()
}

fn bad() -> Wat {
    Wat::new("bad", &[], lifecycle())
}

/// The package of `bad` with these bytes as its manifest.
fn with_manifest(bytes: &[u8]) -> Vec<u8> {
    let mut entries = bad().entries();
    entries.last_mut().expect("the manifest").1 = bytes.to_vec();
    gzip(&tar_of(&entries))
}

/// The package of `bad` with this `plugin.toml`, listed with its digest.
fn with_toml(text: &str) -> Vec<u8> {
    let mut entries = bad().entries();
    let manifest = &mut entries.last_mut().expect("the manifest").1;
    let mut json: Value = serde_json::from_slice(manifest).expect("JSON");
    json["files"]["plugin.toml"] = common::identity::Digest::of(text.as_bytes()).to_string().into();
    *manifest = json.to_string().into_bytes();
    entries.push(("plugin.toml".into(), text.into()));
    gzip(&tar_of(&entries))
}

#[test]
fn fault_062_documents_that_are_no_manifest() {
    let mut rig = Rig::new();
    let good = String::from_utf8(bad().entries().remove(1).1).expect("UTF-8");
    for text in ["", "{", "[]", "null", "{}{}", "{\"schema\": 1}"] {
        rig.refuses(&with_manifest(text.as_bytes()), "E1104").says("reason: manifest.json");
    }
    rig.refuses(&with_manifest(b"{\"schema\": \"\xff\"}"), "E1104");
    let twice = good.replacen("\"abi\"", "\"abi\": 1,\n  \"abi\"", 1);
    rig.refuses(&with_manifest(twice.as_bytes()), "E1104").says("there twice").says("manifest.json:7:3:");
    let unknown = good.replacen("\"abi\"", "\"permisions\": {}, \"abi\"", 1);
    rig.refuses(&with_manifest(unknown.as_bytes()), "E1104").says("did you mean `permissions`?");
    for depth in [25, 100_000] {
        let deep = format!("{{\"schema\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        rig.refuses(&with_manifest(deep.as_bytes()), "E1104");
    }
    rig.refuses(&with_manifest(&vec![b' '; 100 << 20]), "E1001");
    let plugin = "[plugin]\nname = \"bad\"\nversion = \"1.0.0\"\n";
    for toml in ["[plugin", "x = 1", &format!("{plugin}nmae = 1"), &format!("{plugin}name = \"bad\"")] {
        rig.refuses(&with_toml(toml), "E1104").says("reason: plugin.toml:");
    }
    rig.refuses(&with_toml(&format!("{plugin}x = {}", "[".repeat(5000))), "E1104");
    rig.refuses(&with_toml(&plugin.replace("1.0.0", "1.0.1")), "E1104").says("contradicts");
    rig.ends(&bad());
}

#[test]
fn fault_063_names_that_are_no_names_or_pass_for_another() {
    let mut rig = Rig::new();
    let long = "a".repeat(300);
    let names = [
        "../x",
        "CON",
        "",
        &long,
        ".bad",
        "-bad",
        "bad-",
        "GOOD",
        "Good",
        "go\u{43e}d",
        "g\u{43e}od",
        "go\u{200b}od",
        "\u{202e}doog",
        "good\u{202e}",
        "good ",
        "a/b",
        "common",
        "microkernel",
    ];
    for name in names {
        let ran = rig.refuses(&bad().says("name", json!(name)).package(), "E1104");
        // What is shown cannot hide or turn around what stands beside it.
        assert!(!ran.stderr.contains(['\u{202e}', '\u{200b}']), "{ran}");
        rig.refuses(&bad().says("publisher", json!(format!("-{name}"))).package(), "E1104");
    }
    rig.takes(&Wat::new("log-redactor", &[], lifecycle()));
    for name in ["log-redacter", "log-redator", "log-redactorr", "logredactor", "log-redactro"] {
        let twin = Wat::new(name, &[], lifecycle()).says("publisher", json!("other"));
        rig.refuses(&twin.package(), "E1413").says("log-redactor of publisher acme");
    }
    rig.takes(&Wat::new("log-redacter", &[], lifecycle()));
    rig.ends(&bad());
}

#[test]
fn fault_064_versions_that_are_not_strict_or_not_newer() {
    let mut rig = Rig::new();
    let long = format!("1.0.0-{}", "a".repeat(300));
    for version in
        ["01.2.3", "1.2", "99999999999999999999.0.0", "v1.2.3", "1.2.3 ", "", "1.2.3-01", "latest", &long]
    {
        rig.refuses(&bad().says("version", json!(version)).package(), "E1104").says("version");
    }
    // Build metadata alone makes no other version of an installed plugin.
    rig.refuses(&Wat::good().says("version", json!("1.0.0+other")).package(), "E5004");
    rig.takes(&Wat::new("early", &[], lifecycle()).says("version", json!("2.0.0-rc.1")));
    for requirement in ["^2", "*", ">=2.0.0", "^2.0.0-rc.2"] {
        rig.refuses(&bad().says("dependencies", json!({ "early": requirement })).package(), "E1603");
    }
    rig.ends(&bad().says("dependencies", json!({ "early": "^2.0.0-rc.1" })));
}

#[test]
fn fault_065_plugins_that_need_each_other() {
    let mut rig = Rig::new();
    let itself = bad().says("dependencies", json!({ "bad": "*" }));
    rig.refuses(&itself.package(), "E1601").says("bad → bad");
    // What is needed must be there first, so no circle of two or fifty can be closed.
    for length in [2, 50] {
        let named = |i: usize| format!("p{}", i % length);
        let member =
            |i| Wat::new(&named(i), &[], lifecycle()).says("dependencies", json!({ named(i + 1): "*" }));
        for i in [0, length - 1] {
            rig.refuses(&member(i).package(), "E1602").says(&named(i + 1));
        }
    }
    rig.ends(&bad());
}

#[test]
fn fault_066_needs_that_are_too_many_or_cannot_be_met() {
    let mut rig = Rig::new();
    let needs = |count: usize| -> Value { (0..count).map(|i| (format!("d{i}"), json!("*"))).collect() };
    rig.refuses(&bad().says("dependencies", needs(10_000)).package(), "E1104").says("more than 256 keys");
    let ran = rig.refuses(&bad().says("dependencies", needs(256)).package(), "E1602");
    assert!(ran.took.as_secs() < 10 && ran.stderr.len() < 10_000, "{ran}");
    rig.refuses(&bad().says("dependencies", json!({ "d": "^^1" })).package(), "E1104");
    rig.takes(&Wat::new("base", &[], lifecycle()).says("version", json!("1.5.0")));
    rig.refuses(&bad().says("dependencies", json!({ "base": ">2, <1" })).package(), "E1603");
    // A diamond whose sides disagree.
    rig.takes(&Wat::new("left", &[], lifecycle()).says("dependencies", json!({ "base": "^1" })));
    let right =
        Wat::new("right", &[], lifecycle()).says("dependencies", json!({ "base": "^2", "left": "^1" }));
    rig.refuses(&right.package(), "E1603").says("right 1.0.0 needs base ^2, which it is not");
    // A ladder whose rungs could be climbed in 2^12 ways: one version of each is installed, so nothing is searched.
    for i in 0..12_usize {
        let below: Value =
            (1..=2).filter_map(|d| i.checked_sub(d)).map(|n| (format!("rung{n}"), json!("^1"))).collect();
        rig.takes(&Wat::new(&format!("rung{i}"), &[], lifecycle()).says("dependencies", below));
    }
    let top = bad().says("dependencies", json!({ "rung11": "^1", "rung10": "^1", "rung0": "^9" }));
    let ran = rig.refuses(&top.package(), "E1603").says("rung0");
    assert!(ran.took.as_secs() < 10, "{ran}");
    rig.ends(&bad().says("dependencies", json!({ "rung11": "^1", "base": "^1" })));
}

#[test]
fn fault_070_the_same_version_with_other_bytes() {
    let mut rig = Rig::new();
    let other = Wat::new(
        "good",
        &["hello"],
        &format!("{}(func (export \"hello\") (param i32) (result i32) (i32.const 7))", lifecycle()),
    );
    rig.refuses(&other.package(), "E5004").says("good 1.0.0 is installed already");
    // Other bytes under the digests of the manifest.
    let mut entries = bad().entries();
    entries[0].1 = other.module().to_vec();
    rig.refuses(&gzip(&tar_of(&entries)), "E1101").says("plugin.wasm");
    rig.ends(&bad());
}

const TOML: &str = "[plugin]\nname = \"keeper\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n";

#[test]
fn fault_071_a_manifest_that_is_not_the_signed_one() {
    let world = World::new(forgeone_tests::Environment::Staging, forgeone_tests::Engine::Wasmtime);
    let module = Wat::new("keeper", &[], lifecycle()).module().to_vec();
    let signed = std::fs::read(signed_package(&world, TOML, &module)).expect("a package");
    let before = kept(&world);
    for (from, to) in [("\"keeper\"", "\"keepex\""), ("\"1.0.0\"", "\"1.0.1\""), ("\"acme\"", "\"acne\"")] {
        let mut entries = forgeone_tests::read_entries(&signed);
        entries.retain(|(name, _)| name != "plugin.toml");
        let (_, manifest) = entries.iter_mut().find(|(n, _)| n == "manifest.json").expect("a manifest");
        let mut json: Value = serde_json::from_slice(manifest).expect("JSON");
        json["files"].as_object_mut().expect("files").remove("plugin.toml");
        *manifest = json.to_string().replacen(from, to, 1).into_bytes();
        world.install("bent", &gzip(&tar_of(&entries))).fails(3, "E1102").says("manifest.json");
        assert_eq!(kept(&world), before);
    }
    let tail = world.run(&["audit", "tail", "-n", "100", "--json"]).ok().json();
    let records = tail["records"].as_array().expect("records");
    assert_eq!(records.iter().filter(|r| r["action"] == "install" && r["code"] == "E1102").count(), 3);
    world.install("signed", &signed).ok();
}

#[test]
fn fault_072_a_host_that_is_not_the_one_asked_for() {
    let mut rig = Rig::new();
    for name in ["microkernel", "common"] {
        let newer = bad().says("dependencies", json!({ name: "^9" }));
        rig.refuses(&newer.package(), "E1604").says("this host provides 1.0.0");
    }
    rig.refuses(&bad().says("engine", json!("wasmtim")).package(), "E1104").says("did you mean `wasmtime`?");
    rig.refuses(&bad().says("engine", json!("v8")).package(), "E1104").says("any, wasmtime, wasmer");
    rig.refuses(&bad().says("abi", json!(2)).package(), "E1104").says("this host knows abi 1, not 2");
    rig.refuses(&bad().says("schema", json!(2)).package(), "E1104");
    rig.ends(
        &bad()
            .says("dependencies", json!({ "microkernel": "^1", "common": "1" }))
            .says("engine", json!("any")),
    );
}

#[test]
fn fault_073_permissions_that_reach_for_everything() {
    let mut rig = Rig::new();
    for (family, asked) in [
        ("filesystem", "read:*"),
        ("filesystem", "read:http://*"),
        ("filesystem", "read:/data/../**"),
        ("filesystem", "read:/**x"),
        ("filesystem", "*"),
        ("network", "connect:*"),
        ("network", "connect:http://*"),
        ("network", "connect:*:443"),
        ("network", "connect:host:0-65535"),
        ("network", "connect:host:0"),
        ("network", "connect:host:65536"),
        ("network", "*"),
        ("*", "*"),
        ("storage", "*"),
        ("clock", "now:*"),
        ("everything", "read"),
    ] {
        rig.refuses(&bad().says("permissions", json!({ family: [asked] })).package(), "E1104");
    }
    // Scopes that parse and cover much are granted as they were asked for, and permit nothing: no policy names them.
    let wide = json!({ "filesystem": ["read:/", "read:/**", "write:/**"],
        "network": ["connect:*.example.com:1-65535"], "secrets": ["reveal:**"] });
    let body = format!("{}{}", lifecycle(), syscall_operation("reveal", "secret_reveal", 0));
    rig.takes(&Wat::new("wide", &["reveal"], &body).says("permissions", wide));
    let status = rig.world.run(&["status", "wide", "--json"]).ok().json();
    assert!(status["granted"].to_string().contains("secrets reveal **"), "{status}");
    rig.world.call("wide", "reveal", &pack_args(&[b"a"])).fails(5, "E4002").says("status 1");
    rig.ends(&bad());
}
