//! Records of the audit log, counted for the questions auditors ask. Pure: events in, documents out.
//!
//! Each figure is a query over records that anyone can repeat on an export; a framework says which figures speak to
//! which of its controls. What the figures mean for an organisation is the assessor's to say.

mod bundle;
mod chart;
mod counting;
mod csv;
mod figure;
mod framework;
mod html;
mod ids;
mod incident;
mod oscal;
mod processing;
mod review;

pub use bundle::{Covered, Document, Evidence, Request};
pub use framework::Framework;

#[cfg(test)]
mod tests;
