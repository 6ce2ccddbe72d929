//! log-redactor: answers text with personal data and tokens masked, and counts what it masked.
//!
//! Configuration: `rules`, a comma-separated choice of `email,ipv4,ipv6,card,bearer` (default: all), and
//! `mask`, the text put in place, in which `{kind}` is the rule's name (default: `[{kind}]`). Both are read by
//! `init`. Running totals live in storage under [`TOTALS`]; the state carried over a swap is the session's.

pub mod redact;
pub mod rules;
pub mod scan;
pub mod tally;

use forgeone_pdk::{
    Error, HostError, Plugin, Stateful, Status, clock, config, event, export_plugin, info, kv, metric,
    random, warn,
};

use redact::redact;
use rules::Rules;
use tally::Tally;

/// The storage key of the running totals.
pub const TOTALS: &str = "totals";

/// How often a write of the totals is tried again when another instance was faster.
const ATTEMPTS: u32 = 16;

/// The plugin between calls.
#[derive(Debug, Default)]
pub struct LogRedactor {
    rules: Rules,
    /// What this session masked, carried over a swap.
    session: Tally,
    /// What is counted and not yet stored.
    pending: Tally,
    /// The record in storage when it was last seen.
    stored: Option<Vec<u8>>,
    /// Reused for every answer.
    output: Vec<u8>,
}

impl Plugin for LogRedactor {
    fn init(&mut self) -> Result<(), Error> {
        self.rules = Rules::parse(config::get("rules")?.as_deref(), config::get("mask")?.as_deref())?;
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        self.stored = kv::get(TOTALS)?;
        totals(self.stored.as_deref())?;
        info!("masking {}", self.rules);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        match self.pending.is_empty() {
            true => Ok(()),
            false => self.store(),
        }
    }
}

impl Stateful for LogRedactor {
    fn save(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.session.encode().into_bytes())
    }

    fn load(&mut self, state: &[u8]) -> Result<(), Error> {
        self.session = Tally::decode(state)?;
        Ok(())
    }
}

impl LogRedactor {
    /// The text with every match of a rule masked. Bytes that are not UTF-8 pass through unchanged.
    fn redact(&mut self, input: &[u8]) -> Result<&[u8], Error> {
        self.output.clear();
        let masked = redact(input, &self.rules, &mut self.output);
        let call = Tally::of_call(input.len(), masked, clock::now().unwrap_or_default());
        self.session.add(&call);
        self.pending.add(&call);
        self.report(&call);
        Ok(&self.output)
    }

    /// Totals and session as JSON. The totals are those of every instance, read anew.
    fn stats(&self) -> Result<String, Error> {
        let stored = totals(kv::get(TOTALS)?.as_deref())?;
        Ok(format!("{{\"totals\":{},\"session\":{}}}\n", stored.to_json(), self.session.to_json()))
    }

    /// Makes two host calls and answers their statuses: `kv_get`, which the manifest asks for, and `random`,
    /// which it does not.
    fn probe(&self) -> Result<String, Error> {
        let permitted = kv::get(TOTALS).map(|_| ());
        let unrequested = random::fill(&mut [0; 16]);
        Ok(format!("kv_get: {}\nrandom: {}\n", outcome(&permitted), outcome(&unrequested)))
    }

    /// Stores, measures and announces one call. Masking is the promise: what fails here is logged, not returned.
    fn report(&mut self, call: &Tally) {
        if let Err(error) = self.store() {
            warn!("totals are kept for the next call: {error}");
        }
        if let Err(error) = measure(call) {
            warn!("{error}");
        }
    }

    /// Adds what is pending to the stored totals: one write, unless another instance wrote in between.
    fn store(&mut self) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let mut sum = totals(self.stored.as_deref())?;
            sum.add(&self.pending);
            let record = sum.encode().into_bytes();
            if kv::cas(TOTALS, self.stored.as_deref(), &record)? {
                self.stored = Some(record);
                self.pending = Tally::default();
                return Ok(());
            }
            self.stored = kv::get(TOTALS)?;
        }
        Err(Error::new(Status::Conflict.code(), "other instances keep writing the totals"))
    }
}

/// The totals a stored record holds; none yet are zero.
fn totals(record: Option<&[u8]>) -> Result<Tally, Error> {
    record.map_or(Ok(Tally::default()), Tally::decode)
}

/// A counter for each kind that was masked, and one event when any was.
fn measure(call: &Tally) -> Result<(), HostError> {
    for (kind, count) in call.masked.iter().filter(|(_, count)| *count > 0) {
        // A counter's value is an f64: exact up to 2^53, which no single input can hold matches for.
        metric::counter("log_redactor_masked_total", count as f64, &[("kind", kind.name())])?;
    }
    match call.masked.total() {
        0 => Ok(()),
        _ => event::emit("log-redactor.masked", &call.to_json()),
    }
}

fn outcome(result: &Result<(), HostError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(error) => error.status().name(),
    }
}

export_plugin!(LogRedactor, operations: [redact, stats, probe], state);

#[cfg(test)]
mod tests;
