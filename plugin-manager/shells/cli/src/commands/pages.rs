//! `completions` and `man`: scripts and pages made from the grammar. Neither opens a home.
//!
//! JSON of `completions`: `{"shell","script"}`; of `man`: `{"page"}`, or `{"dir","pages"}` with `--dir`.

use crate::args::{Completions, Man};
use crate::context::Context;
use crate::failure::{self, Failure};
use crate::help::{self, ManPage};
use crate::output::Show;
use crate::{files, output};
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

#[derive(Debug, Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Show for Script {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.script.as_bytes())
    }
}

/// Runs `completions`.
///
/// # Errors
/// When stdout cannot be written.
pub fn completions(context: &Context, args: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::grammar(), "forgeone", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    context.output().show(&Script { shell: args.shell.to_string(), script })
}

#[derive(Debug, Serialize)]
struct Page {
    page: String,
}

impl Show for Page {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.page.as_bytes())
    }
}

#[derive(Debug, Serialize)]
struct Written<'a> {
    dir: &'a Path,
    pages: Vec<String>,
}

impl Show for Written<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        output::write_pairs(
            out,
            &[("written", format!("{} pages", self.pages.len())), ("in", self.dir.display().to_string())],
        )
    }
}

/// Runs `man`.
///
/// # Errors
/// When the directory or stdout cannot be written.
pub fn man(context: &Context, args: &Man) -> Result<(), Failure> {
    let pages = help::man_pages()?;
    let Some(dir) = &args.dir else {
        let page = pages.into_iter().next().map(|p| p.text).unwrap_or_default();
        return context.output().show(&Page { page });
    };
    fs::create_dir_all(dir).map_err(|e| failure::file("make", dir, &e))?;
    let write =
        |page: ManPage| files::write(&dir.join(&page.name), page.text.as_bytes(), 0o644).map(|()| page.name);
    let pages = pages.into_iter().map(write).collect::<Result<_, _>>()?;
    context.output().show(&Written { dir, pages })
}
