//! From the text of `trust.toml` to its entries.

use super::config::{
    AnchorEntry, CertificateSource, CrlPolicy, Environment, KillList, NamePattern, PublisherEntry,
    Requirement, SignerEntry, StagingPolicy, TrustConfig,
};
use super::{TrustError, members, notary};
use crate::attestation::certificate::plain_serial;
use crate::loader::document::{self, DocumentError, Fields, Node};
use common::config::Span;
use common::crypto::Algorithm;
use common::identity::{Digest, Name};
use common::permission::Capability;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MAX_TEXT: usize = 1 << 20;
const MAX_ITEMS: usize = 4096;
const MAX_ANCHORS: usize = 64;
/// Most signers a package can be required to have: it has room for no more attestations.
const MAX_SIGNERS: u64 = 32;
const MAX_WORD: usize = 1024;
const MAX_PEM: usize = 64 << 10;
const MAX_SKEW: Duration = Duration::from_secs(3600);

/// Keys of checks that a later version brings.
const LATER_TOP: &[&str] = &["witness"];
const LATER_VERIFY: &[&str] = &["timestamp", "log"];
const LATER_KILL: &[&str] = &["file", "url"];

pub(super) fn config(text: &str) -> Result<TrustConfig, TrustError> {
    read(text).map_err(|error| match error {
        TrustError::Invalid(fault) => TrustError::Invalid(fault.in_file("trust.toml")),
        other => other,
    })
}

fn read(text: &str) -> Result<TrustConfig, TrustError> {
    let document = document::toml(text, MAX_TEXT).map_err(TrustError::Invalid)?;
    let known = [
        "version",
        "mode",
        "verify",
        "anchor",
        "intermediate",
        "publisher",
        "signer",
        "role",
        "tier",
        "kill",
        "timestamp_authority",
        "log",
    ];
    let mut top = fields(document, &known, LATER_TOP, "")?;
    only_version_one(&top.need("version").map_err(TrustError::Invalid)?).map_err(TrustError::Invalid)?;
    let mut config = TrustConfig::default();
    if let Some(node) = top.take("mode") {
        config.mode = Some(environment(&node).map_err(TrustError::Invalid)?);
    }
    if let Some(node) = top.take("verify") {
        verify(node, &mut config)?;
    }
    config.anchors = list(&mut top, "anchor", MAX_ANCHORS, |n| anchor(n).map_err(TrustError::Invalid))?;
    config.intermediates =
        list(&mut top, "intermediate", MAX_ANCHORS, |n| intermediate(n).map_err(TrustError::Invalid))?;
    config.notaries.timestamp_authorities = list(&mut top, "timestamp_authority", MAX_ANCHORS, |n| {
        notary::authority(n).map_err(TrustError::Invalid)
    })?;
    config.notaries.logs =
        list(&mut top, "log", MAX_ANCHORS, |n| notary::log(n).map_err(TrustError::Invalid))?;
    config.publishers = list(&mut top, "publisher", MAX_ITEMS, publisher)?;
    config.signers = list(&mut top, "signer", MAX_ITEMS, |n| signer(n).map_err(TrustError::Invalid))?;
    config.roles = list(&mut top, "role", MAX_ITEMS, |n| members::role(n).map_err(TrustError::Invalid))?;
    config.tiers = list(&mut top, "tier", MAX_ITEMS, |n| members::tier(n).map_err(TrustError::Invalid))?;
    if let Some(node) = top.take("kill") {
        config.kill = kill(node)?;
    }
    consistent(&config).map_err(TrustError::Invalid)?;
    Ok(config)
}

/// The fields of a table; a key of a later version is told apart from one nobody knows.
fn fields(node: Node, known: &[&str], later: &[&str], place: &str) -> Result<Fields, TrustError> {
    let all: Vec<&str> = known.iter().chain(later).copied().collect();
    let fields = node.fields(&all).map_err(TrustError::Invalid)?;
    match later.iter().find(|key| fields.has(key)) {
        Some(key) => Err(TrustError::Unsupported { key: format!("{place}{key}") }),
        None => Ok(fields),
    }
}

