//! The documents of one report, and the list of their hashes that is signed.

use super::counting::Counting;
use super::framework::Framework;
use super::{csv, html, oscal};
use crate::export::Event;
use common::identity::Digest;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// By which framework.
    pub framework: Framework,
    /// The first millisecond since 1970; from the beginning without it.
    pub since: Option<u64>,
    /// The millisecond after the last.
    pub until: Option<u64>,
    /// The plugin whose timeline is wanted.
    pub incident: Option<String>,
}

/// What the log was when it was read: a verified checkpoint.
#[derive(Debug, Clone)]
pub struct Covered {
    /// The name of the host.
    pub origin: String,
    /// Records under the checkpoint.
    pub records: u64,
    /// The root of the tree at that size.
    pub root: String,
    /// The verifier key of the log.
    pub key: String,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The time of the last record that was counted, RFC 3339.
    pub as_of: String,
}

/// A file of the report.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Document {
    fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), bytes: bytes.into() }
    }
    /// The SHA-256 of its bytes, in hexadecimal.
    pub fn sha256(&self) -> String {
        Digest::of(&self.bytes).to_string().trim_start_matches("sha256:").to_owned()
    }
}

/// A report in the making. Its memory is bounded whatever the number of records.
#[derive(Debug)]
pub struct Evidence {
    request: Request,
    counting: Counting,
}

impl Evidence {
    /// For this request.
    pub fn new(request: Request) -> Self {
        let counting = Counting::new(request.since, request.until, request.incident.as_deref());
        Self { request, counting }
    }

    /// Hears of the next record of the log, from the first one on, those before the span included.
    pub fn hear(&mut self, event: &Event) {
        self.counting.hear(event);
    }

    /// Records in the span so far.
    pub fn records(&self) -> u64 {
        self.counting.records
    }

    /// Executions without a valid attestation so far.
    pub fn unattested(&self) -> u64 {
        self.counting.of("unattested-executions").map_or(0, |counted| counted.value)
    }

    /// The files of the report; `SHA256SUMS`, the last one, lists the others.
    pub fn documents(&self, covered: &Covered) -> Vec<Document> {
        let (counting, request) = (&self.counting, &self.request);
        let mut all = vec![
            Document::new("checkpoint", covered.checkpoint.as_str()),
            Document::new("figures.csv", csv::figures(counting, request.framework)),
            Document::new("processing.csv", csv::processing(&counting.processing)),
            Document::new("report.html", html::report(counting, request, covered)),
            Document::new("reviews.csv", csv::reviews(&counting.reviews)),
            Document::new("series.csv", csv::series(counting)),
        ];
        if let Some(incident) = &counting.incident {
            all.push(Document::new("timeline.csv", csv::timeline(incident)));
        }
        let hashes: Vec<(String, String)> = all.iter().map(|d| (d.name.clone(), d.sha256())).collect();
        for (name, document) in [
            ("assessment-results.json", oscal::results(counting, request, covered, &hashes)),
            ("component-definition.json", oscal::component(request, covered)),
        ] {
            all.push(Document::new(name, format!("{document:#}\n")));
        }
        let sums: String = all.iter().map(|d| format!("{}  {}\n", d.sha256(), d.name)).collect();
        all.push(Document::new("SHA256SUMS", sums));
        all
    }
}
