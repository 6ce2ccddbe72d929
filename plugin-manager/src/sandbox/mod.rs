//! Verified package to grant: requested ∩ allowed, and what is really enforced.

mod limits;
mod policy;

pub use crate::attestation::manifest::{InstanceMode, Lifecycle};
pub use crate::config::EngineKind;
pub use limits::{Clamp, Limits};
pub use policy::{Enforcement, Grant, SandboxError, SandboxPolicy, Withheld};
