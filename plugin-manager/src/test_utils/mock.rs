//! A plugin without a package or an engine, for tests of what watches plugins: its state moves as the real one's does.

use crate::plugin::{PluginState, StateCell, WrongMove};

/// A plugin that is only a name, a version and a state.
#[derive(Debug)]
pub struct MockPlugin {
    name: String,
    version: String,
    state: StateCell,
}

/// A mock plugin that stands in `Created`.
///
/// ```
/// # use plugin_manager::test_utils::create_mock_plugin;
/// # use plugin_manager::plugin::PluginState;
/// let plugin = create_mock_plugin("test-plugin", "1.0.0");
/// assert_eq!(plugin.state(), PluginState::Created);
///
/// let refused = plugin.update_state(PluginState::Running).unwrap_err();
/// assert_eq!(refused.to_string(), "a plugin cannot move from Created to Running");
/// assert_eq!(plugin.state(), PluginState::Created);
/// ```
pub fn create_mock_plugin(name: &str, version: &str) -> MockPlugin {
    let state = StateCell::new(PluginState::Created);
    MockPlugin { name: name.to_owned(), version: version.to_owned(), state }
}

impl MockPlugin {
    /// Its name, as given.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its version, as given.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// The state it is in.
    pub fn state(&self) -> PluginState {
        self.state.get()
    }
    /// Moves to this state and returns the one before.
    ///
    /// # Errors
    /// [`WrongMove`] when the table of a real plugin does not have the move; the state is unchanged then.
    pub fn update_state(&self, to: PluginState) -> Result<PluginState, WrongMove> {
        self.state.advance(to)
    }
}

#[cfg(test)]
#[allow(unused_must_use, reason = "the user's example ignores what update_state returns")]
mod tests {
    use crate::plugin::PluginState;
    use crate::test_utils::create_mock_plugin;

    #[test]
    fn test_plugin_lifecycle() {
        let plugin = create_mock_plugin("test-plugin", "1.0.0");
        assert_eq!(plugin.state(), PluginState::Created);

        // Test initialization
        plugin.update_state(PluginState::Initializing);
        plugin.update_state(PluginState::Ready);
        assert_eq!(plugin.state(), PluginState::Ready);

        // Test start/stop
        plugin.update_state(PluginState::Running);
        assert_eq!(plugin.state(), PluginState::Running);
        plugin.update_state(PluginState::Stopping);
        plugin.update_state(PluginState::Stopped);
        assert_eq!(plugin.state(), PluginState::Stopped);
    }

    #[test]
    fn every_move_is_allowed_or_refused_as_the_table_says() {
        for to in PluginState::ALL {
            let plugin = create_mock_plugin("a", "1.0.0");
            let moved = plugin.update_state(to);
            assert_eq!(moved.is_ok(), PluginState::Created.next().contains(&to), "{to}");
            assert_eq!(plugin.state(), if moved.is_ok() { to } else { PluginState::Created });
        }
        let plugin = create_mock_plugin("a", "1.0.0");
        assert_eq!((plugin.name(), plugin.version()), ("a", "1.0.0"));
    }
}
