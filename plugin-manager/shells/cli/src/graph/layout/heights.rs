//! Heights in each column, as near to those of the neighbours as order and gaps allow.

use super::{Net, Vertex};

/// Sweeps over all columns, there and back.
const SWEEPS: usize = 24;
/// How much more a bend keeps an edge straight than a box is drawn to its neighbours.
const BEND_WEIGHT: f64 = 4.0;

/// Gives every box and bend its height, beginning at 0; answers the height of it all.
pub fn settle(net: &mut Net) -> f64 {
    for column in net.columns.clone() {
        place(net, &column, |_, _| Some(0.0));
    }
    for _ in 0..SWEEPS {
        for column in net.columns.clone().iter().skip(1) {
            place(net, column, |net, v| mean(net, &v.left));
        }
        for column in net.columns.clone().iter().rev().skip(1) {
            place(net, column, |net, v| mean(net, &v.right));
        }
    }
    for column in net.columns.clone() {
        place(net, &column, |net, v| {
            let both: Vec<usize> = v.left.iter().chain(&v.right).copied().collect();
            mean(net, &both)
        });
    }
    to_zero(net)
}

fn to_zero(net: &mut Net) -> f64 {
    let top = net.vertices.iter().map(|v| v.y - v.height / 2.0).fold(f64::INFINITY, f64::min);
    let bottom = net.vertices.iter().map(|v| v.y + v.height / 2.0).fold(f64::NEG_INFINITY, f64::max);
    for vertex in &mut net.vertices {
        vertex.y -= top;
    }
    (bottom - top).max(0.0)
}

#[allow(clippy::cast_precision_loss, reason = "degrees are small")]
fn mean(net: &Net, neighbours: &[usize]) -> Option<f64> {
    let sum: f64 = neighbours.iter().map(|n| net.y(*n)).sum();
    (!neighbours.is_empty()).then(|| sum / neighbours.len() as f64)
}

/// A run of members that stand as close as they may.
struct Block {
    weight: f64,
    /// The mean of the wishes for the place of its first member.
    first: f64,
    members: usize,
}

/// The places nearest to the wishes, in the sense of least squares, that keep the order and the gaps: wishes less
/// the room above must rise, so neighbours whose wishes fall are joined to blocks until they do.
fn place(net: &mut Net, column: &[usize], wish: impl Fn(&Net, &Vertex) -> Option<f64>) {
    let mut room = 0.0;
    let mut above: Option<(f64, f64)> = None;
    let mut rooms = Vec::with_capacity(column.len());
    let mut blocks: Vec<Block> = Vec::new();
    for vertex in column.iter().filter_map(|v| net.vertices.get(*v)) {
        if let Some((height, gap)) = above {
            room += f64::midpoint(height, vertex.height) + gap.min(vertex.gap);
        }
        above = Some((vertex.height, vertex.gap));
        rooms.push(room);
        let weight = if vertex.height == 0.0 { BEND_WEIGHT } else { 1.0 };
        let first = wish(net, vertex).unwrap_or(vertex.y) - room;
        let mut block = Block { weight, first, members: 1 };
        while let Some(before) = blocks.pop_if(|before| before.first > block.first) {
            let weight = before.weight + block.weight;
            let first = (before.first * before.weight + block.first * block.weight) / weight;
            block = Block { weight, first, members: before.members + block.members };
        }
        blocks.push(block);
    }
    let firsts = blocks.iter().flat_map(|b| std::iter::repeat_n(b.first, b.members));
    for ((vertex, room), first) in column.iter().zip(rooms).zip(firsts) {
        net.vertices.get_mut(*vertex).into_iter().for_each(|v| v.y = first + room);
    }
}
