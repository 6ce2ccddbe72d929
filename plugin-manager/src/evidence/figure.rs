//! The figures, each with the query that gives it.

use crate::export::{Condition, Event};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figure {
    /// Its name in every document.
    pub id: &'static str,
    /// What it says, in words.
    pub title: &'static str,
    /// Conditions that all hold of a counted record; a record counts as its `n`, or once.
    pub query: &'static [&'static str],
    /// Whether only executions without a valid attestation are counted.
    pub unattested: bool,
    /// Whether anything but zero asks for an explanation.
    pub wants_zero: bool,
}

const fn figure(id: &'static str, title: &'static str, query: &'static [&'static str]) -> Figure {
    Figure { id, title, query, unattested: false, wants_zero: false }
}

/// Executions of operations of plugins.
const EXECUTIONS: &[&str] = &["type=host_call", "action~call:"];

/// What every report has, in its order.
pub(super) const ALL: [Figure; 20] = [
    Figure {
        unattested: true,
        wants_zero: true,
        ..figure("unattested-executions", "Executions without a valid attestation", EXECUTIONS)
    },
    figure("executions", "Executions of plugin operations", EXECUTIONS),
    figure("denials", "Host calls of plugins that were denied", &["type=denial"]),
    figure("limits", "Executions that a limit ended", &["type=call", "outcome=limit"]),
    figure("failures", "Executions that failed", &["type=call", "outcome=failed"]),
    figure("installs", "Packages installed", &["type=management", "action=install", "outcome=ok"]),
    figure("refused-packages", "Packages refused", &["type=management", "action=install", "outcome!=ok"]),
    figure("upgrades", "Versions replaced", &["type=management", "action=upgrade", "outcome=ok"]),
    figure("approvals", "Permissions added by consent", &["type=management", "action=approve", "outcome=ok"]),
    figure("rollbacks", "Versions taken back", &["type=management", "action=rollback", "outcome=ok"]),
    figure("removals", "Plugins removed", &["type=management", "action=remove", "outcome=ok"]),
    figure(
        "configuration",
        "Changes of configuration and policy",
        &["type=management", "action=configure", "outcome=ok"],
    ),
    figure(
        "refused-actions",
        "Actions of operators that were denied",
        &["type=management", "outcome=denied"],
    ),
    figure("keys", "Actions on keys and certificates", &["type=management", "action~key_"]),
    figure(
        "trust-falls",
        "Falls of a plugin into a lower class of trust",
        &["type=trust", "action=trust_class", "outcome=failed"],
    ),
    figure("reviews", "Reviews of plugins and policies", &["action=review", "outcome=ok"]),
    figure("quarantines", "Plugins put into quarantine", &["type=lifecycle", "action=quarantine"]),
    Figure {
        wants_zero: true,
        ..figure("detections", "Detections: stored code or state that was tampered with", &["type=detection"])
    },
    Figure {
        wants_zero: true,
        ..figure(
            "weakened",
            "Openings with a security default switched off",
            &["action=open", "details.weakened~security."],
        )
    },
    figure(
        "erasures",
        "Persons erased from the log's side store",
        &["type=management", "action=erase", "outcome=ok"],
    ),
];

/// The figure of this name.
#[cfg(test)]
pub(super) fn by_id(id: &str) -> Option<&'static Figure> {
    ALL.iter().find(|figure| figure.id == id)
}

impl Figure {
    /// Its conditions, parsed.
    pub fn conditions(&self) -> Vec<Condition> {
        self.query.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// The query as it is written for people, who can repeat it.
    pub fn query_text(&self) -> String {
        let filters: Vec<String> = self.query.iter().map(|text| format!("--filter {text}")).collect();
        let text = format!("sum of n (1 without it) over: forgeone audit export {}", filters.join(" "));
        match self.further() {
            Some(further) => format!("{text}; {further}"),
            None => text,
        }
    }

    /// What holds of counted records beyond the conditions.
    pub const fn further(&self) -> Option<&'static str> {
        if !self.unattested {
            return None;
        }
        Some(
            "of these, where the latest action=open before has security.verify_signatures in details.weakened, or no \
             action=install, upgrade, rollback or approve with outcome=ok before has the record's actor.digest as \
             details.manifest",
        )
    }
}

/// Whether the actor of an execution was proven, as far as the log tells.
#[derive(Debug, Default)]
pub(super) struct Attested {
    verifying: bool,
    installed: std::collections::BTreeSet<String>,
}

/// Manifests that are remembered; executions of those beyond count as unattested.
const MANIFESTS: usize = 100_000;

impl Attested {
    /// Hears of a record, in order.
    pub fn hear(&mut self, event: &Event) {
        if event.kind() != "management" || event.outcome() != "ok" {
            return;
        }
        match event.action() {
            "open" => self.verifying = !event.detail("weakened").contains("security.verify_signatures"),
            "install" | "upgrade" | "rollback" | "approve" if self.installed.len() < MANIFESTS => {
                self.installed.insert(event.detail("manifest").to_owned());
            }
            _ => {}
        }
    }

    /// Whether this execution is of a package that was proven.
    pub fn holds(&self, event: &Event) -> bool {
        self.verifying && self.installed.contains(event.text("/actor/digest"))
    }
}
