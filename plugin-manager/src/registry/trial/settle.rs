//! The end of a trial: by its figures, by an operator, or because the plugin goes down. The version on trial is let go of
//! and recorded with its figures; one that is promoted then takes the installed one's place as by any upgrade.

use super::figures::TrialFigures;
use super::judge::Judgement;
use super::running::RunningTrial;
use crate::registry::error::HostError;
use crate::registry::events::EventKind;
use crate::registry::manager::PluginManager;
use crate::registry::report::UpgradeReport;
use crate::registry::versions::UpgradeOptions;
use common::error::ForgeError;
use common::identity::Digest;
use microkernel::trust::ManagementAction;
use std::sync::Arc;
use std::time::Duration;

/// How long the thread of a trial waits for the plugin's turn before it looks whether the trial is still on.
const PATIENCE: Duration = Duration::from_millis(100);

/// How a version on trial stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialStatus {
    /// The plugin.
    pub name: String,
    /// The version on trial.
    pub version: String,
    /// The version that is installed.
    pub installed: String,
    /// What it is given and held to.
    pub terms: super::terms::Trial,
    /// What was counted so far.
    pub figures: TrialFigures,
}

impl PluginManager {
    /// How the version of this plugin that is on trial stands; `None` when none is.
    ///
    /// # Errors
    /// E5001, or when the policy denies it.
    pub fn trial(&self, name: &str) -> Result<Option<TrialStatus>, ForgeError> {
        let row = self.row(name)?;
        self.host().may_read(name)?;
        Ok(self.trial_of(name, &row.plugin.version))
    }

    pub(in crate::registry) fn trial_of(&self, name: &str, installed: &str) -> Option<TrialStatus> {
        let trial = self.hall().trials.get(name)?.value().clone();
        Some(told(&trial, installed))
    }

    /// Ends the trial of this plugin now, and puts its version in the place of the installed one: an
    /// [`PluginManager::upgrade`] to it, with instances brought up anew.
    ///
    /// # Errors
    /// E5001; E5023 when none is on trial; as of an upgrade, and the trial has ended then.
    pub fn promote(&self, name: &str) -> Result<UpgradeReport, ForgeError> {
        self.on_trial(name, |trial| {
            self.let_go_of_trial(&trial, "promoted", "an operator asked");
            self.take_place(&trial)
        })
    }

    /// Ends the trial of this plugin now; the installed version goes on. How the trial stood.
    ///
    /// # Errors
    /// E5001; E5023 when none is on trial.
    pub fn abandon(&self, name: &str) -> Result<TrialStatus, ForgeError> {
        self.on_trial(name, |trial| {
            let status = told(&trial, &self.row(name)?.plugin.version);
            self.let_go_of_trial(&trial, "abandoned", "an operator asked");
            Ok(status)
        })
    }

    /// Decided, and done in the plugin's turn with its trial, which has ended then.
    fn on_trial<T>(
        &self,
        name: &str,
        job: impl FnOnce(Arc<RunningTrial>) -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        let (host, action) = (self.host(), ManagementAction::Upgrade);
        host.recorded(action, name, || {
            self.row(name)?;
            host.authorise(action, name)?;
            self.hall().in_turn(name, None, || {
                let trial = self.hall().trials.get(name).map(|entry| entry.value().clone());
                let trial = trial.filter(|trial| trial.end());
                job(trial.ok_or_else(|| HostError::NoTrial { name: name.to_owned() })?)
            })
        })
    }

    /// Nothing else may take a plugin's place while a version of it is on trial.
    pub(in crate::registry) fn no_trial(&self, name: &str) -> Result<(), HostError> {
        match self.hall().trials.get(name) {
            Some(trial) => {
                let version = trial.candidate.plugin.identity().version.clone();
                Err(HostError::OnTrial { name: name.to_owned(), version })
            }
            None => Ok(()),
        }
    }

    /// The trial of a plugin that is taken down or paused ends with that. Done in the plugin's turn.
    pub(in crate::registry) fn end_trial(&self, name: &str, why: &str) {
        let trial = self.hall().trials.get(name).map(|entry| entry.value().clone());
        if let Some(trial) = trial.filter(|trial| trial.end()) {
            self.let_go_of_trial(&trial, "abandoned", why);
        }
    }

