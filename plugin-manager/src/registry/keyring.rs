//! The keys of an open home: who may change them, and the record before each change.

use super::manager::PluginManager;
use super::operator::Desk;
use super::staging::StagingError;
use crate::attestation::{TrustConfig, TrustRoot};
use crate::keys::KeyRing;
use crate::workshop::SignWith;
use common::audit::{Outcome, Record};
use common::error::{ForgeError, codes};
use common::identity::Name;
use microkernel::trust::ManagementAction;

impl PluginManager {
    /// The home's keys and trust; each change is recorded before it is made. What trust is changed to holds for the
    /// next package that is judged.
    ///
    /// # Errors
    /// When the policy denies the operator to configure the host.
    pub fn keys(&self) -> Result<KeyRing<'_>, ForgeError> {
        let host = self.host();
        let configure = ManagementAction::Configure;
        host.recorded(configure, "", || host.authorise(configure, ""))?;
        let record =
            move |action: &str, name: &str, details: &[(&str, &str)]| host.intend_key(action, name, details);
        Ok(KeyRing::new(host.parts().home.path()).recorded_by(Box::new(record)))
    }

    /// What this home attests a staging run with: the key of the signer of this name, or of the only one whose staging
    /// attestations count by `trust.toml` and whose key is here.
    ///
    /// # Errors
    /// E5008 when there is none, E0101 when there are several, E0141 when its key has a passphrase; when the policy denies the operator to stage.
    pub fn stager(&self, name: Option<&Name>) -> Result<SignWith, ForgeError> {
        let (host, stage) = (self.host(), ManagementAction::Stage);
        host.recorded(stage, "", || {
            host.authorise(stage, "")?;
            let judge = host.judge()?;
            let trust = judge.1.verifier().trust().map(TrustRoot::config);
            let counting = trust.into_iter().flat_map(TrustConfig::stagers).map(|signer| &signer.name);
            let counting: Vec<&Name> = counting.filter(|n| name.is_none_or(|name| name == *n)).collect();
            let ring = KeyRing::new(host.parts().home.path());
            let mut here = Vec::new();
            for name in &counting {
                match ring.signer(name) {
                    Ok(key) => here.push((name, key)),
                    // Its key is elsewhere.
                    Err(error) if error.code() == &codes::E5008 => {}
                    Err(error) => return Err(error),
                }
            }
            let names = |of: &[&Name]| of.iter().map(ToString::to_string).collect();
            match (here.pop(), here.is_empty()) {
                (Some((_, key)), true) => Ok(key),
                (None, _) => Err(StagingError::NoStager(names(&counting)).into()),
                (Some(_), false) => Err(StagingError::ManyStagers(names(&counting)).into()),
            }
        })
    }
}

impl Desk<'_> {
    /// Records a change of keys and trust before it is made: durable, or refused.
    fn intend_key(self, action: &str, name: &str, details: &[(&str, &str)]) -> Result<(), ForgeError> {
        let record =
            Record { resource: ("key", name), ..self.management(action, name, Outcome::Ok, None, details) };
        self.audit.commit(&record)?;
        Ok(())
    }
}
