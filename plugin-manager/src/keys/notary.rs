//! The home's own timestamp authority and transparency log: `keys/notary/` has their keys, `transparency/` the log.
//!
//! The log is `transparency/entries.jsonl`, an entry a line, and `transparency/checkpoint`, the signed note over them.
//! An entry is durable before a checkpoint covers it; lines that no checkpoint covers are dropped by the next entry.

use super::files::{Existing, Files, make_dir, read, write};
use super::{BACKDATED, DAY, KeyError, KeyRing, common_name};
use crate::attestation::key_text;
use crate::attestation::timestamp::Timestamper;
use crate::attestation::trust::{CertificateSource, LogAuthority, TimestampAuthority};
use crate::attestation::{Issued, NotedBundle, Validity, certificate_facts};
use crate::workshop::now;
use common::audit::Checkpoint;
use common::audit::tree::{Edge, leaf};
use common::crypto::{Algorithm, SigningKey};
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const TIMESTAMPS: &str = "timestamps";
/// How long the timestamp certificate is valid, at most: as long as the authority is.
const DAYS: u64 = 3650;
/// Longest entry, in bytes. A certificate that is accepted has at most 16 KiB, half as much again in base64.
const MAX_ENTRY: u64 = 64 << 10;

/// A home's notary, as it is shown.
#[derive(Debug, Clone)]
pub struct NotaryInfo {
    /// The SHA-256 of the timestamp certificate.
    pub certificate: Digest,
    /// Until when it is valid, in nanoseconds since 1970.
    pub not_after_ns: u64,
    /// The log's verifier key: `name+id+key`, as readers of signed notes take it.
    pub log: String,
}

impl KeyRing<'_> {
    /// Makes the home's timestamp authority and log, and trusts both.
    ///
    /// # Errors
    /// E5008 without an authority; E5009 when there is a notary already.
    pub fn notary(&self) -> Result<NotaryInfo, ForgeError> {
        let _one_at_a_time = self.hold()?;
        let files = self.timestamps();
        files.free("a notary")?;
        let (authority, facts) = self.open_authority()?;
        let name = Name::new(common_name(&facts)).map_err(|_| KeyError::NoAuthority)?;
        let not_before = (now()? / 1_000_000_000).saturating_sub(BACKDATED).max(facts.not_before);
        let validity = Validity { not_before, not_after: (not_before + DAYS * DAY).min(facts.not_after) };
        let issued = authority.timestamper(&format!("{name} timestamps"), validity, facts.development)?;
        let (key, pkcs8) = SigningKey::generate(Algorithm::Ed25519).map_err(crypto)?;
        let log = LogAuthority::new(&origin(&name), key.public()).ok_or(KeyError::NoAuthority)?;
        let info = NotaryInfo {
            certificate: Digest::of(&issued.der),
            not_after_ns: validity.not_after.saturating_mul(1_000_000_000),
            log: log.vkey(),
        };
        self.recorded("key_notary", name.as_str(), &issued)?;
        self.trust_notary(&name, &issued, log)?;
        let log_key = key_text(&pkcs8, self.protect.as_ref())?;
        write(&self.log_key(), log_key.as_bytes(), Existing::Refuse)?;
        files.write(&issued, self.protect.as_ref(), Existing::Refuse)?;
        Ok(info)
    }

    /// Trust first: an anchor whose key was never kept harms nobody.
    fn trust_notary(&self, name: &Name, issued: &Issued, log: LogAuthority) -> Result<(), ForgeError> {
        let mut trust = self.trust_config()?;
        let file = format!("roots/{name}-timestamps.pem");
        let chain = format!("{}{}", issued.certificate, self.certificate("authority")?);
        trust.notaries.timestamp_authorities.retain(|a| a.name != *name);
        trust
            .notaries
            .timestamp_authorities
            .push(TimestampAuthority { name: name.clone(), source: CertificateSource::File(file.clone()) });
        trust.notaries.logs.retain(|l| l.origin() != log.origin());
        trust.notaries.logs.push(log);
        write(&self.trust.join(&file), chain.as_bytes(), Existing::Replace)?;
        Ok(self.write_trust(&trust)?)
    }

    /// A timestamp response of the home's own authority about these bytes.
    ///
    /// # Errors
    /// E5008 when the home has no notary.
    pub fn timestamp(&self, message: &[u8]) -> Result<Vec<u8>, ForgeError> {
        let files = self.timestamps();
        let key = read(&files.key)?.ok_or_else(no_notary)?;
        let certificate = read(&files.certificate)?.ok_or_else(no_notary)?;
        let key = SigningKey::from_pkcs8(&self.opened("the timestamp authority", &key)?).map_err(crypto)?;
        let chain = format!("{certificate}{}", self.certificate("authority")?);
        let now = now()? / 1_000_000_000;
        Ok(Timestamper::new(key, chain.as_bytes())?.stamp(message, now)?)
    }

    /// Enters a bundle's signature in the home's own log and adds the entry to the bundle.
    ///
    /// # Errors
    /// E5008 when the home has no notary; E3003 when the log is not the one its checkpoint was signed over.
    pub fn enter(&self, bundle: &mut NotedBundle) -> Result<(), ForgeError> {
        let key = read(&self.log_key())?.ok_or_else(no_notary)?;
        let key = SigningKey::from_pkcs8(&self.opened("the transparency log", &key)?).map_err(crypto)?;
        let certificate = self.certificate("authority")?;
        let facts = certificate_facts(&crate::attestation::pem_to_der(certificate.as_bytes())?)?;
        let origin = origin(common_name(&facts));
        let mut log = Log::open(&self.transparency())?;
        let edge = log.tree(&origin, &key)?;
        let body = bundle.log_body()?;
        let checkpoint = bundle.add_log_entry(&edge, &origin, &key)?;
        log.append(&body, &checkpoint)
    }

    pub(super) fn timestamps(&self) -> Files {
        Files::new(&self.keys.join("notary"), TIMESTAMPS)
    }
    pub(super) fn log_key(&self) -> PathBuf {
        self.keys.join("notary/log.key.pem")
    }
    fn transparency(&self) -> PathBuf {
        self.keys.with_file_name("transparency")
    }
}

