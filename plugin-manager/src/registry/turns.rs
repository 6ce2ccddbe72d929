//! Management of one plugin is done one at a time; of different plugins, side by side.

use dashmap::DashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Who has a turn, by name. Holds only names somebody holds or waits for.
#[derive(Debug, Default)]
pub(super) struct Turns(DashMap<String, Arc<Mutex<()>>>);

impl Turns {
    /// Does the job when it is this name's turn; `None` when that takes longer than `wait`.
    pub fn run<T>(&self, name: &str, wait: Option<Duration>, job: impl FnOnce() -> T) -> Option<T> {
        let turn = self.0.entry(name.to_owned()).or_default().clone();
        let held = match wait {
            Some(wait) => turn.try_lock_for(wait),
            None => Some(turn.lock()),
        };
        let done = held.map(|_held| job());
        drop(turn);
        // Entries are cloned under the map's lock, which `remove_if` takes too: one that is left is nobody's.
        self.0.remove_if(name, |_, turn| Arc::strong_count(turn) == 1);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_at_a_time_for_a_name_and_no_name_is_kept() {
        let turns = Turns::default();
        let (inside, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        turns.run("a", None, || {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            done.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!((done.into_inner(), turns.0.len()), (1600, 0));
    }

    #[test]
    fn other_names_do_not_wait_and_a_wait_ends() {
        let turns = Turns::default();
        let got = turns.run("a", None, || {
            std::thread::scope(|scope| {
                let same = scope.spawn(|| turns.run("a", Some(Duration::ZERO), || ()));
                let other = scope.spawn(|| turns.run("b", Some(Duration::ZERO), || ()));
                (same.join().unwrap(), other.join().unwrap())
            })
        });
        assert_eq!(got, Some((None, Some(()))));
        assert!(turns.0.is_empty());
    }
}
