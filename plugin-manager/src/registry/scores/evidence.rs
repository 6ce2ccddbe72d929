//! The evidence of a quarantine: one statement in a DSSE envelope, signed with the key of the audit log, in a file of
//! the home.

use super::super::envelope;
use super::super::host::Host;
use super::super::install::fact;
use super::super::sources;
use super::super::steps::known;
use crate::store::InstalledPlugin;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::PublicKey;
use common::error::{Code, Coded, ForgeError, codes};
use common::identity::Digest;
use microkernel::trust::quarantine::{Evidence, STATE_BYTES, records_of};
use std::path::PathBuf;

/// Records looked through for those of the plugin.
const LOOKED_THROUGH: u64 = 20_000;

/// Why a bundle of evidence is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// It is no DSSE envelope of one signature over an in-toto statement.
    #[error("the file is no bundle of evidence")]
    Malformed,
    /// The key did not sign it.
    #[error("the signature of the evidence does not match")]
    Signature(#[source] common::crypto::CryptoError),
}

impl Coded for EvidenceError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Malformed => &codes::E1202,
            Self::Signature(_) => &codes::E1204,
        }
    }
}

/// The statement in a bundle of evidence that this key signed.
///
/// # Errors
/// [`EvidenceError`].
pub fn open_evidence(bundle: &[u8], key: &PublicKey) -> Result<Vec<u8>, EvidenceError> {
    envelope::open(bundle, key).map_err(|error| match error {
        envelope::NotOpened::Malformed => EvidenceError::Malformed,
        envelope::NotOpened::Signature(source) => EvidenceError::Signature(source),
    })
}

impl Host {
    /// Keeps what is known of a plugin that is quarantined. That it cannot is told by the host's own log: the
    /// quarantine stands.
    pub(super) fn keep_evidence(&self, row: &InstalledPlugin, why: &str) {
        match self.bundle(row, why) {
            Ok(path) => {
                tracing::warn!(plugin = %row.plugin.name, why, evidence = %path.display(), "quarantined")
            }
            Err(error) => {
                tracing::error!(plugin = %row.plugin.name, why, %error, "the evidence of a quarantine could not be kept");
            }
        }
    }

    fn bundle(&self, row: &InstalledPlugin, why: &str) -> Result<PathBuf, ForgeError> {
        let at_ns = self.clock.wall_ns();
        let payload = self.facts(row, why, at_ns)?;
        let bytes = envelope::seal(&payload, &self.home.audit_key()?)?;
        Ok(self.home.keep_bundle(&format!("{}-{at_ns:020}.json", row.plugin.name), &bytes)?)
    }

    /// What can be read is in it: a part that cannot be is left out, never the whole.
    fn facts(&self, row: &InstalledPlugin, why: &str, at_ns: u64) -> Result<Vec<u8>, ForgeError> {
        let plugin = &row.plugin;
        // Records that are still on their way to the segments belong to it.
        drop(self.audit.flush());
        let lines = common::audit::tail(&self.home.audit_dir(), LOOKED_THROUGH).ok().into_iter().flatten();
        let records = records_of(plugin.name.as_str(), lines.map_while(Result::ok));
        let dir = self.home.policy_dir();
        let policies: Vec<(String, Digest)> = sources::policies(&dir)
            .unwrap_or_default()
            .into_iter()
            .map(|source| (source.name, Digest::of(source.text.as_bytes())))
            .collect();
        let checkpoint =
            std::fs::read_to_string(self.home.audit_dir().join("checkpoint")).unwrap_or_default();
        let saved = self.home.saved_state(&super::owner(row))?;
        let content = |bytes: &[u8]| (bytes.len() <= STATE_BYTES).then(|| STANDARD.encode(bytes));
        let state = saved
            .as_ref()
            .map(|s| (s.version.as_str(), Digest::of(&s.bytes), s.bytes.len(), content(&s.bytes)));
        let granted: Vec<String> = known(row, fact::GRANTED).unwrap_or_default();
        let score = self.scores.all.lock().get(&super::owner(row)).map(|scored| scored.score.kept().clone());
        Ok(Evidence {
            plugin: (plugin.name.as_str(), &plugin.version, plugin.publisher.as_str()),
            package: plugin.package,
            manifest: plugin.manifest,
            why,
            at_ns,
            score: score.as_ref(),
            epoch: self.bridge.evaluator().epoch(),
            policies: &policies,
            granted: &granted,
            records: &records,
            checkpoint: &checkpoint,
            state,
        }
        .statement())
    }

    /// The latest bundle of evidence of this plugin, as a path.
    pub fn evidence_of(&self, row: &InstalledPlugin) -> Option<String> {
        let of_plugin = |path: &PathBuf| {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned())?;
            let (name, _) = stem.rsplit_once('-')?;
            (name == row.plugin.name.as_str()).then(|| path.display().to_string())
        };
        self.home.bundles().ok()?.iter().rev().find_map(of_plugin)
    }
}
