//! `new`: a directory with a plugin that builds, is tested and can be packed. Its JSON is [`Made`].

use crate::args::{New, NewLanguage};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use plugin_manager::{Language, Scaffold, Sdk};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// A plugin that was begun.
#[derive(Debug, Serialize)]
struct Made {
    name: String,
    publisher: String,
    language: &'static str,
    dir: PathBuf,
    /// Paths in the directory, sorted; those of the copied SDK under `vendor/` are left out.
    files: Vec<String>,
    /// Commands to run in the directory, in order.
    next: Vec<String>,
}

impl Show for Made {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let made = format!("{} by {}, in {}", self.name, self.publisher, self.language);
        write_pairs(out, &[("made", made), ("directory", self.dir.display().to_string())])?;
        writeln!(out, "\nnext:")?;
        writeln!(out, "  cd {}", quoted(&self.dir.display().to_string()))?;
        self.next.iter().try_for_each(|step| writeln!(out, "  {step}"))
    }
}

/// A path as a shell reads it back.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:".contains(c);
    match !path.is_empty() && path.chars().all(plain) && !path.starts_with('-') {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// Runs `new`.
///
/// # Errors
/// When something is there already, or the directory cannot be written.
pub fn new(context: &Context, args: New) -> Result<(), Failure> {
    let language = match args.lang {
        NewLanguage::Rust => Language::Rust,
        NewLanguage::C => Language::C,
        NewLanguage::Wat => Language::Wat,
    };
    let dir = args.dir.unwrap_or_else(|| args.name.as_str().into());
    let sdk = args.sdk.map_or(Sdk::Vendored, Sdk::Path);
    let scaffold = Scaffold { name: args.name, publisher: args.publisher, language, sdk };
    let made = scaffold.write(&dir)?;
    context.output().show(&Made {
        name: scaffold.name.to_string(),
        publisher: scaffold.publisher.to_string(),
        language: language.name(),
        dir: made.dir,
        files: made.files,
        next: made.next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_when_a_shell_would_split_them() {
        for (path, shown) in
            [("a/b-1", "a/b-1"), ("my plugin", "'my plugin'"), ("it's", r"'it'\''s'"), ("~", "'~'")]
        {
            assert_eq!(quoted(path), shown);
        }
    }
}
