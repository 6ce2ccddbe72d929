//! Package to [`VerifiedPackage`]: every step of TRUST.md, section 1, in order; the first that fails refuses.
//!
//! Pure: the time and the [`TrustRoot`] are arguments. What was checked is returned as evidence.
//! Step 16 is written here and signed by the hall; steps 15 and 17 (policy, the recheck at each instantiation) belong to
//! other rooms.

#[cfg(any(test, feature = "authority"))]
pub mod authority;
mod bundle;
mod certificate;
mod chain;
mod der;
mod ending;
mod error;
mod evidence;
mod export;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod judgement;
pub mod module;
mod noted;
mod notes;
mod private_key;
mod revocation;
mod sign;
mod staging;
mod standing;
mod statement;
mod summary;
#[cfg(test)]
mod tests;
mod time;
pub mod timestamp;
mod tlog;
pub mod trust;
mod verify;
mod witness;

pub use crate::loader::manifest;
#[cfg(any(test, feature = "authority"))]
pub use authority::{Authority, AuthorityError, AuthoritySpec, Issued, LeafSpec, Revoked, Validity};
pub use bundle::{MEDIA_TYPE, PAYLOAD_TYPE, pae};
pub use certificate::{CertificateFacts, DEVELOPMENT_UNIT, certificate_facts, pem_to_der};
pub use ending::Ending;
pub use error::AttestationError;
pub use evidence::{Attestation, CheckOutcome, Outcome, Signer, Step};
pub use export::sigstore_root;
pub(crate) use module::inspect as inspect_module;
pub use module::{ImportNeeds, ImportRule, ModuleError, ModuleFacts, ModuleLimits, ModuleRules, ValueType};
pub use noted::{NoteError, NotedBundle};
pub use private_key::{KeyTextError, Passphrase, is_protected, key_text, open_key};
#[cfg(any(test, feature = "authority"))]
pub use revocation::revoked_in;
pub use sign::{SignError, sign, sign_staging};
pub use staging::{STAGING_BUNDLE, SUMMARY_TYPE, StagingFacts};
pub use standing::Standing;
pub use statement::PREDICATE_TYPE;
pub use summary::{Bound, Circumstances};
pub(crate) use time::rfc3339;
pub use trust::{Environment, TrustConfig, TrustError, TrustFiles, TrustRoot};
pub use verify::{Refusal, SignaturePolicy, VerifiedPackage, Verifier};
pub use witness::PROVENANCE_TYPE;
