//! Decides. Total: doubt is a denial. Only this room can make a [`Permit`].
//!
//! Three tiers, cheapest first: what was granted ([`TrustContext`]), what was decided lately (its memory), and
//! the policies. The policies are Cedar with the feature `cedar`, and the built-in rules alone without it.
//!
//! A permit cannot be made outside this room:
//!
//! ```compile_fail,E0624
//! let forged = microkernel::trust::Permit::new(1, 0, false);
//! ```
//!
//! ```compile_fail,E0451
//! let forged = microkernel::trust::Permit { epoch: 1, policies: 0, cached: false };
//! ```
//!
//! nor be used twice:
//!
//! ```compile_fail,E0599
//! fn copy(permit: &microkernel::trust::Permit) -> microkernel::trust::Permit {
//!     microkernel::trust::Permit::clone(permit)
//! }
//! ```

mod context;
mod error;
mod evaluator;
mod grants;
mod ids;
mod memory;
mod permit;
mod policy;
mod ruling;
mod table;
mod types;

#[cfg(feature = "cedar")]
mod cedar;
#[cfg(any(test, not(feature = "cedar")))]
#[cfg_attr(
    feature = "cedar",
    allow(dead_code, reason = "with Cedar only its rulings are compared, in tests")
)]
mod rules;

#[cfg(feature = "cedar")]
use cedar as engine;
#[cfg(not(feature = "cedar"))]
use rules as engine;

pub use crate::kernel::evaluate_syscall;
pub use context::TrustContext;
pub use error::TrustError;
pub use evaluator::TrustEvaluator;
pub use permit::Permit;
pub use policy::{Enforcement, PolicyOptions, PolicySource};
pub(crate) use table::Row;
pub use types::{Denial, ManagementAction, Resource, ResourceKind, Verdict};

#[cfg(test)]
pub(crate) mod tests;
