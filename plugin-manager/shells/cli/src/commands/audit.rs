//! `audit`: read, verify and prove the log. Reads the files of the home; takes no lock, changes nothing.
//!
//! JSON of `tail`: `{"records":[…]}`, each as it stands in the log; of `verify`: [`Verified`]; of `prove`:
//! [`Proven`]; of `classes`: `{"classes":[{"class","kind","action"}]}`. Damage is an error of class `audit`
//! whose reasons name the file, the line and the record.

use crate::args::{Audit, AuditProve, AuditTail};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use common::audit::{self, AuditError, Proof, RecordClass, VerifyReport, verifier_key};
use common::crypto::Sha256;
use common::error::{ForgeError, codes};
use plugin_manager::{AuditSource, ClassRow, classes};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// Runs `audit`.
///
/// # Errors
/// E30xx with the place of the damage; E5008 when the home has no log.
pub fn run(context: &Context, args: &Audit) -> Result<(), Failure> {
    match args {
        Audit::Tail(args) => tail(context, args),
        Audit::Verify => verify(context),
        Audit::Prove(args) => prove(context, args),
        Audit::Classes => context.output().show(&Classes::new()),
    }
}

#[derive(Debug, Serialize)]
struct Records {
    records: Vec<Value>,
}

impl Show for Records {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["SEQ", "TIME", "OUTCOME", "ACTOR", "ACTION", "RESOURCE", "CODE", "WHY"]);
        for record in &self.records {
            let outcome =
                |(at, text): (usize, String)| if at == OUTCOME { tone(&text) } else { Cell::new(text) };
            table.add_row(cells(record).into_iter().enumerate().map(outcome));
        }
        write_table(out, &table)
    }
}

/// A text of a record, by pointer; nothing where it has none.
fn at<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Where the outcome stands among the cells.
const OUTCOME: usize = 2;

fn cells(record: &Value) -> [String; 8] {
    let actors = ["/actor/plugin", "/actor/user", "/actor/host"];
    let actor = actors.iter().map(|p| at(record, p)).find(|text| !text.is_empty()).unwrap_or("-");
    let resource = format!("{} {}", at(record, "/resource/kind"), at(record, "/resource/name"));
    let count = record.get("n").and_then(Value::as_u64).map_or(String::new(), |n| format!(" ({n} times)"));
    [
        record.get("seq").map_or_else(String::new, Value::to_string),
        at(record, "/t").to_owned(),
        at(record, "/outcome").to_owned(),
        one_line(actor),
        format!("{}{count}", one_line(at(record, "/action"))),
        one_line(resource.trim()),
        at(record, "/code").to_owned(),
        why(record),
    ]
}

/// Why a record's action did not end well: the missing permission where that is the reason.
fn why(record: &Value) -> String {
    if at(record, "/outcome") == "ok" {
        return String::new();
    }
    let missing = at(record, "/details/missing");
    if !missing.is_empty() {
        return one_line(&format!("missing permission {missing}"));
    }
    let told =
        ["/details/reason", "/details/why"].iter().map(|p| at(record, p)).find(|text| !text.is_empty());
    told.map_or_else(String::new, one_line)
}

fn tail(context: &Context, args: &AuditTail) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let wanted = u64::try_from(args.lines).unwrap_or(u64::MAX);
    let lines = audit::tail(&source.dir, wanted).map_err(ForgeError::from)?;
    let records: Result<Vec<Value>, ForgeError> = lines.map(|line| record(&line?)).collect();
    context.output().show(&Records { records: records? })
}

fn record(line: &str) -> Result<Value, ForgeError> {
    serde_json::from_str(line).map_err(|e| {
        ForgeError::new(&codes::E3003, "a line of the audit log is no record")
            .reason(e.to_string())
            .with_help("find the place with `forgeone audit verify`")
    })
}

/// What `verify` saw.
#[derive(Debug, Serialize)]
struct Verified {
    /// The origin of the checkpoints: the host's name.
    origin: String,
    segments: u64,
    records: u64,
    /// Records under the latest signed checkpoint.
    covered: u64,
    /// Records after it: chained, not yet signed for.
    uncovered: u64,
    checkpoints: u64,
    root: String,
    /// Bytes of an unfinished last line, never acknowledged; opening the log cuts them.
    torn_bytes: u64,
    /// What other tools verify the checkpoints with (C2SP signed-note).
    key: String,
}

