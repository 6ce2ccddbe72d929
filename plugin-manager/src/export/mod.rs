//! Records of the audit log in the formats of other tools, one line each. Pure: lines in, lines out.
//!
//! Every line says the number of its record, which is what a receiver deduplicates by and a later export resumes from.

mod cef;
mod ecs;
mod error;
mod event;
mod filter;
mod format;
mod ocsf;
mod ocsf_class;
mod syslog;

pub use error::ExportError;
pub use event::Event;
pub(crate) use event::{date_of, day_of};
pub use filter::{Condition, Selection};
pub use format::Format;

#[cfg(test)]
mod tests;
