//! Policy texts to policies, under their own names. A text that does not fit the schema is refused with its line.

use super::super::policy::builtin;
use super::super::table::has_kinds;
use super::super::{Enforcement, PolicySource, TrustError};
use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PolicySet, ValidationError, ValidationMode,
    ValidationWarning, Validator,
};
use common::config::nearest;
use std::collections::BTreeSet;
use std::str::FromStr;

/// The built-in policies, each with its id.
pub(super) fn builtin(enforcement: Enforcement) -> Result<Vec<Policy>, TrustError> {
    let development = match enforcement {
        Enforcement::PolicyDecides => None,
        Enforcement::GrantedIsPermitted => Some((
            builtin::GRANTED_IS_PERMITTED,
            r#"permit(principal is Plugin, action in Action::"syscall.*", resource);"#,
        )),
    };
    BUILTIN.into_iter().chain(development).map(|(id, text)| one(id, text)).collect()
}

const BUILTIN: [(&str, &str); 5] = [
    (builtin::OPEN, r#"permit(principal, action in [Action::"log", Action::"ping"], resource);"#),
    (builtin::OWN_SECTION, r#"permit(principal is Plugin, action == Action::"config_get", resource);"#),
    (
        builtin::PRIVATE_AREA,
        r#"permit(principal is Plugin, action in [Action::"filesystem.*", Action::"storage.*"], resource)
           when { resource.private };"#,
    ),
    (builtin::HOST_MANAGES, r#"permit(principal is Host, action in Action::"management.*", resource);"#),
    (
        builtin::OPERATOR_MANAGES,
        r#"permit(principal is Operator, action in Action::"management.*", resource);"#,
    ),
];

/// The text of the built-in policies, to be checked as if it were a source.
#[cfg(test)]
pub(in super::super) fn builtin_text() -> String {
    BUILTIN.map(|(_, text)| text).join("\n")
}

fn one(id: &str, text: &str) -> Result<Policy, TrustError> {
    let named = |e| refused("builtin", problems(&DetailedError::from(&e), text));
    Policy::parse(Some(PolicyId::new(id)), text).map_err(named)
}

/// The policies of one source, in order, named after it and checked against the schema.
pub(super) fn policies(
    source: &PolicySource,
    validator: &Validator,
    actions: &BTreeSet<String>,
) -> Result<Vec<Policy>, TrustError> {
    let fail = |problems| refused(&source.name, problems);
    if source.name == "builtin" || source.name.starts_with("builtin:") {
        return Err(fail(vec!["the name `builtin` is taken".to_owned()]));
    }
    let set = PolicySet::from_str(&source.text)
        .map_err(|e| fail(problems(&DetailedError::from(&e), &source.text)))?;
    if set.templates().next().is_some() {
        return Err(fail(vec![
            "a policy has a `?principal` or `?resource`, and nothing fills it".to_owned(),
        ]));
    }
    let ids = set.policies().filter_map(|p| p.annotation("id"));
    if let Some(id) = ids.into_iter().find(|id| !is_id(id)) {
        let id: String = id.chars().take(40).flat_map(char::escape_debug).collect();
        return Err(fail(vec![format!("@id(\"{id}\"): {ID_RULE}")]));
    }
    let meant = |key: &str| match nearest(&key.to_ascii_lowercase(), [LABEL, "id"]) {
        Some(known) if known != key => Some(format!("@{key}: did you mean `@{known}`?")),
        _ => None,
    };
    let misspelt = set.policies().flat_map(Policy::annotations).find_map(|(key, _)| meant(key));
    if let Some(problem) = misspelt {
        return Err(fail(vec![problem]));
    }
    let labels = set.policies().filter_map(|p| Some((p.annotation(LABEL)?, p.effect())));
    if labels.into_iter().any(|(label, effect)| label != SECRET || effect != Effect::Permit) {
        return Err(fail(vec![LABEL_RULE.to_owned()]));
    }
    let result = validator.validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|e| advised(e, actions));
    let warnings = result.validation_warnings().filter(|w| is_mistake(w)).map(|w| warned(w, &set));
    let mut wrong: Vec<DetailedError> = errors.chain(warnings).collect();
    wrong.sort_by_key(|e| (e.source_locations.first().map(|label| label.loc.start), e.message.clone()));
    if !wrong.is_empty() {
        return Err(fail(wrong.iter().flat_map(|e| problems(e, &source.text)).collect()));
    }
    named(source, &set).map_err(|problem| fail(vec![problem]))
}

/// The error, with our own advice on an action nobody knows: the validator's differs from run to run.
fn advised(error: &ValidationError, actions: &BTreeSet<String>) -> DetailedError {
    let mut told = DetailedError::from(error);
    if matches!(error, ValidationError::UnrecognizedActionId(_)) {
        let named = told.message.split_once("Action::\"").and_then(|(_, rest)| rest.split_once('"'));
        told.help = named.map(|(name, _)| advice(name, actions));
    }
    told
}

/// The warning, with our own advice where the policy names a group of actions as if it were one.
fn warned(warning: &ValidationWarning, set: &PolicySet) -> DetailedError {
    let mut told = DetailedError::from(warning);
    let action = set.policy(warning.policy_id()).map(Policy::action_constraint);
    if let Some(ActionConstraint::Eq(group)) = action
        && group.id().unescaped().ends_with(".*")
    {
        told.help = Some(format!("no action is a group: write `action in {group}`"));
    }
    told
}

fn advice(name: &str, actions: &BTreeSet<String>) -> String {
    match nearest(name, actions.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if name.ends_with(".*") => "the schema has no such group of actions".to_owned(),
        None => "the schema has no such action; calls added by another program are not known to this one"
            .to_owned(),
    }
}

/// The annotation of a policy that labels what it speaks of.
pub(super) const LABEL: &str = "label";
/// The only label there is.
const SECRET: &str = "secret";
const LABEL_RULE: &str = "@label(\"secret\") is the only label, and stands before a `permit`, which then labels and does not permit";

const ID_RULE: &str = "an @id has 1 to 128 bytes, no comma and no control character";

/// Whether records can name this id in a list.
fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && !id.contains(|c: char| c == ',' || c.is_control())
}

/// Whether what Cedar only warns of is refused here: a policy that can never apply, and text that does not read
/// as it is written. Names in mixed scripts are the names of things, and stay.
fn is_mistake(warning: &ValidationWarning) -> bool {
    use ValidationWarning as W;
    !matches!(warning, W::MixedScriptString(_) | W::MixedScriptIdentifier(_) | W::ConfusableIdentifier(_))
}

/// The policies in the order of the text, each as `SOURCE:ID`.
fn named(source: &PolicySource, set: &PolicySet) -> Result<Vec<Policy>, String> {
    let place =
        |p: &Policy| p.id().to_string().trim_start_matches("policy").parse::<u64>().unwrap_or(u64::MAX);
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|p| place(p));
    let own_id = |p: &Policy| p.annotation("id").map_or_else(|| p.id().to_string(), str::to_owned);
    let id = |p: &Policy| PolicyId::new(format!("{}:{}", source.name, own_id(p)));
    policies.iter().map(|p| Ok(widened(p)?.new_id(id(p)))).collect()
}

