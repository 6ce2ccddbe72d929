//! Installing and removing: proof first, record second, effect last.

use super::bring_up::Cause;
use super::dependencies::{dependencies, plan};
use super::error::HostError;
use super::events::EventKind;
use super::load::{Ready, Rebuild, identity};
use super::manager::PluginManager;
use super::report::InstallReport;
use super::steps::known;
use crate::attestation::manifest::Manifest;
use crate::resolver::Candidate;
use crate::sandbox::{EngineKind, Grant, Limits};
use crate::store::{Desired, InstalledPlugin, NewPlugin, PrivateData};
use crate::syscall::text::escaped;
use common::config::{ByteSize, Span};
use common::error::ForgeError;
use common::identity::{Digest, Name, Publisher};
use microkernel::trust::ManagementAction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Facts of a plugin kept in its row, so that listing needs no package. Values are JSON.
pub(super) mod fact {
    pub const OPERATIONS: &str = "operations";
    pub const GRANTED: &str = "granted";
    pub const WITHHELD: &str = "withheld";
    pub const LIMITS: &str = "limits";
    pub const ENFORCEMENT: &str = "enforcement";
    pub const SIGNER: &str = "signer";
    pub const UNJUDGED: &str = "unjudged_signature";
    pub const DEPENDENCIES: &str = "dependencies";
    pub const CODE: &str = "code";
}

impl PluginManager {
    /// Verifies, grants, compiles and installs a package. With `start` it is left desired running and brought up;
    /// otherwise it is left stopped.
    ///
    /// # Errors
    /// Whatever refuses the package: nothing is changed then. When it cannot start (class plugin or limit) it
    /// stays installed and is `Failed`.
    pub fn install(&self, package: &[u8], start: bool) -> Result<InstallReport, ForgeError> {
        let host = self.host();
        // The name of a package that proves nothing is not worth recording: its digest is.
        let digest = Digest::of(package).to_string();
        let mut report = host.recorded(ManagementAction::Install, &digest, || self.admit(package, start))?;
        if start {
            let name = report.name.clone();
            host.recorded(ManagementAction::Start, &name, || self.bring_up(&name, Cause::Start).map(drop))?;
            report.started = true;
        }
        Ok(report)
    }

    fn admit(&self, package: &[u8], start: bool) -> Result<InstallReport, ForgeError> {
        let host = self.host();
        let verified = host.prove(package)?;
        let name = verified.package().manifest().name.clone();
        host.authorise(ManagementAction::Install, name.as_str())?;
        self.hall().in_turn(name.as_str(), None, || {
            let grant = host.grant(verified)?;
            // Asked before compiling, so that a refusal is cheap, and again when nobody else changes the answer.
            self.room_for(&grant)?;
            let ready = host.ready(&grant, Rebuild::Asked)?;
            let _beside = host.attest(&grant, &ready)?;
            let desired = if start { Desired::Running } else { Desired::Stopped };
            let row = row(&grant, &ready, Digest::of(package), desired)?;
            self.enroll(&grant, row, package)?;
            host.publish_settings()?;
            let report = report(&grant, &ready);
            host.feed.emit(&report.name, &report.version, || EventKind::Installed);
            Ok(report)
        })
    }

    fn enroll(&self, grant: &Grant, row: NewPlugin, package: &[u8]) -> Result<(), ForgeError> {
        let host = self.host();
        let _roster = host.roster.lock();
        self.room_for(grant)?;
        let (name, manifest) = (row.name.clone(), row.manifest.to_string());
        let (version, publisher) = (row.version.clone(), row.publisher.to_string());
        let (package_digest, granted) = (row.package.to_string(), recorded_list(&granted(grant)));
        let signed = grant.package().attestation().signers.first();
        let details = [
            ("version", version.as_str()),
            ("publisher", &publisher),
            ("manifest", &manifest),
            ("package", &package_digest),
            ("engine", grant.engine().name()),
            ("granted", &granted),
            ("signer", signed.map_or("", |s| &s.uri)),
            ("serial", signed.map_or("", |s| &s.serial)),
        ];
        host.relocked(|| {
            host.carry_out(ManagementAction::Install, &name, &details, || {
                host.home.install(row, package)?;
                Ok(())
            })
        })
    }

    /// Name, count and dependencies: whether there is room for this plugin beside those there are.
    fn room_for(&self, grant: &Grant) -> Result<(), ForgeError> {
        let manifest = grant.package().package().manifest();
        let mut candidates = self.host().parsed.of(&self.room(manifest)?)?;
        candidates.push(Arc::new(Candidate::from(grant.package())));
        plan(&candidates, &manifest.name)?;
        Ok(())
    }

