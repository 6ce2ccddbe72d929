//! The beginning of a trial: the version is brought up beside the installed one, recorded, and then given calls.

use super::running::{Counted, Job, QUEUE, RunningTrial, run};
use super::settle::told;
use super::terms::{Trial, TrialKind};
use crate::lifecycle::ManagedPlugin;
use crate::plugin::PluginState;
use crate::registry::bring_up::Cause;
use crate::registry::denials::Denials;
use crate::registry::error::HostError;
use crate::registry::events::EventKind;
use crate::registry::hall::Loaded;
use crate::registry::install::report;
use crate::registry::load::Rebuild;
use crate::registry::manager::PluginManager;
use crate::registry::report::UpgradeReport;
use crate::registry::upgrade::{Beside, Exchange};
use crate::registry::versions::UpgradeOptions;
use crate::store::Desired;
use common::error::ForgeError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Weak};

impl PluginManager {
    /// Begins a trial of a version that may take the installed one's place. Done in the plugin's turn.
    pub(in crate::registry) fn begin_trial(
        &self,
        x: &Exchange<'_>,
        package: &[u8],
        options: &UpgradeOptions,
        terms: Trial,
    ) -> Result<UpgradeReport, ForgeError> {
        terms.check()?;
        self.hall().while_open(|| {
            let host = self.host();
            let plan = self.fits(x)?;
            x.can_be_checked()?;
            let installed = self.up_for_trial(x)?;
            self.bring_up_needs(&plan, x)?;
            let ready = host.ready(&x.grant, Rebuild::Asked)?;
            let mut now = report(&x.grant, &ready);
            now.started = true;
            let (denials, suppressed) = (Arc::new(Denials::default()), Arc::new(AtomicU64::new(0)));
            let shadow = (terms.kind == TrialKind::Shadow).then(|| suppressed.clone());
            let plugin = host.assemble_as(&x.grant, ready, PluginState::Created, &denials, shadow);
            let candidate = Arc::new(Loaded::new(plugin, denials));
            may_share(&terms, &installed, &candidate)?;
            let beside = Beside::new(candidate.clone());
            let gives = installed.plugin.hands_state_to(&candidate.plugin);
            self.raise(&candidate, gives, x.check)?;
            self.record_beginning(x, &terms)?;
            let (queue, jobs) = sync_channel::<Job>(QUEUE);
            let trial = Arc::new(RunningTrial {
                terms,
                options: options.clone(),
                package: package.to_vec(),
                operator: self.own_operator(),
                operations: operations(&installed.plugin, &candidate.plugin),
                denied_before: installed.denials.total(),
                installed: Arc::downgrade(&installed),
                candidate,
                clock: host.parts().clock.clone(),
                began_ns: host.clock.mono_ns(),
                suppressed,
                queue,
                counted: Counted::default(),
                thread: Mutex::new(None),
            });
            // The version starts from a copy of the state, and is sent every call after it.
            let held = if gives { Some(installed.plugin.hold(None)?) } else { None };
            if let Some(mut state) = held.as_ref().map(|held| held.state()).transpose()?.flatten() {
                trial.candidate.plugin.adopt(&mut state)?;
            }
            self.watch(&trial, jobs)?;
            beside.keep();
            installed.put_on_trial(Some(trial.clone()));
            self.hall().trials.insert(now.name.clone(), trial.clone());
            drop(held);
            let kind = || EventKind::TrialBegun { trial: trial.terms.kind.to_string() };
            host.feed.emit(&now.name, &now.version, kind);
            let (name, replaced) = (&x.old.plugin.name, x.old.plugin.version.clone());
            let (kept, draining) = (self.kept(name)?, self.hall().drains.of(name.as_str()));
            let (added, trial) = (x.added.clone(), Some(told(&trial, &replaced)));
            Ok(UpgradeReport { now, replaced, added, carried: None, ending: None, draining, kept, trial })
        })
    }

    /// The installed version, up.
    fn up_for_trial(&self, x: &Exchange<'_>) -> Result<Arc<Loaded>, ForgeError> {
        let name = &x.old.plugin.name;
        let loaded = match self.hall().loaded(name.as_str()) {
            Some(loaded) => loaded,
            None if x.old.plugin.desired == Desired::Running => {
                self.bring_up_in_turn(name, Cause::Call, PluginState::Created)?
            }
            None => {
                let state = crate::registry::steps::resting(x.old.plugin.desired);
                return Err(HostError::NotRunning { name: name.to_string(), state, failure: None }.into());
            }
        };
        if loaded.plugin.state() == PluginState::Running {
            Ok(loaded)
        } else {
            Err(loaded.not_running().into())
        }
    }

    fn record_beginning(&self, x: &Exchange<'_>, terms: &Trial) -> Result<(), ForgeError> {
        let manifest = x.grant.package().package().manifest();
        let (version, package) = (manifest.version.to_string(), x.digest.to_string());
        let (kind, accepted) = (terms.kind.to_string(), x.added.join(" "));
        let mut details = vec![
            ("trial", kind.as_str()),
            ("version", version.as_str()),
            ("package", package.as_str()),
            ("beside", x.old.plugin.version.as_str()),
        ];
        details.extend((!accepted.is_empty()).then_some(("accepted_permissions", accepted.as_str())));
        self.host().intend("trial", manifest.name.as_str(), &details)
    }

    /// Starts the thread that repeats calls, judges, and settles the trial.
    fn watch(&self, trial: &Arc<RunningTrial>, jobs: Receiver<Job>) -> Result<(), ForgeError> {
        let (hall, its) = (Arc::downgrade(self.hall()), trial.clone());
        let thread = std::thread::Builder::new().name("forgeone-trial".into());
        let watching = thread.spawn(move || {
            let epoch = || Some(Weak::upgrade(&hall)?.host.bridge.evaluator().epoch());
            run(&its, &jobs, epoch, |judged| {
                let Some(hall) = hall.upgrade() else { return false };
                Self::for_operator(hall, its.operator.clone()).settle(&its, judged)
            });
        });
        *trial.thread.lock() = Some(watching.map_err(HostError::Thread)?);
        Ok(())
    }
}

/// A share of the calls would split the state of a plugin that keeps it.
fn may_share(terms: &Trial, installed: &Loaded, candidate: &Loaded) -> Result<(), HostError> {
    let keeps = installed.plugin.keeps_state() || candidate.plugin.keeps_state();
    if keeps && terms.kind != TrialKind::Shadow {
        return Err(HostError::SplitState { name: installed.name().to_owned() });
    }
    Ok(())
}

/// The candidate's index of each operation of the installed version.
fn operations(installed: &ManagedPlugin, candidate: &ManagedPlugin) -> Vec<Option<u16>> {
    let names = candidate.operations();
    let index = |name: &String| names.iter().position(|n| n == name).and_then(|i| u16::try_from(i).ok());
    installed.operations().iter().map(index).collect()
}

impl Loaded {
    /// From now on its calls are part of this trial, or of none.
    pub(super) fn put_on_trial(&self, trial: Option<Arc<RunningTrial>>) {
        let on = trial.is_some();
        self.trial.store(trial);
        self.on_trial.store(on, Ordering::Release);
    }
}
