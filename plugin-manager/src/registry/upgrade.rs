//! Another version in the place of the installed one. It is proven, compiled and, where the plugin is to run, brought
//! up beside it; then it is decided, in one record and one transaction, and only then do calls go there. What fails
//! before the decision leaves the installed version as it was.

use super::bring_up::Cause;
use super::consent::Offer;
use super::denials::Denials;
use super::dependencies::plan_with;
use super::error::HostError;
use super::events::EventKind;
use super::hall::Loaded;
use super::install::{report, row};
use super::load::{Ready, Rebuild};
use super::manager::PluginManager;
use super::report::UpgradeReport;
use super::versions::UpgradeOptions;
use crate::attestation::VerifiedPackage;
use crate::lifecycle::{LastState, LifecycleError, Saved};
use crate::metrics::{Phase, Stage};
use crate::plugin::PluginState;
use crate::resolver::{Candidate, LoadPlan};
use crate::runtime::Terms;
use crate::sandbox::Grant;
use crate::store::{Carried, Desired, InstalledPlugin, NewPlugin, StoredPackage, namespace};
use common::clock::Deadline;
use common::error::ForgeError;
use common::identity::Digest;
use microkernel::trust::ManagementAction;
use std::sync::Arc;
use std::time::Duration;

/// One version that is to take another's place.
pub(super) struct Exchange<'a> {
    pub action: ManagementAction,
    pub old: InstalledPlugin,
    pub grant: Grant,
    /// The digest of the package.
    pub digest: Digest,
    /// The package, unless the home has it already.
    pub package: Option<&'a [u8]>,
    /// Permissions that are new in it.
    pub added: Vec<String>,
    pub check: Option<&'a str>,
    /// How long the old version may finish calls.
    pub drain: Option<Duration>,
}

/// A version that was brought up beside another. Unless it is taken into service it is let go of.
pub(super) struct Beside(Option<Arc<Loaded>>);

impl Beside {
    pub const fn new(loaded: Arc<Loaded>) -> Self {
        Self(Some(loaded))
    }
    /// It is not let go of by this.
    pub fn keep(mut self) {
        self.0 = None;
    }
    fn take_into_service(mut self, manager: &PluginManager) {
        if let Some(loaded) = self.0.take() {
            manager.hall().put(loaded);
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(loaded) = &self.0 {
            loaded.plugin.dismiss();
        }
    }
}

impl PluginManager {
    /// Puts another version in the place of an installed plugin, which is kept for [`PluginManager::rollback`]. The
    /// package goes through every check of [`PluginManager::install`].
    ///
    /// A plugin that is desired running is brought up in its new version first: `init`, `start`, and the check that
    /// `options` name. If it runs in this process, no call is lost: where both versions carry state (mode `shared`,
    /// `state_save` in the old one, `state_load` in the new), new calls wait while those in flight finish and the
    /// state moves, at most until their own deadlines; otherwise new calls go to the new version at once, while the
    /// old one finishes those in flight: this returns then, and the old one is stopped when it has, at the latest when
    /// its timeout is over. With `options.drain` calls that take longer on the old version are ended, with E4034; where
    /// state moves, which those calls may still change, the exchange is given up instead, with E4010. [`PluginManager::shutdown`] and [`PluginManager::remove`] wait for it.
    ///
    /// With `options.trial` the version is tried first, beside the installed one, which goes on: this returns when the
    /// trial has begun. It ends as [`Trial`](super::Trial) says, by [`PluginManager::promote`] or
    /// [`PluginManager::abandon`], and in any case when the plugin is stopped, paused or removed or the host is shut
    /// down; each end is recorded with the figures. A trial does not outlive this process.
    ///
    /// # Errors
    /// Whatever refuses the package; E5023 while a version is on trial; E5022 for a share of the calls of a plugin that
    /// carries state; E5001, E5004 for a version that is there, E1411 for another publisher's, E1406
    /// for a lower version, E1407 for one that asks for more, which is kept for [`PluginManager::approve`], E1603 when a plugin that needs it cannot use it; E5024 when too many
    /// versions still finish calls; what the new version's start, check or `state_load`, or the old one's `state_save`, runs into. The installed
    /// version stays as it is then, and goes on running.
    pub fn upgrade(&self, package: &[u8], options: &UpgradeOptions) -> Result<UpgradeReport, ForgeError> {
        let (host, action, digest) = (self.host(), ManagementAction::Upgrade, Digest::of(package));
        let verified = host.recorded(action, &digest.to_string(), || host.prove(package))?;
        let name = verified.package().manifest().name.to_string();
        host.recorded(action, &name, || {
            host.authorise(action, &name)?;
            self.hall().in_turn(&name, None, || {
                self.no_trial(&name)?;
                let x = self.examined(verified, (package, digest), options)?;
                match options.trial {
                    Some(terms) => self.begin_trial(&x, package, options, terms),
                    None => self.exchange(x),
                }
            })
        })
    }

