//! `audit`: read, verify and prove the log. Reads the files of the home; takes no lock, changes nothing, but for
//! `erase`, which asks an open home.
//!
//! JSON of `tail`: `{"records":[…]}`, each as it stands in the log; of `verify`: [`Verified`]; of `prove`:
//! [`Proven`], or [`Continued`] with --consistency; of `cosign`: [`Cosigned`]; of `classes`: `{"classes":[{"class","kind","action"}]}`. Damage is an error of class `audit`
//! whose reasons name the file, the line and the record.

mod quarantine;

use crate::args::{Audit, AuditCosign, AuditProve, AuditTail, AuditVerify, RecordedOutcome};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use common::audit::{self, AuditError, Cosignature, Proof, RecordClass, VerifyReport, verifier_key};
use common::crypto::Sha256;
use common::error::{ForgeError, codes};
use common::words::counted;
use plugin_manager::{AuditSource, ClassRow, classes, witnesses};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::Path;

/// Runs `audit`.
///
/// # Errors
/// E30xx with the place of the damage; E5008 when the home has no log.
pub fn run(context: &Context, args: &Audit) -> Result<(), Failure> {
    match args {
        Audit::Tail(args) => tail(context, args),
        Audit::Verify(args) => verify(context, args),
        Audit::Prove(AuditProve { consistency: Some(file), .. }) => consistency(context, file),
        Audit::Prove(args) => prove(context, args.seq.unwrap_or_default()),
        Audit::Cosign(args) => cosign(context, args),
        Audit::Quarantine(args) => quarantine::run(context, args),
        Audit::Export(args) => super::export::export(context, args),
        Audit::People => super::people::list(context),
        Audit::Erase(args) => super::people::erase(context, args),
        Audit::Classes => context.output().show(&Classes::new()),
    }
}

#[derive(Debug, Serialize)]
struct Records {
    records: Vec<Value>,
    /// Names by pseudonym, which people are shown in their place.
    #[serde(skip)]
    names: BTreeMap<String, String>,
}

impl Show for Records {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["SEQ", "TIME", "OUTCOME", "ACTOR", "ACTION", "RESOURCE", "CODE", "WHY"]);
        for record in &self.records {
            let outcome =
                |(at, text): (usize, String)| if at == OUTCOME { tone(&text) } else { Cell::new(text) };
            table.add_row(cells(record, &self.names).into_iter().enumerate().map(outcome));
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

fn cells(record: &Value, names: &BTreeMap<String, String>) -> [String; 8] {
    let actors = ["/actor/plugin", "/actor/user", "/actor/host"];
    let actor = actors.iter().map(|p| at(record, p)).find(|text| !text.is_empty()).unwrap_or("-");
    let actor = names.get(at(record, "/actor/user")).map_or(actor, String::as_str);
    let resource = format!("{} {}", at(record, "/resource/kind"), at(record, "/resource/name"));
    let count = record
        .get("n")
        .and_then(Value::as_u64)
        .map_or(String::new(), |n| format!(" ({})", counted(n, "time")));
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
    let told = ["/details/reason", "/details/why", "/details/cause"]
        .iter()
        .map(|p| at(record, p))
        .find(|text| !text.is_empty());
    told.map_or_else(String::new, one_line)
}

fn tail(context: &Context, args: &AuditTail) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let filtered = args.plugin.is_some() || args.outcome.is_some();
    let read = if filtered { u64::MAX } else { u64::try_from(args.lines).unwrap_or(u64::MAX) };
    let mut last = VecDeque::new();
    for line in audit::tail(&source.dir, read).map_err(ForgeError::from)? {
        let record = record(&line.map_err(ForgeError::from)?)?;
        if !wanted(&record, args) {
            continue;
        }
        if last.len() >= args.lines {
            last.pop_front();
        }
        last.push_back(record);
    }
    // Of none that are asked for the last one is still there.
    last.truncate(args.lines);
    let names = source.people()?.into_iter().map(|person| (person.pseudonym, person.name)).collect();
    context.output().show(&Records { records: last.into(), names })
}

/// Whether a record is among those that are asked for.
fn wanted(record: &Value, args: &AuditTail) -> bool {
    let outcome = args.outcome.is_none_or(|outcome| at(record, "/outcome") == outcome_name(outcome));
    let about = |plugin: &String| {
        let on = at(record, "/resource/kind") == "plugin" && at(record, "/resource/name") == plugin;
        on || at(record, "/actor/plugin") == plugin
    };
    outcome && args.plugin.as_ref().is_none_or(about)
}

const fn outcome_name(outcome: RecordedOutcome) -> &'static str {
    match outcome {
        RecordedOutcome::Ok => "ok",
        RecordedOutcome::Denied => "denied",
        RecordedOutcome::Failed => "failed",
        RecordedOutcome::Limit => "limit",
    }
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
    /// Records retention removed; the root covers them.
    removed: u64,
    /// Checkpoints kept elsewhere that the log continues: those of --from-checkpoint, of the state database, and
    /// the cosigned one.
    kept: u64,
    /// Who cosigned the latest cosigned checkpoint.
    witnesses: Vec<Seen>,
    /// What other tools verify the checkpoints with (C2SP signed-note).
    key: String,
}

impl Verified {
    fn of(report: VerifyReport, source: &AuditSource, witnesses: Vec<Seen>) -> Self {
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
            removed: report.removed,
            kept: report.kept,
            witnesses,
        }
    }
}

