//! The home on disk: rows in `state.redb`, packages by digest, compiled code, secrets, logs. Bytes and rows, no
//! policy: the only user of redb.
//!
//! One process holds a home at a time ([`Home::open`] takes its lock). Files are written beside their place,
//! synced, and renamed into it; rows are committed in two phases; stored values are appended to a journal first and
//! moved into their rows in bulk. An installation writes its package first and
//! its row last, so a crash leaves the old state and garbage that the next opening clears.

mod anchor;
mod backend;
mod cache;
mod db;
mod disk;
mod dropped;
mod erase;
mod error;
mod home;
mod journal;
mod kv;
mod layout;
mod lock;
mod lockfile;
mod logs;
mod packages;
mod pending;
mod people;
mod plans;
mod plugins;
mod quarantine;
mod records;
mod reviews;
mod roster;
mod saved;
mod scores;
mod sealed;
mod secrets;
mod settings;
mod versions;

pub use anchor::anchor_of;
pub(crate) use disk::{Disk, RealDisk};
pub use dropped::{Dropped, Stamp};
pub use error::{Holder, StoreError};
pub use home::Home;
#[cfg(feature = "fuzzing")]
pub use journal::fuzzing;
pub use kv::KvRow;
pub use lockfile::LOCK_BYTES;
pub use logs::{LogFiles, LogLimits};
pub use pending::PENDING_VERSIONS;
pub use people::{Person, people_of};
pub use plans::Plan;
pub use records::{Desired, InstalledPlugin, NewPlugin, PrivateData, SavedState, namespace};
pub(crate) use secrets::ATTESTATION_KEY;
pub use settings::{Section, Setting};
pub use versions::{Carried, KEPT_VERSIONS, StoredPackage};

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
pub(crate) mod testing;
