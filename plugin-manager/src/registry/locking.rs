//! Keeps `forgeone.lock` beside what is installed: written after each change, and again by the next opening when a
//! change was stopped before that. What is installed decides; nothing is ever taken from this file.

use super::dependencies::host_versions;
use super::host::Host;
use super::lockfile::Lock;
use super::manager::PluginManager;
use common::error::{ForgeError, codes};
use microkernel::trust::ManagementAction;

/// `forgeone.lock` as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFile {
    /// How many plugins it lists.
    pub plugins: usize,
    /// Its text.
    pub text: String,
}

/// Most differences one error tells.
const MOST_LINES: usize = 50;

impl Host {
    /// Does a change of what is installed, then writes the lock file. The change counts when the file cannot be
    /// written: it stays doubtful then, and the next change or opening writes it. Done while the roster is held.
    pub fn relocked<T>(&self, change: impl FnOnce() -> Result<T, ForgeError>) -> Result<T, ForgeError> {
        self.home.doubt_lock()?;
        let done = change();
        told(self.write_lock());
        done
    }

    /// Writes the lock file after a change for which it was marked doubtful. Done while the roster is not held.
    pub fn lock_again(&self) {
        told(self.keep_lock_true());
    }

    /// Writes the file when it may not say what is installed.
    pub fn keep_lock_true(&self) -> Result<(), ForgeError> {
        if !self.home.lock_is_doubtful() {
            return Ok(());
        }
        let _roster = self.roster.lock();
        // A home in which nothing was ever installed has no such file.
        if self.home.roster()?.is_empty() && self.home.read_lock()?.is_none() {
            return Ok(());
        }
        self.write_lock()
    }

    fn write_lock(&self) -> Result<(), ForgeError> {
        Ok(self.home.write_lock(&self.lock_text()?)?)
    }

    fn lock_text(&self) -> Result<String, ForgeError> {
        let rows = self.home.roster()?;
        Ok(Lock::text_of(&rows, &self.parsed.of(&rows)?, &host_versions()?))
    }

    /// What is installed, as a lock file says it.
    pub fn installed(&self) -> Result<Lock, ForgeError> {
        let rows = self.home.roster()?;
        Ok(Lock::of(&rows, &self.parsed.of(&rows)?, &host_versions()?))
    }
}

/// A change counts when the file cannot be written.
fn told(written: Result<(), ForgeError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "forgeone.lock could not be written");
    }
}

impl PluginManager {
    /// How `forgeone.lock` differs from what is installed, a line for each plugin; empty when it does not.
    ///
    /// # Errors
    /// When the home cannot be read, or the policy denies it. A file that is no lock file differs, and is no error.
    pub fn lock_differences(&self) -> Result<Vec<String>, ForgeError> {
        let host = self.host();
        host.may_read("")?;
        let _roster = host.parts().roster.lock();
        let (text, installed) = (host.home.read_lock()?, host.installed()?);
        let Some(text) = text else {
            let missing = (!installed.plugins.is_empty()).then(|| "there is no forgeone.lock".to_owned());
            return Ok(missing.into_iter().collect());
        };
        match Lock::parse("forgeone.lock", &text) {
            Ok(lock) => Ok(lock.differences(&installed)),
            Err(error) => {
                Ok(std::iter::once(error.message().to_owned()).chain(error.reasons().to_vec()).collect())
            }
        }
    }

    /// Whether `forgeone.lock` says what is installed.
    ///
    /// # Errors
    /// E1607 with the differences; as [`PluginManager::lock_differences`].
    pub fn check_lock(&self) -> Result<(), ForgeError> {
        let lines = self.lock_differences()?;
        if lines.is_empty() {
            return Ok(());
        }
        let error = ForgeError::new(&codes::E1607, "forgeone.lock does not say what is installed");
        Err(lines.into_iter().take(MOST_LINES).fold(error, ForgeError::reason))
    }

    /// Writes `forgeone.lock` anew from what is installed.
    ///
    /// # Errors
    /// When the home cannot be read or written, or the policy denies it.
    pub fn relock(&self) -> Result<LockFile, ForgeError> {
        let host = self.host();
        let action = ManagementAction::Configure;
        host.recorded(action, "", || {
            host.authorise(action, "")?;
            let _roster = host.parts().roster.lock();
            let (plugins, text) = (host.home.roster()?.len(), host.lock_text()?);
            host.home.write_lock(&text)?;
            Ok(LockFile { plugins, text })
        })
    }
}
