//! Numbers for sets of policy ids. A number, once given, means the same set for as long as the evaluator lives.

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Most sets that get a number of their own; later ones share [`SHARED`].
const MOST: usize = 4096;
/// The shared number, and what it stands for.
const SHARED: u32 = 1;
const UNLISTED: &str = "(unlisted)";

/// Gives numbers to texts. Reading takes no lock.
pub(super) struct Ids {
    texts: ArcSwap<Vec<Arc<str>>>,
    numbers: Mutex<HashMap<Arc<str>, u32>>,
}

impl Ids {
    /// Number 0 stands for no policy: the grants alone decided.
    pub(super) fn new() -> Self {
        Self {
            texts: ArcSwap::from_pointee(vec!["".into(), UNLISTED.into()]),
            numbers: Mutex::new(HashMap::from([("".into(), 0)])),
        }
    }

    /// The number of this text.
    pub(super) fn number(&self, text: &str) -> u32 {
        let mut numbers = self.numbers.lock();
        if let Some(number) = numbers.get(text) {
            return *number;
        }
        let texts = self.texts.load();
        let (true, Ok(number)) = (texts.len() < MOST, u32::try_from(texts.len())) else { return SHARED };
        let text: Arc<str> = text.into();
        self.texts.store(Arc::new(texts.iter().chain([&text]).cloned().collect()));
        numbers.insert(text, number);
        number
    }

    /// The text of this number; empty when it was never given.
    pub(super) fn text(&self, number: u32) -> Arc<str> {
        let texts = self.texts.load();
        usize::try_from(number).ok().and_then(|n| texts.get(n)).cloned().unwrap_or_else(|| "".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_texts_and_are_bounded() {
        let ids = Ids::new();
        assert_eq!((ids.number(""), &*ids.text(0)), (0, ""));
        let first = ids.number("a:0");
        for i in 0..MOST {
            ids.number(&format!("b:{i}"));
        }
        assert_eq!(ids.number("a:0"), first);
        assert_eq!(&*ids.text(first), "a:0");
        assert_eq!(&*ids.text(ids.number("late:0")), UNLISTED);
        assert_eq!(&*ids.text(u32::MAX), "");
        assert_eq!(ids.texts.load().len(), MOST);
    }
}
