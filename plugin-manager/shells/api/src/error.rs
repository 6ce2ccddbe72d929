//! What goes wrong between a command and a daemon, and how an error crosses the socket whole.

use common::error::{ALL, Code, Coded, ErrorClass, ForgeError, codes};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::io;
use std::path::PathBuf;

/// A failure of the daemon or of talking to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Two builds that may not understand each other.
    #[error("the daemon is forgeone {daemon}, this command is forgeone {command}")]
    Version {
        /// What the daemon says it is.
        daemon: String,
        /// What the command says it is.
        command: String,
    },
    /// The connection ended before the answer.
    #[error("the daemon did not answer")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What came is no answer of a daemon, or no request of a command.
    #[error("{what} is malformed: {why}")]
    Malformed {
        /// The request or the answer.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A process of another user asks.
    #[error("user {uid} may not use the daemon of user {owner}")]
    Foreign {
        /// Who asks, by the kernel's word.
        uid: u32,
        /// Whose daemon it is.
        owner: u32,
    },
    /// The socket is served by another user than this one.
    #[error("the daemon at {socket} belongs to user {owner}")]
    OtherOwner {
        /// The socket.
        socket: PathBuf,
        /// Whose daemon it is.
        owner: u32,
    },
    /// A request is larger than any that can be answered.
    #[error("the request has {bytes} bytes, more than the {limit} the daemon takes")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },
    /// A request came too slowly.
    #[error("the request did not come within {seconds} s")]
    Slow {
        /// The time it had.
        seconds: u64,
    },
    /// The daemon is starting or stopping; nothing of the request was done.
    #[error("the daemon, process {pid}, is {stage}")]
    NotServing {
        /// The daemon's process.
        pid: u32,
        /// `starting` or `stopping`.
        stage: &'static str,
    },
    /// The daemon ended while work was going on.
    #[error("the daemon stopped before everything it was doing had ended")]
    Cut {
        /// What was still going on, and why it was not waited for.
        why: String,
    },
    /// A command names a configuration, and the daemon has another.
    #[error("the daemon runs with {with}, not with {named}")]
    OtherConfiguration {
        /// The daemon's configuration file.
        with: String,
        /// The command's.
        named: String,
    },
    /// The socket cannot be made or used.
    #[error("cannot {doing} the socket {socket}")]
    Socket {
        /// What was tried.
        doing: &'static str,
        /// The socket.
        socket: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Something that is no socket has the socket's name.
    #[error("{0} is not a socket")]
    NotASocket(PathBuf),
    /// The runtime or a signal handler cannot be had.
    #[error("cannot start the daemon's {part}")]
    Start {
        /// What cannot be started.
        part: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Coded for DaemonError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Version { .. } => &codes::E0121,
            Self::Lost(_) => &codes::E0122,
            Self::Foreign { .. } => &codes::E0123,
            Self::TooLarge { .. } | Self::Slow { .. } => &codes::E0124,
            Self::NotServing { .. } => &codes::E0125,
            Self::Cut { .. } => &codes::E0126,
            Self::Malformed { .. } | Self::OtherConfiguration { .. } => &codes::E0101,
            Self::OtherOwner { .. } | Self::NotASocket(_) => &codes::E0104,
            Self::Socket { .. } | Self::Start { .. } => &codes::E0002,
        }
    }
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::OtherConfiguration { .. } => {
                "leave --config out, or stop the daemon and start it with that file".to_owned()
            }
            Self::NotASocket(path) => format!("move {} away and start the daemon again", path.display()),
            Self::Malformed { .. } => "ask the daemon with the forgeone command of its version".to_owned(),
            _ => return None,
        })
    }
    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Cut { why } => vec![why.clone()],
            _ => Vec::new(),
        }
    }
}

/// A fault of the program, met while something was done, as an internal error. Where it was is on stderr already.
pub fn fault(payload: &(dyn Any + Send)) -> ForgeError {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it left no message");
    let error = ForgeError::new(&codes::E0001, "a fault of the program ended the command").reason(text);
    error.with_help("report it with what is printed above; if the home was changed or its disk failed, restore it from a copy")
}

/// An error as it crosses the socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    code: String,
    message: String,
    reasons: Vec<String>,
    help: String,
}

impl Told {
    /// This error.
    pub fn of(error: &ForgeError) -> Self {
        Self {
            code: error.code().id.to_owned(),
            message: error.message().to_owned(),
            reasons: error.reasons().to_vec(),
            help: error.help().to_owned(),
        }
    }
    /// The error again: it prints as the one it was made of. A code of another version is an internal error.
    pub fn into_error(self) -> ForgeError {
        let code = ALL.iter().find(|code| code.id == self.code).copied().unwrap_or(&codes::E0001);
        let error = ForgeError::new(code, self.message).with_help(self.help);
        self.reasons.into_iter().fold(error, ForgeError::reason)
    }
    /// Whether it says that nothing of the request was begun.
    pub fn nothing_was_done(&self) -> bool {
        self.code == codes::E0125.id
    }
}

/// The HTTP status of a class of errors.
pub(crate) const fn status(class: ErrorClass) -> u16 {
    match class {
        ErrorClass::Internal => 500,
        ErrorClass::Usage => 400,
        ErrorClass::Refused => 422,
        ErrorClass::Denied => 403,
        ErrorClass::Plugin => 502,
        ErrorClass::Limit => 429,
        ErrorClass::State => 409,
        ErrorClass::Audit => 503,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_crosses_the_socket_whole() {
        for code in ALL {
            let error = ForgeError::new(code, "what\nhappened").reason("why").reason("and why");
            let told = serde_json::to_vec(&Told::of(&error)).unwrap();
            let again = serde_json::from_slice::<Told>(&told).unwrap().into_error();
            assert_eq!(format!("{again:?}"), format!("{error:?}"));
            assert_eq!(again.code(), error.code());
        }
    }

    #[test]
    fn a_code_of_another_version_is_an_internal_error() {
        let told = r#"{"code":"E9999","message":"m","reasons":[],"help":"h"}"#;
        let error = serde_json::from_str::<Told>(told).unwrap().into_error();
        assert_eq!((error.code().id, error.message()), ("E0001", "m"));
    }
}
