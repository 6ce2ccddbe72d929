//! Where passphrases come from: a file, the environment, or the terminal, which does not show them.

use crate::failure;
use crate::files;
use common::error::{ForgeError, codes};
use plugin_manager::{Passphrase, SecretValue};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;

/// The environment variable that may have one.
const VARIABLE: &str = "FORGEONE_PASSPHRASE";

/// What opens keys: the one passphrase that was given, or what is asked for, once for each key.
#[derive(Debug)]
pub struct Source {
    given: Option<Passphrase>,
    asked: RefCell<BTreeMap<String, Passphrase>>,
}

impl Source {
    /// The passphrase of this file, else of the environment, else of the terminal.
    ///
    /// # Errors
    /// When the file cannot be read, or what it or the environment has is no passphrase.
    pub fn new(file: Option<&Path>) -> Result<Self, ForgeError> {
        let given = match (file, std::env::var_os(VARIABLE)) {
            (Some(file), _) => Some(in_file(file)?),
            (None, Some(text)) if !text.is_empty() => {
                let text = text
                    .into_string()
                    .map_err(|_| ForgeError::new(&codes::E0101, format!("{VARIABLE} is not UTF-8 text")))?;
                Some(Passphrase::new(text)?)
            }
            (None, _) => None,
        };
        Ok(Self { given, asked: RefCell::default() })
    }

    /// The one that was given.
    pub fn given(&self) -> Option<&Passphrase> {
        self.given.as_ref()
    }

    /// The passphrase of a key.
    ///
    /// # Errors
    /// E0141 when none was given and there is no terminal to ask on.
    pub fn of(&self, whose: &str) -> Result<Passphrase, ForgeError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        if let Some(asked) = self.asked.borrow().get(whose) {
            return Ok(asked.clone());
        }
        let asked = ask(&format!("passphrase of {whose}"))?;
        self.asked.borrow_mut().insert(whose.to_owned(), asked.clone());
        Ok(asked)
    }
}

/// The first line of a file.
///
/// # Errors
/// When it cannot be read or is no passphrase.
pub fn in_file(path: &Path) -> Result<Passphrase, ForgeError> {
    let bytes = SecretValue::new(files::read(path, 64 << 10)?);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| {
        ForgeError::new(&codes::E0101, format!("{} does not have a passphrase in UTF-8", path.display()))
    })?;
    Ok(Passphrase::new(text.to_owned())?)
}

/// Asks for a passphrase that does not exist yet, twice.
///
/// # Errors
/// E0141 without a terminal; E0101 when the second is another.
pub fn ask_new(whose: &str) -> Result<Passphrase, ForgeError> {
    let first = ask(&format!("new passphrase of {whose}"))?;
    match ask("the same again")? == first {
        true => Ok(first),
        false => Err(ForgeError::new(&codes::E0101, "the two passphrases differ")),
    }
}

fn ask(prompt: &str) -> Result<Passphrase, ForgeError> {
    if !io::stdin().is_terminal() {
        return Err(ForgeError::new(&codes::E0141, format!("there is no terminal to ask for the {prompt}")));
    }
    let terminal = console::Term::stderr();
    let typed = terminal.write_str(&format!("{prompt}: ")).and_then(|()| terminal.read_secure_line());
    Ok(Passphrase::new(typed.map_err(|e| failure::file("read", Path::new("/dev/tty"), &e))?)?)
}