fn list<T>(
    top: &mut Fields,
    key: &str,
    max: usize,
    read: impl Fn(Node) -> Result<T, TrustError>,
) -> Result<Vec<T>, TrustError> {
    let Some(node) = top.take(key) else { return Ok(Vec::new()) };
    node.list(max).map_err(TrustError::Invalid)?.into_iter().map(read).collect()
}

fn only_version_one(node: &Node) -> Result<(), DocumentError> {
    node.integer(1..=1).map(|_| ()).map_err(|_| node.fail("this build knows version 1"))
}

fn environment(node: &Node) -> Result<Environment, DocumentError> {
    let text = node.text(MAX_WORD)?;
    let found = Environment::ALL.into_iter().find(|e| e.name() == text);
    found.ok_or_else(|| node.fail("must be production, staging or development"))
}

fn verify(node: Node, config: &mut TrustConfig) -> Result<(), TrustError> {
    let known = [
        "algorithms",
        "clock_skew",
        "max_chain",
        "time",
        "require",
        "crl",
        "require_timestamp",
        "require_log_entry",
        "staging",
    ];
    let mut fields = fields(node, &known, LATER_VERIFY, "verify.")?;
    supported(fields.take("time"), "now")?;
    if let Some(node) = fields.take("require") {
        config.require = requirements(node)?;
    }
    notary::required(&mut fields, &mut config.notaries).map_err(TrustError::Invalid)?;
    verify_values(&mut fields, config).map_err(TrustError::Invalid)
}

/// A choice of which this build has one.
fn supported(node: Option<Node>, only: &str) -> Result<(), TrustError> {
    let Some(node) = node else { return Ok(()) };
    let text = node.text(MAX_WORD).map_err(TrustError::Invalid)?;
    match text == only {
        true => Ok(()),
        false => Err(TrustError::Unsupported {
            key: node.fail(format!("\"{}\"", document::clip(text))).to_string(),
        }),
    }
}

/// What packages must carry. `package`, the publisher's own signature, always is.
fn requirements(node: Node) -> Result<BTreeSet<Requirement>, TrustError> {
    let mut required = BTreeSet::new();
    for item in node.list(16).map_err(TrustError::Invalid)? {
        let text = item.text(MAX_WORD).map_err(TrustError::Invalid)?;
        match Requirement::ALL.into_iter().find(|r| r.name() == text) {
            Some(found) => drop(required.insert(found)),
            None => supported(Some(item), "package")?,
        }
    }
    Ok(required)
}

fn crl(node: Node) -> Result<CrlPolicy, DocumentError> {
    let mut fields = node.fields(&["directory", "required", "max_age"])?;
    let mut policy = CrlPolicy::default();
    if let Some(node) = fields.take("directory") {
        policy.directory = plain_path(&node)?;
    }
    if let Some(node) = fields.take("required") {
        policy.required = node.boolean()?;
    }
    if let Some(node) = fields.take("max_age") {
        policy.max_age = Some(age(&node)?);
    }
    Ok(policy)
}

fn age(node: &Node) -> Result<Duration, DocumentError> {
    let age = node.parse::<Span>(MAX_WORD)?.0;
    match age.is_zero() || age.subsec_nanos() != 0 {
        true => Err(node.fail("must be whole seconds, one at least")),
        false => Ok(age),
    }
}

fn staging(node: Node) -> Result<StagingPolicy, DocumentError> {
    let mut fields = node.fields(&["signers", "max_age"])?;
    let max_age = fields.take("max_age").map(|node| age(&node)).transpose()?;
    Ok(StagingPolicy { signers: names(fields.take("signers"))?, max_age })
}

