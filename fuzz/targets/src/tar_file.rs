//! Tar archives: what we accept, another reader understands the same way (FAULTS.md, 12).

use crate::{Seen, Target, told};
use plugin_manager::PackageLimits;
use plugin_manager::loader::fuzzing::{archive, is_entry_name};
use std::collections::BTreeMap;
use std::io::Read;

pub const TAR: Target = Target {
    name: "tar",
    max_len: 16 << 10,
    tokens: &[
        "ustar\x0000",
        "ustar  \0",
        "manifest.json",
        "plugin.wasm",
        "assets/",
        "../",
        "./",
        "/",
        "00000000012\0",
        "30 mtime=1\n",
        "12 path=a\n",
        "12 size=9\n",
        "GNU.sparse.major=1",
    ],
    memory: 4 << 20,
    smoke: 3_000,
    body: tar,
    seeds,
};

pub const BLOCK: usize = 512;

/// Caps that inputs of a few KiB can reach.
pub fn limits() -> PackageLimits {
    let mut limits = PackageLimits::default();
    limits.unpacked = 64 << 10;
    limits.compressed = 64 << 10;
    limits.entries = 12;
    limits.manifest = 3 << 10;
    limits.attestation = 2 << 10;
    limits
}

/// An even first byte asks for right checksums, so that changed headers are read to their end.
fn tar(input: &[u8]) -> Seen {
    let Some((how, bytes)) = input.split_first() else { return Seen::accepted(0) };
    let mut bytes = bytes.to_vec();
    if how % 2 == 0 {
        mend_checksums(&mut bytes);
    }
    let ours = match archive(&bytes, &limits()) {
        Ok(files) => files,
        Err(error) => return Seen::refused(&told(&error)),
    };
    let theirs = other_reader(&bytes);
    let same = theirs.len() == ours.len()
        && theirs.iter().all(|(name, data)| ours.get(name) == Some(&data.as_slice()));
    assert!(same, "another reader finds {:?}, we find {:?}", theirs.keys(), ours.keys());
    let named = ours.keys().filter(|name| is_entry_name(name)).count();
    Seen::accepted(ours.len() as u64 * 16 + named as u64)
}

/// What the `tar` crate finds.
fn other_reader(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut reader = tar::Archive::new(bytes);
    for entry in reader.entries().expect("an archive we accept") {
        let mut entry = entry.expect("an entry we accept");
        let kind = entry.header().entry_type();
        assert!(kind.is_file() || kind.is_dir(), "another reader finds a {kind:?}");
        assert!(entry.link_name_bytes().is_none(), "another reader finds a link");
        let name = String::from_utf8(entry.path_bytes().into_owned()).expect("a name we accept is text");
        let mut data = Vec::new();
        entry.read_to_end(&mut data).expect("data we accept");
        if kind.is_file() && !name.ends_with('/') {
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            assert!(files.insert(name, data).is_none(), "another reader finds a name twice");
        }
    }
    files
}

/// Gives every header a checksum that fits, as far as sizes lead from one to the next.
pub fn mend_checksums(tar: &mut [u8]) {
    let mut at = 0;
    while let Some(block) = tar.get_mut(at..at + BLOCK) {
        if block.iter().all(|byte| *byte == 0) {
            return;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = block[124..136].iter().take_while(|b| (b'0'..=b'7').contains(b));
        let size = digits.fold(0_usize, |n, d| (n << 3 | usize::from(d - b'0')) & 0xf_ffff);
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
}

/// An archive of these files.
pub fn tar_of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, data) in files {
        header(&mut out, name, b'0', data);
    }
    out.extend_from_slice(&[0; 2 * BLOCK]);
    out
}

/// Appends an entry. A name that does not fit its field is cut.
pub fn header(out: &mut Vec<u8>, name: &str, kind: u8, data: &[u8]) {
    let at = out.len();
    out.resize(at + BLOCK, 0);
    let block = &mut out[at..];
    block.iter_mut().take(100).zip(name.bytes()).for_each(|(to, from)| *to = from);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    mend_checksums(block);
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

/// One gzip member that stores these bytes as they are.
pub fn stored_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let count = bytes.len().div_ceil(0xffff).max(1);
    let mut chunks = bytes.chunks(0xffff);
    for index in 1..=count {
        let chunk = chunks.next().unwrap_or_default();
        let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
        out.push(u8::from(index == count));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out.extend_from_slice(&crc32(bytes).to_le_bytes());
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

fn seeds() -> Vec<Vec<u8>> {
    let mut plain = vec![0];
    plain.extend(tar_of([
        ("manifest.json", b"{}".as_slice()),
        ("plugin.wasm", b"\0asm"),
        ("assets/a/b.txt", b"text"),
    ]));
    let mut rich = vec![0];
    let mut body = Vec::new();
    header(&mut body, "./", b'5', b"");
    header(&mut body, "assets/", b'5', b"");
    header(&mut body, "PaxHeaders/x", b'x', b"20 mtime=1700000000\n");
    header(&mut body, "./manifest.json", b'0', b"{}");
    body.extend_from_slice(&[0; 2 * BLOCK]);
    rich.extend(body);
    let mut raw = rich.clone();
    raw[0] = 1;
    vec![plain, rich, raw]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_gzip_is_what_another_reader_unpacks() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_seeds_are_accepted() {
        for seed in seeds() {
            let files = archive(&seed[1..], &limits()).unwrap();
            assert!(files.contains_key("manifest.json"));
        }
    }
}
