//! What engines and checks have to know of functions that are told to them by a table: permissions and arguments.

use common::permission::Capability;

/// What a manifest has to ask for before a module may import a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// One of these at least.
    OneOf(&'static [Capability]),
    /// All of these.
    Each(&'static [Capability]),
}

/// Most arguments a function of a table takes.
const WORDS: usize = 9;

/// The arguments of one call, an i32 as its 32 bits without sign. Beyond nine they are left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Words {
    words: [u64; WORDS],
    count: usize,
}

impl Words {
    /// The arguments in order.
    pub fn all(&self) -> &[u64] {
        self.words.get(..self.count).unwrap_or_default()
    }
}

impl FromIterator<u64> for Words {
    fn from_iter<I: IntoIterator<Item = u64>>(words: I) -> Self {
        let mut all = Self::default();
        for (slot, word) in all.words.iter_mut().zip(words) {
            *slot = word;
            all.count += 1;
        }
        all
    }
}
