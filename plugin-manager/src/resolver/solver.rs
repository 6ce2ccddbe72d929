//! A search over sets of places that learns from each conflict: what it tried in vain it never tries again, and what
//! cannot be solved ends in the rules that contradict each other. Work is counted and bounded.
//!
//! A rule says that its terms are not all true; a term says that a plugin's place is one of a set. From a rule all but
//! one of whose terms are true follows that the last is not. Where all are true, resolving the rule with the one that
//! made its last term true, again and again, gives a rule that says how far to go back.

use super::versions::Versions;
use std::collections::{BTreeMap, BTreeSet};

/// Units of work that a term which is kept costs: so many bound its memory too.
const KEPT_TERM: u64 = 32;

/// Terms that are not all true, and the number under which who made the rule knows it.
#[derive(Debug)]
pub(super) struct Rule {
    pub terms: BTreeMap<usize, Versions>,
    pub leaf: usize,
}

/// Where rules come from.
pub(super) trait Rules {
    /// How many places a plugin has.
    fn places(&self, plugin: usize) -> usize;
    /// What a plugin at this place asks for, unless it was said before. Work it took is added.
    fn of(&mut self, plugin: usize, place: usize, work: &mut u64) -> Vec<Rule>;
    /// What is wrong with all decisions together.
    fn objection(&mut self, chosen: &BTreeMap<usize, usize>, work: &mut u64) -> Option<Rule>;
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// These rules, by their numbers, cannot all hold.
    Contradiction(BTreeSet<usize>),
    /// The work is spent; the plugins that were in the way most often, the worst first.
    Spent(Vec<usize>),
}

#[derive(Debug, Clone, Copy)]
enum Cause {
    Leaf(usize),
    Both(usize, usize),
}

#[derive(Debug)]
struct Known {
    terms: BTreeMap<usize, Versions>,
    cause: Cause,
}

#[derive(Debug)]
struct Step {
    plugin: usize,
    /// The places left after it.
    left: Versions,
    level: usize,
    /// The rule it follows from; none for a decision.
    rule: Option<usize>,
}

/// What a rule says as things stand.
enum Standing {
    /// All its terms are true.
    Broken,
    /// All but this plugin's.
    Almost(usize),
    /// One of its terms is false.
    False,
    /// Several of its terms are neither.
    Open,
}

/// A conflict on the way: going on needs the rule learned from it, or there is none.
enum Learned {
    Rule(usize),
    Contradiction(usize),
}

pub(super) struct Solver<'r, R> {
    rules: &'r mut R,
    known: Vec<Known>,
    /// By plugin, the rules about it.
    about: Vec<Vec<usize>>,
    /// By rule, whether one of its terms is false as things stand.
    hushed: Vec<bool>,
    /// The rules that are, each with the length of the trail at which that was seen.
    hush: Vec<(usize, usize)>,
    trail: Vec<Step>,
    /// By plugin, where its steps are on the trail.
    steps: Vec<Vec<usize>>,
    /// Plugins that take part and are not decided, those with the fewest places first.
    open: BTreeSet<(usize, usize)>,
    /// By plugin, how it stands in `open`.
    standing: Vec<Option<usize>>,
    /// By plugin, how often it was in a conflict.
    trouble: Vec<u64>,
    level: usize,
    work: u64,
    budget: u64,
}

impl<'r, R: Rules> Solver<'r, R> {
    /// A search among so many plugins, under rules, within so much work.
    pub fn new(plugins: usize, rules: &'r mut R, budget: u64) -> Self {
        Self {
            rules,
            known: Vec::new(),
            about: vec![Vec::new(); plugins],
            hushed: Vec::new(),
            hush: Vec::new(),
            trail: Vec::new(),
            steps: vec![Vec::new(); plugins],
            open: BTreeSet::new(),
            standing: vec![None; plugins],
            trouble: vec![0; plugins],
            level: 0,
            work: 0,
            budget,
        }
    }

