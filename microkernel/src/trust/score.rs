//! How far a plugin is trusted: points that fall with what it does and come back with time. Deciding nothing but the
//! class; time and what was seen are arguments.

use super::habits::{HabitRules, Habits, Oddity};
use common::words::counted;
use std::fmt;

/// Points of a plugin nothing speaks against.
pub const MOST_POINTS: u32 = 100;
/// Points are kept as thousandths.
const SCALE: u32 = 1000;
/// Points above the border that a class must be before it is given back, so that it does not change to and fro.
const MARGIN: u32 = 5 * SCALE;
/// What is remembered of what spoke against a plugin.
pub const MOST_FINDINGS: usize = 16;
/// What one kind of finding may cost within this time is bounded.
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// What policies see as `principal.trust`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum TrustClass {
    /// Out of service until an operator releases it.
    Quarantined,
    /// Something spoke against it lately.
    Reduced,
    /// Nothing does.
    #[default]
    Full,
}

impl TrustClass {
    /// Every class, the lowest first.
    pub const ALL: [Self; 3] = [Self::Quarantined, Self::Reduced, Self::Full];

    /// The word used in policies and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Reduced => "reduced",
            Self::Full => "full",
        }
    }
    /// The class of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// What speaks against a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Host calls that policy or grants denied.
    Denials,
    /// Instances lost to a trap or a deadline.
    Traps,
    /// Limits that were hit.
    Limits,
    /// A rate of a host call far above the plugin's own.
    Rate,
    /// A host call it had never made, after its learning time.
    FirstUse,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 5] = [Self::Denials, Self::Traps, Self::Limits, Self::Rate, Self::FirstUse];

    /// The word used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denials => "denials",
            Self::Traps => "traps",
            Self::Limits => "limits",
            Self::Rate => "rate",
            Self::FirstUse => "first_use",
        }
    }
    /// The signal of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }
}

/// What something costs, in thousandths of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Each time.
    pub each: u32,
    /// Within a minute at most, however often.
    pub a_minute: u32,
}

/// How points are lost and come back, and where the classes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreRules {
    /// Points of a plugin whose signature was judged; they never rise above that.
    pub attested: u32,
    /// Points of one whose was not.
    pub unattested: u32,
    /// Below so many points it is `reduced`.
    pub reduced_below: u32,
    /// Below so many it is `quarantined`.
    pub quarantined_below: u32,
    /// Points that come back in an hour.
    pub recovery: u32,
    /// What a denied host call costs.
    pub denial: Cost,
    /// What a trap costs.
    pub trap: Cost,
    /// What a limit that was hit costs.
    pub limit: Cost,
    /// What a rate out of the ordinary costs.
    pub rate: Cost,
    /// What a first use costs.
    pub first_use: Cost,
    /// When a rate is out of the ordinary.
    pub habits: HabitRules,
}

impl Default for ScoreRules {
    fn default() -> Self {
        let cost = |each, a_minute| Cost { each, a_minute: a_minute * SCALE };
        Self {
            attested: 100,
            unattested: 80,
            reduced_below: 60,
            quarantined_below: 20,
            recovery: 10,
            denial: cost(500, 5),
            trap: cost(2000, 10),
            limit: cost(200, 5),
            rate: cost(10_000, 20),
            first_use: cost(5000, 10),
            habits: HabitRules::default(),
        }
    }
}

impl ScoreRules {
    /// The points a plugin starts with, which it never exceeds.
    pub const fn start(&self, attested: bool) -> u32 {
        let points = if attested { self.attested } else { self.unattested };
        if points > MOST_POINTS { MOST_POINTS } else { points }
    }
    const fn cost(&self, signal: Signal) -> Cost {
        match signal {
            Signal::Denials => self.denial,
            Signal::Traps => self.trap,
            Signal::Limits => self.limit,
            Signal::Rate => self.rate,
            Signal::FirstUse => self.first_use,
        }
    }
}

/// What was seen of a plugin since it was looked at last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Host calls denied.
    pub denials: u64,
    /// Instances lost to a trap or a deadline.
    pub traps: u64,
    /// Limits hit.
    pub limits: u64,
    /// Host calls permitted, by name.
    pub calls: Vec<(&'static str, u64)>,
}

impl Observation {
    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.denials == 0 && self.traps == 0 && self.limits == 0 && self.calls.iter().all(|(_, n)| *n == 0)
    }
}

