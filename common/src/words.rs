//! A number with its noun, in the singular or the plural as the number has it.

/// `1 file`, `2 files`, `0 files`. The noun is one whose plural ends in `s`.
///
/// ```
/// assert_eq!(common::words::counted(1, "file"), "1 file");
/// assert_eq!(common::words::counted(2, "file"), "2 files");
/// ```
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // A number that does not fit is more than any that does.
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_every_other_number_plural() {
        assert_eq!([0_u64, 1, 2].map(|n| counted(n, "file")), ["0 files", "1 file", "2 files"]);
        assert_eq!(counted(u128::MAX, "file"), format!("{} files", u64::MAX));
    }
}
