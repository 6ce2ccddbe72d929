//! `config NAME get|set|unset|list`: a plugin's settings (`config_get`) and, with `--env`, its variables (`env_get`).
//!
//! JSON of `get`: `{"plugin","section","key","value"}`; of `list`: `{"plugin","settings":[{"section","key","value"}]}`;
//! of `set` and `unset`: what `get` has, with `value` null after `unset`, whether or not it was set.

use crate::args::{Config, ConfigKey, ConfigVerb};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, write_table};
use common::error::{ForgeError, codes};
use forgeone_api::asks;
use forgeone_api::shown::Setting;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Serialize)]
struct Value<'a> {
    plugin: &'a str,
    section: &'a str,
    key: &'a str,
    value: Option<&'a str>,
}

impl Show for Value<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.value.map_or(Ok(()), |value| writeln!(out, "{value}"))
    }
}

#[derive(Debug, Serialize)]
struct Settings<'a> {
    plugin: &'a str,
    settings: Vec<Setting>,
}

impl Show for Settings<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["SECTION", "KEY", "VALUE"]);
        for s in &self.settings {
            table.add_row([&s.section, &one_line(&s.key), &one_line(&s.value)]);
        }
        write_table(out, &table)
    }
}

const fn section(key: &ConfigKey) -> &'static str {
    if key.env { "env" } else { "config" }
}

/// Runs `config`.
///
/// # Errors
/// E5001, E5008 for a key that is not set, or when the home cannot be opened.
pub fn run(context: &Context, args: &Config) -> Result<(), Failure> {
    match &args.verb {
        ConfigVerb::List => list(context, &args.name),
        ConfigVerb::Get(key) => {
            let value = get(context, &args.name, key)?;
            show(context, &args.name, key, Some(&value))
        }
        ConfigVerb::Set(set) => put(context, &args.name, &set.key, Some(&set.value)),
        ConfigVerb::Unset(key) => put(context, &args.name, key, None),
    }
}

fn list(context: &Context, name: &str) -> Result<(), Failure> {
    let settings = context.ask(asks::Settings { name: name.to_owned() })?;
    context.output().show(&Settings { plugin: name, settings })
}

fn get(context: &Context, name: &str, key: &ConfigKey) -> Result<String, Failure> {
    let settings = context.ask(asks::Settings { name: name.to_owned() })?;
    let found = settings.into_iter().find(|s| s.section == section(key) && s.key == key.key);
    found.map(|setting| setting.value).ok_or_else(|| {
        let message = format!("{name} has no {} `{}`", section(key), key.key);
        ForgeError::new(&codes::E5008, message)
            .with_help(format!("`forgeone config {name} list` shows what is set"))
            .into()
    })
}

fn is_set(context: &Context, name: &str, key: &ConfigKey) -> Result<bool, Failure> {
    let settings = context.ask(asks::Settings { name: name.to_owned() })?;
    Ok(settings.iter().any(|s| s.section == section(key) && s.key == key.key))
}

fn put(context: &Context, name: &str, key: &ConfigKey, value: Option<&str>) -> Result<(), Failure> {
    let human = !context.output().json();
    let gone = human && value.is_none() && !is_set(context, name, key)?;
    context.ask(asks::SetSetting {
        name: name.to_owned(),
        section: section(key).to_owned(),
        key: key.key.clone(),
        value: value.map(str::to_owned),
    })?;
    if !human {
        return show(context, name, key, value);
    }
    let did = match (value, gone) {
        (Some(_), _) => "set",
        (None, false) => "unset",
        (None, true) => "was not set:",
    };
    let line = format!("{did} {} `{}` of {name}\n", section(key), one_line(&key.key));
    context.output().bytes(line.as_bytes())
}

fn show(context: &Context, name: &str, key: &ConfigKey, value: Option<&str>) -> Result<(), Failure> {
    context.output().show(&Value { plugin: name, section: section(key), key: &key.key, value })
}
