//! Which file of a plugin directory brought which plugin: at most one row of each plugin, with what the file looked
//! like, so that it is not read again while it looks the same.

use super::db::OrDb;
use super::{Home, StoreError};
use common::identity::{Digest, Name};
use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

/// Plugin name → row.
const DROPPED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("dropped");
/// The schema of the rows this build writes and reads.
const ROW: u64 = 1;

/// What a file looks like without reading it. Two that differ are two contents, or one that was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Its number in its file system.
    pub inode: u64,
    /// Its length.
    pub bytes: u64,
    /// When its bytes changed last, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When anything of it changed last, its name included, in nanoseconds since 1970.
    pub changed_ns: i64,
}

/// A plugin that a file of a plugin directory brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The plugin.
    pub plugin: Name,
    /// The directory, as who watches it names it.
    pub directory: String,
    /// The file in it.
    pub file: String,
    /// What the file looked like when it was read.
    pub stamp: Stamp,
    /// The digest of its bytes.
    pub package: Digest,
    /// Why what became of the file since is not done, when it is not.
    pub problem: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    v: u64,
    directory: String,
    file: String,
    stamp: Stamp,
    package: String,
    problem: Option<String>,
}

impl Home {
    /// Every plugin a file brought, by name, in whichever directory. Plugins that were removed since are among them.
    ///
    /// # Errors
    /// E0003 or E0106 when a row cannot be understood, E0002 when the database fails.
    pub fn dropped(&self) -> Result<Vec<Dropped>, StoreError> {
        let Some(table) = self.dropped_table()? else { return Ok(Vec::new()) };
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (name, bytes) = row.or_db("read")?;
            parse(name.value(), bytes.value())
        })
        .collect()
    }

    /// The file that brought this plugin.
    ///
    /// # Errors
    /// As [`Home::dropped`].
    pub fn dropped_of(&self, plugin: &Name) -> Result<Option<Dropped>, StoreError> {
        let Some(table) = self.dropped_table()? else { return Ok(None) };
        let row = table.get(plugin.as_str()).or_db("read")?;
        row.map(|bytes| parse(plugin.as_str(), bytes.value())).transpose()
    }

    /// Keeps which file brought a plugin, in place of what was kept of that plugin.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_dropped(&self, dropped: &Dropped) -> Result<(), StoreError> {
        let row = Row {
            v: ROW,
            directory: dropped.directory.clone(),
            file: dropped.file.clone(),
            stamp: dropped.stamp,
            package: dropped.package.to_string(),
            problem: dropped.problem.clone(),
        };
        let name = dropped.plugin.as_str();
        let bytes = serde_json::to_vec(&row).map_err(|e| damaged(name, e))?;
        self.db.write("keep which file brought a plugin", |txn| {
            let mut table = txn.open_table(DROPPED).or_db("open a table")?;
            table.insert(name, bytes.as_slice()).or_db("write")?;
            Ok(())
        })
    }

    /// Forgets which file brought this plugin; from then on none did.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget_dropped(&self, plugin: &Name) -> Result<(), StoreError> {
        self.db.write("forget which file brought a plugin", |txn| {
            let mut table = txn.open_table(DROPPED).or_db("open a table")?;
            table.remove(plugin.as_str()).or_db("write")?;
            Ok(())
        })
    }

    /// The table; none in a home whose plugin directory was never watched.
    fn dropped_table(&self) -> Result<Option<redb::ReadOnlyTable<&'static str, &'static [u8]>>, StoreError> {
        match self.db.read()?.open_table(DROPPED) {
            Ok(table) => Ok(Some(table)),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(e) => Err(e).or_db("open a table"),
        }
    }
}

fn parse(name: &str, bytes: &[u8]) -> Result<Dropped, StoreError> {
    use serde::de::Error as _;
    let row: Row = serde_json::from_slice(bytes).map_err(|e| damaged(name, e))?;
    if row.v != ROW {
        let what = format!("the record of the file that brought plugin {name}");
        return Err(StoreError::Schema { what, found: row.v, supported: ROW });
    }
    let custom = |text: String| damaged(name, serde_json::Error::custom(text));
    Ok(Dropped {
        plugin: Name::new(name).map_err(|e| custom(e.to_string()))?,
        directory: row.directory,
        file: row.file,
        stamp: row.stamp,
        package: row.package.parse().map_err(|_| custom("the digest is none".to_owned()))?,
        problem: row.problem,
    })
}

fn damaged(name: &str, source: serde_json::Error) -> StoreError {
    StoreError::Damaged { what: format!("the file that brought plugin {name}"), source }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;
    use common::error::{Coded, codes};

    fn dropped(plugin: &str, file: &str) -> Dropped {
        Dropped {
            plugin: Name::new(plugin).unwrap(),
            directory: "7:/plugins".into(),
            file: file.into(),
            stamp: Stamp { inode: 1, bytes: 2, modified_ns: -3, changed_ns: i64::MAX },
            package: Digest::of(file.as_bytes()),
            problem: None,
        }
    }

    #[test]
    fn rows_last_are_replaced_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (a, b) = (dropped("a", "x.forgepkg"), dropped("b", "y.forgepkg"));
        assert_eq!((home.dropped().unwrap(), home.dropped_of(&a.plugin).unwrap()), (vec![], None));
        home.keep_dropped(&b).unwrap();
        home.keep_dropped(&a).unwrap();
        let a = Dropped { problem: Some("E5007".into()), ..dropped("a", "z.forgepkg") };
        home.keep_dropped(&a).unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.dropped().unwrap(), [a.clone(), b.clone()]);
        home.forget_dropped(&a.plugin).unwrap();
        home.forget_dropped(&a.plugin).unwrap();
        assert_eq!(home.dropped_of(&a.plugin).unwrap(), None);
        assert_eq!(home.dropped_of(&b.plugin).unwrap(), Some(b));
    }

    #[test]
    fn rows_of_other_versions_and_damaged_rows_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.keep_dropped(&dropped("a", "x.forgepkg")).unwrap();
        let row = {
            let table = home.dropped_table().unwrap().unwrap();
            let row = table.get("a").unwrap().unwrap();
            String::from_utf8(row.value().to_vec()).unwrap()
        };
        for (from, to, code) in [
            ("\"v\":1", "\"v\":2", &codes::E0106),
            ("sha256:", "md5:", &codes::E0003),
            ("{", "", &codes::E0003),
            ("\"inode\":1", "\"inode\":-1", &codes::E0003),
        ] {
            assert_eq!(parse("a", row.replacen(from, to, 1).as_bytes()).unwrap_err().code(), code, "{to}");
        }
    }
}