/// The name of a home's log. Other clients compare it with the host of the log's URL.
fn origin(authority: impl std::fmt::Display) -> String {
    format!("log.{authority}")
}

fn no_notary() -> ForgeError {
    ForgeError::new(&codes::E5008, "this home has no notary")
        .with_help("make its timestamp authority and log with `forgeone keys notary`")
}

fn crypto(error: common::crypto::CryptoError) -> ForgeError {
    ForgeError::new(&codes::E1203, "the notary's key cannot be used").reason(error.to_string())
}

/// The files of a log, held by this process alone.
struct Log {
    entries: File,
    path: PathBuf,
    checkpoint: PathBuf,
    /// Bytes of entries that the checkpoint covers.
    covered: u64,
}

impl Log {
    fn open(dir: &Path) -> Result<Self, ForgeError> {
        make_dir(dir)?;
        let path = dir.join("entries.jsonl");
        let open =
            File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let held = open.and_then(|file| file.lock().map(|()| file));
        let entries = held.map_err(|source| KeyError::File { doing: "lock", path: path.clone(), source })?;
        Ok(Self { entries, path, checkpoint: dir.join("checkpoint"), covered: 0 })
    }

    /// The tree that the checkpoint covers, whose root is the one that was signed. Every entry is read, one at a time.
    fn tree(&mut self, origin: &str, key: &SigningKey) -> Result<Edge, ForgeError> {
        let damaged = |why: &str| {
            ForgeError::new(&codes::E3003, format!("the log {} does not hold", self.path.display()))
                .reason(why)
                .with_help("restore `transparency/` from a copy; what others saw of it cannot be made again")
        };
        let Some(note) = read(&self.checkpoint)? else { return Ok(Edge::default()) };
        let signed = Checkpoint::open(&note, &key.public()).map_err(|e| damaged(&e.to_string()))?;
        let failed = |source| KeyError::File { doing: "read", path: self.path.clone(), source };
        let mut lines = BufReader::new(self.entries.try_clone().map_err(failed)?);
        lines.seek(SeekFrom::Start(0)).map_err(failed)?;
        let (mut edge, mut covered, mut line) = (Edge::default(), 0_u64, Vec::new());
        while edge.size() < signed.size {
            line.clear();
            let read = lines.by_ref().take(MAX_ENTRY).read_until(b'\n', &mut line).map_err(failed)?;
            let entry = line.strip_suffix(b"\n").ok_or_else(|| damaged("an entry is cut off or too long"))?;
            edge.push(leaf(entry));
            covered = covered.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        if signed.origin != origin || edge.root() != signed.root {
            return Err(damaged("its entries are not those the checkpoint was signed over"));
        }
        self.covered = covered;
        Ok(edge)
    }

    fn append(&mut self, body: &str, checkpoint: &str) -> Result<(), ForgeError> {
        let covered = self.covered;
        let mut put = || {
            self.entries.set_len(covered)?;
            self.entries.seek(SeekFrom::Start(covered))?;
            self.entries.write_all(format!("{body}\n").as_bytes())?;
            self.entries.sync_all()
        };
        put().map_err(|source| KeyError::File { doing: "write", path: self.path.clone(), source })?;
        Ok(write(&self.checkpoint, checkpoint.as_bytes(), Existing::Replace)?)
    }
}
