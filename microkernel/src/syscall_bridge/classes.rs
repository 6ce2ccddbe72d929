//! Every action and event of this build with its class of record: what `forgeone audit classes` prints.

use super::{Action, builtin_actions};
use crate::trust::{ManagementAction, ResourceKind};
use common::audit::RecordClass;
use common::permission::Capability;

/// Where an action comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// A plugin asks for it.
    HostCall,
    /// An operator or a part of the host asks for it.
    Management,
    /// It happens in the life of a plugin or of the host.
    Lifecycle,
}

impl Area {
    /// The word used in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostCall => "host call",
            Self::Management => "management",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRow {
    /// Where it comes from.
    pub area: Area,
    /// Its name in records.
    pub name: &'static str,
    /// How it is recorded.
    pub class: RecordClass,
    /// The kind of resource it touches.
    pub resource: ResourceKind,
    /// The permissions it needs.
    pub needs: &'static [Capability],
    /// Whether it protects, and so happens even when it cannot be recorded at once.
    pub protects: bool,
}

/// Events of no host call and no verb, each with its class and whether it protects. Failures and denials are
/// class B whatever the class of what they end.
const LIFECYCLE: [(&str, RecordClass, bool); 30] = [
    ("transition", RecordClass::A, false),
    ("init", RecordClass::A, false),
    ("ready", RecordClass::A, false),
    ("start", RecordClass::A, false),
    ("pause", RecordClass::A, true),
    ("stop", RecordClass::A, true),
    ("stopped", RecordClass::A, true),
    ("fail", RecordClass::A, true),
    ("quarantine", RecordClass::A, true),
    ("unload", RecordClass::A, true),
    ("discard_state", RecordClass::A, false),
    ("offer", RecordClass::A, false),
    ("trial", RecordClass::A, false),
    ("directory", RecordClass::A, false),
    ("reload_trust", RecordClass::A, true),
    ("load_code", RecordClass::B, false),
    ("open", RecordClass::A, false),
    ("key_init", RecordClass::A, false),
    ("key_issue", RecordClass::A, false),
    ("key_notary", RecordClass::A, false),
    ("key_revoke", RecordClass::A, false),
    ("key_rotate", RecordClass::A, false),
    ("erase", RecordClass::A, false),
    ("trust_class", RecordClass::A, true),
    ("denial", RecordClass::B, false),
    ("label", RecordClass::B, false),
    ("failure", RecordClass::B, false),
    ("trap", RecordClass::B, false),
    ("limit", RecordClass::B, false),
    ("refusal", RecordClass::B, false),
];

/// Every row: host calls, then management, then lifecycle.
pub fn classes() -> Vec<ClassRow> {
    classes_of(&builtin_actions())
}

/// Every row of a bridge with these host calls, in the same order.
pub fn classes_of(actions: &[Action]) -> Vec<ClassRow> {
    let calls = actions.iter().map(|action| ClassRow {
        area: Area::HostCall,
        name: action.name,
        class: action.class,
        resource: action.resource,
        needs: action.needs,
        protects: false,
    });
    let verbs = ManagementAction::ALL.into_iter().map(|verb| ClassRow {
        area: Area::Management,
        name: verb.name(),
        class: verb.class(),
        resource: ResourceKind::Plugin,
        needs: &[],
        protects: matches!(verb, ManagementAction::Stop | ManagementAction::Pause),
    });
    let events = LIFECYCLE.into_iter().map(|(name, class, protects)| ClassRow {
        area: Area::Lifecycle,
        name,
        class,
        resource: ResourceKind::Plugin,
        needs: &[],
        protects,
    });
    calls.chain(verbs).chain(events).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn named(class: RecordClass, area: Area) -> BTreeSet<&'static str> {
        classes().into_iter().filter(|r| r.class == class && r.area == area).map(|r| r.name).collect()
    }

    #[test]
    fn every_action_is_in_exactly_one_class() {
        let names: Vec<_> = classes().into_iter().map(|r| (r.area.name(), r.name)).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn the_classes_are_those_of_the_recording_page() {
        let effects = [
            "auth_verify",
            "dir_create",
            "event_emit",
            "file_append",
            "file_delete",
            "file_open",
            "file_rename_from",
            "file_rename_to",
            "file_resize",
            "file_write",
            "file_write_at",
            "http_request",
            "kv_cas",
            "kv_delete",
            "kv_set",
            "object_delete",
            "object_put",
            "plugin_call",
            "secret_reveal",
            "secret_use",
        ];
        assert_eq!(named(RecordClass::B, Area::HostCall), BTreeSet::from(effects));
        assert_eq!(named(RecordClass::A, Area::HostCall), BTreeSet::new());
        assert_eq!(named(RecordClass::C, Area::Management), BTreeSet::from(["call", "read"]));
        assert_eq!(named(RecordClass::C, Area::Lifecycle), BTreeSet::new());
    }
}
