//! Finds what is to be masked, left to right, each byte looked at a bounded number of times.
//!
//! A match ends what may be looked back at: whatever follows is judged as if a mask stood before it. Together
//! with matches that never begin inside a word, this makes masking a masked text change nothing.

mod bearer;
mod card;
mod email;
mod ipv4;
mod ipv6;
mod view;

use crate::rules::{Kind, Rules};
use view::View;

/// A match: which bytes of the text are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// The matches of a text, in order, without overlap.
#[derive(Debug)]
pub struct Scanner<'t> {
    view: View<'t>,
    rules: &'t Rules,
    at: usize,
    emails: email::Runs,
    /// Where the next run of hexadecimal groups may begin.
    ipv6_from: usize,
}

impl<'t> Scanner<'t> {
    /// The matches of `text` that `rules` mask.
    pub fn new(text: &'t str, rules: &'t Rules) -> Self {
        Self { view: View::new(text), rules, at: 0, emails: email::Runs::default(), ipv6_from: 0 }
    }

    fn find(&mut self, byte: u8) -> Option<Found> {
        if !begins_a_match(byte) {
            return None;
        }
        if let Some(found) = self.find_email() {
            return Some(found);
        }
        match byte {
            b'b' | b'B' => self.find_bearer().or_else(|| self.find_ipv6()),
            b'0'..=b'9' => self.find_ipv6().or_else(|| self.find_number()),
            b'a'..=b'f' | b'A'..=b'F' | b':' => self.find_ipv6(),
            _ => None,
        }
    }

    fn found(&self, kind: Kind, range: Option<(usize, usize)>) -> Option<Found> {
        range.map(|(start, end)| Found { kind, start, end })
    }

    fn find_email(&mut self) -> Option<Found> {
        if !self.rules.masks(Kind::Email) {
            return None;
        }
        let range = self.emails.find(&self.view, self.at);
        self.found(Kind::Email, range)
    }

    fn find_bearer(&self) -> Option<Found> {
        match self.rules.masks(Kind::Bearer) {
            true => self.found(Kind::Bearer, bearer::find(&self.view, self.at)),
            false => None,
        }
    }

    fn find_ipv6(&mut self) -> Option<Found> {
        if !self.rules.masks(Kind::Ipv6) || self.at < self.ipv6_from {
            return None;
        }
        let (range, scanned) = ipv6::find(&self.view, self.at);
        self.ipv6_from = scanned;
        self.found(Kind::Ipv6, range)
    }

    fn find_number(&self) -> Option<Found> {
        if self.view.joined_before(self.at) {
            return None;
        }
        let ipv4 = match self.rules.masks(Kind::Ipv4) {
            true => self.found(Kind::Ipv4, ipv4::find(&self.view, self.at)),
            false => None,
        };
        ipv4.or_else(|| match self.rules.masks(Kind::Card) {
            true => self.found(Kind::Card, card::find(&self.view, self.at)),
            false => None,
        })
    }
}

impl Iterator for Scanner<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while let Some(byte) = self.view.at(self.at) {
            if let Some(found) = self.find(byte) {
                self.view.forget_before(found.end);
                self.at = found.end;
                self.ipv6_from = found.end;
                return Some(found);
            }
            self.at += 1;
        }
        None
    }
}

/// What a match of any kind may begin with. Bytes beyond ASCII are those of letters, for all this can tell.
fn begins_a_match(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | 0x80..)
}

#[cfg(test)]
mod tests;
