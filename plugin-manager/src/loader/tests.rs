//! Every fault of FAULTS.md, part A, ends in its code; what plain tar writes is accepted.

use super::testing::{Tar, gzip, load, packed, sample, unpacked, wasm};
use super::*;
use common::error::Coded;
use proptest::prelude::*;

#[track_caller]
fn refused(result: Result<Package, LoadError>, code: &str) -> LoadError {
    let error = result.expect_err("it was accepted");
    assert_eq!(error.code().id, code, "{error}");
    error
}

fn with(name: &str) -> Result<Package, LoadError> {
    Tar::sample().file(name, b"x").load()
}

#[test]
fn packing_and_loading_give_back_what_was_packed() {
    let package = load(&sample()).unwrap();
    assert_eq!(package.manifest().name.as_str(), "hello");
    assert_eq!(package.module(), wasm(testing::WAT));
    assert_eq!(package.file("assets/rules.txt").unwrap().bytes(), b"one\ntwo\n");
    assert_eq!(package.digest(), common::identity::Digest::of(&sample()));
    assert_eq!(package.manifest_digest(), package.file(MANIFEST).unwrap().digest());
    assert!(package.bundle().is_none());
    let names: Vec<_> = package.contents().map(|(name, _)| name).collect();
    assert_eq!(names, ["assets/rules.txt", "manifest.json", "plugin.toml", "plugin.wasm"]);
}

#[test]
fn packing_is_reproducible_and_puts_the_manifest_first() {
    assert_eq!(sample(), sample());
    let tar = unpacked(&sample());
    assert!(tar.starts_with(b"manifest.json\0"));
    let package = sample();
    assert_eq!(&package[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, package[8], 255]);
}

#[test]
fn a_bundle_is_added_and_replaced_without_touching_the_rest() {
    let limits = PackageLimits::default();
    let signed = with_attestation(&sample(), b"{1}", &limits).unwrap();
    let again = with_attestation(&signed, b"{2}", &limits).unwrap();
    assert_eq!(load(&signed).unwrap().bundle(), Some(&b"{1}"[..]));
    assert_eq!(load(&again).unwrap().bundle(), Some(&b"{2}"[..]));
    assert_eq!(load(&again).unwrap().manifest_digest(), load(&sample()).unwrap().manifest_digest());
    assert_eq!(with_attestation(&again, b"{1}", &limits).unwrap(), signed);
}

#[test]
fn what_the_tar_command_writes_is_accepted() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let package = load(&sample()).unwrap();
    for (name, file) in package.contents() {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.bytes()).unwrap();
    }
    for format in ["gnu", "ustar", "pax"] {
        for what in [&["."][..], &["assets", "plugin.wasm", "manifest.json", "plugin.toml"]] {
            let out = outside.path().join("made.forgepkg");
            let made = std::process::Command::new("tar")
                .args(["-cz", &format!("--format={format}"), "-C"])
                .arg(dir.path())
                .arg("-f")
                .arg(&out)
                .args(what)
                .status();
            assert!(made.expect("the machine has tar").success());
            let bytes = std::fs::read(&out).unwrap();
            let loaded = load(&bytes).unwrap_or_else(|e| panic!("{format} {what:?}: {e}"));
            assert_eq!(loaded.manifest_digest(), package.manifest_digest());
        }
    }
}

#[test]
fn fault_001_parent_directories() {
    refused(with("../../etc/x"), "E1003");
    refused(with("assets/../../x"), "E1003");
}

#[test]
fn fault_002_absolute_names() {
    refused(with("/etc/x"), "E1003");
    refused(with(".//etc/x"), "E1003");
}

#[test]
fn fault_003_names_that_are_not_plain() {
    for name in [
        "a/../../x",
        "assets/../../x",
        "./../x",
        "assets\\x",
        "assets\\..\\x",
        "assets/x.",
        "assets/x ",
        "assets/\u{1b}[2J",
        "assets/a\nb",
        "assets/\u{7f}",
        "assets//x",
    ] {
        refused(with(name), "E1003");
    }
    let nul = Tar::sample().entry("assets/x", b'0', b"", |h| h[9] = b'y');
    refused(nul.load(), "E1002");
}

