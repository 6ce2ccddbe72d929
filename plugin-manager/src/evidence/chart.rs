//! Bars over time and for plugins, as SVG that prints in black and white.

use super::html::{escaped, grouped};
use crate::export::{date_of, day_of};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bars of one chart, at most.
const BARS: u64 = 62;
/// Days of one bar, where they are enough.
const SPANS: [u64; 4] = [1, 7, 30, 365];
/// Bars of one chart that have room for their numbers.
const NUMBERED: u64 = 14;
/// Widest bar.
const WIDEST: u64 = 44;
const WIDTH: u64 = 640;
const HEIGHT: u64 = 110;
/// Room above the bars, for their numbers.
const TOP: u64 = 16;

/// What time a chart covers: whole days, and how many of them are one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    first: u64,
    bars: u64,
    days: u64,
}

impl Axis {
    /// The axis from the day of this time to the day of that one. A day without anything has its place too.
    pub fn over(first: &str, last: &str) -> Option<Self> {
        let (first, last) = (day_of(first)?, day_of(last)?);
        let (first, last) = (first.min(last), first.max(last));
        let all = last - first + 1;
        let fits = SPANS.into_iter().find(|days| all.div_ceil(*days) <= BARS);
        let days = fits.unwrap_or_else(|| all.div_ceil(BARS));
        Some(Self { first, bars: all.div_ceil(days), days })
    }

    fn bar_of(&self, day: &str) -> Option<usize> {
        let bar = day_of(day)?.checked_sub(self.first)? / self.days;
        usize::try_from(bar).ok()
    }
}

/// The chart of what was counted by day.
pub(super) fn over_time(title: &str, days: &BTreeMap<String, u64>, axis: Axis) -> String {
    let mut bars = vec![0_u64; usize::try_from(axis.bars).unwrap_or(0)];
    for (day, n) in days {
        if let Some(bar) = axis.bar_of(day).and_then(|at| bars.get_mut(at)) {
            *bar = bar.saturating_add(*n);
        }
    }
    let most = bars.iter().copied().max().unwrap_or(0);
    let mut to = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
        TOP + HEIGHT + 18,
        escaped(title)
    );
    let base = TOP + HEIGHT;
    let _ = write!(to, "<line x1=\"0\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\" stroke=\"#444\"/>");
    if axis.bars > NUMBERED {
        let _ = write!(
            to,
            "<line x1=\"0\" y1=\"{TOP}\" x2=\"{WIDTH}\" y2=\"{TOP}\" stroke=\"#bbb\" stroke-dasharray=\"2 3\"/>\
             <text x=\"{WIDTH}\" y=\"{}\" class=\"e\">{}</text>",
            TOP - 4,
            grouped(most)
        );
    }
    let step = WIDTH / axis.bars.max(1);
    for (at, n) in (0..axis.bars).zip(&bars) {
        bar(&mut to, axis, at, step, (*n, most));
    }
    let by = if axis.days == 1 { "by day".to_owned() } else { format!("each bar {} days", axis.days) };
    let _ = write!(to, "</svg><figcaption>{}, {by} (UTC)</figcaption></figure>", escaped(title));
    to
}

fn bar(to: &mut String, axis: Axis, at: u64, step: u64, (n, most): (u64, u64)) {
    let base = TOP + HEIGHT;
    let height = n.saturating_mul(HEIGHT).checked_div(most).unwrap_or(0).max(u64::from(n > 0));
    let width = step.saturating_sub(3).clamp(1, WIDEST);
    let middle = at * step + step / 2;
    let date = date_of(axis.first + at * axis.days);
    if n > 0 {
        let _ = write!(
            to,
            "<rect x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" fill=\"#35618f\"><title>{date}: {n}</title></rect>",
            middle - width / 2,
            base - height,
        );
    }
    if n > 0 && axis.bars <= NUMBERED {
        let _ =
            write!(to, "<text x=\"{middle}\" y=\"{}\" class=\"n\">{}</text>", base - height - 3, grouped(n));
    }
    if axis.bars <= NUMBERED || at.is_multiple_of((axis.bars / 8).max(1)) {
        // The first date would begin outside of the picture.
        let (x, class) = if middle < 24 { (0, "s") } else { (middle, "n") };
        let label = date.get(5..).filter(|_| axis.bars * axis.days < 300).unwrap_or(&date);
        let _ = write!(to, "<text x=\"{x}\" y=\"{}\" class=\"{class}\">{label}</text>", base + 13);
    }
}

