//! `audit people|erase`: whom records name by which pseudonym, and forgetting one.
//!
//! JSON of `people`: `{"people":[{"name","pseudonym","commitment","salt"}]}`; of `erase`: `{"erased"}`, the pseudonym.

use crate::args::AuditErase;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, table, write_table};
use common::identity::Digest;
use forgeone_api::asks;
use plugin_manager::{AuditSource, Person};
use serde::Serialize;
use std::io::{self, Write};

/// Whom records name.
#[derive(Debug, Serialize)]
struct People {
    people: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    pseudonym: String,
    /// SHA-256 of the salt and then the name.
    commitment: String,
    /// 64 hexadecimal digits.
    salt: String,
}

impl From<Person> for Row {
    fn from(person: Person) -> Self {
        Self {
            name: person.name,
            pseudonym: person.pseudonym,
            commitment: person.commitment.to_string(),
            salt: Digest::from_bytes(person.salt).hex(),
        }
    }
}

impl Show for People {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["PSEUDONYM", "NAME"]);
        for row in &self.people {
            table.add_row([&row.pseudonym, &row.name]);
        }
        write_table(out, &table)
    }
}

/// Who was erased, as records go on to name one.
#[derive(Debug, Serialize)]
struct Erased {
    erased: String,
}

impl Show for Erased {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "records say {} and nothing tells who that was", self.erased)
    }
}

/// Runs `audit people`.
///
/// # Errors
/// E5008 without a log, E0003 for files of `people/` that cannot be used.
pub fn list(context: &Context) -> Result<(), Failure> {
    let people = AuditSource::of(context.home())?.people()?;
    context.output().show(&People { people: people.into_iter().map(Row::from).collect() })
}

/// Runs `audit erase`.
///
/// # Errors
/// E5008 when records name nobody of this name, E3001 when the erasure cannot be recorded.
pub fn erase(context: &Context, args: &AuditErase) -> Result<(), Failure> {
    let erased = context.ask(asks::ErasePerson { name: args.subject.clone() })?;
    context.output().show(&Erased { erased })
}
