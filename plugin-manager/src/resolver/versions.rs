//! A set of the places one plugin's versions have in the search: place 0 is "no part of it", the others are its
//! versions, those that are preferred first.

/// Places in one word.
const BITS: usize = u64::BITS as usize;

/// A set of places below a number that is the same for all sets of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versions {
    places: usize,
    words: Vec<u64>,
}

impl Versions {
    /// None of so many places.
    pub fn none(places: usize) -> Self {
        Self { places, words: vec![0; places.div_ceil(BITS)] }
    }
    /// The places for which this is true.
    pub fn of(places: usize, mut is_in: impl FnMut(usize) -> bool) -> Self {
        let mut set = Self::none(places);
        (0..places).filter(|place| is_in(*place)).for_each(|place| set.insert(place));
        set
    }
    /// One of so many places.
    pub fn one(places: usize, place: usize) -> Self {
        let mut set = Self::none(places);
        set.insert(place);
        set
    }

    /// Adds a place; one that there is not is not added.
    fn insert(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / BITS).filter(|_| place < self.places) {
            *word |= 1 << (place % BITS);
        }
    }
    /// Whether this place is in it.
    pub fn has(&self, place: usize) -> bool {
        self.words.get(place / BITS).is_some_and(|word| word >> (place % BITS) & 1 == 1)
    }
    /// How many are in it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
    /// Whether none is in it.
    pub fn is_none(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
    /// Whether every place is in it.
    pub fn is_all(&self) -> bool {
        self.count() == self.places
    }
    /// The lowest place in it.
    pub fn first(&self) -> Option<usize> {
        let (at, word) = self.words.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(at * BITS + word.trailing_zeros() as usize)
    }
    /// The places in it, rising.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.places).filter(|place| self.has(*place))
    }
    /// How many machine words an operation looks at.
    pub fn size(&self) -> u64 {
        self.words.len() as u64
    }

    /// The places that are not in it.
    pub fn others(&self) -> Self {
        let mut others = Self { places: self.places, words: self.words.iter().map(|word| !word).collect() };
        let surplus = others.words.len() * BITS - self.places;
        if let Some(last) = others.words.last_mut() {
            *last &= u64::MAX >> surplus;
        }
        others
    }
    /// The places in both.
    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
    /// The places in either.
    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
    fn zip(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let words = self.words.iter().zip(&other.words).map(|(a, b)| join(*a, *b)).collect();
        Self { places: self.places, words }
    }
    /// Whether every place of it is in the other.
    pub fn is_within(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(a, b)| a & !b == 0)
    }
    /// Whether none of its places is in the other.
    pub fn is_apart(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(a, b)| a & b == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(places: usize, of: &BTreeSet<usize>) -> Versions {
        Versions::of(places, |place| of.contains(&place))
    }

    proptest! {
        #[test]
        fn sets_are_what_sets_of_numbers_are(
            places in 1_usize..200,
            a in proptest::collection::btree_set(0_usize..200, 0..200),
            b in proptest::collection::btree_set(0_usize..200, 0..200),
        ) {
            let there = |of: &BTreeSet<usize>| of.iter().copied().filter(|p| *p < places).collect::<BTreeSet<_>>();
            let (a, b) = (there(&a), there(&b));
            let (x, y) = (set(places, &a), set(places, &b));
            prop_assert_eq!(x.and(&y), set(places, &(&a & &b)));
            prop_assert_eq!(x.or(&y), set(places, &(&a | &b)));
            prop_assert_eq!(x.others().places().collect::<BTreeSet<_>>(), &(0..places).collect::<BTreeSet<_>>() - &a);
            prop_assert_eq!(x.is_within(&y), a.is_subset(&b));
            prop_assert_eq!(x.is_apart(&y), a.is_disjoint(&b));
            prop_assert_eq!((x.count(), x.first()), (a.len(), a.first().copied()));
            prop_assert_eq!((x.is_none(), x.is_all()), (a.is_empty(), a.len() == places));
        }
    }
}
