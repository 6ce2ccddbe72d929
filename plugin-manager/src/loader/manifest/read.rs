//! From a document to a manifest. The sections that `plugin.toml` shares are read by the same functions.

use super::super::document::{DocumentError, Fields, Node};
use super::super::names::{self, Role};
use super::{
    ABI, EnginePreference, ExportName, InstanceMode, Instances, Lifecycle, LimitsAsked, Manifest, Operation,
    SCHEMA,
};
use common::config::{ByteSize, Span, nearest};
use common::identity::{Digest, HOST_PARTS, Name};
use common::permission::Permission;
use semver::{Version, VersionReq};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

/// Instances of a pooled plugin whose manifest gives no maximum.
pub(super) const DEFAULT_POOL: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

const MAX_TEXT: usize = 4096;
const MAX_WORD: usize = 256;
const MAX_ITEMS: usize = 256;
const MAX_FILES: usize = 4096;
const MAX_SCOPE: usize = 1200;
/// Longest timeout a manifest may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Keys at the top of `manifest.json`.
const FIELDS: &[&str] = &[
    "schema",
    "name",
    "version",
    "publisher",
    "description",
    "author",
    "license",
    "abi",
    "entry_points",
    "operations",
    "dependencies",
    "permissions",
    "limits",
    "instances",
    "engine",
    "files",
];
/// Keys at the top of `plugin.toml`.
pub(crate) const FIELDS_TOML: &[&str] =
    &["plugin", "dependencies", "permissions", "entry_points", "operations", "limits", "instances"];

/// Exports that are not operations, whatever a manifest says.
const RESERVED: &[&str] = &["memory", "state_save", "state_load", "_initialize", "_start"];

type Read<T> = Result<T, DocumentError>;

pub(super) fn manifest(document: Node) -> Read<Manifest> {
    let mut fields = document.fields(FIELDS)?;
    only(&fields.need("schema")?, SCHEMA, "schema")?;
    let sections = Sections::read(&mut fields)?;
    Ok(Manifest {
        name: plugin_name(&fields.need("name")?)?,
        version: version(&fields.need("version")?)?,
        publisher: name(&fields.need("publisher")?)?,
        description: prose(fields.take("description"))?,
        author: prose(fields.take("author"))?,
        license: prose(fields.take("license"))?,
        abi: abi(&fields.need("abi")?)?,
        engine: fields.take("engine").map_or(Ok(EnginePreference::Any), |n| engine(&n))?,
        files: files(fields.need("files")?)?,
        entry_points: sections.entry_points.unwrap_or_default(),
        operations: sections.operations.unwrap_or_default(),
        dependencies: sections.dependencies.unwrap_or_default(),
        permissions: sections.permissions.unwrap_or_default(),
        limits: sections.limits.unwrap_or_default(),
        instances: sections.instances.unwrap_or_default(),
    })
}

/// The sections a manifest and a `plugin.toml` write alike; `None` where one is not there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sections {
    pub(crate) entry_points: Option<BTreeMap<Lifecycle, ExportName>>,
    pub(crate) operations: Option<Vec<Operation>>,
    pub(crate) dependencies: Option<BTreeMap<Name, VersionReq>>,
    pub(crate) permissions: Option<Vec<Permission>>,
    pub(crate) limits: Option<LimitsAsked>,
    pub(crate) instances: Option<Instances>,
}

impl Sections {
    pub(crate) fn read(fields: &mut Fields) -> Read<Self> {
        let entry_points = fields.take("entry_points").map(entry_points).transpose()?;
        let mapped = entry_points.as_ref();
        let is_mapped = |name: &ExportName| mapped.is_some_and(|all| all.values().any(|e| e == name));
        Ok(Self {
            operations: fields.take("operations").map(|n| operations(n, is_mapped)).transpose()?,
            entry_points,
            dependencies: fields.take("dependencies").map(dependencies).transpose()?,
            permissions: fields.take("permissions").map(permissions).transpose()?,
            limits: fields.take("limits").map(limits).transpose()?,
            instances: fields.take("instances").map(instances).transpose()?,
        })
    }
}

