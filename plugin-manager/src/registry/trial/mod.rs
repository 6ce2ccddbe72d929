//! A version that is tried beside the installed one: a share of the calls, or copies of them, until it is promoted or
//! abandoned. The installed version never leaves service for it.

mod begin;
mod figures;
mod judge;
mod running;
mod settle;
mod terms;

pub(super) use figures::Latencies;
pub use figures::{TrialFigures, TrialSide};
pub(super) use running::{RunningTrial, Tried};
pub use settle::TrialStatus;
pub use terms::{BadPercent, Percent, Trial, TrialKind};
