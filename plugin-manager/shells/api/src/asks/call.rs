//! A call of an operation: its input comes as bytes, and so does its output go.

use super::{Ask, Lane, Parcel};
use common::cancel::CancelToken;
use common::error::ForgeError;
use plugin_manager::{CallOptions, PluginManager};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Calls an operation; the body is its input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// The plugin.
    pub name: String,
    /// One of its operations.
    pub operation: String,
    /// What the caller gives it; without it what the plugin may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What a call returned is the body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Output {}

impl Ask for Call {
    type Reply = Output;
    const LANE: Lane = Lane::Calls;
    const GIVES_UP: bool = true;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Output>, ForgeError> {
        self.execute_while(manager, body, &CancelToken::new())
    }

    fn execute_while(
        self,
        manager: &PluginManager,
        body: Vec<u8>,
        unwanted: &CancelToken,
    ) -> Result<Parcel<Output>, ForgeError> {
        let options = CallOptions::new().cancel(unwanted.clone());
        let options = match self.timeout {
            Some(time) => options.timeout(time),
            None => options,
        };
        let body = manager.call_with(&self.name, &self.operation, body, &options)?;
        Ok(Parcel { head: Output {}, body })
    }
}