#[test]
fn fault_004_a_symlink_and_a_file_through_it() {
    let link = |h: &mut [u8; 512]| h[157..161].copy_from_slice(b"/etc");
    let tar = Tar::sample().entry("assets/l", b'2', b"", link).file("assets/l/passwd", b"x");
    refused(tar.load(), "E1003");
}

#[test]
fn fault_005_a_directory_over_a_symlink() {
    let link = |h: &mut [u8; 512]| h[157..161].copy_from_slice(b"/etc");
    let tar = Tar::sample().entry("assets/l", b'2', b"", link).entry("assets/l/", b'5', b"", |_| {});
    refused(tar.load(), "E1003");
    let both = Tar::sample().file("assets/l", b"").entry("assets/L/", b'5', b"", |_| {});
    refused(both.load(), "E1004");
    // The directory everything goes to, and one that would take its mode through the link.
    for name in ["assets", "hello", "."] {
        let mode = |h: &mut [u8; 512]| h[100..108].copy_from_slice(b"0000777\0");
        let tar = Tar::default().entry(name, b'2', b"", link).entry(&format!("{name}/"), b'5', b"", mode);
        refused(tar.load(), "E1003");
    }
}

#[test]
fn fault_006_hard_links_even_disguised_as_files() {
    let link = |h: &mut [u8; 512]| h[157..168].copy_from_slice(b"/etc/passwd");
    refused(Tar::sample().entry("assets/l", b'1', b"", link).load(), "E1003");
    refused(Tar::sample().entry("assets/l", b'0', b"", link).load(), "E1003");
    let other = |h: &mut [u8; 512]| h[157..181].copy_from_slice(b"../../other/plugin.wasm\0");
    refused(Tar::sample().entry("assets/l", b'1', b"", other).load(), "E1003");
    let inside = |h: &mut [u8; 512]| h[157..168].copy_from_slice(b"plugin.wasm");
    refused(Tar::sample().entry("assets/l", b'1', b"", inside).load(), "E1003");
}

#[test]
fn fault_007_devices_and_pipes() {
    for kind in [b'3', b'4', b'6', b'7', b's'] {
        refused(Tar::sample().entry("assets/d", kind, b"", |_| {}).load(), "E1003");
    }
}

#[test]
fn fault_008_modes_owners_and_times_are_ignored() {
    let set = |h: &mut [u8; 512]| {
        h[100..108].copy_from_slice(b"0007777\0");
        h[136..148].copy_from_slice(b"77777777777\0");
        h[265..269].copy_from_slice(b"root");
    };
    let package = load(&sample()).unwrap();
    let tar = package.contents().fold(Tar::default(), |tar, (name, f)| tar.entry(name, b'0', f.bytes(), set));
    assert_eq!(tar.load().unwrap().manifest_digest(), package.manifest_digest());
}

#[test]
fn fault_009_a_gzip_bomb() {
    // Ten megabytes that say ten gigabytes: refused by their ratio, and by the total where any ratio is allowed.
    let bomb = testing::bomb(10 << 30);
    assert!((8 << 20..14 << 20).contains(&bomb.len()), "{}", bomb.len());
    let any_ratio = PackageLimits { ratio: u64::MAX, ..PackageLimits::default() };
    let any_total = PackageLimits { unpacked: u64::MAX, ratio: 2, ..PackageLimits::default() };
    for limits in [PackageLimits::default(), any_ratio, any_total] {
        refused(Package::load(&bomb, &limits), "E1001");
    }
    let bomb = gzip(&vec![0; 160 << 20]);
    assert!(bomb.len() < 200_000);
    refused(load(&bomb), "E1001");
    let limits = PackageLimits { unpacked: 1000, ..PackageLimits::default() };
    refused(Package::load(&sample(), &limits), "E1001");
    let limits = PackageLimits { compressed: 10, ..PackageLimits::default() };
    refused(Package::load(&sample(), &limits), "E1001");
}

#[test]
fn fault_010_nested_or_repeated_gzip() {
    refused(load(&gzip(&sample())), "E1002");
    refused(load(&[sample(), sample()].concat()), "E1002");
    refused(load(&unpacked(&sample())), "E1002");
    refused(load(b""), "E1002");
    // The last eight bytes are the checksum and the size.
    let end = sample().len();
    for at in end - 8..end {
        let mut bent = sample();
        bent[at] ^= 1;
        refused(load(&bent), "E1002");
    }
}

