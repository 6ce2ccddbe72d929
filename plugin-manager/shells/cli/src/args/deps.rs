//! The grammar of `deps`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Deps {
    /// Print what a plugin needs, what that needs, and who is missing
    Tree(DepsTree),
    /// Say in words who wants what and does not get it
    Check(DepsCheck),
    /// Draw who needs whom
    Graph(DepsGraph),
    /// Write forgeone.lock anew from what is installed
    Lock(DepsLock),
}

#[derive(Debug, Args)]
pub struct DepsTree {
    /// The plugin [default: every plugin that none needs]
    pub name: Option<String>,
    /// A package to look at as if it were installed; may be given more than once
    #[arg(long = "with", value_name = "PACKAGE")]
    pub packages: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DepsCheck {
    /// Packages to look at as if they were installed
    #[arg(value_name = "PACKAGE")]
    pub packages: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DepsGraph {
    /// Packages to look at as if they were installed
    #[arg(value_name = "PACKAGE")]
    pub packages: Vec<PathBuf>,
    /// The language of the picture [default: what the end of FILE says, else dot]
    #[arg(long, value_enum)]
    pub format: Option<PictureFormat>,
    /// Where to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw only this plugin, what it needs and what needs it
    #[arg(long, value_name = "NAME")]
    pub about: Option<String>,
}

#[derive(Debug, Args)]
pub struct DepsLock {
    /// Write a copy here
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PictureFormat {
    /// For Graphviz
    Dot,
    /// For pages that know Mermaid
    Mermaid,
    /// A picture for every browser
    Svg,
}
