//! `secrets set|list|remove`: what plugins use or reveal where policy lets them.
//!
//! JSON of `set` and `remove`: `{"secret"}`; of `list`: `{"secrets":[name]}`.

use crate::args::{SecretSet, Secrets};
use crate::context::Context;
use crate::failure::{self, Failure};
use crate::files;
use crate::output::Show;
use common::error::{ForgeError, codes};
use forgeone_api::asks::{self, Parcel};
use serde::Serialize;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

/// Most bytes read of a value; the store keeps fewer.
const MAX_VALUE: u64 = 64 << 10;

#[derive(Debug, Serialize)]
struct Names {
    secrets: Vec<String>,
}

impl Show for Names {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.secrets.iter().try_for_each(|name| writeln!(out, "{name}"))
    }
}

#[derive(Debug, Serialize)]
struct Changed<'a> {
    secret: &'a str,
}

impl Show for Changed<'_> {
    fn human(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `secrets`.
///
/// # Errors
/// E0101 for a name or a value that is none, E5008 for a name that is not kept, or when the home cannot be opened.
pub fn run(context: &Context, args: &Secrets) -> Result<(), Failure> {
    match args {
        Secrets::List => {
            let secrets = context.ask(asks::SecretNames {})?;
            context.output().show(&Names { secrets })
        }
        Secrets::Set(set) => {
            let body = value(set)?;
            let head = asks::SetSecret { name: set.name.name.clone() };
            context.ask_to_the_end(Parcel { head, body })?.ended?;
            context.output().show(&Changed { secret: &set.name.name })
        }
        Secrets::Remove(gone) => {
            context.ask(asks::RemoveSecret { name: gone.name.clone() })?;
            context.output().show(&Changed { secret: &gone.name })
        }
    }
}

/// The value: from the file, from stdin where something is piped in, else asked for on the terminal without echo.
fn value(set: &SecretSet) -> Result<Vec<u8>, Failure> {
    let mut bytes = match &set.input {
        Some(path) if path != Path::new("-") => files::read(path, MAX_VALUE)?,
        None if io::stdin().is_terminal() => asked(&set.name.name)?,
        _ => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().take(MAX_VALUE).read_to_end(&mut bytes);
            read.map_err(|e| failure::file("read", Path::new("-"), &e))?;
            bytes
        }
    };
    for end in [b"\n".as_slice(), b"\r"] {
        if let Some(without) = bytes.strip_suffix(end) {
            bytes.truncate(without.len());
        }
    }
    match bytes.is_empty() {
        true => Err(ForgeError::new(&codes::E0101, "the secret is empty")
            .with_help("pipe the value in, or name its file with --input FILE")
            .into()),
        false => Ok(bytes),
    }
}

fn asked(name: &str) -> Result<Vec<u8>, Failure> {
    let terminal = console::Term::stderr();
    let typed = terminal.write_str(&format!("{name}: ")).and_then(|()| terminal.read_secure_line());
    Ok(typed.map_err(|e| failure::file("read", Path::new("/dev/tty"), &e))?.into_bytes())
}
