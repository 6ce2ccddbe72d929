//! `doctor`: what this build and machine can do, seen by trying. Exit 1 when a line says `problem`. Of a home that
//! cannot be opened it says which part of it is why.
//!
//! JSON: `{"probes":[{"name","verdict","detail"}]}` with verdict `ok`, `warning` or `problem`.

use super::status::daemon_line;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, table, tone, write_table};
use comfy_table::Cell;
use common::error::{ErrorClass, ForgeError, codes};
use forgeone_api::asks;
use forgeone_api::shown::ProbeLine;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Serialize)]
struct Probes {
    probes: Vec<ProbeLine>,
}

impl Show for Probes {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["CHECK", "VERDICT", "DETAIL"]);
        for probe in &self.probes {
            table.add_row([Cell::new(&probe.name), tone(&probe.verdict), Cell::new(&probe.detail)]);
        }
        write_table(out, &table)
    }
}

/// Runs `doctor`.
///
/// # Errors
/// When another process has the home, or a daemon that may not be asked; E0107 when anything is a problem.
pub fn doctor(context: &Context) -> Result<(), Failure> {
    let probes = match context.answer(asks::Doctor {}.into()) {
        Ok((mut probes, daemon)) => {
            let detail = daemon_line(daemon.as_ref());
            probes.push(ProbeLine { name: "daemon".to_owned(), verdict: "ok".to_owned(), detail });
            probes
        }
        Err(Failure::Error(error)) if !matches!(error.class(), ErrorClass::State | ErrorClass::Denied) => {
            let probes = plugin_manager::doctor_unopened(context.home(), context.config(), &error);
            probes.into_iter().map(ProbeLine::from).collect()
        }
        Err(failure) => return Err(failure),
    };
    let bad: Vec<String> = probes.iter().filter(|p| p.verdict == "problem").map(|p| p.name.clone()).collect();
    context.output().show(&Probes { probes })?;
    if bad.is_empty() {
        return Ok(());
    }
    Err(ForgeError::new(&codes::E0107, format!("doctor found a problem with {}", bad.join(", "))).into())
}
