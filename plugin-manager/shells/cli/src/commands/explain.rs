//! `explain [CODE]`: what an error code means, why it comes and what to do; without a code, every code.
//!
//! JSON of `explain CODE`: [`Page`]; of `explain`: `{"codes":[{"code","class","exit","title"}]}`.

use crate::args::Explain;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, table, write_table};
use common::error::{Explanation, ForgeError, codes, explain as find, explanations};
use serde::Serialize;
use std::io::{self, Write};

/// Everything about one code.
#[derive(Debug, Serialize)]
struct Page {
    code: &'static str,
    class: &'static str,
    exit: u8,
    title: &'static str,
    reasons: &'static [&'static str],
    help: &'static str,
    example: &'static str,
    /// Whether this build never gives the code.
    reserved: bool,
    #[serde(skip)]
    text: String,
}

impl From<&Explanation> for Page {
    fn from(e: &Explanation) -> Self {
        Self {
            code: e.code.id,
            class: e.code.class.name(),
            exit: e.code.class.exit_code(),
            title: e.code.title,
            reasons: e.reasons,
            help: e.code.help,
            example: e.example,
            reserved: e.reserved(),
            text: e.page(),
        }
    }
}

impl Show for Page {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())
    }
}

#[derive(Debug, Serialize)]
struct Index {
    codes: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    code: &'static str,
    class: &'static str,
    exit: u8,
    title: &'static str,
}

impl Show for Index {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["CODE", "CLASS", "EXIT", "WHAT HAPPENED"]);
        for line in &self.codes {
            table.add_row([line.code, line.class, &line.exit.to_string(), line.title]);
        }
        write_table(out, &table)
    }
}

/// Runs `explain`.
///
/// # Errors
/// E5008 for a code there is not.
pub fn explain(context: &Context, args: &Explain) -> Result<(), Failure> {
    let Some(id) = &args.code else {
        let line = |e: &Explanation| Line {
            code: e.code.id,
            class: e.code.class.name(),
            exit: e.code.class.exit_code(),
            title: e.code.title,
        };
        return context.output().show(&Index { codes: explanations().map(line).collect() });
    };
    let page = find(id).or_else(|| find(&format!("E{id}"))).map(Page::from).ok_or_else(|| unknown(id))?;
    context.output().show(&page)
}

fn unknown(id: &str) -> ForgeError {
    ForgeError::new(&codes::E5008, format!("there is no error code {id}"))
        .with_help("`forgeone explain` lists every code")
}
