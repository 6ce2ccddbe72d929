//! Signatures: bundles, statements, certificates and their paths to an anchor.

use crate::choice::Choice;
use crate::{Seen, Target, told};
use plugin_manager::attestation::fuzzing as inner;
use plugin_manager::attestation::{AttestationError, TrustConfig, TrustRoot, certificate_facts, pem_to_der};
use std::cell::OnceCell;

/// An anchor; `examples/fixtures.rs` makes all of these.
pub const ROOT_PEM: &str = include_str!("../fixtures/root.pem");
/// A trust configuration that names it.
pub const TRUST_TOML: &str = include_str!("../fixtures/trust.toml");
const LEAF: &[u8] = include_bytes!("../fixtures/leaf.der");
const LEAF_BELOW: &[u8] = include_bytes!("../fixtures/leaf-below.der");
const LEAF_ED25519: &[u8] = include_bytes!("../fixtures/leaf-ed25519.der");
const AUTHORITY_PEM: &str = include_str!("../fixtures/intermediate.pem");
const BUNDLE_JSON: &[u8] = include_bytes!("../fixtures/bundle.json");
const STATEMENT_JSON: &[u8] = include_bytes!("../fixtures/statement.json");
/// Seconds since 1970 at which the fixtures are valid.
const NOW: u64 = 1_800_000_000;

pub const BUNDLE: Target = Target {
    name: "bundle",
    max_len: 4 << 10,
    tokens: &[
        "\"mediaType\":",
        "\"verificationMaterial\":",
        "\"certificate\":",
        "\"rawBytes\":",
        "\"dsseEnvelope\":",
        "\"payload\":",
        "\"payloadType\":",
        "\"signatures\":",
        "\"sig\":",
        "\"keyid\":",
        "\"tlogEntries\":[]",
        "AAAA",
        "==",
        "application/vnd.in-toto+json",
    ],
    memory: 8 << 20,
    smoke: 3_000,
    body: |input| Seen::of(inner::bundle(input)),
    seeds: || vec![BUNDLE_JSON.to_vec()],
};

pub const STATEMENT: Target = Target {
    name: "statement",
    max_len: 4 << 10,
    tokens: &[
        "\"_type\":",
        "\"subject\":",
        "\"predicateType\":",
        "\"predicate\":",
        "\"digest\":",
        "\"sha256\":",
        "\"name\":",
        "\"version\":",
        "\"publisher\":",
        "\"manifest\":",
        "\"signedAt\":",
        "sha256:",
        "\\u0000",
        "\\u202e",
    ],
    memory: 8 << 20,
    smoke: 3_000,
    body: |input| Seen::of(inner::statement(input)),
    seeds: || vec![STATEMENT_JSON.to_vec()],
};

pub const CERTIFICATE: Target = Target {
    name: "certificate",
    max_len: 4 << 10,
    tokens: &[
        "\x30\u{82}",
        "\x02\x01",
        "\x06\x03\x55\x1d",
        "\x30\u{80}",
        "\0\0",
        "\x01\x01\u{ff}",
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
    ],
    memory: 8 << 20,
    smoke: 2_000,
    body: certificate,
    seeds: certificate_seeds,
};

thread_local! {
    static TRUST: OnceCell<TrustRoot> = const { OnceCell::new() };
}

fn trust() -> Result<TrustRoot, String> {
    let config = TrustConfig::parse(TRUST_TOML).map_err(|e| told(&e))?;
    let read = |file: &str| match file {
        "root.pem" => Some(ROOT_PEM.as_bytes().to_vec()),
        "intermediate.pem" => Some(AUTHORITY_PEM.as_bytes().to_vec()),
        _ => None,
    };
    TrustRoot::new(config, read).map_err(|e| told(&e))
}

/// DER, or PEM when the first byte is odd. A certificate that has a path to the anchor is one the anchor signed.
fn certificate(input: &[u8]) -> Seen {
    let mut choice = Choice::new(input);
    let der = match choice.byte() % 2 {
        0 => Ok(choice.rest().to_vec()),
        _ => pem_to_der(choice.rest()),
    };
    let facts = der.and_then(|der| Ok((certificate_facts(&der)?, der)));
    let (facts, der) = match facts {
        Ok(found) => found,
        Err(error) => return refused(&error),
    };
    assert_eq!(facts.fingerprint, common::identity::Digest::of(&der));
    assert!(
        facts.serial.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()),
        "serial {:?}",
        facts.serial
    );
    let path = TRUST.with(|root| {
        let root = root.get_or_init(|| trust().unwrap());
        inner::leaf(&der, root, NOW)
    });
    match path {
        Ok(found) => {
            let issued = [LEAF, LEAF_BELOW, LEAF_ED25519].contains(&found.as_slice());
            assert!(issued && found == der, "a path from a certificate that nobody issued");
            Seen::accepted(facts.authority.into())
        }
        Err(error) => refused(&error)
            .and(Seen::accepted(u64::from(facts.authority) + 2 * u64::from(facts.uri.is_some()))),
    }
}

fn refused(error: &AttestationError) -> Seen {
    Seen::refused(&told(error))
}

fn certificate_seeds() -> Vec<Vec<u8>> {
    let der = |bytes: &[u8]| [b"\0", bytes].concat();
    let pem = |text: &str| [b"\x01", text.as_bytes()].concat();
    let root = pem_to_der(ROOT_PEM.as_bytes()).unwrap();
    vec![der(LEAF), der(LEAF_BELOW), der(LEAF_ED25519), der(&root), pem(ROOT_PEM), pem(AUTHORITY_PEM)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixtures_have_paths_to_the_anchor() {
        let trust = trust().unwrap();
        for leaf in [LEAF, LEAF_BELOW, LEAF_ED25519] {
            inner::leaf(leaf, &trust, NOW).unwrap();
        }
        assert_eq!(inner::bundle(BUNDLE_JSON), common::fuzzing::Verdict::Accepted);
        assert_eq!(inner::statement(STATEMENT_JSON), common::fuzzing::Verdict::Accepted);
    }
}
