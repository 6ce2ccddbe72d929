//! How far each plugin is trusted by what it does: looked at, kept in the home, told, and acted on.

mod evidence;
mod kept;
mod watch;

pub use evidence::{EvidenceError, open_evidence};

use super::denials::Calls;
use super::events::EventKind;
use super::hall::Loaded;
use super::host::Host;
use super::install::fact;
use super::steps::known;
use crate::config::TrustScore as Section;
use crate::plugin::PluginState;
use crate::store::{Home, InstalledPlugin, namespace};
use common::audit::{Outcome, Record};
use common::error::ForgeError;
use common::identity::PluginId;
use kept::{decoded, encoded};
use microkernel::syscall_bridge::SyscallBridge;
use microkernel::trust::TrustClass;
use microkernel::trust::habits::HabitRules;
use microkernel::trust::score::{ClassChange, Cost, Observation, ScoreRules, TrustScore};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How old what the home keeps of a score may be while the score goes on.
const KEPT_MS: u64 = 60_000;

/// Plugins that `doctor` names at most.
const MOST_TOLD: usize = 10;

/// The scores of the installed plugins, by namespace.
#[derive(Debug)]
pub(in crate::registry) struct Scores {
    rules: ScoreRules,
    /// The bridge's actions, in its order.
    actions: Vec<&'static str>,
    all: Mutex<BTreeMap<String, Scored>>,
}

#[derive(Debug)]
struct Scored {
    score: TrustScore,
    version: String,
    attested: bool,
    /// What was kept last: when, points, class, and how many host calls were known.
    kept: (u64, u32, TrustClass, usize),
}

/// What is shown of a plugin's score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) struct Standing {
    pub class: TrustClass,
    pub points: u32,
    pub why: Vec<String>,
}

fn owner(row: &InstalledPlugin) -> String {
    namespace(&row.plugin.publisher, &row.plugin.name)
}

impl Scores {
    /// What the home keeps, under the rules of its configuration. A score that cannot be read begins anew, and the
    /// host's own log says so.
    pub fn of(home: &Home, section: &Section, bridge: &SyscallBridge) -> Result<Self, ForgeError> {
        let rules = rules(section);
        let mut all = BTreeMap::new();
        for (owner, bytes) in home.scores()? {
            match decoded(&bytes) {
                Some((version, attested, kept)) => {
                    let score = TrustScore::of(kept, &rules, attested);
                    let kept = mark(&score, score.kept().at_ms);
                    all.insert(owner, Scored { score, version, attested, kept });
                }
                None => {
                    tracing::warn!(plugin = owner, "the score that was kept cannot be read: it begins anew")
                }
            }
        }
        let actions = bridge.actions().iter().map(|action| action.name).collect();
        Ok(Self { rules, actions, all: Mutex::new(all) })
    }

    fn observation(&self, calls: &Calls) -> Observation {
        let named = |(action, n): (&usize, &u64)| Some((*self.actions.get(*action)?, *n));
        Observation {
            denials: calls.denied,
            traps: calls.traps,
            limits: calls.limited,
            calls: calls.allowed.iter().filter_map(named).collect(),
        }
    }
}

fn mark(score: &TrustScore, now_ms: u64) -> (u64, u32, TrustClass, usize) {
    (now_ms, score.points(), score.class(), score.kept().habits.known.len())
}

fn rules(s: &Section) -> ScoreRules {
    let scaled = |cost: Cost| {
        let part = |n: u32| u32::try_from(u64::from(n) * u64::from(s.severity) / 100).unwrap_or(u32::MAX);
        Cost { each: part(cost.each), a_minute: part(cost.a_minute) }
    };
    let d = ScoreRules::default();
    ScoreRules {
        attested: s.attested,
        unattested: s.unattested,
        reduced_below: s.reduced_below,
        quarantined_below: s.quarantined_below,
        recovery: s.recovery,
        denial: scaled(d.denial),
        trap: scaled(d.trap),
        limit: scaled(d.limit),
        rate: scaled(d.rate),
        first_use: scaled(d.first_use),
        habits: HabitRules {
            learning: s.learning.0,
            factor: s.factor,
            least: u64::from(s.least),
            ..d.habits
        },
    }
}

