//! Where a home's audit log is, the key that signs it, and how each action is recorded. Reads the home, takes no lock.

use common::audit::RecordClass;
use common::crypto::{PublicKey, SigningKey};
use common::error::{ForgeError, codes};
use microkernel::syscall_bridge::builtin_actions;
use microkernel::trust::ManagementAction;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The audit log of a home, for those who read and verify it.
#[derive(Debug, Clone)]
pub struct AuditSource {
    /// The directory of its segments.
    pub dir: PathBuf,
    /// The public half of the key that signs its checkpoints.
    pub key: PublicKey,
}

impl AuditSource {
    /// The log of this home.
    ///
    /// # Errors
    /// E5008 when the home has no log; E3004 when its key cannot be read.
    pub fn of(home: &Path) -> Result<Self, ForgeError> {
        let path = home.join("keys/audit.pkcs8");
        let unreadable = |reason: String| {
            ForgeError::new(&codes::E3004, format!("cannot read the audit key {}", path.display()))
                .reason(reason)
        };
        let pkcs8 = std::fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                ForgeError::new(&codes::E5008, format!("{} has no audit log", home.display()))
                    .with_help("name the home with --home; a home has a log once it was used")
            }
            _ => unreadable(e.to_string()),
        })?;
        let key = SigningKey::from_pkcs8(&pkcs8).map_err(|e| unreadable(e.to_string()))?;
        Ok(Self { dir: home.join("audit"), key: key.public() })
    }
}

/// How one kind of action is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRow {
    /// The class.
    pub class: RecordClass,
    /// What kind of action: `management`, `lifecycle`, `host call`, `outcome`, `call`.
    pub kind: &'static str,
    /// Its name.
    pub action: &'static str,
}

/// What is not one action: changes of state, and outcomes of any action.
const BESIDES: [ClassRow; 9] = [
    row(RecordClass::A, "lifecycle", "a plugin's change of state"),
    row(RecordClass::A, "management", "key_init"),
    row(RecordClass::A, "management", "key_issue"),
    row(RecordClass::B, "outcome", "a denial"),
    row(RecordClass::B, "outcome", "a failed host call"),
    row(RecordClass::B, "outcome", "a trap or a nonzero status"),
    row(RecordClass::B, "outcome", "a limit or a deadline"),
    row(RecordClass::B, "outcome", "a pointer or argument list that is not valid"),
    row(RecordClass::B, "outcome", "a refused package or management action"),
];

const fn row(class: RecordClass, kind: &'static str, action: &'static str) -> ClassRow {
    ClassRow { class, kind, action }
}

const fn management(action: ManagementAction) -> ClassRow {
    match action {
        ManagementAction::Call => row(RecordClass::C, "call", "an operation of a plugin"),
        ManagementAction::Read => row(RecordClass::C, "management", "read"),
        other => row(RecordClass::A, "management", other.name()),
    }
}

/// How everything is recorded: class A first, within a class by kind and name.
pub fn record_classes() -> Vec<ClassRow> {
    let calls = builtin_actions().into_iter().map(|a| row(a.class, "host call", a.name));
    let mut rows: Vec<ClassRow> =
        ManagementAction::ALL.into_iter().map(management).chain(BESIDES).chain(calls).collect();
    rows.sort_by_key(|r| (letter(r.class), r.kind, r.action));
    rows
}

/// `A`, `B` or `C`.
pub const fn letter(class: RecordClass) -> char {
    match class {
        RecordClass::A => 'A',
        RecordClass::B => 'B',
        RecordClass::C => 'C',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_there_once() {
        let rows = record_classes();
        for action in builtin_actions() {
            let found: Vec<&ClassRow> =
                rows.iter().filter(|r| r.kind == "host call" && r.action == action.name).collect();
            assert_eq!(found.len(), 1, "{}", action.name);
            assert_eq!(found[0].class, action.class);
        }
        let names: std::collections::BTreeSet<_> = rows.iter().map(|r| (r.kind, r.action)).collect();
        assert_eq!(names.len(), rows.len());
    }

    #[test]
    fn effects_outside_the_instance_are_appended_before_they_happen() {
        // RECORDING.md, class B, as far as this build has the calls.
        let effects = [
            "file_write",
            "file_append",
            "file_delete",
            "kv_set",
            "kv_delete",
            "kv_cas",
            "plugin_call",
            "event_emit",
        ];
        for row in record_classes().iter().filter(|r| r.kind == "host call") {
            assert_eq!(row.class == RecordClass::B, effects.contains(&row.action), "{}", row.action);
        }
    }

    #[test]
    fn a_home_without_a_log_says_so() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(AuditSource::of(home.path()).unwrap_err().code().id, "E5008");
    }
}
