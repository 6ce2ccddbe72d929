//! RFC 6962 trees in bounded memory: leaf and node hashes, the right edge, inclusion paths and their check.

use crate::crypto::Sha256;

/// A SHA-256 value of the tree.
pub type Hash = [u8; 32];

/// SHA-256(0x00 ‖ line): the leaf of a line, without its newline.
pub fn leaf(line: &[u8]) -> Hash {
    hash(&[&[0], line])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    *hasher.finish().as_bytes()
}

/// The roots of the perfect subtrees of a growing tree, largest first: enough to add leaves and to know the
/// root, in at most 64 hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// The edge with this many leaves, when that many hashes belong to it.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }
    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }
    /// The roots of its perfect subtrees, largest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_seen(leaf, |_, _| {});
    }
    /// As [`Edge::push`]; `seen` is given the hash of each perfect subtree this leaf completes, the leaf's own
    /// first, with the subtree's height.
    pub(super) fn push_seen(&mut self, leaf: Hash, mut seen: impl FnMut(u32, &Hash)) {
        let mut top = leaf;
        seen(0, &top);
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                top = node(&left, &top);
                seen(height, &top);
            }
        }
        self.hashes.push(top);
        self.size += 1;
    }
    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut from_right = self.hashes.iter().rev();
        let Some(last) = from_right.next() else { return hash(&[]) };
        from_right.fold(*last, |right, left| node(left, &right))
    }
    /// Copies `other` without giving up the memory already held.
    pub fn copy_from(&mut self, other: &Self) {
        self.size = other.size;
        self.hashes.clone_from(&other.hashes);
    }
}

