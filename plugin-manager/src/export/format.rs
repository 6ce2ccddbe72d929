//! The formats there are, by name.

use super::{Event, cef, ecs, ocsf, syslog};
use std::fmt;

/// A format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// The record as it stands in the log.
    #[default]
    Jsonl,
    /// Open Cybersecurity Schema Framework 1.8, one JSON object a line.
    Ocsf,
    /// A syslog message of RFC 5424 with the record as its text.
    Rfc5424,
    /// ArcSight Common Event Format, version 0.
    Cef,
    /// Elastic Common Schema 8.17, one JSON object a line.
    Ecs,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Jsonl, Self::Ocsf, Self::Rfc5424, Self::Cef, Self::Ecs];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
            Self::Rfc5424 => "rfc5424",
            Self::Cef => "cef",
            Self::Ecs => "ecs",
        }
    }

    /// The line of this record, without a newline: neither in it nor at its end.
    pub fn line(self, event: &Event) -> String {
        match self {
            Self::Jsonl => event.line().to_owned(),
            Self::Ocsf => ocsf::event(event).to_string(),
            Self::Rfc5424 => syslog::message(event),
            Self::Cef => cef::event(event),
            Self::Ecs => ecs::event(event).to_string(),
        }
    }

    /// The syslog message that carries this record to a receiver: itself in RFC 5424, else the line in a header.
    pub fn message(self, event: &Event) -> String {
        match self {
            Self::Rfc5424 => syslog::message(event),
            other => syslog::carrying(event, &other.line(event)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
