//! Packages as plain `tar` and `gzip` make them, and as nobody should.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// Entries of an archive, in order.
pub type Entries = Vec<(String, Vec<u8>)>;

/// A tar of these entries with times, owners and modes as `tar` on a desk would write them. Names are written
/// as they are, `..` and all.
pub fn tar_of(entries: &Entries) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (i, (name, bytes)) in entries.iter().enumerate() {
        let mut header = tar::Header::new_ustar();
        let field = &mut header.as_ustar_mut().expect("ustar").name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(1_700_000_000 + i as u64);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.append(&header, bytes.as_slice()).expect("into memory");
    }
    tar.into_inner().expect("into memory")
}

/// gzip of these bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

/// The entries of a package, in order.
pub fn read_entries(package: &[u8]) -> Entries {
    let mut archive = tar::Archive::new(GzDecoder::new(package));
    let entries = archive.entries().expect("a tar");
    entries
        .map(|entry| {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a name").to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            (name, bytes)
        })
        .collect()
}
