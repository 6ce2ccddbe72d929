//! Decides. Total: doubt is a denial. Only this room can make a [`Permit`].
//!
//! Three tiers, cheapest first: what was granted ([`TrustContext`]), what was decided lately (its memory), and
//! the policies. The policies are Cedar with the feature `cedar`, and the built-in rules alone without it.
//!
//! Policies speak of `Plugin::"name"` (in `Publisher::"…"` and `Role::"…"`), `Operator::"name"` and
//! `Host::"part"`; of `Action::"kv_get"` and of groups (`Action::"storage.*"`, `Action::"syscall.*"`,
//! `Action::"management.*"`); and of `KeyResource::"…"`, `PathResource::"…"` and the like, with the attributes
//! `name` and `private`. [`TrustEvaluator::schema`] is the whole vocabulary.
//!
//! ```
//! # #[cfg(feature = "cedar")] {
//! use microkernel::{syscall_bridge::builtin_actions, trust::{PolicySource, TrustEvaluator}};
//! let text = r#"
//!     @id("clock-for-acme")
//!     permit(principal in Publisher::"acme", action in Action::"clock.*", resource);
//!     @id("no-deep-chains")
//!     forbid(principal, action == Action::"plugin_call", resource) when { context.depth > 4 };
//! "#;
//! let source = PolicySource { name: "50-acme.cedar".into(), text: text.into() };
//! let evaluator = TrustEvaluator::new(&builtin_actions(), &[source])?;
//! assert_eq!(evaluator.epoch(), 1);
//! # }
//! # Ok::<(), microkernel::trust::TrustError>(())
//! ```
//!
//! A permit cannot be made outside this room:
//!
//! ```compile_fail,E0624
//! let forged = microkernel::trust::Permit::new(1, 0, false);
//! ```
//!
//! ```compile_fail,E0451
//! let forged = microkernel::trust::Permit { epoch: 1, mark: 0 };
//! ```
//!
//! nor be used twice:
//!
//! ```compile_fail,E0599
//! fn copy(permit: &microkernel::trust::Permit) -> microkernel::trust::Permit {
//!     microkernel::trust::Permit::clone(permit)
//! }
//! ```

mod announced;
mod chain;
mod context;
mod error;
mod evaluator;
mod flow;
mod grants;
pub mod habits;
mod ids;
mod membership;
mod memory;
mod outlook;
mod permit;
mod policy;
pub mod quarantine;
mod ruling;
pub mod score;
mod standing;
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
pub use chain::{Chain, Link};
pub use context::TrustContext;
pub use error::TrustError;
pub use evaluator::TrustEvaluator;
pub use membership::{Memberships, PluginPattern, RoleMembers, STANDARD, TierMembers};
pub use outlook::{Mention, Outlook, Prospect};
pub use permit::Permit;
pub use policy::{Enforcement, PolicyOptions, PolicySource};
pub use score::TrustClass;
pub(crate) use table::Row;
pub use table::is_action_name;
pub use types::{Denial, ManagementAction, Resource, ResourceKind, Verdict};

#[cfg(test)]
pub(crate) mod tests;
