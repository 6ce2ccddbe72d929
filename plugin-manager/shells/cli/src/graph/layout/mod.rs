//! Boxes and edges to places in columns from left to right: the same input gives the same places.
//!
//! The usual four steps of a layered drawing: edges that close circles are turned ([`columns`]), every box gets a
//! column, edges that pass columns get a bend in each, boxes and bends are ordered so that few edges cross
//! ([`ranks`]), and then get heights near those of their neighbours ([`heights`]). A crate that does this gives
//! boxes alone or a finished picture of its own; here the edges keep their places for labels.

mod columns;
mod heights;
mod ranks;

use columns::Columns;

/// Most bends edges may have together; a drawing with more is refused before memory is taken for it.
const MAX_BENDS: usize = 20_000;
/// Free space between two boxes of a column.
const GAP: f64 = 18.0;
/// Free space between an edge that passes a column and what is beside it.
const BEND_GAP: f64 = 9.0;

/// What is to be drawn.
#[derive(Debug)]
pub struct Input {
    /// The height of each box.
    pub heights: Vec<f64>,
    /// Edges by the numbers of their boxes; they lead from left to right. No box has an edge to itself.
    pub edges: Vec<(usize, usize)>,
    /// Boxes that stand in the last column.
    pub last: Vec<bool>,
}

/// The place of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its column, from the left.
    pub column: usize,
    /// The height of its centre.
    pub y: f64,
}

/// The way of an edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// It leads from right to left, for it closes a circle.
    pub turned: bool,
    /// The heights at which it passes the columns between its boxes, from left to right.
    pub bends: Vec<f64>,
}

/// Where everything is. Heights begin at 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Of each box.
    pub places: Vec<Place>,
    /// Of each edge.
    pub ways: Vec<Way>,
    /// How many columns there are.
    pub columns: usize,
    /// The height of it all.
    pub height: f64,
}

/// A box, or the bend of an edge in a column it passes.
#[derive(Debug)]
struct Vertex {
    height: f64,
    gap: f64,
    /// What it is joined with in the column to the left.
    left: Vec<usize>,
    /// What it is joined with in the column to the right.
    right: Vec<usize>,
    /// Its place among those of its column.
    rank: usize,
    /// The height of its centre.
    y: f64,
}

/// Boxes first, then bends; and the members of each column from top to bottom.
#[derive(Debug, Default)]
struct Net {
    vertices: Vec<Vertex>,
    columns: Vec<Vec<usize>>,
}

impl Net {
    fn add(&mut self, column: usize, height: f64, gap: f64) -> usize {
        let number = self.vertices.len();
        self.vertices.push(Vertex { height, gap, left: vec![], right: vec![], rank: 0, y: 0.0 });
        if self.columns.len() <= column {
            self.columns.resize_with(column + 1, Vec::new);
        }
        self.columns.get_mut(column).into_iter().for_each(|c| c.push(number));
        number
    }
    fn join(&mut self, left: usize, right: usize) {
        self.vertices.get_mut(left).into_iter().for_each(|v| v.right.push(right));
        self.vertices.get_mut(right).into_iter().for_each(|v| v.left.push(left));
    }
    fn y(&self, vertex: usize) -> f64 {
        self.vertices.get(vertex).map_or(0.0, |v| v.y)
    }
    fn rank(&self, vertex: usize) -> usize {
        self.vertices.get(vertex).map_or(0, |v| v.rank)
    }
    /// Numbers the members of a column by their order.
    fn number(&mut self, column: usize) {
        let members = self.columns.get(column).cloned().unwrap_or_default();
        for (rank, member) in members.into_iter().enumerate() {
            self.vertices.get_mut(member).into_iter().for_each(|v| v.rank = rank);
        }
    }
}

/// Finds the places; `None` when the edges have too many bends for a picture.
pub fn layout(input: &Input) -> Option<Layout> {
    let columns = columns::columns(input);
    let (mut net, bends) = net(input, &columns)?;
    ranks::settle(&mut net);
    let height = heights::settle(&mut net);
    let places = columns.of.iter().enumerate().map(|(n, column)| Place { column: *column, y: net.y(n) });
    let way = |(turned, bends): (&bool, &Vec<usize>)| Way {
        turned: *turned,
        bends: bends.iter().map(|b| net.y(*b)).collect(),
    };
    Some(Layout {
        places: places.collect(),
        ways: columns.turned.iter().zip(&bends).map(way).collect(),
        columns: net.columns.len(),
        height,
    })
}

/// The bends of each edge, from left to right.
type Bends = Vec<Vec<usize>>;

