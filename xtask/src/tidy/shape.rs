//! The shape of a file: its promise, its length, the length of its functions, and no unfinished words.

use super::Finding;
use super::source::{Source, item_end, tokens};

/// Most lines of a file outside tests.
const MAX_FILE: usize = 500;
/// Most lines of a function outside tests, its signature included.
const MAX_FUNCTION: usize = 80;

/// Words that mean something is unfinished, put together here so that this file does not hold them.
const UNFINISHED: [&str; 9] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("st", "ub"),
    concat!("place", "holder"),
    concat!("for", " now"),
    concat!("not imple", "mented"),
];

/// What a test says that `cargo test` leaves out and another command runs.
const RUN_ELSEWHERE: &str = "= \"run by cargo xtask interop: ";

/// Every way in which the file is out of shape.
pub fn check(source: &Source) -> Vec<Finding> {
    let find = |line: usize, what: String| Finding::new(&source.path, line, what);
    let mut findings: Vec<_> = unfinished(source).into_iter().map(|(line, what)| find(line, what)).collect();
    let promise = source.text.lines().next().and_then(|line| line.strip_prefix("//! "));
    if promise.is_none_or(|promise| promise.trim().is_empty()) {
        findings.push(find(1, "the first line is not a promise (`//! …`)".into()));
    }
    let lines = source.text.lines().count();
    if lines > MAX_FILE && !source.is_test() {
        findings.push(find(lines, format!("{lines} lines: more than {MAX_FILE}, so two ideas live here")));
    }
    findings.extend(long_functions(source).into_iter().map(|(line, what)| find(line, what)));
    findings
}

fn unfinished(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for word in UNFINISHED.into_iter().filter(|word| holds(line, word)) {
            found.push((index + 1, format!("`{word}` stands for something unfinished")));
        }
        let line = line.trim_start();
        if line.starts_with(concat!("#[ig", "nore")) && !line.contains(RUN_ELSEWHERE) {
            found.push((index + 1, "a test that does not run".into()));
        }
    }
    found
}

/// Whether a line holds a word as a whole. Words in capitals are told from the same in small letters.
fn holds(line: &str, word: &str) -> bool {
    let capital = word.starts_with(char::is_uppercase);
    let line = if capital { line.to_owned() } else { line.to_ascii_lowercase() };
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        !is_letter(before) && (word.ends_with('!') || !is_letter(after))
    })
}

fn long_functions(source: &Source) -> Vec<(usize, String)> {
    let words = tokens(&source.library);
    let names =
        words.iter().zip(words.iter().skip(1)).filter(|(word, name)| word.text == "fn" && name.is_name());
    names
        .filter_map(|(word, name)| {
            let first = source.line(word.offset);
            let last = source.line(item_end(&source.library, name.offset).saturating_sub(1));
            let lines = last + 1 - first;
            (lines > MAX_FUNCTION).then(|| {
                (first, format!("the function {} has {lines} lines: more than {MAX_FUNCTION}", name.text))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(path, text.to_owned())).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_file_begins_with_its_promise() {
        assert_eq!(found("a.rs", "//! Does one thing.\n"), [0; 0]);
        for text in ["fn f() {}", "", "//!\n", "// Does.\n", "\n//! Late.\n"] {
            assert_eq!(found("a.rs", text), [1], "{text:?}");
        }
    }

    #[test]
    fn unfinished_words_are_found_as_whole_words() {
        for word in UNFINISHED {
            assert_eq!(found("a.rs", &format!("//! A.\n// {word}\n")), [2], "{word}");
        }
        let test = format!("//! A.\n{}]\n", concat!("#[ig", "nore"));
        assert_eq!(found("a.rs", &test), [2]);
        let elsewhere = format!("//! A.\n{} {RUN_ELSEWHERE}needs fish\"]\n", concat!("#[ig", "nore"));
        assert_eq!(found("a.rs", &elsewhere), [0; 0]);
        assert_eq!(found("a.rs", "//! A stubborn xxx, todos.\n"), [0; 0]);
    }

    #[test]
    fn long_files_and_functions_are_found_outside_tests() {
        let long = format!("//! A.\n{}", "\n".repeat(MAX_FILE));
        assert_eq!(found("a.rs", &long), [MAX_FILE + 1]);
        assert_eq!(found("a/tests.rs", &long), [0; 0]);
        let function = |lines: usize| {
            format!("//! A.\nimpl A {{\nfn f(a: [u8; 2]) {{{}}}\nfn g();\n}}\n", "\n".repeat(lines))
        };
        assert_eq!(found("a.rs", &function(MAX_FUNCTION)), [3]);
        assert_eq!(found("a.rs", &function(MAX_FUNCTION - 1)), [0; 0]);
        assert_eq!(found("tests/it/a.rs", &function(MAX_FUNCTION)), [0; 0]);
    }
}
