//! A column for every box: right of everything that leads to it, once edges that close circles are turned.

use super::Input;
use std::collections::VecDeque;

/// Which column each box is in, and which edges run from right to left.
#[derive(Debug)]
pub struct Columns {
    /// Of each box.
    pub of: Vec<usize>,
    /// Of each edge.
    pub turned: Vec<bool>,
}

impl Columns {
    /// The column of a box.
    pub fn at(&self, node: usize) -> usize {
        self.of.get(node).copied().unwrap_or(0)
    }
}

/// Chooses the columns.
pub fn columns(input: &Input) -> Columns {
    let turned = turned(input);
    let edge =
        |((from, to), turned): (&(usize, usize), &bool)| if *turned { (*to, *from) } else { (*from, *to) };
    let edges: Vec<(usize, usize)> = input.edges.iter().zip(&turned).map(edge).collect();
    let out = outgoing(input.heights.len(), &edges);
    let mut columns = Columns { of: longest(&out, &edges), turned };
    pull_right(&mut columns, &out, &edges);
    let last = columns.of.iter().copied().max().unwrap_or(0);
    for (column, is_last) in columns.of.iter_mut().zip(&input.last) {
        if *is_last {
            *column = last;
        }
    }
    columns
}

fn outgoing(count: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new(); count];
    for (from, to) in edges {
        out.get_mut(*from).into_iter().for_each(|o: &mut Vec<usize>| o.push(*to));
    }
    out
}

/// How far a walk is with a box.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    OnTheWay,
    Done,
}

/// The edges that lead back to where a walk in depth came from. Nothing recurses.
fn turned(input: &Input) -> Vec<bool> {
    let count = input.heights.len();
    let mut out: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    for (number, (from, to)) in input.edges.iter().enumerate() {
        out.get_mut(*from).into_iter().for_each(|o| o.push((*to, number)));
    }
    let mut seen = vec![Seen::Never; count];
    let mut turned = vec![false; input.edges.len()];
    // Boxes nothing leads to first, so that circles are cut where they are entered.
    let mut entered = vec![false; count];
    input.edges.iter().for_each(|(_, to)| entered.get_mut(*to).into_iter().for_each(|e| *e = true));
    let roots = (0..count).filter(|n| entered.get(*n) == Some(&false));
    for start in roots.chain(0..count) {
        let mut way = vec![(start, 0)];
        if seen.get(start) != Some(&Seen::Never) {
            continue;
        }
        while let Some((node, next)) = way.pop() {
            mark(&mut seen, node, Seen::OnTheWay);
            let Some((to, edge)) = out.get(node).and_then(|o| o.get(next)).copied() else {
                mark(&mut seen, node, Seen::Done);
                continue;
            };
            way.push((node, next + 1));
            match seen.get(to) {
                Some(Seen::Never) => way.push((to, 0)),
                Some(Seen::OnTheWay) => turned.get_mut(edge).into_iter().for_each(|t| *t = true),
                Some(Seen::Done) | None => {}
            }
        }
    }
    turned
}

fn mark(seen: &mut [Seen], node: usize, as_what: Seen) {
    seen.get_mut(node).into_iter().for_each(|s| *s = as_what);
}

/// The number of edges on the longest way to each box.
fn longest(out: &[Vec<usize>], edges: &[(usize, usize)]) -> Vec<usize> {
    let mut column = vec![0; out.len()];
    let mut waits = vec![0usize; out.len()];
    edges.iter().for_each(|(_, to)| waits.get_mut(*to).into_iter().for_each(|w| *w += 1));
    let mut ready: VecDeque<usize> =
        waits.iter().enumerate().filter(|(_, w)| **w == 0).map(|(n, _)| n).collect();
    while let Some(node) = ready.pop_front() {
        let next = column.get(node).copied().unwrap_or(0) + 1;
        for to in out.get(node).into_iter().flatten() {
            column.get_mut(*to).into_iter().for_each(|c: &mut usize| *c = next.max(*c));
            if let Some(w) = waits.get_mut(*to) {
                *w -= 1;
                if *w == 0 {
                    ready.push_back(*to);
                }
            }
        }
    }
    column
}

/// A box nothing leads to stands beside what it leads to, not at the far left.
fn pull_right(columns: &mut Columns, out: &[Vec<usize>], edges: &[(usize, usize)]) {
    let mut entered = vec![false; out.len()];
    edges.iter().for_each(|(_, to)| entered.get_mut(*to).into_iter().for_each(|e| *e = true));
    for (node, to) in out.iter().enumerate().filter(|(n, _)| entered.get(*n) == Some(&false)) {
        let nearest = to.iter().map(|t| columns.at(*t)).min();
        if let (Some(nearest), Some(column)) = (nearest, columns.of.get_mut(node)) {
            *column = nearest.saturating_sub(1);
        }
    }
}