fn verify_values(fields: &mut Fields, config: &mut TrustConfig) -> Result<(), DocumentError> {
    if let Some(node) = fields.take("algorithms") {
        let empty = node.fail("must name at least one");
        config.algorithms = node.list(8)?.iter().map(algorithm).collect::<Result<_, _>>()?;
        if config.algorithms.is_empty() {
            return Err(empty);
        }
    }
    if let Some(node) = fields.take("clock_skew") {
        config.clock_skew = node.parse::<Span>(MAX_WORD)?.0;
        if config.clock_skew > MAX_SKEW || config.clock_skew.subsec_nanos() != 0 {
            return Err(node.fail("must be whole seconds and at most 1h"));
        }
    }
    if let Some(node) = fields.take("max_chain") {
        config.max_chain = usize::try_from(node.integer(2..=8)?).unwrap_or(2);
    }
    if let Some(node) = fields.take("crl") {
        config.crl = crl(node)?;
    }
    if let Some(node) = fields.take("staging") {
        config.staging = staging(node)?;
    }
    Ok(())
}

fn algorithm(node: &Node) -> Result<Algorithm, DocumentError> {
    let known = [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519];
    Algorithm::from_name(node.text(MAX_WORD)?)
        .ok_or_else(|| node.fail(format!("must be one of {}", known.map(Algorithm::name).join(", "))))
}

pub(super) fn source(fields: &mut Fields) -> Result<CertificateSource, DocumentError> {
    match (fields.take("file"), fields.take("pem")) {
        (Some(file), None) => plain_path(&file).map(CertificateSource::File),
        (None, Some(pem)) => Ok(CertificateSource::Pem(pem.text(MAX_PEM)?.to_owned())),
        (Some(node), Some(_)) => Err(node.fail("has `pem` beside it; give one of the two")),
        (None, None) => fields.need("file").map(|_| CertificateSource::File(String::new())),
    }
}

fn plain_path(node: &Node) -> Result<String, DocumentError> {
    let text = node.text(MAX_WORD)?;
    let plain =
        !text.is_empty() && !text.contains('\\') && text.split('/').all(|p| !matches!(p, "" | "." | ".."));
    if !plain || text.chars().any(char::is_control) {
        return Err(node.fail("must be a plain path inside the trust directory"));
    }
    Ok(text.to_owned())
}

fn anchor(node: Node) -> Result<AnchorEntry, DocumentError> {
    let mut fields = node.fields(&["name", "file", "pem", "uri_prefix"])?;
    let prefix = fields.need("uri_prefix")?;
    Ok(AnchorEntry {
        name: fields.need("name")?.parse(MAX_WORD)?,
        uri_prefix: uri(&prefix)?,
        source: source(&mut fields)?,
    })
}

fn intermediate(node: Node) -> Result<CertificateSource, DocumentError> {
    source(&mut node.fields(&["file", "pem"])?)
}

fn uri(node: &Node) -> Result<String, DocumentError> {
    let text = node.text(MAX_WORD)?;
    let rest = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, rest)| rest);
    match rest {
        Some(rest) if !rest.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) => Ok(text.to_owned()),
        _ => Err(node.fail("must be a URI such as https://example.com/publishers/acme")),
    }
}

fn publisher(node: Node) -> Result<PublisherEntry, TrustError> {
    const KNOWN: &[&str] = &[
        "name",
        "uri",
        "packages",
        "environments",
        "max_permissions",
        "min_version",
        "required_signers",
        "signers",
        "required_roles",
        "require",
        "builders",
    ];
    let mut fields = fields(node, KNOWN, &[], "publisher.")?;
    let require = fields.take("require").map(requirements).transpose()?;
    let mut entry = publisher_values(&mut fields).map_err(TrustError::Invalid)?;
    entry.require = require.unwrap_or_default();
    Ok(entry)
}

