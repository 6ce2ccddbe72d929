//! The host's port: host calls go straight through the bridge, log lines are admitted there and then queued.

use super::allowance::{CallAllowance, Kind, Share};
use super::channel::{LogBus, Shared};
use super::lines::{Block, Lines, LogAllowance};
use super::names::Names;
use super::{LogLevel, Status, Surroundings, SyscallPort};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use common::identity::Name;
use microkernel::syscall_bridge::{ActionId, Caller, SyscallBridge, push};
use microkernel::trust::Chain;
use microkernel::trust::Resource;
use std::sync::Arc;

/// Longest name of a variable, in bytes.
const VARIABLE_BYTES: usize = 4096;

/// Tells what the instances of a plugin may know of their surroundings now.
pub type Around = Arc<dyn Fn() -> Surroundings + Send + Sync>;

/// One instance's port in the host's own process.
pub struct HostPort {
    bridge: Arc<SyscallBridge>,
    caller: Caller,
    log_action: Option<ActionId>,
    env_action: Option<ActionId>,
    names: Names,
    bus: Arc<Shared>,
    lines: Lines,
    allowance: Arc<LogAllowance>,
    share: Share,
    dropped: u64,
    /// Whose log lines these are: the plugin and the number of its instance. Who is no plugin has no log.
    owner: Option<(Name, u64)>,
    /// An argument list in the making.
    scratch: Vec<u8>,
    surroundings: Option<Around>,
}

impl std::fmt::Debug for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostPort").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl HostPort {
    /// The port of an instance that acts as `caller`. What it logs goes to `bus`, as far as `allowance` reaches,
    /// which all instances of the plugin share.
    pub fn new(
        bridge: Arc<SyscallBridge>,
        caller: Caller,
        bus: &LogBus,
        allowance: Arc<LogAllowance>,
    ) -> Self {
        let owner = caller.identity().as_plugin().map(|plugin| (plugin.name.clone(), plugin.instance));
        Self {
            log_action: bridge.action("log"),
            env_action: bridge.action("env_get"),
            names: Names::default(),
            bus: bus.shared(),
            lines: Lines::default(),
            allowance,
            share: Share::default(),
            dropped: 0,
            owner,
            scratch: Vec::new(),
            surroundings: None,
            bridge,
            caller,
        }
    }

    /// The same port with a bound on its host calls, shared with the plugin's other instances.
    #[must_use]
    pub fn bounded(mut self, calls: Arc<CallAllowance>) -> Self {
        self.share = Share::of(calls);
        self
    }

    /// The same port, which tells its instance of these surroundings, should it ask.
    #[must_use]
    pub fn amid(mut self, surroundings: Around) -> Self {
        self.surroundings = Some(surroundings);
        self
    }

    /// Whether one more host call may be made; one that may not is recorded.
    #[inline]
    fn may_call(&mut self, action: ActionId, name: &[u8]) -> Result<(), Status> {
        let kind = if self.bridge.has_effect(action) { Kind::Effect } else { Kind::Call };
        if self.share.use_one(kind, || self.bridge.clock().coarse_ms()) {
            return Ok(());
        }
        self.refuse(name)
    }

    #[cold]
    fn refuse(&mut self, name: &[u8]) -> Result<(), Status> {
        let name = String::from_utf8_lossy(name);
        let what = "more host calls a second than this plugin may make";
        self.bridge.invalid(&mut self.caller, &name, Status::Limit, what);
        Err(Status::Limit)
    }

    fn clock(&self) -> &dyn Clock {
        &**self.bridge.clock()
    }

    /// The action of a name not called before, or lately.
    #[cold]
    fn resolve(&mut self, name: &[u8]) -> Result<ActionId, Status> {
        let text = std::str::from_utf8(name).ok();
        if let Some(action) = text.and_then(|name| self.bridge.action(name)) {
            self.names.keep(name, action);
            return Ok(action);
        }
        // The record names what was asked for, cut by the bridge; never more than the start of it is looked at.
        let asked = String::from_utf8_lossy(name.get(..64).unwrap_or(name));
        self.bridge.invalid(&mut self.caller, &asked, Status::Unknown, "there is no such host call");
        Err(Status::Unknown)
    }

    /// Makes room for one more line: hands the full block over and begins another.
    #[cold]
    fn make_room(&mut self, now_ms: u64) -> bool {
        self.hand_over();
        let Some(room) = self.allowance.room(now_ms) else { return false };
        self.lines = Lines::begin(self.bus.buffer(), room, self.clock().wall_ns(), now_ms);
        true
    }

    /// Gives the lines of this instance to the bus, if there are any.
    fn hand_over(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            self.send(lines);
        }
    }

    /// Sends a block and the count of lines dropped before it.
    fn send(&mut self, lines: Lines) {
        let Some((plugin, instance)) = self.owner.clone() else { return };
        self.allowance.spend(lines.len());
        let block = Block { plugin, instance, lines, dropped: std::mem::take(&mut self.dropped) };
        let deadline = self.caller.deadline();
        if let Err(lost) = self.bus.send(block, deadline, &**self.bridge.clock()) {
            self.dropped = lost.dropped.saturating_add(lost.lines.count());
        }
    }
}

