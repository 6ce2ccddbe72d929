//! One pass over records, in bounded memory: every figure, by day and by plugin.

use super::figure::{self, Attested, Figure};
use super::incident::Incident;
use super::processing::Processing;
use super::review::Reviews;
use crate::export::{Condition, Event};
use std::collections::BTreeMap;

/// Days and plugins that are told apart; what is beyond is counted as `(others)`.
const KEPT: usize = 4_000;
const OTHERS: &str = "(others)";

/// A figure and what was counted of it.
#[derive(Debug)]
pub(super) struct Counted {
    pub figure: &'static Figure,
    pub value: u64,
    pub by_day: BTreeMap<String, u64>,
    pub by_plugin: BTreeMap<String, u64>,
    conditions: Vec<Condition>,
}

impl Counted {
    fn add(&mut self, event: &Event) {
        let n = event.count();
        self.value = self.value.saturating_add(n);
        let day = event.text("/t").get(..10).unwrap_or_default();
        for (map, key) in [(&mut self.by_day, day), (&mut self.by_plugin, event.plugin())] {
            if key.is_empty() {
                continue;
            }
            let key = if map.len() < KEPT || map.contains_key(key) { key } else { OTHERS };
            match map.get_mut(key) {
                Some(sum) => *sum = sum.saturating_add(n),
                None => drop(map.insert(key.to_owned(), n)),
            }
        }
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Counting {
    pub figures: Vec<Counted>,
    /// Records in the span.
    pub records: u64,
    /// Times of the first and the last record of the span.
    pub span: Option<(String, String)>,
    pub incident: Option<Incident>,
    pub processing: Processing,
    pub reviews: Reviews,
    attested: Attested,
    since: Option<u64>,
    until: Option<u64>,
}

impl Counting {
    pub fn new(since: Option<u64>, until: Option<u64>, incident: Option<&str>) -> Self {
        let counted = |figure: &'static Figure| Counted {
            conditions: figure.conditions(),
            figure,
            value: 0,
            by_day: BTreeMap::new(),
            by_plugin: BTreeMap::new(),
        };
        Self {
            figures: figure::ALL.iter().map(counted).collect(),
            records: 0,
            span: None,
            incident: incident.map(Incident::new),
            processing: Processing::default(),
            reviews: Reviews::default(),
            attested: Attested::default(),
            since,
            until,
        }
    }

    /// Hears of the next record. Those before the span say what was installed when it began.
    pub fn hear(&mut self, event: &Event) {
        self.attested.hear(event);
        let at = event.millis();
        if self.until.is_none_or(|until| at < until) {
            self.reviews.hear(event);
        }
        if self.since.is_some_and(|since| at < since) || self.until.is_some_and(|until| at >= until) {
            return;
        }
        self.records += 1;
        let t = event.text("/t").to_owned();
        match &mut self.span {
            Some((_, last)) => *last = t,
            None => self.span = Some((t.clone(), t)),
        }
        for counted in &mut self.figures {
            let counts = event.has_all(&counted.conditions);
            if counts && !(counted.figure.unattested && self.attested.holds(event)) {
                counted.add(event);
            }
        }
        if let Some(incident) = &mut self.incident {
            incident.hear(event);
        }
        self.processing.hear(event);
    }

    /// The figure of this name.
    pub fn of(&self, id: &str) -> Option<&Counted> {
        self.figures.iter().find(|counted| counted.figure.id == id)
    }
}
