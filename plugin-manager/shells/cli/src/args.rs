//! The grammar of the command line. Says what may be typed; does nothing.

mod audit;
mod deps;
mod install;
mod keys;
mod pages;
mod secrets;
mod stage;
mod trial;

pub use audit::{AuditErase, AuditExport, EvidenceArgs};
pub use deps::{Deps, DepsCheck, DepsGraph, DepsLock, DepsTree, PictureFormat};
pub use install::Install;
pub use keys::{
    KeyAlgorithm, Keys, KeysExport, KeysInit, KeysIssue, KeysProtect, KeysRevoke, KeysRotate, Protecting,
    Unlocking,
};
pub use pages::{Completions, Document, Explain, Man, Schema};
pub use secrets::{SecretSet, Secrets};
pub use stage::{Review, Reviewed, Stage};
pub use trial::{OnTrial, Try};

use clap::{Args, Parser, Subcommand, ValueEnum};
use common::config::Span;
use common::identity::{Name, Publisher};
use std::path::PathBuf;

/// Signed WebAssembly plugins: proven, granted, sandboxed and recorded.
#[derive(Debug, Parser)]
#[command(name = "forgeone", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Print results and errors as JSON on stdout
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// The home directory [default: $XDG_DATA_HOME/forgeone]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FORGEONE_HOME",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub home: Option<PathBuf>,
    /// The configuration file [default: plugin-manager.yaml in the home]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// How long to wait for a home that another process uses
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", help_heading = "Global options")]
    pub wait: Span,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a directory with a new plugin that builds, is tested and can be packed
    New(New),
    /// Make a package from a directory with plugin.toml and plugin.wasm
    Pack(Pack),
    /// Sign a package
    Sign(Sign),
    /// Check a package as `install` would, and show each check
    Verify(PackageFile),
    /// Show what a package says of itself, trusting nothing
    Inspect(PackageFile),
    /// Make and show signing keys and certificates
    #[command(subcommand)]
    Keys(Keys),
    /// Try a package with its own tests and a soak, and attest that it passed
    Stage(Stage),
    /// Verify, grant, compile and install packages, with what they need
    Install(Install),
    /// Put another version in the place of an installed plugin, which is kept
    Upgrade(Upgrade),
    /// Put the version that is on trial in the place of the installed one now
    Promote(OnTrial),
    /// End the trial of a version now; the installed one goes on
    Abandon(OnTrial),
    /// Consent to a version that asks for more permissions, or reject it
    Approve(Approve),
    /// Go back to a version that was kept
    Rollback(Rollback),
    /// Stop and remove a plugin
    Remove(Remove),
    /// List the installed plugins
    List,
    /// Show one plugin, or all of them, in full
    Status(Status),
    /// Make a plugin run from now on
    Start(Plugin),
    /// Make a plugin not run from now on
    Stop(Plugin),
    /// Keep a plugin but refuse its calls until it is resumed
    Pause(Plugin),
    /// Let a paused plugin run again
    Resume(Plugin),
    /// Lift the quarantine of a plugin
    Release(Plugin),
    /// Call an operation; its result bytes go to stdout and nothing else does
    Call(Call),
    /// Read and change a plugin's settings
    Config(Config),
    /// Keep secrets that plugins use or reveal where policy lets them
    #[command(subcommand)]
    Secrets(Secrets),
    /// Show the last lines a plugin logged
    Logs(Logs),
    /// Show and check which plugins need which
    #[command(subcommand)]
    Deps(Deps),
    /// Look at the host's policies
    #[command(subcommand)]
    Policy(Policy),
    /// Read and check the audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Write figures from the audit log for an auditor
    Evidence(EvidenceArgs),
    /// Take down who reviewed plugins and policies, and show what is due
    #[command(subcommand)]
    Review(Review),
    /// Keep plugins running and answer other commands until SIGTERM
    Serve(Serve),
    /// Try what this build and machine can do, and say what is wrong
    Doctor,
    /// Print the completions of a shell
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
    /// Say what an error code means, why it comes and what to do
    Explain(Explain),
    /// Print the JSON Schema of a document
    Schema(Schema),
}

