//! A port without a host behind it: answers from a script and remembers what it was asked.

use super::{LogLevel, Status, Surroundings, SyscallPort};
use common::audit::{AuditLog, AuditOptions};
use common::clock::{Clock, Deadline};
use common::crypto::{Algorithm, SigningKey};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use common::permission::Permission;
use microkernel::syscall_bridge::{
    Call, CallError, Caller, SyscallBridge, SyscallHandler, Target, builtin_actions, list,
};
use microkernel::trust::Chain;
use microkernel::trust::{Enforcement, Permit, PolicyOptions, TrustContext, TrustEvaluator};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a [`FakePort`] saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Log lines, as the guest wrote them.
    pub logs: Vec<(LogLevel, Vec<u8>)>,
    /// Host calls: name and encoded arguments.
    pub calls: Vec<(Vec<u8>, Vec<u8>)>,
    /// Variables asked for.
    pub variables: Vec<Vec<u8>>,
    /// Imports called wrongly, and what was wrong.
    pub invalid: Vec<(&'static str, &'static str)>,
    /// Limits hit.
    pub limited: Vec<(&'static str, &'static str)>,
    /// Calls begun and ended.
    pub begun: usize,
    /// Calls ended.
    pub ended: usize,
    /// The chain of the last call begun.
    pub chain: Vec<PluginId>,
}

type Answer = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, Status> + Send>;

/// The fake. `ping` answers `pong`; what has no answer is [`Status::Unknown`].
pub struct FakePort {
    clock: Arc<dyn Clock>,
    deadline: Deadline,
    answers: HashMap<Vec<u8>, Answer>,
    variables: HashMap<Vec<u8>, Vec<u8>>,
    surroundings: Surroundings,
    seen: Arc<Mutex<Seen>>,
}

impl FakePort {
    /// A fake that reads deadlines by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let fake = Self {
            clock,
            deadline: Deadline::NEVER,
            answers: HashMap::new(),
            variables: HashMap::new(),
            surroundings: Surroundings::default(),
            seen: Arc::default(),
        };
        fake.answering("ping", |_| Ok(b"pong".to_vec()))
    }
    /// Answers a host call of this name.
    pub fn answering(
        mut self,
        name: &str,
        answer: impl Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + 'static,
    ) -> Self {
        self.answers.insert(name.into(), Box::new(answer));
        self
    }
    /// Configures a variable.
    pub fn with_variable(mut self, key: &str, value: &[u8]) -> Self {
        self.variables.insert(key.into(), value.into());
        self
    }
    /// Tells of these surroundings.
    pub fn amid(mut self, variables: &[&str], mounts: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.surroundings = Surroundings { variables: owned(variables), mounts: owned(mounts) };
        self
    }
    /// What it sees; stays readable after the port was given away.
    pub fn seen(&self) -> SeenHandle {
        SeenHandle(self.seen.clone())
    }
    fn note(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

/// A view on what a [`FakePort`] saw.
#[derive(Clone)]
pub struct SeenHandle(Arc<Mutex<Seen>>);

impl SeenHandle {
    /// The record, locked.
    pub fn get(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }
}

impl SyscallPort for FakePort {
    fn begin(&mut self, deadline: Deadline, chain: &Chain) {
        self.deadline = deadline;
        let mut seen = self.note();
        seen.begun += 1;
        seen.chain = chain.to_vec();
    }
    fn end(&mut self) {
        self.note().ended += 1;
    }
    fn syscall(&mut self, name: &[u8], args: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        response.clear();
        self.note().calls.push((name.to_vec(), args.to_vec()));
        let answer = self.answers.get(name).ok_or(Status::Unknown)?(args)?;
        response.extend_from_slice(&answer);
        Ok(())
    }
    fn env_get(&mut self, key: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        response.clear();
        self.note().variables.push(key.to_vec());
        response.extend_from_slice(self.variables.get(key).ok_or(Status::NotFound)?);
        Ok(())
    }
    fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.note().logs.push((level, line.to_vec()));
    }
    fn invalid(&mut self, import: &'static str, what: &'static str) {
        self.note().invalid.push((import, what));
    }
    fn limited(&mut self, import: &'static str, what: &'static str) {
        self.note().limited.push((import, what));
    }
    fn surroundings(&self) -> Surroundings {
        self.surroundings.clone()
    }
    fn expired(&self) -> bool {
        self.deadline.passed(&*self.clock)
    }
}

/// A real bridge that permits whatever was granted, whose handlers answer with their name and first argument.
pub struct Plant {
    /// The bridge.
    pub bridge: Arc<SyscallBridge>,
    _dir: tempfile::TempDir,
}

struct Echo(&'static str);

impl SyscallHandler for Echo {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [first] = list::<1>(args, 0)?;
        let name = String::from_utf8_lossy(first.unwrap_or_default());
        Ok(Target { name, private: true })
    }
    fn handle(&self, _: Permit, call: Call<'_>) -> Result<(), CallError> {
        call.response.extend_from_slice(format!("{}:{}", self.0, call.target).as_bytes());
        Ok(())
    }
}

impl Plant {
    /// A plant whose deadlines are read by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let options = AuditOptions { node: "test".into(), ..AuditOptions::default() };
        let audit = AuditLog::open(dir.path(), key, options, clock.clone()).unwrap();
        let actions = builtin_actions();
        let lax = PolicyOptions { enforcement: Enforcement::GrantedIsPermitted, ..PolicyOptions::default() };
        let evaluator = Arc::new(TrustEvaluator::with_options(&actions, &[], &lax).unwrap());
        let entries = actions.into_iter().map(|action| {
            let served = action.name != "log";
            let handler = served.then(|| Arc::new(Echo(action.name)) as Arc<dyn SyscallHandler>);
            (action, handler)
        });
        let bridge = SyscallBridge::new(evaluator, audit, clock, entries.collect());
        Self { bridge: Arc::new(bridge), _dir: dir }
    }
    /// A caller of this identity, granted its own variables.
    pub fn caller(&self, identity: IdentityContext) -> Caller {
        let granted = vec![Permission::parse("env", "read").unwrap()];
        self.bridge.caller(TrustContext::with_grants(Arc::new(identity), granted))
    }
}

/// The identity of an instance of a plugin.
pub fn plugin(instance: u64) -> IdentityContext {
    let (name, publisher) = (Name::new("acme-plugin").unwrap(), Name::new("acme").unwrap());
    IdentityContext::plugin(PluginIdentity {
        id: PluginId::new(&publisher, &name),
        name,
        publisher,
        version: "1.0.0".into(),
        digest: Digest::of(b"package"),
        instance,
    })
}
