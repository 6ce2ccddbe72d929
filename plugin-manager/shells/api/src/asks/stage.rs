//! A staging run: the package comes as bytes, and so does its attestation go.

use super::keys::name;
use super::{Ask, Parcel};
use crate::shown::Staged;
use common::cancel::CancelToken;
use common::error::ForgeError;
use plugin_manager::{PluginManager, SoakLength, StageRequest};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Stages a package; the body is the package, and of the answer the attestation, empty when there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// How many calls its soak has.
    pub calls: Option<u64>,
    /// How long its soak takes, in place of that.
    pub time: Option<Duration>,
    /// Who attests it; the only one who can without one.
    pub stager: Option<String>,
    /// It is only tried.
    pub dry_run: bool,
}

impl Ask for Stage {
    type Reply = Staged;
    const GIVES_UP: bool = true;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Staged>, ForgeError> {
        self.execute_while(manager, body, &CancelToken::new())
    }

    fn execute_while(
        self,
        manager: &PluginManager,
        body: Vec<u8>,
        unwanted: &CancelToken,
    ) -> Result<Parcel<Staged>, ForgeError> {
        let soak = match (self.calls, self.time) {
            (Some(calls), _) => SoakLength::Calls(calls),
            (None, Some(time)) => SoakLength::For(time),
            (None, None) => SoakLength::default(),
        };
        let stager = self.stager.as_deref().map(name).transpose()?;
        // A run that could not be attested is not begun.
        manager.may_stage(self.dry_run)?;
        let stager = if self.dry_run { None } else { Some(manager.stager(stager.as_ref())?) };
        let mut report = manager.stage(&body, &StageRequest { soak, stager }, unwanted)?;
        let attestation = report.attestation.take().unwrap_or_default();
        Ok(Parcel { head: Staged::from(report), body: attestation })
    }
}
