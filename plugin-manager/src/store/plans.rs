//! What is about to be done to a plugin: a row that is written before the log is told and goes with the change itself,
//! in one transaction. One that is found is of a change that was not made.

use super::db::{OrDb, PLANS};
use super::{Home, StoreError};
use common::identity::{BadName, Name};
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

/// The schema of the rows this build writes and reads.
const ROW: u64 = 1;

/// A change that is under way. There is at most one of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The plugin.
    pub name: Name,
    /// What is done to it, as the log names it.
    pub action: String,
    /// How many records the log had before: the record of the change is none of them.
    pub after: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    v: u64,
    action: String,
    after: u64,
}

impl Home {
    /// Notes what is about to be done. It replaces what was noted of the same plugin before, and goes when the plugin
    /// is installed, replaced, removed or its desired state or a setting is set, in the same transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub fn plan(&self, plan: &Plan) -> Result<(), StoreError> {
        let row = Row { v: ROW, action: plan.action.clone(), after: plan.after };
        let row = serde_json::to_vec(&row).map_err(|source| damaged(plan.name.as_str(), source))?;
        self.db.write("note a plan", |txn| {
            let mut table = txn.open_table(PLANS).or_db("open a table")?;
            table.insert(plan.name.as_str(), row.as_slice()).or_db("write")?;
            Ok(())
        })
    }

    /// What was about to be done and is not, by plugin.
    ///
    /// # Errors
    /// E0003 or E0106 when a row cannot be understood, E0002 when the database fails.
    pub fn plans(&self) -> Result<Vec<Plan>, StoreError> {
        let table = self.db.read()?.open_table(PLANS).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (name, bytes) = row.or_db("read")?;
            parse(name.value(), bytes.value())
        })
        .collect()
    }

    /// What was about to be done to this plugin and is not.
    ///
    /// # Errors
    /// As [`Home::plans`].
    pub fn planned(&self, name: &Name) -> Result<Option<Plan>, StoreError> {
        let table = self.db.read()?.open_table(PLANS).or_db("open a table")?;
        let row = table.get(name.as_str()).or_db("read")?;
        row.map(|bytes| parse(name.as_str(), bytes.value())).transpose()
    }

    /// Forgets what was about to be done to a plugin, once the log says that it was not.
    ///
    /// # Errors
    /// When the database fails.
    pub fn drop_plan(&self, name: &Name) -> Result<(), StoreError> {
        self.db.write("drop a plan", |txn| done(txn, name))
    }
}

/// Within the transaction of a change: it is no longer about to be made.
pub(super) fn done(txn: &WriteTransaction, name: &Name) -> Result<(), StoreError> {
    txn.open_table(PLANS).or_db("open a table")?.remove(name.as_str()).or_db("write")?;
    Ok(())
}

fn parse(name: &str, bytes: &[u8]) -> Result<Plan, StoreError> {
    let row: Row = serde_json::from_slice(bytes).map_err(|source| damaged(name, source))?;
    if row.v != ROW {
        let what = format!("the plan of plugin {name}");
        return Err(StoreError::Schema { what, found: row.v, supported: ROW });
    }
    let bad = |e: BadName| damaged(name, serde::de::Error::custom(e));
    let name = name.parse().map_err(bad)?;
    Ok(Plan { name, action: row.action, after: row.after })
}

fn damaged(name: &str, source: serde_json::Error) -> StoreError {
    StoreError::Damaged { what: format!("what was about to be done to plugin {name}"), source }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::super::versions::tests::replace;
    use super::super::{Desired, PrivateData, Section};
    use super::*;

    #[test]
    fn a_plan_goes_with_its_change_and_stays_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (one, two) = (plugin("a", "1.0.0", b"one"), plugin("a", "2.0.0", b"two"));
        let name = &one.name;
        let other = Plan { name: "b".parse().unwrap(), action: "install".into(), after: 3 };
        home.plan(&other).unwrap();
        let plan = |action: &str| {
            let plan = Plan { name: name.clone(), action: action.into(), after: 7 };
            home.plan(&plan).unwrap();
            assert_eq!(home.planned(name).unwrap(), Some(plan));
        };
        let gone = || assert_eq!(home.plans().unwrap(), std::slice::from_ref(&other));
        plan("install");
        home.install(plugin("a", "1.0.0", b"one"), b"other").unwrap_err();
        assert!(home.planned(name).unwrap().is_some());
        home.install(one.clone(), b"one").unwrap();
        gone();
        plan("start");
        home.set_failure(name, Some("why")).unwrap();
        assert!(home.planned(name).unwrap().is_some());
        home.set_desired(name, Desired::Running).unwrap();
        gone();
        plan("upgrade");
        replace(&home, &two, b"two").unwrap();
        gone();
        plan("configure");
        home.set_setting(name, Section::Env, "k", Some("v")).unwrap();
        gone();
        plan("remove");
        home.remove(name, PrivateData::Keep).unwrap();
        gone();
        plan("install");
        home.drop_plan(name).unwrap();
        gone();
    }

    #[test]
    fn a_plan_of_another_form_is_refused() {
        let newer = parse("a", br#"{"v":2,"action":"install","after":1}"#);
        assert!(matches!(newer, Err(StoreError::Schema { found: 2, .. })));
        for bad in [&br#"{"v":1}"#[..], b"", br#"{"v":1,"action":"x","after":1,"more":1}"#] {
            assert!(matches!(parse("a", bad), Err(StoreError::Damaged { .. })));
        }
    }
}
