//! Which version may take the installed one's place: what an upgrade is refused for, and what a rollback goes to.

use super::error::HostError;
use super::install::conflict;
use super::manager::PluginManager;
use super::trial::Trial;
use crate::attestation::manifest::Manifest;
use crate::loader::Package;
use crate::store::InstalledPlugin;
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name};
use common::permission::{Capability, Permission};
use semver::Version;
use std::cmp::Ordering;
use std::time::Duration;

/// What an operator says of an upgrade beside the package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeOptions {
    /// A version lower than the installed one will do.
    pub allow_downgrade: bool,
    /// Permissions that the installed version does not ask for are consented to.
    pub accept_permissions: bool,
    /// An operation of the new version that is called without input before anything is decided, and must return 0.
    pub check: Option<String>,
    /// It is tried beside the installed version before it takes its place.
    pub trial: Option<Trial>,
    /// How long the installed version may finish calls once it is replaced, where its own timeout is not shorter.
    pub drain: Option<Duration>,
}

impl PluginManager {
    /// The earlier versions of a plugin that are kept, the one replaced last first.
    pub(super) fn kept(&self, name: &Name) -> Result<Vec<String>, ForgeError> {
        let kept = self.host().home.versions(name)?;
        Ok(kept.into_iter().map(|version| version.plugin.version).collect())
    }

    /// Whether a proven package may take an installed plugin's place. The permissions that are new in it: whether they
    /// are consented to is not asked here.
    pub(super) fn may_replace(
        &self,
        old: &InstalledPlugin,
        manifest: &Manifest,
        package: Digest,
        options: &UpgradeOptions,
    ) -> Result<Vec<String>, ForgeError> {
        let (name, installed) = (manifest.name.to_string(), &old.plugin.version);
        if self.host().natives.row(&manifest.name).is_some() {
            return Err(HostError::NativeName { name }.into());
        }
        let order = manifest.version.cmp_precedence(&parsed(old)?);
        if old.plugin.publisher != manifest.publisher || order == Ordering::Equal {
            return Err(conflict(old, &manifest.publisher).into());
        }
        for kept in self.host().home.versions(&manifest.name)? {
            let same = parsed(&kept)?.cmp_precedence(&manifest.version) == Ordering::Equal;
            if same && kept.plugin.package != package {
                return Err(HostError::OtherBytes { name, version: kept.plugin.version }.into());
            }
        }
        if order == Ordering::Less && !options.allow_downgrade {
            let (installed, offered) = (installed.clone(), manifest.version.to_string());
            return Err(HostError::Downgrade { name, installed, offered }.into());
        }
        Ok(self.added(old, manifest))
    }

    /// What a manifest asks for and that of the installed version does not. Of one whose package cannot be read any
    /// more nothing is known, so everything is new.
    fn added(&self, old: &InstalledPlugin, manifest: &Manifest) -> Vec<String> {
        let host = self.host();
        let bytes = host.home.read_package(&old.plugin.package).ok();
        let package = bytes.and_then(|bytes| Package::load(&bytes, &host.package_limits).ok());
        let asked: &[Permission] = package.as_ref().map_or(&[], |p| &p.manifest().permissions);
        // A plugin's own configuration is granted to every plugin.
        let new = |p: &&Permission| p.capability != Capability::ConfigRead && !asked.contains(p);
        manifest.permissions.iter().filter(new).map(ToString::to_string).collect()
    }

    /// The version to go back to: the one that is named, or the highest below the installed one.
    pub(super) fn earlier(
        &self,
        old: &InstalledPlugin,
        version: Option<&str>,
    ) -> Result<InstalledPlugin, ForgeError> {
        let (name, installed) = (old.plugin.name.to_string(), parsed(old)?);
        if version == Some(old.plugin.version.as_str()) {
            return Err(HostError::Installed { name, version: old.plugin.version.clone() }.into());
        }
        let mut kept = Vec::new();
        for row in self.host().home.versions(&old.plugin.name)? {
            kept.push((parsed(&row)?, row));
        }
        let found = match version {
            Some(wanted) => kept.iter().find(|(_, row)| row.plugin.version == wanted),
            None => kept
                .iter()
                .filter(|(version, _)| version.cmp_precedence(&installed) == Ordering::Less)
                .max_by(|a, b| a.0.cmp(&b.0)),
        };
        found.map(|(_, row)| row.clone()).ok_or_else(|| {
            let wanted = version.map_or_else(|| format!("below {installed}"), str::to_owned);
            let kept = kept.iter().map(|(version, _)| version.to_string()).collect();
            HostError::NoVersion { name, wanted: wanted.chars().take(80).collect(), kept }.into()
        })
    }
}

fn parsed(row: &InstalledPlugin) -> Result<Version, ForgeError> {
    Version::parse(&row.plugin.version).map_err(|e| {
        let what = format!("the record of plugin {} has no version", row.plugin.name);
        ForgeError::new(&codes::E0003, what).reason(e.to_string())
    })
}
