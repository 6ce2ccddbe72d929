//! `pack`, `sign`, `verify`: a directory becomes a package, a package a signed one, and a signed one a list of
//! checks that passed.
//!
//! JSON of `pack` and `sign`: [`Written`]; of `verify`: [`Verified`]. A package that `verify` refuses is an error
//! with the refusal's code; the checks before it are its reasons.

use super::keys::EndingLine;
use super::source;
use super::status::signed_by;
use crate::args::{Pack, PackageFile, Sign, Timestamp};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files::{self, MAX_FILE};
use crate::output::{Show, table, tone, write_pairs, write_table};
use crate::passphrase::Source;
use comfy_table::Cell;
use common::error::{ForgeError, codes};
use forgeone_api::fetch_timestamp;
use forgeone_api::shown::CheckLine;
use plugin_manager::{KeyRing, Package, PackageLimits, SignWith, Verification};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A package that was written.
#[derive(Debug, Serialize)]
struct Written {
    package: PathBuf,
    name: String,
    version: String,
    publisher: String,
    /// Of `manifest.json`, which names every file: what identities and records carry.
    digest: String,
    /// Of the whole file.
    package_digest: String,
    bytes: usize,
    signed: bool,
    /// The identity in the certificate it was signed with.
    signer: Option<String>,
}

impl Written {
    fn of(path: &Path, bytes: &[u8]) -> Result<Self, ForgeError> {
        let package = Package::load(bytes, &PackageLimits::default())?;
        let manifest = package.manifest();
        Ok(Self {
            package: path.to_owned(),
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            publisher: manifest.publisher.to_string(),
            digest: package.manifest_digest().to_string(),
            package_digest: package.digest().to_string(),
            bytes: bytes.len(),
            signed: package.bundle().is_some(),
            signer: plugin_manager::claimed_signer(&package)?.map(|signer| signer.identity),
        })
    }
}

impl Show for Written {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let verb = if self.signed { "signed" } else { "packed" };
        let mut pairs = vec![
            (verb, format!("{} {} by {}", self.name, self.version, self.publisher)),
            ("file", format!("{} ({} bytes)", self.package.display(), self.bytes)),
            ("digest", self.digest.clone()),
        ];
        if let Some(signer) = &self.signer {
            pairs.push(("signer", one_line(signer)));
        }
        write_pairs(out, &pairs)
    }
}

/// Runs `pack`.
///
/// # Errors
/// When a file cannot be read or written, or what the directory has is no package.
pub fn pack(context: &Context, args: &Pack) -> Result<(), Failure> {
    let bytes = source::pack(args, &*context.progress())?;
    let package = Package::load(&bytes, &PackageLimits::default()).map_err(ForgeError::from)?;
    let name = format!("{}-{}.forgepkg", package.manifest().name, package.manifest().version);
    let path = args.output.clone().unwrap_or_else(|| name.into());
    files::write(&path, &bytes, 0o644)?;
    context.output().show(&Written::of(&path, &bytes)?)
}

/// Runs `sign`.
///
/// # Errors
/// When the package, key or certificate cannot be read or do not fit each other; E1402 when the package names
/// another publisher.
pub fn sign(context: &Context, args: &Sign) -> Result<(), Failure> {
    let package = files::read(&args.package, MAX_FILE)?;
    let source = Source::new(args.unlocking.passphrase_file.as_deref())?;
    let ring = KeyRing::new(context.home()).unlocked_by(Box::new(|whose| source.of(whose)));
    let signed = match &args.cosigner {
        Some(name) => {
            let signer = ring.signer(name)?;
            warn_of_end(context, &signer)?;
            plugin_manager::cosign(&package, name, &signer)?
        }
        None => {
            let signer = signer(&ring, &source, args)?;
            warn_of_end(context, &signer)?;
            let signed = plugin_manager::sign_in(context.home(), &package, &signer, args.publisher.as_ref())?;
            noted(&ring, args, signed)?
        }
    };
    let path = args.output.as_deref().unwrap_or(&args.package);
    files::write(path, &signed, 0o644)?;
    context.output().show(&Written::of(path, &signed)?)
}

