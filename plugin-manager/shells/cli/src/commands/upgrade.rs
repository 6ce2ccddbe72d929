//! `upgrade` and `rollback`: another version in the place of the installed one.
//!
//! JSON of both: [`Exchanged`], every field of `install` among them.

use super::plugins::{Placed, about};
use super::status::joined;
use super::trial::pairs as trial_pairs;
use crate::args::{Rollback, Upgrade};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files;
use crate::output::{Show, write_pairs};
use common::error::codes;
use forgeone_api::shown::Exchanged;
use forgeone_api::{Ask, Parcel, asks};
use std::io::{self, Write};

impl Show for Placed<Exchanged> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let Exchanged { now, replaced, added, ending, draining, trial, kept } = &self.answer;
        if let Some(trial) = trial {
            return write_pairs(out, &trial_pairs(trial));
        }
        let mut pairs = vec![
            ("installed", format!("{} {}", now.name, now.version)),
            ("replaced", replaced.clone()),
            ("kept", joined(kept)),
        ];
        if !added.is_empty() {
            pairs.push(("consented", joined(added)));
        }
        if let Some(ending) = ending {
            pairs.push(("ending", one_line(ending)));
        }
        if !draining.is_empty() {
            pairs.push(("draining", joined(draining)));
        }
        pairs.extend(about(now, self.stays));
        write_pairs(out, &pairs)
    }
}

/// Runs `upgrade`.
///
/// # Errors
/// When the package is refused, or the new version cannot start; the installed one stays then.
pub fn upgrade(context: &Context, args: &Upgrade) -> Result<(), Failure> {
    let package = files::read_telling(&args.package, files::MAX_FILE, &*context.progress())?;
    let head = asks::Upgrade {
        allow_downgrade: args.allow_downgrade,
        accept_permissions: args.accept_permissions,
        check: args.check.clone(),
        trial: args.trial.trial(),
        drain: args.drain.map(|time| time.0),
    };
    exchange(context, Parcel { head, body: package }).map_err(|failure| match failure {
        Failure::Error(error) if error.code() == &codes::E5001 => {
            Failure::Error(error.with_help("`forgeone install PACKAGE` installs it"))
        }
        other => other,
    })
}

/// Runs `rollback`.
///
/// # Errors
/// E5001, E5011, or when the version is refused or cannot start; the installed one stays then.
pub fn rollback(context: &Context, args: &Rollback) -> Result<(), Failure> {
    exchange(context, asks::Rollback { name: args.name.clone(), to: args.to.clone() }.into())
}

/// Asks for another version of a plugin, and shows what came of it.
///
/// # Errors
/// As of what is asked.
pub fn exchange<A: Ask<Reply = Exchanged>>(context: &Context, ask: Parcel<A>) -> Result<(), Failure> {
    context.output().show(&Placed::from(context.answer(ask)?))
}
