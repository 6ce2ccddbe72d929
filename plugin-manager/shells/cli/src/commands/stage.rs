//! `stage`: a package is tried with its own tests and a soak; one that passes is written with its staging attestation.
//!
//! JSON: every field of [`Staged`] and `"package"`, the file that was written or null; of a package that failed the error
//! alone, whose reasons are what failed.

use crate::args::Stage;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files::{self, MAX_FILE};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use common::error::{ForgeError, codes};
use common::words::counted;
use forgeone_api::shown::{SoakLine, Staged};
use forgeone_api::{Parcel, asks};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    staged: Staged,
    /// The package with its attestation, where it was written.
    package: Option<PathBuf>,
}

/// Microseconds, as people read them.
fn time(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

fn soak_line(soak: &SoakLine) -> String {
    format!(
        "{} in {}: {} failed, {}, {} denied",
        counted(soak.calls, "call"),
        time(soak.elapsed_ms.saturating_mul(1000)),
        soak.failures,
        counted(soak.traps, "trap"),
        counted(soak.denials, "host call")
    )
}

impl Show for Shown {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let staged = &self.staged;
        let mut table = table(&["TEST", "OPERATION", "TIME", "RESULT", "SEEN"]);
        for test in &staged.tests {
            table.add_row([
                Cell::new(&test.name),
                Cell::new(&test.operation),
                Cell::new(time(test.took_us)),
                tone(if test.passed { "passed" } else { "failed" }),
                Cell::new(one_line(&test.problems.join("; "))),
            ]);
        }
        write_table(out, &table)?;
        writeln!(out)?;
        let verb = if staged.passed { "passed" } else { "failed" };
        let mut pairs = vec![
            (verb, format!("{} {} by {}", staged.name, staged.version, staged.publisher)),
            ("engine", staged.engine.clone()),
        ];
        if let Some(soak) = &staged.soak {
            let memory = [soak.memory_begin_bytes, soak.memory_half_bytes, soak.memory_end_bytes];
            pairs.extend([
                ("soak", soak_line(soak)),
                ("latency", format!("p50 {}, p99 {}", time(soak.p50_us), time(soak.p99_us))),
                ("memory", format!("{} bytes, {} at half, {} at the end", memory[0], memory[1], memory[2])),
            ]);
        }
        pairs.extend(staged.stager.as_ref().map(|stager| ("attested by", one_line(stager))));
        pairs.extend(self.package.as_ref().map(|file| ("file", file.display().to_string())));
        write_pairs(out, &pairs)
    }
}

/// Runs `stage`.
///
/// # Errors
/// E0109 outside a staging home; E1018 when the package has no tests that can be used; whatever refuses the package;
/// E5031 when it failed, and nothing is written then.
pub fn stage(context: &Context, args: &Stage) -> Result<(), Failure> {
    let bytes = files::read(&args.package, MAX_FILE)?;
    let ask = asks::Stage {
        calls: args.calls,
        time: args.time.map(|time| time.0),
        stager: args.stager.as_ref().map(ToString::to_string),
        dry_run: args.dry_run,
    };
    let answer = context.ask_to_the_end(Parcel { head: ask, body: bytes.clone() })?;
    let Parcel { head: staged, body: attestation } = answer.parcel;
    let package = if attestation.is_empty() {
        None
    } else {
        let attested = plugin_manager::with_staging(&bytes, &attestation)?;
        let path = args.output.as_deref().unwrap_or(&args.package);
        files::write(path, &attested, 0o644)?;
        Some(path.to_owned())
    };
    let shown = Shown { staged, package };
    // As JSON there is one value, and for a package that failed that is the error.
    if shown.staged.passed || !context.output().json() {
        context.output().show(&shown)?;
    }
    answer.ended?;
    let staged = shown.staged;
    if staged.passed {
        return Ok(());
    }
    let message = format!("{} {} failed in staging", staged.name, staged.version);
    Err(staged.problems.into_iter().fold(ForgeError::new(&codes::E5031, message), ForgeError::reason).into())
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_short() {
        for (us, text) in
            [(0, "0 µs"), (999, "999 µs"), (1500, "1.5 ms"), (999_999, "999.9 ms"), (1_250_000, "1.2 s")]
        {
            assert_eq!(time(us), text);
        }
    }
}
