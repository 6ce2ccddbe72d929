//! What is recorded of calls that are allowed, in which order, and what of those that then fail.

use super::*;
use common::audit::RecordClass;
use common::clock::Deadline;
use common::identity::{Name, PluginId};

#[test]
fn every_allowed_action_acts_once_and_is_recorded_as_its_class_says() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    for action in served() {
        let mut caller = door.granted();
        let (done, response) = door.call(&mut caller, action.name, "x/");
        assert_eq!((done, response.as_slice()), (Ok(()), b"half an answer".as_slice()), "{}", action.name);
        let events = door.log.events();
        match (action.class, events.as_slice()) {
            (
                RecordClass::C,
                [Event::Effect(_), Event::Counted { action: counted, epoch: 1, ok: true, .. }],
            ) => {
                assert_eq!(counted, action.name);
            }
            (
                RecordClass::B,
                [
                    Event::Recorded { how: How::Appended, event, outcome: Outcome::Ok, code: None, line },
                    Event::Effect(effect),
                ],
            ) => {
                assert_eq!(
                    (event.as_str(), effect.as_str()),
                    ("host_call", format!("{} x", action.name).as_str())
                );
                assert!(
                    line.starts_with(&format!("{} {}:x [", action.name, action.resource.name())),
                    "{line}"
                );
                assert!(line.contains("builtin:granted-is-permitted"), "{line}");
                assert!(line.contains("@1 cached=false] "), "{line}");
            }
            (class, other) => panic!("{} of class {class:?}: {other:?}", action.name),
        }
        assert_eq!((caller.stats().allowed(), caller.stats().denied(), caller.stats().failed()), (1, 0, 0));
    }
}

#[test]
fn class_a_is_committed_before_the_effect() {
    let door = Door::new(Setup { class: Some(RecordClass::A), private: true, ..Setup::default() });
    for action in served() {
        assert_eq!(door.call(&mut door.granted(), action.name, "x").0, Ok(()));
        let events = door.log.events();
        let ok = matches!(events.as_slice(), [Event::Recorded { how: How::Committed, .. }, Event::Effect(_)]);
        assert!(ok, "{}: {events:?}", action.name);
    }
}

#[test]
fn a_failed_effect_gets_a_second_record_with_its_cause() {
    let failures = [
        (Status::Internal, Outcome::Failed, "E4064"),
        (Status::Unavailable, Outcome::Failed, "E4063"),
        (Status::Invalid, Outcome::Failed, "E4060"),
        (Status::Conflict, Outcome::Failed, "E4065"),
        (Status::Limit, Outcome::Limit, "E4062"),
        (Status::Timeout, Outcome::Limit, "E4010"),
        (Status::Denied, Outcome::Denied, "E2007"),
    ];
    for (status, outcome, code) in failures {
        let door = Door::new(Setup { private: true, answer: Some(status), ..Setup::default() });
        for action in served() {
            // An effect that went wrong is recorded each time; what a plugin can cause at will is rated.
            let effect = action.class != RecordClass::C;
            let how = if effect && outcome == Outcome::Failed { How::Appended } else { How::Limited };
            let mut caller = door.granted();
            let (done, response) = door.call(&mut caller, action.name, "x");
            assert_eq!((done, response.len()), (Err(status), 0), "{}", action.name);
            let events = door.log.events();
            let second = events.iter().filter(|e| {
                matches!(e, Event::Recorded { how: h, outcome: o, code: Some(c), line, .. }
                if *h == how && *o == outcome && c == code && line.contains("cause=the test says so"))
            });
            assert_eq!(second.count(), 1, "{} {status}: {events:?}", action.name);
            // Policies that permitted a call are not those of its denial.
            let denied = events.iter().filter_map(|e| match e {
                Event::Recorded { outcome: Outcome::Denied, line, .. } => Some(line),
                _ => None,
            });
            denied.for_each(|line| assert!(line.contains(" [] "), "{line}"));
            let counted = events.iter().any(|e| matches!(e, Event::Counted { ok: false, .. }));
            assert_eq!(counted, action.class == RecordClass::C, "{}: {events:?}", action.name);
            assert_eq!((caller.stats().allowed(), caller.stats().failed()), (1, 1));
        }
    }
}

