//! What is installed at the end of a span, when it was reviewed last, and whether the next review is overdue. A review is
//! of a digest: one of an earlier version counts as none.

use crate::export::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// Days after which a review is to be repeated, and after which there is to be a first one.
pub(super) const DAYS: u64 = 90;
const DAY_MS: u64 = 86_400_000;
/// Plugins that are told apart; those beyond are counted.
const KEPT: usize = 10_000;

/// What there is to review: a plugin, or the policies of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject {
    /// The digest of a plugin's manifest; empty for policies.
    pub digest: String,
    /// Since when it is there, in milliseconds since 1970.
    pub since: u64,
    /// When it was reviewed last, and by whom.
    pub last: Option<(u64, String, String)>,
}

impl Subject {
    /// Whether the next review is overdue at this moment.
    pub fn is_overdue(&self, at: u64) -> bool {
        let from = self.last.as_ref().map_or(self.since, |(ms, ..)| *ms);
        at.saturating_sub(from) > DAYS * DAY_MS
    }
    /// When it was reviewed last, as the record says it.
    pub fn reviewed(&self) -> &str {
        self.last.as_ref().map_or("never", |(_, t, _)| t.as_str())
    }
    /// Who reviewed it, as the record says it.
    pub fn reviewer(&self) -> &str {
        self.last.as_ref().map_or("", |(.., who)| who.as_str())
    }
}

/// Everything there is to review.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    /// Plugins by name.
    pub plugins: BTreeMap<String, Subject>,
    /// The policy files in force, from the first record on that tells of any.
    pub policy: Option<Subject>,
    /// Installations beyond those that are kept.
    pub more: u64,
    /// The time of the last record.
    pub at: u64,
}

impl Reviews {
    /// Hears of the next record of the log.
    pub fn hear(&mut self, event: &Event) {
        self.at = event.millis();
        if decided_by_files(event) {
            self.policy.get_or_insert_with(|| Subject { since: event.millis(), ..Subject::default() });
        }
        let name = event.text("/resource/name");
        match (event.kind(), event.action(), event.outcome()) {
            ("review", _, "ok") | ("management", "review", "ok") => self.reviewed(event),
            ("management", "install" | "upgrade" | "rollback" | "approve", "ok") => {
                self.installed(name, event)
            }
            ("management", "configure", "ok") if event.detail("change") == "policies" => {
                let since = event.millis();
                let some = event.detail("files") != "0";
                self.policy = some.then(|| Subject { since, ..Subject::default() });
            }
            ("management", "remove", "ok") => drop(self.plugins.remove(name)),
            _ => {}
        }
    }

    fn installed(&mut self, name: &str, event: &Event) {
        let (digest, since) = (event.detail("manifest"), event.millis());
        if digest.is_empty() || self.plugins.get(name).is_some_and(|known| known.digest == digest) {
            return;
        }
        if self.plugins.len() >= KEPT && !self.plugins.contains_key(name) {
            self.more += 1;
            return;
        }
        self.plugins.insert(name.to_owned(), Subject { digest: digest.to_owned(), since, last: None });
    }

    fn reviewed(&mut self, event: &Event) {
        let who = match event.detail("reviewer") {
            "" => event.text("/actor/user"),
            reviewer => reviewer,
        };
        let last = Some((event.millis(), event.text("/t").to_owned(), who.to_owned()));
        if event.text("/resource/kind") == "policy" {
            self.policy.get_or_insert_default().last = last;
            return;
        }
        let found = self.plugins.get_mut(event.text("/resource/name"));
        if let Some(subject) = found.filter(|subject| subject.digest == event.detail("digest")) {
            subject.last = last;
        }
    }

    /// Every subject with its name, policies first.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Subject)> {
        let policy = self.policy.iter().map(|subject| ("(policies)", subject));
        policy.chain(self.plugins.iter().map(|(name, subject)| (name.as_str(), subject)))
    }

    /// How many are overdue.
    pub fn overdue(&self) -> usize {
        self.all().filter(|(_, subject)| subject.is_overdue(self.at)).count()
    }
}

/// Whether a policy of a file, and not only the built-in rules, had a part in a decision.
fn decided_by_files(event: &Event) -> bool {
    let policies = event.value().pointer("/decision/policies").and_then(Value::as_array);
    policies.is_some_and(|ids| ids.iter().filter_map(Value::as_str).any(|id| !id.starts_with("builtin:")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(day: u64, action: &str, kind: &str, details: &serde_json::Value) -> Event {
        let t = format!("2026-{:02}-{:02}T00:00:00.000Z", 1 + day / 28, 1 + day % 28);
        let record = json!({ "seq": 0, "t": t, "type": "management", "outcome": "ok", "action": action,
            "actor": { "user": "person-1" }, "resource": { "kind": kind, "name": "a" }, "details": details });
        Event::parse(0, &record.to_string()).unwrap()
    }

    #[test]
    fn a_review_is_of_a_version_and_of_a_quarter() {
        let mut reviews = Reviews::default();
        let one = json!({ "manifest": "sha256:one" });
        let mut overdue_after = |day, action: &str, kind: &str, details: &serde_json::Value| {
            reviews.hear(&event(day, action, kind, details));
            let plugin =
                reviews.plugins.get("a").map(|a| (a.is_overdue(reviews.at), a.reviewer().to_owned()));
            (reviews.overdue(), plugin)
        };
        let who = |overdue, name: &str| Some((overdue, name.to_owned()));
        assert_eq!(overdue_after(0, "install", "plugin", &one), (0, who(false, "")));
        assert_eq!(overdue_after(100, "start", "plugin", &json!({})), (1, who(true, "")), "no policy files");
        let changed = json!({ "change": "policies", "files": "2" });
        assert_eq!(overdue_after(5, "configure", "plugin", &changed), (0, who(false, "")));
        assert_eq!(overdue_after(100, "start", "plugin", &json!({})), (2, who(true, "")));
        let other = json!({ "digest": "sha256:two" });
        assert_eq!(overdue_after(100, "review", "plugin", &other), (2, who(true, "")), "of another version");
        let same = json!({ "digest": "sha256:one", "reviewer": "person-2" });
        assert_eq!(overdue_after(101, "review", "plugin", &same), (1, who(false, "person-2")));
        assert_eq!(overdue_after(102, "review", "policy", &json!({})), (0, who(false, "person-2")));
        let two = json!({ "manifest": "sha256:two" });
        assert_eq!(
            overdue_after(103, "upgrade", "plugin", &two),
            (0, who(false, "")),
            "none of this version"
        );
        assert_eq!(overdue_after(250, "remove", "plugin", &json!({})), (1, None), "the policies");
        let none = json!({ "change": "policies", "files": "0" });
        assert_eq!(overdue_after(251, "configure", "plugin", &none), (0, None), "the built-in rules hold");
    }

    #[test]
    fn policies_are_there_once_they_decide() {
        let mut reviews = Reviews::default();
        for (id, some) in [("builtin:granted", false), ("mine.cedar/rule", true)] {
            let record = json!({ "t": "2026-01-01T00:00:00.000Z", "type": "host_call", "decision": { "policies": [id] } });
            reviews.hear(&Event::parse(0, &record.to_string()).unwrap());
            assert_eq!(reviews.policy.is_some(), some, "{id}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut reviews = Reviews::default();
        for n in 0..=KEPT {
            reviews.installed(
                &n.to_string(),
                &event(0, "install", "plugin", &json!({ "manifest": "sha256:x" })),
            );
        }
        assert_eq!((reviews.plugins.len(), reviews.more), (KEPT, 1));
    }
}
