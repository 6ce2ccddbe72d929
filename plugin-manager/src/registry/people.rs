//! People in records: each under a pseudonym of this home, known until an operator whom policy lets configure the host
//! has them erased. No record changes when that happens.

use super::error::HostError;
use super::manager::PluginManager;
use crate::store::{Home, Person, StoreError, people_of};
use common::audit::{Actor, Outcome, Record};
use common::error::ForgeError;
use common::identity::{IdentityContext, Principal};
use microkernel::trust::ManagementAction;
use std::sync::atomic::Ordering;

/// Who acts, as records of this home name it: a person under a pseudonym, anything else by its name.
pub(super) fn actor(home: &Home, identity: &IdentityContext) -> Result<Actor, StoreError> {
    match identity.principal() {
        Principal::Operator(name) => {
            let person = home.person(name)?;
            Ok(Actor::under(identity, &person.pseudonym, &person.commitment))
        }
        Principal::Plugin(_) | Principal::Host(_) => Ok(Actor::new(identity)),
    }
}

impl PluginManager {
    /// Whom records of this home name, by pseudonym; without those who were erased.
    ///
    /// # Errors
    /// When the policy denies the operator to read the host, and E0002 and E0003 for files of `people/`.
    pub fn people(&self) -> Result<Vec<Person>, ForgeError> {
        let host = self.host();
        host.may_read("")?;
        Ok(people_of(host.parts().home.path())?)
    }

    /// Destroys the key that ties records to this person, after a record of the erasure. Records stay as they are, and
    /// with them every proof; they no longer tell who it was. The answer is the person as records go on to name one.
    ///
    /// A person who acts again gets another pseudonym. Handles of [`PluginManager::acting_as`] that were made before go on
    /// under the old one; [`PluginManager::erasures`] tells when to make new ones.
    ///
    /// # Errors
    /// E5008 when records name nobody of this name; when the policy denies the operator to configure the host, the
    /// record cannot be written, or the files cannot be changed: then it is done by asking again.
    pub fn erase_person(&self, name: &str) -> Result<Person, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        host.recorded(configure, "", || {
            host.authorise(configure, "")?;
            let person = host.home.known_person(name)?.ok_or(HostError::NoPerson)?;
            let commitment = person.commitment.to_string();
            let details = [("commitment", commitment.as_str())];
            let resource = ("person", person.pseudonym.as_str());
            let record = Record { resource, ..host.management("erase", "", Outcome::Ok, None, &details) };
            host.audit.commit(&record)?;
            host.home.erase_person(name)?;
            host.erasures.fetch_add(1, Ordering::AcqRel);
            Ok(person)
        })
    }

    /// How many people were erased since the home was opened.
    pub fn erasures(&self) -> u64 {
        self.host().erasures.load(Ordering::Acquire)
    }
}
