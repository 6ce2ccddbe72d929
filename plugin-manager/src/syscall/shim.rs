use common::identity::*;
use microkernel::syscall_bridge::*;
use std::sync::Arc;
pub trait LogSink: Send + Sync {
    fn write(&self, plugin: &Name, block: &[u8]) -> std::io::Result<()>;
}
pub struct LogBus;
impl LogBus {
    pub fn start(_: Arc<dyn LogSink>) -> std::io::Result<Self> {
        Ok(Self)
    }
    pub fn flush(&self) {}
}
pub struct HostPort;
impl HostPort {
    pub fn new(_: Arc<SyscallBridge>, _: Caller, _: &Arc<LogBus>) -> Self {
        Self
    }
}
impl super::SyscallPort for HostPort {
    fn begin(&mut self, _: common::clock::Deadline, _: Arc<[PluginId]>) {}
    fn end(&mut self) {}
    fn syscall(&mut self, _: &[u8], _: &[u8], _: &mut Vec<u8>) -> Result<(), Status> {
        Ok(())
    }
    fn env_get(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Status> {
        Ok(())
    }
    fn log(&mut self, _: super::LogLevel, _: &[u8]) {}
    fn invalid(&mut self, _: &'static str, _: &'static str) {}
    fn expired(&self) -> bool {
        false
    }
}
