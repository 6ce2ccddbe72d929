//! Part A: archives.

use super::super::on_each_engine;
use super::{Bad, Stage, agree_with_the_list};
use crate::loader::testing::{Tar, bomb, gzip, sample, unpacked};
use crate::runtime::EngineKind;

on_each_engine! {
    every_bad_archive_is_refused_and_nothing_else_changes
    what_an_archive_says_of_modes_and_owners_is_ignored
}

fn tar(number: u32, what: &str, tar: Tar, code: &'static str) -> Bad {
    bytes(number, what, gzip(&tar.end()), code)
}

fn bytes(number: u32, what: &str, package: Vec<u8>, code: &'static str) -> Bad {
    Bad { number, what: what.into(), package, code }
}

/// The sample with one more entry.
fn entry(name: &str, kind: u8, data: &[u8]) -> Tar {
    Tar::sample().entry(name, kind, data, |_| {})
}

/// The sample with one more entry that is a link there.
fn link(name: &str, kind: u8, target: &str) -> Tar {
    Tar::sample().entry(name, kind, b"", |h| h[157..157 + target.len()].copy_from_slice(target.as_bytes()))
}

fn without(gone: &str) -> Tar {
    let package = crate::loader::testing::load(&sample()).unwrap();
    let kept = package.contents().filter(|(name, _)| *name != gone);
    kept.fold(Tar::default(), |tar, (name, file)| tar.file(name, file.bytes()))
}

/// Letters that do not compress well: what is refused for its ratio is refused before it is read.
fn noise(count: u32) -> Vec<u8> {
    let letter = |i: u32| b'a' + (i.wrapping_mul(2_654_435_761) >> 13) as u8 % 26;
    (0..count).map(letter).collect()
}

fn names_and_kinds() -> Vec<Bad> {
    vec![
        tar(1, "parent directories", Tar::sample().file("../../etc/x", b"x"), "E1003"),
        tar(2, "an absolute name", Tar::sample().file("/etc/x", b"x"), "E1003"),
        tar(3, "a climb in the middle", Tar::sample().file("a/../../x", b"x"), "E1003"),
        tar(3, "a NUL", Tar::sample().entry("assets/x", b'0', b"", |h| h[9] = b'y'), "E1002"),
        tar(
            4,
            "a file through a link",
            link("assets/l", b'2', "/etc").file("assets/l/passwd", b"x"),
            "E1003",
        ),
        tar(
            5,
            "a directory over a link",
            link("assets", b'2', "/etc").entry("assets/", b'5', b"", |_| {}),
            "E1003",
        ),
        tar(6, "a hard link", link("assets/l", b'1', "/etc/passwd"), "E1003"),
        tar(7, "a device", entry("assets/d", b'3', b""), "E1003"),
        tar(14, "a long name", entry("././@LongLink", b'L', &noise(1 << 20)), "E1003"),
        tar(15, "a sparse file", entry("assets/s", b'S', b""), "E1003"),
        tar(16, "two manifests", Tar::sample().file("manifest.json", b"{}"), "E1004"),
        tar(17, "names that fold together", Tar::sample().file("Plugin.wasm", b"x"), "E1004"),
        tar(
            20,
            "300 bytes in one name",
            Tar::sample().entry(&"a".repeat(100), b'0', b"", |h| h[345..500].fill(b'b')),
            "E1003",
        ),
        tar(21, "a file no package has", Tar::sample().file("evil.so", b"x"), "E1006"),
        tar(22, "a file that is not there", without("assets/rules.txt"), "E1005"),
        tar(
            22,
            "another file in its place",
            without("assets/rules.txt").file("assets/rules.txt", b"two\n"),
            "E1101",
        ),
    ]
}

fn sizes_and_shapes() -> Vec<Bad> {
    let many = (0..5_000).fold(Tar::sample(), |tar, i| tar.file(&format!("assets/{i}"), b""));
    let size = |size: &'static [u8; 12]| {
        Tar::sample().entry("assets/s", b'0', b"", |h| h[124..136].copy_from_slice(size))
    };
    let mut trailing = Tar::sample().end();
    trailing.extend(Tar::sample().end());
    let mut crc = sample();
    let at = crc.len() - 8;
    crc[at] ^= 1;
    let cut = unpacked(&sample());
    vec![
        bytes(9, "10 MB that are 10 GB", bomb(10 << 30), "E1001"),
        bytes(10, "gzip in gzip", gzip(&sample()), "E1002"),
        bytes(10, "two members", [sample(), sample()].concat(), "E1002"),
        bytes(10, "a wrong checksum", crc, "E1002"),
        tar(11, "8 EiB", size(b"\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"), "E1002"),
        tar(
            12,
            "a size in a PAX header",
            Tar::sample().pax(&[("size", "1")]).file("assets/s", b"xx"),
            "E1003",
        ),
        tar(
            13,
            "a path in a PAX header",
            Tar::sample().pax(&[("path", "plugin.wasm")]).file("assets/s", b""),
            "E1003",
        ),
        bytes(18, "a second archive", gzip(&trailing), "E1002"),
        bytes(19, "the first half", gzip(&cut[..cut.len() / 1024 * 512]), "E1002"),
        tar(20, "5,000 files", many, "E1001"),
    ]
}

fn every_bad_archive_is_refused_and_nothing_else_changes(engine: EngineKind) {
    let stage = Stage::new(engine);
    let all: Vec<Bad> = names_and_kinds().into_iter().chain(sizes_and_shapes()).collect();
    for bad in &all {
        stage.refused(bad);
        stage.answers(&sample(), "hello", "greet", &bad.what);
    }
    let given: Vec<(u32, &str)> = all.iter().map(|bad| (bad.number, bad.code)).collect();
    agree_with_the_list(&given, (1..=22).filter(|number| *number != 8));
}

fn what_an_archive_says_of_modes_and_owners_is_ignored(engine: EngineKind) {
    let set = |h: &mut [u8; 512]| {
        h[100..108].copy_from_slice(b"0007777\0");
        h[265..269].copy_from_slice(b"root");
    };
    let package = crate::loader::testing::load(&sample()).unwrap();
    let tar = package.contents().fold(Tar::default(), |tar, (name, f)| tar.entry(name, b'0', f.bytes(), set));
    Stage::new(engine).answers(&gzip(&tar.end()), "hello", "greet", "8");
}
