//! A graph as a self-contained SVG: plugins left of what they need, requirements on the edges where they begin,
//! what is missing or circular in red. No script, no link, nothing loaded; every text is escaped.

use super::layout::{Input, Layout, Place, Way, layout};
use super::model::{Edge, EdgeKind, Graph, version_of};
use super::svg_style::STYLE;
use plugin_manager::{DependencyKind, DependencyNode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Most nodes a picture has.
pub const MAX_NODES: usize = 500;
/// Requirements on the host that are met are written into the boxes when there are more than this.
const MAX_HOST_EDGES: usize = 12;
/// Longest text shown in full, in characters; the rest is in the tooltip.
const MAX_TEXT: usize = 36;
const MARGIN: f64 = 28.0;
const HEAD: f64 = 34.0;
const FOOT: f64 = 30.0;
/// Height of a line on the side of a box that one edge leaves by.
const PORT: f64 = 14.0;
/// Length of the straight end of an edge, the arrow's head included.
const STRAIGHT: f64 = 12.0;
const CHAR: f64 = 7.9;
const SMALL_CHAR: f64 = 6.3;
const LABEL_CHAR: f64 = 5.7;

/// The graph as SVG; `None` when it is too large for a picture.
pub fn svg(graph: &Graph<'_>) -> Option<String> {
    if graph.nodes.len() > MAX_NODES {
        return None;
    }
    let parts = Parts::of(graph);
    let input = Input {
        heights: parts.cards.iter().map(|c| c.height).collect(),
        edges: parts.edges.iter().map(|e| (e.from, e.to)).collect(),
        last: parts.cards.iter().map(|c| c.node.kind == DependencyKind::Host).collect(),
    };
    let layout = layout(&input)?;
    let plan = Plan::of(&parts, &layout);
    Some(plan.draw(&parts, &layout))
}

/// A node as it is drawn.
struct Card<'a> {
    node: &'a DependencyNode,
    lines: Vec<String>,
    width: f64,
    height: f64,
}

/// What is joined by edges, what stands alone, and what needs itself.
struct Parts<'a> {
    cards: Vec<Card<'a>>,
    edges: Vec<Edge<'a>>,
    alone: Vec<Card<'a>>,
    loops: Vec<Edge<'a>>,
}

impl<'a> Parts<'a> {
    fn of(graph: &Graph<'a>) -> Self {
        let folded = folded(graph);
        let drawn: Vec<Edge<'a>> =
            graph.edges.iter().enumerate().filter(|(n, _)| !folded.contains(n)).map(|(_, e)| *e).collect();
        let (loops, edges): (Vec<_>, Vec<_>) = drawn.into_iter().partition(|e| e.from == e.to);
        let mut parts = Self { cards: vec![], edges: vec![], alone: vec![], loops: vec![] };
        let mut number = BTreeMap::new();
        let hidden = hidden(graph, &folded);
        for (old, node) in graph.nodes.iter().enumerate().filter(|(n, _)| !hidden.contains(n)) {
            let out = edges.iter().filter(|e| e.from == old).count();
            let notes = folded.iter().filter_map(|n| graph.edges.get(*n)).filter(|e| e.from == old);
            let card = Card::new(node, out, notes.map(|e| format!("{} {}", e.need.on, e.need.requirement)));
            let joined = edges.iter().chain(&loops).any(|e| e.from == old || e.to == old);
            if joined {
                number.insert(old, parts.cards.len());
                parts.cards.push(card);
            } else {
                parts.alone.push(card);
            }
        }
        let renumbered =
            |e: Edge<'a>| Some(Edge { from: *number.get(&e.from)?, to: *number.get(&e.to)?, need: e.need });
        parts.edges = edges.into_iter().filter_map(renumbered).collect();
        parts.loops = loops.into_iter().filter_map(renumbered).collect();
        parts
    }
}

/// The edges that are written into boxes instead of drawn: nearly every plugin needs the host.
fn folded(graph: &Graph<'_>) -> BTreeSet<usize> {
    let on_host = |e: &Edge<'_>| {
        graph.nodes.get(e.to).is_some_and(|n| n.kind == DependencyKind::Host) && e.kind() == EdgeKind::Met
    };
    let met: BTreeSet<usize> =
        graph.edges.iter().enumerate().filter(|(_, e)| on_host(e)).map(|(n, _)| n).collect();
    if met.len() > MAX_HOST_EDGES { met } else { BTreeSet::new() }
}

