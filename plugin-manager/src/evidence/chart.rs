//! A bar for each key, as SVG that prints in black and white.

use super::html::escaped;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bars of one chart, at most: the last ones by key.
const BARS: usize = 31;
const WIDTH: u64 = 640;
const HEIGHT: u64 = 120;

/// The chart of what was counted by day.
pub(super) fn by_day(title: &str, days: &BTreeMap<String, u64>) -> String {
    let shown: Vec<(&String, &u64)> = days.iter().rev().take(BARS).collect();
    let most = shown.iter().map(|(_, n)| **n).max().unwrap_or(0);
    let mut to = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
        HEIGHT + 34,
        escaped(title)
    );
    let _ = write!(to, "<line x1=\"0\" y1=\"{0}\" x2=\"{WIDTH}\" y2=\"{0}\" stroke=\"#444\"/>", HEIGHT + 14);
    let step = WIDTH / (shown.len().max(8) as u64);
    for (at, (day, n)) in shown.iter().rev().enumerate() {
        let height = (**n).saturating_mul(HEIGHT).checked_div(most).unwrap_or(0).max(u64::from(**n > 0));
        let (x, y) = (at as u64 * step, HEIGHT + 14 - height);
        let middle = x + step / 2;
        let _ = write!(
            to,
            "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\" fill=\"#35618f\"><title>{}: {n}</title></rect>\
             <text x=\"{middle}\" y=\"{}\" class=\"n\">{n}</text>",
            x + 2,
            step.saturating_sub(4),
            escaped(day),
            y.saturating_sub(3),
        );
        let label = day.get(5..).unwrap_or(day);
        if shown.len() <= 16 || at % 5 == 0 {
            let _ = write!(
                to,
                "<text x=\"{middle}\" y=\"{}\" class=\"n\">{}</text>",
                HEIGHT + 28,
                escaped(label)
            );
        }
    }
    let _ = write!(to, "</svg><figcaption>{}, by day (UTC)</figcaption></figure>", escaped(title));
    to
}
