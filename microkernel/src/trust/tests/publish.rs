//! Publishing while others decide: no decision that begins after a publication is made by what was before it.

use super::interleave::{every_order, shared};
use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const PUBLICATIONS: u64 = 300;

/// The policy of a publication: its id is its epoch, and it permits in even epochs only.
fn sources(epoch: u64) -> Vec<PolicySource> {
    let effect = if epoch.is_multiple_of(2) { "permit" } else { "forbid" };
    let text = format!("@id(\"e{epoch}\") {effect}(principal, action == Action::\"kv_get\", resource);");
    vec![source("s", &text)]
}

#[test]
fn no_decision_is_from_before_a_completed_publication() {
    let evaluator = TrustEvaluator::new(&builtin_actions(), &sources(1)).unwrap();
    let (published, done) = (AtomicU64::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| read(&evaluator, &published, &done))).collect();
        for epoch in 2..=PUBLICATIONS {
            assert_eq!(evaluator.publish(&sources(epoch)).unwrap(), epoch);
            published.store(epoch, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
        let decided: Vec<(u64, u64)> = readers.into_iter().map(|r| r.join().unwrap()).collect();
        assert!(decided.iter().all(|(asked, _)| *asked > 0));
        assert!(decided.iter().any(|(_, cached)| *cached > 0), "the memory was never used: {decided:?}");
    });
}

/// Decides until all is published. Returns how often, and how often from memory.
fn read(evaluator: &TrustEvaluator, published: &AtomicU64, done: &AtomicBool) -> (u64, u64) {
    let mut context = context(&[("storage", "get")]);
    let (action, mut asked, mut remembered) = (action("kv_get"), 0, 0);
    let on = resource(&action, "k", true);
    loop {
        let last = done.load(Ordering::SeqCst);
        let before = published.load(Ordering::SeqCst);
        let (allow, epoch, cached, policies) = match evaluator.evaluate_syscall(&mut context, &action, &on) {
            Verdict::Allow(p) => (true, p.epoch(), p.cached(), p.policies()),
            Verdict::Deny(d) => (false, d.epoch, d.cached, d.policies),
        };
        assert!(epoch >= before, "decided in {epoch} after {before} was published");
        assert_eq!(allow, epoch.is_multiple_of(2), "epoch {epoch} was decided by another one's policy");
        let ids = evaluator.policy_ids(policies);
        assert!(ids.split(',').any(|id| id == format!("s:e{epoch}")), "epoch {epoch}: {ids}");
        asked += 1;
        remembered += u64::from(cached);
        if last {
            return (asked, remembered);
        }
    }
}

/// A publication, a class taken away and one given back, and three decisions, in every order of their steps.
#[test]
fn in_no_order_of_steps_is_a_decision_from_before_what_was_published() {
    let text = r#"@id("trusted") forbid(principal is Plugin, action == Action::"kv_get", resource)
        unless { principal.trust == "full" };"#;
    let evaluator = shared(evaluator(&[text]));
    let id = plugin("redactor", "acme").as_plugin().unwrap().id;
    let mut late = 0;
    let orders = every_order(
        || {
            let published = shared(AtomicU64::new(evaluator.epoch()));
            let (host, told) = (evaluator.clone(), published.clone());
            let writes = Box::new(move || {
                for class in [TrustClass::Reduced, TrustClass::Full] {
                    told.store(host.set_class(id, class), Ordering::SeqCst);
                }
                told.store(host.publish(&[source("s0", text)]).unwrap(), Ordering::SeqCst);
                0
            });
            let host = evaluator.clone();
            let first = published.load(Ordering::SeqCst);
            let reads = Box::new(move || {
                let (mut context, action) = (context(&[("storage", "get")]), action("kv_get"));
                let mut wrong = 0;
                for _ in 0..3 {
                    let before = published.load(Ordering::SeqCst);
                    let on = resource(&action, "k", true);
                    let (allow, epoch) = match host.evaluate_syscall(&mut context, &action, &on) {
                        Verdict::Allow(permit) => (true, permit.epoch()),
                        Verdict::Deny(denial) => (false, denial.epoch),
                    };
                    // Only the epoch after the first change is one in which the class is not `full`.
                    wrong += usize::from(epoch < before || allow == (epoch == first + 1));
                }
                wrong
            });
            [writes, reads]
        },
        |wrong| late += usize::from(wrong > 0),
    );
    assert!(orders > 200, "{orders}");
    assert_eq!(late, 0, "of {orders}");
}

#[test]
fn publications_from_many_threads_each_get_their_epoch() {
    let evaluator = evaluator(&[]);
    let mut epochs: Vec<u64> = std::thread::scope(|scope| {
        let each = || (0..20).map(|_| evaluator.publish(&[]).unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(each)).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    epochs.sort_unstable();
    assert_eq!(epochs, (2..=81).collect::<Vec<_>>());
    assert_eq!(evaluator.epoch(), 81);
}
