//! The keys of an open home: who may change them, and the record before each change.

use super::manager::PluginManager;
use super::operator::Desk;
use crate::keys::KeyRing;
use common::audit::{Outcome, Record};
use common::error::ForgeError;
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
