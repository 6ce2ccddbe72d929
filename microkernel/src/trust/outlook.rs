//! What policies can say of a principal before it asks: which of them may speak of an action, and whether the answer is
//! the same whatever it touches. Decides nothing.

use super::evaluator::TrustEvaluator;
use super::ruling::{Circumstances, Effect};
use super::table::Row;
use super::{ManagementAction, Resource, TrustContext, grants};
use crate::syscall_bridge::Action;

/// What can become of an action, whatever it touches, of one that acts for itself and has read no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prospect {
    /// It is denied: not granted, or permitted by no policy.
    Never,
    /// It depends on what is touched, or on circumstances.
    Depends,
    /// It is permitted.
    Always,
}

impl Prospect {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Depends => "depends",
            Self::Always => "always",
        }
    }
}

/// What policies can say of a principal's doing an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// What can become of it.
    pub prospect: Prospect,
    /// The ids of the policies that may speak of it, in the order of their files; none where it is not granted.
    pub policies: Vec<String>,
}

/// Something a policy names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// The id of the policy.
    pub policy: String,
    /// The type of what it names: `Plugin`, `Role`, `PluginResource`, …
    pub kind: String,
    /// The name.
    pub name: String,
}

/// The policies that may speak of an action, as an engine knows them.
pub(super) struct Speaking {
    pub(super) ids: Vec<String>,
    /// Whether one of them permits.
    pub(super) permits: bool,
    /// Whether what they say depends on the resource or on circumstances.
    pub(super) depends: bool,
    /// The ids of those that forbid, and depend on neither.
    pub(super) shut: Vec<String>,
}

impl TrustEvaluator {
    /// What the policies of now can say of this principal's making this host call.
    pub fn outlook(&self, context: &TrustContext, action: &Action) -> Outlook {
        self.outlook_in(context, self.row(action))
    }

    /// What they can say of its managing plugins.
    pub fn outlook_management(&self, context: &TrustContext, action: ManagementAction) -> Outlook {
        self.outlook_in(context, self.management_row(action))
    }

    fn outlook_in(&self, context: &TrustContext, row: Option<Row>) -> Outlook {
        let never = |policies| Outlook { prospect: Prospect::Never, policies };
        let Some((row, action)) = row.and_then(|row| Some((row, self.action_in(row)?))) else {
            return never(Vec::new());
        };
        let granted = context.grants();
        if !action.needs.iter().all(|need| granted.iter().any(|g| g.capability == *need)) {
            return never(Vec::new());
        }
        let (speaking, ruled) = self.speaking(context.identity(), row, |engine, policies, subject| {
            let probe = Resource { kind: action.resource, name: "", private: false };
            engine.decide_whole(policies, subject, row, &probe, Circumstances::default())
        });
        let shut = ruled.effect == Effect::Forbid
            && ruled.ids.split(',').any(|id| speaking.shut.iter().any(|known| known == id));
        let prospect = match ruled.effect {
            _ if !speaking.permits || shut => Prospect::Never,
            _ if speaking.depends => Prospect::Depends,
            Effect::Permit if grants::covered_always(granted, action.needs) => Prospect::Always,
            Effect::Permit => Prospect::Depends,
            Effect::Forbid | Effect::Silent | Effect::Failed(_) => Prospect::Never,
        };
        Outlook { prospect, policies: speaking.ids }
    }
}
