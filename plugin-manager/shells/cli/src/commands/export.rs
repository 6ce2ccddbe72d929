//! `audit export`: records in the formats of other tools, to stdout or a syslog receiver. Bounded memory, whatever
//! the length of the log; takes no lock.
//!
//! There is no JSON of its own: lines of `jsonl`, `ocsf` and `ecs` are JSON each.

use crate::args::AuditExport;
use crate::context::Context;
use crate::failure::Failure;
use crate::files;
use crate::forward::Forward;
use common::audit::{self, AuditError};
use common::error::{ForgeError, codes};
use plugin_manager::{AuditEvent, AuditSource, ExportFormat, Selection};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Records delivered together, at most.
const BATCH: usize = 1000;
/// Bytes delivered together, at most, but for the last line of them.
const BATCH_BYTES: usize = 1 << 20;
/// Between two looks for new records.
const LOOK: Duration = Duration::from_millis(200);
/// Tries to deliver a batch before giving up, without --follow. With it there is no end of them.
const TRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs `audit export`.
///
/// # Errors
/// E5008 without a log, E3003 and E3004 for one that cannot be read, E3016 when a receiver does not take records.
pub fn export(context: &Context, args: &AuditExport) -> Result<(), Failure> {
    let source = AuditSource::of(context.home())?;
    let selection = Selection { since: args.since, until: args.until, conditions: args.filter.clone() };
    let forward = match &args.to {
        Some(receiver) => Some(Forward::new(receiver.clone(), args.ca.as_deref())?),
        None => None,
    };
    let from = match (&args.cursor, args.after_seq) {
        (Some(file), _) => read_cursor(file)?,
        (None, after) => after.map_or(0, |seq| seq.saturating_add(1)),
    };
    let mut job = Job {
        dir: source.dir,
        selection,
        format: args.format.into(),
        forward,
        cursor: args.cursor.clone(),
        follow: args.follow,
        next: from,
        lines: Vec::new(),
        bytes: 0,
    };
    loop {
        job.pass()?;
        if !args.follow {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
}

#[derive(Debug)]
struct Job {
    dir: PathBuf,
    selection: Selection,
    format: ExportFormat,
    forward: Option<Forward>,
    cursor: Option<PathBuf>,
    follow: bool,
    /// The number of the record to be looked at next.
    next: u64,
    lines: Vec<String>,
    bytes: usize,
}

impl Job {
    /// Delivers what there is from `next` on.
    fn pass(&mut self) -> Result<(), Failure> {
        let started = self.next;
        for found in audit::records_from(&self.dir, self.next).map_err(ForgeError::from)? {
            let (seq, line) = found.map_err(|finding| ForgeError::from(AuditError::from(finding)))?;
            if seq > self.next && self.next > 0 {
                tracing::warn!(
                    from = self.next,
                    to = seq - 1,
                    "retention removed these records before they were exported"
                );
            }
            self.next = seq + 1;
            let event = AuditEvent::parse(seq, &line).map_err(ForgeError::from)?;
            if self.selection.has(&event) {
                let line = match &self.forward {
                    Some(_) => self.format.message(&event),
                    None => self.format.line(&event),
                };
                self.bytes += line.len();
                self.lines.push(line);
            }
            if self.lines.len() >= BATCH || self.bytes >= BATCH_BYTES {
                self.deliver()?;
            }
        }
        if self.next > started { self.deliver() } else { Ok(()) }
    }

    /// Delivers the batch, and then says so in the cursor's file.
    fn deliver(&mut self) -> Result<(), Failure> {
        match &self.forward {
            Some(forward) if !self.lines.is_empty() => self.send(forward)?,
            Some(_) => {}
            None => {
                let mut out = io::stdout().lock();
                for line in &self.lines {
                    writeln!(out, "{line}")?;
                }
                out.flush()?;
            }
        }
        self.lines.clear();
        self.bytes = 0;
        match &self.cursor {
            Some(file) => Ok(files::write(file, format!("{}\n", self.next).as_bytes(), 0o600)?),
            None => Ok(()),
        }
    }

    fn send(&self, forward: &Forward) -> Result<(), ForgeError> {
        let (mut tries, mut pause) = (0, FIRST_PAUSE);
        while let Err(error) = forward.send(&self.lines) {
            tries += 1;
            if tries >= TRIES && !self.follow {
                let what = format!("{} did not take {} records", forward.address(), self.lines.len());
                return Err(ForgeError::new(&codes::E3016, what).reason(error.to_string()));
            }
            tracing::warn!(receiver = forward.address(), %error, "records are sent again");
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }
}

/// The number of the record to go on with: 0 where there is no file.
fn read_cursor(file: &Path) -> Result<u64, ForgeError> {
    if !file.exists() {
        return Ok(0);
    }
    let text = files::read_text(file, 64)?;
    text.trim().parse().map_err(|_| {
        ForgeError::new(&codes::E3016, format!("{} is no cursor of an export", file.display()))
            .reason("it should hold the number of a record")
            .with_help("name the file an earlier export kept, or remove it to begin at the first record")
    })
}