    /// The places of the plugins that take part, and the work it took.
    pub fn solve(mut self, first: Vec<Rule>) -> Result<(BTreeMap<usize, usize>, u64), Stop> {
        let mut changed = self.add_all(first);
        loop {
            self.follow(changed)?;
            changed = match self.open.first().copied() {
                Some((_, plugin)) => self.decide(plugin),
                None => {
                    let chosen = self.chosen();
                    match self.rules.objection(&chosen, &mut self.work) {
                        Some(rule) => self.add_all(vec![rule]),
                        None => return Ok((chosen, self.work)),
                    }
                }
            };
        }
    }

    fn chosen(&self) -> BTreeMap<usize, usize> {
        let decided = self.trail.iter().filter(|step| step.rule.is_none());
        decided.filter_map(|step| Some((step.plugin, step.left.first()?))).collect()
    }

    fn spend(&mut self, work: u64) -> Result<(), Stop> {
        self.work = self.work.saturating_add(work);
        if self.work <= self.budget {
            return Ok(());
        }
        let mut worst: Vec<usize> = (0..self.trouble.len()).filter(|p| self.trouble_of(*p) > 0).collect();
        worst.sort_by_key(|plugin| std::cmp::Reverse(self.trouble_of(*plugin)));
        Err(Stop::Spent(worst))
    }

    fn trouble_of(&self, plugin: usize) -> u64 {
        self.trouble.get(plugin).copied().unwrap_or_default()
    }