    /// Name and count alone. The plugins there are.
    pub(super) fn room(&self, manifest: &Manifest) -> Result<Vec<Arc<InstalledPlugin>>, ForgeError> {
        let host = self.host();
        if host.natives.row(&manifest.name).is_some() {
            return Err(HostError::NativeName { name: manifest.name.to_string() }.into());
        }
        let rows = host.rows()?;
        if let Some(old) = rows.iter().find(|row| row.plugin.name == manifest.name) {
            return Err(conflict(old, &manifest.publisher).into());
        }
        // The program's own plugins come from no publisher who could be mistaken for another.
        let own = |publisher: &Publisher| host.natives.are_of(publisher);
        let alike = |row: &&Arc<InstalledPlugin>| {
            let (one, other) = (&row.plugin.publisher, &manifest.publisher);
            one != other && !own(one) && !own(other) && row.plugin.name.resembles(&manifest.name)
        };
        if let Some(other) = rows.iter().find(alike) {
            return Err(HostError::Lookalike {
                name: manifest.name.to_string(),
                offered: manifest.publisher.to_string(),
                installed: other.plugin.name.to_string(),
                publisher: other.plugin.publisher.to_string(),
            }
            .into());
        }
        if u32::try_from(rows.len()).unwrap_or(u32::MAX) >= host.config.max_plugins {
            return Err(HostError::Full(host.config.max_plugins).into());
        }
        Ok(rows)
    }

    /// Stops and removes a plugin, its settings, its logs and its compiled code; what it stored too unless
    /// `keep_data`.
    ///
    /// # Errors
    /// E5001; E5007 naming the plugins that need it. What its own `stop` or `unload` runs into is recorded and
    /// keeps nobody from removing it.
    pub fn remove(&self, name: &str, keep_data: bool) -> Result<(), ForgeError> {
        let host = self.host();
        host.recorded(ManagementAction::Remove, name, || {
            self.row(name)?;
            host.authorise(ManagementAction::Remove, name)?;
            self.hall().in_turn(name, None, || {
                let row = self.row(name)?;
                self.not_needed(&row.plugin.name)?;
                let data = if keep_data { "kept" } else { "erased" };
                let kind = host.natives.kind(&row.plugin.name);
                let details = [("version", row.plugin.version.as_str()), ("data", data), ("kind", kind)];
                host.carry_out(ManagementAction::Remove, &row.plugin.name, &details, || {
                    self.take_down(name, End::Unload)?;
                    // What drains may still write.
                    self.hall().drains.wait(Some(name));
                    self.strike(&row, keep_data)
                })?;
                let kept = if keep_data { PrivateData::Keep } else { PrivateData::Erase };
                host.forget_conduct(&row, kept);
                host.feed.emit(name, &row.plugin.version, || EventKind::Removed);
                host.publish_settings()
            })
        })
    }

    /// Takes a plugin that is down off the roster.
    fn strike(&self, row: &InstalledPlugin, keep_data: bool) -> Result<(), ForgeError> {
        let host = self.host();
        let _roster = host.roster.lock();
        // One that needs it may have been installed while it was taken down.
        self.not_needed(&row.plugin.name)?;
        host.forget(row)?;
        let data = if keep_data { PrivateData::Keep } else { PrivateData::Erase };
        if host.natives.remove(&row.plugin.name) {
            host.home.clear_plugin(&row.plugin.publisher, &row.plugin.name, data)?;
        } else {
            host.relocked(|| Ok(host.home.remove(&row.plugin.name, data).map(drop)?))?;
        }
        host.logs.remove(&row.plugin.name)?;
        self.drop_unused_code()
    }

    /// Compiled code that no record of an installed plugin or of a version that is kept names goes.
    pub(super) fn drop_unused_code(&self) -> Result<(), ForgeError> {
        let (rows, earlier) = (self.host().home.roster()?, self.host().home.all_versions()?);
        let rows = rows.iter().map(|row| &**row).chain(&earlier);
        let used: BTreeSet<Digest> =
            rows.filter_map(|row| known::<String>(row, fact::CODE).ok()?.parse().ok()).collect();
        Ok(self.host().home.retain_code(&used)?)
    }

    fn not_needed(&self, name: &Name) -> Result<(), ForgeError> {
        let rows = self.host().rows()?;
        let mut by = Vec::new();
        for row in &rows {
            if dependencies(row)?.contains_key(name.as_str()) {
                by.push(row.plugin.name.to_string());
            }
        }
        if by.is_empty() { Ok(()) } else { Err(HostError::Needed { name: name.to_string(), by }.into()) }
    }
}

/// How an instance is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It may come back.
    Stop,
    /// It is being removed.
    Unload,
}