impl Host {
    fn now_ms(&self) -> u64 {
        self.clock.wall_ns() / 1_000_000
    }

    /// Whether the signature of its package was judged. Code of the host program is trusted as the program is.
    fn attested(&self, row: &InstalledPlugin) -> bool {
        let signed = || known::<Option<String>>(row, fact::SIGNER).is_ok_and(|signer| signer.is_some());
        self.natives.part(&row.plugin.name).is_some() || signed()
    }

    /// Lets decisions know the classes that were kept. Done once, when the home is opened.
    pub fn publish_classes(&self) -> Result<(), ForgeError> {
        let classes: BTreeMap<String, TrustClass> =
            self.scores.all.lock().iter().map(|(owner, s)| (owner.clone(), s.score.class())).collect();
        for row in self.rows()? {
            let class = classes.get(&owner(&row)).copied().unwrap_or_default();
            self.bridge.evaluator().set_class(id(&row), class);
        }
        Ok(())
    }

    /// How far a plugin is trusted, as of the last look.
    pub fn standing_of(&self, row: &InstalledPlugin) -> Standing {
        let fresh = || TrustScore::new(&self.scores.rules, self.attested(row), self.now_ms());
        let all = self.scores.all.lock();
        let score = all.get(&owner(row)).map_or_else(fresh, |scored| scored.score.clone());
        Standing { class: score.class(), points: score.points(), why: score.why() }
    }

    /// Takes in what a plugin that is up did since this was done last. Why it is to be quarantined, if it is.
    pub fn look_at(&self, row: &InstalledPlugin, loaded: &Loaded) -> Option<String> {
        let seen = self.scores.observation(&loaded.denials.unscored(&loaded.plugin.metrics().sample()));
        let now = self.now_ms();
        let change = self.with_score(row, |score, rules| score.observe(now, &seen, rules));
        if let Some(change) = &change {
            self.tell_class(row, change);
        }
        self.keep_score(row, now);
        let standing = self.standing_of(row);
        let acts = self.config.trust_score.on_quarantined == crate::config::OnQuarantined::Quarantine;
        let serves = matches!(loaded.plugin.state(), PluginState::Running | PluginState::Paused);
        (acts && serves && standing.class == TrustClass::Quarantined).then(|| {
            let why = standing.why.into_iter().take(3).collect::<Vec<_>>().join("; ");
            format!("its trust score fell to {}: {why}", standing.points)
        })
    }

    /// Does something with a plugin's score. A version that was not seen before is learnt anew, and is trusted no more
    /// than its own signature allows; its points stay.
    fn with_score<T>(&self, row: &InstalledPlugin, job: impl FnOnce(&mut TrustScore, &ScoreRules) -> T) -> T {
        let (rules, attested, now) = (&self.scores.rules, self.attested(row), self.now_ms());
        let mut all = self.scores.all.lock();
        let scored = all.entry(owner(row)).or_insert_with(|| {
            let score = TrustScore::new(rules, attested, now);
            Scored { kept: (0, 0, score.class(), 0), score, version: row.plugin.version.clone(), attested }
        });
        if scored.version != row.plugin.version || scored.attested != attested {
            let mut kept = scored.score.kept().clone();
            kept.habits = Default::default();
            scored.score = TrustScore::of(kept, rules, attested);
            (scored.version, scored.attested) = (row.plugin.version.clone(), attested);
        }
        job(&mut scored.score, rules)
    }

    /// A class that changed: seen by every decision from now on, recorded as soon as the log can, told.
    fn tell_class(&self, row: &InstalledPlugin, change: &ClassChange) {
        self.bridge.evaluator().set_class(id(row), change.to);
        let points = change.points.to_string();
        let details = [
            ("version", row.plugin.version.as_str()),
            ("from", change.from.name()),
            ("to", change.to.name()),
            ("points", points.as_str()),
            ("why", change.why.as_str()),
        ];
        self.audit.protect(&Record {
            event: "trust",
            outcome: if change.to > change.from { Outcome::Ok } else { Outcome::Failed },
            code: None,
            actor: &self.actor,
            action: "trust_class",
            resource: ("plugin", row.plugin.name.as_str()),
            decision: None,
            details: &details,
        });
        let ClassChange { from, to, points, why } = change.clone();
        let told = || EventKind::TrustChanged { from, to, points, why };
        self.feed.emit(row.plugin.name.as_str(), &row.plugin.version, told);
    }

