//! Seconds since 1970 as RFC 3339 text in UTC, and back.

/// `2026-11-20T23:08:45Z`. Years beyond 9999 are written with more digits.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The Gregorian date of a day counted from 1970-01-01, by eras of 400 years that start on 1 March.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The seconds of a text as [`rfc3339`] writes it for years to 9999; `None` for any other.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let [b0, b1, b2, b3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'Z'] =
        *text.as_bytes()
    else {
        return None;
    };
    let digit = |b: u8| char::from(b).to_digit(10).map(u64::from);
    let two = |a: u8, b: u8| Some(digit(a)? * 10 + digit(b)?);
    let (year, month, day) = (two(b0, b1)? * 100 + two(b2, b3)?, two(m0, m1)?, two(d0, d1)?);
    let days = days(year, month, day)?;
    let at = days * 86_400 + two(h0, h1)? * 3600 + two(i0, i1)? * 60 + two(s0, s1)?;
    // A day or an hour that is none comes out as another when it is written again.
    (rfc3339(at) == text).then_some(at)
}

/// The number of a Gregorian date counted from 1970-01-01; `None` before that.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::{rfc3339, seconds};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_is_read_as_it_was_written(at in 0_u64..253_402_300_800) {
            prop_assert_eq!(seconds(&rfc3339(at)), Some(at));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z") {
            if let Some(at) = seconds(&text) {
                prop_assert_eq!(rfc3339(at), text);
            }
        }
    }

    #[test]
    fn other_texts_are_no_time() {
        for text in [
            "",
            "2026-11-20T23:08:45",
            "2026-11-20T23:08:45+00:00",
            "2026-11-20t23:08:45z",
            "2026-02-29T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2026-11-20T23:08:45.5Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_216_125, "2026-11-20T23:08:45Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
