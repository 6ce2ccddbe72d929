//! `keys`: the home's certificate authority and its publishers.
//!
//! JSON of `init`, `issue` and `rotate`: one [`KeyLine`]; of `notary`: a [`NotaryLine`]; of `revoke`: a [`RevokedLine`]; of `list`:
//! `{"keys":[…],"expiring":[{"what","name","until"}]}`; of `protect`: `{"key","protected"}`; of `export`: `{"exported","certificate"}`, and with `-o` `{"exported","file"}`; of `export --sigstore-root`:
//! `{"trusted_root"}`, and with `-o` `{"file"}`; of `export --host`: `{"host_key"}`, and with `-o` `{"file"}`.

use crate::args::{
    KeyAlgorithm, Keys, KeysExport, KeysInit, KeysIssue, KeysProtect, KeysRevoke, KeysRotate, Protecting,
};
use crate::context::Context;
use crate::failure::Failure;
use crate::files;
use crate::output::{Show, table, write_pairs, write_table};
use crate::passphrase::{self, Source};
use common::error::{ForgeError, codes};
use common::words::counted;
use forgeone_api::Ask;
use forgeone_api::asks::{self, Passphrases};
use forgeone_api::rfc3339;
use forgeone_api::shown::{KeyLine, NotaryLine, RevokedLine};
use plugin_manager::{Ending, KeyRing};
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
                ("private key", private_key(self).to_owned()),
            ],
        )
    }
}

/// What there is of the private key here.
fn private_key(line: &KeyLine) -> &'static str {
    match (line.private_key, line.protected) {
        (false, _) => "not here",
        (true, true) => "with a passphrase",
        (true, false) => "without a passphrase",
    }
}

/// A key whose passphrase was set or removed.
#[derive(Debug, Serialize)]
struct Protected<'a> {
    key: &'a str,
    protected: bool,
}

impl Show for Protected<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let has = if self.protected { "has its new passphrase" } else { "has no passphrase any more" };
        writeln!(out, "the private key of {} {has}", self.key)
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
    /// What ends within `keys.warn_before`: of these, and of what the home trusts.
    expiring: Vec<EndingLine>,
}

/// What ends soon, which is told on stderr too.
///
/// # Errors
/// When the configuration cannot be read.
pub fn expiring(context: &Context) -> Result<Vec<EndingLine>, ForgeError> {
    let soon = plugin_manager::ending_soon(context.home(), context.config())?;
    let lines: Vec<EndingLine> = soon.into_iter().map(EndingLine::from).collect();
    lines.iter().for_each(EndingLine::warn);
    Ok(lines)
}

/// Something that ends soon.
#[derive(Debug, Serialize)]
pub struct EndingLine {
    what: &'static str,
    name: String,
    /// RFC 3339, UTC.
    until: String,
}

impl From<Ending> for EndingLine {
    fn from(ending: Ending) -> Self {
        Self { what: ending.what, name: ending.name, until: rfc3339(ending.at_ns) }
    }
}

impl EndingLine {
    /// Tells it on stderr.
    pub fn warn(&self) {
        tracing::warn!(what = self.what, name = %self.name, until = %self.until, "ends soon");
    }
}

impl Show for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.keys.is_empty() {
            return writeln!(out, "no keys; `forgeone keys init --name NAME` makes an authority");
        }
        let mut table =
            table(&["KIND", "NAME", "ALGORITHM", "VALID UNTIL", "FOR", "PRIVATE KEY", "FINGERPRINT"]);
        for k in &self.keys {
            let use_ = if k.development { "development" } else { "any" }.to_owned();
            let key = private_key(k).to_owned();
            table.add_row([&k.kind, &k.name, &k.algorithm, &k.not_after, &use_, &key, &k.fingerprint]);
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

/// What `keys export --host` wrote.
#[derive(Debug, Serialize)]
struct HostKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Show for HostKey {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        match (&self.host_key, &self.file) {
            (Some(key), _) => out.write_all(key.as_bytes()),
            (None, Some(file)) => writeln!(out, "exported the key of this host to {}", file.display()),
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
        Keys::Notary(args) => {
            let with = making(context, &args.protecting, "the notary", Opens::Authority)?;
            context.output().show(&told(context, &with, asks::KeysNotary {})?)
        }
        Keys::Protect(args) => protect(context, args),
        Keys::List => {
            let keys = KeyRing::new(context.home()).list()?.into_iter().map(KeyLine::from).collect();
            context.output().show(&Listing { keys, expiring: expiring(context)? })
        }
        Keys::Revoke(args) => revoke(context, args),
        Keys::Rotate(args) => rotate(context, args),
        Keys::Export(args) if args.sigstore_root => sigstore_root(context, args),
        Keys::Export(args) if args.host => host_key(context, args),
        Keys::Export(args) => export(context, &KeyRing::new(context.home()), args),
    }
}

/// Whether making a key takes the authority's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opens {
    Nothing,
    Authority,
}

