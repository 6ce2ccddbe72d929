//! `evidence`: the log verified, its records counted, and the documents written and signed. JSON: [`Written`].
//! Takes no lock, changes nothing in the home.

use crate::args::EvidenceArgs;
use crate::context::Context;
use crate::failure::{Failure, file};
use crate::files;
use crate::output::{Show, write_pairs};
use common::audit::{self, AuditError, verifier_key};
use common::error::ForgeError;
use plugin_manager::{AuditEvent, AuditSource, Evidence, EvidenceCovered, EvidenceRequest};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    framework: &'static str,
    /// The directory.
    out: String,
    /// Records of the span that were counted.
    records: u64,
    /// Records under the checkpoint the report is bound to.
    covered: u64,
    root: String,
    /// Executions without a valid attestation.
    unattested: u64,
    /// The names of the files.
    files: Vec<String>,
}

impl Show for Written {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        write_pairs(
            out,
            &[
                ("report", format!("{}/report.html", self.out)),
                ("counted", format!("{} records, of {} under the checkpoint", self.records, self.covered)),
                ("unattested", format!("{} executions without a valid attestation", self.unattested)),
                ("root", self.root.clone()),
                ("files", self.files.join(", ")),
            ],
        )
    }
}

/// Runs `evidence`.
///
/// # Errors
/// E30xx for a damaged log, E5008 without one, E0002 when files cannot be written.
pub fn evidence(context: &Context, args: EvidenceArgs) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let kept: Vec<String> = source.anchor.iter().cloned().collect();
    let report = audit::verify_against(&source.dir, &source.key, &kept)
        .map_err(|finding| ForgeError::from(AuditError::from(finding)))?;
    let request = EvidenceRequest {
        framework: args.framework.into(),
        since: args.from,
        until: args.to,
        incident: args.incident.map(|name| name.to_string()),
    };
    let framework = request.framework;
    let mut evidence = Evidence::new(request);
    // Retention may have removed the first of the records under the checkpoint.
    let size = report.covered + report.removed;
    let mut as_of = "1970-01-01T00:00:00.000Z".to_owned();
    for found in audit::records_from(&source.dir, 0).map_err(ForgeError::from)? {
        let (seq, line) = found.map_err(|finding| ForgeError::from(AuditError::from(finding)))?;
        if seq >= size {
            break;
        }
        let event = AuditEvent::parse(seq, &line).map_err(ForgeError::from)?;
        evidence.hear(&event);
        event.text("/t").clone_into(&mut as_of);
    }
    let covered = EvidenceCovered {
        key: verifier_key(&report.origin, &source.key),
        origin: report.origin,
        records: size,
        root: report.root.to_string(),
        checkpoint: report.checkpoint,
        as_of,
    };
    let files = write(&args.out, &evidence, &covered, &source)?;
    context.output().show(&Written {
        framework: framework.name(),
        out: args.out.display().to_string(),
        records: evidence.records(),
        covered: covered.records,
        root: covered.root,
        unattested: evidence.unattested(),
        files,
    })
}

/// Writes the documents, and the signature over the list of their hashes last.
fn write(
    out: &Path,
    evidence: &Evidence,
    covered: &EvidenceCovered,
    source: &AuditSource,
) -> Result<Vec<String>, ForgeError> {
    std::fs::create_dir_all(out).map_err(|e| file("make", out, &e))?;
    let mut names = Vec::new();
    let mut sums = String::new();
    for document in evidence.documents(covered) {
        files::write(&out.join(&document.name), &document.bytes, 0o644)?;
        sums = document.sha256();
        names.push(document.name);
    }
    let lines = format!("{sums}\n{}\n{}\n", covered.records, covered.root);
    let note = source.sign(&covered.origin, "forgeone evidence v1", &lines)?;
    files::write(&out.join("SHA256SUMS.note"), note.as_bytes(), 0o644)?;
    names.push("SHA256SUMS.note".to_owned());
    Ok(names)
}