/// A `forbid` or label that names one action with `==` speaks of the kinds of that action as well, as if it said
/// `in`. Any other policy is as it was.
fn widened(policy: &Policy) -> Result<Policy, String> {
    let narrows = policy.effect() == Effect::Forbid || policy.annotation(LABEL).is_some();
    match policy.action_constraint() {
        ActionConstraint::Eq(action) if narrows && has_kinds(action.id().unescaped()) => {
            let mut json = policy.to_json().map_err(|e| e.to_string())?;
            if let Some(op) = json.get_mut("action").and_then(|action| action.get_mut("op")) {
                *op = "in".into();
            }
            Policy::from_json(Some(policy.id().clone()), json).map_err(|e| e.to_string())
        }
        _ => Ok(policy.clone()),
    }
}

/// Refuses a source.
pub(super) fn refused(name: &str, problems: Vec<String>) -> TrustError {
    TrustError::Policy { name: name.to_owned(), problems }
}

/// One line for each problem, with the line of the text it is on.
fn problems(error: &DetailedError, text: &str) -> Vec<String> {
    let place = error.source_locations.first().map(|label| line_of(text, label.loc.start));
    let line = place.map_or(String::new(), |line| format!("line {line}: "));
    let help = error.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
    let first = format!("{line}{}{help}", error.message);
    let rest = error.related.iter().flat_map(|related| problems(related, text));
    std::iter::once(first).chain(rest).collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
