//! Who looked at which plugin, or at the policies, and when: kept, recorded, and overdue when it is long ago. A review is
//! of one digest; what another digest has was not reviewed by it.

use super::host::Host;
use super::manager::PluginManager;
use super::operator::Desk;
use super::report::Probe;
use crate::store::{Home, InstalledPlugin, namespace, people_of};
use common::audit::{Outcome, Record};
use common::error::{Code, Coded, ForgeError, codes};
use common::identity::Digest;
use microkernel::trust::ManagementAction;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The subject of a review of the policies, and of the row that says since when they are known. No plugin's namespace
/// is without a slash.
const POLICY: &str = "policy";
const POLICY_SEEN: &str = "policy seen";
/// Bytes of a reviewer's name at most.
const NAME_BYTES: usize = 128;
/// Bytes of a note at most.
const NOTE_BYTES: usize = 4 << 10;

/// Why a review is not taken down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// Nobody can be told by such a name.
    #[error("a reviewer's name has 1 to {NAME_BYTES} bytes and no control character")]
    Name,
    /// The note is too long.
    #[error("a note has at most {NOTE_BYTES} bytes")]
    Note,
    /// Code of the host program is reviewed with that program.
    #[error("plugin {0} is code of the host program, which no review here is about")]
    Native(String),
    /// The home has no policy files.
    #[error("there is no policy file to review")]
    NoPolicy,
}

impl Coded for ReviewError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Name | Self::Note => &codes::E0101,
            Self::Native(_) | Self::NoPolicy => &codes::E5008,
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::NoPolicy => Some(
                "policies are the .cedar files of trust/policy; without one the built-in rules hold"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// What is reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewSubject {
    /// The installed version of this plugin.
    Plugin(String),
    /// The policies in force.
    Policy,
}

/// How the reviews of one subject stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewStatus {
    /// `plugin NAME` or `policy`.
    pub subject: String,
    /// What is there now: the digest of the plugin's manifest, or of the set of policies.
    pub digest: Digest,
    /// Who reviewed exactly that last, by pseudonym where the name was erased; `None` when nobody did.
    pub reviewer: Option<String>,
    /// When, in nanoseconds since 1970.
    pub at_ns: Option<u64>,
    /// What the reviewer noted.
    pub note: Option<String>,
    /// By when the next review is to be, in nanoseconds since 1970.
    pub due_ns: u64,
    /// Whether that is past.
    pub overdue: bool,
}

/// What is kept of reviews, and of the policies in force.
#[derive(Debug)]
pub(super) struct Reviews(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    rows: BTreeMap<String, Row>,
    /// The digest of the policies in force; `None` without policy files.
    policies: Option<Digest>,
}

/// The form of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    form: u8,
    digest: String,
    at_ns: u64,
    reviewer: String,
    note: Option<String>,
}

const FORM: u8 = 1;

fn owner(row: &InstalledPlugin) -> String {
    namespace(&row.plugin.publisher, &row.plugin.name)
}

impl Reviews {
    /// Those the home keeps. One that cannot be read is none, and the host's own log says so.
    pub fn of(home: &Home) -> Result<Self, ForgeError> {
        let mut rows = BTreeMap::new();
        for (subject, bytes) in home.reviews()? {
            match serde_json::from_slice::<Row>(&bytes) {
                Ok(row) if row.form == FORM => drop(rows.insert(subject, row)),
                _ => tracing::warn!(subject, "a review that was kept cannot be read, and counts for nothing"),
            }
        }
        Ok(Self(Mutex::new(Kept { rows, policies: None })))
    }
}

impl Kept {
    /// How a subject stands that is known since a time.
    fn standing(&self, key: &str, shown: &str, digest: Digest, since_ns: u64, host: &Host) -> ReviewStatus {
        let row = self.rows.get(key).filter(|row| row.digest == digest.to_string());
        let every = u64::try_from(host.config.reviews.every.0.as_nanos()).unwrap_or(u64::MAX);
        let due_ns = row.map_or(since_ns, |row| row.at_ns).saturating_add(every);
        ReviewStatus {
            subject: shown.to_owned(),
            digest,
            reviewer: row.map(|row| row.reviewer.clone()),
            at_ns: row.map(|row| row.at_ns),
            note: row.and_then(|row| row.note.clone()),
            due_ns,
            overdue: host.clock.wall_ns() > due_ns,
        }
    }
}