impl SyscallPort for HostPort {
    #[inline]
    fn begin(&mut self, deadline: Deadline, chain: &Chain) {
        if chain.is(self.caller.chain()) {
            self.caller.begin_again(deadline);
        } else {
            self.caller.begin(deadline, chain.clone());
        }
    }

    fn cancelled_by(&mut self, cancel: Option<&CancelToken>) {
        self.caller.cancelled_by(cancel.cloned());
    }

    #[inline]
    fn end(&mut self) {
        self.caller.end();
        if !self.lines.is_empty() {
            self.hand_over();
        }
    }

    #[inline]
    fn syscall(&mut self, name: &[u8], args: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        let action = match self.names.get(name) {
            Some(action) => action,
            None => {
                response.clear();
                self.resolve(name)?
            }
        };
        if let Err(refused) = self.may_call(action, name) {
            response.clear();
            return Err(refused);
        }
        self.bridge.execute(&mut self.caller, action, args, response)
    }

    fn env_get(&mut self, key: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        response.clear();
        if key.len() > VARIABLE_BYTES {
            self.bridge.invalid(&mut self.caller, "env_get", Status::Invalid, "the name is too long");
            return Err(Status::Invalid);
        }
        let action = self.env_action.ok_or(Status::Unknown)?;
        self.may_call(action, b"env_get")?;
        self.scratch.clear();
        push(&mut self.scratch, key);
        self.bridge.execute(&mut self.caller, action, &self.scratch, response)
    }

    #[inline]
    fn log(&mut self, level: LogLevel, line: &[u8]) {
        let admitted = self.log_action.map(|log| self.bridge.admit(&mut self.caller, log, &Resource::NONE));
        let now = self.clock().coarse_ms();
        if !matches!(admitted, Some(Ok(_))) || !(self.lines.has_room() || self.make_room(now)) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines.push(level, now, line);
    }

    fn invalid(&mut self, import: &'static str, what: &'static str) {
        self.bridge.invalid(&mut self.caller, import, Status::Invalid, what);
    }

    fn limited(&mut self, import: &'static str, what: &'static str) {
        self.bridge.invalid(&mut self.caller, import, Status::Limit, what);
    }

    fn surroundings(&self) -> Surroundings {
        self.surroundings.as_ref().map_or_else(Surroundings::default, |tell| tell())
    }

    fn expired(&self) -> bool {
        self.caller.deadline().passed(self.clock())
    }
}

impl Drop for HostPort {
    /// An instance that ends in the middle of a call has still said what it said, and what was dropped is told.
    fn drop(&mut self) {
        self.hand_over();
        if self.dropped > 0 {
            let (wall, now) = (self.clock().wall_ns(), self.clock().coarse_ms());
            self.send(Lines::begin(Vec::new(), 0, wall, now));
        }
    }
}

#[cfg(test)]
mod tests;
