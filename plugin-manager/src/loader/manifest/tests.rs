//! What a manifest accepts and refuses (FAULTS.md, part D).

use super::*;
use crate::loader::testing::{TOML, manifest_with};
use proptest::prelude::*;

const FULL: &str = r#"
[plugin]
name = "log-redactor"
version = "1.2.0-rc.1+build.5"
publisher = "acme"
description = "Masks things"
author = "ForgeOne Team"
license = "MIT"
abi = 1
engine = "wasmer"

[dependencies]
common = "^1.0.0"
pii-rules = "^2.1"

[permissions]
filesystem = ["read", "write:/data/**"]
network = ["connect:api.example.com:443"]
storage = ["get", "set"]
clock = ["now", "now"]

[entry_points]
init = "plugin_init"
start = "plugin_start"
stop = "plugin_stop"

[[operations]]
name = "redact"
description = "…"
input = "text/plain"
output = "text/plain"

[limits]
memory = "64MB"
timeout = "5s"
fuel = 1000000

[instances]
mode = "pooled"
max = 8
"#;

fn from_toml(text: &str) -> Result<Manifest, DocumentError> {
    let author = PluginToml::parse(text).map_err(|e| match e {
        crate::loader::LoadError::Manifest { source, .. } => source,
        other => panic!("{other}"),
    })?;
    let files = BTreeMap::from([("plugin.wasm".to_owned(), Digest::of(b"x"))]);
    Manifest::from_author(&author, None, files)
}

#[test]
fn everything_goes_round() {
    let m = from_toml(FULL).unwrap();
    assert_eq!(m.permissions.len(), 6);
    assert_eq!(
        m.limits,
        LimitsAsked {
            memory: Some(64_000_000),
            timeout: Some(Duration::from_secs(5)),
            fuel: Some(1_000_000)
        }
    );
    assert_eq!(m.instances.max.get(), 8);
    assert_eq!(m.engine, EnginePreference::Wasmer);
    let bytes = m.to_json();
    let again = Manifest::from_json(&bytes).unwrap();
    assert_eq!(again.to_json(), bytes);
    assert_eq!(again.dependencies, m.dependencies);
    assert_eq!(again.version, m.version);
    PluginToml::parse(FULL).unwrap().agrees_with(&again).unwrap();
}

#[test]
fn the_example_of_the_users_readme_is_accepted() {
    let text = r#"
[plugin]
name = "example-plugin"
version = "1.0.0"
description = "Example plugin for ForgeOne"
author = "ForgeOne Team"
license = "MIT"

[dependencies]
common = "^1.0.0"
microkernel = "^1.0.0"

[permissions]
filesystem = ["read", "write"]
network = ["connect"]

[entry_points]
init = "plugin_init"
start = "plugin_start"
stop = "plugin_stop"
"#;
    let author = PluginToml::parse(text).unwrap();
    let acme = Name::new("acme").unwrap();
    let m = Manifest::from_author(&author, Some(&acme), BTreeMap::new()).unwrap();
    assert_eq!(m.entry_point(Lifecycle::Init).export.as_str(), "plugin_init");
    assert_eq!(m.abi, ABI);
}

#[test]
fn entry_points_default_to_their_own_names() {
    let m = from_toml(TOML).unwrap();
    assert_eq!(
        m.entry_point(Lifecycle::Stop),
        EntryPoint { export: "stop".parse().unwrap(), required: true }
    );
    assert!(!m.entry_point(Lifecycle::Pause).required);
    let named = from_toml(&format!("{TOML}\n[entry_points]\npause = \"hold\"")).unwrap();
    assert!(named.entry_point(Lifecycle::Pause).required);
}

#[test]
fn operations_are_found_by_name() {
    let m = from_toml(TOML).unwrap();
    assert!(m.operation("greet").is_some());
    assert!(m.operation("init").is_none());
}