impl Host {
    /// Takes note that policies of this digest are in force, and of when they first were.
    pub fn policies_in_force(&self, policies: Option<Digest>) -> Result<(), ForgeError> {
        let mut kept = self.reviews.0.lock();
        kept.policies = policies;
        let Some(digest) = policies.map(|digest| digest.to_string()) else { return Ok(()) };
        if kept.rows.get(POLICY_SEEN).is_some_and(|row| row.digest == digest) {
            return Ok(());
        }
        let at_ns = self.clock.wall_ns();
        self.keep(
            &mut kept,
            POLICY_SEEN,
            Row { form: FORM, digest, at_ns, reviewer: String::new(), note: None },
        )
    }

    fn keep(&self, kept: &mut Kept, key: &str, row: Row) -> Result<(), ForgeError> {
        let bytes = serde_json::to_vec(&row)
            .map_err(|e| ForgeError::new(&codes::E0001, "a review has no JSON").reason(e.to_string()))?;
        self.home.keep_review(key, &bytes)?;
        kept.rows.insert(key.to_owned(), row);
        Ok(())
    }

    /// How the reviews of a plugin stand; `None` of code of the host program.
    pub fn review_of(&self, row: &InstalledPlugin) -> Option<ReviewStatus> {
        let plugin = &row.plugin;
        if self.natives.part(&plugin.name).is_some() {
            return None;
        }
        let shown = format!("plugin {}", plugin.name);
        let kept = self.reviews.0.lock();
        Some(kept.standing(&owner(row), &shown, plugin.manifest, row.installed_at_ns, self))
    }

    /// How the reviews of the policies stand; `None` without policy files.
    pub fn policy_review(&self) -> Option<ReviewStatus> {
        let kept = self.reviews.0.lock();
        let since = kept.rows.get(POLICY_SEEN).map_or(0, |row| row.at_ns);
        kept.policies.map(|digest| kept.standing(POLICY, POLICY, digest, since, self))
    }

    /// Forgets the reviews of a plugin that was removed: the home has.
    pub fn forget_reviews(&self, row: &InstalledPlugin) {
        self.reviews.0.lock().rows.remove(&owner(row));
    }

    /// Everything that is to be reviewed, the policies last.
    pub fn all_reviews(&self) -> Result<Vec<ReviewStatus>, ForgeError> {
        let rows = self.rows()?;
        Ok(rows.iter().filter_map(|row| self.review_of(row)).chain(self.policy_review()).collect())
    }

    /// These with the names of reviewers that are known in place of pseudonyms.
    pub fn by_name(&self, mut reviews: Vec<ReviewStatus>) -> Result<Vec<ReviewStatus>, ForgeError> {
        if reviews.iter().all(|review| review.reviewer.is_none()) {
            return Ok(reviews);
        }
        let names: BTreeMap<String, String> =
            people_of(self.home.path())?.into_iter().map(|person| (person.pseudonym, person.name)).collect();
        for reviewer in reviews.iter_mut().filter_map(|review| review.reviewer.as_mut()) {
            if let Some(name) = names.get(reviewer) {
                reviewer.clone_from(name);
            }
        }
        Ok(reviews)
    }

    /// As [`Host::by_name`], of one.
    pub fn review_by_name(&self, review: Option<ReviewStatus>) -> Result<Option<ReviewStatus>, ForgeError> {
        Ok(self.by_name(review.into_iter().collect())?.pop())
    }

    fn overdue_reviews(&self) -> Result<Vec<ReviewStatus>, ForgeError> {
        Ok(self.all_reviews()?.into_iter().filter(|review| review.overdue).collect())
    }

    /// How many reviews are overdue, as Prometheus text.
    pub fn reviews_text(&self) -> String {
        let mut out = String::new();
        if let Ok(overdue) = self.overdue_reviews() {
            let name = "forgeone_reviews_overdue";
            let help = "Plugins and sets of policies whose review is overdue.";
            let count = overdue.len();
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {count}");
        }
        out
    }
}

impl Desk<'_> {
    fn take_down(self, review: &Reviewed<'_>) -> Result<(), ForgeError> {
        // Who reviewed is a person: named by pseudonym in the record and in the row, so that an erasure reaches both.
        let person = self.home.person(review.reviewer)?;
        let (subject, digest) = (review.shown, review.digest.to_string());
        let details = [
            ("subject", subject),
            ("digest", digest.as_str()),
            ("reviewer", person.pseudonym.as_str()),
            ("version", review.version),
        ];
        let action = ManagementAction::Review.name();
        let resource = if review.plugin.is_empty() { (POLICY, "") } else { ("plugin", review.plugin) };
        let record = self.management(action, review.plugin, Outcome::Ok, None, &details);
        self.audit.commit(&Record { event: "review", resource, ..record })?;
        let mut kept = self.reviews.0.lock();
        let (at_ns, note) = (self.clock.wall_ns(), review.note.map(str::to_owned));
        let row = Row { form: FORM, digest, at_ns, reviewer: person.pseudonym.clone(), note };
        self.keep(&mut kept, review.key, row)
    }
}

