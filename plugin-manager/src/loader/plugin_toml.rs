//! `plugin.toml`, the author's source of a manifest: parsed as strictly, and compared with the manifest it became.

use super::document::{self, DocumentError};
use super::error::LoadError;
use super::manifest::{EnginePreference, FIELDS_TOML, MAX_MANIFEST, Manifest, Sections};
use super::manifest::{read_abi, read_engine, read_name, read_plugin_name, read_prose, read_version};
use common::identity::{Digest, Name, Publisher};
use semver::Version;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// What an author wrote: a manifest without the files, and perhaps without the publisher.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginToml {
    name: Name,
    version: Version,
    publisher: Option<Publisher>,
    description: Option<String>,
    author: Option<String>,
    license: Option<String>,
    abi: Option<u32>,
    engine: Option<EnginePreference>,
    sections: Sections,
}

impl PluginToml {
    /// The JSON Schema (draft 2020-12) of `plugin.toml`, for editors and other tools.
    pub const JSON_SCHEMA: &'static str = include_str!("../../schemas/plugin-toml.schema.json");

    /// Parses the text of a `plugin.toml`.
    ///
    /// ```
    /// use plugin_manager::loader::PluginToml;
    /// let source = PluginToml::parse("[plugin]\nname = \"hello\"\nversion = \"1.0.0\"").unwrap();
    /// assert_eq!(source.name().as_str(), "hello");
    /// ```
    ///
    /// # Errors
    /// On anything outside the schema: where, what, and the nearest known key.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        Self::read(text).map_err(LoadError::plugin_toml)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|e| LoadError::plugin_toml(DocumentError::new("", e.to_string())))?;
        Self::parse(text)
    }

    fn read(text: &str) -> Result<Self, DocumentError> {
        const PLUGIN: &[&str] =
            &["name", "version", "publisher", "description", "author", "license", "abi", "engine"];
        let mut top = document::toml(text, MAX_MANIFEST)?.fields(FIELDS_TOML)?;
        let mut plugin = top.need("plugin")?.fields(PLUGIN)?;
        Ok(Self {
            name: read_plugin_name(&plugin.need("name")?)?,
            version: read_version(&plugin.need("version")?)?,
            publisher: plugin.take("publisher").map(|n| read_name(&n)).transpose()?,
            description: read_prose(plugin.take("description"))?,
            author: read_prose(plugin.take("author"))?,
            license: read_prose(plugin.take("license"))?,
            abi: plugin.take("abi").map(|n| read_abi(&n)).transpose()?,
            engine: plugin.take("engine").map(|n| read_engine(&n)).transpose()?,
            sections: Sections::read(&mut top)?,
        })
    }

    /// The plugin's name.
    pub const fn name(&self) -> &Name {
        &self.name
    }
    /// Its version.
    pub const fn version(&self) -> &Version {
        &self.version
    }
    /// The publisher, when the source names one.
    pub const fn publisher(&self) -> Option<&Publisher> {
        self.publisher.as_ref()
    }

    pub(super) fn to_manifest(
        &self,
        publisher: Option<&Publisher>,
        files: BTreeMap<String, Digest>,
    ) -> Result<Manifest, DocumentError> {
        let publisher = match (&self.publisher, publisher) {
            (Some(own), Some(given)) if own != given => {
                let problem = format!("is {own}, but the package is to be published by {given}");
                return Err(DocumentError::new("plugin.publisher", problem));
            }
            (Some(publisher), _) | (None, Some(publisher)) => publisher.clone(),
            (None, None) => return Err(DocumentError::new("plugin", "the key `publisher` is missing")),
        };
        let s = self.sections.clone();
        Ok(Manifest {
            name: self.name.clone(),
            version: self.version.clone(),
            publisher,
            description: self.description.clone(),
            author: self.author.clone(),
            license: self.license.clone(),
            abi: self.abi.unwrap_or(super::manifest::ABI),
            engine: self.engine.unwrap_or_default(),
            entry_points: s.entry_points.unwrap_or_default(),
            operations: s.operations.unwrap_or_default(),
            dependencies: s.dependencies.unwrap_or_default(),
            permissions: s.permissions.unwrap_or_default(),
            limits: s.limits.unwrap_or_default(),
            instances: s.instances.unwrap_or_default(),
            files,
        })
    }

    /// Checks that whatever this source says, the manifest says too.
    pub(super) fn agrees_with(&self, m: &Manifest) -> Result<(), LoadError> {
        same("name", Some(&self.name), &m.name)?;
        same("version", Some(&self.version), &m.version)?;
        same("publisher", self.publisher.as_ref(), &m.publisher)?;
        same("description", self.description.as_ref().map(Some), m.description.as_ref())?;
        same("author", self.author.as_ref().map(Some), m.author.as_ref())?;
        same("license", self.license.as_ref().map(Some), m.license.as_ref())?;
        same("abi", self.abi.as_ref(), &m.abi)?;
        same("engine", self.engine.as_ref(), &m.engine)?;
        let s = &self.sections;
        same("entry_points", s.entry_points.as_ref(), &m.entry_points)?;
        same("operations", s.operations.as_ref(), &m.operations)?;
        same("dependencies", s.dependencies.as_ref(), &m.dependencies)?;
        same_permissions(s, m)?;
        same("limits", s.limits.as_ref(), &m.limits)?;
        same("instances", s.instances.as_ref(), &m.instances)
    }
}

/// The order of permissions says nothing, so it is not compared.
fn same_permissions(sections: &Sections, m: &Manifest) -> Result<(), LoadError> {
    let sorted = |list: &[common::permission::Permission]| {
        let mut texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        texts.sort_unstable();
        texts
    };
    let author = sections.permissions.as_deref().map(sorted);
    same("permissions", author.as_ref(), &sorted(&m.permissions))
}

fn same<T: PartialEq + Debug>(field: &'static str, author: Option<T>, manifest: T) -> Result<(), LoadError> {
    match author {
        Some(author) if author != manifest => Err(LoadError::Contradiction {
            field,
            author: document::clip(&format!("{author:?}")),
            manifest: document::clip(&format!("{manifest:?}")),
        }),
        _ => Ok(()),
    }
}
