//! `keys`: the home's certificate authority and its publishers.
//!
//! JSON of `init`, `issue` and `rotate`: one [`KeyLine`]; of `notary`: a [`NotaryLine`]; of `revoke`: a [`RevokedLine`]; of `list`:
//! `{"keys":[…]}`; of `export`: `{"exported","certificate"}`, and with `-o` `{"exported","file"}`; of `export --sigstore-root`:
//! `{"trusted_root"}`, and with `-o` `{"file"}`.

use crate::args::{KeyAlgorithm, Keys, KeysExport, KeysInit, KeysIssue, KeysRevoke, KeysRotate};
use crate::context::Context;
use crate::failure::Failure;
use crate::files;
use crate::output::{Show, table, write_pairs, write_table};
use common::error::{ForgeError, codes};
use common::words::counted;
use forgeone_api::asks;
use forgeone_api::shown::{KeyLine, NotaryLine, RevokedLine};
use plugin_manager::KeyRing;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

impl Show for KeyLine {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let use_ = if self.development { "development only" } else { "any environment" };
        let kind = if self.kind == "authority" { "authority" } else { "publisher" };
        write_pairs(
            out,
            &[
                (kind, self.name.clone()),
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

impl Show for RevokedLine {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = vec![
            ("list", self.list.display().to_string()),
            ("names", counted(self.revoked, "certificate")),
            ("current until", self.until.clone()),
        ];
        if let Some(serial) = &self.serial {
            let also = if self.killed { ", and on the kill-list" } else { "" };
            pairs.insert(0, ("revoked", format!("{serial}{also}")));
        }
        write_pairs(out, &pairs)
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
            let use_ = if k.development { "development" } else { "any" }.to_owned();
            table.add_row([&k.kind, &k.name, &k.algorithm, &k.not_after, &use_, &k.fingerprint]);
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

/// What `keys export --sigstore-root` wrote.
#[derive(Debug, Serialize)]
struct SigstoreRoot {
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_root: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Show for SigstoreRoot {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        match (&self.trusted_root, &self.file) {
            (Some(root), _) => writeln!(out, "{root:#}"),
            (None, Some(file)) => writeln!(out, "exported what is trusted to {}", file.display()),
            (None, None) => Ok(()),
        }
    }
}

impl Show for NotaryLine {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        write_pairs(
            out,
            &[
                ("timestamps", self.fingerprint.clone()),
                ("valid until", self.not_after.clone()),
                ("log", self.log.clone()),
            ],
        )
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
        Keys::Notary => context.output().show(&context.ask(asks::KeysNotary {})?),
        Keys::List => {
            let keys = KeyRing::new(context.home()).list()?.into_iter().map(KeyLine::from).collect();
            context.output().show(&Listing { keys })
        }
        Keys::Revoke(args) => revoke(context, args),
        Keys::Rotate(args) => rotate(context, args),
        Keys::Export(args) if args.sigstore_root => sigstore_root(context, args),
        Keys::Export(args) => export(context, &KeyRing::new(context.home()), args),
    }
}

fn init(context: &Context, args: &KeysInit) -> Result<(), Failure> {
    let init = asks::KeysInit { name: args.name.to_string(), development: args.development };
    context.output().show(&context.ask(init)?)
}

fn issue(context: &Context, args: &KeysIssue) -> Result<(), Failure> {
    let issue = asks::KeysIssue {
        publisher: args.publisher.to_string(),
        ed25519: matches!(args.algorithm, KeyAlgorithm::Ed25519),
        days: args.days,
        development: args.development,
        packages: args.packages.clone(),
        roles: args.signer.then(|| args.role.iter().map(ToString::to_string).collect()),
    };
    context.output().show(&context.ask(issue)?)
}

fn revoke(context: &Context, args: &KeysRevoke) -> Result<(), Failure> {
    let revoke = asks::KeysRevoke {
        who: args.who.as_ref().map(ToString::to_string),
        serial: args.serial.clone(),
        kill: args.kill,
        days: args.days,
    };
    context.output().show(&context.ask(revoke)?)
}

fn rotate(context: &Context, args: &KeysRotate) -> Result<(), Failure> {
    let rotate = asks::KeysRotate { who: args.who.to_string(), days: args.days };
    context.output().show(&context.ask(rotate)?)
}

fn sigstore_root(context: &Context, args: &KeysExport) -> Result<(), Failure> {
    let root = plugin_manager::sigstore_root(context.home())?;
    let trusted_root = match &args.output {
        Some(file) => files::write(file, &root, 0o644).map(|()| None)?,
        None => Some(serde_json::from_slice(&root).map_err(|e| {
            ForgeError::new(&codes::E0001, "the trusted root cannot be written").reason(e.to_string())
        })?),
    };
    context.output().show(&SigstoreRoot { trusted_root, file: args.output.clone() })
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
