//! Names of hidden kinds are in no record, whatever became of the call; the others are.

use super::*;
use crate::trust::ResourceKind;
use common::crypto::MacKey;

const NAME: &str = "zebulon-canary";

fn lines(setup: Setup, bare: bool) -> Vec<(ResourceKind, String)> {
    let mut door = Door::new(setup);
    let bridge = Arc::into_inner(door.bridge).unwrap();
    let hidden = vec![ResourceKind::Key, ResourceKind::Path, ResourceKind::Host];
    door.bridge = Arc::new(bridge.redacting(Redaction::new(hidden, MacKey::new(&[7; 32]))));
    let mut found = Vec::new();
    for action in served() {
        for _ in 0..2 {
            let mut caller = if bare { door.bare() } else { door.granted() };
            let name = if action.resource == ResourceKind::Host { "zebulon-canary:443" } else { NAME };
            let _ = door.call(&mut caller, action.name, name);
            for event in door.log.events() {
                if let Event::Recorded { line, .. } = event {
                    found.push((action.resource, line));
                }
            }
        }
    }
    found
}

#[test]
fn a_hidden_name_is_in_no_record_and_is_the_same_digest_each_time() {
    let private = Setup { private: true, ..Setup::default() };
    let failing = Setup { answer: Some(Status::Internal), ..private };
    for (setup, bare) in [(private, false), (failing, false), (private, true), (Setup::default(), true)] {
        let lines = lines(setup, bare);
        let hides =
            |kind: &ResourceKind| matches!(kind, ResourceKind::Key | ResourceKind::Path | ResourceKind::Host);
        let (hidden, shown): (Vec<_>, Vec<_>) = lines.iter().partition(|(kind, _)| hides(kind));
        assert!(hidden.len() > 8 && !shown.is_empty(), "{lines:?}");
        for (kind, line) in &hidden {
            assert!(!line.contains("zebulon"), "{line}");
            assert!(line.contains(&format!(" {}:{REDACTED}", kind.name())), "{line}");
        }
        for (kind, line) in shown.iter().filter(|(kind, _)| *kind != ResourceKind::None) {
            assert!(line.contains(&format!(" {}:{NAME}", kind.name())), "{line}");
        }
        let keys: std::collections::BTreeSet<&str> = hidden
            .iter()
            .filter(|(kind, _)| *kind == ResourceKind::Key)
            .filter_map(|(_, line)| line.split(REDACTED).nth(1)?.get(..24))
            .collect();
        assert_eq!(keys.len(), 1, "{keys:?}");
    }
}