/// Parts of the host nothing is drawn to any more.
fn hidden(graph: &Graph<'_>, folded: &BTreeSet<usize>) -> BTreeSet<usize> {
    let reached: BTreeSet<usize> =
        graph.edges.iter().enumerate().filter(|(n, _)| !folded.contains(n)).map(|(_, e)| e.to).collect();
    let host = graph.nodes.iter().enumerate().filter(|(_, n)| n.kind == DependencyKind::Host);
    host.map(|(n, _)| n).filter(|n| !reached.contains(n)).collect()
}

impl<'a> Card<'a> {
    fn new(node: &'a DependencyNode, out: usize, notes: impl Iterator<Item = String>) -> Self {
        let by = match (&node.publisher, node.kind) {
            (_, DependencyKind::Host) => " · host".to_owned(),
            (Some(publisher), _) => format!(" · {publisher}"),
            (None, _) => String::new(),
        };
        let notes: Vec<String> = notes.collect();
        let mut lines = vec![clip(&format!("{}{by}", version_of(node)))];
        lines.extend((!notes.is_empty()).then(|| clip(&notes.join(", "))));
        let longest =
            lines.iter().map(|l| width(l, SMALL_CHAR)).fold(width(&clip(&node.name), CHAR), f64::max);
        #[allow(clippy::cast_precision_loss, reason = "counts are small")]
        let (text, ports) = (30.0 + 15.0 * lines.len() as f64, PORT * out as f64 + 6.0);
        Self { node, width: longest + 28.0, height: f64::max(text, ports), lines }
    }

    fn title(&self) -> String {
        let version = self.node.version.as_deref().unwrap_or("not there");
        let by = self.node.publisher.as_ref().map_or_else(String::new, |p| format!(" by {p}"));
        format!("{} {version}{by}, {}", self.node.name, self.node.kind.name())
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_TEXT - 1).chain(['…']).collect(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "texts are short")]
fn width(text: &str, char: f64) -> f64 {
    text.chars().count() as f64 * char
}

/// A column: its left edge and its width.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    x: f64,
    width: f64,
}

impl Column {
    fn right(self) -> f64 {
        self.x + self.width
    }
}

/// Everything in places on the page.
struct Plan {
    columns: Vec<Column>,
    width: f64,
    height: f64,
    /// Heights at which each edge leaves and arrives, at its left and its right end.
    ends: Vec<(f64, f64)>,
    /// The height the boxes that stand alone begin at.
    alone_from: f64,
    alone_rows: Vec<Vec<usize>>,
}

impl Plan {
    fn of(parts: &Parts<'_>, layout: &Layout) -> Self {
        let columns = columns(parts, layout);
        let drawn = columns.last().map_or(0.0, |c| c.right());
        let page = f64::max(drawn + MARGIN, 640.0);
        let alone_rows = rows(&parts.alone, page - 2.0 * MARGIN);
        let under = if layout.columns > 0 { layout.height + 26.0 } else { 0.0 };
        let alone_from = MARGIN + HEAD + under;
        let alone: f64 = alone_rows.iter().map(|row| row_height(&parts.alone, row) + 14.0).sum();
        Self {
            columns,
            width: page,
            height: alone_from + alone + FOOT + MARGIN,
            ends: ends(parts, layout),
            alone_from,
            alone_rows,
        }
    }

    fn column(&self, number: usize) -> Column {
        self.columns.get(number).copied().unwrap_or_default()
    }

