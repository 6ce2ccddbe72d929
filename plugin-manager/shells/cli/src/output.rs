//! Where results go: stdout, as text for people or as one JSON value; never colour where none is wanted.

use crate::failure::Failure;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Something a command shows: `Serialize` is the documented JSON, `human` what people read.
pub trait Show: Serialize {
    /// Writes the text for people.
    ///
    /// # Errors
    /// When `out` cannot be written.
    fn human(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    stdout_colours: bool,
    stderr_colours: bool,
}

/// Colours are for terminals, unless `NO_COLOR` is set to anything but nothing, or the terminal is dumb.
fn colours(terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Whether stderr may have colours.
pub fn stderr_colours() -> bool {
    colours(io::stderr().is_terminal())
}

impl Output {
    /// For this process's streams.
    pub fn new(json: bool) -> Self {
        Self { json, stdout_colours: colours(io::stdout().is_terminal()), stderr_colours: stderr_colours() }
    }
    /// Without colours.
    #[cfg(test)]
    pub const fn plain(json: bool) -> Self {
        Self { json, stdout_colours: false, stderr_colours: false }
    }
    /// Whether results are JSON.
    pub const fn json(self) -> bool {
        self.json
    }
    /// Whether stdout may have colours.
    pub const fn stdout_colours(self) -> bool {
        self.stdout_colours
    }
    /// Whether stderr may have colours.
    pub const fn stderr_colours(self) -> bool {
        self.stderr_colours
    }
    /// The text in the colour of errors, for stderr.
    pub fn alarm(self, text: &str) -> String {
        if self.stderr_colours { format!("\u{1b}[1;31m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Prints a result.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn show<T: Show>(self, result: &T) -> Result<(), Failure> {
        if self.json {
            return self.value(result);
        }
        let mut text = Vec::new();
        result.human(&mut text)?;
        self.bytes(&text)
    }

    /// Prints one JSON value and a line end.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn value<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
        text.push(b'\n');
        self.bytes(&text)
    }

    /// Writes these bytes to stdout.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }
}

/// A word on how something stands, in the colour of good, doubtful or bad news where colours are wanted.
pub fn tone(word: &str) -> Cell {
    let colour = match word {
        "ok" | "passed" | "Running" => Some(Color::Green),
        "warning" | "skipped" | "partial" | "Paused" => Some(Color::Yellow),
        "problem" | "failed" | "denied" | "refused" | "none" | "Failed" | "Quarantined" => Some(Color::Red),
        _ => None,
    };
    colour.map_or_else(|| Cell::new(word), |colour| Cell::new(word).fg(colour))
}

/// A table without lines, as wide as the terminal.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    // Some terminals say that they have no columns: how wide they are is not known.
    let width = table.width().filter(|width| *width > 0);
    if !io::stdout().is_terminal() || width.is_none() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if !colours(io::stdout().is_terminal()) {
        // Without styles, and as wide all the same.
        table.force_no_tty();
        width.into_iter().for_each(|width| {
            table.set_width(width);
        });
    }
    table
}

/// Widths that break no word, so that a digest, a time or a path can be copied. Where they are more than the terminal
/// has, lines run over its edge.
fn unbroken(table: &Table) -> Table {
    let mut table = table.clone();
    let longest = |cells: Vec<String>| {
        let words = cells.iter().flat_map(|cell| cell.split([' ', '\n'])).map(|word| word.chars().count());
        u16::try_from(words.max().unwrap_or_default()).unwrap_or(u16::MAX)
    };
    let columns = table.column_iter().map(|column| column.index).collect::<Vec<_>>();
    for index in columns {
        let head = table.header().into_iter();
        let rows = head.chain(table.row_iter()).filter_map(|row| row.cell_iter().nth(index));
        let word = longest(rows.map(comfy_table::Cell::content).collect());
        let Some(column) = table.column_mut(index) else { continue };
        if index == 0 {
            column.set_padding((0, 1));
        }
        let lower = word.saturating_add(column.padding_width());
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(lower)));
    }
    table
}

/// Writes a table without the spaces at the ends of its lines.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_table(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    unbroken(table).to_string().lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// Writes `name  value` lines with the values in one column.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_pairs(out: &mut dyn Write, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().try_for_each(|(name, value)| writeln!(out, "{name:<width$}  {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["KIND", "WHY", "DIGEST"]).set_width(width);
        table.add_row(["authority", "a reason of several short words", "sha256:0123456789abcdef"]);
        let mut out = Vec::new();
        write_table(&mut out, &table).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_that_is_wrapped_keeps_its_columns() {
        let text = drawn(50);
        let (head, more) = (text.lines().next().unwrap(), text.lines().nth(2).unwrap());
        assert_eq!(head.find("WHY"), Some(more.len() - more.trim_start().len()), "{text}");
        assert!(head.starts_with("KIND"), "{text}");
    }

    #[test]
    fn no_word_is_broken_however_narrow_the_terminal_is() {
        for width in [1, 20, 40, 80, 200] {
            let text = drawn(width);
            assert!(
                text.contains("sha256:0123456789abcdef") && text.contains("authority"),
                "{width}\n{text}"
            );
        }
    }
}
