//! Looks at the plugins that are up, and takes those out of service whose class fell too far.

use super::super::hall::Loaded;
use super::super::manager::PluginManager;
use crate::plugin::PluginState;
use common::error::ForgeError;

impl PluginManager {
    /// Takes in what every plugin that is up did since this was done last, and quarantines those that are to be.
    /// Supervision does this each second; a host program without supervision may call it as often as it likes.
    ///
    /// # Errors
    /// When the home cannot be read; the first plugin that could not be quarantined, after the others were.
    pub fn look_at_conduct(&self) -> Result<(), ForgeError> {
        let mut first = Ok(());
        for row in self.host().rows()? {
            let name = row.plugin.name.as_str();
            let Some(loaded) = self.hall().loaded(name) else { continue };
            if let Some(why) = self.host().look_at(&row, &loaded) {
                first = first.and(self.sentence(name, &why));
            }
        }
        first
    }

    /// Out of service for this reason, until an operator releases it.
    fn sentence(&self, name: &str, why: &str) -> Result<(), ForgeError> {
        self.hall().in_turn(name, None, || {
            self.end_trial(name, "the plugin is quarantined");
            let Some(loaded) = self.hall().loaded(name) else { return Ok(()) };
            self.quarantine_in_turn(&loaded, why)
        })?;
        self.host().feed.touch(name);
        Ok(())
    }

    /// The same in its turn, of a plugin that is up. The home keeps it where the log cannot tell it.
    pub(in crate::registry) fn quarantine_in_turn(
        &self,
        loaded: &Loaded,
        why: &str,
    ) -> Result<(), ForgeError> {
        if !matches!(loaded.plugin.state(), PluginState::Running | PluginState::Paused) {
            return Ok(());
        }
        let recorded = loaded.plugin.quarantine(why);
        let kept = self.hall().keep_failure(loaded);
        Ok(recorded?).and(kept)
    }
}
