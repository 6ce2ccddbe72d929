//! What the fake host knows and what it saw.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use forgeone_abi::limits::MAX_OUTPUT;
use forgeone_abi::{Args, LogLevel, Status};

use crate::http::{Request, Response};

/// How a call ended that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The nonzero status the function returned.
    pub status: i32,
    /// The text given to `fail`.
    pub text: Option<String>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Its value.
    pub value: f64,
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
}

pub(super) type Service = Rc<dyn Fn(Args<'_>) -> Result<Vec<u8>, Status>>;
pub(super) type Operation = Rc<dyn Fn(&[u8]) -> Result<Vec<u8>, Status>>;

pub(super) type Server = Rc<dyn Fn(&Request) -> Result<Response, Status>>;

/// What a call in progress may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Nothing: no call is in progress, or a lifecycle step.
    Nothing,
    /// A result.
    Result,
}

pub(super) struct State {
    pub input: Vec<u8>,
    pub writing: Writing,
    pub output: Vec<u8>,
    pub output_limit: usize,
    pub response: Vec<u8>,
    pub failure: Option<String>,
    pub piece: usize,
    pub time: u64,
    pub random: u64,
    pub config: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
    pub kv: BTreeMap<Vec<u8>, Vec<u8>>,
    pub files: BTreeMap<String, Vec<u8>>,
    pub refused: BTreeMap<String, Status>,
    pub services: BTreeMap<String, Service>,
    pub plugins: BTreeMap<(String, String), Operation>,
    pub server: Option<Server>,
    pub secrets: BTreeMap<String, Vec<u8>>,
    pub tokens: BTreeMap<String, String>,
    /// Buckets, and their objects by key.
    pub buckets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Names of all spans, and the numbers of those that are open.
    pub spans: (Vec<String>, Vec<usize>),
    pub storage_limit: usize,
    pub requests: Vec<Request>,
    pub logs: Vec<(LogLevel, String)>,
    pub metrics: Vec<Metric>,
    pub events: Vec<(String, String)>,
    pub calls: Vec<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            input: Vec::new(),
            writing: Writing::Nothing,
            output: Vec::new(),
            output_limit: MAX_OUTPUT,
            response: Vec::new(),
            failure: None,
            piece: usize::MAX,
            time: 0,
            random: 1,
            config: BTreeMap::new(),
            env: BTreeMap::new(),
            kv: BTreeMap::new(),
            files: BTreeMap::new(),
            refused: BTreeMap::new(),
            services: BTreeMap::new(),
            plugins: BTreeMap::new(),
            server: None,
            secrets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            buckets: BTreeMap::new(),
            spans: (Vec::new(), Vec::new()),
            storage_limit: usize::MAX,
            requests: Vec::new(),
            logs: Vec::new(),
            metrics: Vec::new(),
            events: Vec::new(),
            calls: Vec::new(),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl State {
    pub fn begin(&mut self, input: &[u8], writing: Writing) {
        self.input = input.to_vec();
        self.writing = writing;
        self.output.clear();
        self.failure = None;
    }

    pub fn end(&mut self, status: i32) -> Result<Vec<u8>, Failure> {
        let output = std::mem::take(&mut self.output);
        self.input.clear();
        self.spans.1.clear();
        self.writing = Writing::Nothing;
        match status {
            0 => Ok(output),
            status => Err(Failure { status, text: self.failure.clone() }),
        }
    }

    pub fn refusal(&mut self, call: &str) -> Result<(), Status> {
        self.calls.push(call.to_owned());
        self.refused.get(call).map_or(Ok(()), |status| Err(*status))
    }
}