#[test]
fn what_is_not_there_is_an_answer_not_a_failure() {
    let door = Door::new(Setup { private: true, answer: Some(Status::NotFound), ..Setup::default() });
    for action in served() {
        let mut caller = door.granted();
        assert_eq!(door.call(&mut caller, action.name, "x").0, Err(Status::NotFound));
        let events = door.log.events();
        assert!(!events.iter().any(|e| matches!(e, Event::Recorded { how: How::Limited, .. })), "{events:?}");
        assert!(!events.iter().any(|e| matches!(e, Event::Counted { ok: false, .. })), "{events:?}");
        assert_eq!(caller.stats().failed(), 0);
    }
}

#[test]
fn records_name_the_chain_the_policies_and_whether_the_decision_was_remembered() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    let name = |text| Name::new(text).unwrap();
    let outer = PluginId::new(&name("acme"), &name("outer"));
    let mut caller = door.granted();
    caller.begin(Deadline::NEVER, crate::trust::Chain::of([outer]));
    assert_eq!(caller.trust().depth(), 1);
    for cached in [false, true] {
        assert_eq!(door.call(&mut caller, "kv_set", "k").0, Ok(()));
        let events = door.log.events();
        let Some(Event::Recorded { line, .. }) = events.first() else { panic!("{events:?}") };
        assert!(line.contains(&format!("@1 cached={cached}")), "{line}");
        assert!(line.ends_with(&format!("chain={outer}")), "{line}");
    }
}

#[test]
fn latency_is_counted_in_coarse_milliseconds() {
    let door = Door::new(Setup { private: true, takes_ms: 7, ..Setup::default() });
    assert_eq!(door.call(&mut door.granted(), "kv_get", "k").0, Ok(()));
    let counted = Event::Counted { action: "kv_get".into(), epoch: 1, ok: true, latency_ms: 7 };
    assert!(door.log.events().contains(&counted));
}

#[test]
fn what_is_admitted_is_recorded_and_left_to_the_caller() {
    let door = Door::new(Setup::default());
    let mut caller = door.bare();
    let log = door.bridge.action("log").unwrap();
    let permit = door.bridge.admit(&mut caller, log, &crate::trust::Resource::NONE).unwrap();
    assert_eq!(permit.epoch(), 1);
    let counted = Event::Counted { action: "log".into(), epoch: 1, ok: true, latency_ms: 0 };
    assert_eq!(door.log.events(), [counted]);
    let event = door.bridge.action("event_emit").unwrap();
    let named = crate::trust::Resource { kind: crate::trust::ResourceKind::Event, name: "e", private: false };
    assert_eq!(door.bridge.admit(&mut caller, event, &named).err(), Some(Status::Denied));
    let mut granted = door.bridge.caller(TrustContext::with_grants(
        Arc::new(plugin("p", "acme")),
        permissions(&[("observability", "event")]),
    ));
    assert!(door.bridge.admit(&mut granted, event, &named).is_ok());
    let events = door.log.events();
    let denied_then_appended = matches!(
        events.as_slice(),
        [Event::Recorded { how: How::Limited, .. }, Event::Recorded { how: How::Appended, .. }]
    );
    assert!(denied_then_appended, "{events:?}");
    assert_eq!(caller.stats().denied(), 1);
}

#[test]
fn stats_are_read_from_another_thread() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    let mut caller = door.granted();
    let stats = caller.stats().clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1000 {
                door.call(&mut caller, "ping", "").0.unwrap();
            }
        });
    });
    assert_eq!(std::thread::spawn(move || stats.allowed()).join().unwrap(), 1000);
}