/// Something that cost points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// When it was first seen, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it was.
    pub signal: Signal,
    /// The host call, where it was one; empty otherwise.
    pub action: String,
    /// How often, or for a rate how many calls.
    pub count: u64,
    /// What it cost, in thousandths of a point.
    pub cost: u32,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, count, cost, .. } = self;
        match self.signal {
            Signal::Denials => f.write_str(&counted(*count, "denied host call"))?,
            Signal::Traps if *count == 1 => f.write_str("1 trap or deadline")?,
            Signal::Traps => write!(f, "{count} traps or deadlines")?,
            Signal::Limits => write!(f, "{} hit", counted(*count, "limit"))?,
            Signal::Rate => write!(f, "{} of {action}, far more than usual", counted(*count, "call"))?,
            Signal::FirstUse => write!(f, "first use of {action}")?,
        }
        write!(f, " (-{}.{})", cost / SCALE, cost % SCALE / 100)
    }
}

/// A change of class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassChange {
    /// Before.
    pub from: TrustClass,
    /// Now.
    pub to: TrustClass,
    /// Points now.
    pub points: u32,
    /// What led to it, in words.
    pub why: String,
}

/// What is kept of a score while nobody looks: everything but the counts of the minute that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Points, in thousandths.
    pub milli: u32,
    /// The class.
    pub class: TrustClass,
    /// When the points were right, in milliseconds since 1970.
    pub at_ms: u64,
    /// Since when it has the class, in milliseconds since 1970.
    pub since_ms: u64,
    /// What cost points, the oldest first.
    pub findings: Vec<Finding>,
    /// What it usually does.
    pub habits: Habits,
}

/// The score of one plugin.
#[derive(Debug, Clone)]
pub struct TrustScore {
    kept: Kept,
    ceiling: u32,
    /// The minute that is running, and what each signal cost in it.
    minute_ms: u64,
    spent: [u32; Signal::ALL.len()],
}

impl TrustScore {
    /// The score of a plugin nothing was seen of yet.
    pub fn new(rules: &ScoreRules, attested: bool, now_ms: u64) -> Self {
        let milli = rules.start(attested) * SCALE;
        let mut kept = Kept {
            milli,
            class: TrustClass::Full,
            at_ms: now_ms,
            since_ms: now_ms,
            findings: Vec::new(),
            habits: Habits::default(),
        };
        kept.class = class_of(milli, kept.class, rules);
        Self::of(kept, rules, attested)
    }

    /// The score that was kept. It recovers for the time in between with the next look.
    pub fn of(mut kept: Kept, rules: &ScoreRules, attested: bool) -> Self {
        let ceiling = rules.start(attested) * SCALE;
        kept.milli = kept.milli.min(ceiling);
        kept.findings.truncate(MOST_FINDINGS);
        Self { kept, ceiling, minute_ms: 0, spent: [0; Signal::ALL.len()] }
    }