#[test]
fn fault_011_sizes_that_lie() {
    let sizes: [&[u8; 12]; 6] = [
        b"\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe",
        b"77777777777\0",
        b"-0000000001\0",
        b"            ",
        b"0000000x001\0",
    ];
    for size in sizes {
        refused(
            Tar::sample().entry("assets/s", b'0', b"", |h| h[124..136].copy_from_slice(size)).load(),
            "E1002",
        );
    }
}

#[test]
fn fault_012_a_pax_size() {
    refused(Tar::sample().pax(&[("size", "1")]).file("assets/s", b"xx").load(), "E1003");
}

#[test]
fn fault_013_pax_path_override() {
    for key in ["path", "linkpath", "GNU.sparse.name", "hdrcharset", "unheard.of"] {
        refused(
            Tar::sample().pax(&[("mtime", "1.5"), (key, "plugin.wasm")]).file("assets/s", b"xx").load(),
            "E1003",
        );
    }
    let long = "9".repeat(100_000);
    refused(Tar::sample().pax(&[("mtime", &long)]).file("assets/s", b"xx").load(), "E1003");
    let claims = |h: &mut [u8; 512]| h[124..136].copy_from_slice(b"00575360400\0");
    refused(Tar::sample().entry("x", b'x', b"", claims).file("assets/s", b"xx").load(), "E1002");
    let endless = |count: usize| (0..count).fold(Tar::sample(), |tar, _| tar.entry("g", b'g', b"", |_| {}));
    refused(endless(1).load(), "E1003");
    refused(endless(10_000).load(), "E1003");
    refused(Tar::sample().pax(&[]).pax(&[]).file("assets/s", b"").load(), "E1002");
    refused(Tar::sample().pax(&[("mtime", "1")]).load(), "E1002");
    for body in ["5 a=b", "99 a=b\n", "x a=b\n", "6 ab\n\n", "0 a=b\n", "\u{ff}"] {
        refused(
            Tar::sample().entry("x", b'x', body.as_bytes(), |_| {}).file("assets/s", b"").load(),
            "E1002",
        );
    }
}

#[test]
fn times_in_a_pax_header_say_nothing() {
    let package = load(&sample()).unwrap();
    let tar = package.contents().fold(Tar::default(), |tar, (name, f)| {
        tar.pax(&[("mtime", "1700000000.123"), ("atime", "1")]).file(name, f.bytes())
    });
    assert_eq!(tar.load().unwrap().manifest_digest(), package.manifest_digest());
}

#[test]
fn fault_014_gnu_long_names() {
    let long = "a".repeat(1 << 20);
    let any_ratio = PackageLimits { ratio: u64::MAX, ..PackageLimits::default() };
    for kind in [b'L', b'K'] {
        let tar = Tar::sample().entry("././@LongLink", kind, long.as_bytes(), |_| {});
        refused(Package::load(&gzip(&tar.end()), &any_ratio), "E1003");
    }
}

#[test]
fn fault_015_sparse_files() {
    refused(Tar::sample().entry("assets/s", b'S', b"", |_| {}).load(), "E1003");
    // A real size of one terabyte, as GNU's own header and as PAX say it.
    let real = |h: &mut [u8; 512]| h[483..495].copy_from_slice(b"\x80\0\0\0\0\0\x01\0\0\0\0\0");
    refused(Tar::sample().entry("assets/s", b'S', b"", real).load(), "E1002");
    for key in ["GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.map"] {
        let tar = Tar::sample().pax(&[(key, "1099511627776")]).file("assets/s", b"");
        refused(tar.load(), "E1003");
    }
    let gnu = |h: &mut [u8; 512]| {
        h[257..265].copy_from_slice(b"ustar  \0");
        h[386] = b'1';
    };
    refused(Tar::sample().entry("assets/s", b'0', b"", gnu).load(), "E1002");
}

#[test]
fn fault_016_the_same_entry_twice() {
    for name in [MANIFEST, "./manifest.json", "assets/rules.txt"] {
        refused(with(name), "E1004");
    }
}

