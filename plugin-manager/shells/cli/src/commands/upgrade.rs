//! `upgrade` and `rollback`: another version in the place of the installed one.
//!
//! JSON of both: [`Exchanged`], every field of `install` among them.

use super::plugins::Installed;
use super::status::joined;
use super::trial::Tried;
use crate::args::{Rollback, Upgrade};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files;
use crate::output::{Show, write_pairs};
use plugin_manager::{UpgradeOptions, UpgradeReport};
use serde::Serialize;
use std::io::{self, Write};

/// What `upgrade` or `rollback` did.
#[derive(Debug, Serialize)]
pub struct Exchanged {
    #[serde(flatten)]
    now: Installed,
    replaced: String,
    added: Vec<String>,
    ending: Option<String>,
    draining: Vec<String>,
    trial: Option<Tried>,
    kept: Vec<String>,
}

impl From<UpgradeReport> for Exchanged {
    fn from(r: UpgradeReport) -> Self {
        Self {
            now: Installed::from(r.now),
            replaced: r.replaced,
            added: r.added,
            ending: r.ending,
            draining: r.draining,
            trial: r.trial.map(Tried::from),
            kept: r.kept,
        }
    }
}

impl Show for Exchanged {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(trial) = &self.trial {
            return write_pairs(out, &trial.pairs());
        }
        let mut pairs = vec![
            ("installed", format!("{} {}", self.now.name, self.now.version)),
            ("replaced", self.replaced.clone()),
            ("kept", joined(&self.kept)),
        ];
        if !self.added.is_empty() {
            pairs.push(("consented", joined(&self.added)));
        }
        if let Some(ending) = &self.ending {
            pairs.push(("ending", one_line(ending)));
        }
        if !self.draining.is_empty() {
            pairs.push(("draining", joined(&self.draining)));
        }
        pairs.extend(self.now.pairs());
        write_pairs(out, &pairs)
    }
}

/// Runs `upgrade`.
///
/// # Errors
/// When the package is refused, or the new version cannot start; the installed one stays then.
pub fn upgrade(context: &Context, args: &Upgrade) -> Result<(), Failure> {
    if args.trial.trial().is_some() {
        return Err(super::trial::nobody_to_hold_it().into());
    }
    let package = files::read_telling(&args.package, files::MAX_FILE, &*context.progress())?;
    let options = UpgradeOptions {
        allow_downgrade: args.allow_downgrade,
        accept_permissions: args.accept_permissions,
        check: args.check.clone(),
        trial: args.trial.trial(),
    };
    let report = context.with_manager(|manager| manager.upgrade(&package, &options))?;
    context.output().show(&Exchanged::from(report))
}

/// Runs `rollback`.
///
/// # Errors
/// E5001, E5011, or when the version is refused or cannot start; the installed one stays then.
pub fn rollback(context: &Context, args: &Rollback) -> Result<(), Failure> {
    let report = context.with_manager(|manager| manager.rollback(&args.name, args.to.as_deref()))?;
    context.output().show(&Exchanged::from(report))
}
