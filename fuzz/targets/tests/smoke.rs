//! Every target reads its seeds, its corpus, its regressions and a few thousand changes of them without a finding.

use fuzz_targets::meter::Counting;
use fuzz_targets::run::{Plan, run};
use fuzz_targets::{TARGETS, Target, files};
use std::collections::BTreeSet;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_target_has_a_finding() {
    for target in TARGETS {
        let mut corpus = files::inputs(&files::root(), target.name).unwrap();
        corpus.extend((target.seeds)());
        let plan = Plan { executions: target.smoke, time: None, threads: 1, seed: 7 };
        let report = run(target, &corpus, &plan, |_| {}).unwrap();
        for finding in &report.findings {
            println!("{}: {}: {:?}", target.name, finding.fault, String::from_utf8_lossy(&finding.input));
        }
        assert!(report.findings.is_empty(), "{}", target.name);
        assert_eq!(report.executions, corpus.len() as u64 + target.smoke);
        assert!(report.largest > 0, "{} took no memory, so nothing was counted", target.name);
    }
}

#[test]
fn every_target_has_a_corpus_and_a_libfuzzer_binary_and_the_corpus_is_small() {
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let in_directory = |name: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(files::root().join(name)).unwrap();
        let stem = |path: std::path::PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        entries.map(|entry| stem(entry.unwrap().path())).collect()
    };
    assert_eq!(in_directory("fuzz_targets"), names);
    assert_eq!(in_directory(files::CORPUS), names);
    let manifest = std::fs::read_to_string(files::root().join("Cargo.toml")).unwrap();
    assert!(names.iter().all(|name| manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\""))));
    let size = |target: &Target| {
        files::inputs(&files::root(), target.name).unwrap().iter().map(Vec::len).sum::<usize>()
    };
    assert!(TARGETS.iter().map(size).sum::<usize>() < 1_000_000, "the corpus is for a repository");
}
