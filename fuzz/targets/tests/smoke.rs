//! Every target reads its seeds, its corpus, its regressions and a few thousand changes of them without a finding.

use fuzz_targets::meter::Counting;
use fuzz_targets::run::{Plan, run};
use fuzz_targets::{TARGETS, Target, files};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn smoke(target: &'static Target) {
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

#[test]
fn no_target_has_a_finding() {
    for target in TARGETS {
        smoke(target);
    }
}
