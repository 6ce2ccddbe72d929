//! Handles for callers that call the same operation often: names are resolved once.

use super::hall::{Called, Loaded, Within};
use super::install::fact;
use super::manager::PluginManager;
use super::steps::known;
use crate::lifecycle::LifecycleError;
use crate::plugin::PluginState;
use common::cancel::CancelToken;
use common::error::ForgeError;
use std::sync::Arc;

/// An installed plugin. It keeps the host open, but not the plugin running.
#[derive(Debug, Clone)]
pub struct PluginHandle {
    manager: PluginManager,
    name: String,
}

impl PluginHandle {
    pub(super) const fn new(manager: PluginManager, name: String) -> Self {
        Self { manager, name }
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its operations. Nothing is brought up yet.
    ///
    /// # Errors
    /// E5001 when the plugin is gone, E5005 when it has no such operation.
    pub fn operation(&self, operation: &str) -> Result<OperationHandle, ForgeError> {
        let row = self.manager.row(&self.name)?;
        let declared: Vec<String> = known(&row, fact::OPERATIONS)?;
        if !declared.iter().any(|o| o == operation) {
            let (plugin, operation) = (self.name.clone(), operation.to_owned());
            return Err(LifecycleError::NoOperation { plugin, operation, known: declared }.into());
        }
        Ok(OperationHandle { plugin: self.clone(), operation: operation.to_owned(), up: None })
    }
}

/// One operation of a plugin, for one caller. Whether the plugin runs and whether the policy still allows the call
/// are looked at in each call, with a load each; a plugin that was stopped and started meanwhile, or another version of
/// it that took its place, is found again.
#[derive(Debug, Clone)]
pub struct OperationHandle {
    plugin: PluginHandle,
    operation: String,
    /// The plugin as it was up last, and the operation's index in it.
    up: Option<(Arc<Loaded>, u16)>,
}

impl OperationHandle {
    /// Calls the operation, bringing the plugin up when it is not. `input` is lent and given back, `output` is
    /// replaced by the result; both keep their buffers.
    ///
    /// # Errors
    /// As [`PluginManager::call`].
    #[inline]
    pub fn call(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> Result<(), ForgeError> {
        self.call_within(input, output, Within::ANY)
    }

    /// [`OperationHandle::call`], within what the caller allows.
    #[inline]
    pub(super) fn call_within(
        &mut self,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        within: Within<'_>,
    ) -> Result<(), ForgeError> {
        match &self.up {
            Some((loaded, index)) if loaded.plugin.state() == PluginState::Running => {
                let manager = &self.plugin.manager;
                match manager.hall().call(loaded, manager.operator(), *index, (input, output), within)? {
                    Called::Done => Ok(()),
                    Called::Elsewhere => self.find_and_call(input, output, within),
                }
            }
            _ => self.find_and_call(input, output, within),
        }
    }

    /// The operation of whatever plugin has this name, looked for in the first call.
    pub(super) fn unresolved(manager: PluginManager, plugin: &str, operation: &str) -> Self {
        let plugin = PluginHandle::new(manager, plugin.to_owned());
        Self { plugin, operation: operation.to_owned(), up: None }
    }
    pub(super) const fn manager(&self) -> &PluginManager {
        &self.plugin.manager
    }
    pub(super) fn plugin_name(&self) -> &str {
        &self.plugin.name
    }

    #[cold]
    fn find_and_call(
        &mut self,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        within: Within<'_>,
    ) -> Result<(), ForgeError> {
        // A plugin that is down is not kept in memory by whoever may call it again.
        self.up = None;
        output.clear();
        let manager = &self.plugin.manager;
        loop {
            if within.cancel.is_some_and(CancelToken::is_cancelled) {
                return Err(manager.given_up(&self.plugin.name));
            }
            let found = manager.find(&self.plugin.name, &self.operation)?;
            let (loaded, index) = self.up.insert(found);
            match manager.hall().call(loaded, manager.operator(), *index, (input, output), within)? {
                Called::Done => return Ok(()),
                Called::Elsewhere => {}
            }
        }
    }
}
