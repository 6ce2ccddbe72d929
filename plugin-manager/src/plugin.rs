//! One plugin: who it is, what it was granted, and the state it is in. States move only as the contract's table
//! allows.

use common::error::{Code, Coded, codes};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where a plugin stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginState {
    /// Installed, proven, granted, compiled.
    Created,
    /// `init` is running.
    Initializing,
    /// `init` returned 0.
    Ready,
    /// `start` returned 0: operations may be called.
    Running,
    /// Paused by an operator.
    Paused,
    /// `stop` is running.
    Stopping,
    /// `stop` returned 0.
    Stopped,
    /// A lifecycle function failed, or the restart budget is spent.
    Failed,
    /// Taken out of service by trust; an operator must release it.
    Quarantined,
    /// Removed.
    Unloaded,
}

impl PluginState {
    /// The word used in output and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Initializing => "Initializing",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::Paused => "Paused",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::Quarantined => "Quarantined",
            Self::Unloaded => "Unloaded",
        }
    }

    /// What brings a plugin in this state back to answering calls.
    pub fn way_back(self, plugin: &str) -> Option<String> {
        Some(match self {
            Self::Quarantined => format!("`forgeone release {plugin}` lifts the quarantine"),
            Self::Paused => format!("`forgeone resume {plugin}` lets it answer calls again"),
            Self::Failed => format!("`forgeone start {plugin}` gives it another try"),
            Self::Stopped => format!("`forgeone start {plugin}` starts it"),
            _ => return None,
        })
    }

    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Initializing,
        Self::Ready,
        Self::Running,
        Self::Paused,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
        Self::Quarantined,
        Self::Unloaded,
    ];

    /// The state with this number; numbers come from states alone.
    fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Failed)
    }

    /// The states this one may move to: the contract's table.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Created | Self::Stopped => &[Self::Initializing, Self::Unloaded],
            Self::Initializing => &[Self::Ready, Self::Failed],
            Self::Ready => &[Self::Running, Self::Failed],
            Self::Running => &[Self::Paused, Self::Stopping, Self::Failed, Self::Quarantined],
            Self::Paused => &[Self::Running, Self::Stopping, Self::Quarantined],
            Self::Stopping => &[Self::Stopped, Self::Failed],
            Self::Failed => &[Self::Initializing, Self::Unloaded],
            Self::Quarantined => &[Self::Stopped, Self::Unloaded],
            Self::Unloaded => &[],
        }
    }
}

impl fmt::Display for PluginState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A move the table does not have. The caller can look at the state and choose another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plugin cannot move from {from} to {to}")]
pub struct WrongMove {
    /// The state it is in.
    pub from: PluginState,
    /// The state that was asked for.
    pub to: PluginState,
}

impl Coded for WrongMove {
    fn code(&self) -> &'static Code {
        &codes::E5002
    }
}

/// The state of one plugin, shared by whoever may move it. Reading it is one load.
#[derive(Debug)]
pub struct StateCell(AtomicU8);

impl StateCell {
    /// A cell in this state.
    pub const fn new(state: PluginState) -> Self {
        Self(AtomicU8::new(state as u8))
    }
    /// The state now.
    pub fn get(&self) -> PluginState {
        PluginState::from_number(self.0.load(Ordering::Acquire))
    }
    /// Moves to another state and returns the one before.
    ///
    /// # Errors
    /// [`WrongMove`]; the state is unchanged then.
    pub fn advance(&self, to: PluginState) -> Result<PluginState, WrongMove> {
        let allowed = |from: u8| PluginState::from_number(from).next().contains(&to).then_some(to as u8);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, allowed) {
            Ok(from) => Ok(PluginState::from_number(from)),
            Err(from) => Err(WrongMove { from: PluginState::from_number(from), to }),
        }
    }
    /// Moves from one state to another, if it is the one now and the table has the move.
    ///
    /// # Errors
    /// [`WrongMove`] naming the state now; it is unchanged then.
    pub fn advance_from(&self, from: PluginState, to: PluginState) -> Result<(), WrongMove> {
        if !from.next().contains(&to) {
            return Err(WrongMove { from, to });
        }
        match self.0.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(now) => Err(WrongMove { from: PluginState::from_number(now), to }),
        }
    }
    /// Whether the table has the move from the state now.
    ///
    /// # Errors
    /// [`WrongMove`] when it has not.
    pub fn may(&self, to: PluginState) -> Result<(), WrongMove> {
        let from = self.get();
        if from.next().contains(&to) { Ok(()) } else { Err(WrongMove { from, to }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_runs_through_the_table() {
        use PluginState as S;
        let cell = StateCell::new(S::Created);
        for to in [
            S::Initializing,
            S::Ready,
            S::Running,
            S::Paused,
            S::Running,
            S::Stopping,
            S::Stopped,
            S::Unloaded,
        ] {
            cell.advance(to).unwrap();
        }
        assert_eq!(cell.get(), S::Unloaded);
    }

    #[test]
    fn a_move_from_a_state_it_has_left_is_an_error() {
        use PluginState as S;
        let cell = StateCell::new(S::Stopping);
        assert_eq!(
            cell.advance_from(S::Running, S::Failed),
            Err(WrongMove { from: S::Stopping, to: S::Failed })
        );
        assert_eq!(cell.advance_from(S::Stopping, S::Running).unwrap_err().from, S::Stopping);
        assert_eq!(cell.get(), S::Stopping);
        cell.advance_from(S::Stopping, S::Failed).unwrap();
        assert_eq!(cell.get(), S::Failed);
    }

    #[test]
    fn every_other_move_is_an_error_naming_both_states() {
        let mut allowed = 0;
        for from in PluginState::ALL {
            for to in PluginState::ALL {
                let cell = StateCell::new(from);
                match cell.advance(to) {
                    Ok(before) => {
                        allowed += 1;
                        assert_eq!((before, cell.get()), (from, to));
                    }
                    Err(wrong) => {
                        assert_eq!(wrong, WrongMove { from, to });
                        assert_eq!(cell.get(), from);
                        assert!(
                            wrong.to_string().contains(from.name()) && wrong.to_string().contains(to.name())
                        );
                    }
                }
            }
        }
        // The rows of the contract's table: 2+2 from Created and Stopped, 2, 2, 4, 3, 2, 2, 2.
        assert_eq!(allowed, 21);
    }
}
