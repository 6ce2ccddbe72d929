//! The report for people: one file, no script, nothing loaded from elsewhere, readable on paper.

use super::bundle::{Covered, Request};
use super::chart::{self, Axis};
use super::counting::{Counted, Counting};
use super::incident::Incident;
use super::processing::Processing;
use super::review::{DAYS, Reviews};
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 Georgia,serif;color:#1c1c1c;max-width:46rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #999}\
table{border-collapse:collapse;width:100%;font-size:.85rem;margin:.8rem 0}th{text-align:left;border-bottom:2px solid #444}\
th,td{padding:.25rem .5rem .25rem 0;vertical-align:top}td{border-bottom:1px solid #ddd}.r{text-align:right;font-variant-numeric:tabular-nums;padding-right:1rem}\
code{font:.8em/1.3 ui-monospace,monospace;overflow-wrap:anywhere}.lead{font-size:1.05rem}.big{font-size:2.6rem;line-height:1.1}\
.box{border:2px solid #444;padding:.8rem 1rem;margin:1.2rem 0}.bad{border-color:#a40000;color:#a40000}td.bad{font-weight:bold;border-color:#ddd}.f td:first-child{width:36%}.note{color:#555;font-size:.85rem}\
figure{margin:1rem 0;break-inside:avoid}figcaption{font-size:.8rem;color:#555}svg{width:100%;height:auto}.n{font:9px sans-serif;text-anchor:middle}.l,.s,.e{font:10px sans-serif}.s,.e{font-size:9px}.e{text-anchor:end}\
tr{break-inside:avoid}@media print{body{margin:0;max-width:none;font-size:11pt}h2{break-after:avoid}}";

/// Rows of a timeline that the report shows; all that were kept are in the CSV.
const ROWS: usize = 200;

/// Text, as it may stand in HTML and SVG.
pub(super) fn escaped(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            c if c.is_control() => to.push('\u{fffd}'),
            c => to.push(c),
        }
    }
    to
}

/// A number with its digits in groups of three.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut to = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            to.push('\u{202f}');
        }
        to.push(digit);
    }
    to
}

/// `YYYY-MM-DD HH:MM` of a time of a record, or the text itself when it is none.
fn minute(t: &str) -> String {
    t.get(..16).map_or_else(|| t.to_owned(), |t| t.replace('T', " "))
}

/// `YYYY-MM-DD HH:MM:SS` of a time of a record, or the text itself when it is none.
fn second(t: &str) -> String {
    t.get(..19).map_or_else(|| t.to_owned(), |t| t.replace('T', " "))
}

/// The report.
pub(super) fn report(counting: &Counting, request: &Request, covered: &Covered) -> String {
    let title = format!("Evidence for {}", request.framework.title());
    let mut to = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body><h1>{0}</h1>",
        escaped(&title)
    );
    head(&mut to, counting, covered);
    headline(&mut to, counting);
    charts(&mut to, counting);
    figures(&mut to, counting);
    controls(&mut to, counting, request);
    if let Some(incident) = &counting.incident {
        timeline(&mut to, incident);
    }
    reviews(&mut to, &counting.reviews);
    processing(&mut to, &counting.processing);
    method(&mut to, covered);
    to.push_str("</body></html>\n");
    to
}

fn head(to: &mut String, counting: &Counting, covered: &Covered) {
    let span = counting.span.as_ref().map_or_else(
        || "no record falls into the span that was asked for".to_owned(),
        |(first, last)| format!("{} to {} (UTC)", minute(first), minute(last)),
    );
    let _ = write!(
        to,
        "<p class=\"lead\">Host <b>{}</b>. {} records, {}. The log was verified whole and unchanged up to record {}.</p>",
        escaped(&covered.origin),
        counting.records,
        escaped(&span),
        covered.records
    );
}

fn headline(to: &mut String, counting: &Counting) {
    let Some((unattested, all)) = counting.of("unattested-executions").zip(counting.of("executions")) else {
        return;
    };
    let class = if unattested.value == 0 { "box" } else { "box bad" };
    let _ = write!(
        to,
        "<div class=\"{class}\"><div class=\"big\">{}</div>of {} executions ran without a valid attestation.</div>",
        grouped(unattested.value),
        grouped(all.value)
    );
}

fn charts(to: &mut String, counting: &Counting) {
    to.push_str("<h2>Over time</h2>");
    let mut drawn = 0;
    let axis = counting.span.as_ref().and_then(|(first, last)| Axis::over(first, last));
    for id in ["executions", "denials", "failures", "limits"] {
        if let Some((counted, axis)) = counting.of(id).filter(|counted| counted.value > 0).zip(axis) {
            to.push_str(&chart::over_time(counted.figure.title, &counted.by_day, axis));
            drawn += 1;
        }
    }
    if drawn == 0 {
        to.push_str("<p>Nothing was executed or denied.</p>");
        return;
    }
    to.push_str("<h2>By plugin</h2>");
    for id in ["executions", "denials"] {
        if let Some(counted) = counting.of(id).filter(|counted| !counted.by_plugin.is_empty()) {
            to.push_str(&chart::by_plugin(counted.figure.title, &counted.by_plugin));
        }
    }
}

