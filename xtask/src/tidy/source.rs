//! A source file as the checks see it: its code without comments and strings, and without its tests.

/// One `.rs` file.
#[derive(Debug)]
pub struct Source {
    /// Its path from the workspace's root, with `/`.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The code: comments, strings and character literals are spaces, lines and offsets as in the file.
    pub code: String,
    /// The code that is not `#[cfg(test)]`; all spaces in a file that is a test altogether.
    pub library: String,
}

/// A path such as `crate::abi::Vm`, with `use` groups spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePath<'s> {
    /// Where its last part stands.
    pub offset: usize,
    /// Its parts.
    pub parts: Vec<&'s str>,
    /// Whether it stands in a `use`.
    pub used: bool,
}

/// A word of the code: an identifier, `::`, or one other character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'s> {
    pub offset: usize,
    pub text: &'s str,
}

impl Token<'_> {
    pub fn is_name(&self) -> bool {
        self.text.starts_with(is_name_char)
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: &str, text: String) -> Self {
        let code = blank_literals(&text);
        let library = if is_test_file(path) { blank(&code) } else { blank_tests(&code) };
        Self { path: path.to_owned(), text, code, library }
    }

    /// Whether the file holds nothing but tests.
    pub fn is_test(&self) -> bool {
        is_test_file(&self.path)
    }

    /// The line, from 1, an offset is in.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
        || ["/tests/", "/benches/", "/fuzz/"].iter().any(|part| path.contains(part))
}

/// The words of some code, in order.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(rest) = code.get(offset..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        let len = if is_name_char(first) {
            rest.find(|c| !is_name_char(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(Token { offset, text: rest.get(..len).unwrap_or_default() });
        }
        offset += len;
    }
    tokens
}

/// Every path in some code.
pub fn paths(code: &str) -> Vec<NamePath<'_>> {
    let tokens = tokens(code);
    let mut reader = Reader { tokens: &tokens, at: 0, paths: Vec::new() };
    while let Some(token) = reader.peek(0) {
        let used = reader.at.checked_sub(1).and_then(|i| tokens.get(i)).is_some_and(|t| t.text == "use");
        if token.is_name() && token.text != "use" {
            reader.path(&[], used);
        } else {
            reader.at += 1;
        }
    }
    reader.paths
}

struct Reader<'t, 's> {
    tokens: &'t [Token<'s>],
    at: usize,
    paths: Vec<NamePath<'s>>,
}

