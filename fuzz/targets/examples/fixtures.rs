//! Makes `fuzz/targets/fixtures` anew: certificates valid until 2100, a bundle, and an audit log. Private keys are thrown away.

#![allow(clippy::unwrap_used, reason = "a tool of developers; what fails ends it")]

use common::audit::{Actor, AuditLog, AuditOptions, JournalKind, Outcome, Record};
use common::clock::ManualClock;
use common::crypto::{Algorithm, SigningKey};
use common::identity::{IdentityContext, Name};
use plugin_manager::attestation::trust::{AnchorEntry, CertificateSource, PublisherEntry};
use plugin_manager::attestation::{Authority, AuthoritySpec, Issued, LeafSpec, TrustConfig, Validity, sign};
use plugin_manager::{Package, PackageLimits, Source, pack};
use std::path::Path;

const VALIDITY: Validity = Validity { not_before: 1_700_000_000, not_after: 4_102_444_800 };
const NOW_NS: u64 = 1_700_000_100_000_000_000;

fn main() {
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    certificates(&to);
    log(&to.join("audit"));
}

fn authority(name: &str, below: u8) -> AuthoritySpec<'_> {
    AuthoritySpec {
        name,
        validity: VALIDITY,
        algorithm: Algorithm::EcdsaP256Sha256,
        development: false,
        below,
    }
}

fn leaf(issuer: &Authority, algorithm: Algorithm) -> Issued {
    let (name, uri) = ("acme", "https://example.com/publishers/acme");
    let spec = LeafSpec {
        name,
        uri,
        issuer: "https://example.com",
        validity: VALIDITY,
        algorithm,
        development: false,
    };
    issuer.issue(&spec).unwrap()
}

fn certificates(to: &Path) {
    let (root, root_files) = Authority::create(&authority("fuzz root", 1)).unwrap();
    let (below, below_files) = root.subordinate(&authority("fuzz intermediate", 0)).unwrap();
    std::fs::write(to.join("root.pem"), &root_files.certificate).unwrap();
    std::fs::write(to.join("intermediate.pem"), &below_files.certificate).unwrap();
    let signer = leaf(&root, Algorithm::EcdsaP256Sha256);
    std::fs::write(to.join("leaf.der"), &signer.der).unwrap();
    std::fs::write(to.join("leaf-below.der"), &leaf(&below, Algorithm::EcdsaP256Sha256).der).unwrap();
    std::fs::write(to.join("leaf-ed25519.der"), &leaf(&root, Algorithm::Ed25519).der).unwrap();
    let mut config = TrustConfig::default();
    config.anchors.push(AnchorEntry {
        name: Name::new("fuzz-root").unwrap(),
        source: CertificateSource::File("root.pem".into()),
        uri_prefix: "https://example.com/publishers".into(),
    });
    config.intermediates.push(CertificateSource::File("intermediate.pem".into()));
    let acme = Name::new("acme").unwrap();
    config.publishers.push(PublisherEntry::new(acme, "https://example.com/publishers/acme"));
    std::fs::write(to.join("trust.toml"), config.to_toml()).unwrap();
    bundle(to, &signer);
}

fn bundle(to: &Path, signer: &Issued) {
    let toml = "[plugin]\nname=\"hello\"\nversion=\"1.2.3\"\npublisher=\"acme\"\n";
    let source = Source { plugin_toml: toml, publisher: None, module: b"\0asm\x01\0\0\0", assets: &[] };
    let package = pack(&source, &PackageLimits::default()).unwrap();
    let package = Package::load(&package, &PackageLimits::default()).unwrap();
    let key = SigningKey::from_pkcs8(&signer.key).unwrap();
    let bundle = sign(&package, &key, &signer.der, NOW_NS).unwrap();
    let statement = plugin_manager::attestation::fuzzing::payload(&bundle).unwrap();
    std::fs::write(to.join("bundle.json"), bundle).unwrap();
    std::fs::write(to.join("statement.json"), statement).unwrap();
}

/// A log with a checkpoint in its middle and one at its end.
fn log(to: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let public = key.public();
    let options = AuditOptions { journal: JournalKind::Memory, ..AuditOptions::new("fuzz") };
    let log = AuditLog::open(dir.path(), key, options, ManualClock::at(NOW_NS)).unwrap();
    let actor = Actor::new(&IdentityContext::operator("ann"));
    for index in 0..6 {
        let name = format!("plugin-{index}");
        let record = Record {
            event: "management",
            outcome: Outcome::Ok,
            code: None,
            actor: &actor,
            action: "install",
            resource: ("plugin", &name),
            decision: None,
            details: &[("version", "1.0.0")],
        };
        log.commit(&record).unwrap();
    }
    drop(log);
    for name in ["0000000001.jsonl", "checkpoint", "checkpoints", "edge"] {
        std::fs::copy(dir.path().join(name), to.join(name)).unwrap();
    }
    std::fs::write(to.join("key.public"), public.as_bytes()).unwrap();
}