fn figures(to: &mut String, counting: &Counting) {
    to.push_str(
        "<h2>Figures</h2><p>Each is the number of actions in records of which all these conditions hold; a record of several \
         actions counts as its <code>n</code>. To repeat one: <code>forgeone audit export --filter CONDITION …</code>. Values in \
         red ask for an explanation.</p><table class=\"f\"><thead><tr><th>Figure</th><th class=\"r\">Value</th><th>Conditions</th></tr></thead><tbody>",
    );
    for counted in &counting.figures {
        let conditions: Vec<String> =
            counted.figure.query.iter().map(|text| format!("<code>{}</code>", escaped(text))).collect();
        let further =
            counted.figure.further().map(|text| format!("<br><span class=\"note\">{}</span>", escaped(text)));
        let _ = write!(
            to,
            "<tr><td>{}</td><td class=\"r{}\">{}</td><td>{}{}</td></tr>",
            escaped(counted.figure.title),
            if counted.figure.wants_zero && counted.value > 0 { " bad" } else { "" },
            grouped(counted.value),
            conditions.join(", "),
            further.unwrap_or_default()
        );
    }
    to.push_str("</tbody></table>");
}

fn controls(to: &mut String, counting: &Counting, request: &Request) {
    let _ = write!(
        to,
        "<h2>Controls</h2><p>Figures that speak to controls of {}. They support an assessment; whether a control is met \
         is the assessor's to say.</p><table><thead><tr><th>Control</th><th>Subject</th><th>Figures</th></tr></thead><tbody>",
        escaped(request.framework.title())
    );
    for control in request.framework.controls() {
        let told = |counted: &Counted| {
            format!("{}: <b>{}</b>", escaped(counted.figure.title), grouped(counted.value))
        };
        let figures: Vec<String> =
            control.figures.iter().filter_map(|id| counting.of(id)).map(told).collect();
        let figures = if figures.is_empty() { "none is counted".to_owned() } else { figures.join("<br>") };
        let _ = write!(
            to,
            "<tr><td>{}</td><td>{}</td><td>{figures}</td></tr>",
            escaped(control.id),
            escaped(control.title)
        );
    }
    to.push_str("</tbody></table>");
}

fn timeline(to: &mut String, incident: &Incident) {
    let _ = write!(
        to,
        "<h2>Timeline of {}</h2><p>{} moments that were more than an ordinary call{}.</p>",
        escaped(&incident.plugin),
        incident.rows.len() as u64 + incident.more,
        if incident.rows.len() > ROWS { "; the first are shown, timeline.csv has more" } else { "" }
    );
    to.push_str("<table><thead><tr><th class=\"r\">Record</th><th>Time (UTC)</th><th>What</th><th>Outcome</th></tr></thead><tbody>");
    for row in incident.rows.iter().take(ROWS) {
        let times = if row.n > 1 { format!(" ({} times)", row.n) } else { String::new() };
        let _ = write!(
            to,
            "<tr><td class=\"r\">{}</td><td>{}</td><td>{} {}{times}<br><span class=\"note\">{}</span></td><td>{} {}</td></tr>",
            row.seq,
            escaped(&second(&row.t)),
            escaped(&row.kind),
            escaped(&row.action),
            escaped(&row.what),
            escaped(&row.outcome),
            escaped(&row.code)
        );
    }
    to.push_str("</tbody></table>");
}

fn reviews(to: &mut String, reviews: &Reviews) {
    let _ = write!(
        to,
        "<h2>Reviews</h2><p>What is installed at the end of the span, and the policies. {} of {} are overdue: not reviewed \
         within {DAYS} days, or not yet reviewed that long after they came. A review is of one version of a plugin.</p>",
        reviews.overdue(),
        reviews.all().count()
    );
    to.push_str(
        "<table><thead><tr><th>Subject</th><th>Reviewed</th><th>By</th><th>Overdue</th></tr></thead><tbody>",
    );
    for (name, subject) in reviews.all().take(ROWS) {
        let _ = write!(
            to,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            escaped(&minute(subject.reviewed())),
            escaped(subject.reviewer()),
            if subject.is_overdue(reviews.at) { "yes" } else { "no" }
        );
    }
    to.push_str("</tbody></table>");
}

fn processing(to: &mut String, processing: &Processing) {
    to.push_str(
        "<h2>Record of processing</h2><p>What plugins did with which kind of resource. Purposes, categories of persons and \
         data, recipients and time limits (Art. 30(1) GDPR) are the controller's to add.</p>",
    );
    if processing.rows.is_empty() {
        to.push_str("<p>No plugin used a host call.</p>");
        return;
    }
    to.push_str("<table><thead><tr><th>Plugin</th><th>Publisher</th><th>Action</th><th>Resource</th><th class=\"r\">Count</th><th class=\"r\">Denied</th></tr></thead><tbody>");
    for ([plugin, publisher, action, kind], (all, denied)) in processing.rows.iter().take(ROWS) {
        let _ = write!(
            to,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"r\">{}</td><td class=\"r\">{}</td></tr>",
            escaped(plugin),
            escaped(publisher),
            escaped(action),
            escaped(kind),
            grouped(*all),
            grouped(*denied)
        );
    }
    to.push_str("</tbody></table>");
}

fn method(to: &mut String, covered: &Covered) {
    let _ = write!(
        to,
        "<h2>How to check this</h2><p>The files beside this one are listed with their hashes in <code>SHA256SUMS</code>, which \
         <code>SHA256SUMS.note</code> signs together with the checkpoint, with the key <code>{}</code>. The checkpoint commits to every \
         record that was counted: root <code>{}</code> at {} records. Each figure is a query that can be repeated on an export of \
         the log. Who owns the host and its key could write another log; checkpoints kept elsewhere show that it is this one.</p>",
        escaped(&covered.key),
        escaped(&covered.root),
        covered.records
    );
}