#[test]
fn fault_062_documents_that_are_not_manifests() {
    for bad in [&b""[..], b"{", b"[]", b"null", b"{\"schema\":1}", b"\xff", b"{}{}"] {
        assert!(Manifest::from_json(bad).is_err(), "{bad:?}");
    }
    assert!(Manifest::from_json(&vec![b' '; MAX_MANIFEST + 1]).is_err());
    let e = manifest_with("\"abi\"", "\"nmae\": 1, \"abi\"").unwrap_err();
    assert!(e.problem.contains("did you mean `name`?"), "{e}");
    let e = manifest_with("\"abi\": 1", "\"abi\": 1, \"abi\": 1").unwrap_err();
    assert!(e.problem.contains("there twice"), "{e}");
}

#[test]
fn fault_063_names_that_are_no_names() {
    let long = "a".repeat(300);
    for bad in
        ["../x", "CON", "", ".x", "-x", "Hello", "h\u{435}llo", "hel\u{200b}lo", "\u{202e}olleh", &long]
    {
        let json = serde_json::to_string(bad).unwrap();
        let e = manifest_with("\"hello\"", &json).unwrap_err();
        assert_eq!(e.place, "name", "{e}");
    }
}

#[test]
fn fault_064_versions_that_are_not_strict() {
    for bad in ["01.2.3", "1.2", "99999999999999999999.0.0", "v1.2.3", "1.2.3 ", "", "1.2.3-01", "latest"] {
        assert_eq!(manifest_with("1.2.3", bad).unwrap_err().place, "version", "{bad}");
    }
    assert_eq!(manifest_with("1.2.3", "1.2.3-alpha.1+b").unwrap().version.to_string(), "1.2.3-alpha.1+b");
}

#[test]
fn fault_066_dependencies_are_bounded() {
    let many: String = (0..10_000).map(|i| format!("d{i} = \"*\"\n")).collect();
    assert!(from_toml(&format!("{TOML}\n[dependencies]\n{many}")).unwrap_err().problem.contains("more than"));
    assert!(from_toml(&format!("{TOML}\n[dependencies]\nx = \"^^1\"")).is_err());
    assert!(from_toml(&format!("{TOML}\n[dependencies]\nX = \"1\"")).is_err());
}

#[test]
fn fault_072_an_unknown_abi_schema_or_engine() {
    assert!(manifest_with("\"abi\": 1", "\"abi\": 2").unwrap_err().problem.contains("abi 1"));
    assert!(manifest_with("\"schema\": 1", "\"schema\": 2").is_err());
    let e = manifest_with("\"any\"", "\"wasmtim\"").unwrap_err();
    assert!(e.problem.contains("did you mean `wasmtime`?"), "{e}");
}

#[test]
fn fault_073_permissions_that_do_not_parse() {
    for bad in [
        "filesystem = [\"read:*\"]",
        "network = [\"connect:http://*\"]",
        "network = [\"connect:a:0-65535\"]",
        "filesystm = [\"read\"]",
        "filesystem = \"read\"",
        "storage = [\"gett\"]",
        "clock = [1]",
    ] {
        let e = from_toml(&format!("{TOML}\n[permissions]\n{bad}")).unwrap_err();
        assert!(e.place.starts_with("permissions"), "{bad}: {e}");
    }
}

#[test]
fn operation_names_are_exports_and_nothing_else() {
    let long = "a".repeat(65);
    for bad in ["init", "unload", "memory", "state_save", "_initialize", "_start", "9a", "a-b", "", &long] {
        assert!(manifest_with("\"greet\"", &format!("\"{bad}\"")).is_err(), "{bad}");
    }
    let twice = format!("{TOML}\n[[operations]]\nname = \"greet\"");
    assert!(from_toml(&twice).unwrap_err().problem.contains("there twice"));
    let mapped = format!("{TOML}\n[entry_points]\ninit = \"greet\"");
    assert!(from_toml(&mapped).unwrap_err().problem.contains("entry point"));
    assert!(from_toml(&format!("{TOML}\n[entry_points]\ninit = \"memory\"")).is_err());
}