impl<'s> Reader<'_, 's> {
    fn peek(&self, ahead: usize) -> Option<Token<'s>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn is(&self, ahead: usize, text: &str) -> bool {
        self.peek(ahead).is_some_and(|token| token.text == text)
    }

    /// Reads one path that goes on `prefix`; a group spells out each of its members.
    fn path(&mut self, prefix: &[&'s str], used: bool) {
        let mut parts = prefix.to_vec();
        let mut offset = 0;
        while let Some(token) = self.peek(0).filter(Token::is_name) {
            parts.push(token.text);
            offset = token.offset;
            self.at += 1;
            if !self.is(0, "::") {
                break;
            }
            if self.is(1, "{") {
                self.at += 2;
                return self.group(&parts, used);
            }
            self.at += 1;
        }
        self.paths.push(NamePath { offset, parts, used });
    }

    fn group(&mut self, prefix: &[&'s str], used: bool) {
        while let Some(token) = self.peek(0) {
            match token.text {
                "}" => {
                    self.at += 1;
                    return;
                }
                "as" => self.at += 2,
                _ if token.is_name() => self.path(prefix, used),
                _ => self.at += 1,
            }
        }
    }
}

/// Spaces where the text is, line ends where they are.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// Where the comment or literal that begins `rest` ends; nothing when it is code.
fn literal(rest: &str) -> Option<usize> {
    let end = |from: usize, mark: &str| {
        rest.get(from..).and_then(|r| r.find(mark)).map_or(rest.len(), |i| from + i)
    };
    match rest.as_bytes() {
        [b'/', b'/', ..] => Some(end(0, "\n")),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, 1, b'"')),
        [b'b' | b'c', b'"', ..] => Some(quoted(rest, 2, b'"')),
        [b'b', b'\'', ..] => Some(quoted(rest, 2, b'\'')),
        [b'r', b'"' | b'#', ..] => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] => raw(rest, 2),
        [b'\'', b'\\', ..] => Some(quoted(rest, 1, b'\'')),
        [b'\'', ..] => character(rest),
        _ => None,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(text) = rest.get(at..).filter(|text| !text.is_empty()) {
        let step = if text.starts_with("/*") {
            depth += 1;
            2
        } else if text.starts_with("*/") {
            depth -= 1;
            2
        } else {
            text.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &str, from: usize, mark: u8) -> usize {
    let mut bytes = rest.bytes().enumerate().skip(from);
    while let Some((index, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == mark {
            return index + 1;
        }
    }
    rest.len()
}

fn raw(rest: &str, from: usize) -> Option<usize> {
    let hashes = rest.bytes().skip(from).take_while(|byte| *byte == b'#').count();
    let open = from + hashes;
    if rest.as_bytes().get(open) != Some(&b'"') {
        return None; // A raw identifier.
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = rest.get(open + 1..)?;
    Some(body.find(&close).map_or(rest.len(), |i| open + 1 + i + close.len()))
}

/// `'x'`, told from the lifetime `'x`.
fn character(rest: &str) -> Option<usize> {
    let c = rest.chars().nth(1)?;
    let end = 1 + c.len_utf8();
    (rest.as_bytes().get(end) == Some(&b'\'')).then_some(end + 1)
}

fn blank_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let (mut at, mut in_name) = (0, false);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let c = rest.chars().next().unwrap_or(' ');
        // The `r` of `for"` or the `b` of `b'x'` only count where no name goes on.
        let found = if in_name && c != '"' { None } else { literal(rest) };
        match found {
            Some(len) => {
                code.push_str(&blank(rest.get(..len).unwrap_or_default()));
                at += len;
                in_name = false;
            }
            None => {
                // Offsets stay those of the text, whatever the alphabet.
                if c.is_ascii() {
                    code.push(c)
                } else {
                    code.push_str(&" ".repeat(c.len_utf8()))
                }
                at += c.len_utf8();
                in_name = is_name_char(c);
            }
        }
    }
    code
}

/// The code without the items marked `#[cfg(test)]`.
fn blank_tests(code: &str) -> String {
    let mut library = code.to_owned();
    for (start, mark) in code.match_indices("#[cfg(test)]") {
        let body = start + mark.len();
        let end = item_end(code, body);
        let gone = blank(code.get(start..end).unwrap_or_default());
        library.replace_range(start..end, &gone);
    }
    library
}

/// Where the item that begins at `from` ends: after its braces, or its semicolon.
pub fn item_end(code: &str, from: usize) -> usize {
    let (mut depth, mut brackets) = (0i32, 0i32);
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        let ended = (byte == b'}' && depth <= 0) || (byte == b';' && depth == 0);
        if ended && brackets == 0 {
            return offset + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(code: &str) -> Vec<String> {
        paths(code).into_iter().map(|path| path.parts.join("::")).collect()
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = "a // x\n/* y /* z */ */ b \"p\\\"q\" r#\"s\"t\"# 'u' '\\'' b'v' &'w c br\"d\" e";
        let source = Source::new("a.rs", text.to_owned());
        let words: Vec<_> = tokens(&source.code).into_iter().map(|t| t.text).collect();
        assert_eq!(words, ["a", "b", "&", "'", "w", "c", "e"]);
        assert_eq!(source.code.len(), text.len());
        assert_eq!(source.line(text.find('b').unwrap()), 2);
    }

    #[test]
    fn groups_are_spelled_out() {
        let code = "use crate::{a, b::{C, d::E as F}, g}; fn h() { i::j::<k>(); }";
        let found = names(code);
        for path in ["crate::a", "crate::b::C", "crate::b::d::E", "crate::g", "i::j", "k"] {
            assert!(found.iter().any(|f| f == path), "{path} in {found:?}");
        }
        assert!(paths(code).iter().filter(|p| p.used).count() == 4);
    }

    #[test]
    fn tests_are_not_library() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests { use x::y; }\n#[cfg(test)]\nuse p::q;\nfn b() {}";
        let source = Source::new("common/src/a.rs", text.to_owned());
        assert_eq!(tokens(&source.library).iter().filter(|t| t.text == "fn").count(), 2);
        assert!(!source.library.contains("x::y") && !source.library.contains("p::q"));
        assert!(source.code.contains("x::y"));
        assert!(Source::new("tests/it/a.rs", "fn a() {}".into()).library.trim().is_empty());
    }
}
