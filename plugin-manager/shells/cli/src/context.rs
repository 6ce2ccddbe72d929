//! What every command is given: where the home is, how to print, and how to open the manager.

use crate::args::Global;
use crate::failure::Failure;
use crate::operator;
use crate::output::Output;
use crate::progress;
use common::error::{ForgeError, codes};
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

    /// Opens the home, runs `job`, and lets go of the home whatever came of it. The job's error comes first.
    ///
    /// # Errors
    /// What opening, the job or letting go ran into.
    pub fn with_manager<T>(
        &self,
        job: impl FnOnce(&PluginManager) -> Result<T, ForgeError>,
    ) -> Result<T, Failure> {
        let (done, ended) = self.open_for(job, self.progress())?;
        match ended {
            // What needs a record was refused; what was done anyway protects or reads, and is told once the log can.
            Err(error) if error.code().id == codes::E3001.id => {
                tracing::warn!(%error, "done, and not all of it is in the audit log yet");
            }
            other => other?,
        }
        Ok(done)
    }

    /// As [`Context::with_manager`], with what the job gave even where letting go of the home failed afterwards,
    /// and without a sign of life: what the job gives is not mixed with one.
    ///
    /// # Errors
    /// What opening or the job ran into.
    pub fn with_manager_to_the_end<T>(
        &self,
        job: impl FnOnce(&PluginManager) -> Result<T, ForgeError>,
    ) -> Result<(T, Result<(), ForgeError>), Failure> {
        self.open_for(job, Arc::new(NoProgress))
    }

    fn open_for<T>(
        &self,
        job: impl FnOnce(&PluginManager) -> Result<T, ForgeError>,
        progress: Arc<dyn Progress>,
    ) -> Result<(T, Result<(), ForgeError>), Failure> {
        let builder = PluginManager::builder().home(&self.home).wait(self.wait).operator(operator::name());
        let builder = builder.progress(progress);
        let manager = match &self.config {
            Some(file) => builder.config(file).open()?,
            None => builder.open()?,
        };
        let done = job(&manager);
        let ended = manager.shutdown();
        Ok((done?, ended))
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
