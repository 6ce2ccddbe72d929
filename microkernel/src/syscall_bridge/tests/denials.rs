//! Every path that does not end in an effect: no handler ran, and it was recorded.

use super::*;
use crate::trust::Chain;
use common::audit::RecordClass;
use common::clock::Deadline;

fn only_record(events: &[Event]) -> (&str, Outcome, Option<&str>, &str) {
    assert!(!acted(events), "a handler ran: {events:?}");
    match events {
        [Event::Recorded { how: How::Limited, event, outcome, code, line }] => {
            (event, *outcome, code.as_deref(), line)
        }
        other => panic!("not one record: {other:?}"),
    }
}

#[test]
fn a_denied_call_of_any_action_runs_no_handler_and_is_recorded_once() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    for action in served().filter(|a| !a.needs.is_empty()) {
        let mut caller = door.bare();
        for cached in [false, true] {
            let (done, response) = door.call(&mut caller, action.name, "x/");
            assert_eq!((done, response.len()), (Err(Status::Denied), 0), "{}", action.name);
            let events = door.log.events();
            let (event, outcome, code, line) = only_record(&events);
            assert_eq!((event, outcome, code), ("denial", Outcome::Denied, Some("E2002")));
            let name = if action.resource == crate::trust::ResourceKind::None { "" } else { "x" };
            let named = format!("{} {}:{name} [@1 cached={cached}]", action.name, action.resource.name());
            assert!(line.starts_with(&named), "{line} is not {named}");
            assert!(line.contains("missing="), "{line}");
        }
        assert_eq!((caller.stats().allowed(), caller.stats().denied(), caller.stats().failed()), (0, 2, 0));
    }
}

#[test]
fn a_denial_that_cannot_be_recorded_is_unavailable() {
    let door = Door::new(Setup::default());
    door.log.refuse(How::Limited);
    for action in served().filter(|a| !a.needs.is_empty()) {
        assert_eq!(door.call(&mut door.bare(), action.name, "x").0, Err(Status::Unavailable));
    }
    assert_eq!(door.log.events(), []);
}

#[test]
fn an_effect_that_cannot_be_recorded_does_not_happen() {
    for (class, how) in [(RecordClass::B, How::Appended), (RecordClass::A, How::Committed)] {
        let door = Door::new(Setup { class: Some(class), private: true, ..Setup::default() });
        door.log.refuse(how);
        for action in served() {
            let mut caller = door.granted();
            let (done, response) = door.call(&mut caller, action.name, "x");
            assert_eq!((done, response.len()), (Err(Status::Unavailable), 0), "{}", action.name);
            assert_eq!(door.log.events(), [], "{}", action.name);
            assert_eq!((caller.stats().allowed(), caller.stats().failed()), (0, 1));
        }
    }
}

#[test]
fn a_counted_call_that_cannot_be_counted_is_not_answered() {
    let door = Door::new(Setup { class: Some(RecordClass::C), private: true, ..Setup::default() });
    door.log.refuse_counts();
    for action in served() {
        let (done, response) = door.call(&mut door.granted(), action.name, "x");
        assert_eq!((done, response.len()), (Err(Status::Unavailable), 0), "{}", action.name);
    }
    let log = door.bridge.action("log").unwrap();
    let admitted = door.bridge.admit(&mut door.bare(), log, &crate::trust::Resource::NONE);
    assert_eq!(admitted.err(), Some(Status::Unavailable));
}

#[test]
fn arguments_that_name_nothing_are_invalid() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    for action in served() {
        let mut caller = door.granted();
        assert_eq!(door.call(&mut caller, action.name, "a/../b").0, Err(Status::Invalid), "{}", action.name);
        let events = door.log.events();
        let (event, outcome, code, line) = only_record(&events);
        assert_eq!((event, outcome, code), ("host_call", Outcome::Failed, Some("E4060")));
        assert!(line.contains("cause=the path has a .. segment"), "{line}");
        let id = door.bridge.action(action.name).unwrap();
        let mut response = vec![1];
        assert_eq!(door.bridge.execute(&mut caller, id, &[9, 0, 0], &mut response), Err(Status::Invalid));
        assert!(response.is_empty() && !acted(&door.log.events()));
        assert_eq!(caller.stats().failed(), 2);
    }
}