#[test]
fn limits_and_instances_are_bounded() {
    for bad in [
        "[limits]\nmemory = \"1B\"",
        "[limits]\ntimeout = \"0s\"",
        "[limits]\ntimeout = \"48h\"",
        "[limits]\nfuel = 0",
        "[limits]\nfuel = -1",
        "[limits]\nmemory = 5",
        "[limits]\ncpu = 1",
        "[instances]\nmax = 0",
        "[instances]\nmax = 5000",
        "[instances]\nmode = \"many\"",
    ] {
        assert!(from_toml(&format!("{TOML}\n{bad}")).is_err(), "{bad}");
    }
}

#[test]
fn text_for_people_has_no_control_characters() {
    for bad in ["\\u001b[2J", "\\u202e", "a\\u0000b"] {
        let with = format!("\"description\": \"{bad}\", \"abi\": 1");
        assert!(manifest_with("\"abi\": 1", &with).is_err(), "{bad}");
    }
}

#[test]
fn files_are_content_under_plain_names() {
    for bad in ["../x", "manifest.json", "attestations/package.sigstore.json", "other", "./plugin.wasm"] {
        assert!(manifest_with("\"plugin.wasm\"", &format!("\"{bad}\"")).is_err(), "{bad}");
    }
    assert!(manifest_with("sha256:", "sha1:").is_err());
}

#[test]
fn a_second_publisher_is_an_error() {
    let author = PluginToml::parse(TOML).unwrap();
    let other = Name::new("other").unwrap();
    assert!(Manifest::from_author(&author, Some(&other), BTreeMap::new()).is_err());
}

proptest! {
    #[test]
    fn any_valid_manifest_goes_round(
        name in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?",
        version in "(0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})(-[a-z]{1,5}([.][1-9]){0,2})?([+][a-z0-9]{1,5})?",
        description in "[ -!#-Z^-~\u{e4}\u{4e16}]{0,40}",
        operations in prop::collection::btree_set("op_[a-z]{1,8}", 0..5),
        needs in prop::collection::btree_map("[a-z]{3,8}", "[~^]?[1-9][.][0-9]", 0..4),
        paths in prop::collection::btree_set("(read|write|list|delete)(:(/[a-z*]{1,5}){1,3})?", 0..4),
        max in 1u32..64,
    ) {
        let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join("\n");
        let operations_text = list(&mut operations.iter().map(|o| format!("[[operations]]\nname = \"{o}\"")));
        let needs_text = list(&mut needs.iter().map(|(n, r)| format!("{n} = \"{r}\"")));
        let paths_text = paths.iter().map(|p| format!("\"{p}\"")).collect::<Vec<_>>().join(", ");
        let toml = format!(
            "[plugin]\nname = \"{name}\"\nversion = \"{version}\"\npublisher = \"acme\"\ndescription = \"{description}\"\n\
             [dependencies]\n{needs_text}\n[permissions]\nfilesystem = [{paths_text}]\n\
             [instances]\nmode = \"pooled\"\nmax = {max}\n{operations_text}"
        );
        let m = match from_toml(&toml) {
            Ok(m) => m,
            // A plugin does not need itself, and `**` stands alone.
            Err(e) => {
                prop_assert!(needs.contains_key(&name) || toml.contains("**"), "{}", e);
                return Ok(());
            }
        };
        let again = Manifest::from_json(&m.to_json()).unwrap();
        prop_assert_eq!(again.to_json(), m.to_json());
        prop_assert_eq!((again.name.as_str(), again.version.to_string()), (name.as_str(), version));
        prop_assert_eq!((again.operations.len(), again.dependencies.len()), (operations.len(), needs.len()));
        prop_assert_eq!((again.permissions.len(), again.instances.max.get()), (paths.len(), max));
        PluginToml::parse(&toml).unwrap().agrees_with(&again).unwrap();
    }

    #[test]
    fn parsing_never_panics(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::from_json(&bytes);
        let _ = PluginToml::parse(&text);
        let _ = PluginToml::parse(&format!("{TOML}\n{text}"));
    }

    #[test]
    fn one_changed_byte_of_a_manifest_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = from_toml(FULL).unwrap().to_json();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(m) = Manifest::from_json(&bytes) {
            prop_assert!(Manifest::from_json(&m.to_json()).is_ok());
        }
    }
}