pub(super) fn conflict(old: &InstalledPlugin, offered: &Name) -> HostError {
    let name = old.plugin.name.to_string();
    if old.plugin.publisher == *offered {
        HostError::Installed { name, version: old.plugin.version.clone() }
    } else {
        HostError::OtherPublisher {
            name,
            installed: old.plugin.publisher.to_string(),
            offered: offered.to_string(),
        }
    }
}

pub(super) fn row(
    grant: &Grant,
    ready: &Ready,
    package: Digest,
    desired: Desired,
) -> Result<NewPlugin, ForgeError> {
    let verified = grant.package();
    let manifest = verified.package().manifest();
    Ok(NewPlugin {
        name: manifest.name.clone(),
        publisher: manifest.publisher.clone(),
        version: manifest.version.to_string(),
        package,
        manifest: verified.package().manifest_digest(),
        desired,
        engine: grant.engine().name().to_owned(),
        facts: facts(
            manifest,
            grant,
            [
                (fact::SIGNER, serde_json::to_string(&signer(grant))),
                (fact::UNJUDGED, serde_json::to_string(&grant.package().unjudged_signature())),
                (fact::CODE, serde_json::to_string(&ready.code.to_string())),
            ],
        )?,
    })
}

/// What is kept of a plugin in its row beside its names and digests.
pub(super) fn facts<To>(
    manifest: &Manifest,
    grant: &Grant<To>,
    more: impl IntoIterator<Item = (&'static str, serde_json::Result<String>)>,
) -> Result<BTreeMap<String, String>, ForgeError> {
    let operations: Vec<&str> = manifest.operations.iter().map(|o| o.name.as_str()).collect();
    let dependencies: BTreeMap<&str, String> =
        manifest.dependencies.iter().map(|(name, req)| (name.as_str(), req.to_string())).collect();
    let lines = [
        (fact::OPERATIONS, serde_json::to_string(&operations)),
        (fact::GRANTED, serde_json::to_string(&granted(grant))),
        (fact::WITHHELD, serde_json::to_string(&withheld(grant))),
        (fact::LIMITS, serde_json::to_string(&limits(grant.limits(), grant.engine()))),
        (fact::ENFORCEMENT, serde_json::to_string(&grant.enforcement().to_string())),
        (fact::DEPENDENCIES, serde_json::to_string(&dependencies)),
    ];
    lines
        .into_iter()
        .chain(more)
        .map(|(key, json)| match json {
            Ok(json) => Ok((key.to_owned(), json)),
            Err(e) => {
                Err(ForgeError::new(&common::error::codes::E0001, "a fact has no JSON").reason(e.to_string()))
            }
        })
        .collect()
}

/// Bytes of a list in a record.
const LIST_BYTES: usize = 2048;

/// Lines as a record has them: as many as it has room for.
fn recorded_list(lines: &[String]) -> String {
    escaped(lines.join(", ").as_bytes(), LIST_BYTES)
}

fn granted<To>(grant: &Grant<To>) -> Vec<String> {
    grant.permissions().iter().map(ToString::to_string).collect()
}

fn withheld<To>(grant: &Grant<To>) -> Vec<String> {
    let clamps = grant.clamps().iter().map(ToString::to_string);
    grant.withheld().iter().map(ToString::to_string).chain(clamps).collect()
}

fn signer(grant: &Grant) -> Option<String> {
    grant.package().attestation().signers.first().map(|s| s.uri.clone())
}

/// The limits an engine holds its instances to.
pub(super) fn limits(l: &Limits, engine: EngineKind) -> Vec<(String, String)> {
    let guest = engine != EngineKind::Native;
    let mut lines = Vec::new();
    lines.extend(guest.then(|| ("memory".to_owned(), ByteSize(l.memory_bytes).to_string())));
    lines.push(("timeout".to_owned(), Span(l.timeout).to_string()));
    lines.extend(guest.then(|| ("table elements".to_owned(), l.table_elements.to_string())));
    lines.push(("input and output".to_owned(), ByteSize(l.payload_bytes as u64).to_string()));
    lines.extend(l.fuel.map(|fuel| ("fuel".to_owned(), fuel.to_string())));
    lines
}

pub(super) fn report(grant: &Grant, ready: &Ready) -> InstallReport {
    let id = identity(grant.package());
    InstallReport {
        id: id.id,
        name: id.name.to_string(),
        version: id.version,
        publisher: id.publisher.to_string(),
        digest: id.digest,
        checks: grant.package().attestation().checks.clone(),
        granted: granted(grant),
        withheld: withheld(grant),
        enforcement: grant.enforcement().to_string(),
        engine: grant.engine().name().to_owned(),
        compiled_in: ready.compiled_in,
        started: false,
    }
}
