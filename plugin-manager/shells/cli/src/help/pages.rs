//! Manual pages of every command, from the grammar: the same bytes each time, without a date.

use super::{examples, grammar};
use crate::failure::Failure;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// One page.
#[derive(Debug)]
pub struct ManPage {
    /// The name of its file.
    pub name: String,
    /// Its roff.
    pub text: String,
}

/// When the pages of this version were written.
const DATE: &str = "2026-11-21";

/// The exit codes as rows of the page.
const EXITS: [(&str, &str); 9] = [
    ("0", "done"),
    ("1", "internal or I/O error"),
    ("2", "bad usage or bad configuration"),
    ("3", "refused: package, integrity, signature, certificate, trust or dependencies"),
    ("4", "denied by policy"),
    ("5", "the plugin failed: nonzero status or trap"),
    ("6", "a limit or a timeout"),
    ("7", "not found, or conflict with the current state"),
    ("8", "audit log damaged or unavailable"),
];

/// All pages; `forgeone.1` first.
///
/// # Errors
/// When a page is not text, which no grammar makes happen.
pub fn man_pages() -> Result<Vec<ManPage>, Failure> {
    let mut root = grammar().disable_help_flag(true).disable_version_flag(true);
    root.build();
    let mut pages = Vec::new();
    let mut open = vec![("forgeone".to_owned(), root)];
    while let Some((path, command)) = open.pop() {
        let below = command.get_subcommands().map(|c| (format!("{path} {}", c.get_name()), c.clone()));
        let mut below: Vec<_> = below.collect();
        below.reverse();
        pages.push(page(&path, command)?);
        open.extend(below);
    }
    Ok(pages)
}

fn page(path: &str, command: Command) -> Result<ManPage, Failure> {
    let title = path.replace(' ', "-");
    let below: Vec<String> = command.get_subcommands().map(|c| format!("{title}-{}", c.get_name())).collect();
    let man = Man::new(command.display_name(title.clone()))
        .title(title.clone())
        .date(DATE)
        .source(concat!("forgeone ", env!("CARGO_PKG_VERSION")))
        .manual("ForgeOne Plugin Manager");
    let mut bytes = Vec::new();
    man.render_title(&mut bytes)?;
    man.render_name_section(&mut bytes)?;
    man.render_synopsis_section(&mut bytes)?;
    man.render_description_section(&mut bytes)?;
    man.render_options_section(&mut bytes)?;
    if !below.is_empty() {
        man.render_subcommands_section(&mut bytes)?;
    }
    let mut rest = Roff::new();
    examples_section(&mut rest, path);
    exits_section(&mut rest);
    see_also(&mut rest, &title, &below);
    rest.to_writer(&mut bytes)?;
    let text = without_idle_breaks(&String::from_utf8_lossy(&bytes));
    Ok(ManPage { name: format!("{title}.1"), text })
}

/// Drops the line breaks beside an empty line, which do nothing and which linters of pages report.
fn without_idle_breaks(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let blank = |at: Option<usize>| at.and_then(|at| lines.get(at)).is_some_and(|line| line.is_empty());
    let idle = |at: usize| blank(at.checked_sub(1)) || blank(at.checked_add(1));
    let kept = lines.iter().enumerate().filter(|(at, line)| **line != ".br" || !idle(*at));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

fn examples_section(page: &mut Roff, path: &str) {
    let Some(lines) = examples::of(path) else { return };
    page.control("SH", ["EXAMPLES"]);
    page.control("nf", []);
    for line in lines {
        page.text([roman(*line)]);
    }
    page.control("fi", []);
}

fn exits_section(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXITS {
        page.control("TP", []);
        page.text([bold(code)]);
        page.text([roman(meaning)]);
    }
}

fn see_also(page: &mut Roff, title: &str, below: &[String]) {
    let above = title.rsplit_once('-').map(|(above, _)| above.to_owned());
    let named: Vec<String> =
        above.into_iter().chain(below.iter().cloned()).map(|n| format!("{n}(1)")).collect();
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(named.join(", "))]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_of_its_own_name() {
        let pages = man_pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names[0], "forgeone.1");
        assert!(names.contains(&"forgeone-deps-graph.1") && names.contains(&"forgeone-keys.1"), "{names:?}");
        for page in &pages {
            assert!(page.text.contains("EXIT STATUS"), "{}", page.name);
        }
    }
}
