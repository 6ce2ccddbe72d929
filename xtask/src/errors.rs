//! The error index, `plugin-manager/docs/errors`: written from the table in `common::error`, and compared with it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::project::root;

/// Where the index is.
const DIRECTORY: &str = "plugin-manager/docs/errors";

/// The files of the index by path, with their text.
fn pages() -> BTreeMap<String, String> {
    let page = |e: &common::error::Explanation| (format!("{DIRECTORY}/{}.md", e.code.id), e.page());
    let index = (format!("{DIRECTORY}/README.md"), common::error::index());
    common::error::explanations().map(page).chain([index]).collect()
}

/// `cargo xtask errors`.
pub fn write() -> Result<()> {
    let root = root()?;
    std::fs::create_dir_all(root.join(DIRECTORY))?;
    for path in stale(&root) {
        let file = root.join(&path);
        match pages().get(&path) {
            Some(text) => std::fs::write(&file, text).with_context(|| format!("cannot write {path}"))?,
            None => std::fs::remove_file(&file).with_context(|| format!("cannot remove {path}"))?,
        }
        println!("{path}");
    }
    Ok(())
}

/// The files that differ from what the table says, are missing, or belong to no code.
pub fn stale(root: &Path) -> Vec<String> {
    let pages = pages();
    let there = std::fs::read_dir(root.join(DIRECTORY)).into_iter().flatten().flatten();
    let names = there.map(|entry| format!("{DIRECTORY}/{}", entry.file_name().to_string_lossy()));
    let extra = names.filter(|path| !pages.contains_key(path));
    let differs = |(path, text): &(&String, &String)| {
        std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(*text)
    };
    let mut stale: Vec<String> = pages.iter().filter(differs).map(|(path, _)| path.clone()).collect();
    stale.extend(extra);
    stale.sort();
    stale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_changed_and_a_foreign_page_are_stale() {
        let root = std::env::temp_dir().join(format!("forgeone-errors-{}", std::process::id()));
        std::fs::create_dir_all(root.join(DIRECTORY)).unwrap();
        for (path, text) in pages() {
            std::fs::write(root.join(path), text).unwrap();
        }
        let in_order = stale(&root);
        std::fs::remove_file(root.join(DIRECTORY).join("E0001.md")).unwrap();
        std::fs::write(root.join(DIRECTORY).join("E0002.md"), "other").unwrap();
        std::fs::write(root.join(DIRECTORY).join("E9999.md"), "").unwrap();
        let found = stale(&root);
        std::fs::remove_dir_all(&root).unwrap();
        assert!(in_order.is_empty(), "{in_order:?}");
        assert_eq!(found, ["E0001", "E0002", "E9999"].map(|id| format!("{DIRECTORY}/{id}.md")));
    }
}
