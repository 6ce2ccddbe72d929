//! What every command is given: where the home is, how to print, and how to open the manager.

use crate::args::Global;
use crate::failure::Failure;
use crate::home;
use crate::output::Output;
use crate::progress;
use common::error::{ForgeError, codes};
use forgeone_api::{Ask, DaemonInfo, Parcel};
use plugin_manager::{NoProgress, PluginManager, Progress};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The surroundings of one command.
#[derive(Debug)]
pub struct Context {
    home: PathBuf,
    config: Option<PathBuf>,
    wait: Duration,
    output: Output,
}

impl Context {
    /// From the global options and the environment.
    ///
    /// # Errors
    /// E0104 when no home is named and none can be derived.
    pub fn new(global: Global, output: Output) -> Result<Self, Failure> {
        let home = match global.home.filter(|h| !h.as_os_str().is_empty()) {
            Some(home) => home,
            None => default_home(|name| std::env::var_os(name).map(PathBuf::from))?,
        };
        let home = std::path::absolute(home)?;
        Ok(Self { home, config: global.config, wait: global.wait.0, output })
    }
    /// The home directory, absolute.
    pub fn home(&self) -> &Path {
        &self.home
    }
    /// The configuration file, when one was named.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
    /// Who hears of long work of this command.
    pub fn progress(&self) -> Arc<dyn Progress> {
        progress::listener(self.output)
    }
    /// How to print.
    pub const fn output(&self) -> Output {
        self.output
    }

    /// How long to wait for a home that is in use.
    pub const fn wait(&self) -> Duration {
        self.wait
    }

    /// Asks the daemon of the home, or where there is none opens the home, asks, and lets go of it whatever came of
    /// it. What was asked comes first among the errors.
    ///
    /// # Errors
    /// What asking, opening or letting go ran into.
    pub fn ask<A: Ask>(&self, ask: A) -> Result<A::Reply, Failure> {
        Ok(self.answer(Parcel::from(ask))?.0)
    }

    /// As [`Context::ask`], with which daemon answered, if one did.
    ///
    /// # Errors
    /// As [`Context::ask`].
    pub fn answer<A: Ask>(&self, ask: Parcel<A>) -> Result<(A::Reply, Option<DaemonInfo>), Failure> {
        let answer = home::ask(self, ask, &self.progress())?;
        match answer.ended {
            // What needs a record was refused; what was done anyway protects or reads, and is told once the log can.
            Err(error) if error.code().id == codes::E3001.id => {
                tracing::warn!(%error, "done, and not all of it is in the audit log yet");
            }
            other => other?,
        }
        Ok((answer.parcel.head, answer.daemon))
    }

    /// As [`Context::ask`], with the answer even where letting go of the home failed afterwards, and without a sign of
    /// life: the answer's bytes are not mixed with one.
    ///
    /// # Errors
    /// What asking or opening ran into.
    pub fn ask_to_the_end<A: Ask>(&self, ask: Parcel<A>) -> Result<home::Answer<A::Reply>, Failure> {
        home::ask(self, ask, &(Arc::new(NoProgress) as Arc<dyn Progress>))
    }

    /// Opens the home itself, daemon or not.
    ///
    /// # Errors
    /// E5006 naming the holder when the home stays in use for `wait`; what else opening runs into.
    pub fn open(&self, wait: Duration, progress: Arc<dyn Progress>) -> Result<PluginManager, ForgeError> {
        let builder = PluginManager::builder().home(&self.home).wait(wait).operator(forgeone_api::operator());
        let builder = builder.progress(progress).webhooks(crate::webhook::sink);
        match &self.config {
            Some(file) => builder.config(file).open(),
            None => builder.open(),
        }
    }
}

/// `$XDG_DATA_HOME/forgeone`, or `~/.local/share/forgeone`. A relative `XDG_DATA_HOME` is ignored, as its
/// specification asks.
fn default_home(env: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, ForgeError> {
    let absolute = |name: &str| env(name).filter(|p| p.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|h| h.join(".local/share")))
        .map(|data| data.join("forgeone"))
        .ok_or_else(|| {
            ForgeError::new(&codes::E0104, "no home is named, and neither XDG_DATA_HOME nor HOME is set")
                .with_help("name one with --home or FORGEONE_HOME")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_home_follows_the_data_directory() {
        let with = |pairs: &'static [(&str, &str)]| {
            default_home(move |n| pairs.iter().find(|p| p.0 == n).map(|p| p.1.into())).ok()
        };
        assert_eq!(with(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]), Some("/x/forgeone".into()));
        assert_eq!(with(&[("XDG_DATA_HOME", "x"), ("HOME", "/h")]), Some("/h/.local/share/forgeone".into()));
        assert_eq!(with(&[]), None);
    }
}
