//! Identifiers that are the same for the same evidence: UUIDs made from names. OSCAL takes versions 4 and 5
//! alone: these have the form of version 5, with SHA-256 in the place of SHA-1.

use common::identity::Digest;

/// The UUID of `name` in the evidence bound to `root`.
pub(super) fn uuid(root: &str, name: &str) -> String {
    let digest = Digest::of(format!("{root}\n{name}").as_bytes());
    let bytes = digest.as_bytes();
    let hex = |from: usize, to: usize| -> String {
        bytes.iter().skip(from).take(to - from).map(|b| format!("{b:02x}")).collect()
    };
    let (version, variant) = (hex(6, 8), hex(8, 10));
    let variant = format!("8{}", variant.get(1..).unwrap_or_default());
    format!("{}-{}-5{}-{variant}-{}", hex(0, 4), hex(4, 6), version.get(1..).unwrap_or_default(), hex(10, 16))
}
