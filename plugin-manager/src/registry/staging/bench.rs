//! A plugin that is up, one call of it at a time, and everything that can be seen of the call.

use super::super::hall::Loaded;
use super::super::manager::PluginManager;
use super::cases::{Case, Expect, Output, Settings};
use super::error::StagingError;
use crate::lifecycle::LifecycleError;
use crate::runtime::Terms;
use crate::syscall::text::escaped;
use common::cancel::CancelToken;
use common::clock::Deadline;
use common::error::{Coded, ForgeError};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an output or a failure that are shown.
const SHOWN: usize = 120;

/// The plugin of a staging run.
pub(super) struct Bench<'a> {
    pub manager: &'a PluginManager,
    pub name: &'a str,
    pub unwanted: &'a CancelToken,
    /// What the operator's settings are now.
    pub settings: Settings,
}

/// What a call came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub returned: Returned,
    pub denials: u64,
    pub traps: u64,
    /// Bytes of linear memory of the instance that answered.
    pub memory: u64,
    pub took: Duration,
}

#[derive(Debug)]
pub(super) enum Returned {
    /// Status 0, with its output.
    Output(Vec<u8>),
    /// Another status, with what it gave to `fail`.
    Status(i32, String),
    /// None: a trap, a limit, or the plugin does not run. In the host's words.
    Nothing(String),
}

impl Bench<'_> {
    /// Makes the operator's settings these. Where they were others the plugin is stopped and started: many read theirs
    /// in `init`.
    pub fn set(&mut self, settings: &Settings) -> Result<(), ForgeError> {
        if self.settings == *settings {
            return Ok(());
        }
        let sections =
            [("config", &self.settings.config, &settings.config), ("env", &self.settings.env, &settings.env)];
        for (section, before, now) in sections {
            let gone = before.keys().filter(|key| !now.contains_key(*key)).map(|key| (key, None));
            let set = now.iter().map(|(key, value)| (key, Some(value.as_str())));
            gone.chain(set)
                .try_for_each(|(key, value)| self.manager.set_setting(self.name, section, key, value))?;
        }
        self.settings = settings.clone();
        self.manager.stop(self.name)?;
        self.manager.start(self.name).map(drop)
    }

    /// Makes the call of a test.
    ///
    /// # Errors
    /// E4031 when the run is not wanted any more; when the plugin cannot be brought up.
    pub fn call(&self, case: &Case) -> Result<Ended, ForgeError> {
        let (loaded, operation) = self.manager.find(self.name, &case.operation)?;
        let hall = self.manager.hall();
        let epoch = hall.may_call(&loaded, self.manager.operator())?;
        let terms = Terms { deadline: Deadline::NEVER, chain: hall.no_chain(), cancel: Some(self.unwanted) };
        let (mut input, mut output) = (case.input.clone(), Vec::new());
        let clock = &hall.host.clock;
        let (before, began) = (seen(&loaded), clock.mono_ns());
        let called = loaded.plugin.call(operation, &mut input, &mut output, terms, epoch);
        let took = Duration::from_nanos(clock.mono_ns().saturating_sub(began));
        if self.unwanted.is_cancelled() {
            return Err(StagingError::GivenUp.into());
        }
        let after = seen(&loaded);
        Ok(Ended {
            returned: returned(called, output),
            denials: after.0.saturating_sub(before.0),
            traps: after.1.saturating_sub(before.1),
            memory: after.2,
            took,
        })
    }
}

/// Denials and traps so far, and bytes of memory now.
fn seen(loaded: &Arc<Loaded>) -> (u64, u64, u64) {
    let sample = loaded.plugin.metrics().sample();
    (loaded.denials.total(), sample.traps, sample.memory_bytes)
}

fn returned(called: Result<(), LifecycleError>, output: Vec<u8>) -> Returned {
    match called {
        Ok(()) => Returned::Output(output),
        Err(LifecycleError::Status { status, failure, .. }) => {
            Returned::Status(status, failure.unwrap_or_default())
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map_or_else(String::new, |c| format!(": {c}"));
            Returned::Nothing(format!("{}: {error}{cause}", error.code().id))
        }
    }
}

impl Ended {
    /// In what a call ended otherwise than its test says.
    pub fn problems(&self, expect: &Expect) -> Vec<String> {
        let mut problems: Vec<String> = self.status_problem(expect).into_iter().collect();
        if problems.is_empty()
            && let (Returned::Output(output), Some(wanted)) = (&self.returned, &expect.output)
        {
            problems.extend(output_problem(output, wanted));
        }
        problems.extend(self.denials_problem(expect));
        problems
    }

    /// The same, without regard to what it wrote and with fewer denials allowed: it may have been called before.
    pub fn status_problem(&self, expect: &Expect) -> Option<String> {
        let wanted = expect.status;
        match &self.returned {
            Returned::Output(_) => (wanted != 0).then(|| format!("returned 0, not {wanted}")),
            Returned::Status(status, why) if *status == wanted => {
                let text = expect.failure.as_ref().filter(|text| !why.contains(*text))?;
                Some(format!(
                    "failed with \"{}\", without \"{}\"",
                    shown(why.as_bytes()),
                    shown(text.as_bytes())
                ))
            }
            Returned::Status(status, why) => {
                Some(format!("returned {status}, not {wanted}: \"{}\"", shown(why.as_bytes())))
            }
            Returned::Nothing(why) => Some(format!("did not return: {why}")),
        }
    }

    fn denials_problem(&self, expect: &Expect) -> Option<String> {
        let (seen, wanted) = (self.denials, expect.denials);
        (seen != wanted).then(|| format!("was denied {seen} host calls, not {wanted}"))
    }
}

fn output_problem(output: &[u8], wanted: &Output) -> Option<String> {
    let wrote = |wanted: String| Some(format!("wrote \"{}\", not {wanted}", shown(output)));
    match wanted {
        Output::Bytes(bytes) if bytes == output => None,
        Output::Bytes(bytes) => wrote(format!("\"{}\"", shown(bytes))),
        Output::Json(value) => match serde_json::from_slice::<serde_json::Value>(output) {
            Ok(written) if written == *value => None,
            _ => wrote(format!("the JSON {}", shown(value.to_string().as_bytes()))),
        },
        Output::Contains(text) => match String::from_utf8_lossy(output).contains(text.as_str()) {
            true => None,
            false => wrote(format!("anything with \"{}\"", shown(text.as_bytes()))),
        },
    }
}

/// The beginning of what a plugin wrote, fit for a message.
fn shown(bytes: &[u8]) -> String {
    escaped(bytes, SHOWN)
}