#[test]
fn fault_017_names_that_fold_together() {
    refused(with("Plugin.wasm"), "E1004");
    refused(with("assets/RULES.txt"), "E1004");
    refused(with("assets/\u{e9}"), "E1003");
    refused(with("assets/e\u{301}"), "E1003");
    refused(with("assets/rules.txt/x"), "E1004");
}

#[test]
fn fault_018_bytes_after_the_end() {
    let mut tar = Tar::sample().end();
    tar.extend_from_slice(&Tar::sample().end());
    refused(load(&gzip(&tar)), "E1002");
    let mut tar = Tar::sample().end();
    tar.push(1);
    refused(load(&gzip(&tar)), "E1002");
    let mut tar = Tar::sample().end();
    tar.extend_from_slice(&[0; 9000]);
    load(&gzip(&tar)).unwrap();
}

#[test]
fn fault_019_truncated_at_every_block() {
    let tar = unpacked(&sample());
    let end = tar.len() - 1024;
    for blocks in 0..tar.len() / 512 {
        refused(load(&gzip(&tar[..blocks * 512])), "E1002");
    }
    assert!(tar[end..].iter().all(|b| *b == 0));
    let package = sample();
    for n in (0..package.len()).step_by(7) {
        refused(load(&package[..n]), "E1002");
    }
}

#[test]
fn fault_020_too_many_or_too_deep() {
    // A million files are 512 MB of headers: reading ends at the 4,097th or at the size, whichever comes first.
    let many = (0..5_000).fold(Tar::sample(), |tar, i| tar.file(&format!("assets/{i}"), b""));
    refused(many.load(), "E1001");
    let directories = (0..5_000).fold(Tar::sample(), |tar, _| tar.entry("assets/", b'5', b"", |_| {}));
    refused(directories.load(), "E1001");
    refused(with(&format!("assets{}", "/a".repeat(20))), "E1003");
    let ten_thousand = format!("assets{}", "/a".repeat(10_000));
    refused(Tar::sample().pax(&[("path", &ten_thousand)]).file("assets/s", b"").load(), "E1003");
    refused(Tar::sample().entry(&"a".repeat(100), b'0', b"", |h| h[345..500].fill(b'b')).load(), "E1003");
}

#[test]
fn fault_021_files_no_package_has() {
    for name in ["README.md", "evil.so", "attestations/x.txt", "attestations/a/b.sigstore.json", "asset"] {
        refused(with(name), "E1006");
    }
    refused(Tar::sample().entry("bin/", b'5', b"", |_| {}).load(), "E1006");
    refused(Tar::sample().entry("assets/", b'5', b"x", |_| {}).load(), "E1003");
    refused(Tar::sample().entry("assets", b'5', b"", |_| {}).load(), "E1003");
}

