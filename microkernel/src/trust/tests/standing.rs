//! A class that changes is seen by the next decision, remembered ones included.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ONLY_TRUSTED: &str = r#"@id("trusted") forbid(principal is Plugin, action == Action::"kv_get", resource) unless { principal.trust == "full" };"#;

fn id() -> PluginId {
    PluginId::new(&Name::new("acme").unwrap(), &Name::new("redactor").unwrap())
}

#[test]
fn policies_see_the_class_and_a_change_of_it_ends_what_was_remembered() {
    let evaluator = evaluator(&[ONLY_TRUSTED]);
    let mut context = context(&[("storage", "get")]);
    let mut allowed = || decide(&evaluator, &mut context, "kv_get", ("k", true)).is_ok();
    assert!(allowed());
    let before = evaluator.epoch();
    assert_eq!(evaluator.set_class(id(), TrustClass::Reduced), before + 1);
    assert!(!allowed());
    assert_eq!(evaluator.set_class(id(), TrustClass::Reduced), before + 1, "nothing changed");
    evaluator.set_class(id(), TrustClass::Quarantined);
    assert!(!allowed());
    evaluator.set_class(id(), TrustClass::Full);
    assert!(allowed());
    let other = PluginId::new(&Name::new("evil").unwrap(), &Name::new("redactor").unwrap());
    evaluator.set_class(other, TrustClass::Reduced);
    assert!(allowed(), "the same name of another publisher is another plugin");
}

#[test]
fn a_policy_that_misspells_the_attribute_is_refused_and_operators_have_no_class() {
    let new = |text: &str| TrustEvaluator::new(&builtin_actions(), &[source("s", text)]);
    assert!(
        new(r#"forbid(principal is Plugin, action, resource) when { principal.trusted == "full" };"#)
            .is_err()
    );
    assert!(
        new(r#"forbid(principal is Operator, action, resource) when { principal.trust == "full" };"#)
            .is_err()
    );
}

#[test]
fn no_decision_is_by_a_class_from_before_a_completed_change() {
    let evaluator = evaluator(&[ONLY_TRUSTED]);
    // Even numbers are `full`, odd ones `reduced`.
    let (set, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut context = context(&[("storage", "get")]);
                let action = action("kv_get");
                let on = resource(&action, "k", true);
                loop {
                    let last = done.load(Ordering::SeqCst);
                    let before = set.load(Ordering::SeqCst);
                    let (allow, epoch) = match evaluator.evaluate_syscall(&mut context, &action, &on) {
                        Verdict::Allow(permit) => (true, permit.epoch()),
                        Verdict::Deny(denial) => (false, denial.epoch),
                    };
                    assert!(epoch > before, "decided in {epoch} after class {before} was set");
                    assert_eq!(allow, (epoch - 1).is_multiple_of(2), "epoch {epoch} has another one's class");
                    if last {
                        break;
                    }
                }
            });
        }
        for number in 1..=300_u64 {
            let class = if number.is_multiple_of(2) { TrustClass::Full } else { TrustClass::Reduced };
            assert_eq!(evaluator.set_class(id(), class), number + 1);
            set.store(number, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    });
}
