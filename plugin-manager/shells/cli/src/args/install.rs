//! The grammar of `install`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Install {
    /// The packages
    #[arg(value_name = "PACKAGE", required_unless_present = "locked")]
    pub packages: Vec<PathBuf>,
    /// A folder whose packages may be taken for what is needed; may be given more than once
    #[arg(long, value_name = "DIR")]
    pub from: Vec<PathBuf>,
    /// Install exactly what this lock file lists, of the packages that are named and those in DIR
    #[arg(long, value_name = "FILE")]
    pub locked: Option<PathBuf>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Leave what is installed stopped
    #[arg(long)]
    pub no_start: bool,
    /// A version lower than the installed one will do for what is needed
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Consent to permissions that an installed version does not ask for
    #[arg(long)]
    pub accept_permissions: bool,
}
