//! A secret is recorded before it is given; what could carry it out then reaches no handler.

use super::*;
use crate::trust::{Chain, PolicySource};
use common::clock::Deadline;

const LABEL: &str = r#"@label("secret") permit(principal, action == Action::"kv_get", resource)
    when { resource.name == "customers" };"#;

fn door() -> Door {
    let door = Door::new(Setup { private: false, ..Setup::default() });
    let source = PolicySource { name: "label".into(), text: LABEL.into() };
    door.bridge.evaluator().publish(&[source]).unwrap();
    door
}

/// The records of labels among these, as lines.
fn labels(events: &[Event]) -> Vec<&str> {
    fn line(event: &Event) -> Option<&str> {
        match event {
            Event::Recorded { event, line, .. } if event == "label" => Some(line),
            _ => None,
        }
    }
    events.iter().filter_map(line).collect()
}

#[test]
fn who_reads_a_secret_is_recorded_first_and_once_and_carries_nothing_out() {
    let door = door();
    let mut caller = door.granted_everywhere();
    assert_eq!(door.call(&mut caller, "event_emit", "x").0, Ok(()));
    door.log.events();
    for _ in 0..2 {
        assert_eq!(door.call(&mut caller, "kv_get", "customers").0, Ok(()));
    }
    let events = door.log.events();
    assert!(matches!(&events[0], Event::Recorded { event, .. } if event == "label"), "{events:?}");
    assert_eq!(
        labels(&events),
        ["kv_get key:customers [builtin:granted-is-permitted@2 cached=false] label=secret"]
    );
    for carries in ["event_emit", "plugin_call", "metric_record", "file_write", "kv_set"] {
        assert_eq!(door.call(&mut caller, carries, "/x").0, Err(Status::Denied), "{carries}");
    }
    let events = door.log.events();
    assert!(!acted(&events));
    let code = |e: &Event| matches!(e, Event::Recorded { code: Some(code), .. } if code == "E2008");
    assert_eq!(events.iter().filter(|e| code(e)).count(), 5, "{events:?}");
    assert_eq!(door.call(&mut caller, "kv_get", "weather").0, Ok(()), "reading goes on");
    assert_eq!(
        door.call(&mut door.granted_everywhere(), "event_emit", "x").0,
        Ok(()),
        "another instance is free"
    );
}

#[test]
fn comparing_with_a_secret_is_reading_it() {
    let door = door();
    let mut caller = door.granted_everywhere();
    assert_eq!(door.call(&mut caller, "kv_cas", "customers").0, Ok(()));
    assert_eq!(labels(&door.log.events()).len(), 1);
    assert_eq!(door.call(&mut caller, "event_emit", "x").0, Err(Status::Denied));
}

#[test]
fn a_secret_that_cannot_be_recorded_is_not_given() {
    let door = door();
    door.log.refuse(How::Appended);
    let mut caller = door.granted_everywhere();
    assert_eq!(door.call(&mut caller, "kv_get", "customers").0, Err(Status::Unavailable));
    assert!(!acted(&door.log.events()));
    assert!(!caller.trust().is_tainted());
}

#[test]
fn a_caller_whose_callee_read_a_secret_is_recorded_at_its_next_call() {
    let door = door();
    let (mut outer, mut callee) = (door.granted_everywhere(), door.granted_everywhere());
    let id = outer.identity().as_plugin().unwrap().id;
    callee.begin(Deadline::NEVER, Chain::new().then(id, outer.trust().link()));
    assert_eq!(door.call(&mut callee, "kv_get", "customers").0, Ok(()));
    door.log.events();
    for _ in 0..2 {
        assert_eq!(door.call(&mut outer, "event_emit", "x").0, Err(Status::Denied));
    }
    let events = door.log.events();
    assert_eq!(labels(&events), ["plugin_call plugin: [] label=secret"]);
    assert!(!acted(&events));
}

#[test]
fn whoever_acts_for_one_that_may_not_reaches_no_handler_whatever_the_call() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    let bare = door.bare();
    let id = bare.identity().as_plugin().unwrap().id;
    let mut callee = door.granted();
    callee.begin(Deadline::NEVER, Chain::new().then(id, bare.trust().link()));
    for action in served() {
        let (done, _) = door.call(&mut callee, action.name, "x");
        let events = door.log.events();
        // Who calls on hands the bound on.
        let free = action.needs.is_empty() || action.name == "plugin_call";
        assert_eq!((done.is_ok(), acted(&events)), (free, free), "{}", action.name);
        if done.is_err() {
            let line = format!("{events:?}");
            assert!(line.contains("lacking=redactor") && line.contains("chain="), "{line}");
        }
    }
    let stats = callee.stats().clone();
    assert!(stats.denied() > 10 && stats.allowed() > 2);
    let own = stats.own();
    assert_eq!((own.denied(), own.allowed(), own.limited()), (0, 0, 0), "all of it was for another");
    callee.begin(Deadline::NEVER, Chain::new());
    assert_eq!(door.call(&mut callee, "kv_get", "x").0, Ok(()));
    assert_eq!((own.allowed(), own.allowed_by_action().count()), (1, 1));
}
