//! Private keys under passphrases: opened with what [`KeyRing::unlocked_by`] gives, written under what
//! [`KeyRing::protecting`] names.

use super::files::{Existing, read, write};
use super::{AUTHORITY, KeyError, KeyRing};
use crate::attestation::{Passphrase, is_protected, key_text, open_key};
use common::error::ForgeError;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Gives the passphrase of a key, which is named by whose it is. Asked for keys that have one.
pub type Unlock<'a> = dyn Fn(&str) -> Result<Passphrase, ForgeError> + 'a;

impl<'a> KeyRing<'a> {
    /// Keys that have a passphrase are opened with what this gives; without it they are refused (E0141).
    #[must_use]
    pub fn unlocked_by(self, unlock: Box<Unlock<'a>>) -> Self {
        Self { unlock: Some(unlock), ..self }
    }

    /// Private keys are written under this passphrase; plain with `None`, as without it.
    #[must_use]
    pub fn protecting(self, passphrase: Option<Passphrase>) -> Self {
        Self { protect: passphrase, ..self }
    }

    /// Whether the private key of a publisher, or of `authority`, has a passphrase. One that is not there has none.
    ///
    /// # Errors
    /// When its file cannot be read; E5008 for a name that is none.
    pub fn is_protected(&self, who: &str) -> Result<bool, ForgeError> {
        Ok(read(&self.files(who)?.key)?.is_some_and(|text| is_protected(&text)))
    }

    /// Whether a key of the home's notary has a passphrase.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn is_notary_protected(&self) -> Result<bool, ForgeError> {
        let keys = [read(&self.timestamps().key)?, read(&self.log_key())?];
        Ok(keys.into_iter().flatten().any(|text| is_protected(&text)))
    }

    /// Writes the private key of a publisher, or of `authority`, under [`KeyRing::protecting`]'s passphrase in place
    /// of the one it had; without one it has none from then on.
    ///
    /// # Errors
    /// E5008 when there is no such key; E0141 and E0142 when it cannot be opened.
    pub fn protect(&self, who: &str) -> Result<(), ForgeError> {
        let file = self.files(who)?.key;
        self.rewrite(who, vec![(who, file)])
    }

    /// [`KeyRing::protect`] for the keys of the home's notary: both, or none of them when one cannot be opened.
    ///
    /// # Errors
    /// As [`KeyRing::protect`].
    pub fn protect_notary(&self) -> Result<(), ForgeError> {
        let keys = vec![
            ("the timestamp authority", self.timestamps().key),
            ("the transparency log", self.log_key()),
        ];
        self.rewrite("notary", keys)
    }

    fn rewrite(&self, name: &str, keys: Vec<(&str, PathBuf)>) -> Result<(), ForgeError> {
        let _one_at_a_time = self.hold()?;
        let mut opened = Vec::new();
        for (whose, file) in keys {
            let text = Zeroizing::new(read(&file)?.ok_or_else(|| KeyError::NoKey(whose.to_owned()))?);
            opened.push((file, self.opened(whose, &text)?));
        }
        let change = if self.protect.is_some() { "set" } else { "removed" };
        self.record_change("key_protect", name, &[("passphrase", change)])?;
        for (file, key) in opened {
            write(&file, key_text(&key, self.protect.as_ref())?.as_bytes(), Existing::Replace)?;
        }
        Ok(())
    }

    /// The PKCS#8 DER of a key of this home.
    pub(super) fn opened(&self, who: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, ForgeError> {
        let passphrase = match &self.unlock {
            Some(unlock) if is_protected(text) => Some(unlock(named(who))?),
            _ => None,
        };
        let opened = open_key(text, passphrase.as_ref());
        Ok(opened.map_err(|source| KeyError::Key { who: named(who).to_owned(), source })?)
    }
}

fn named(who: &str) -> &str {
    if who == AUTHORITY { "the authority" } else { who }
}