#[derive(Debug, Args)]
pub struct New {
    /// The plugin's name
    pub name: Name,
    /// Where to make it [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Who publishes it
    #[arg(long, value_name = "NAME", default_value = "me")]
    pub publisher: Publisher,
    /// What it is written in
    #[arg(long, value_enum, default_value_t = NewLanguage::Rust)]
    pub lang: NewLanguage,
    /// Use the crate forgeone-pdk in this directory instead of a copy of it
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum NewLanguage {
    Rust,
    C,
    Wat,
}

#[derive(Debug, Args)]
pub struct Pack {
    /// Has plugin.toml, and perhaps plugin.wasm, assets/ and sbom.cdx.json
    pub dir: PathBuf,
    /// The module [default: DIR/plugin.wasm]
    #[arg(long, value_name = "FILE")]
    pub wasm: Option<PathBuf>,
    /// The publisher, when plugin.toml names none
    #[arg(long, value_name = "NAME")]
    pub publisher: Option<Publisher>,
    /// Where to write [default: NAME-VERSION.forgepkg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Sign {
    /// The package
    pub package: PathBuf,
    /// The private key: PKCS#8, PEM
    #[arg(long, value_name = "FILE", requires = "cert", conflicts_with = "publisher")]
    pub key: Option<PathBuf>,
    /// The key's certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Use this publisher's key and certificate from the home's keys/
    #[arg(long, value_name = "NAME", required_unless_present_any = ["key", "cosigner"])]
    pub publisher: Option<Publisher>,
    /// Add the signature of this signer of the home beside the publisher's
    #[arg(long, value_name = "NAME", conflicts_with_all = ["publisher", "key", "timestamp", "timestamp_authority", "log"])]
    pub cosigner: Option<Publisher>,
    /// Where to write [default: the package itself]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Add a timestamp of the home's own authority, which `keys notary` makes
    #[arg(long, value_enum, value_name = "WHOSE", conflicts_with_all = ["timestamp_authority", "cosigner"])]
    pub timestamp: Option<Timestamp>,
    /// Add a timestamp of the RFC 3161 authority at this address: http://host/path
    #[arg(long, value_name = "URL", conflicts_with = "cosigner")]
    pub timestamp_authority: Option<String>,
    /// Enter the signature in the home's own transparency log, which `keys notary` makes
    #[arg(long, conflicts_with = "cosigner")]
    pub log: bool,
    #[command(flatten)]
    pub unlocking: Unlocking,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Timestamp {
    Local,
}

#[derive(Debug, Args)]
pub struct PackageFile {
    /// The package
    pub package: PathBuf,
}

#[derive(Debug, Args)]
pub struct Upgrade {
    /// The package
    pub package: PathBuf,
    /// A version lower than the installed one will do
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Consent to permissions that the installed version does not ask for
    #[arg(long)]
    pub accept_permissions: bool,
    /// Call this operation of the new version first; it must return 0
    #[arg(long, value_name = "OPERATION")]
    pub check: Option<String>,
    /// How long the installed version may finish calls once it is replaced; those that take longer are ended [default: its timeout]
    #[arg(long, value_name = "TIME")]
    pub drain: Option<Span>,
    #[command(flatten)]
    pub trial: Try,
}

#[derive(Debug, Args)]
pub struct Approve {
    /// The plugin
    #[arg(required_unless_present = "list")]
    pub name: Option<String>,
    /// The version [default: the only one that waits]
    #[arg(long, value_name = "VERSION", conflicts_with = "list")]
    pub version: Option<String>,
    /// Show what waits for consent
    #[arg(long)]
    pub list: bool,
    /// Drop the version instead
    #[arg(long, conflicts_with = "list")]
    pub reject: bool,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The plugin
    pub name: String,
    /// The version [default: the highest below the installed one]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// How long calls under way and plugins that stop may take once it is told to stop
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub drain: Span,
}

#[derive(Debug, Args)]
pub struct Remove {
    /// The plugin
    pub name: String,
    /// Keep stored values, files and saved state, which are erased otherwise; settings and the log always are
    #[arg(long)]
    pub keep_data: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// The plugin
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Plugin {
    /// The plugin
    pub name: String,
}

#[derive(Debug, Args)]
pub struct Call {
    /// The plugin
    pub name: String,
    /// One of its operations
    pub operation: String,
    /// The input; `-` is stdin [default: nothing]
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// End the call after this time [default: the plugin's timeout]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Span>,
}

#[derive(Debug, Args)]
pub struct Config {
    /// The plugin
    pub name: String,
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print one value
    Get(ConfigKey),
    /// Set one value; the plugin's next read of it sees it
    Set(ConfigSet),
    /// Remove one value
    Unset(ConfigKey),
    /// Print every value
    List,
}

#[derive(Debug, Args)]
pub struct ConfigKey {
    /// The key
    pub key: String,
    /// An environment variable (`env_get`) instead of a setting (`config_get`)
    #[arg(long)]
    pub env: bool,
}

#[derive(Debug, Args)]
pub struct ConfigSet {
    #[command(flatten)]
    pub key: ConfigKey,
    /// The value
    #[arg(allow_hyphen_values = true)]
    pub value: String,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// The plugin
    pub name: String,
    /// How many lines
    #[arg(short = 'n', long, default_value_t = 100)]
    pub lines: usize,
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Check trust/policy/*.cedar against the schema and list what would be loaded
    Check(PolicyCheck),
    /// Tell why a recorded call was denied, and the smallest grant that would allow it
    Explain(PolicyExplain),
    /// Decide the recorded calls again by other policies: what would change
    Test(PolicyTest),
    /// Decide the recorded calls by two sets of policies: where they differ
    Diff(PolicyDiff),
}

#[derive(Debug, Args)]
pub struct PolicyCheck {
    /// Another directory of .cedar files, which need not be in force [default: trust/policy in the home]
    #[arg(value_name = "DIR")]
    pub candidate: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PolicyExplain {
    /// The number of the record, as `forgeone audit tail` shows it
    pub seq: Option<u64>,
    /// The last denial of this plugin instead
    #[arg(long)]
    pub plugin: Option<String>,
}

#[derive(Debug, Args)]
pub struct PolicyTest {
    /// A directory of .cedar files
    pub candidate: PathBuf,
}

#[derive(Debug, Args)]
pub struct PolicyDiff {
    /// A directory of .cedar files
    pub old: PathBuf,
    /// Another one
    pub new: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Show the last records
    Tail(AuditTail),
    /// Check every record, the chain, the tree and the checkpoints
    Verify(AuditVerify),
    /// Prove that one record is in the log, or that the log continues an earlier checkpoint
    Prove(AuditProve),
    /// Accept a checkpoint that witnesses signed too
    Cosign(AuditCosign),
    /// Check the signature of the evidence a quarantine left, and show what is in it
    Quarantine(AuditQuarantine),
    /// Write or send records in the formats of other tools
    Export(AuditExport),
    /// Show whom records name by which pseudonym
    People,
    /// Forget a person: records stay, and no longer tell who it was
    Erase(AuditErase),
    /// Show how each action is recorded
    Classes,
}

#[derive(Debug, Args)]
pub struct AuditTail {
    /// How many records
    #[arg(short = 'n', long, default_value_t = 20)]
    pub lines: usize,
    /// Only records of what this plugin did and of what was done with it
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Only records that ended so
    #[arg(long, value_enum)]
    pub outcome: Option<RecordedOutcome>,
}

/// How what a record is of ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordedOutcome {
    Ok,
    Denied,
    Failed,
    Limit,
}

#[derive(Debug, Args)]
pub struct AuditVerify {
    /// A checkpoint kept elsewhere that the log must continue: a signed note, or one JSON string a line
    #[arg(long, value_name = "FILE")]
    pub from_checkpoint: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AuditProve {
    /// The record's sequence number
    #[arg(required_unless_present = "consistency")]
    pub seq: Option<u64>,
    /// Prove instead that the log continues the checkpoint in this file
    #[arg(long, value_name = "FILE", conflicts_with = "seq")]
    pub consistency: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AuditQuarantine {
    /// The bundle, as `forgeone status` names it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The verifier key of the log that signed it, as `forgeone audit verify` shows it [default: this home's]
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Write the signed statement there, as JSON
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AuditCosign {
    /// The checkpoint with the signatures of witnesses that `audit.witnesses` names
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