#[test]
fn fault_022_files_and_manifest_differ() {
    refused(with("assets/unlisted"), "E1006");
    let package = load(&sample()).unwrap();
    let without = |gone: &str| {
        let kept = package.contents().filter(|(name, _)| *name != gone);
        kept.fold(Tar::default(), |tar, (name, f)| tar.file(name, f.bytes())).load()
    };
    for name in [MANIFEST, MODULE, "assets/rules.txt"] {
        let error = refused(without(name), "E1005");
        assert!(error.to_string().contains(name), "{error}");
    }
    for name in [MODULE, "assets/rules.txt"] {
        let other = package
            .contents()
            .fold(Tar::default(), |tar, (n, f)| tar.file(n, if n == name { b"other" } else { f.bytes() }));
        let error = refused(other.load(), "E1101");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_flipped_byte_in_any_file_is_refused() {
    let package = load(&sample()).unwrap();
    for (changed, file) in package.contents() {
        for at in 0..file.bytes().len() {
            let tar = package.contents().fold(Tar::default(), |tar, (name, f)| {
                let mut bytes = f.bytes().to_vec();
                if name == changed {
                    bytes[at] ^= 0x01;
                }
                tar.file(name, &bytes)
            });
            // The manifest itself is covered by the signature alone; its digests are not.
            if let Ok(p) = tar.load() {
                assert_eq!(changed, MANIFEST, "byte {at} of {changed}");
                assert_ne!(p.manifest_digest(), package.manifest_digest());
            }
        }
    }
}

#[test]
fn a_plugin_toml_that_contradicts_the_manifest_is_refused() {
    let package = load(&sample()).unwrap();
    let bend = |from: &str, to: &str| {
        let toml = testing::TOML.replace(from, to);
        assert_ne!(toml, testing::TOML);
        let manifest = String::from_utf8(package.file(MANIFEST).unwrap().bytes().to_vec()).unwrap();
        let old = package.file(PLUGIN_TOML).unwrap().digest().to_string();
        let manifest = manifest.replace(&old, &common::identity::Digest::of(toml.as_bytes()).to_string());
        Tar::default()
            .file(MANIFEST, manifest.as_bytes())
            .file(PLUGIN_TOML, toml.as_bytes())
            .file(MODULE, package.module())
            .file("assets/rules.txt", b"one\ntwo\n")
            .load()
    };
    for (from, to) in [("hello", "hallo"), ("1.2.3", "1.2.4"), ("acme", "other"), ("greet", "grett")] {
        let error = refused(bend(from, to), "E1104");
        assert!(matches!(error, LoadError::Contradiction { .. }), "{error}");
    }
    refused(bend("[plugin]", "[permissions]\nclock = [\"now\"]\n[plugin]"), "E1104");
    bend("publisher = \"acme\"\n", "").unwrap();
}

#[test]
fn packing_refuses_what_loading_would() {
    let module = wasm(testing::WAT);
    let asset = |name: &str| [Asset { name: name.into(), bytes: vec![] }];
    for name in ["x", "../x", "plugin.wasm", "./assets/x", "attestations/package.sigstore.json"] {
        let assets = asset(name);
        let source = Source { plugin_toml: testing::TOML, publisher: None, module: &module, assets: &assets };
        assert!(pack(&source, &PackageLimits::default()).is_err(), "{name}");
    }
    let toml = testing::TOML.replace("publisher = \"acme\"", "");
    let source = Source { plugin_toml: &toml, publisher: None, module: &module, assets: &[] };
    assert_eq!(pack(&source, &PackageLimits::default()).unwrap_err().code().id, "E1104");
    let acme = common::identity::Name::new("acme").unwrap();
    let named = Source { publisher: Some(&acme), ..source };
    assert_eq!(load(&pack(&named, &PackageLimits::default()).unwrap()).unwrap().manifest().publisher, acme);
}

fn no_panic(bytes: &[u8]) {
    let limits = PackageLimits { unpacked: 1 << 20, ..PackageLimits::default() };
    let _ = Package::load(bytes, &limits);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        no_panic(&bytes);
        no_panic(&gzip(&bytes));
    }

    #[test]
    fn a_bent_archive_is_never_another_content(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut tar = unpacked(&sample());
        let at = at.index(tar.len());
        tar[at] ^= 1 << bit;
        if let Ok(package) = load(&gzip(&tar)) {
            let good = load(&sample()).unwrap();
            let same = package.contents().map(|(n, f)| (n, f.digest())).eq(good.contents().map(|(n, f)| (n, f.digest())));
            prop_assert!(same || package.manifest_digest() != good.manifest_digest());
        }
    }

    #[test]
    fn a_bent_package_is_never_another_content(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = sample();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(package) = load(&bytes) {
            prop_assert_eq!(package.manifest_digest(), load(&sample()).unwrap().manifest_digest());
        }
    }

    #[test]
    fn any_assets_go_round(files in proptest::collection::btree_map("[a-z]{1,12}", proptest::collection::vec(any::<u8>(), 0..600), 0..6)) {
        let assets: Vec<Asset> = files.iter().map(|(n, b)| Asset { name: format!("assets/{n}"), bytes: b.clone() }).collect();
        let bytes = packed(testing::TOML, &wasm(testing::WAT), &assets);
        let package = load(&bytes).unwrap();
        for asset in &assets {
            prop_assert_eq!(package.file(&asset.name).unwrap().bytes(), &asset.bytes[..]);
        }
        prop_assert_eq!(bytes, packed(testing::TOML, &wasm(testing::WAT), &assets));
    }
}