    fn draw(&self, parts: &Parts<'_>, layout: &Layout) -> String {
        let (w, h) = (self.width.round(), self.height.round());
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\" aria-label=\"Plugin dependencies\">\n<title>Plugin dependencies</title>\n<style>{STYLE}</style>\n\
             <rect class=\"page\" width=\"{w}\" height=\"{h}\"/>\n"
        );
        heading(&mut out, parts);
        for ((edge, way), ends) in parts.edges.iter().zip(&layout.ways).zip(&self.ends) {
            self.edge(&mut out, parts, layout, edge, way, *ends);
        }
        for ((edge, way), ends) in parts.edges.iter().zip(&layout.ways).zip(&self.ends) {
            self.label(&mut out, parts, layout, (edge, way, *ends));
        }
        for (card, place) in parts.cards.iter().zip(&layout.places) {
            let column = self.column(place.column);
            draw_card(&mut out, card, column.x, place.y + MARGIN + HEAD, column.width);
        }
        for edge in &parts.loops {
            self.self_loop(&mut out, parts, layout, edge);
        }
        self.alone(&mut out, parts);
        legend(&mut out, parts, self.height - MARGIN + 6.0);
        out.push_str("</svg>\n");
        out
    }

    /// From the right side of the left box through its bends to the left side of the right box; the head is where
    /// the need points to.
    fn edge(
        &self,
        out: &mut String,
        parts: &Parts<'_>,
        layout: &Layout,
        edge: &Edge<'_>,
        way: &Way,
        ends: (f64, f64),
    ) {
        let (left, right) = if way.turned { (edge.to, edge.from) } else { (edge.from, edge.to) };
        let place = |n: usize| layout.places.get(n).copied().unwrap_or(Place { column: 0, y: 0.0 });
        let (from, to) = (place(left), place(right));
        let (x1, x2) = (self.column(from.column).right(), self.column(to.column).x);
        let (y1, y2) = (ends.0 + MARGIN + HEAD, ends.1 + MARGIN + HEAD);
        let class = class(parts, edge);
        let (begin, end) = if way.turned { (x1 + 8.0, x2) } else { (x1, x2 - 8.0) };
        let mut path = format!("M{begin:.1} {y1:.1}H{:.1}", x1 + STRAIGHT);
        let (mut x, mut y) = (x1 + STRAIGHT, y1);
        for (column, bend) in (from.column + 1..).map(|n| self.column(n)).zip(&way.bends) {
            let bend = bend + MARGIN + HEAD;
            curve(&mut path, (x, y), (column.x, bend));
            let _ = write!(path, "H{:.1}", column.right());
            (x, y) = (column.right(), bend);
        }
        curve(&mut path, (x, y), (x2 - STRAIGHT, y2));
        let _ = write!(path, "H{end:.1}");
        let _ = writeln!(out, "<path class=\"edge{class}\" d=\"{path}\"/>");
        let head = if way.turned {
            format!("M{x1:.1} {y1:.1}l9 -4.5v9z")
        } else {
            format!("M{x2:.1} {y2:.1}l-9 -4.5v9z")
        };
        let _ = writeln!(out, "<path class=\"head{class}\" d=\"{head}\"/>");
    }

    /// The requirement, where the edge begins. Labels come after all edges, so that none crosses them.
    fn label(&self, out: &mut String, parts: &Parts<'_>, layout: &Layout, at: (&Edge<'_>, &Way, (f64, f64))) {
        let (edge, way, ends) = at;
        let column = layout.places.get(edge.from).map_or(Column::default(), |p| self.column(p.column));
        let (x, y, anchor) = if way.turned {
            (column.x - 6.0, ends.1, "end")
        } else {
            (column.right() + 6.0, ends.0, "start")
        };
        let (class, text) = (class(parts, edge), escaped(&clip(&edge.need.requirement)));
        let y = y + MARGIN + HEAD - 3.0;
        let _ = writeln!(
            out,
            "<text class=\"label{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// A need of itself: a loop above the right corner.
    fn self_loop(&self, out: &mut String, parts: &Parts<'_>, layout: &Layout, edge: &Edge<'_>) {
        let (Some(place), Some(card)) = (layout.places.get(edge.from), parts.cards.get(edge.from)) else {
            return;
        };
        let x = self.column(place.column).right() - 22.0;
        let y = place.y + MARGIN + HEAD - card.height / 2.0;
        let class = class(parts, edge);
        let _ = writeln!(
            out,
            "<path class=\"edge{class}\" d=\"M{x:.1} {y:.1}c0 -22 30 -22 30 2c0 10 -4 12 -7 12\"/>"
        );
        let _ = writeln!(out, "<path class=\"head{class}\" d=\"M{:.1} {:.1}l8 -4v8z\"/>", x + 22.0, y + 14.0);
        let text = escaped(&clip(&edge.need.requirement));
        let _ = writeln!(
            out,
            "<text class=\"label{class}\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            x + 33.0,
            y - 4.0
        );
    }

    fn alone(&self, out: &mut String, parts: &Parts<'_>) {
        let mut top = self.alone_from;
        for row in &self.alone_rows {
            let height = row_height(&parts.alone, row);
            let mut x = MARGIN;
            for card in row.iter().filter_map(|n| parts.alone.get(*n)) {
                draw_card(out, card, x, top + card.height / 2.0, card.width);
                x += card.width + 14.0;
            }
            top += height + 14.0;
        }
    }
}

fn curve(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    if (from.1 - to.1).abs() < 0.05 {
        let _ = write!(path, "H{:.1}", to.0);
        return;
    }
    let middle = f64::midpoint(from.0, to.0);
    let _ = write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1);
}

