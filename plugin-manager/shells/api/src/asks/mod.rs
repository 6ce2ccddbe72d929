//! Everything that can be asked of an open home: a type each, with the one way it is answered.

mod call;
mod consent;
mod keys;
mod lock;
mod look;
mod people;
mod plugins;
mod review;
mod secrets;
mod settings;
mod stage;
#[cfg(test)]
mod tests;

pub use call::{Call, Output};
pub use consent::{Abandon, Approve, Pending, Promote, Reject};
pub use keys::{KeysInit, KeysIssue, KeysNotary, KeysProtect, KeysRevoke, KeysRotate, Passphrases};
pub use lock::{CheckLock, Relock, Relocked};
pub use look::{DependenciesOf, Doctor, List, Logs, Status, StatusOfAll};
pub use people::ErasePerson;
pub use plugins::{Install, InstallAll, Remove, Rollback, Turn, Upgrade, Verb};
pub use review::{Review, Reviews};
pub use secrets::{RemoveSecret, SecretNames, SetSecret};
pub use settings::{SetSetting, Settings};
pub use stage::Stage;

use crate::error::DaemonError;
use common::cancel::CancelToken;
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A question or an answer, with the bytes that belong to it: a package, an input, an output.
#[derive(Debug)]
pub struct Parcel<T> {
    /// The question or the answer.
    pub head: T,
    /// Its bytes; most have none.
    pub body: Vec<u8>,
}

impl<T> From<T> for Parcel<T> {
    fn from(head: T) -> Self {
        Self { head, body: Vec::new() }
    }
}

/// What a question is for, and so with what it shares the daemon's threads: calls that take long never keep
/// management from being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Calls of operations.
    Calls,
    /// Everything else.
    Management,
}

/// Something that can be asked of an open home.
pub trait Ask: Clone + Serialize + DeserializeOwned + Into<Request> + Send + 'static {
    /// The answer.
    type Reply: Serialize + DeserializeOwned + Send;

    /// The lane it is answered in.
    const LANE: Lane = Lane::Management;

    /// Why it can be asked only of a host that stays up; `None` where one that is opened for it will do.
    fn needs_daemon(&self) -> Option<ForgeError> {
        None
    }

    /// Whether a command that opened the home for it can be told by Ctrl-C to give it up, and then lets go of the home in
    /// order. Any other is ended by it at once, which a home survives.
    const GIVES_UP: bool = false;

    /// Asks the manager. This is what a command does that opened the home itself, and what a daemon does for one that
    /// did not.
    ///
    /// # Errors
    /// Whatever the manager answers.
    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Self::Reply>, ForgeError>;

    /// [`Ask::execute`], given up when the token says that nobody wants the answer any more, where what is asked can be
    /// given up: what changes the home is always done to its end.
    ///
    /// # Errors
    /// As [`Ask::execute`]; E4031 when it was given up.
    fn execute_while(
        self,
        manager: &PluginManager,
        body: Vec<u8>,
        unwanted: &CancelToken,
    ) -> Result<Parcel<Self::Reply>, ForgeError> {
        let _ = unwanted;
        self.execute(manager, body)
    }
}

macro_rules! requests {
    ($($name:ident),* $(,)?) => {
        /// Any question, as it crosses the socket.
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        #[allow(missing_docs, reason = "the types are documented")]
        pub enum Request { $($name($name)),* }

        $(impl From<$name> for Request {
            fn from(ask: $name) -> Self { Self::$name(ask) }
        })*

        impl Request {
            /// The name of every question.
            #[cfg(test)]
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The name of this one.
            #[cfg(test)]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name)),* }
            }

            /// The lane it is answered in.
            pub const fn lane(&self) -> Lane {
                match self { $(Self::$name(_) => <$name as Ask>::LANE),* }
            }

            /// The answer, as JSON, with its bytes; [`Ask::execute_while`].
            ///
            /// # Errors
            /// Whatever the manager answers.
            pub fn execute_while(
                self,
                manager: &PluginManager,
                body: Vec<u8>,
                unwanted: &CancelToken,
            ) -> Result<Parcel<Vec<u8>>, ForgeError> {
                match self { $(Self::$name(ask) => encoded(ask.execute_while(manager, body, unwanted)?)),* }
            }
        }
    };
}

requests! {
    Install, InstallAll, Upgrade, Rollback, Remove, Turn, Call,
    Approve, Reject, Pending, Promote, Abandon, CheckLock, Relock,
    List, Status, StatusOfAll, Logs, Doctor, DependenciesOf,
    Settings, SetSetting, SetSecret, RemoveSecret, SecretNames, ErasePerson, KeysInit, KeysIssue, KeysNotary, KeysProtect,
    KeysRevoke, KeysRotate,
    Stage, Review, Reviews,
}

fn encoded<T: Serialize>(answer: Parcel<T>) -> Result<Parcel<Vec<u8>>, ForgeError> {
    let head = serde_json::to_vec(&answer.head)
        .map_err(|e| DaemonError::Malformed { what: "the answer", why: e.to_string() })?;
    Ok(Parcel { head, body: answer.body })
}
