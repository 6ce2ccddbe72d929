//! Consent to permissions: a version that asks for more than the installed one waits, proven and durable, until an
//! operator who may approve accepts exactly what was shown of exactly that package, or rejects it.

use super::error::HostError;
use super::events::EventKind;
use super::load::identity;
use super::manager::PluginManager;
use super::report::UpgradeReport;
use super::steps::known;
use super::upgrade::Exchange;
use super::versions::UpgradeOptions;
use crate::sandbox::Grant;
use crate::store::{Desired, InstalledPlugin, NewPlugin};
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name};
use microkernel::trust::ManagementAction;
use std::collections::BTreeMap;

/// Facts of a version that waits. Values are JSON.
mod fact {
    pub const ADDED: &str = "added";
    pub const ALLOW_DOWNGRADE: &str = "allow_downgrade";
    pub const CHECK: &str = "check";
}

/// A version that waits for consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUpgrade {
    /// The plugin.
    pub name: String,
    /// The version that waits.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// The version that is installed.
    pub installed: String,
    /// The digest of its package: no other can be approved in its place.
    pub package: Digest,
    /// The permissions it asks for and the installed version did not when it was offered, one line each.
    pub added: Vec<String>,
    /// When it was offered, in nanoseconds since 1970.
    pub since_ns: u64,
}

/// A version that is not put in place without consent.
pub(super) struct Offer<'a> {
    pub grant: &'a Grant,
    pub package: &'a [u8],
    pub digest: Digest,
    pub added: Vec<String>,
    pub options: &'a UpgradeOptions,
}

impl PluginManager {
    /// Keeps a version until somebody consents to what it asks for. What whoever offered it is told. Done in the
    /// plugin's turn.
    pub(super) fn offer(&self, offer: &Offer<'_>) -> Result<ForgeError, ForgeError> {
        let (host, new) = (self.host(), identity(offer.grant.package()));
        let other =
            |row: &InstalledPlugin| row.plugin.version == new.version && row.plugin.package != offer.digest;
        if host.home.pending(&new.name)?.iter().any(other) {
            return Err(HostError::OtherBytes { name: new.name.to_string(), version: new.version }.into());
        }
        let asks = offer.added.join(" ");
        let (package, manifest) = (offer.digest.to_string(), new.digest.to_string());
        let details = [
            ("version", new.version.as_str()),
            ("manifest", manifest.as_str()),
            ("package", package.as_str()),
            ("asks_for", asks.as_str()),
        ];
        host.intend("offer", new.name.as_str(), &details)?;
        let facts = [
            (fact::ADDED, serde_json::to_string(&offer.added)),
            (fact::ALLOW_DOWNGRADE, serde_json::to_string(&offer.options.allow_downgrade)),
            (fact::CHECK, serde_json::to_string(&offer.options.check)),
        ];
        let facts: Result<BTreeMap<String, String>, _> =
            facts.into_iter().map(|(key, json)| json.map(|json| (key.to_owned(), json))).collect();
        let row = NewPlugin {
            name: new.name.clone(),
            publisher: new.publisher,
            version: new.version.clone(),
            package: offer.digest,
            manifest: new.digest,
            desired: Desired::Running,
            engine: offer.grant.engine().name().to_owned(),
            facts: facts
                .map_err(|e| ForgeError::new(&codes::E0001, "a fact has no JSON").reason(e.to_string()))?,
        };
        host.home.keep_pending(row, offer.package)?;
        let kind = || EventKind::Offered { added: offer.added.clone() };
        host.feed.emit(new.name.as_str(), &new.version, kind);
        let (name, added) = (new.name.to_string(), offer.added.clone());
        Ok(HostError::MorePermissions { name, version: new.version, added }.into())
    }

    /// The versions that wait for consent: of one plugin, or of every plugin by name; the one offered first first.
    ///
    /// # Errors
    /// E5001; when the home cannot be read, or the policy denies it.
    pub fn pending(&self, name: Option<&str>) -> Result<Vec<PendingUpgrade>, ForgeError> {
        let rows = match name {
            Some(name) => vec![self.row(name)?.into()],
            None => self.host().rows()?,
        };
        self.host().may_read(name.unwrap_or_default())?;
        let mut all = Vec::new();
        for row in rows {
            for waiting in self.host().home.pending(&row.plugin.name)? {
                all.push(told(&row, &waiting)?);
            }
        }
        Ok(all)
    }