    /// Whether a proven package may take the installed version's place, and has the consent that takes. Done in the
    /// plugin's turn.
    pub(super) fn examined<'a>(
        &self,
        verified: VerifiedPackage,
        (package, digest): (&'a [u8], Digest),
        options: &'a UpgradeOptions,
    ) -> Result<Exchange<'a>, ForgeError> {
        let manifest = verified.package().manifest();
        let old = self.row(manifest.name.as_str())?;
        let added = self.may_replace(&old, manifest, digest, options)?;
        let grant = self.host().grant(verified)?;
        if !added.is_empty() && !options.accept_permissions {
            return Err(self.offer(&Offer { grant: &grant, package, digest, added, options })?);
        }
        let (action, check) = (ManagementAction::Upgrade, options.check.as_deref());
        let drain = options.drain;
        Ok(Exchange { action, old, grant, digest, package: Some(package), added, check, drain })
    }

    /// Puts a version that is kept in the place of the installed one, which is kept in turn: the one that is named,
    /// or else the highest below the installed one. It is proven again with the trust of now; in everything else
    /// this is an [`PluginManager::upgrade`] to it.
    ///
    /// # Errors
    /// E5001; E5011 when there is no such version; whatever refuses its package now; as of an upgrade.
    pub fn rollback(&self, name: &str, version: Option<&str>) -> Result<UpgradeReport, ForgeError> {
        let (host, action) = (self.host(), ManagementAction::Rollback);
        host.recorded(action, name, || {
            self.row(name)?;
            host.authorise(action, name)?;
            self.hall().in_turn(name, None, || {
                self.no_trial(name)?;
                let old = self.row(name)?;
                let to = self.earlier(&old, version)?;
                let grant = self.proven(&to)?;
                let (digest, package, added) = (to.plugin.package, None, Vec::new());
                let (check, drain) = (None, None);
                self.exchange(Exchange { action, old, grant, digest, package, added, check, drain })
            })
        })
    }

    /// Done in the plugin's turn.
    pub(super) fn exchange(&self, x: Exchange<'_>) -> Result<UpgradeReport, ForgeError> {
        self.hall().while_open(|| {
            let host = self.host();
            self.hall().drains.room(x.old.plugin.name.as_str())?;
            let plan = self.fits(&x)?;
            x.can_be_checked()?;
            let ready = host.ready(&x.grant, Rebuild::Asked)?;
            let _beside = host.attest(&x.grant, &ready)?;
            // Before calls wait for the change, which takes it away.
            let _plan = host.plan(x.action, &x.old.plugin.name)?;
            let new = row(&x.grant, &ready, x.digest, x.old.plugin.desired)?;
            let mut now = report(&x.grant, &ready);
            now.started = x.old.plugin.desired == Desired::Running;
            if now.started {
                host.not_quarantined(&x.old, Cause::Start)?;
            }
            host.home.doubt_lock()?;
            let exchanged = if now.started {
                self.bring_up_needs(&plan, &x).and_then(|()| self.swap(&x, new, ready))
            } else {
                self.replace_resting(&x, new)
            };
            host.lock_again();
            let (carried, ending) = exchanged?;
            host.home.drop_surplus();
            if let Err(error) = self.drop_unused_code() {
                tracing::warn!(plugin = now.name, %error, "compiled code that nobody needs could not be removed");
            }
            let from = x.old.plugin.version.clone();
            host.feed.emit(&now.name, &now.version, || match x.action {
                ManagementAction::Rollback => EventKind::RolledBack { from },
                _ => EventKind::Upgraded { from },
            });
            let kept = self.kept(&x.old.plugin.name)?;
            let draining = self.hall().drains.of(x.old.plugin.name.as_str());
            let replaced = x.old.plugin.version;
            Ok(UpgradeReport { replaced, added: x.added, now, carried, ending, draining, kept, trial: None })
        })
    }