impl Show for Verified {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let witnesses: Vec<&str> = self.witnesses.iter().map(|seen| seen.witness.as_str()).collect();
        let kept = format!("it continues {} kept outside it", counted(self.kept, "checkpoint"));
        let segments = counted(self.segments, "segment");
        let records = format!("{} in {segments}, each fits the one before it", self.records);
        write_pairs(
            out,
            &[
                ("log", format!("{}, whole and unchanged", self.origin)),
                ("records", records),
                ("signed for", format!("{} by {}", self.covered, counted(self.checkpoints, "checkpoint"))),
                (
                    "not yet",
                    format!(
                        "{}, {}",
                        counted(self.uncovered, "record"),
                        counted(self.torn_bytes, "torn byte")
                    ),
                ),
                ("removed", format!("{} by retention", counted(self.removed, "record"))),
                ("kept", kept),
                ("witnesses", if witnesses.is_empty() { "none".to_owned() } else { witnesses.join(", ") }),
                ("root", self.root.clone()),
                ("key", self.key.clone()),
            ],
        )
    }
}

/// A witness, and when it saw the checkpoint by its own clock, in seconds since 1970.
#[derive(Debug, Serialize)]
struct Seen {
    witness: String,
    time: u64,
}

impl From<Cosignature> for Seen {
    fn from(cosignature: Cosignature) -> Self {
        Self { witness: cosignature.witness, time: cosignature.time }
    }
}

fn verify(context: &Context, args: &AuditVerify) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let mut kept: Vec<String> = source.anchor.iter().cloned().collect();
    for file in &args.from_checkpoint {
        kept.extend(audit::read_kept(&read_note(file)?).map_err(AuditError::from).map_err(ForgeError::from)?);
    }
    let report = audit::verify_against(&source.dir, &source.key, &kept)
        .map_err(|finding| ForgeError::from(AuditError::from(finding)))?;
    let seen = match audit::cosigned(&source.dir).map_err(ForgeError::from)? {
        Some(note) => {
            let witnesses = witnesses(context.home(), context.config())?;
            audit::cosignatures(&note, &witnesses).map_err(ForgeError::from)?
        }
        None => Vec::new(),
    };
    context.output().show(&Verified::of(report, &source, seen.into_iter().map(Seen::from).collect()))
}

/// The text of a file of checkpoints.
fn read_note(file: &Path) -> Result<String, ForgeError> {
    std::fs::read_to_string(file).map_err(|e| {
        ForgeError::new(&codes::E0002, format!("cannot read {}", file.display())).reason(e.to_string())
    })
}

/// Who cosigned a checkpoint that was accepted.
#[derive(Debug, Serialize)]
struct Cosigned {
    witnesses: Vec<Seen>,
}

impl Show for Cosigned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = |seen: &Seen| format!("{} at {} s since 1970", seen.witness, seen.time);
        let lines: Vec<(&str, String)> =
            self.witnesses.iter().map(|seen| ("cosigned by", line(seen))).collect();
        write_pairs(out, &lines)
    }
}

fn cosign(context: &Context, args: &AuditCosign) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let witnesses = witnesses(context.home(), context.config())?;
    let found = audit::accept_cosigned(&source.dir, &source.key, &witnesses, &read_note(&args.file)?)
        .map_err(ForgeError::from)?;
    context.output().show(&Cosigned { witnesses: found.into_iter().map(Seen::from).collect() })
}

/// The proof that the log continues a checkpoint.
#[derive(Debug, Serialize)]
struct Continued {
    /// Records under the earlier checkpoint.
    old: u64,
    /// Records under the latest one.
    size: u64,
    root: String,
    origin: String,
    /// The hashes that lead from the earlier root to the later one (RFC 6962).
    path: Vec<String>,
    /// The proof as a witness is asked (C2SP tlog-witness), the latest checkpoint included.
    proof: String,
    key: String,
}

impl Show for Continued {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let grown =
            format!("{} records of {} continue the {} of the checkpoint", self.size, self.origin, self.old);
        write_pairs(out, &[("log", grown), ("root", self.root.clone()), ("key", self.key.clone())])?;
        write!(out, "\n{}", self.proof)
    }
}

fn consistency(context: &Context, file: &Path) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let kept = audit::read_kept(&read_note(file)?).map_err(AuditError::from).map_err(ForgeError::from)?;
    let earlier = kept.last().cloned().unwrap_or_default();
    audit::continues(&source.dir, &source.key, &earlier).map_err(ForgeError::from)?;
    let old = earlier.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or_default();
    let proof = audit::prove_consistency(&source.dir, old).map_err(ForgeError::from)?;
    let shown = proof.verify(&earlier, &source.key).map_err(ForgeError::from)?;
    context.output().show(&Continued {
        old: shown.old,
        size: shown.size,
        root: shown.root.to_string(),
        path: proof.path.iter().map(ToString::to_string).collect(),
        proof: proof.to_text(),
        key: verifier_key(&shown.origin, &source.key),
        origin: shown.origin,
    })
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

fn prove(context: &Context, seq: u64) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let proof = audit::prove(&source.dir, seq).map_err(ForgeError::from)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn why_is_told_by_whichever_detail_has_it_and_of_no_success() {
        let record = |outcome: &str, details: Value| json!({"outcome": outcome, "details": details});
        for detail in ["reason", "why", "cause"] {
            assert_eq!(
                why(&record("failed", json!({detail: "a redirect would leave TLS"}))),
                "a redirect would leave TLS"
            );
        }
        let denied =
            record("denied", json!({"reason": "it was not granted", "missing": "random = [\"bytes\"]"}));
        assert_eq!(why(&denied), "missing permission random = [\"bytes\"]");
        assert_eq!(why(&record("ok", json!({"why": "the plugin is paused"}))), "");
    }
}
