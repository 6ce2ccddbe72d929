//! Several plugins installed as one: planned first, done in the order of their needs, and taken back when one of them
//! cannot be.

use super::manager::PluginManager;
use super::plan::{InstallPlan, InstallRequest, PlannedChange, PlannedStep};
use super::report::{InstallReport, UpgradeReport};
use super::versions::UpgradeOptions;
use common::error::ForgeError;
use common::identity::Name;
use std::path::Path;

/// What was done, step by step.
#[derive(Debug)]
pub struct InstallAllReport {
    /// The plan.
    pub plan: InstallPlan,
    /// What each step did, in the order of the plan, without those that stay.
    pub done: Vec<Installed>,
}

/// What one step did.
#[derive(Debug)]
pub enum Installed {
    /// It was installed.
    New(Box<InstallReport>),
    /// It took the place of another version.
    Instead(Box<UpgradeReport>),
}

impl Installed {
    /// What is installed now.
    pub fn into_now(self) -> InstallReport {
        match self {
            Self::New(report) => *report,
            Self::Instead(report) => report.now,
        }
    }
}

impl PluginManager {
    /// Installs packages and whatever they need, chosen among what is installed, what is kept and what is offered, as
    /// [`PluginManager::plan_install`] plans it. Every package is proven before anything is changed, and again when it
    /// is installed.
    ///
    /// # Errors
    /// As of the plan, of an installation and of an upgrade. What was done before is taken back then, the last first:
    /// what was installed is removed and what it stored kept, what was replaced is put back. The reasons say so, and
    /// what could not be taken back.
    pub fn install_all(&self, request: &InstallRequest) -> Result<InstallAllReport, ForgeError> {
        let plan = self.plan_install(request)?;
        let done = self.install_planned(&plan, request)?;
        Ok(InstallAllReport { plan, done })
    }

    /// Does what a plan says. What has changed since it was made is found by the steps themselves: a package with other
    /// bytes, a name that was taken, a need that is no longer met.
    ///
    /// # Errors
    /// As of [`PluginManager::install_all`].
    pub fn install_planned(
        &self,
        plan: &InstallPlan,
        request: &InstallRequest,
    ) -> Result<Vec<Installed>, ForgeError> {
        let mut done = Vec::new();
        for (at, step) in plan.steps.iter().enumerate() {
            if step.change == PlannedChange::Stay {
                continue;
            }
            match self.take_step(step, request) {
                Ok(report) => done.push(report),
                Err(error) => {
                    let failed = error.reason(format!("this came of {}", told(step)));
                    let before = plan.steps.get(..at).unwrap_or_default();
                    return Err(self.taken_back(step, before, failed));
                }
            }
        }
        Ok(done)
    }

    fn take_step(&self, step: &PlannedStep, request: &InstallRequest) -> Result<Installed, ForgeError> {
        let bytes = |file: &Path| self.bytes_of(file, &step.package);
        let options = UpgradeOptions {
            // A lock file says which version is meant, whatever is installed.
            allow_downgrade: request.allow_downgrade || request.locked.is_some(),
            accept_permissions: request.accept_permissions,
            ..UpgradeOptions::default()
        };
        match (step.change, &step.file) {
            (PlannedChange::Install, Some(file)) => {
                self.install(&bytes(file)?, request.start).map(|report| Installed::New(Box::new(report)))
            }
            (PlannedChange::Upgrade, Some(file)) => {
                self.upgrade(&bytes(file)?, &options).map(|report| Installed::Instead(Box::new(report)))
            }
            _ => self
                .rollback(&step.name, Some(&step.version))
                .map(|report| Installed::Instead(Box::new(report))),
        }
    }

    /// Takes back what was done before a step that failed, and what is left of that.
    fn taken_back(&self, failed: &PlannedStep, before: &[PlannedStep], error: ForgeError) -> ForgeError {
        let left = (failed.change == PlannedChange::Install && self.is_there(failed)).then_some(failed);
        let steps = left.into_iter().chain(before.iter().rev());
        steps.filter(|step| step.change != PlannedChange::Stay).fold(error, |error, step| {
            let back = match &step.replaces {
                Some(version) => self.rollback(&step.name, Some(version)).map(drop),
                None => self.remove(&step.name, true),
            };
            error.reason(match back {
                Ok(()) => format!("taken back: {}", told(step)),
                Err(why) => format!("could not be taken back: {}: {why}", told(step)),
            })
        })
    }

    /// Whether the package of a step is what is installed.
    fn is_there(&self, step: &PlannedStep) -> bool {
        let name = Name::new(&step.name).ok();
        let row = name.and_then(|name| self.host().parts().row(&name).ok().flatten());
        row.is_some_and(|row| row.plugin.package == step.package)
    }
}

fn told(step: &PlannedStep) -> String {
    format!("{} {} {}", step.change.name(), step.name, step.version)
}
