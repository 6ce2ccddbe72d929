//! The order of boxes and bends in their columns: sweeps by the mean place of neighbours, of which the one with the
//! fewest crossings is kept.

use super::Net;
use std::cmp::Ordering;

/// Sweeps in each direction.
const SWEEPS: usize = 12;

/// Orders every column.
pub fn settle(net: &mut Net) {
    for column in 0..net.columns.len() {
        net.number(column);
    }
    let mut best = net.columns.clone();
    let mut fewest = crossings(net);
    for _ in 0..SWEEPS {
        for column in 1..net.columns.len() {
            sort(net, column, |net, v| mean(net, &net.vertices.get(v)?.left));
        }
        for column in (0..net.columns.len().saturating_sub(1)).rev() {
            sort(net, column, |net, v| mean(net, &net.vertices.get(v)?.right));
        }
        let now = crossings(net);
        if now < fewest {
            (fewest, best) = (now, net.columns.clone());
        }
    }
    net.columns = best;
    for column in 0..net.columns.len() {
        net.number(column);
    }
}

#[allow(clippy::cast_precision_loss, reason = "ranks are small")]
fn mean(net: &Net, neighbours: &[usize]) -> Option<f64> {
    let sum: usize = neighbours.iter().map(|n| net.rank(*n)).sum();
    (!neighbours.is_empty()).then(|| sum as f64 / neighbours.len() as f64)
}

/// Sorts a column by a wish; who has none wishes to stay.
#[allow(clippy::cast_precision_loss, reason = "ranks are small")]
fn sort(net: &mut Net, column: usize, wish: impl Fn(&Net, usize) -> Option<f64>) {
    let Some(members) = net.columns.get(column) else { return };
    let mut wishes: Vec<(f64, usize)> =
        members.iter().map(|v| (wish(net, *v).unwrap_or(net.rank(*v) as f64), *v)).collect();
    // Stable: equals keep their order.
    wishes.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
    let members = wishes.into_iter().map(|(_, v)| v).collect();
    net.columns.get_mut(column).into_iter().for_each(|c| c.clone_from(&members));
    net.number(column);
}

/// How many pairs of edges cross.
fn crossings(net: &Net) -> usize {
    net.columns.iter().map(|column| crossings_after(net, column)).sum()
}

fn crossings_after(net: &Net, column: &[usize]) -> usize {
    let ends = column.iter().flat_map(|v| {
        let right = net.vertices.get(*v).map(|v| v.right.as_slice()).unwrap_or_default();
        let mut ends: Vec<usize> = right.iter().map(|r| net.rank(*r)).collect();
        ends.sort_unstable();
        ends
    });
    inversions(ends.collect())
}

/// Pairs that stand in falling order, by merging.
fn inversions(mut ends: Vec<usize>) -> usize {
    if ends.len() < 2 {
        return 0;
    }
    let (mut count, mut width) = (0, 1);
    while width < ends.len() {
        let merged: Vec<usize> =
            ends.chunks(2 * width).flat_map(|pair| merge(pair, width, &mut count)).collect();
        ends = merged;
        width *= 2;
    }
    count
}

fn merge(pair: &[usize], width: usize, count: &mut usize) -> Vec<usize> {
    let (left, right) = pair.split_at(width.min(pair.len()));
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut merged = Vec::with_capacity(pair.len());
    loop {
        match (left.peek(), right.peek()) {
            (Some(l), Some(r)) if l <= r => merged.extend(left.next()),
            (Some(_), Some(_)) => {
                *count += left.len();
                merged.extend(right.next());
            }
            (Some(_), None) => merged.extend(left.next()),
            (None, Some(_)) => merged.extend(right.next()),
            (None, None) => return merged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversions_are_counted() {
        for list in
            [vec![], vec![1], vec![1, 2, 3], vec![3, 2, 1], vec![2, 2, 1, 5, 0, 4], vec![9, 8, 7, 7, 1]]
        {
            let slow = (0..list.len()).flat_map(|i| (i + 1..list.len()).map(move |j| (i, j)));
            let expected = slow.filter(|(i, j)| list[*i] > list[*j]).count();
            assert_eq!(inversions(list.clone()), expected, "{list:?}");
        }
    }
}
