//! The third tier: Cedar. The only users of `cedar-policy`. An evaluation error is a denial.

mod decide;
mod facts;
mod schema;
mod slice;
mod source;
mod terms;

pub(super) use decide::Engine;
pub(super) use slice::{Policies, Slice};
#[cfg(test)]
pub(super) use source::builtin_text;
pub(super) use terms::Subject;
