//! The frameworks, and which figures speak to which of their controls. Titles are in this house's own words.

use std::fmt;

/// A control: its id in the framework, its id as an OSCAL token, its subject, and the figures that speak to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Control {
    pub id: &'static str,
    pub token: &'static str,
    pub title: &'static str,
    pub figures: &'static [&'static str],
}

/// What an auditor examines by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framework {
    /// The AICPA trust services criteria.
    Soc2,
    /// ISO/IEC 27001:2022, Annex A.
    Iso27001,
    /// Regulation (EU) 2016/679.
    Gdpr,
}

const fn control(
    id: &'static str,
    token: &'static str,
    title: &'static str,
    figures: &'static [&'static str],
) -> Control {
    Control { id, token, title, figures }
}

const SOC2: &[Control] = &[
    control("CC6.1", "cc6.1", "Logical access is restricted", &["denials", "refused-actions", "weakened"]),
    control("CC6.2", "cc6.2", "Access is granted after registration", &["installs", "approvals", "keys"]),
    control(
        "CC6.3",
        "cc6.3",
        "Access follows roles and least privilege",
        &["approvals", "configuration", "denials", "reviews"],
    ),
    control("CC6.6", "cc6.6", "Boundaries are protected", &["denials", "weakened"]),
    control("CC6.7", "cc6.7", "Movement of information is restricted", &["denials"]),
    control(
        "CC6.8",
        "cc6.8",
        "Unauthorised software is prevented or detected",
        &["unattested-executions", "refused-packages", "detections"],
    ),
    control("CC7.1", "cc7.1", "Changes that open vulnerabilities are detected", &["weakened", "detections"]),
    control(
        "CC7.2",
        "cc7.2",
        "Operation is monitored for anomalies",
        &["executions", "failures", "limits", "detections"],
    ),
    control("CC7.3", "cc7.3", "Security events are evaluated", &["trust-falls", "quarantines", "detections"]),
    control("CC7.4", "cc7.4", "Incidents are responded to", &["quarantines", "rollbacks", "removals"]),
    control(
        "CC8.1",
        "cc8.1",
        "Changes are authorised and recorded",
        &["installs", "upgrades", "approvals", "rollbacks", "configuration"],
    ),
    control(
        "CC9.2",
        "cc9.2",
        "Risks of suppliers are managed",
        &["refused-packages", "installs", "keys", "reviews"],
    ),
];

const ISO: &[Control] = &[
    control("A.5.9", "a.5.9", "Inventory of assets", &["installs", "removals"]),
    control("A.5.15", "a.5.15", "Access control", &["denials", "refused-actions"]),
    control("A.5.16", "a.5.16", "Identities", &["keys"]),
    control("A.5.17", "a.5.17", "Authentication information", &["keys"]),
    control("A.5.18", "a.5.18", "Access rights", &["approvals", "configuration", "reviews"]),
    control("A.5.19", "a.5.19", "Supplier relationships", &["installs", "refused-packages"]),
    control("A.5.20", "a.5.20", "Security in agreements with suppliers", &["approvals"]),
    control(
        "A.5.21",
        "a.5.21",
        "The supply chain of software",
        &["unattested-executions", "refused-packages"],
    ),
    control("A.5.22", "a.5.22", "Changes of supplied services", &["upgrades", "rollbacks", "reviews"]),
    control("A.5.28", "a.5.28", "Collection of evidence", &["executions", "denials"]),
    control("A.5.33", "a.5.33", "Protection of records", &["detections"]),
    control("A.5.34", "a.5.34", "Privacy of persons", &["erasures"]),
    control("A.8.2", "a.8.2", "Privileged access", &["refused-actions", "configuration"]),
    control("A.8.3", "a.8.3", "Restriction of access to information", &["denials"]),
    control(
        "A.8.7",
        "a.8.7",
        "Protection against malware",
        &["unattested-executions", "refused-packages", "detections"],
    ),
    control("A.8.8", "a.8.8", "Technical vulnerabilities", &["upgrades", "removals"]),
    control("A.8.9", "a.8.9", "Configuration", &["configuration", "weakened"]),
    control("A.8.15", "a.8.15", "Logging", &["executions", "denials", "failures"]),
    control("A.8.16", "a.8.16", "Monitoring", &["limits", "failures", "trust-falls", "quarantines"]),
    control("A.8.17", "a.8.17", "Clock synchronisation", &[]),
    control(
        "A.8.19",
        "a.8.19",
        "Installation of software",
        &["installs", "upgrades", "unattested-executions"],
    ),
    control("A.8.24", "a.8.24", "Use of cryptography", &["keys", "unattested-executions"]),
    control("A.8.32", "a.8.32", "Change management", &["installs", "upgrades", "approvals", "rollbacks"]),
];

const GDPR: &[Control] = &[
    control("Art. 5(2)", "art-5.2", "Accountability", &["executions", "denials"]),
    control("Art. 17", "art-17", "Erasure", &["erasures", "removals"]),
    control(
        "Art. 25",
        "art-25",
        "Data protection by design and by default",
        &["denials", "approvals", "weakened"],
    ),
    control("Art. 28", "art-28", "Processors", &["installs", "approvals", "reviews"]),
    control("Art. 30", "art-30", "Records of processing activities", &["executions"]),
    control(
        "Art. 32",
        "art-32",
        "Security of processing",
        &["unattested-executions", "detections", "weakened"],
    ),
    control("Art. 33", "art-33", "Notification of a breach to the authority", &["detections", "quarantines"]),
    control("Art. 34", "art-34", "Communication of a breach to persons", &["detections", "quarantines"]),
];

impl Framework {
    /// Every framework.
    pub const ALL: [Self; 3] = [Self::Soc2, Self::Iso27001, Self::Gdpr];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Soc2 => "soc2",
            Self::Iso27001 => "iso27001",
            Self::Gdpr => "gdpr",
        }
    }
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Soc2 => "SOC 2 trust services criteria",
            Self::Iso27001 => "ISO/IEC 27001:2022, Annex A",
            Self::Gdpr => "Regulation (EU) 2016/679 (GDPR)",
        }
    }
    pub(super) const fn controls(self) -> &'static [Control] {
        match self {
            Self::Soc2 => SOC2,
            Self::Iso27001 => ISO,
            Self::Gdpr => GDPR,
        }
    }
    /// The controls this figure speaks to.
    pub(super) fn controls_of(self, figure: &str) -> Vec<&'static str> {
        self.controls().iter().filter(|c| c.figures.contains(&figure)).map(|c| c.id).collect()
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