#[test]
fn a_name_that_is_too_long_is_a_limit() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    for action in served() {
        let mut caller = door.granted();
        assert_eq!(door.call(&mut caller, action.name, &"x".repeat(4097)).0, Err(Status::Limit));
        let events = door.log.events();
        let (event, outcome, code, line) = only_record(&events);
        assert_eq!((event, outcome, code), ("host_call", Outcome::Limit, Some("E4062")));
        assert!(line.len() < 200, "{line}");
        assert_eq!(door.call(&mut caller, action.name, &"x".repeat(4096)).0, Ok(()), "{}", action.name);
        door.log.events();
    }
}

#[test]
fn a_call_nobody_serves_is_unknown() {
    let door = Door::new(Setup::default());
    let mut caller = door.granted();
    assert_eq!(door.call(&mut caller, "log", "x").0, Err(Status::Unknown), "log can only be admitted");
    let events = door.log.events();
    assert_eq!(only_record(&events).2, Some("E4061"));
    let mut response = vec![1];
    assert_eq!(door.bridge.execute(&mut caller, ActionId(999), &[], &mut response), Err(Status::Unknown));
    assert!(response.is_empty());
    assert_eq!(only_record(&door.log.events()).2, Some("E4061"));
    let nobody = door.bridge.admit(&mut caller, ActionId(999), &crate::trust::Resource::NONE);
    assert_eq!(nobody.err(), Some(Status::Unknown));
    assert_eq!(only_record(&door.log.events()).2, Some("E4061"));
}

#[test]
fn a_name_a_plugin_made_up_does_not_become_an_action_of_the_log() {
    let door = Door::new(Setup::default());
    let mut caller = door.granted();
    door.bridge.invalid(&mut caller, &"x".repeat(5000), Status::Unknown, "there is no such call");
    let events = door.log.events();
    let (_, _, code, line) = only_record(&events);
    assert_eq!(code, Some("E4061"));
    assert!(line.starts_with("syscall none: ") && line.len() < 200, "{line}");
    door.bridge.invalid(&mut caller, "kv_get", Status::Invalid, "wild pointer");
    assert!(only_record(&door.log.events()).3.starts_with("kv_get key: "));
}

#[test]
fn after_the_deadline_nothing_is_dispatched() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    door.clock.advance(std::time::Duration::from_millis(10));
    for action in served() {
        let mut caller = door.granted();
        caller.begin(Deadline::at_ms(10), Chain::new());
        assert_eq!(door.call(&mut caller, action.name, "x").0, Err(Status::Timeout), "{}", action.name);
        let events = door.log.events();
        assert!(!acted(&events));
        let late = |e: &Event| matches!(e, Event::Recorded { outcome: Outcome::Limit, code, .. } if code.as_deref() == Some("E4010"));
        assert_eq!(events.iter().filter(|e| late(e)).count(), 1, "{events:?}");
        caller.begin(Deadline::at_ms(11), Chain::new());
        assert_eq!(door.call(&mut caller, action.name, "x").0, Ok(()));
        door.log.events();
    }
}

#[test]
fn an_action_the_evaluator_does_not_know_is_denied() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    let service = Service { log: door.log.clone(), name: "kv_set", private: true, answer: None, takes: None };
    let lax = Action { needs: &[], ..builtin_actions().into_iter().find(|a| a.name == "kv_set").unwrap() };
    let bridge = SyscallBridge::recording_to(
        door.bridge.evaluator().clone(),
        door.bridge.audit().clone(),
        Arc::new(door.log.clone()),
        door.clock.clone(),
        vec![(lax, Some(Arc::new(service)))],
    );
    let (id, args) = (bridge.action("kv_set").unwrap(), SyscallArgs::new().arg("k"));
    let mut caller = door.granted();
    assert_eq!(bridge.execute(&mut caller, id, args.as_bytes(), &mut Vec::new()), Err(Status::Denied));
    assert_eq!(only_record(&door.log.events()).2, Some("E2003"));
}
