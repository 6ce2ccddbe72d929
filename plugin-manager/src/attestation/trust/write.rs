//! From entries to the text of `trust.toml`.

use super::config::{
    CertificateSource, CrlPolicy, Environment, PublisherEntry, Requirement, SignerEntry, StagingPolicy,
    TrustConfig,
};
use super::members::{RoleOut, TierOut, roles_out, tiers_out};
use common::config::Span;
use common::crypto::Algorithm;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize)]
struct Out {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    verify: VerifyOut,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    anchor: Vec<AnchorOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    intermediate: Vec<SourceOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timestamp_authority: Vec<AuthorityOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<LogOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    publisher: Vec<PublisherOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signer: Vec<SignerOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role: Vec<RoleOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tier: Vec<TierOut>,
    kill: KillOut,
}

#[derive(Serialize)]
struct VerifyOut {
    algorithms: Vec<&'static str>,
    clock_skew: String,
    max_chain: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    require: Vec<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    require_timestamp: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    require_log_entry: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    crl: Option<CrlOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    staging: Option<StagingOut>,
}

#[derive(Serialize)]
struct StagingOut {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<String>,
}

#[derive(Serialize)]
struct AuthorityOut {
    name: String,
    #[serde(flatten)]
    source: SourceOut,
}

#[derive(Serialize)]
struct LogOut {
    vkey: String,
}

#[derive(Serialize)]
struct CrlOut {
    directory: String,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<String>,
}

#[derive(Serialize)]
struct SignerOut {
    name: String,
    uri: String,
    roles: Vec<String>,
}

#[derive(Serialize)]
struct AnchorOut {
    name: String,
    uri_prefix: String,
    #[serde(flatten)]
    source: SourceOut,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum SourceOut {
    File(String),
    Pem(String),
}

#[derive(Serialize)]
struct PublisherOut {
    name: String,
    uri: String,
    packages: Vec<String>,
    environments: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_permissions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    min_version: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_signers: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    require: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    builders: Vec<String>,
}

#[derive(Serialize)]
struct KillOut {
    digests: Vec<String>,
    serials: Vec<String>,
    keys: Vec<String>,
}

pub(super) fn toml(config: &TrustConfig) -> String {
    // Texts, lists and tables of them always serialise; an empty result would not parse again.
    toml::to_string(&out(config)).unwrap_or_default()
}

fn out(config: &TrustConfig) -> Out {
    let kill = &config.kill;
    Out {
        version: 1,
        mode: config.mode.map(Environment::name),
        verify: VerifyOut {
            algorithms: config.algorithms.iter().map(|a| Algorithm::name(*a)).collect(),
            clock_skew: Span(config.clock_skew).to_string(),
            max_chain: u32::try_from(config.max_chain).unwrap_or(u32::MAX),
            require: words(&config.require),
            require_timestamp: config.notaries.require_timestamp,
            require_log_entry: config.notaries.require_log_entry,
            crl: (config.crl != CrlPolicy::default()).then(|| CrlOut {
                directory: config.crl.directory.clone(),
                required: config.crl.required,
                max_age: config.crl.max_age.map(|age| Span(age).to_string()),
            }),
            staging: (config.staging != StagingPolicy::default()).then(|| StagingOut {
                signers: texts(&config.staging.signers),
                max_age: config.staging.max_age.map(|age| Span(age).to_string()),
            }),
        },
        anchor: config
            .anchors
            .iter()
            .map(|a| AnchorOut {
                name: a.name.to_string(),
                uri_prefix: a.uri_prefix.clone(),
                source: source(&a.source),
            })
            .collect(),
        intermediate: config.intermediates.iter().map(source).collect(),
        timestamp_authority: config
            .notaries
            .timestamp_authorities
            .iter()
            .map(|a| AuthorityOut { name: a.name.to_string(), source: source(&a.source) })
            .collect(),
        log: config.notaries.logs.iter().map(|l| LogOut { vkey: l.vkey() }).collect(),
        publisher: config.publishers.iter().map(publisher).collect(),
        signer: config.signers.iter().map(signer).collect(),
        role: roles_out(&config.roles),
        tier: tiers_out(&config.tiers),
        kill: KillOut {
            digests: kill.digests.iter().map(ToString::to_string).collect(),
            serials: kill.serials.iter().cloned().collect(),
            keys: kill.keys.iter().map(ToString::to_string).collect(),
        },
    }
}

fn source(source: &CertificateSource) -> SourceOut {
    match source {
        CertificateSource::File(file) => SourceOut::File(file.clone()),
        CertificateSource::Pem(text) => SourceOut::Pem(text.clone()),
    }
}

fn words(required: &BTreeSet<Requirement>) -> Vec<&'static str> {
    required.iter().map(|r| r.name()).collect()
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn signer(entry: &SignerEntry) -> SignerOut {
    SignerOut { name: entry.name.to_string(), uri: entry.uri.clone(), roles: texts(&entry.roles) }
}

fn publisher(entry: &PublisherEntry) -> PublisherOut {
    let verb = |c: &common::permission::Capability| format!("{}:{}", c.family(), c.verb());
    PublisherOut {
        name: entry.name.to_string(),
        uri: entry.uri.clone(),
        packages: entry.packages.iter().map(ToString::to_string).collect(),
        environments: entry.environments.iter().map(|e| e.name()).collect(),
        max_permissions: entry.max_permissions.as_ref().map(|set| set.iter().map(verb).collect()),
        min_version: entry.min_version.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        required_signers: Some(entry.required_signers).filter(|m| *m > 1).and_then(|m| u32::try_from(m).ok()),
        signers: texts(&entry.signers),
        required_roles: texts(&entry.required_roles),
        require: words(&entry.require),
        builders: entry.builders.clone(),
    }
}