/// Tells when what is signed will not be believed for long.
fn warn_of_end(context: &Context, signer: &SignWith) -> Result<(), ForgeError> {
    let ending =
        plugin_manager::certificate_ends_soon(context.home(), context.config(), &signer.certificate)?;
    ending.map(EndingLine::from).iter().for_each(EndingLine::warn);
    Ok(())
}

/// The package with the timestamp and the log entry that were asked for, in this order: what is logged is last.
fn noted(ring: &KeyRing<'_>, args: &Sign, signed: Vec<u8>) -> Result<Vec<u8>, ForgeError> {
    if args.timestamp.is_none() && args.timestamp_authority.is_none() && !args.log {
        return Ok(signed);
    }
    plugin_manager::annotate(&signed, |bundle| {
        match (&args.timestamp_authority, args.timestamp) {
            (Some(url), _) => bundle.add_timestamp(fetch_timestamp(url, bundle.signature())?),
            (None, Some(Timestamp::Local)) => bundle.add_timestamp(ring.timestamp(bundle.signature())?),
            (None, None) => {}
        }
        if args.log { ring.enter(bundle) } else { Ok(()) }
    })
}

fn signer(ring: &KeyRing<'_>, source: &Source, args: &Sign) -> Result<SignWith, ForgeError> {
    match (&args.publisher, &args.key, &args.cert) {
        (Some(publisher), ..) => ring.signer(publisher),
        (None, Some(key), Some(cert)) => {
            let (text, certificate) = (files::read_text(key, 1 << 20)?, files::read_text(cert, 1 << 20)?);
            SignWith::unlocked(&text, certificate, || source.of(&key.display().to_string()))
        }
        _ => Err(ForgeError::new(&codes::E0101, "name --publisher, or --key and --cert")),
    }
}

/// What `verify` saw.
#[derive(Debug, Serialize)]
struct Verified {
    name: String,
    version: String,
    publisher: String,
    digest: String,
    package_digest: String,
    signer: Option<String>,
    unjudged_signature: bool,
    checks: Vec<CheckLine>,
}

impl From<Verification> for Verified {
    fn from(v: Verification) -> Self {
        Self {
            name: v.name,
            version: v.version,
            publisher: v.publisher,
            digest: v.digest.to_string(),
            package_digest: v.package_digest.to_string(),
            signer: v.signer,
            unjudged_signature: v.unjudged_signature,
            checks: v.checks.into_iter().map(CheckLine::from).collect(),
        }
    }
}

impl Show for Verified {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["STEP", "CHECK", "OUTCOME", "SEEN"]);
        for check in &self.checks {
            table.add_row([
                Cell::new(check.step),
                Cell::new(&check.title),
                tone(&check.outcome),
                Cell::new(one_line(&check.detail)),
            ]);
        }
        write_table(out, &table)?;
        writeln!(out)?;
        let (verb, proof) =
            if self.signer.is_some() { ("verified", "") } else { ("checked", ", as it says itself") };
        write_pairs(
            out,
            &[
                (verb, format!("{} {} by {}{proof}", self.name, self.version, self.publisher)),
                ("signer", signed_by(self.signer.as_deref(), self.unjudged_signature)),
                ("digest", self.digest.clone()),
            ],
        )
    }
}

/// Runs `verify`.
///
/// # Errors
/// The first check that refuses.
pub fn verify(context: &Context, args: &PackageFile) -> Result<(), Failure> {
    let progress = context.progress();
    let package = files::read_telling(&args.package, MAX_FILE, &*progress)?;
    let seen = plugin_manager::verify_telling(context.home(), context.config(), &package, &*progress)?;
    context.output().show(&Verified::from(seen))
}
