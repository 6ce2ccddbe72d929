//! What happens in the plugin directory, told to who listens: one function.

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

/// Tells it.
pub(super) fn tell(file: &str, news: &News<'_>) {
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