/// Columns as wide as their widest box, with room between for the longest label that begins there.
fn columns(parts: &Parts<'_>, layout: &Layout) -> Vec<Column> {
    let mut widths = vec![0.0f64; layout.columns];
    let mut gaps = vec![64.0f64; layout.columns];
    for (card, place) in parts.cards.iter().zip(&layout.places) {
        widths.get_mut(place.column).into_iter().for_each(|w| *w = w.max(card.width));
    }
    for (edge, way) in parts.edges.iter().zip(&layout.ways) {
        let column = layout.places.get(edge.from).map_or(0, |p| p.column);
        let gap = if way.turned { column.saturating_sub(1) } else { column };
        let wanted = width(&clip(&edge.need.requirement), LABEL_CHAR) + 52.0;
        gaps.get_mut(gap).into_iter().for_each(|g| *g = g.max(wanted));
    }
    let mut x = MARGIN;
    let column = |(width, gap): (f64, f64)| {
        let column = Column { x, width };
        x += width + gap;
        column
    };
    widths.into_iter().zip(gaps).map(column).collect()
}

/// Where edges leave and arrive: spread over the side of the box, in the order of where they lead.
fn ends(parts: &Parts<'_>, layout: &Layout) -> Vec<(f64, f64)> {
    let y = |n: usize| layout.places.get(n).map_or(0.0, |p| p.y);
    let mut right_sides: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    let mut left_sides: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (number, (edge, way)) in parts.edges.iter().zip(&layout.ways).enumerate() {
        let (left, right) = if way.turned { (edge.to, edge.from) } else { (edge.from, edge.to) };
        let (first, last) = (way.bends.first().copied(), way.bends.last().copied());
        right_sides.entry(left).or_default().push((first.unwrap_or_else(|| y(right)), number));
        left_sides.entry(right).or_default().push((last.unwrap_or_else(|| y(left)), number));
    }
    let right = spread(right_sides, parts, y);
    let left = spread(left_sides, parts, y);
    let at = |ports: &BTreeMap<usize, f64>, n: usize| ports.get(&n).copied().unwrap_or(0.0);
    (0..parts.edges.len()).map(|n| (at(&right, n), at(&left, n))).collect()
}

#[allow(clippy::cast_precision_loss, reason = "degrees are small")]
fn spread(
    sides: BTreeMap<usize, Vec<(f64, usize)>>,
    parts: &Parts<'_>,
    y: impl Fn(usize) -> f64,
) -> BTreeMap<usize, f64> {
    let mut ports = BTreeMap::new();
    for (node, mut edges) in sides {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let height = parts.cards.get(node).map_or(0.0, |c| c.height) - 8.0;
        let step = (height / edges.len() as f64).min(22.0);
        let top = y(node) - step * (edges.len() as f64 - 1.0) / 2.0;
        ports.extend(edges.iter().enumerate().map(|(n, (_, edge))| (*edge, top + step * n as f64)));
    }
    ports
}

