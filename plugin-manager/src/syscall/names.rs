//! Names of host calls to actions, without hashing or allocation once a name was seen.

use microkernel::syscall_bridge::ActionId;

/// Names kept; more than the contract has, so that an honest guest never loses one.
const SLOTS: usize = 32;
/// Longest name kept, in bytes. Longer ones are looked up each time.
const LONGEST: usize = 32;

#[derive(Clone, Copy)]
struct Slot {
    name: [u8; LONGEST],
    length: usize,
    action: ActionId,
}

impl Slot {
    #[inline]
    fn is(&self, name: &[u8]) -> bool {
        self.length == name.len() && self.name.get(..self.length) == Some(name)
    }
}

/// The names one instance has called lately.
#[derive(Default)]
pub(super) struct Names {
    slots: Vec<Slot>,
    last: usize,
    oldest: usize,
}

impl Names {
    /// The action of a name seen before.
    #[inline]
    pub fn get(&mut self, name: &[u8]) -> Option<ActionId> {
        match self.slots.get(self.last) {
            Some(slot) if slot.is(name) => Some(slot.action),
            _ => self.search(name),
        }
    }

    fn search(&mut self, name: &[u8]) -> Option<ActionId> {
        let found = self.slots.iter().position(|slot| slot.is(name))?;
        self.last = found;
        self.slots.get(found).map(|slot| slot.action)
    }

    /// Keeps a name, in place of the oldest when there are many.
    pub fn keep(&mut self, name: &[u8], action: ActionId) {
        let mut slot = Slot { name: [0; LONGEST], length: name.len(), action };
        let Some(bytes) = slot.name.get_mut(..name.len()) else { return };
        bytes.copy_from_slice(name);
        if self.slots.len() < SLOTS {
            self.slots.push(slot);
        } else if let Some(old) = self.slots.get_mut(self.oldest) {
            *old = slot;
            self.oldest = (self.oldest + 1) % SLOTS;
        }
    }
}
