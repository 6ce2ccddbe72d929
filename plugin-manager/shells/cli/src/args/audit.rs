//! What may be typed of the audit log's export and evidence.

use crate::forward::Receiver;
use clap::{Args, ValueEnum};
use common::identity::Name;
use plugin_manager::{Condition, ExportFormat, Framework};
use std::path::PathBuf;

/// `audit export`.
#[derive(Debug, Args)]
pub struct AuditExport {
    /// The format of each line
    #[arg(long, value_enum, default_value_t)]
    pub format: Written,
    /// Only records from this moment on: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<u64>,
    /// Only records before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<u64>,
    /// Only records of which this holds, such as outcome!=ok, actor.plugin=NAME or resource.name~TEXT; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub filter: Vec<Condition>,
    /// Go on with new records as they are written, until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Begin after the record of this number
    #[arg(long, value_name = "SEQ")]
    pub after_seq: Option<u64>,
    /// Begin where this file says, and keep there what was delivered
    #[arg(long, value_name = "FILE", conflicts_with = "after_seq")]
    pub cursor: Option<PathBuf>,
    /// Send RFC 5424 messages to tcp:HOST:PORT or tls:HOST:PORT in place of writing lines to stdout
    #[arg(long, value_name = "RECEIVER")]
    pub to: Option<Receiver>,
    /// A PEM file of the roots to trust for tls: in place of the web's
    #[arg(long, value_name = "FILE", requires = "to")]
    pub ca: Option<PathBuf>,
}

/// `audit erase`.
#[derive(Debug, Args)]
pub struct AuditErase {
    /// The name of the person, as `audit people` shows it
    #[arg(long, value_name = "NAME")]
    pub subject: String,
}

/// `evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// By which framework figures are put in order
    #[arg(long, value_enum)]
    pub framework: FrameworkName,
    /// Count records from this moment on: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<u64>,
    /// Count records before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub to: Option<u64>,
    /// The directory to write into; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Add the timeline of this plugin
    #[arg(long, value_name = "PLUGIN")]
    pub incident: Option<Name>,
}

/// A framework, by its name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FrameworkName {
    /// Trust services criteria
    Soc2,
    /// ISO/IEC 27001:2022, Annex A
    Iso27001,
    /// Regulation (EU) 2016/679
    Gdpr,
}

impl From<FrameworkName> for Framework {
    fn from(name: FrameworkName) -> Self {
        match name {
            FrameworkName::Soc2 => Self::Soc2,
            FrameworkName::Iso27001 => Self::Iso27001,
            FrameworkName::Gdpr => Self::Gdpr,
        }
    }
}

fn moment(text: &str) -> Result<u64, plugin_manager::ExportError> {
    plugin_manager::Selection::moment(text)
}

/// A format, by its name.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Written {
    /// The record as it stands in the log
    #[default]
    Jsonl,
    /// OCSF 1.8, one JSON object a line
    Ocsf,
    /// Syslog messages of RFC 5424
    Rfc5424,
    /// ArcSight Common Event Format
    Cef,
    /// Elastic Common Schema, one JSON object a line
    Ecs,
}

impl From<Written> for ExportFormat {
    fn from(written: Written) -> Self {
        match written {
            Written::Jsonl => Self::Jsonl,
            Written::Ocsf => Self::Ocsf,
            Written::Rfc5424 => Self::Rfc5424,
            Written::Cef => Self::Cef,
            Written::Ecs => Self::Ecs,
        }
    }
}