/// The ranges of leaves whose roots make the inclusion path of leaf `index` in a tree of `size` leaves, in
/// the order of the path: from the leaf up. Empty when there is no such leaf.
pub fn path_ranges(index: u64, size: u64) -> Vec<std::ops::Range<u64>> {
    let (mut low, mut high) = (0, size);
    let mut ranges = Vec::new();
    while index < high && high - low > 1 {
        let split = low + split_point(high - low);
        if index < split {
            ranges.push(split..high);
            high = split;
        } else {
            ranges.push(low..split);
            low = split;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges of leaves whose roots prove that a tree of `size` leaves begins with the tree of its first `old`
/// leaves, in the order of RFC 6962, 2.1.2. Empty when both are the same or the old one is empty or larger.
pub(super) fn consistency_ranges(old: u64, size: u64) -> Vec<std::ops::Range<u64>> {
    let (mut low, mut high, mut from_start) = (0, size, true);
    let mut ranges = Vec::new();
    if old == 0 || old >= size {
        return ranges;
    }
    while old < high {
        let split = low + split_point(high - low);
        if old <= split {
            ranges.push(split..high);
            high = split;
        } else {
            ranges.push(low..split);
            (low, from_start) = (split, false);
        }
    }
    if !from_start {
        ranges.push(low..high);
    }
    ranges.reverse();
    ranges
}

/// Whether `path` proves that the tree of `size` leaves with root `root` begins with the one of `old` leaves and
/// root `old_root` (RFC 9162, 2.1.4.2). A tree of nothing begins every tree, with an empty path.
pub(super) fn is_consistent(old: u64, old_root: &Hash, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if old == 0 || old == size {
        let same = if old == 0 { *old_root == hash(&[]) } else { old_root == root };
        return same && path.is_empty();
    }
    let (Some(mut at), Some(mut last)) = (old.checked_sub(1), size.checked_sub(1).filter(|_| old < size))
    else {
        return false;
    };
    let whole = old.is_power_of_two().then_some(*old_root);
    let mut hashes = whole.into_iter().chain(path.iter().copied());
    let Some(first) = hashes.next() else { return false };
    let shift = at.trailing_ones();
    (at, last) = (at >> shift, last >> shift);
    let (mut before, mut now) = (first, first);
    for sibling in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = node(&sibling, &before);
            now = node(&sibling, &now);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            now = node(&now, &sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && before == *old_root && now == *root
}

/// The largest power of two below `n`, for `n` above 1.
fn split_point(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The root that an inclusion path leads to, or `None` when the path has the wrong length (RFC 9162, 2.1.3.2).
pub fn root_of_path(index: u64, size: u64, leaf: &Hash, path: &[Hash]) -> Option<Hash> {
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let (mut at, mut top) = (index, *leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            top = node(sibling, &top);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            top = node(&top, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: &Hash) -> String {
        crate::identity::Digest::from_bytes(*hash).hex()
    }

    /// The leaves used by the reference implementations of RFC 6962.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn recursive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => hash(&[]),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(split_point(leaves.len() as u64) as usize);
                node(&recursive(left), &recursive(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_rfc_6962_reference_vectors() {
        let mut edge = Edge::default();
        assert_eq!(hex(&edge.root()), ROOTS[0]);
        for (data, want) in LEAVES.iter().zip(&ROOTS[1..]) {
            edge.push(leaf(data));
            assert_eq!(hex(&edge.root()), *want);
        }
    }

    #[test]
    fn the_edge_agrees_with_the_recursive_definition_and_restores_from_its_parts() {
        let leaves: Vec<Hash> = (0..130_u32).map(|i| leaf(&i.to_le_bytes())).collect();
        let mut edge = Edge::default();
        for (i, l) in leaves.iter().enumerate() {
            let mut restored = Edge::from_parts(edge.size(), edge.hashes().to_vec()).unwrap();
            edge.push(*l);
            restored.push(*l);
            assert_eq!(restored, edge);
            assert_eq!(edge.root(), recursive(&leaves[..=i]));
        }
        assert!(Edge::from_parts(3, vec![[0; 32]]).is_none());
    }

    #[test]
    fn every_inclusion_path_of_every_size_leads_to_the_root_and_no_other_does() {
        let leaves: Vec<Hash> = (0..70_u32).map(|i| leaf(&i.to_le_bytes())).collect();
        for size in 1..=leaves.len() {
            let root = recursive(&leaves[..size]);
            for index in 0..size {
                let path: Vec<Hash> = path_ranges(index as u64, size as u64)
                    .into_iter()
                    .map(|r| recursive(&leaves[r.start as usize..r.end as usize]))
                    .collect();
                let (i, n) = (index as u64, size as u64);
                assert_eq!(root_of_path(i, n, &leaves[index], &path), Some(root));
                assert_ne!(root_of_path(i, n, &[9; 32], &path), Some(root));
                let mut longer = path.clone();
                longer.push([1; 32]);
                assert_eq!(root_of_path(i, n, &leaves[index], &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(root_of_path(i, n, &leaves[index], shorter), None);
                }
                assert_ne!(root_of_path((i + 1) % n, n, &leaves[index], &path), Some(root).filter(|_| n > 1));
            }
            assert_eq!(root_of_path(size as u64, size as u64, &leaves[0], &[]), None);
        }
        assert!(path_ranges(3, 3).is_empty());
    }

    #[test]
    fn every_tree_is_proved_to_begin_with_each_earlier_one_and_with_no_other() {
        let leaves: Vec<Hash> = (0..40_u32).map(|i| leaf(&i.to_le_bytes())).collect();
        for size in 1..=leaves.len() {
            let root = recursive(&leaves[..size]);
            for old in 0..=size {
                let old_root = recursive(&leaves[..old]);
                let path: Vec<Hash> = consistency_ranges(old as u64, size as u64)
                    .into_iter()
                    .map(|r| recursive(&leaves[r.start as usize..r.end as usize]))
                    .collect();
                let (m, n) = (old as u64, size as u64);
                let holds = |m, old_root: &Hash, n, root: &Hash, path: &[Hash]| {
                    is_consistent(m, old_root, n, root, path)
                };
                assert!(holds(m, &old_root, n, &root, &path), "{m} of {n}");
                assert!(!holds(m, &[7; 32], n, &root, &path));
                assert!(!holds(m, &old_root, n, &[7; 32], &path) || old == 0);
                assert!(!holds(m + 1, &old_root, n, &root, &path));
                let mut longer = path.clone();
                longer.push([1; 32]);
                assert!(!holds(m, &old_root, n, &root, &longer));
                for at in 0..path.len() {
                    let mut bad = path.clone();
                    bad[at][3] ^= 1;
                    assert!(!holds(m, &old_root, n, &root, &bad));
                }
            }
        }
    }
}
