//! `schema DOCUMENT`: the JSON Schema of a document, for editors and other tools. With `--json` the same bytes.

use crate::args::{Document, Schema};
use crate::context::Context;
use crate::failure::Failure;
use plugin_manager::{Config, Manifest, PluginToml};

/// Runs `schema`.
///
/// # Errors
/// When stdout cannot be written.
pub fn schema(context: &Context, args: &Schema) -> Result<(), Failure> {
    let text = match args.document {
        Document::PluginManager => Config::JSON_SCHEMA,
        Document::Manifest => Manifest::JSON_SCHEMA,
        Document::PluginToml => PluginToml::JSON_SCHEMA,
    };
    context.output().bytes(text.as_bytes())
}
