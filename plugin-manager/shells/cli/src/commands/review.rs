//! `review`: who looked at which plugin or at the policies, and what is due.
//!
//! JSON of `plugin` and `policy`: one [`ReviewLine`]; of `list`: `{"reviews":[…]}`.

use crate::args::{Review, Reviewed};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use forgeone_api::asks;
use forgeone_api::shown::ReviewLine;
use serde::Serialize;
use std::io::{self, Write};

/// Who reviewed it and when, and when that is to be done again.
pub fn review_line(review: &ReviewLine) -> String {
    let by = match (&review.reviewer, &review.at) {
        (Some(reviewer), Some(at)) => format!("by {} at {at}", one_line(reviewer)),
        _ => "not reviewed".to_owned(),
    };
    let due = if review.overdue { "overdue since" } else { "due" };
    format!("{by}, {due} {}", review.due)
}

impl Show for ReviewLine {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = vec![
            ("reviewed", self.subject.clone()),
            ("digest", self.digest.clone()),
            ("review", review_line(self)),
        ];
        pairs.extend(self.note.as_deref().map(|note| ("note", one_line(note))));
        write_pairs(out, &pairs)
    }
}

#[derive(Debug, Serialize)]
struct Listing {
    reviews: Vec<ReviewLine>,
}

impl Show for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.reviews.is_empty() {
            return writeln!(
                out,
                "there is nothing to review: no plugin is installed and there is no policy file"
            );
        }
        let mut table = table(&["SUBJECT", "REVIEWER", "AT", "DUE", "STATE"]);
        for review in &self.reviews {
            let state = if review.overdue { "overdue" } else { "ok" };
            table.add_row([
                Cell::new(&review.subject),
                Cell::new(one_line(review.reviewer.as_deref().unwrap_or("-"))),
                Cell::new(review.at.as_deref().unwrap_or("-")),
                Cell::new(&review.due),
                tone(state),
            ]);
        }
        write_table(out, &table)
    }
}

/// Runs `review`.
///
/// # Errors
/// E5001; E5008 when there is no policy to review; E0101 for a name or a note that cannot be kept.
pub fn run(context: &Context, review: Review) -> Result<(), Failure> {
    let taken_down = |plugin: Option<String>, reviewed: Reviewed| {
        let Reviewed { by, note } = reviewed;
        let review = context.ask(asks::Review { plugin, by, note })?;
        context.output().show(&review)
    };
    match review {
        Review::Plugin(args) => taken_down(Some(args.name), args.reviewed),
        Review::Policy(args) => taken_down(None, args),
        Review::List => {
            let reviews = context.ask(asks::Reviews {})?;
            context.output().show(&Listing { reviews })
        }
    }
}
