//! Arguments of `keys`.

use clap::{Args, Subcommand, ValueEnum};
use common::identity::{Name, Publisher};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a certificate authority in the home and trust it
    Init(KeysInit),
    /// Make a publisher's key and certificate, and trust the publisher
    Issue(KeysIssue),
    /// Make the home's timestamp authority and transparency log, and trust both
    Notary(KeysNotary),
    /// Give a private key a passphrase, another one, or none
    Protect(KeysProtect),
    /// List the keys and certificates of the home
    List,
    /// Take a certificate back: the authority's revocation list names it from then on
    Revoke(KeysRevoke),
    /// Make a new key and certificate for the same identity; the ones before are kept
    Rotate(KeysRotate),
    /// Write out certificates, never private keys unless asked to
    Export(KeysExport),
}

/// Where the passphrase is that opens a key.
#[derive(Debug, Args)]
pub struct Unlocking {
    /// The file whose first line is the passphrase [default: FORGEONE_PASSPHRASE, else the terminal is asked]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// What a key that is made is protected with.
#[derive(Debug, Args)]
pub struct Protecting {
    #[command(flatten)]
    pub unlocking: Unlocking,
    /// Ask on the terminal for the passphrase of the key that is made [default: the one that was given, if any]
    #[arg(long)]
    pub passphrase: bool,
    /// The file whose first line is the passphrase of the key that is made
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Leave the key that is made without one
    #[arg(long, conflicts_with_all = ["passphrase", "new_passphrase_file"])]
    pub no_passphrase: bool,
}

#[derive(Debug, Args)]
pub struct KeysNotary {
    #[command(flatten)]
    pub protecting: Protecting,
}

#[derive(Debug, Args)]
pub struct KeysProtect {
    /// A publisher, a signer or `authority`
    #[arg(default_value = "authority")]
    pub who: String,
    /// The keys of the home's notary instead
    #[arg(long, conflicts_with = "who")]
    pub notary: bool,
    #[command(flatten)]
    pub unlocking: Unlocking,
    /// The file whose first line is the new passphrase [default: the terminal is asked]
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Leave the key without one
    #[arg(long, conflicts_with = "new_passphrase_file")]
    pub no_passphrase: bool,
}

#[derive(Debug, Args)]
pub struct KeysInit {
    /// The authority's name
    #[arg(long)]
    pub name: Name,
    /// Its certificates are for development only; production refuses them
    #[arg(long)]
    pub development: bool,
    #[command(flatten)]
    pub protecting: Protecting,
}

#[derive(Debug, Args)]
pub struct KeysIssue {
    /// The publisher, or with --signer the signer
    pub publisher: Publisher,
    /// It signs beside publishers, and is trusted with no package of its own
    #[arg(long, conflicts_with = "packages")]
    pub signer: bool,
    /// What the signer signs as
    #[arg(long, value_name = "ROLE", requires = "signer")]
    pub role: Vec<Name>,
    /// The kind of key
    #[arg(long, value_enum, default_value_t = KeyAlgorithm::P256)]
    pub algorithm: KeyAlgorithm,
    /// How long the certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// The certificate is for development only; production refuses it
    #[arg(long)]
    pub development: bool,
    /// The names the publisher may sign, as globs
    #[arg(long, num_args = 1.., value_name = "GLOB", default_value = "*")]
    pub packages: Vec<String>,
    #[command(flatten)]
    pub protecting: Protecting,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeyAlgorithm {
    Ed25519,
    P256,
}

#[derive(Debug, Args)]
pub struct KeysRevoke {
    /// A publisher or signer [default: nobody; the list is signed anew]
    pub who: Option<Publisher>,
    /// The certificate's serial number [default: the one in use]
    #[arg(long, value_name = "HEX", requires = "who")]
    pub serial: Option<String>,
    /// Put its serial number and key on the kill-list too
    #[arg(long, requires = "who")]
    pub kill: bool,
    /// How long the list is current
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    #[command(flatten)]
    pub unlocking: Unlocking,
}

#[derive(Debug, Args)]
pub struct KeysRotate {
    /// A publisher or signer
    pub who: Publisher,
    /// How long the new certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    #[command(flatten)]
    pub protecting: Protecting,
}

#[derive(Debug, Args)]
pub struct KeysExport {
    /// A publisher, or `authority`
    #[arg(default_value = "authority")]
    pub who: String,
    /// Write this home's trust as the trusted_root.json of Sigstore clients instead
    #[arg(long, conflicts_with_all = ["who", "include_private_key"])]
    pub sigstore_root: bool,
    /// Write the public key of this host's summaries of packages instead
    #[arg(long, conflicts_with_all = ["who", "include_private_key", "sigstore_root"])]
    pub host: bool,
    /// Where to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the private key too, as it is kept: under its passphrase if it has one
    #[arg(long, requires = "output")]
    pub include_private_key: bool,
}
