//! Settings of plugins given by `forgeone config NAME set`: text by plugin, section and key.

use super::db::{OrDb, SETTINGS, just_above};
use super::{Home, StoreError, plans};
use common::identity::Name;
use redb::ReadableTable;
use std::collections::BTreeMap;

/// Most bytes of a key.
const KEY_BYTES: usize = 256;
/// Most bytes of a value.
const VALUE_BYTES: usize = 64 << 10;
/// Most keys of one section of a plugin; all settings are held in memory.
const SETTINGS_KEPT: usize = 256;

/// The section of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// Read by `config_get`.
    Config,
    /// Read by `env_get`.
    Env,
}

impl Section {
    /// The word shown and stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Env => "env",
        }
    }
    /// The section of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Config, Self::Env].into_iter().find(|s| s.name() == name)
    }
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its section.
    pub section: Section,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Home {
    /// The settings of a plugin, sorted by section and key.
    ///
    /// # Errors
    /// When the database fails.
    pub fn settings(&self, plugin: &Name) -> Result<Vec<Setting>, StoreError> {
        let table = self.db.read()?.open_table(SETTINGS).or_db("open a table")?;
        let (name, next) = (plugin.as_str(), just_above(plugin.as_str()));
        let mut found = Vec::new();
        for row in table.range((name, "", "")..(next.as_str(), "", "")).or_db("read")? {
            let (at, value) = row.or_db("read")?;
            let (_, section, key) = at.value();
            // Only `set_setting` writes rows, and it writes no other section.
            if let Some(section) = Section::from_name(section) {
                found.push(Setting { section, key: key.to_owned(), value: value.value().to_owned() });
            }
        }
        Ok(found)
    }

    /// The settings of every plugin that has some, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn all_settings(&self) -> Result<BTreeMap<String, Vec<Setting>>, StoreError> {
        let table = self.db.read()?.open_table(SETTINGS).or_db("open a table")?;
        let mut all: BTreeMap<String, Vec<Setting>> = BTreeMap::new();
        for row in table.iter().or_db("read")? {
            let (at, value) = row.or_db("read")?;
            let (plugin, section, key) = at.value();
            if let Some(section) = Section::from_name(section) {
                let setting = Setting { section, key: key.to_owned(), value: value.value().to_owned() };
                all.entry(plugin.to_owned()).or_default().push(setting);
            }
        }
        Ok(all)
    }

    /// Sets one setting, or with `None` removes it. The plugin need not be installed yet.
    ///
    /// # Errors
    /// When key (256 bytes) or value (64 KiB) is too large, the section has 256 keys already, or the database fails.
    pub fn set_setting(
        &self,
        plugin: &Name,
        section: Section,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        if key.len() > KEY_BYTES {
            return Err(StoreError::TooLarge { what: "the key of a setting", limit: KEY_BYTES });
        }
        if value.is_some_and(|v| v.len() > VALUE_BYTES) {
            return Err(StoreError::TooLarge { what: "the value of a setting", limit: VALUE_BYTES });
        }
        self.db.write("change a setting", |txn| {
            plans::done(txn, plugin)?;
            let mut table = txn.open_table(SETTINGS).or_db("open a table")?;
            let at = (plugin.as_str(), section.name(), key);
            match value {
                Some(value) => {
                    let new = table.get(at).or_db("read")?.is_none();
                    if new && section_len(&table, plugin, section)? >= SETTINGS_KEPT {
                        let (plugin, section) = (plugin.clone(), section.name());
                        return Err(StoreError::TooMany { plugin, section, limit: SETTINGS_KEPT });
                    }
                    table.insert(at, value).or_db("write")?
                }
                None => table.remove(at).or_db("write")?,
            };
            Ok(())
        })
    }
}

type Row = (&'static str, &'static str, &'static str);

/// Keys in one section of a plugin.
fn section_len(
    table: &impl ReadableTable<Row, &'static str>,
    plugin: &Name,
    section: Section,
) -> Result<usize, StoreError> {
    let (name, next) = (plugin.as_str(), just_above(section.name()));
    Ok(table.range((name, section.name(), "")..(name, next.as_str(), "")).or_db("read")?.count())
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;

    #[test]
    fn settings_are_of_one_plugin_sorted_replaced_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (a, ab) = (Name::new("a").unwrap(), Name::new("a-b").unwrap());
        let set = |name, section, key, value| home.set_setting(name, section, key, value).unwrap();
        set(&a, Section::Env, "MODE", Some("x"));
        set(&a, Section::Config, "rules", Some("old"));
        set(&a, Section::Config, "rules", Some("new"));
        set(&a, Section::Config, "gone", Some("1"));
        set(&a, Section::Config, "gone", None);
        set(&ab, Section::Config, "rules", Some("other"));
        let one = |section, key: &str, value: &str| Setting { section, key: key.into(), value: value.into() };
        let expected = [one(Section::Config, "rules", "new"), one(Section::Env, "MODE", "x")];
        assert_eq!(home.settings(&a).unwrap(), expected);
        assert_eq!(home.settings(&ab).unwrap().len(), 1);
    }

    #[test]
    fn keys_and_values_at_the_limit_are_kept_and_one_byte_more_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let a = Name::new("a").unwrap();
        let (key, value) = ("k".repeat(KEY_BYTES), "v".repeat(VALUE_BYTES));
        home.set_setting(&a, Section::Env, &key, Some(&value)).unwrap();
        assert!(home.set_setting(&a, Section::Env, &format!("{key}k"), Some("v")).is_err());
        assert!(home.set_setting(&a, Section::Env, "k", Some(&format!("{value}v"))).is_err());
    }

    #[test]
    fn a_section_takes_so_many_keys_and_then_only_changes() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (a, ab) = (Name::new("a").unwrap(), Name::new("a-b").unwrap());
        for i in 0..SETTINGS_KEPT {
            home.set_setting(&a, Section::Config, &format!("k{i}"), Some("v")).unwrap();
        }
        let full = home.set_setting(&a, Section::Config, "more", Some("v")).unwrap_err();
        assert!(matches!(full, StoreError::TooMany { limit: SETTINGS_KEPT, .. }), "{full}");
        home.set_setting(&a, Section::Config, "k0", Some("changed")).unwrap();
        home.set_setting(&a, Section::Env, "more", Some("v")).unwrap();
        home.set_setting(&ab, Section::Config, "more", Some("v")).unwrap();
        home.set_setting(&a, Section::Config, "k1", None).unwrap();
        home.set_setting(&a, Section::Config, "more", Some("v")).unwrap();
    }
}