fn signer(node: Node) -> Result<SignerEntry, DocumentError> {
    let mut fields = node.fields(&["name", "uri", "roles"])?;
    let (name, uri) = (fields.need("name")?.parse(MAX_WORD)?, uri(&fields.need("uri")?)?);
    Ok(SignerEntry { name, uri, roles: names(fields.take("roles"))? })
}

fn names(node: Option<Node>) -> Result<Vec<Name>, DocumentError> {
    items(node)?.iter().map(|n| n.parse(MAX_WORD)).collect()
}

fn publisher_values(fields: &mut Fields) -> Result<PublisherEntry, DocumentError> {
    let name = fields.need("name")?.parse(MAX_WORD)?;
    let mut entry = PublisherEntry::new(name, uri(&fields.need("uri")?)?);
    let packages = fields.need("packages")?.list(MAX_ITEMS)?;
    entry.packages = packages.iter().map(|n| n.parse::<NamePattern>(MAX_WORD)).collect::<Result<_, _>>()?;
    if let Some(node) = fields.take("environments") {
        entry.environments = node.list(3)?.iter().map(environment).collect::<Result<_, _>>()?;
    }
    if let Some(node) = fields.take("max_permissions") {
        entry.max_permissions = Some(ceiling(node)?);
    }
    if let Some(node) = fields.take("min_version") {
        entry.min_version = floors(node)?;
    }
    if let Some(node) = fields.take("required_signers") {
        entry.required_signers = usize::try_from(node.integer(1..=MAX_SIGNERS)?).unwrap_or(usize::MAX);
    }
    entry.signers = names(fields.take("signers"))?;
    entry.required_roles = names(fields.take("required_roles"))?;
    for node in items(fields.take("builders"))? {
        entry.builders.push(node.text(MAX_WORD)?.to_owned());
    }
    Ok(entry)
}

/// `filesystem` for all of a family, `filesystem:read` for one verb.
fn ceiling(node: Node) -> Result<BTreeSet<Capability>, DocumentError> {
    let mut allowed = BTreeSet::new();
    for item in node.list(MAX_ITEMS)? {
        let text = item.text(MAX_WORD)?;
        let (family, verb) = text.split_once(':').map_or((text, None), |(f, v)| (f, Some(v)));
        let fits = |c: &Capability| c.family() == family && verb.is_none_or(|v| v == c.verb());
        let mut any = false;
        for capability in Capability::all().filter(fits) {
            any = true;
            allowed.insert(capability);
        }
        if !any {
            return Err(item.fail(
                "must be a permission family such as \"storage\", or one verb such as \"storage:get\"",
            ));
        }
    }
    Ok(allowed)
}

fn floors(node: Node) -> Result<BTreeMap<Name, semver::Version>, DocumentError> {
    let mut floors = BTreeMap::new();
    for (key, node) in node.entries(MAX_ITEMS)? {
        let name = Name::new(&key).map_err(|e| node.fail_key(e.to_string()))?;
        floors.insert(name, node.parse(MAX_WORD)?);
    }
    Ok(floors)
}

fn kill(node: Node) -> Result<KillList, TrustError> {
    let mut fields = fields(node, &["digests", "serials", "keys"], LATER_KILL, "kill.")?;
    let read = |fields: &mut Fields| -> Result<KillList, DocumentError> {
        Ok(KillList {
            digests: digests(fields.take("digests"))?,
            serials: items(fields.take("serials"))?.iter().map(serial).collect::<Result<_, _>>()?,
            keys: digests(fields.take("keys"))?,
        })
    };
    read(&mut fields).map_err(TrustError::Invalid)
}

fn items(node: Option<Node>) -> Result<Vec<Node>, DocumentError> {
    node.map_or_else(|| Ok(Vec::new()), |n| n.list(MAX_ITEMS))
}

fn digests(node: Option<Node>) -> Result<BTreeSet<Digest>, DocumentError> {
    items(node)?.iter().map(|n| n.parse(MAX_WORD)).collect()
}

