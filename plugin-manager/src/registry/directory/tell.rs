//! What happens in the plugin directory, told to the log and to who listens to events: one function.

use crate::registry::PluginManager;
use crate::registry::events::EventKind;
use common::error::ForgeError;

/// Something that happened to a file of the plugin directory.
#[derive(Debug)]
pub(super) enum News<'a> {
    /// It is installed.
    Installed { plugin: &'a str },
    /// It took the place of the installed version.
    Upgraded { plugin: &'a str },
    /// It is what is installed already, and belongs to this file from now on.
    Adopted { plugin: &'a str },
    /// It was deleted, and its plugin with it.
    Removed { plugin: &'a str },
    /// It is in its place, and its plugin does not run.
    DoesNotRun { plugin: &'a str, error: &'a ForgeError },
    /// It was moved aside.
    SetAside { to: &'a str, error: &'a ForgeError },
    /// It could not be moved aside, and stays; it is not tried again.
    Stuck { error: &'a ForgeError, because: &'a ForgeError },
    /// It stays, and is tried again when what it waits for changes.
    HeldBack { error: &'a ForgeError },
}

/// Tells it, of a plugin where it is known.
pub(super) fn tell(manager: &PluginManager, plugin: Option<&str>, file: &str, news: &News<'_>) {
    log(file, news);
    let plugin = plugin.unwrap_or_default();
    let row = manager.hall().row(plugin).ok();
    let version = row.map(|row| row.plugin.version).unwrap_or_default();
    manager.host().feed.emit(plugin, &version, || event(file.to_owned(), news));
}

fn event(file: String, news: &News<'_>) -> EventKind {
    let why = |error: &ForgeError| format!("{}: {error}", error.code().id);
    match news {
        News::Installed { .. } | News::Upgraded { .. } | News::Adopted { .. } => {
            EventKind::FileTaken { file }
        }
        News::Removed { .. } => EventKind::FileGone { file },
        News::DoesNotRun { error, .. } | News::Stuck { error, .. } => {
            EventKind::FileRefused { file, moved_to: None, why: why(error) }
        }
        News::SetAside { to, error } => {
            EventKind::FileRefused { file, moved_to: Some((*to).to_owned()), why: why(error) }
        }
        News::HeldBack { error } => EventKind::FileWaits { file, why: why(error) },
    }
}

fn log(file: &str, news: &News<'_>) {
    match news {
        News::Installed { plugin } => tracing::info!(file, plugin, "a dropped package was installed"),
        News::Upgraded { plugin } => tracing::info!(file, plugin, "a dropped package replaced its plugin"),
        News::Adopted { plugin } => tracing::info!(file, plugin, "a dropped package is what is installed"),
        News::Removed { plugin } => {
            tracing::info!(file, plugin, "a package was deleted, and its plugin removed")
        }
        News::DoesNotRun { plugin, error } => {
            tracing::warn!(file, plugin, code = error.code().id, %error, "a dropped package does not run");
        }
        News::SetAside { to, error } => {
            tracing::warn!(file, to, code = error.code().id, %error, "a dropped file was moved aside");
        }
        News::Stuck { error, because } => {
            tracing::error!(file, code = error.code().id, %error, %because, "a dropped file cannot be moved aside");
        }
        News::HeldBack { error } => {
            tracing::warn!(file, code = error.code().id, %error, "a change of the plugin directory waits");
        }
    }
}
