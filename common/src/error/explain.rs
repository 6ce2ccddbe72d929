//! What each error code means, why it comes and what to do: the text of `forgeone explain` and of the error index.

mod texts;

use super::{ALL, Code, ErrorClass, codes};
use std::fmt::Write as _;

/// Codes that no part of this build gives. They keep their numbers for what they are meant for.
pub static RESERVED: &[&Code] = &[&codes::E4016, &codes::E5010];

/// What is known of a code beyond its title and its help.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// The code.
    pub code: &'static Code,
    /// What typically leads to it; at least one.
    pub reasons: &'static [&'static str],
    /// Something that gives it.
    pub example: &'static str,
}

impl Explanation {
    /// Whether no part of this build gives the code.
    pub fn reserved(&self) -> bool {
        RESERVED.iter().any(|code| code.id == self.code.id)
    }

    /// The page of the error index, in Markdown.
    pub fn page(&self) -> String {
        let Code { id, class, title, help } = self.code;
        let reasons: String = self.reasons.iter().fold(String::new(), |all, r| all + "- " + r + "\n");
        let (class, exit) = (class.name(), class.exit_code());
        let mut page = format!("# {id}: {title}\n\nClass `{class}`, exit code {exit}.\n\n");
        if self.reserved() {
            page.push_str("No part of this build gives this code; the number is kept.\n\n");
        }
        let (help, example) = (sentence(help), sentence(self.example));
        page + &format!("## Reasons\n\n{reasons}\n## Next step\n\n{help}\n\n## Example\n\n{example}\n")
    }
}

/// The text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), rest.as_str()))
}

/// The explanation of a code, by its id in any case.
///
/// ```
/// let e = common::error::explain("e1201").unwrap();
/// assert_eq!(e.code.id, "E1201");
/// assert!(e.page().contains("forgeone sign"));
/// ```
pub fn explain(id: &str) -> Option<&'static Explanation> {
    texts::TEXTS.iter().find(|e| e.code.id.eq_ignore_ascii_case(id))
}

/// Every code with its explanation, in the order of the table.
pub fn explanations() -> impl Iterator<Item = &'static Explanation> {
    ALL.iter().filter_map(|code| explain(code.id))
}

/// The error index in Markdown: a table of every code.
pub fn index() -> String {
    let mut text = String::from(
        "# Error index\n\nWritten by `cargo xtask errors` from `common/src/error`; `forgeone explain CODE` prints a page.\n\n\
         | code | class | exit | what happened |\n|---|---|---|---|\n",
    );
    for Explanation { code, .. } in explanations() {
        let Code { id, class, title, .. } = code;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| [{id}]({id}.md) | {} | {} | {title} |", class.name(), class.exit_code());
    }
    text
}

impl ErrorClass {
    /// The exit code of a command that ends with an error of this class.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Denied => 4,
            Self::Plugin => 5,
            Self::Limit => 6,
            Self::State => 7,
            Self::Audit => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_in_order() {
        let explained: Vec<&str> = texts::TEXTS.iter().map(|e| e.code.id).collect();
        let table: Vec<&str> = ALL.iter().map(|c| c.id).collect();
        assert_eq!(explained, table);
        for e in texts::TEXTS {
            for text in e.reasons.iter().chain([&e.example]) {
                assert!(text.len() > 8 && !text.ends_with(['.', ' ']), "{}: {text:?}", e.code.id);
            }
        }
    }

    #[test]
    fn reserved_codes_say_so_and_no_other_page_does() {
        for e in explanations() {
            assert_eq!(e.page().contains("No part of this build"), e.reserved(), "{}", e.code.id);
        }
        assert!(explain("E9999").is_none());
        assert_eq!(index().lines().filter(|l| l.starts_with("| [E")).count(), ALL.len());
    }
}