    /// Adds rules; the plugins they are about.
    fn add_all(&mut self, rules: Vec<Rule>) -> Vec<usize> {
        let mut changed = Vec::new();
        for Rule { terms, leaf } in rules {
            changed.extend(terms.keys());
            let rule = self.keep(terms, Cause::Leaf(leaf));
            self.apply(rule);
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn keep(&mut self, terms: BTreeMap<usize, Versions>, cause: Cause) -> usize {
        self.work = self.work.saturating_add(terms.values().map(|set| KEPT_TERM + set.size()).sum());
        self.known.push(Known { terms, cause });
        self.hushed.push(false);
        self.known.len() - 1
    }

    /// From now on the rule is looked at.
    fn apply(&mut self, rule: usize) {
        let Some(known) = self.known.get(rule) else { return };
        for plugin in known.terms.keys() {
            if let Some(about) = self.about.get_mut(*plugin) {
                about.push(rule);
            }
        }
    }

    fn decide(&mut self, plugin: usize) -> Vec<usize> {
        let left = self.left(plugin);
        let Some(place) = left.first() else { return Vec::new() };
        self.level += 1;
        let rules = self.rules.of(plugin, place, &mut self.work);
        let mut changed = self.add_all(rules);
        let left = Versions::one(self.rules.places(plugin), place);
        self.push(Step { plugin, left, level: self.level, rule: None });
        changed.push(plugin);
        changed
    }

    /// The places a plugin has left.
    fn left(&self, plugin: usize) -> Versions {
        match self.last(plugin) {
            Some(step) => step.left.clone(),
            None => Versions::none(self.rules.places(plugin)).others(),
        }
    }
    fn last(&self, plugin: usize) -> Option<&Step> {
        self.trail.get(*self.steps.get(plugin)?.last()?)
    }

    fn push(&mut self, step: Step) {
        let plugin = step.plugin;
        if let Some(steps) = self.steps.get_mut(plugin) {
            steps.push(self.trail.len());
        }
        self.trail.push(step);
        self.stand(plugin);
    }

    /// Puts a plugin in its place among those that are open.
    fn stand(&mut self, plugin: usize) {
        let now = self.last(plugin).filter(|step| step.rule.is_some() && !step.left.has(0));
        let now = now.map(|step| step.left.count());
        let Some(standing) = self.standing.get_mut(plugin) else { return };
        if let Some(before) = std::mem::replace(standing, now) {
            self.open.remove(&(before, plugin));
        }
        self.open.extend(now.map(|count| (count, plugin)));
    }

    /// Draws every conclusion of what changed.
    fn follow(&mut self, changed: Vec<usize>) -> Result<(), Stop> {
        let mut queue = changed;
        while let Some(plugin) = queue.pop() {
            let mut at = self.about.get(plugin).map_or(0, Vec::len);
            while at > 0 {
                at -= 1;
                let Some(rule) = self.about.get(plugin).and_then(|about| about.get(at)).copied() else {
                    break;
                };
                match self.standing_of(rule)? {
                    Standing::False | Standing::Open => {}
                    Standing::Almost(other) => queue.extend(self.conclude(rule, other)),
                    Standing::Broken => {
                        let rule = match self.learn(rule)? {
                            Learned::Rule(rule) => rule,
                            Learned::Contradiction(rule) => {
                                return Err(Stop::Contradiction(self.leaves(rule)));
                            }
                        };
                        queue = self.plugins_of(rule);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn plugins_of(&self, rule: usize) -> Vec<usize> {
        self.known.get(rule).map(|known| known.terms.keys().copied().collect()).unwrap_or_default()
    }

    fn standing_of(&mut self, rule: usize) -> Result<Standing, Stop> {
        let (standing, work) = self.look_at(rule);
        if matches!(standing, Standing::False) && self.hushed.get(rule) == Some(&false) {
            self.hush.push((rule, self.trail.len()));
            self.hushed.get_mut(rule).into_iter().for_each(|hushed| *hushed = true);
        }
        self.spend(work)?;
        Ok(standing)
    }

    /// How a rule stands, and the work it took to see.
    fn look_at(&self, rule: usize) -> (Standing, u64) {
        let awake = self.hushed.get(rule) == Some(&false);
        let Some(known) = self.known.get(rule).filter(|_| awake) else { return (Standing::False, 1) };
        let (mut open, mut work) = (None, 1);
        for (plugin, set) in &known.terms {
            work += set.size();
            match self.last(*plugin) {
                Some(step) if step.left.is_within(set) => {}
                Some(step) if step.left.is_apart(set) => return (Standing::False, work),
                // No step: any place, and no rule is about every place or none.
                _ if open.is_some() => return (Standing::Open, work),
                _ => open = Some(*plugin),
            }
        }
        (open.map_or(Standing::Broken, Standing::Almost), work)
    }

    /// The last term of a rule is not true. The plugin, when that is news.
    fn conclude(&mut self, rule: usize, plugin: usize) -> Option<usize> {
        let left = self.left(plugin).and(&self.excluded(rule, plugin)?.others());
        self.push(Step { plugin, left, level: self.level, rule: Some(rule) });
        Some(plugin)
    }

    /// The places a rule takes from a plugin when its other terms are true.
    fn excluded(&self, rule: usize, plugin: usize) -> Option<&Versions> {
        self.known.get(rule)?.terms.get(&plugin)
    }

    /// From a broken rule, one that was broken earlier: goes back to where it is almost so.
    fn learn(&mut self, mut rule: usize) -> Result<Learned, Stop> {
        let broken = rule;
        for plugin in self.plugins_of(rule) {
            if let Some(trouble) = self.trouble.get_mut(plugin) {
                *trouble += 1;
            }
        }
        loop {
            let Some((at, before)) = self.satisfied_at(rule)? else {
                return Ok(Learned::Contradiction(rule));
            };
            let Some(step) = self.trail.get(at) else { return Ok(Learned::Contradiction(rule)) };
            match step.rule {
                Some(cause) if before == step.level => rule = self.resolved(rule, cause, step.plugin)?,
                _ => {
                    self.go_back(before);
                    if rule != broken {
                        self.apply(rule);
                    }
                    return Ok(Learned::Rule(rule));
                }
            }
        }
    }

    /// The step that made a broken rule's last term true, and the level at which the others, and what of its own that
    /// step did not bring, were; `None` for a rule without terms.
    fn satisfied_at(&mut self, rule: usize) -> Result<Option<(usize, usize)>, Stop> {
        let Some(known) = self.known.get(rule) else { return Ok(None) };
        let mut places = Vec::with_capacity(known.terms.len());
        let mut work = 0;
        for (plugin, set) in &known.terms {
            let steps = self.steps.get(*plugin).map(Vec::as_slice).unwrap_or_default();
            work += set.size() * (steps.len().ilog2_up() + 1);
            // What is left shrinks from step to step.
            let first =
                steps.partition_point(|at| !self.trail.get(*at).is_some_and(|s| s.left.is_within(set)));
            places.extend(steps.get(first).map(|at| (*at, *plugin, first)));
        }
        let Some((last, plugin, nth)) = places.iter().copied().max() else { return Ok(None) };
        let level = |at: usize| self.trail.get(at).map_or(0, |step| step.level);
        let mut before =
            places.iter().filter(|(at, ..)| *at != last).map(|(at, ..)| level(*at)).max().unwrap_or(0);
        if let Some(at) = self.helped_at(rule, plugin, nth) {
            before = before.max(level(at));
        }
        self.spend(work)?;
        Ok(Some((last, before)))
    }

    /// Where a step that alone does not make its term true was helped by an earlier one of the same plugin.
    fn helped_at(&self, rule: usize, plugin: usize, nth: usize) -> Option<usize> {
        let steps = self.steps.get(plugin)?;
        let step = self.trail.get(*steps.get(nth)?)?;
        let (set, own) = (self.excluded(rule, plugin)?, self.excluded(step.rule?, plugin)?.others());
        if own.is_within(set) {
            return None;
        }
        let earlier = steps.get(..nth)?;
        let first = earlier
            .partition_point(|at| !self.trail.get(*at).is_some_and(|s| s.left.and(&own).is_within(set)));
        earlier.get(first).copied()
    }

    /// What two rules say together without one plugin's terms.
    fn resolved(&mut self, a: usize, b: usize, plugin: usize) -> Result<usize, Stop> {
        let mut terms = self.known.get(a).map(|known| known.terms.clone()).unwrap_or_default();
        for (other, set) in self.known.get(b).into_iter().flat_map(|known| &known.terms) {
            let joined = match terms.get(other) {
                Some(own) if *other == plugin => own.or(set),
                Some(own) => own.and(set),
                None => set.clone(),
            };
            terms.insert(*other, joined);
        }
        terms.retain(|_, set| !set.is_all());
        let rule = self.keep(terms, Cause::Both(a, b));
        self.spend(1)?;
        Ok(rule)
    }

    fn go_back(&mut self, level: usize) {
        while self.trail.last().is_some_and(|step| step.level > level) {
            let Some(Step { plugin, .. }) = self.trail.pop() else { break };
            if let Some(steps) = self.steps.get_mut(plugin) {
                steps.pop();
            }
            self.stand(plugin);
        }
        while self.hush.last().is_some_and(|(_, length)| *length > self.trail.len()) {
            let woken = self.hush.pop().and_then(|(rule, _)| self.hushed.get_mut(rule));
            woken.into_iter().for_each(|hushed| *hushed = false);
        }
        self.level = level;
    }

    /// The rules a learned one came from.
    fn leaves(&self, rule: usize) -> BTreeSet<usize> {
        let (mut open, mut seen, mut leaves) = (vec![rule], BTreeSet::new(), BTreeSet::new());
        while let Some(rule) = open.pop() {
            match self.known.get(rule).filter(|_| seen.insert(rule)).map(|known| known.cause) {
                Some(Cause::Leaf(leaf)) => drop(leaves.insert(leaf)),
                Some(Cause::Both(a, b)) => open.extend([a, b]),
                None => {}
            }
        }
        leaves
    }
}

/// The logarithm of a length, rounded up.
trait Log {
    fn ilog2_up(self) -> u64;
}

impl Log for usize {
    fn ilog2_up(self) -> u64 {
        u64::from(usize::BITS - self.leading_zeros())
    }
}
