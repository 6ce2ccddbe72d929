//! What a program that keeps a home open for long asks of it: everything that is desired running brought up, and
//! changed policies put in force.

use super::bring_up::Cause;
use super::error::HostError;
use super::manager::PluginManager;
use super::policies::Stamps;
use super::sources;
use crate::plugin::PluginState;
use crate::store::Desired;
use common::error::ForgeError;
use common::identity::Name;
use microkernel::trust::ManagementAction;
use std::collections::{BTreeMap, BTreeSet};

/// How a plugin that is desired running came up.
#[derive(Debug)]
pub struct BroughtUp {
    /// Its name.
    pub name: String,
    /// Why it is not up, when it is not.
    pub outcome: Result<(), ForgeError>,
}

impl PluginManager {
    /// Brings up every plugin that is desired running, those that others need first. What is `Failed` stays so, for
    /// an operator to start; one that cannot come up keeps those that need it down and nobody else.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn bring_up_desired(&self) -> Result<Vec<BroughtUp>, ForgeError> {
        let plan = self.dependencies(&[])?;
        let rows = self.host().rows()?;
        let running = rows.iter().filter(|row| row.plugin.desired == Desired::Running);
        let desired: BTreeMap<&str, &Name> =
            running.map(|row| (row.plugin.name.as_str(), &row.plugin.name)).collect();
        let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        plan.needs.iter().for_each(|need| needs.entry(&need.by).or_default().push(&need.on));
        // Those that cannot be ordered come last, to be told why.
        let ordered: BTreeSet<&str> = plan.order.iter().map(String::as_str).collect();
        let rest = desired.keys().copied().filter(|name| !ordered.contains(name));
        let order = plan.order.iter().map(String::as_str).chain(rest);
        let wanted = order.filter_map(|name| desired.get(name).copied());
        let up = |name: &Name| {
            let needs = needs.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            self.bring_up_one_desired(name, needs)
        };
        Ok(wanted.map(up).collect())
    }

    /// Brings one up whose needs had their turn before. The whole plan is made again only where one of them is not up,
    /// to say which and why.
    fn bring_up_one_desired(&self, name: &Name, needs: &[&str]) -> BroughtUp {
        let is_up =
            |need: &&str| self.hall().loaded(need).is_some_and(|l| l.plugin.state() == PluginState::Running);
        let job = || match needs.iter().all(is_up) {
            true => self.bring_one_up(name, Cause::Call).map(drop),
            false => self.bring_up(name.as_str(), Cause::Call).map(drop),
        };
        let outcome = self.host().recorded(ManagementAction::Start, name.as_str(), job);
        BroughtUp { name: name.to_string(), outcome }
    }

    /// Reads the policy files again. Every decision that begins after this returns is made by them. Returns how many
    /// files there are.
    ///
    /// # Errors
    /// E2001 for an operator who may not configure the host; E2004 for a policy that is not valid, E0002 or E0104 for
    /// one that cannot be read: the policies stay what they were then.
    pub fn reload_policies(&self) -> Result<usize, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        host.recorded(configure, "", || host.authorise(configure, ""))?;
        self.read_policies_again()
    }

    /// As [`PluginManager::reload_policies`], on behalf of nobody: who may write the files decides what they say, and
    /// policies that are being replaced have no say in it.
    pub(super) fn read_policies_again(&self) -> Result<usize, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        let dir = host.home.policy_dir();
        let stamps = Stamps::of(&dir);
        let read = host.recorded(configure, "", || {
            // A directory that is away says nothing: it is not one in which every policy was deleted.
            std::fs::read_dir(&dir).map_err(|source| HostError::Read { path: dir.clone(), source })?;
            let policies = sources::policies(&dir)?;
            let evaluator = host.parts().bridge.evaluator();
            let named = |error| sources::named(error, &dir, &policies);
            evaluator.check(&policies).map_err(named)?;
            let count = policies.len().to_string();
            host.intend(configure.name(), "", &[("change", "policies"), ("files", &count)])?;
            evaluator.publish(&policies).map_err(named)?;
            host.policies_in_force(sources::digest_of(&policies))?;
            Ok(policies.len())
        });
        host.policy_files.read(stamps, &read);
        read
    }
}