/// The passphrases for making a key: what opens the authority's, if it has one, and what protects the new one.
fn making(
    context: &Context,
    args: &Protecting,
    whose: &str,
    opens: Opens,
) -> Result<Passphrases, ForgeError> {
    let source = Source::new(args.unlocking.passphrase_file.as_deref())?;
    let needed = opens == Opens::Authority && KeyRing::new(context.home()).is_protected("authority")?;
    let unlock = if needed { Some(source.of("the authority")?) } else { None };
    let protect = match (&args.new_passphrase_file, args.passphrase, args.no_passphrase) {
        (_, _, true) => None,
        (Some(file), ..) => Some(passphrase::in_file(file)?),
        (None, true, _) => Some(passphrase::ask_new(whose)?),
        (None, false, _) => source.given().cloned().or_else(|| unlock.clone()),
    };
    Ok(Passphrases { unlock, protect })
}

/// Asks with passphrases.
fn told<A: Ask>(context: &Context, with: &Passphrases, ask: A) -> Result<A::Reply, Failure> {
    Ok(context.answer(with.with(ask))?.0)
}

fn protect(context: &Context, args: &KeysProtect) -> Result<(), Failure> {
    let ring = KeyRing::new(context.home());
    let whose = if args.notary { "the notary" } else { &args.who };
    let source = Source::new(args.unlocking.passphrase_file.as_deref())?;
    let needed = if args.notary { ring.is_notary_protected()? } else { ring.is_protected(&args.who)? };
    let unlock = if needed { Some(source.of(whose)?) } else { None };
    let protect = match (&args.new_passphrase_file, args.no_passphrase) {
        (_, true) => None,
        (Some(file), false) => Some(passphrase::in_file(file)?),
        // What was given opens a key that has one already; it is new where there is nothing to open.
        (None, false) if !needed && source.given().is_some() => source.given().cloned(),
        (None, false) => Some(passphrase::ask_new(whose)?),
    };
    let with = Passphrases { unlock, protect };
    told(context, &with, asks::KeysProtect { who: (!args.notary).then(|| args.who.clone()) })?;
    let key = if args.notary { "notary" } else { &args.who };
    context.output().show(&Protected { key, protected: with.protect.is_some() })
}

fn init(context: &Context, args: &KeysInit) -> Result<(), Failure> {
    let with = making(context, &args.protecting, "the authority", Opens::Nothing)?;
    let init = asks::KeysInit { name: args.name.to_string(), development: args.development };
    context.output().show(&told(context, &with, init)?)
}

fn issue(context: &Context, args: &KeysIssue) -> Result<(), Failure> {
    let with = making(context, &args.protecting, args.publisher.as_str(), Opens::Authority)?;
    let issue = asks::KeysIssue {
        publisher: args.publisher.to_string(),
        ed25519: matches!(args.algorithm, KeyAlgorithm::Ed25519),
        days: args.days,
        development: args.development,
        packages: args.packages.clone(),
        roles: args.signer.then(|| args.role.iter().map(ToString::to_string).collect()),
    };
    context.output().show(&told(context, &with, issue)?)
}

fn revoke(context: &Context, args: &KeysRevoke) -> Result<(), Failure> {
    let source = Source::new(args.unlocking.passphrase_file.as_deref())?;
    let needed = KeyRing::new(context.home()).is_protected("authority")?;
    let unlock = if needed { Some(source.of("the authority")?) } else { None };
    let with = Passphrases { unlock, protect: None };
    let revoke = asks::KeysRevoke {
        who: args.who.as_ref().map(ToString::to_string),
        serial: args.serial.clone(),
        kill: args.kill,
        days: args.days,
    };
    context.output().show(&told(context, &with, revoke)?)
}

fn rotate(context: &Context, args: &KeysRotate) -> Result<(), Failure> {
    let with = making(context, &args.protecting, args.who.as_str(), Opens::Authority)?;
    let rotate = asks::KeysRotate { who: args.who.to_string(), days: args.days };
    context.output().show(&told(context, &with, rotate)?)
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

fn host_key(context: &Context, args: &KeysExport) -> Result<(), Failure> {
    let key = plugin_manager::host_key(context.home())?;
    let host_key = match &args.output {
        Some(file) => files::write(file, key.as_bytes(), 0o644).map(|()| None)?,
        None => Some(key),
    };
    context.output().show(&HostKey { host_key, file: args.output.clone() })
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