    /// Does what was judged, in the thread of the trial. Whether that is done, or somebody else's to do.
    pub(super) fn settle(&self, trial: &RunningTrial, judged: Judgement) -> bool {
        let name = trial.candidate.name();
        let settled = self.hall().in_turn(name, Some(PATIENCE), || {
            if trial.end() {
                self.conclude(trial, judged);
            }
            Ok(())
        });
        settled.is_ok()
    }

    fn conclude(&self, trial: &RunningTrial, judged: Judgement) {
        let name = trial.candidate.name();
        match judged {
            Judgement::Abandon(why) => self.let_go_of_trial(trial, "abandoned", &why),
            Judgement::Promote | Judgement::GoOn => {
                self.let_go_of_trial(trial, "promoted", "it kept within its limits");
                let promoted =
                    self.host().recorded(ManagementAction::Upgrade, name, || self.take_place(trial));
                if let Err(error) = promoted {
                    tracing::warn!(plugin = name, %error, "a version that passed its trial could not take its place");
                }
            }
        }
    }

    /// No call goes to the version on trial any more; those in flight finish, it is stopped, and the end is recorded.
    fn let_go_of_trial(&self, trial: &RunningTrial, verdict: &str, why: &str) {
        let name = trial.candidate.name();
        if let Some(installed) = trial.installed.upgrade() {
            installed.put_on_trial(None);
        }
        self.hall().trials.remove(name);
        trial.wake();
        trial.candidate.plugin.withdraw();
        let thread = trial.thread.lock().take();
        match thread {
            // The thread of the trial itself ends when this is done.
            Some(thread) if thread.thread().id() == std::thread::current().id() => {
                let mut ending = self.hall().ending.lock();
                ending.retain(|other| !other.is_finished());
                ending.push(thread);
            }
            Some(thread) => drop(thread.join()),
            None => {}
        }
        self.record_end(trial, verdict, why);
    }

    fn record_end(&self, trial: &RunningTrial, verdict: &str, why: &str) {
        let (seen, kind) = (trial.figures(), trial.terms.kind.to_string());
        let side = |s: &super::figures::TrialSide| {
            format!("{} calls, {} failed, {} denied, p95 {:.1?}", s.calls, s.errors, s.denials, s.p95)
        };
        let (candidate, installed) = (side(&seen.candidate), side(&seen.installed));
        let compared = format!(
            "{} equal, {} different, {} incomparable, {} skipped, {} host calls suppressed",
            seen.equal, seen.different, seen.incomparable, seen.skipped, seen.suppressed
        );
        let mut details = vec![
            ("trial", kind.as_str()),
            ("verdict", verdict),
            ("why", why),
            ("version", trial.candidate.plugin.identity().version.as_str()),
            ("candidate", candidate.as_str()),
            ("installed", installed.as_str()),
        ];
        details.extend(
            (trial.terms.kind == super::TrialKind::Shadow).then_some(("compared", compared.as_str())),
        );
        self.host().protect("trial", trial.candidate.name(), &details);
        let version = &trial.candidate.plugin.identity().version;
        let kind = || EventKind::TrialEnded { verdict: verdict.to_owned(), why: why.to_owned() };
        self.host().feed.emit(trial.candidate.name(), version, kind);
    }

    /// The version that was on trial takes the installed one's place, proven with the trust of now.
    fn take_place(&self, trial: &RunningTrial) -> Result<UpgradeReport, ForgeError> {
        let host = self.host();
        let verified = host.prove(&trial.package)?;
        let options = UpgradeOptions { trial: None, ..trial.options.clone() };
        let x = self.examined(verified, (&trial.package, Digest::of(&trial.package)), &options)?;
        self.exchange(x)
    }
}

/// How a trial stands.
pub(super) fn told(trial: &RunningTrial, installed: &str) -> TrialStatus {
    TrialStatus {
        name: trial.candidate.name().to_owned(),
        version: trial.candidate.plugin.identity().version.clone(),
        installed: installed.to_owned(),
        terms: trial.terms,
        figures: trial.figures(),
    }
}