    /// What is to be kept.
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }
    /// Its class.
    pub const fn class(&self) -> TrustClass {
        self.kept.class
    }
    /// Its points, 0 to 100.
    pub const fn points(&self) -> u32 {
        self.kept.milli / SCALE
    }
    /// What cost points and has not been made good by time, the latest first.
    pub fn why(&self) -> Vec<String> {
        if self.kept.milli >= self.ceiling {
            return Vec::new();
        }
        self.kept.findings.iter().rev().map(ToString::to_string).collect()
    }

    /// Takes in what was seen until now. The class it changed to, if it did. A quarantined plugin's points come back
    /// as any other's, and its class does not.
    pub fn observe(&mut self, now_ms: u64, seen: &Observation, rules: &ScoreRules) -> Option<ClassChange> {
        self.recover(now_ms, rules);
        if now_ms.saturating_sub(self.minute_ms) >= MINUTE_MS || now_ms < self.minute_ms {
            self.minute_ms = now_ms;
            self.spent = [0; Signal::ALL.len()];
        }
        let counted =
            [(Signal::Denials, seen.denials), (Signal::Traps, seen.traps), (Signal::Limits, seen.limits)];
        for (signal, count) in counted.into_iter().filter(|(_, count)| *count > 0) {
            self.charge(now_ms, signal, "", count, rules);
        }
        for odd in self.kept.habits.observe(now_ms, seen.calls.iter().copied(), &rules.habits) {
            match odd {
                Oddity::Rate { action, calls, .. } => {
                    self.charge(now_ms, Signal::Rate, &action, calls, rules)
                }
                Oddity::FirstUse { action } => self.charge(now_ms, Signal::FirstUse, &action, 1, rules),
            }
        }
        self.reclass(now_ms, rules)
    }

    /// An operator lifted the quarantine: it is `reduced`, half-way between the borders, and has to earn the rest.
    pub fn release(&mut self, now_ms: u64, rules: &ScoreRules) -> Option<ClassChange> {
        let from = self.kept.class;
        if from != TrustClass::Quarantined {
            return None;
        }
        let probation = rules.quarantined_below.midpoint(rules.reduced_below) * SCALE;
        self.kept.milli = self.kept.milli.max(probation).min(self.ceiling);
        (self.kept.at_ms, self.kept.since_ms) = (now_ms, now_ms);
        self.kept.class = TrustClass::Reduced;
        self.kept.findings.clear();
        Some(ClassChange {
            from,
            to: TrustClass::Reduced,
            points: self.points(),
            why: "an operator lifted the quarantine".to_owned(),
        })
    }

    /// It was quarantined for a reason that is not its points.
    pub fn quarantine(&mut self, now_ms: u64, why: &str) -> Option<ClassChange> {
        let from = self.kept.class;
        if from == TrustClass::Quarantined {
            return None;
        }
        (self.kept.class, self.kept.since_ms) = (TrustClass::Quarantined, now_ms);
        Some(ClassChange { from, to: TrustClass::Quarantined, points: self.points(), why: why.to_owned() })
    }

    fn recover(&mut self, now_ms: u64, rules: &ScoreRules) {
        let rate = u64::from(rules.recovery) * u64::from(SCALE);
        let passed = now_ms.saturating_sub(self.kept.at_ms);
        let gained = passed.saturating_mul(rate) / HOUR_MS;
        if now_ms < self.kept.at_ms || rate == 0 {
            // The clock was set back, or nothing comes back: time starts anew.
            self.kept.at_ms = now_ms;
        } else if gained > 0 {
            // What is less than a thousandth of a point stays to be counted.
            self.kept.at_ms =
                now_ms - passed.saturating_sub(gained.saturating_mul(HOUR_MS) / rate).min(passed);
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            self.kept.milli = self.kept.milli.saturating_add(gained).min(self.ceiling);
        }
    }

    fn charge(&mut self, now_ms: u64, signal: Signal, action: &str, count: u64, rules: &ScoreRules) {
        let cost = rules.cost(signal);
        let times = if signal == Signal::Rate { 1 } else { count };
        let Some(spent) = self.spent.get_mut(signal as usize) else { return };
        let whole = u64::from(cost.each).saturating_mul(times);
        let left = cost.a_minute.saturating_sub(*spent);
        let charged = u32::try_from(whole).unwrap_or(u32::MAX).min(left);
        *spent = spent.saturating_add(charged);
        self.kept.milli = self.kept.milli.saturating_sub(charged);
        self.note(Finding { at_ms: now_ms, signal, action: action.to_owned(), count, cost: charged });
    }

    /// What is seen again within a minute is one finding.
    fn note(&mut self, finding: Finding) {
        let findings = &mut self.kept.findings;
        let same = |old: &&mut Finding| {
            (old.signal, &old.action) == (finding.signal, &finding.action)
                && finding.at_ms.saturating_sub(old.at_ms) < MINUTE_MS
        };
        if let Some(old) = findings.iter_mut().find(same) {
            old.count = old.count.saturating_add(finding.count);
            old.cost = old.cost.saturating_add(finding.cost);
            return;
        }
        if findings.len() >= MOST_FINDINGS {
            findings.rotate_left(1);
            findings.pop();
        }
        findings.push(finding);
    }

    fn reclass(&mut self, now_ms: u64, rules: &ScoreRules) -> Option<ClassChange> {
        let from = self.kept.class;
        let to = class_of(self.kept.milli, from, rules).max(TrustClass::Quarantined);
        if to == from {
            return None;
        }
        (self.kept.class, self.kept.since_ms) = (to, now_ms);
        let why = match to {
            TrustClass::Full => "time passed without a finding that outweighs it".to_owned(),
            _ => self.why().into_iter().take(3).collect::<Vec<_>>().join("; "),
        };
        Some(ClassChange { from, to, points: self.points(), why })
    }
}

/// The class of so many thousandths of a point. Better ones are given back with a margin; quarantine is not lifted.
fn class_of(milli: u32, now: TrustClass, rules: &ScoreRules) -> TrustClass {
    let ceiling = MOST_POINTS * SCALE;
    let (reduced, quarantined) = (rules.reduced_below * SCALE, rules.quarantined_below * SCALE);
    match now {
        TrustClass::Quarantined => TrustClass::Quarantined,
        _ if milli < quarantined => TrustClass::Quarantined,
        TrustClass::Reduced if milli < reduced.saturating_add(MARGIN).min(ceiling) => TrustClass::Reduced,
        TrustClass::Full if milli < reduced => TrustClass::Reduced,
        TrustClass::Reduced | TrustClass::Full => TrustClass::Full,
    }
}

#[cfg(test)]
mod tests;
