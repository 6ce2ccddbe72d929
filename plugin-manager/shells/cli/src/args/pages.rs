//! The grammar of what helps people: `completions`, `man`, `explain` and `schema`.

use clap::{Args, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Write forgeone.1 and a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The code, such as E1204 [default: a list of every code]
    pub code: Option<String>,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// The document
    #[arg(value_enum)]
    pub document: Document,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Document {
    /// plugin-manager.yaml, the host's configuration
    PluginManager,
    /// manifest.json of a package
    Manifest,
    /// plugin.toml, what authors write
    PluginToml,
}
