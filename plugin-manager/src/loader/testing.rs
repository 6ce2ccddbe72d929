//! Packages for tests: good ones, and archives bent block by block.

use super::*;
use crate::loader::manifest::MAX_MANIFEST;

/// The smallest valid `plugin.toml`, and one operation.
pub(crate) const TOML: &str = r#"
[plugin]
name = "hello"
version = "1.2.3"
publisher = "acme"

[[operations]]
name = "greet"
"#;

/// A module that follows ABI 1 and has the operation of [`TOML`].
pub(crate) const WAT: &str = r#"(module
  (import "env" "output" (func $output (param i32 i32) (result i32)))
  (memory (export "memory") 1 4)
  (func (export "init") (result i32) i32.const 0)
  (func (export "start") (result i32) i32.const 0)
  (func (export "stop") (result i32) i32.const 0)
  (func (export "greet") (param i32) (result i32) (call $output (i32.const 0) (i32.const 0))))"#;

pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

pub(crate) fn packed(toml: &str, module: &[u8], assets: &[Asset]) -> Vec<u8> {
    let source = Source { plugin_toml: toml, publisher: None, module, assets };
    pack(&source, &PackageLimits::default()).unwrap()
}

/// A small package with an asset.
pub(crate) fn sample() -> Vec<u8> {
    let asset = Asset { name: "assets/rules.txt".into(), bytes: b"one\ntwo\n".to_vec() };
    packed(TOML, &wasm(WAT), &[asset])
}

pub(crate) fn load(bytes: &[u8]) -> Result<Package, LoadError> {
    Package::load(bytes, &PackageLimits::default())
}

pub(crate) fn gzip(tar: &[u8]) -> Vec<u8> {
    super::gzip::deflate(tar).unwrap()
}

/// A gzip member that says so many zeros in about a thousandth of the bytes; its checksum is not theirs.
pub(crate) fn bomb(zeros: u64) -> Vec<u8> {
    const PIECE: u64 = 1 << 20;
    let mut encoder = flate2::Compress::new(flate2::Compression::best(), false);
    let mut piece = Vec::with_capacity(8 << 10);
    let zero = vec![0; PIECE as usize];
    encoder.compress_vec(&zero, &mut piece, flate2::FlushCompress::Full).unwrap();
    assert_eq!(encoder.total_in(), PIECE);
    // After a full flush each piece stands for itself, so that it can be said again.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    (0..zeros / PIECE).for_each(|_| out.extend_from_slice(&piece));
    out.extend_from_slice(&[3, 0]);
    out.extend_from_slice(&[0; 8]);
    out
}

/// The archive inside a package.
pub(crate) fn unpacked(package: &[u8]) -> Vec<u8> {
    super::gzip::inflate(package, 1 << 30, 2_000).unwrap()
}

/// A tar written header by header, so that any field can be wrong.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// The entries of the sample package.
    pub(crate) fn sample() -> Self {
        let package = load(&sample()).unwrap();
        package.contents().fold(Self::default(), |tar, (name, file)| tar.file(name, file.bytes()))
    }
    pub(crate) fn file(self, name: &str, data: &[u8]) -> Self {
        self.entry(name, b'0', data, |_| {})
    }
    /// An entry whose header `bend` may change before its checksum is taken.
    pub(crate) fn entry(
        mut self,
        name: &str,
        kind: u8,
        data: &[u8],
        bend: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let mut h = [0_u8; 512];
        h[..name.len()].copy_from_slice(name.as_bytes());
        h[100..108].copy_from_slice(b"0000644\0");
        h[108..116].copy_from_slice(b"0000000\0");
        h[116..124].copy_from_slice(b"0000000\0");
        h[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
        h[136..148].copy_from_slice(b"00000000000\0");
        h[156] = kind;
        h[257..265].copy_from_slice(b"ustar\x0000");
        bend(&mut h);
        h[148..156].fill(b' ');
        let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
        h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&h);
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }
    /// A PAX header with these records.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let body: String = records.iter().map(|(k, v)| record(k, v)).collect();
        self.entry("PaxHeaders/x", b'x', body.as_bytes(), |_| {})
    }
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
    pub(crate) fn load(self) -> Result<Package, LoadError> {
        load(&gzip(&self.end()))
    }
}

fn record(key: &str, value: &str) -> String {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

/// The manifest of the sample with one piece of its text replaced.
pub(crate) fn manifest_with(
    from: &str,
    to: &str,
) -> Result<Manifest, crate::loader::document::DocumentError> {
    let text = String::from_utf8(load(&sample()).unwrap().file(MANIFEST).unwrap().bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    assert!(text.len() < MAX_MANIFEST);
    Manifest::from_json(text.replace(from, to).as_bytes())
}