fn only(node: &Node, value: u32, what: &str) -> Read<u32> {
    match node.integer(0..=u64::from(u32::MAX))? {
        n if n == u64::from(value) => Ok(value),
        n => Err(node.fail(format!("this host knows {what} {value}, not {n}"))),
    }
}

pub(crate) fn abi(node: &Node) -> Read<u32> {
    only(node, ABI, "abi")
}

pub(crate) fn name(node: &Node) -> Read<Name> {
    node.parse(MAX_WORD)
}

/// The name of a plugin: not one by which manifests ask for the host itself.
pub(crate) fn plugin_name(node: &Node) -> Read<Name> {
    let name = name(node)?;
    match HOST_PARTS.contains(&name.as_str()) {
        true => Err(node.fail(format!("`{name}` is provided by the host, so no plugin can have this name"))),
        false => Ok(name),
    }
}

pub(crate) fn version(node: &Node) -> Read<Version> {
    node.parse(MAX_WORD)
}

/// Text for people: bounded, without control characters or marks that reorder it.
pub(crate) fn prose(node: Option<Node>) -> Read<Option<String>> {
    let Some(node) = node else { return Ok(None) };
    let text = node.text(MAX_TEXT)?;
    let reorders =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || reorders(c)) {
        return Err(node.fail("has a control character or a mark that reorders text"));
    }
    Ok(Some(text.to_owned()))
}

fn one_of<T: Copy>(node: &Node, words: &[(&str, T)]) -> Read<T> {
    let text = node.text(MAX_WORD)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let hint =
        nearest(text, names.iter().copied()).map_or(String::new(), |k| format!("; did you mean `{k}`?"));
    Err(node.fail(format!("must be one of {}{hint}", names.join(", "))))
}

pub(crate) fn engine(node: &Node) -> Read<EnginePreference> {
    use EnginePreference::{Any, Wasmer, Wasmtime};
    one_of(node, &[(Any.name(), Any), (Wasmtime.name(), Wasmtime), (Wasmer.name(), Wasmer)])
}

fn entry_points(node: Node) -> Read<BTreeMap<Lifecycle, ExportName>> {
    let mut fields = node.fields(&Lifecycle::ALL.map(Lifecycle::name))?;
    let mut points = BTreeMap::new();
    for function in Lifecycle::ALL {
        if let Some(node) = fields.take(function.name()) {
            points.insert(function, entry_point(&node)?);
        }
    }
    Ok(points)
}

fn entry_point(node: &Node) -> Read<ExportName> {
    let export: ExportName = node.parse(MAX_WORD)?;
    match RESERVED.contains(&export.as_str()) {
        true => Err(node.fail(format!("`{export}` has a meaning of its own and cannot be an entry point"))),
        false => Ok(export),
    }
}

fn operations(node: Node, is_entry_point: impl Fn(&ExportName) -> bool) -> Read<Vec<Operation>> {
    let mut names = BTreeSet::new();
    let mut operations = Vec::new();
    for item in node.list(MAX_ITEMS)? {
        let mut fields = item.fields(&["name", "description", "input", "output"])?;
        let node = fields.need("name")?;
        let name = operation_name(&node)?;
        if is_entry_point(&name) {
            return Err(node.fail(format!("`{name}` is an entry point, so it cannot be an operation")));
        }
        if !names.insert(name.clone()) {
            return Err(node.fail(format!("the operation `{name}` is there twice")));
        }
        let description = prose(fields.take("description"))?;
        let (input, output) = (media_type(fields.take("input"))?, media_type(fields.take("output"))?);
        operations.push(Operation { name, description, input, output });
    }
    Ok(operations)
}