/// Boxes that stand alone, as many in a row as fit.
fn rows(cards: &[Card<'_>], room: f64) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut used = f64::INFINITY;
    for (number, card) in cards.iter().enumerate() {
        if used + card.width > room {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += card.width + 14.0;
        rows.last_mut().into_iter().for_each(|row| row.push(number));
    }
    rows
}

fn row_height(cards: &[Card<'_>], row: &[usize]) -> f64 {
    row.iter().filter_map(|n| cards.get(*n)).map(|c| c.height).fold(0.0, f64::max)
}

fn class(parts: &Parts<'_>, edge: &Edge<'_>) -> &'static str {
    let to_host = parts.cards.get(edge.to).is_some_and(|c| c.node.kind == DependencyKind::Host);
    match edge.kind() {
        EdgeKind::Met if to_host => " tohost",
        EdgeKind::Met => "",
        EdgeKind::Unmet => " unmet",
        EdgeKind::Circular => " circular",
    }
}

fn draw_card(out: &mut String, card: &Card<'_>, x: f64, middle: f64, width: f64) {
    let top = middle - card.height / 2.0;
    let radius = if card.node.kind == DependencyKind::Host { 20.0 } else { 7.0 };
    let kind = card.node.kind.name();
    let _ = writeln!(out, "<g class=\"{kind}\"><title>{}</title>", escaped(&card.title()));
    let _ = writeln!(
        out,
        "<rect class=\"box\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"{radius}\"/>",
        card.height
    );
    #[allow(clippy::cast_precision_loss, reason = "a card has two or three lines")]
    let first = middle - 15.0 * card.lines.len() as f64 / 2.0 + 4.0;
    let text = x + 14.0;
    let name = escaped(&clip(&card.node.name));
    let _ = writeln!(out, "<text class=\"name\" x=\"{text:.1}\" y=\"{first:.1}\">{name}</text>");
    let mut y = first;
    for line in &card.lines {
        y += 15.0;
        let _ = writeln!(out, "<text class=\"more\" x=\"{text:.1}\" y=\"{y:.1}\">{}</text>", escaped(line));
    }
    out.push_str("</g>\n");
}

fn heading(out: &mut String, parts: &Parts<'_>) {
    let all = || parts.cards.iter().chain(&parts.alone).map(|c| c.node.kind);
    let count = |kind| all().filter(|k| *k == kind).count();
    let unmet = parts.edges.iter().filter(|e| e.kind() == EdgeKind::Unmet).count();
    let circular = parts.edges.iter().chain(&parts.loops).any(|e| e.kind() == EdgeKind::Circular);
    let mut told = Vec::new();
    let some = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
    told.extend(some(count(DependencyKind::Installed), "installed"));
    told.extend(some(count(DependencyKind::Offered), "offered"));
    told.extend(some(count(DependencyKind::Missing), "missing"));
    told.extend(some(unmet, "unmet"));
    told.extend(circular.then(|| "circular".to_owned()));
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"34\">Plugin dependencies <tspan class=\"sum\" dx=\"8\">{}</tspan></text>",
        told.join(" · ")
    );
}

fn legend(out: &mut String, parts: &Parts<'_>, y: f64) {
    let kinds: BTreeSet<DependencyKind> =
        parts.cards.iter().chain(&parts.alone).map(|c| c.node.kind).collect();
    let mut x = MARGIN;
    for kind in kinds {
        let name = kind.name();
        let _ = writeln!(
            out,
            "<g class=\"{name}\"><rect class=\"box\" x=\"{x:.1}\" y=\"{:.1}\" width=\"16\" height=\"11\" rx=\"3\"/></g>\
             <text class=\"legend\" x=\"{:.1}\" y=\"{y:.1}\">{name}</text>",
            y - 9.0,
            x + 22.0
        );
        x += 22.0 + width(name, SMALL_CHAR) + 20.0;
    }
    for (class, text) in [(" unmet", "unmet"), (" circular", "part of a circle")] {
        if !parts.edges.iter().chain(&parts.loops).any(|e| self::class(parts, e) == class) {
            continue;
        }
        let middle = y - 3.5;
        let _ = writeln!(
            out,
            "<path class=\"edge{class}\" d=\"M{x:.1} {middle:.1}h26\"/><text class=\"legend\" x=\"{:.1}\" y=\"{y:.1}\">{text}</text>",
            x + 32.0
        );
        x += 32.0 + width(text, SMALL_CHAR) + 20.0;
    }
}

/// Text as XML has it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
