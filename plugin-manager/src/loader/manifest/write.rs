//! From a manifest to `manifest.json`: fields in a fixed order, maps sorted, so that equal manifests give equal bytes.

use super::{EnginePreference, Manifest};
use common::config::{ByteSize, Span};
use common::permission::Permission;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Out<'a> {
    schema: u32,
    name: &'a str,
    version: String,
    publisher: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<&'a str>,
    abi: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    entry_points: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operations: Vec<OperationOut<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dependencies: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    permissions: BTreeMap<&'static str, Vec<String>>,
    #[serde(skip_serializing_if = "LimitsOut::is_empty")]
    limits: LimitsOut,
    instances: InstancesOut,
    engine: &'static str,
    files: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct OperationOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
}

#[derive(Serialize)]
struct LimitsOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
}

impl LimitsOut {
    const fn is_empty(&self) -> bool {
        self.memory.is_none() && self.timeout.is_none() && self.fuel.is_none()
    }
}

#[derive(Serialize)]
struct InstancesOut {
    mode: &'static str,
    max: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm: Option<u32>,
}

pub(super) fn json(manifest: &Manifest) -> Vec<u8> {
    // Strings and maps with string keys always serialise; an empty result would fail to load again.
    let mut bytes = serde_json::to_vec_pretty(&out(manifest)).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn out(m: &Manifest) -> Out<'_> {
    Out {
        schema: super::SCHEMA,
        name: m.name.as_str(),
        version: m.version.to_string(),
        publisher: m.publisher.as_str(),
        description: m.description.as_deref(),
        author: m.author.as_deref(),
        license: m.license.as_deref(),
        abi: m.abi,
        entry_points: m.entry_points.iter().map(|(l, e)| (l.name(), e.as_str())).collect(),
        operations: m.operations.iter().map(operation).collect(),
        dependencies: m.dependencies.iter().map(|(n, r)| (n.as_str(), r.to_string())).collect(),
        permissions: permissions(&m.permissions),
        limits: limits(m),
        instances: instances(m.instances),
        engine: EnginePreference::name(m.engine),
        files: m.files.iter().map(|(n, d)| (n.as_str(), d.to_string())).collect(),
    }
}

/// `warm` is left out where it is what hosts that do not know it do anyway.
fn instances(i: super::Instances) -> InstancesOut {
    let warm = i.warm.get();
    InstancesOut { mode: i.mode.name(), max: i.max.get(), warm: (warm > 1).then_some(warm) }
}

fn operation(o: &super::Operation) -> OperationOut<'_> {
    OperationOut {
        name: o.name.as_str(),
        description: o.description.as_deref(),
        input: o.input.as_deref(),
        output: o.output.as_deref(),
    }
}

fn limits(m: &Manifest) -> LimitsOut {
    LimitsOut {
        memory: m.limits.memory.map(|bytes| ByteSize(bytes).to_string()),
        timeout: m.limits.timeout.map(|time| Span(time).to_string()),
        fuel: m.limits.fuel,
    }
}

fn permissions(asked: &[Permission]) -> BTreeMap<&'static str, Vec<String>> {
    let mut families: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for p in asked {
        let verb = p.capability.verb();
        let text = p.scope.as_ref().map_or_else(|| verb.to_owned(), |scope| format!("{verb}:{scope}"));
        families.entry(p.capability.family()).or_default().push(text);
    }
    families
}