/// Plugins of one chart, at most: those with the highest counts.
const PLUGINS: usize = 12;
/// Where bars of plugins begin; what is left of it is for names.
const NAMES: u64 = 170;
const ROW: u64 = 20;

/// The chart of what was counted by plugin, the highest first.
pub(super) fn by_plugin(title: &str, plugins: &BTreeMap<String, u64>) -> String {
    let mut shown: Vec<(&String, u64)> = plugins.iter().map(|(name, n)| (name, *n)).collect();
    shown.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let left_out = shown.len().saturating_sub(PLUGINS);
    shown.truncate(PLUGINS);
    let most = shown.first().map_or(0, |(_, n)| *n);
    let mut to = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
        shown.len() as u64 * ROW + 4,
        escaped(title)
    );
    for (at, (name, n)) in (0_u64..).zip(&shown) {
        let room = WIDTH - NAMES - 70;
        let width = n.saturating_mul(room).checked_div(most).unwrap_or(0).max(1);
        let y = at * ROW;
        let _ = write!(
            to,
            "<text x=\"0\" y=\"{0}\" class=\"l\">{1}</text><rect x=\"{NAMES}\" y=\"{2}\" width=\"{width}\" height=\"14\" \
             fill=\"#35618f\"/><text x=\"{3}\" y=\"{0}\" class=\"l\">{4}</text>",
            y + 14,
            escaped(&clipped(name)),
            y + 3,
            NAMES + width + 5,
            grouped(*n)
        );
    }
    let more = if left_out > 0 { format!("; {left_out} more in series.csv") } else { String::new() };
    let _ = write!(to, "</svg><figcaption>{}, by plugin{more}</figcaption></figure>", escaped(title));
    to
}

/// A name as it fits beside its bar.
fn clipped(name: &str) -> String {
    const FITS: usize = 28;
    if name.chars().count() <= FITS {
        return name.to_owned();
    }
    name.chars().take(FITS - 1).chain(['\u{2026}']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_place_for_every_day_and_no_more_bars_than_fit() {
        let axis = |first, last| Axis::over(first, last).unwrap();
        assert_eq!(axis("2026-02-27T09:00:00.000Z", "2026-03-02"), Axis { first: 20_511, bars: 4, days: 1 });
        assert_eq!(axis("2026-01-01", "2026-12-31"), Axis { first: 20_454, bars: 53, days: 7 });
        assert_eq!(axis("1970-01-01", "9999-12-31").bars, 62);
        assert_eq!(
            axis("2026-01-02", "2026-01-01"),
            axis("2026-01-01", "2026-01-02"),
            "a clock that was put back"
        );
        assert_eq!(Axis::over("soon", "2026-01-01"), None);
    }

    #[test]
    fn what_was_counted_is_drawn_where_it_belongs() {
        let days = [("2026-02-27", 5), ("2026-03-02", 10), ("(others)", 7), ("2025-01-01", 3)];
        let days = days.map(|(day, n)| (day.to_owned(), n)).into();
        let drawn = over_time("T", &days, Axis::over("2026-02-27", "2026-03-02").unwrap());
        assert_eq!(drawn.matches("<rect").count(), 2, "{drawn}");
        assert!(drawn.contains("height=\"55\"") && drawn.contains("height=\"110\""), "{drawn}");
        assert!(drawn.contains(">02-28<") && drawn.contains(">03-01<"), "{drawn}");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (day, date) in
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_778, "2026-11-21"), (47_541, "2100-03-01")]
        {
            assert_eq!((date_of(day).as_str(), day_of(date)), (date, Some(day)));
        }
    }
}
