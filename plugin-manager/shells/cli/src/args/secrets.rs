//! What may be typed of secrets. A value is never an argument: others on the machine see those.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Keep a secret, read from the terminal without showing it, or from a file or stdin
    Set(SecretSet),
    /// List the names of the secrets; values are not shown by any command
    List,
    /// Remove a secret
    Remove(SecretName),
}

#[derive(Debug, Args)]
pub struct SecretSet {
    #[command(flatten)]
    pub name: SecretName,
    /// The file of the value, `-` for stdin; one line end at its end does not belong to it
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SecretName {
    /// The name: a-z, 0-9, `.`, `_`, `-` and `/`
    pub name: String,
}