    /// Consents to what a waiting version asks for, and puts it in the place of the installed one: the one that is
    /// named, or the only one that waits. It is proven again with the trust of now; in everything else this is an
    /// [`PluginManager::upgrade`] to it. The record says who accepted which permissions of which package.
    ///
    /// # Errors
    /// E5001; E5021 when there is no such version; E1407, and it waits with the new list, when it asks for more beside
    /// what is installed now than was shown; as of an upgrade, and it goes on waiting.
    pub fn approve(&self, name: &str, version: Option<&str>) -> Result<UpgradeReport, ForgeError> {
        let host = self.host();
        self.on_waiting(name, version, |old, waiting| {
            self.no_trial(name)?;
            let shown: Vec<String> = known(waiting, fact::ADDED)?;
            let digest = waiting.plugin.package;
            let package = host.home.read_package(&digest)?;
            let verified = host.prove(&package)?;
            let options = UpgradeOptions {
                allow_downgrade: known(waiting, fact::ALLOW_DOWNGRADE)?,
                accept_permissions: false,
                check: known(waiting, fact::CHECK)?,
                trial: None,
                drain: None,
            };
            let added = self.may_replace(old, verified.package().manifest(), digest, &options)?;
            let grant = host.grant(verified)?;
            if added.iter().any(|permission| !shown.contains(permission)) {
                let (package, options) = (package.as_slice(), &options);
                return Err(self.offer(&Offer { grant: &grant, package, digest, added, options })?);
            }
            let (action, old, check) = (ManagementAction::Approve, old.clone(), options.check.as_deref());
            let x = Exchange { action, old, grant, digest, package: None, added, check, drain: None };
            let done = self.exchange(x)?;
            host.feed.emit(name, &done.now.version, || EventKind::Approved);
            Ok(done)
        })
    }

    /// Drops a version that waits for consent, with its package: the one that is named, or the only one that waits.
    ///
    /// # Errors
    /// E5001; E5021 when there is no such version.
    pub fn reject(&self, name: &str, version: Option<&str>) -> Result<PendingUpgrade, ForgeError> {
        let host = self.host();
        self.on_waiting(name, version, |old, waiting| {
            let rejected = told(old, waiting)?;
            let (package, asks) = (rejected.package.to_string(), rejected.added.join(" "));
            let details = [
                ("verdict", "rejected"),
                ("version", rejected.version.as_str()),
                ("package", package.as_str()),
                ("asks_for", asks.as_str()),
            ];
            host.intend(ManagementAction::Approve.name(), name, &details)?;
            host.home.drop_pending(&waiting.plugin.name, &waiting.plugin.version)?;
            host.feed.emit(name, &waiting.plugin.version, || EventKind::Rejected);
            Ok(rejected)
        })
    }

    /// Decided, and done in the plugin's turn on the version that is named or the only one that waits.
    fn on_waiting<T>(
        &self,
        name: &str,
        version: Option<&str>,
        job: impl FnOnce(&InstalledPlugin, &InstalledPlugin) -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        let (host, action) = (self.host(), ManagementAction::Approve);
        host.recorded(action, name, || {
            self.row(name)?;
            host.authorise(action, name)?;
            self.hall().in_turn(name, None, || {
                let old = self.row(name)?;
                let waiting = self.waiting(&old.plugin.name, version)?;
                job(&old, &waiting)
            })
        })
    }

    fn waiting(&self, name: &Name, version: Option<&str>) -> Result<InstalledPlugin, ForgeError> {
        let mut pending = self.host().home.pending(name)?;
        let versions: Vec<String> = pending.iter().map(|row| row.plugin.version.clone()).collect();
        let found = match version {
            Some(wanted) => versions.iter().position(|v| v == wanted),
            None => (versions.len() == 1).then_some(0),
        };
        found.map(|at| pending.swap_remove(at)).ok_or_else(|| {
            let wanted = version.map(|v| v.chars().take(80).collect());
            HostError::NoPending { name: name.to_string(), wanted, pending: versions }.into()
        })
    }
}

fn told(installed: &InstalledPlugin, waiting: &InstalledPlugin) -> Result<PendingUpgrade, ForgeError> {
    Ok(PendingUpgrade {
        name: waiting.plugin.name.to_string(),
        version: waiting.plugin.version.clone(),
        publisher: waiting.plugin.publisher.to_string(),
        installed: installed.plugin.version.clone(),
        package: waiting.plugin.package,
        added: known(waiting, fact::ADDED)?,
        since_ns: waiting.installed_at_ns,
    })
}
