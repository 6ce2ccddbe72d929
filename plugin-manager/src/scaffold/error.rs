//! What keeps a directory from being made.

use common::error::{Code, Coded, codes};
use common::identity::Name;
use std::io;
use std::path::PathBuf;

/// Why there is no new plugin. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScaffoldError {
    /// Something is there already. Nothing of it was touched.
    #[error("{0} is there already and is not an empty directory")]
    Taken(PathBuf),
    /// A file or directory cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory given for the SDK does not hold it.
    #[error("{0} does not hold the crate forgeone-pdk")]
    NoSdk(PathBuf),
    /// The name is that of a part of the host, which no package may have.
    #[error("{0} is provided by the host, so no plugin can have this name")]
    Provided(Name),
    /// An SDK was named for a language that uses none.
    #[error("a plugin in {0} uses no SDK")]
    SdkUnused(&'static str),
}

impl Coded for ScaffoldError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Taken(_) => &codes::E5009,
            Self::Write { .. } => &codes::E0002,
            Self::NoSdk(_) => &codes::E5008,
            Self::SdkUnused(_) | Self::Provided(_) => &codes::E0101,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Taken(_) => {
                Some("name another directory with --dir, or move what is there away".to_owned())
            }
            Self::Write { .. } => None,
            Self::NoSdk(_) => Some(
                "name plugin-manager/guest/pdk of a checkout, or leave --sdk out to have a copy".to_owned(),
            ),
            Self::Provided(_) => Some("choose another name".to_owned()),
            Self::SdkUnused(_) => Some("leave --sdk out".to_owned()),
        }
    }
}
