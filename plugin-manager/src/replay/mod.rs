//! Recorded calls decided again: why one was denied, and what other policies would change. Reads the log, the policies
//! and the configuration of a home; takes no lock, changes nothing.
//!
//! What the grants held back stays held back whatever the policies say, so a call is decided again by policies alone.

mod bench;
mod calls;
mod compare;
mod explain;

pub use calls::RecordedCall;
pub use compare::{ChangedDecision, PolicyChanges, diff_policies, test_policies};
pub use explain::{Denied, Explanation, HeldBy, RuleText, explain_denial};
