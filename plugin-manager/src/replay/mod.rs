//! Recorded calls decided again: why one was denied, and what other policies would change; and what they may change
//! of whatever is asked. Reads the log, the policies, the configuration and the packages of a home; takes no lock, changes
//! nothing.
//!
//! What the grants held back stays held back whatever the policies say, so a call is decided again by policies alone.

mod bench;
mod calls;
mod compare;
mod explain;
mod foresee;

pub use calls::RecordedCall;
pub use compare::{ChangedDecision, PolicyChanges, diff_policies, test_policies};
pub use explain::{Denied, Explanation, HeldBy, RuleText, explain_denial};
pub use foresee::{ChangedProspect, Edit, EditedPolicy, Foreseen};