fn net(input: &Input, columns: &Columns) -> Option<(Net, Bends)> {
    let mut net = Net::default();
    for (height, column) in input.heights.iter().zip(&columns.of) {
        net.add(*column, *height, GAP);
    }
    let mut all = Vec::with_capacity(input.edges.len());
    for ((from, to), turned) in input.edges.iter().zip(&columns.turned) {
        let (left, right) = if *turned { (*to, *from) } else { (*from, *to) };
        let between = columns.at(left) + 1..columns.at(right);
        if net.vertices.len() + between.len() > MAX_BENDS + input.heights.len() {
            return None;
        }
        let bends: Vec<usize> = between.map(|column| net.add(column, 0.0, BEND_GAP)).collect();
        let way: Vec<usize> = [left].into_iter().chain(bends.iter().copied()).chain([right]).collect();
        for (a, b) in way.iter().zip(way.iter().skip(1)) {
            net.join(*a, *b);
        }
        all.push(bends);
    }
    Some((net, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn input(count: usize, edges: &[(usize, usize)]) -> Input {
        Input { heights: vec![40.0; count], edges: edges.to_vec(), last: vec![false; count] }
    }

    /// No two boxes of a column overlap.
    fn apart(input: &Input, layout: &Layout) {
        let mut columns: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for (place, height) in layout.places.iter().zip(&input.heights) {
            columns.entry(place.column).or_default().push((place.y - height / 2.0, place.y + height / 2.0));
        }
        for mut column in columns.into_values() {
            column.sort_by(|a, b| a.0.total_cmp(&b.0));
            for pair in column.windows(2) {
                assert!(pair[0].1 + GAP <= pair[1].0 + 1e-6, "{column:?}");
            }
            assert!(column[0].0 >= -1e-6 && column.last().unwrap().1 <= layout.height + 1e-6);
        }
    }

    #[test]
    fn edges_lead_from_left_to_right_and_bend_in_each_column_they_pass() {
        let input = input(4, &[(0, 1), (1, 2), (0, 2), (3, 2)]);
        let layout = layout(&input).unwrap();
        let columns: Vec<usize> = layout.places.iter().map(|p| p.column).collect();
        assert_eq!(columns, [0, 1, 2, 1]);
        assert_eq!(layout.ways.iter().map(|w| w.bends.len()).collect::<Vec<_>>(), [0, 0, 1, 0]);
        assert_eq!(layout.columns, 3);
        apart(&input, &layout);
    }

    #[test]
    fn an_edge_that_closes_a_circle_is_turned() {
        let layout = layout(&input(3, &[(0, 1), (1, 2), (2, 0)])).unwrap();
        assert_eq!(layout.ways.iter().map(|w| w.turned).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(layout.ways[2].bends.len(), 1);
    }

    #[test]
    fn crossings_that_need_not_be_are_undone() {
        // Two ladders, given crossed.
        let input = input(6, &[(0, 5), (1, 4), (2, 3), (0, 4), (1, 3)]);
        let layout = layout(&input).unwrap();
        let y = |n: usize| layout.places[n].y;
        assert!((y(0) < y(1)) == (y(5) < y(4)) && (y(1) < y(2)) == (y(4) < y(3)), "{layout:?}");
    }

    #[test]
    fn a_chain_is_straight() {
        let layout = layout(&input(3, &[(0, 1), (1, 2)])).unwrap();
        assert!(layout.places.iter().all(|p| (p.y - 20.0).abs() < 0.01), "{layout:?}");
        assert!((layout.height - 40.0).abs() < 0.01);
    }

    #[test]
    fn the_last_stand_last() {
        let mut input = input(4, &[(0, 1), (0, 2), (1, 3)]);
        input.last[2] = true;
        assert_eq!(layout(&input).unwrap().places[2].column, 2);
    }

    #[test]
    fn nothing_is_a_layout_too() {
        assert_eq!(layout(&input(0, &[])).unwrap().columns, 0);
    }

    #[test]
    fn a_tangle_of_two_hundred_is_laid_out_apart_and_alike_each_time() {
        let edges: Vec<(usize, usize)> = (0..600usize)
            .map(|n| (n * 7 % 200, (n * 13 + n / 200 * 31 + 1) % 200))
            .filter(|(a, b)| a != b)
            .collect();
        let input = input(200, &edges);
        let first = layout(&input).unwrap();
        apart(&input, &first);
        assert_eq!(first, layout(&input).unwrap());
    }

    #[test]
    fn too_many_bends_are_refused() {
        let mut edges: Vec<(usize, usize)> = (0..299).map(|n| (n, n + 1)).collect();
        edges.extend((0..100).map(|n| (n, 299)));
        assert!(layout(&input(300, &edges)).is_none());
    }
}