fn serial(node: &Node) -> Result<String, DocumentError> {
    let text = node.text(64)?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    match !text.is_empty() && text.len() % 2 == 0 && text.bytes().all(hex) {
        true => Ok(plain_serial(text).to_owned()),
        false => Err(node.fail(
            "must be whole bytes in lower-case hexadecimal, as `forgeone keys list --json` shows them",
        )),
    }
}

/// Entries that contradict each other, or could never match.
fn consistent(config: &TrustConfig) -> Result<(), DocumentError> {
    let (mut names, mut uris, mut anchors) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (i, anchor) in config.anchors.iter().enumerate() {
        if !anchors.insert(&anchor.name) {
            return Err(DocumentError::new(&format!("anchor[{i}].name"), "is there twice"));
        }
    }
    for (i, publisher) in config.publishers.iter().enumerate() {
        let fail = |key: &str, problem| Err(DocumentError::new(&format!("publisher[{i}].{key}"), problem));
        if !names.insert(&publisher.name) {
            return fail("name", "is there twice");
        }
        if !uris.insert(&publisher.uri) {
            return fail("uri", "is there twice");
        }
        if !config.anchors.iter().any(|a| super::root::covers(&a.uri_prefix, &publisher.uri)) {
            return fail("uri", "lies under no anchor's uri_prefix");
        }
    }
    notary::consistent(&config.notaries)?;
    members::consistent(&config.roles, &config.tiers)?;
    signers_fit(config, uris)
}

/// Every signer could sign, and every publisher could have as many as it must.
fn signers_fit<'c>(config: &'c TrustConfig, mut uris: BTreeSet<&'c String>) -> Result<(), DocumentError> {
    let mut names = BTreeSet::new();
    for (i, signer) in config.signers.iter().enumerate() {
        let fail = |key: &str, problem| Err(DocumentError::new(&format!("signer[{i}].{key}"), problem));
        if !names.insert(&signer.name) {
            return fail("name", "is there twice");
        }
        if !uris.insert(&signer.uri) {
            return fail("uri", "is there twice");
        }
        if !config.anchors.iter().any(|a| super::root::covers(&a.uri_prefix, &signer.uri)) {
            return fail("uri", "lies under no anchor's uri_prefix");
        }
    }
    stagers_fit(config, &names)?;
    for (i, publisher) in config.publishers.iter().enumerate() {
        let fail = |key: &str, problem| Err(DocumentError::new(&format!("publisher[{i}].{key}"), problem));
        if publisher.signers.iter().any(|name| !names.contains(name)) {
            return fail("signers", "names somebody who is no [[signer]]");
        }
        let counting: BTreeSet<&Name> = config.signers_of(publisher).map(|s| &s.name).collect();
        if publisher.required_signers > counting.len() + 1 {
            return fail("required_signers", "is more than there are signers, the publisher included");
        }
        let held = |role: &Name| config.signers_of(publisher).any(|s| s.roles.contains(role));
        if !publisher.required_roles.iter().all(held) {
            return fail("required_roles", "names a role that no signer has");
        }
    }
    Ok(())
}

/// Where a staging attestation is required, somebody must be there whose counts.
fn stagers_fit(config: &TrustConfig, names: &BTreeSet<&Name>) -> Result<(), DocumentError> {
    if config.staging.signers.iter().any(|name| !names.contains(name)) {
        return Err(DocumentError::new("verify.staging.signers", "names somebody who is no [[signer]]"));
    }
    let required = |of: &BTreeSet<Requirement>| of.contains(&Requirement::Staging);
    let wanted = required(&config.require) || config.publishers.iter().any(|p| required(&p.require));
    match wanted && config.stagers().next().is_none() {
        true => Err(DocumentError::new(
            "verify.staging",
            "\"staging\" is required and no [[signer]] has the role",
        )),
        false => Ok(()),
    }
}
