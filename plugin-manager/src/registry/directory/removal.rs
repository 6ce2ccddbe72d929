//! Plugins whose file is gone are removed, unless others need them: then they wait, and it is kept why.

use super::keeper::{Keeper, Until, over};
use super::plan::{Fate, Gone, Known, fate};
use super::report::HeldBack;
use super::tell::{News, tell};
use crate::store::Dropped;
use common::error::ForgeError;
use common::identity::Name;
use std::collections::BTreeSet;

impl Keeper {
    /// Removes the plugins whose files are gone. Nanoseconds until the next will be.
    pub(super) fn let_go(&mut self, known: &mut Known) -> Result<Option<u64>, ForgeError> {
        let (now, (settle, _)) = (self.clock.mono_ns(), self.times());
        let missing = known.missing();
        self.needed.retain(|plugin, _| missing.contains_key(plugin.as_str()));
        let still = self.leaving.observe(missing, now, settle);
        let settled: BTreeSet<Name> =
            known.rows.keys().filter(|plugin| still.settled.contains(plugin.as_str())).cloned().collect();
        for plugin in known.removal_order(settled) {
            match known.gone(&plugin) {
                Gone::Forget => self.forget(known, &plugin)?,
                Gone::Remove => self.remove(known, &plugin)?,
            }
        }
        Ok(still.next_ns)
    }

    fn forget(&mut self, known: &mut Known, plugin: &Name) -> Result<(), ForgeError> {
        self.manager.host().home.forget_dropped(plugin)?;
        known.rows.remove(plugin);
        self.needed.remove(plugin);
        Ok(())
    }

    fn remove(&mut self, known: &mut Known, plugin: &Name) -> Result<(), ForgeError> {
        let Some(row) = known.rows.get(plugin).cloned() else { return Ok(()) };
        let roster = known.roster();
        let before = self.needed.get(plugin).copied();
        if before.is_some_and(|until| !over(until, roster, self.clock.mono_ns())) {
            self.report.held_back.push(held_removal(&row));
            return Ok(());
        }
        let name = plugin.as_str();
        let removed = self
            .announce("remove", plugin, &row.file, &row.package)
            .and_then(|()| self.manager.remove(name, true));
        self.refresh(known, plugin)?;
        match removed {
            Err(error) if known.installed.contains_key(plugin) => {
                let until = match fate(error.code()) {
                    Fate::Later => self.later(before),
                    Fate::Wait | Fate::SetAside => Until::Roster(roster),
                };
                self.needed.insert(plugin.clone(), until);
                self.cannot_go(known, row, &error)
            }
            _ => {
                tell(&self.manager, Some(row.plugin.as_str()), &row.file, &News::Removed { plugin: name });
                self.stirred = true;
                self.forget(known, plugin)
            }
        }
    }

    /// Keeps why a plugin whose file is gone is still there.
    fn cannot_go(&mut self, known: &mut Known, row: Dropped, error: &ForgeError) -> Result<(), ForgeError> {
        let problem = Some(format!("{}: {error}", error.code().id));
        let row = if row.problem == problem {
            row
        } else {
            tell(&self.manager, Some(row.plugin.as_str()), &row.file, &News::HeldBack { error });
            let row = Dropped { problem, ..row };
            self.manager.host().home.keep_dropped(&row)?;
            row
        };
        self.report.held_back.push(held_removal(&row));
        known.rows.insert(row.plugin.clone(), row);
        Ok(())
    }
}

fn held_removal(row: &Dropped) -> HeldBack {
    let why = row.problem.clone().unwrap_or_default();
    HeldBack { file: row.file.clone(), plugin: Some(row.plugin.to_string()), why }
}
