//! What a policy engine answers, in words both engines share.

/// What the policies say about one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// At least one policy permits it and none forbids it.
    Permit,
    /// At least one policy forbids it.
    #[cfg_attr(not(feature = "cedar"), allow(dead_code, reason = "the built-in rules forbid nothing"))]
    Forbid,
    /// No policy speaks of it.
    Silent,
    /// A policy that might have spoken could not be evaluated: the problem.
    Failed(String),
}

/// An effect, and the ids of the policies it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) effect: Effect,
    pub(super) ids: String,
    /// Whether what is permitted gives what a policy labels secret.
    pub(super) secret: bool,
}

/// What policies know of a call beside who does what to which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// How many plugins called one another to get here.
    pub(super) depth: u32,
    /// Whether the principal has read a secret.
    pub(super) tainted: bool,
}

/// Most policy ids a ruling names; more are counted.
const NAMED: usize = 8;

impl Ruling {
    /// A ruling by these policies.
    pub(super) fn new<'a>(effect: Effect, ids: impl Iterator<Item = &'a str>) -> Self {
        let mut ids: Vec<&str> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let beyond = ids.len().saturating_sub(NAMED);
        ids.truncate(NAMED);
        let mut text = ids.join(",");
        if beyond > 0 {
            text.push_str(&format!(",+{beyond}"));
        }
        Self { effect, ids: text, secret: false }
    }

    /// A ruling that could not be reached.
    pub(super) fn failed(problem: impl std::fmt::Display) -> Self {
        Self { effect: Effect::Failed(problem.to_string()), ids: String::new(), secret: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_bounded() {
        let few = Ruling::new(Effect::Permit, ["b:1", "a:1", "b:1"].into_iter());
        assert_eq!(few.ids, "a:1,b:1");
        let many: Vec<String> = (10..40).map(|i| format!("p:{i}")).collect();
        let ruling = Ruling::new(Effect::Permit, many.iter().map(String::as_str));
        assert!(ruling.ids.starts_with("p:10,p:11") && ruling.ids.ends_with(",+22"), "{}", ruling.ids);
    }
}
