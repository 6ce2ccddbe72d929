//! `approve`: consent to a version that asks for more permissions than the installed one, or its rejection.
//!
//! JSON: of `approve NAME` that of `upgrade`; of `--list` `{"pending":[…]}` with every field of [`Waiting`]; of
//! `--reject` `{"rejected":…}` with one such object.

use super::status::joined;
use super::upgrade::Exchanged;
use crate::args::Approve;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use crate::when;
use plugin_manager::PendingUpgrade;
use serde::Serialize;
use std::io::{self, Write};

/// A version that waits for consent.
#[derive(Debug, Serialize)]
struct Waiting {
    name: String,
    version: String,
    publisher: String,
    installed: String,
    package: String,
    added: Vec<String>,
    since: String,
}

impl From<PendingUpgrade> for Waiting {
    fn from(p: PendingUpgrade) -> Self {
        Self {
            name: p.name,
            version: p.version,
            publisher: p.publisher,
            installed: p.installed,
            package: p.package.to_string(),
            added: p.added,
            since: when::rfc3339(p.since_ns),
        }
    }
}

impl Waiting {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("plugin", format!("{} {}", self.name, self.version)),
            ("installed", self.installed.clone()),
            ("publisher", self.publisher.clone()),
            ("package", self.package.clone()),
            ("asks for", joined(&self.added)),
            ("since", self.since.clone()),
        ]
    }
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
            write_pairs(out, &waiting.pairs())?;
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
    let version = args.version.as_deref();
    match &args.name {
        Some(name) if args.reject => {
            let rejected = context.with_manager(|manager| manager.reject(name, version))?.into();
            context.output().show(&Rejected { rejected })
        }
        Some(name) if !args.list => {
            let report = context.with_manager(|manager| manager.approve(name, version))?;
            context.output().show(&Exchanged::from(report))
        }
        name => {
            let pending = context.with_manager(|manager| manager.pending(name.as_deref()))?;
            context.output().show(&Listing { pending: pending.into_iter().map(Waiting::from).collect() })
        }
    }
}