    /// Whether it can stand where the installed version stands. What it needs comes before it in the plan.
    pub(super) fn fits(&self, x: &Exchange<'_>) -> Result<LoadPlan, ForgeError> {
        plan_with(self.host().candidates()?, Candidate::from(x.grant.package()))
    }

    /// Brings up what the new version needs.
    pub(super) fn bring_up_needs(&self, plan: &LoadPlan, x: &Exchange<'_>) -> Result<(), ForgeError> {
        let needs = plan.start_order().iter().filter(|member| **member != x.old.plugin.name);
        needs.into_iter().try_for_each(|member| self.bring_one_up(member, Cause::Call).map(drop))
    }

    /// The new version takes the place of one that is not to run.
    fn replace_resting(
        &self,
        x: &Exchange<'_>,
        row: NewPlugin,
    ) -> Result<(Option<usize>, Option<String>), ForgeError> {
        self.decide(x, row, (x.stored(self)?, self.fits_as_of(x)?), None)?;
        Ok((None, self.let_go(x, LastState::Save)))
    }

    /// The new version is brought up beside the old one, which may be up too, then takes its place. The bytes of
    /// state that went over, and what the old one ran into when it was stopped.
    fn swap(
        &self,
        x: &Exchange<'_>,
        row: NewPlugin,
        ready: Ready,
    ) -> Result<(Option<usize>, Option<String>), ForgeError> {
        let denials = Arc::new(Denials::default());
        let plugin = self.host().assemble(&x.grant, ready, PluginState::Created, &denials);
        let new = Arc::new(Loaded::new(plugin, denials));
        let beside = Beside::new(new.clone());
        let old = self.hall().loaded(new.name()).filter(|old| old.plugin.state() == PluginState::Running);
        let giver = old.filter(|old| old.plugin.hands_state_to(&new.plugin));
        self.raise(&new, giver.is_some(), x.check)?;
        let package = (x.stored(self)?, self.fits_as_of(x)?);
        let Some(old) = giver else {
            self.decide(x, row, package, None)?;
            let before = self.hall().loaded(new.name());
            beside.take_into_service(self);
            return Ok((None, before.and_then(|old| self.let_drain(old, x.drain))));
        };
        let held = old.plugin.hold(x.drain)?;
        let mut state = held.state()?;
        if let Some(state) = &mut state {
            new.plugin.adopt(state)?;
        }
        self.decide(x, row, package, state.as_ref())?;
        beside.take_into_service(self);
        let ending = ended(old.plugin.supersede(LastState::HandedOver, x.drain));
        Ok((state.map(|state| state.bytes.len()), ending))
    }

    /// `init` and `start`, and the operation that shows whether it is well.
    pub(super) fn raise(
        &self,
        new: &Loaded,
        waits_for_state: bool,
        check: Option<&str>,
    ) -> Result<(), ForgeError> {
        let chain = self.hall().no_chain();
        let _bringing_up = Stage::new(&*self.host().parts().progress, Phase::BringUp, new.name(), None);
        new.plugin.initialize(chain)?;
        if waits_for_state {
            new.plugin.start_without_state(chain)?;
        } else {
            new.plugin.start(chain)?;
        }
        let Some(check) = check else { return Ok(()) };
        let index = new.plugin.operation(check)?;
        let epoch = self.host().bridge.evaluator().epoch();
        let terms = Terms::new(Deadline::NEVER, chain);
        Ok(new.plugin.call(index, &mut Vec::new(), &mut Vec::new(), terms, epoch)?)
    }