/// A review that is taken down.
struct Reviewed<'a> {
    key: &'a str,
    shown: &'a str,
    /// Empty for the policies.
    plugin: &'a str,
    version: &'a str,
    digest: Digest,
    reviewer: &'a str,
    note: Option<&'a str>,
}

impl PluginManager {
    /// Takes down that somebody reviewed the installed version of a plugin, or the policies in force: the operator, unless
    /// another is named. The record is durable before the review counts.
    ///
    /// # Errors
    /// E5001; E5008 for code of the host program, and for the policies where there is no policy file; E0101 for a name or
    /// a note that cannot be kept; when the policy denies the operator to review, or the log cannot record.
    pub fn review(
        &self,
        subject: &ReviewSubject,
        by: Option<&str>,
        note: Option<&str>,
    ) -> Result<ReviewStatus, ForgeError> {
        let host = self.host();
        let reviewer = by.unwrap_or_else(|| host.identity().name());
        if reviewer.is_empty() || reviewer.len() > NAME_BYTES || reviewer.contains(char::is_control) {
            return Err(ReviewError::Name.into());
        }
        if note.is_some_and(|note| note.len() > NOTE_BYTES) {
            return Err(ReviewError::Note.into());
        }
        match subject {
            ReviewSubject::Plugin(name) => self.review_plugin(name, reviewer, note),
            ReviewSubject::Policy => self.review_policy(reviewer, note),
        }
    }

    fn review_plugin(
        &self,
        name: &str,
        reviewer: &str,
        note: Option<&str>,
    ) -> Result<ReviewStatus, ForgeError> {
        let host = self.host();
        let mut found = None;
        self.managed(ManagementAction::Review, name, |row| {
            let before = host.review_of(row).ok_or_else(|| ReviewError::Native(name.to_owned()))?;
            host.take_down(&Reviewed {
                key: &owner(row),
                shown: &before.subject,
                plugin: name,
                version: &row.plugin.version,
                digest: before.digest,
                reviewer,
                note,
            })?;
            found = host.review_of(row);
            Ok(())
        })?;
        let found = host.review_by_name(found)?;
        found.ok_or_else(|| ReviewError::Native(name.to_owned()).into())
    }

    fn review_policy(&self, reviewer: &str, note: Option<&str>) -> Result<ReviewStatus, ForgeError> {
        let (host, action) = (self.host(), ManagementAction::Review);
        host.recorded(action, "", || {
            host.authorise(action, "")?;
            let digest = host.policy_review().ok_or(ReviewError::NoPolicy)?.digest;
            let (key, shown, plugin, version) = (POLICY, POLICY, "", "");
            host.take_down(&Reviewed { key, shown, plugin, version, digest, reviewer, note })?;
            Ok(host.review_by_name(host.policy_review())?.ok_or(ReviewError::NoPolicy)?)
        })
    }

    /// How the review of the policies in force stands; `None` without policy files.
    ///
    /// # Errors
    /// When the policy denies the operator to read.
    pub fn policy_review(&self) -> Result<Option<ReviewStatus>, ForgeError> {
        self.host().may_read("")?;
        self.host().review_by_name(self.host().policy_review())
    }

    /// How the reviews of everything stand: of each plugin by name, but for code of the host program, and of the
    /// policies, where there are policy files.
    ///
    /// # Errors
    /// When the home cannot be read, or the policy denies it.
    pub fn reviews(&self) -> Result<Vec<ReviewStatus>, ForgeError> {
        self.host().may_read("")?;
        self.host().by_name(self.host().all_reviews()?)
    }

    pub(super) fn review_probe(&self) -> Probe {
        let name = "reviews".to_owned();
        match self.host().overdue_reviews() {
            Ok(overdue) if overdue.is_empty() => {
                Probe { name, verdict: "ok", detail: "none is overdue".to_owned() }
            }
            Ok(overdue) => {
                let subjects: Vec<&str> = overdue.iter().map(|review| review.subject.as_str()).collect();
                let detail = format!("overdue: {}: `forgeone review` takes one down", subjects.join(", "));
                Probe { name, verdict: "warning", detail }
            }
            Err(e) => Probe { name, verdict: "problem", detail: e.to_string() },
        }
    }
}
