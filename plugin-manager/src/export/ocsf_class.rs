//! Which class and activity of OCSF 1.8 a record is.

use super::Event;

/// A class, its category, and an activity of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub class: u32,
    pub category: u32,
    pub activity: u32,
}

const fn class(class: u32, activity: u32) -> Class {
    Class { class, category: class / 1000, activity }
}

pub(super) const MODULE: u32 = 1005;
pub(super) const COMPLIANCE: u32 = 2003;
pub(super) const DETECTION: u32 = 2004;
pub(super) const AUTHORIZE: u32 = 3003;
pub(super) const ENTITY: u32 = 3004;
pub(super) const LIFECYCLE: u32 = 6002;
pub(super) const API: u32 = 6003;

/// The class of this record.
pub(super) fn of(event: &Event) -> Class {
    match event.kind() {
        "detection" => class(DETECTION, 1),
        "lifecycle" => transition(event),
        "management" => management(event),
        "host_call" | "denial" | "label" => host_call(event.action()),
        "trust" if event.outcome() == "failed" => class(DETECTION, 1),
        "call" if event.outcome() == "limit" => class(DETECTION, 1),
        "call" => class(MODULE, 3),
        _ if event.is_damage() => class(DETECTION, 1),
        _ => class(LIFECYCLE, 99),
    }
}

fn transition(event: &Event) -> Class {
    match event.action() {
        "init" => class(MODULE, 1),
        "stopped" | "unload" => class(MODULE, 2),
        "quarantine" => class(DETECTION, 1),
        _ if event.outcome() == "failed" => class(DETECTION, 1),
        "start" => class(LIFECYCLE, 3),
        "stop" => class(LIFECYCLE, 4),
        "pause" | "paused" => class(LIFECYCLE, 7),
        "resume" => class(LIFECYCLE, 6),
        _ => class(LIFECYCLE, 99),
    }
}

fn management(event: &Event) -> Class {
    let refused = event.outcome() == "denied";
    match event.action() {
        // A package that was refused by what it is: integrity, signature, certificate, trust.
        "install" | "upgrade"
            if refused
                && ["E10", "E11", "E12", "E13", "E14"].iter().any(|c| event.text("/code").starts_with(c)) =>
        {
            class(DETECTION, 1)
        }
        "install" => class(LIFECYCLE, 1),
        "remove" => class(LIFECYCLE, 2),
        "start" => class(LIFECYCLE, 3),
        "stop" => class(LIFECYCLE, 4),
        "resume" | "release" => class(LIFECYCLE, 6),
        "pause" => class(LIFECYCLE, 7),
        "approve" => class(AUTHORIZE, 1),
        "review" => class(ENTITY, 2),
        "upgrade" | "rollback" | "trial" => class(LIFECYCLE, 8),
        "open" if !event.detail("weakened").is_empty() => class(COMPLIANCE, 1),
        "open" => class(LIFECYCLE, 3),
        "configure" => class(ENTITY, 3),
        "key_revoke" => class(ENTITY, 4),
        "erase" => class(ENTITY, 4),
        key if key.starts_with("key_") => class(ENTITY, 1),
        "call" | "read" | "status" | "list" => class(API, 2),
        _ => class(LIFECYCLE, 99),
    }
}

fn host_call(action: &str) -> Class {
    if action.starts_with("call:") {
        return class(MODULE, 3);
    }
    match action {
        "dir_create" => return class(API, 1),
        "file_open" | "secret_use" | "secret_reveal" => return class(API, 2),
        "file_write_at" | "file_resize" | "file_rename_from" | "file_rename_to" => return class(API, 3),
        _ => {}
    }
    match action.rsplit('_').next().unwrap_or_default() {
        "get" | "read" | "list" | "exists" | "stat" | "now" => class(API, 2),
        "set" | "put" | "write" | "append" | "cas" | "record" => class(API, 3),
        "emit" => class(API, 1),
        "delete" => class(API, 4),
        _ => class(API, 99),
    }
}