    /// Whether it fits, and as of when: until the roster is taken again it does.
    fn fits_as_of(&self, x: &Exchange<'_>) -> Result<u64, ForgeError> {
        let host = self.host();
        let roster = host.roster.lock();
        self.fits(x).map(|_| *roster)
    }

    /// Recorded, then done in one transaction. Calls may be waiting for it.
    fn decide(
        &self,
        x: &Exchange<'_>,
        row: NewPlugin,
        (package, fitted): (StoredPackage<'_>, u64),
        state: Option<&Saved>,
    ) -> Result<(), ForgeError> {
        let host = self.host();
        let roster = host.roster.lock();
        // Another plugin may have been installed meanwhile.
        if *roster != fitted.wrapping_add(1) {
            self.fits(x)?;
        }
        let (was, is) = (x.old.plugin.manifest.to_string(), row.manifest.to_string());
        let accepted = x.added.join(" ");
        let mut details = vec![
            ("version", row.version.as_str()),
            ("manifest", is.as_str()),
            ("replaces", x.old.plugin.version.as_str()),
            ("replaced_manifest", was.as_str()),
            ("publisher", row.publisher.as_str()),
        ];
        details.extend((!accepted.is_empty()).then_some(("accepted_permissions", accepted.as_str())));
        let owner = namespace(&row.publisher, &row.name);
        let carried = state.map(|s| Carried { owner: &owner, version: &s.version, bytes: &s.bytes });
        host.carry_out(x.action, &x.old.plugin.name, &details, || {
            host.home.replace_alone(row.clone(), package, carried)?;
            Ok(())
        })
    }

    /// The old version finishes calls in flight, and is stopped. What it ran into, where that is waited for.
    fn let_drain(&self, old: Arc<Loaded>, most: Option<Duration>) -> Option<String> {
        let turned_away = old.plugin.turn_away();
        if old.plugin.is_to_be_waited_for() {
            return ended(turned_away.and(old.plugin.finish(LastState::Save, most)));
        }
        self.hall().drains.finish(old, most);
        ended(turned_away)
    }

    /// Lets go of the old version where the new one is not to run: it may be up all the same, paused or failed.
    fn let_go(&self, x: &Exchange<'_>, state: LastState) -> Option<String> {
        let up = self.hall().loaded(x.old.plugin.name.as_str())?;
        self.hall().take(x.old.plugin.name.as_str());
        ended(up.plugin.supersede(state, x.drain))
    }
}

impl Exchange<'_> {
    /// The package, durable.
    fn stored<'h>(&self, manager: &'h PluginManager) -> Result<StoredPackage<'h>, ForgeError> {
        let home = &manager.hall().host.home;
        Ok(match self.package {
            Some(bytes) => home.store_package(bytes)?,
            None => home.stored_package(self.digest),
        })
    }

    /// A check that is asked for can be made: the plugin is to run, and has the operation.
    pub(super) fn can_be_checked(&self) -> Result<(), ForgeError> {
        let Some(check) = self.check else { return Ok(()) };
        let name = self.old.plugin.name.to_string();
        let manifest = self.grant.package().package().manifest();
        if !manifest.operations.iter().any(|o| o.name.as_str() == check) {
            let operation = check.chars().take(80).collect();
            let known = manifest.operations.iter().map(|o| o.name.to_string()).collect();
            return Err(LifecycleError::NoOperation { plugin: name, operation, known }.into());
        }
        if self.old.plugin.desired != Desired::Running {
            let state = super::steps::resting(self.old.plugin.desired);
            return Err(HostError::NotRunning { name, state, failure: None }.into());
        }
        Ok(())
    }
}

/// What the old version ran into, in words; it is recorded.
fn ended(stopped: Result<(), LifecycleError>) -> Option<String> {
    stopped.err().map(|error| error.told())
}
