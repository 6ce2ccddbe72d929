//! Why a record or a wish cannot be exported.

use common::error::{Code, Coded, codes};

/// Why a record or a wish cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A line of the log is no record. The place is found by verifying.
    #[error("record {seq} cannot be read")]
    Record {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The condition is not `MEMBER=TEXT`, `MEMBER!=TEXT` or `MEMBER~TEXT`.
    #[error(
        "`{0}` is no condition: write MEMBER=TEXT, MEMBER!=TEXT or MEMBER~TEXT, such as actor.plugin=redactor"
    )]
    Condition(String),
    /// The moment is not `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`.
    #[error("`{0}` is no moment: write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, in UTC")]
    Moment(String),
}

impl Coded for ExportError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Record { .. } => &codes::E3003,
            Self::Condition(_) | Self::Moment(_) => &codes::E0101,
        }
    }
}
