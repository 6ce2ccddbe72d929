//! `approve`: consent to a version that asks for more permissions than the installed one, or its rejection.
//!
//! JSON: of `approve NAME` that of `upgrade`; of `--list` `{"pending":[…]}` with every field of [`Waiting`]; of
//! `--reject` `{"rejected":…}` with one such object.

use super::status::joined;
use super::upgrade::exchange;
use crate::args::Approve;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use forgeone_api::asks;
use forgeone_api::shown::Waiting;
use serde::Serialize;
use std::io::{self, Write};

fn pairs(waiting: &Waiting) -> Vec<(&'static str, String)> {
    vec![
        ("plugin", format!("{} {}", waiting.name, waiting.version)),
        ("installed", waiting.installed.clone()),
        ("publisher", waiting.publisher.clone()),
        ("package", waiting.package.clone()),
        ("asks for", joined(&waiting.added)),
        ("since", waiting.since.clone()),
    ]
}

#[derive(Debug, Serialize)]
struct Listing {
    pending: Vec<Waiting>,
}

impl Show for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.pending.is_empty() {
            return writeln!(out, "nothing waits for consent");
        }
        for (i, waiting) in self.pending.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            write_pairs(out, &pairs(waiting))?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Rejected {
    rejected: Waiting,
}

impl Show for Rejected {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "rejected {} {}; {} stays",
            self.rejected.name, self.rejected.version, self.rejected.installed
        )
    }
}

/// Runs `approve`.
///
/// # Errors
/// E5001, E5021, or when the version is refused or cannot start; the installed one stays then.
pub fn approve(context: &Context, args: &Approve) -> Result<(), Failure> {
    let version = args.version.clone();
    match args.name.clone() {
        Some(name) if args.reject => {
            let rejected = context.ask(asks::Reject { name, version })?;
            context.output().show(&Rejected { rejected })
        }
        Some(name) if !args.list => exchange(context, asks::Approve { name, version }.into()),
        name => {
            let pending = context.ask(asks::Pending { name })?;
            context.output().show(&Listing { pending })
        }
    }
}
