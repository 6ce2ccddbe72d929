//! How reviews stand.

use crate::when::rfc3339;
use plugin_manager::ReviewStatus;
use serde::{Deserialize, Serialize};

/// How the reviews of one subject stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReviewLine {
    /// `plugin NAME` or `policy`.
    pub subject: String,
    /// What is there now: of the plugin's manifest, or of the set of policies.
    pub digest: String,
    /// Who reviewed exactly that last; none when nobody did.
    pub reviewer: Option<String>,
    /// RFC 3339, UTC.
    pub at: Option<String>,
    /// What the reviewer noted.
    pub note: Option<String>,
    /// By when the next review is to be: RFC 3339, UTC.
    pub due: String,
    /// Whether that is past.
    pub overdue: bool,
}

impl From<ReviewStatus> for ReviewLine {
    fn from(review: ReviewStatus) -> Self {
        Self {
            subject: review.subject,
            digest: review.digest.to_string(),
            reviewer: review.reviewer,
            at: review.at_ns.map(rfc3339),
            note: review.note,
            due: rfc3339(review.due_ns),
            overdue: review.overdue,
        }
    }
}
