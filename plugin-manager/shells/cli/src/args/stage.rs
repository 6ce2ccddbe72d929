//! What may be typed of staging and reviews.

use clap::{Args, Subcommand};
use common::config::Span;
use common::identity::Name;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Stage {
    /// The package
    pub package: PathBuf,
    /// How many calls the soak makes [default: 1000]
    #[arg(long, value_name = "NUMBER", conflicts_with = "time", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub calls: Option<u64>,
    /// How long the soak takes instead
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<Span>,
    /// The signer of the home that attests it [default: the only one with the role `staging`]
    #[arg(long = "as", value_name = "NAME", conflicts_with = "dry_run")]
    pub stager: Option<Name>,
    /// Only try it, in a staging or development home: nothing is attested or written
    #[arg(long, conflicts_with = "output")]
    pub dry_run: bool,
    /// Where to write the attested package [default: the package itself]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Review {
    /// Take down that somebody reviewed the installed version of a plugin
    Plugin(ReviewPlugin),
    /// Take down that somebody reviewed the policies in force
    Policy(Reviewed),
    /// List who reviewed what, and by when the next review is due
    List,
}

#[derive(Debug, Args)]
pub struct ReviewPlugin {
    /// The plugin
    pub name: String,
    #[command(flatten)]
    pub reviewed: Reviewed,
}

#[derive(Debug, Args)]
pub struct Reviewed {
    /// Who reviewed it [default: you, by your user's name]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// What to remember with it; kept in the home and not in the audit log
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}
