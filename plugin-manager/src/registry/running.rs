//! What a program that keeps a home open for long asks of it: everything that is desired running brought up, and
//! changed policies put in force.

use super::bring_up::Cause;
use super::manager::PluginManager;
use super::sources;
use common::error::ForgeError;
use microkernel::trust::ManagementAction;
use std::collections::BTreeSet;

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
        let desired: BTreeSet<String> =
            self.list()?.into_iter().filter(|p| p.desired == "running").map(|p| p.name).collect();
        // Those that cannot be ordered come last, to be told why.
        let ordered: BTreeSet<&String> = plan.order.iter().collect();
        let rest = desired.iter().filter(|name| !ordered.contains(name));
        let order = plan.order.iter().filter(|name| desired.contains(*name)).chain(rest);
        Ok(order.map(|name| self.bring_up_one_desired(name)).collect())
    }

    fn bring_up_one_desired(&self, name: &str) -> BroughtUp {
        let job = || self.bring_up(name, Cause::Call).map(drop);
        let outcome = self.host().recorded(ManagementAction::Start, name, job);
        BroughtUp { name: name.to_owned(), outcome }
    }

    /// Reads the policy files again. Every decision that begins after this returns is made by them. Returns how many
    /// files there are.
    ///
    /// # Errors
    /// E2001 for an operator who may not configure the host; E2004 for a policy that is not valid, E0002 or E0104 for
    /// one that cannot be read: the policies stay what they were then.
    pub fn reload_policies(&self) -> Result<usize, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        host.recorded(configure, "", || {
            host.authorise(configure, "")?;
            let dir = host.home.policy_dir();
            let policies = sources::policies(&dir)?;
            let evaluator = host.parts().bridge.evaluator();
            let named = |error| sources::named(error, &dir, &policies);
            evaluator.check(&policies).map_err(named)?;
            let count = policies.len().to_string();
            host.intend(configure.name(), "", &[("change", "policies"), ("files", &count)])?;
            evaluator.publish(&policies).map_err(named)?;
            Ok(policies.len())
        })
    }
}