    /// Keeps a score in the home when it says something else than what is kept, or that is a minute old.
    fn keep_score(&self, row: &InstalledPlugin, now_ms: u64) {
        let owner = owner(row);
        let bytes = {
            let mut all = self.scores.all.lock();
            let Some(scored) = all.get_mut(&owner) else { return };
            let now = mark(&scored.score, now_ms);
            let before = scored.kept;
            let same = (now.1, now.2, now.3) == (before.1, before.2, before.3);
            if same && now_ms.saturating_sub(before.0) < KEPT_MS {
                return;
            }
            scored.kept = now;
            encoded(&scored.version, scored.attested, scored.score.kept())
        };
        let kept = bytes.map(|bytes| self.home.keep_score(&owner, &bytes));
        if let Err(error) = kept.unwrap_or(Ok(())) {
            tracing::warn!(plugin = owner, %error, "a score could not be kept");
        }
    }

    /// The plugin was quarantined, for whatever reason: its class says so, and evidence is kept.
    pub fn score_quarantine(&self, row: &InstalledPlugin, why: &str) {
        let now = self.now_ms();
        let change = self.with_score(row, |score, _| score.quarantine(now, why));
        if let Some(change) = &change {
            self.tell_class(row, change);
        }
        self.keep_score(row, now);
        self.keep_evidence(row, why);
    }

    /// An operator lifted the quarantine.
    pub fn score_release(&self, row: &InstalledPlugin) {
        let now = self.now_ms();
        let change = self.with_score(row, |score, rules| score.release(now, rules));
        if let Some(change) = &change {
            self.tell_class(row, change);
        }
        self.keep_score(row, now);
    }

    /// Forgets the score of a plugin that was removed: the home has.
    pub fn forget_score(&self, row: &InstalledPlugin) {
        self.scores.all.lock().remove(&owner(row));
        self.bridge.evaluator().set_class(id(row), TrustClass::Full);
    }

    /// The plugins that are trusted less than fully, as `doctor` tells of them.
    pub fn conduct(&self) -> (&'static str, String) {
        let all = self.scores.all.lock();
        let fallen: Vec<String> = all
            .iter()
            .filter(|(_, scored)| scored.score.class() != TrustClass::Full)
            .filter_map(|(owner, scored)| {
                let (class, points) = (scored.score.class().name(), scored.score.points());
                Some(format!("{}: {class}, {points} points", owner.split_once('/')?.1))
            })
            .collect();
        let beyond = fallen.len().saturating_sub(MOST_TOLD);
        let named = fallen.iter().take(MOST_TOLD).cloned().collect::<Vec<_>>().join("; ");
        match (fallen.is_empty(), beyond) {
            (true, _) => ("ok", "no plugin is trusted less than fully for what it did".to_owned()),
            (false, 0) => ("warning", named),
            (false, _) => ("warning", format!("{named}; and {beyond} more")),
        }
    }

    /// The scores as Prometheus text; empty when nothing was seen of any plugin.
    pub fn scores_text(&self) -> String {
        let all = self.scores.all.lock();
        let mut out = String::new();
        if !all.is_empty() {
            let name = "forgeone_plugin_trust_points";
            let _ =
                writeln!(out, "# HELP {name} How far a plugin is trusted, 0 to 100.\n# TYPE {name} gauge");
            for (plugin, scored) in all.iter().filter_map(|(o, s)| Some((o.split_once('/')?.1, s))) {
                let (class, points) = (scored.score.class().name(), scored.score.points());
                let _ = writeln!(out, "{name}{{plugin=\"{plugin}\",class=\"{class}\"}} {points}");
            }
        }
        out
    }
}

fn id(row: &InstalledPlugin) -> PluginId {
    PluginId::new(&row.plugin.publisher, &row.plugin.name)
}