fn operation_name(node: &Node) -> Read<ExportName> {
    let name: ExportName = node.parse(MAX_WORD)?;
    let text = name.as_str();
    if RESERVED.contains(&text) || Lifecycle::ALL.iter().any(|l| l.name() == text) {
        return Err(node.fail(format!("`{name}` has a meaning of its own and cannot be an operation")));
    }
    Ok(name)
}

fn media_type(node: Option<Node>) -> Read<Option<String>> {
    let Some(node) = node else { return Ok(None) };
    let text = node.text(MAX_WORD)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(node.fail("is not a media type"));
    }
    Ok(Some(text.to_owned()))
}

fn dependencies(node: Node) -> Read<BTreeMap<Name, VersionReq>> {
    let mut needs = BTreeMap::new();
    for (key, node) in node.entries(MAX_ITEMS)? {
        let name = Name::new(&key).map_err(|e| node.fail_key(e.to_string()))?;
        needs.insert(name, node.parse(MAX_WORD)?);
    }
    Ok(needs)
}

fn permissions(node: Node) -> Read<Vec<Permission>> {
    let mut asked = Vec::new();
    for (family, list) in node.entries(MAX_ITEMS)? {
        for item in list.list(MAX_ITEMS)? {
            let text = item.text(MAX_SCOPE)?;
            let permission = Permission::parse(&family, text).map_err(|e| item.fail(e.to_string()))?;
            if !asked.contains(&permission) {
                asked.push(permission);
            }
        }
    }
    Ok(asked)
}

fn limits(node: Node) -> Read<LimitsAsked> {
    let mut fields = node.fields(&["memory", "timeout", "fuel"])?;
    Ok(LimitsAsked {
        memory: fields.take("memory").map(|n| memory(&n)).transpose()?,
        timeout: fields.take("timeout").map(|n| timeout(&n)).transpose()?,
        fuel: fields.take("fuel").map(|n| n.integer(1..=u64::MAX >> 1)).transpose()?,
    })
}

fn memory(node: &Node) -> Read<u64> {
    const PAGE: u64 = 65_536;
    match node.parse::<ByteSize>(MAX_WORD)?.0 {
        bytes if bytes < PAGE => Err(node.fail("is less than one page of 64KiB")),
        bytes => Ok(bytes),
    }
}

fn timeout(node: &Node) -> Read<Duration> {
    match node.parse::<Span>(MAX_WORD)?.0 {
        time if time.is_zero() || time > MAX_TIMEOUT => {
            Err(node.fail("must be more than zero and at most 24h"))
        }
        time => Ok(time),
    }
}

fn instances(node: Node) -> Read<Instances> {
    use InstanceMode::{Fresh, Pooled, Shared};
    let words = [Shared, Pooled, Fresh].map(|m| (m.name(), m));
    let mut fields = node.fields(&["mode", "max", "warm"])?;
    let mode = fields.take("mode").map_or(Ok(InstanceMode::default()), |n| one_of(&n, &words))?;
    let max = fields.take("max").map_or(Ok(DEFAULT_POOL), |n| count(&n))?;
    let warm = fields.take("warm");
    let warm = warm.map_or(Ok(NonZeroU32::MIN), |n| match count(&n)? {
        more if more > max => Err(n.fail("must be at most `instances.max`")),
        warm => Ok(warm),
    })?;
    Ok(Instances { mode, max, warm })
}

/// A number of instances.
fn count(node: &Node) -> Read<NonZeroU32> {
    let count = u32::try_from(node.integer(1..=1024)?).ok().and_then(NonZeroU32::new);
    Ok(count.unwrap_or(NonZeroU32::MIN))
}

fn files(node: Node) -> Read<BTreeMap<String, Digest>> {
    let mut files = BTreeMap::new();
    for (name, node) in node.entries(MAX_FILES)? {
        let plain = names::plain(&name).is_ok_and(|plain| plain == name);
        if !plain || names::role(&name) != Some(Role::Content) {
            return Err(node.fail_key("is not a file that a manifest lists"));
        }
        files.insert(name, node.parse(MAX_WORD)?);
    }
    Ok(files)
}