impl Verified {
    fn of(report: VerifyReport, source: &AuditSource) -> Self {
        Self {
            key: verifier_key(&report.origin, &source.key),
            origin: report.origin,
            segments: report.segments,
            records: report.records,
            covered: report.covered,
            uncovered: report.uncovered,
            checkpoints: report.checkpoints,
            root: report.root.to_string(),
            torn_bytes: report.torn_bytes,
        }
    }
}

impl Show for Verified {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let records = format!("{} in {} segments, each fits the one before it", self.records, self.segments);
        write_pairs(
            out,
            &[
                ("log", format!("{}, whole and unchanged", self.origin)),
                ("records", records),
                ("signed for", format!("{} by {} checkpoints", self.covered, self.checkpoints)),
                ("not yet", format!("{} records, {} torn bytes", self.uncovered, self.torn_bytes)),
                ("root", self.root.clone()),
                ("key", self.key.clone()),
            ],
        )
    }
}

fn verify(context: &Context) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let report = audit::verify(&source.dir, &source.key)
        .map_err(|finding| ForgeError::from(AuditError::from(finding)))?;
    context.output().show(&Verified::of(report, &source))
}

/// A record and the proof that it is in the log.
#[derive(Debug, Serialize)]
struct Proven {
    seq: u64,
    /// The record, as it stands in the log.
    record: Value,
    /// The line that was hashed, byte for byte.
    line: String,
    /// SHA-256 of a zero byte and the line.
    leaf: String,
    /// The hashes beside the way from the leaf to the root.
    path: Vec<String>,
    size: u64,
    root: String,
    origin: String,
    /// The signed checkpoint.
    checkpoint: String,
    /// The proof as other tools read it (C2SP tlog-proof).
    proof: String,
    key: String,
}

impl Proven {
    fn of(proof: &Proof, source: &AuditSource) -> Result<Self, ForgeError> {
        let proven = proof.verify(&source.key)?;
        let mut leaf = Sha256::new();
        leaf.update(&[0]);
        leaf.update(proof.line.as_bytes());
        Ok(Self {
            seq: proof.seq,
            record: record(&proof.line)?,
            line: proof.line.clone(),
            leaf: leaf.finish().to_string(),
            path: proof.path.iter().map(ToString::to_string).collect(),
            size: proven.size,
            root: proven.root.to_string(),
            key: verifier_key(&proven.origin, &source.key),
            origin: proven.origin,
            checkpoint: proof.checkpoint.clone(),
            proof: proof.to_text(),
        })
    }
}

impl Show for Proven {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let among = format!("{} of {} records of {}", self.seq, self.size, self.origin);
        write_pairs(
            out,
            &[
                ("record", among),
                ("line", self.line.clone()),
                ("leaf", self.leaf.clone()),
                ("root", self.root.clone()),
                ("key", self.key.clone()),
            ],
        )?;
        write!(out, "\n{}", self.proof)
    }
}

fn prove(context: &Context, args: &AuditProve) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let proof = audit::prove(&source.dir, args.seq).map_err(ForgeError::from)?;
    context.output().show(&Proven::of(&proof, &source)?)
}

#[derive(Debug, Serialize)]
struct Classes {
    classes: Vec<ClassLine>,
}

#[derive(Debug, Serialize)]
struct ClassLine {
    class: char,
    kind: &'static str,
    action: &'static str,
}

impl Classes {
    fn new() -> Self {
        let line = |r: ClassRow| ClassLine { class: letter(r.class), kind: r.area.name(), action: r.name };
        let mut classes: Vec<ClassLine> = classes().into_iter().map(line).collect();
        classes.sort_by_key(|line| (line.class, line.kind, line.action));
        Self { classes }
    }
}

const fn letter(class: RecordClass) -> char {
    match class {
        RecordClass::A => 'A',
        RecordClass::B => 'B',
        RecordClass::C => 'C',
    }
}

impl Show for Classes {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["CLASS", "KIND", "ACTION"]);
        for line in &self.classes {
            table.add_row([line.class.to_string().as_str(), line.kind, line.action]);
        }
        write_table(out, &table)?;
        writeln!(out, "\nA: on disk before the effect or the answer; refused otherwise")?;
        writeln!(out, "B: recorded before the effect, on disk within 5 ms")?;
        writeln!(
            out,
            "C: counted exactly; each recorded up to audit.detail_rate, beyond it one summary a second"
        )
    }
}
