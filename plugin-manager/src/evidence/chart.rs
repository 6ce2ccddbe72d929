//! Bars for days and for plugins, as SVG that prints in black and white.

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
             fill=\"#35618f\"/><text x=\"{3}\" y=\"{0}\" class=\"l\">{n}</text>",
            y + 14,
            escaped(&clipped(name)),
            y + 3,
            NAMES + width + 5
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
