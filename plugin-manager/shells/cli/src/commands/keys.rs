//! `keys`: the home's certificate authority and its publishers.
//!
//! JSON of `init` and `issue`: one [`KeyLine`]; of `list`: `{"keys":[…]}`; of `export`: `{"exported","certificate"}`,
//! and with `-o` `{"exported","file"}`.

use crate::args::{KeyAlgorithm, Keys, KeysExport, KeysInit, KeysIssue};
use crate::context::Context;
use crate::failure::Failure;
use crate::files;
use crate::output::{Show, table, write_pairs, write_table};
use crate::when::rfc3339;
use common::crypto::Algorithm;
use common::error::{ForgeError, codes};
use plugin_manager::{IssueRequest, KeyInfo, KeyRing};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// A key and its certificate.
#[derive(Debug, Serialize)]
struct KeyLine {
    /// `authority` or `publisher`.
    kind: &'static str,
    name: String,
    algorithm: String,
    /// The URI identity of a publisher's certificate.
    identity: Option<String>,
    /// SHA-256 of the certificate's DER.
    fingerprint: String,
    /// What `[kill] serials` of trust.toml takes.
    serial: String,
    /// SHA-256 of the public key: what `[kill] keys` of trust.toml takes.
    key: String,
    not_before: String,
    not_after: String,
    development: bool,
    /// Whether the private key is in this home.
    private_key: bool,
}

impl From<KeyInfo> for KeyLine {
    fn from(k: KeyInfo) -> Self {
        Self {
            kind: k.kind.name(),
            name: k.name,
            algorithm: k.algorithm,
            identity: k.identity,
            fingerprint: k.fingerprint.to_string(),
            serial: k.serial,
            key: k.key.to_string(),
            not_before: rfc3339(k.not_before_ns),
            not_after: rfc3339(k.not_after_ns),
            development: k.development,
            private_key: k.private_key,
        }
    }
}

impl Show for KeyLine {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let use_ = if self.development { "development only" } else { "any environment" };
        write_pairs(
            out,
            &[
                (self.kind, self.name.clone()),
                ("algorithm", self.algorithm.clone()),
                ("identity", self.identity.clone().unwrap_or_else(|| "-".to_owned())),
                ("fingerprint", self.fingerprint.clone()),
                ("serial", self.serial.clone()),
                ("valid", format!("{} to {}", self.not_before, self.not_after)),
                ("for", use_.to_owned()),
            ],
        )
    }
}

#[derive(Debug, Serialize)]
struct Listing {
    keys: Vec<KeyLine>,
}

impl Show for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.keys.is_empty() {
            return writeln!(out, "no keys; `forgeone keys init --name NAME` makes an authority");
        }
        let mut table = table(&["KIND", "NAME", "ALGORITHM", "VALID UNTIL", "FOR", "FINGERPRINT"]);
        for k in &self.keys {
            let use_ = if k.development { "development" } else { "any" };
            table.add_row([k.kind, &k.name, &k.algorithm, &k.not_after, use_, &k.fingerprint]);
        }
        write_table(out, &table)
    }
}

#[derive(Debug, Serialize)]
struct Exported<'a> {
    exported: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Show for Exported<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        match (&self.certificate, &self.file) {
            (Some(pem), _) => out.write_all(pem.as_bytes()),
            (None, Some(file)) => writeln!(out, "exported {} to {}", self.exported, file.display()),
            (None, None) => Ok(()),
        }
    }
}

/// Runs `keys`.
///
/// # Errors
/// When the home's keys or trust configuration cannot be read or written, or a name is taken or missing.
pub fn run(context: &Context, args: &Keys) -> Result<(), Failure> {
    match args {
        Keys::Init(args) => init(context, args),
        Keys::Issue(args) => issue(context, args),
        Keys::List => {
            let keys = KeyRing::new(context.home()).list()?.into_iter().map(KeyLine::from).collect();
            context.output().show(&Listing { keys })
        }
        Keys::Export(args) => export(context, &KeyRing::new(context.home()), args),
    }
}

fn init(context: &Context, args: &KeysInit) -> Result<(), Failure> {
    let made = context.with_manager(|manager| manager.keys()?.init(&args.name, args.development))?;
    context.output().show(&KeyLine::from(made))
}

fn issue(context: &Context, args: &KeysIssue) -> Result<(), Failure> {
    let request = IssueRequest {
        publisher: args.publisher.clone(),
        algorithm: match args.algorithm {
            KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
            KeyAlgorithm::P256 => Algorithm::EcdsaP256Sha256,
        },
        days: args.days,
        development: args.development,
        packages: args.packages.clone(),
    };
    let made = context.with_manager(|manager| manager.keys()?.issue(&request))?;
    context.output().show(&KeyLine::from(made))
}

fn export(context: &Context, ring: &KeyRing<'_>, args: &KeysExport) -> Result<(), Failure> {
    let certificate = ring.certificate(&args.who)?;
    let Some(file) = &args.output else {
        return context.output().show(&Exported {
            exported: &args.who,
            certificate: Some(certificate),
            file: None,
        });
    };
    if args.include_private_key {
        let key = ring.private_key(&args.who)?;
        refuse_existing(file)?;
        files::write(file, format!("{key}{certificate}").as_bytes(), 0o600)?;
    } else {
        files::write(file, certificate.as_bytes(), 0o644)?;
    }
    context.output().show(&Exported { exported: &args.who, certificate: None, file: Some(file.clone()) })
}

/// A private key never replaces a file: it may be the only copy of another.
fn refuse_existing(file: &std::path::Path) -> Result<(), ForgeError> {
    match file.exists() {
        true => Err(ForgeError::new(&codes::E5009, format!("{} exists already", file.display()))),
        false => Ok(()),
    }
}
