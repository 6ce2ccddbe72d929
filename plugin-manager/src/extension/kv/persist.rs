//! What stands behind the values in memory, and what can go wrong with it.

use common::error::{Code, Coded, codes};
use common::identity::PluginId;
use std::sync::Arc;

/// One change, to be made durable: a value, or with `None` its removal.
#[derive(Debug, Clone)]
pub struct KvWrite {
    /// The owner: `publisher/name`.
    pub namespace: Arc<str>,
    /// The key.
    pub key: Arc<str>,
    /// The new value.
    pub value: Option<Arc<[u8]>>,
    pub(super) plugin: PluginId,
}

impl KvWrite {
    /// Bytes it holds in the queue.
    pub(super) fn weight(&self) -> usize {
        weight(&self.key, self.value.as_deref())
    }
}

/// Bytes a change of this key to this value holds in the queue, its bookkeeping included.
pub(super) fn weight(key: &str, value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + 128
}

/// What room there is behind the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvRoom {
    /// Enough.
    Enough,
    /// [`KvPersist::settle`] should run.
    SettleDue,
    /// None but for what was accepted already: writers are held until [`KvPersist::settle`] has run.
    Short,
}

/// Rows behind the values; the hall puts the home's there.
pub trait KvPersist: Send + Sync {
    /// Hands every key and value of a namespace to `each`, sorted by key.
    ///
    /// # Errors
    /// When they cannot be read.
    fn load(&self, namespace: &str, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), PersistError>;

    /// Makes all changes or none. When it returns, [`KvPersist::load`] finds them, and they outlive this process;
    /// a loss of power only after [`KvPersist::sync`]. No key is in a batch twice.
    ///
    /// # Errors
    /// When that failed. It is not called again then.
    fn append(&self, writes: &[KvWrite]) -> Result<(), PersistError>;

    /// Makes durable what was appended before; may run beside `append`.
    ///
    /// # Errors
    /// When that failed. Nothing is appended any more then.
    fn sync(&self) -> Result<(), PersistError>;

    /// What room `append` finds.
    fn room(&self) -> KvRoom;

    /// Moves what was appended to where it stays; may run beside `append` and `sync`.
    ///
    /// # Errors
    /// When that failed. Nothing is appended any more then.
    fn settle(&self) -> Result<(), PersistError>;
}

/// The rows could not be read or changed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the stored values cannot be read or changed")]
pub struct PersistError(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl PersistError {
    /// With this source.
    pub fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }
}

/// Why the service could not start, or is failing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// A thread of the service could not be started.
    #[error("the threads that store values cannot be started")]
    Thread(#[source] Arc<std::io::Error>),
    /// An append, a sync or a settling failed; writes are refused since.
    #[error("values could not be made durable")]
    Persist(#[source] PersistError),
}

impl Coded for KvError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Thread(_) => &codes::E0001,
            Self::Persist(_) => &codes::E0002,
        }
    }
}
