//! What this host says of the packages it runs: signed when one is installed, and checked whenever one is brought up.
//!
//! A summary that is missing, changed or of something else refuses the plugin, and so does compiled code that is not the
//! code it names. Where the trust configuration, the policies or the engine changed since, and every check passed
//! again, the host says so anew and records it.

use super::error::HostError;
use super::host::Host;
use super::load::{Ready, Rebuild};
use super::operator::Desk;
use super::{envelope, sources};
use crate::attestation::{Bound, Circumstances};
use crate::runtime::RuntimeError;
use crate::sandbox::Grant;
use crate::store::{ATTESTATION_KEY, InstalledPlugin, StoredPackage};
use common::crypto::{Sha256, SigningKey};
use common::error::{ForgeError, codes};
use common::identity::Digest;
use std::io::ErrorKind;
use std::path::Path;
use zeroize::Zeroizing;

impl Host {
    /// Signs what was found of a package that is about to be installed, beside where it will be. It is kept as long as
    /// what this returns lives, and then as long as the package is.
    pub fn attest(&self, grant: &Grant, ready: &Ready) -> Result<StoredPackage<'_>, ForgeError> {
        let bound = self.bound(grant, ready)?;
        let key = &self.attestor;
        let verifier = format!("forgeone:host/{}", Digest::of(key.public().as_bytes()).hex());
        let circumstances = Circumstances {
            verifier: &verifier,
            engine: grant.engine().name(),
            epoch: self.bridge.evaluator().epoch(),
            at_ns: self.clock.wall_ns(),
        };
        let statement = bound.statement(grant.package(), &circumstances).map_err(|e| {
            ForgeError::new(&codes::E0001, "the host's summary cannot be written").reason(e.to_string())
        })?;
        let signed = envelope::seal(&statement, key)?;
        Ok(self.home.keep_summary(&bound.package, &signed)?)
    }

    /// What this host said of an installed package.
    ///
    /// # Errors
    /// E1501 when it said nothing; E1502 when that is not what it signed, or is about another package.
    pub fn summary_of(&self, row: &InstalledPlugin) -> Result<Bound, ForgeError> {
        let plugin = &row.plugin;
        let other = |why| HostError::Attestation { name: plugin.name.to_string(), why };
        let summary = self.home.summary(&plugin.package)?;
        let summary = summary.ok_or_else(|| HostError::Unattested(plugin.name.to_string()))?;
        let statement = envelope::open(&summary, &self.attestor.public())
            .map_err(|_| other("this host did not sign it"))?;
        let bound = Bound::parse(&statement).ok_or_else(|| other("it is no summary"))?;
        if (bound.package, bound.manifest) != (plugin.package, plugin.manifest) {
            return Err(other("it is about another package").into());
        }
        Ok(bound)
    }

    fn bound(&self, grant: &Grant, ready: &Ready) -> Result<Bound, ForgeError> {
        Ok(Bound::new(grant.package(), (ready.sealed, ready.code), self.policies_digest()?))
    }

    /// Names the policy files: their names and texts, in order.
    fn policies_digest(&self) -> Result<Digest, ForgeError> {
        let mut hash = Sha256::new();
        for source in sources::policies(&self.home.policy_dir())? {
            hash.update(Digest::of(source.name.as_bytes()).as_bytes());
            hash.update(Digest::of(source.text.as_bytes()).as_bytes());
        }
        Ok(hash.finish())
    }
}

impl Desk<'_> {
    /// Whether a package and its code, which were checked again now, are those the host spoke of. Other code that this
    /// host compiled of the same module is taken where an operator asked for it.
    ///
    /// # Errors
    /// E1502 when it is another package, E1505 for other code.
    pub fn still_attested(
        self,
        (grant, ready): (&Grant, &Ready),
        said: &Bound,
        rebuild: Rebuild,
    ) -> Result<(), ForgeError> {
        let name = &grant.package().package().manifest().name;
        let other = |why| HostError::Attestation { name: name.to_string(), why };
        let now = self.bound(grant, ready)?;
        if !now.same_package(said) {
            return Err(other("it is about another package").into());
        }
        let stored = ready.compiled_in.is_none() && rebuild == Rebuild::NotAsked;
        if stored && said.code_key == now.code_key && said.code != now.code {
            return Err(RuntimeError::Seal.into());
        }
        if now == *said {
            return Ok(());
        }
        let (package, code) = (now.package.to_string(), now.code.to_string());
        let trust = now.trust.map(|d| d.to_string()).unwrap_or_default();
        let details = [("package", package.as_str()), ("code", &code), ("trust", &trust)];
        self.intend("attest", name.as_str(), &details)?;
        self.attest(grant, ready).map(drop)
    }
}

/// The public key of what a home's host says of the packages it verified, as PEM.
///
/// # Errors
/// E5008 when the home has not been opened yet; E0002 when the key cannot be read.
pub fn host_key(home: &Path) -> Result<String, ForgeError> {
    let path = home.join(ATTESTATION_KEY);
    let bytes = std::fs::read(&path).map(Zeroizing::new).map_err(|e| {
        let code = if e.kind() == ErrorKind::NotFound { &codes::E5008 } else { &codes::E0002 };
        ForgeError::new(code, format!("cannot read {}", path.display())).reason(e.to_string())
    })?;
    let key = SigningKey::from_pkcs8(&bytes).map_err(|e| {
        ForgeError::new(&codes::E0003, format!("{} is no key of this host", path.display()))
            .reason(e.to_string())
    })?;
    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): what comes before its 32 bytes.
    let head = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    Ok(pem::encode(&pem::Pem::new("PUBLIC KEY", [&head, key.public().as_bytes()].concat())))
}
