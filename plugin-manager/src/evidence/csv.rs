//! Figures as CSV (RFC 4180). No cell begins as a formula would.

use super::counting::Counting;
use super::framework::Framework;
use super::incident::Incident;
use super::processing::Processing;
use super::review::Reviews;

/// One row, quoted where it must be.
fn row(to: &mut String, cells: &[&str]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            to.push(',');
        }
        // A spreadsheet runs what begins so.
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        to.push_str(&format!("\"{guard}{}\"", cell.replace('"', "\"\"")));
    }
    to.push_str("\r\n");
}

/// Every figure with its query and the controls it speaks to.
pub(super) fn figures(counting: &Counting, framework: Framework) -> String {
    let mut to = String::new();
    row(&mut to, &["figure", "title", "value", "controls", "query"]);
    for counted in &counting.figures {
        let controls = framework.controls_of(counted.figure.id).join(" ");
        let value = counted.value.to_string();
        row(
            &mut to,
            &[counted.figure.id, counted.figure.title, &value, &controls, &counted.figure.query_text()],
        );
    }
    to
}

/// Every figure by day and by plugin.
pub(super) fn series(counting: &Counting) -> String {
    let mut to = String::new();
    row(&mut to, &["figure", "by", "key", "value"]);
    for counted in &counting.figures {
        for (by, map) in [("day", &counted.by_day), ("plugin", &counted.by_plugin)] {
            for (key, value) in map {
                row(&mut to, &[counted.figure.id, by, key, &value.to_string()]);
            }
        }
    }
    to
}

/// The timeline of an incident.
pub(super) fn timeline(incident: &Incident) -> String {
    let mut to = String::new();
    row(&mut to, &["seq", "time", "type", "action", "outcome", "code", "count", "what"]);
    for r in &incident.rows {
        let (seq, n) = (r.seq.to_string(), r.n.to_string());
        row(&mut to, &[&seq, &r.t, &r.kind, &r.action, &r.outcome, &r.code, &n, &r.what]);
    }
    to
}

/// Who touched what.
pub(super) fn processing(processing: &Processing) -> String {
    let mut to = String::new();
    row(&mut to, &["plugin", "publisher", "action", "resource", "count", "denied"]);
    for ([plugin, publisher, action, kind], (all, denied)) in &processing.rows {
        row(&mut to, &[plugin, publisher, action, kind, &all.to_string(), &denied.to_string()]);
    }
    to
}

/// What there is to review.
pub(super) fn reviews(reviews: &Reviews) -> String {
    let mut to = String::new();
    row(&mut to, &["subject", "digest", "reviewed", "reviewer", "overdue"]);
    for (name, subject) in reviews.all() {
        let overdue = if subject.is_overdue(reviews.at) { "yes" } else { "no" };
        row(&mut to, &[name, &subject.digest, subject.reviewed(), subject.reviewer(), overdue]);
    }
    to
}
