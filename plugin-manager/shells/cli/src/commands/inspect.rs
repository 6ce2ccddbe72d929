//! `inspect`: what a package says of itself. Well-formed is checked, nothing is trusted: no home, no trust
//! configuration and no clock are read.
//!
//! JSON: [`Inspected`]; `manifest` is `manifest.json` as it stands in the package.

use super::status::joined;
use crate::args::PackageFile;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files::{self, MAX_FILE};
use crate::output::{Show, table, write_pairs, write_table};
use common::error::{ForgeError, codes};
use plugin_manager::{ClaimedSigner, Package, PackageLimits};
use serde::Serialize;
use std::io::{self, Write};

/// What a package says.
#[derive(Debug, Serialize)]
struct Inspected {
    digest: String,
    package_digest: String,
    signed: bool,
    /// What the signature's certificate says; nothing of it is proven here.
    claimed_signer: Option<Claim>,
    permissions: Vec<String>,
    files: Vec<FileLine>,
    manifest: serde_json::Value,
}

#[derive(Debug, Serialize)]
struct Claim {
    identity: String,
    algorithm: String,
    certificate: String,
}

impl From<ClaimedSigner> for Claim {
    fn from(c: ClaimedSigner) -> Self {
        Self { identity: c.identity, algorithm: c.algorithm, certificate: c.certificate.to_string() }
    }
}

#[derive(Debug, Serialize)]
struct FileLine {
    name: String,
    bytes: usize,
    digest: String,
}

fn files(package: &Package) -> Vec<FileLine> {
    let line = |(name, file): (&str, &plugin_manager::PackageFile)| FileLine {
        name: name.to_owned(),
        bytes: file.bytes().len(),
        digest: file.digest().to_string(),
    };
    package.contents().map(line).collect()
}

impl Inspected {
    fn of(package: &Package) -> Result<Self, ForgeError> {
        let manifest = package.manifest();
        let json = serde_json::from_slice(&manifest.to_json()).map_err(|e| {
            ForgeError::new(&codes::E0001, "the manifest cannot be shown").reason(e.to_string())
        })?;
        Ok(Self {
            digest: package.manifest_digest().to_string(),
            package_digest: package.digest().to_string(),
            signed: package.bundle().is_some(),
            claimed_signer: plugin_manager::claimed_signer(package)?.map(Claim::from),
            permissions: manifest.permissions.iter().map(ToString::to_string).collect(),
            files: files(package),
            manifest: json,
        })
    }
    fn text(&self, field: &str) -> String {
        one_line(self.manifest.get(field).and_then(serde_json::Value::as_str).unwrap_or("-"))
    }
    fn operations(&self) -> Vec<String> {
        let list = self.manifest.get("operations").and_then(serde_json::Value::as_array);
        let name = |o: &serde_json::Value| o.get("name").and_then(|n| n.as_str()).map(str::to_owned);
        list.map_or_else(Vec::new, |all| all.iter().filter_map(name).collect())
    }
}

impl Show for Inspected {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let signer = match &self.claimed_signer {
            Some(c) => format!("{} ({}), not verified here", one_line(&c.identity), c.algorithm),
            None => "not signed".to_owned(),
        };
        write_pairs(
            out,
            &[
                ("plugin", format!("{} {}", self.text("name"), self.text("version"))),
                ("publisher", format!("{}, as it says itself", self.text("publisher"))),
                ("description", self.text("description")),
                ("license", self.text("license")),
                ("engine", self.text("engine")),
                ("operations", joined(&self.operations())),
                ("permissions", joined(&self.permissions)),
                ("signer", signer),
                ("digest", self.digest.clone()),
            ],
        )?;
        writeln!(out)?;
        let mut table = table(&["FILE", "BYTES", "DIGEST"]);
        for file in &self.files {
            table.add_row([file.name.clone(), file.bytes.to_string(), file.digest.clone()]);
        }
        write_table(out, &table)
    }
}

/// Runs `inspect`.
///
/// # Errors
/// When the file cannot be read or is no package.
pub fn inspect(context: &Context, args: &PackageFile) -> Result<(), Failure> {
    let bytes = files::read(&args.package, MAX_FILE)?;
    let package = Package::load(&bytes, &PackageLimits::default()).map_err(ForgeError::from)?;
    context.output().show(&Inspected::of(&package)?)
}
