//! Inputs from inputs: small seeded changes, the same ones for the same seed.

/// A generator of numbers (SplitMix64), the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }
}

/// Bytes at which parsers turn.
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\"'\\{}[]:,/.*-+ \n\t0179aZ\xc3\xed";
/// Numbers at which parsers turn.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    4,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];
/// The same for numbers in text.
const DIGITS: [&str; 10] =
    ["0", "1", "-1", "256", "65536", "4294967296", "18446744073709551616", "1e999", "0.5", "00"];

/// What new inputs are made from.
#[derive(Debug)]
pub struct Mutator<'a> {
    /// Words of the grammar.
    pub tokens: &'a [&'a str],
    /// Longest input.
    pub max_len: usize,
}

impl Mutator<'_> {
    /// Makes an input from one of the pool, in `out`. An empty pool gives random bytes.
    pub fn make(&self, rng: &mut Rng, pool: &[Vec<u8>], out: &mut Vec<u8>) {
        out.clear();
        if let Some(base) = pool.get(rng.below(pool.len())) {
            out.extend_from_slice(base);
        }
        let changes = 1 << rng.below(5);
        for _ in 0..changes {
            self.change(rng, pool, out);
        }
        out.truncate(self.max_len);
    }

    fn change(&self, rng: &mut Rng, pool: &[Vec<u8>], out: &mut Vec<u8>) {
        match rng.below(15) {
            0 | 1 => at(rng, out, |byte, rng| *byte ^= 1 << rng.below(8)),
            2 => at(rng, out, |byte, rng| *byte = rng.next() as u8),
            3 => at(rng, out, |byte, rng| *byte = BYTES[rng.below(BYTES.len())]),
            4 => at(rng, out, |byte, rng| *byte = byte.wrapping_add(rng.below(9) as u8).wrapping_sub(4)),
            5 => number(rng, out),
            6 => {
                let (from, length) = range(rng, out.len());
                out.drain(from..from + length);
            }
            7 => {
                let (from, length) = range(rng, out.len());
                let copy = out[from..from + length].to_vec();
                self.insert(rng, out, &copy);
            }
            8 | 9 if !self.tokens.is_empty() => {
                let token = self.tokens[rng.below(self.tokens.len())];
                if rng.below(2) == 0 {
                    self.insert(rng, out, token.as_bytes())
                } else {
                    over(rng, out, token.as_bytes())
                }
            }
            10 => {
                let Some(other) = pool.get(rng.below(pool.len())) else { return };
                let (from, length) = range(rng, other.len());
                self.insert(rng, out, &other[from..from + length]);
            }
            11 => digits(rng, out),
            12 => {
                let length = rng.below(out.len() + 1);
                out.truncate(length);
            }
            13 => {
                let Some(other) = pool.get(rng.below(pool.len())) else { return };
                let (from, length) = range(rng, other.len());
                over(rng, out, &other[from..from + length]);
            }
            _ => {
                let bytes: Vec<u8> = (0..=rng.below(8)).map(|_| rng.next() as u8).collect();
                self.insert(rng, out, &bytes);
            }
        }
    }

    fn insert(&self, rng: &mut Rng, out: &mut Vec<u8>, bytes: &[u8]) {
        if out.len() + bytes.len() <= self.max_len {
            let place = rng.below(out.len() + 1);
            out.splice(place..place, bytes.iter().copied());
        }
    }
}

fn at(rng: &mut Rng, out: &mut [u8], change: impl FnOnce(&mut u8, &mut Rng)) {
    let place = rng.below(out.len());
    if let Some(byte) = out.get_mut(place) {
        change(byte, rng);
    }
}

/// A part of `length` bytes, more often a short one.
fn range(rng: &mut Rng, length: usize) -> (usize, usize) {
    let most = if rng.below(2) == 0 { length.min(16) } else { length };
    let size = rng.below(most + 1);
    (rng.below(length - size + 1), size)
}

fn over(rng: &mut Rng, out: &mut [u8], bytes: &[u8]) {
    let place = rng.below(out.len());
    out.iter_mut().skip(place).zip(bytes).for_each(|(to, from)| *to = *from);
}

fn number(rng: &mut Rng, out: &mut [u8]) {
    let number = NUMBERS[rng.below(NUMBERS.len())].to_le_bytes();
    let length = 1 << rng.below(4);
    over(rng, out, &number[..length]);
}

/// Puts another number in the place of one in text.
fn digits(rng: &mut Rng, out: &mut Vec<u8>) {
    let start = rng.below(out.len());
    let Some(from) = out.iter().skip(start).position(u8::is_ascii_digit).map(|at| at + start) else { return };
    let length = out.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    out.splice(from..from + length, DIGITS[rng.below(DIGITS.len())].bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_none_is_too_long() {
        let pool = [b"{\"a\": 12}".to_vec(), Vec::new(), vec![0; 60]];
        let mutator = Mutator { tokens: &["token"], max_len: 64 };
        let made = |seed| {
            let mut rng = Rng::new(seed);
            let mut out = Vec::new();
            (0..5_000)
                .map(|_| {
                    mutator.make(&mut rng, &pool, &mut out);
                    assert!(out.len() <= 64);
                    out.clone()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        let (one, two) = (made(1), made(2));
        assert_ne!(one, two);
        let distinct: std::collections::HashSet<_> = one.iter().collect();
        assert!(distinct.len() > 3_000, "{}", distinct.len());
    }

    #[test]
    fn an_empty_pool_is_enough() {
        let mut out = Vec::new();
        let mutator = Mutator { tokens: &[], max_len: 8 };
        let mut rng = Rng::new(3);
        assert!((0..1_000).any(|_| {
            mutator.make(&mut rng, &[], &mut out);
            !out.is_empty()
        }));
    }
}
