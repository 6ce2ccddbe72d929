//! What a policy's conditions look at. Doubt counts as looking.

use cedar_policy::Policy;
use serde_json::Value;

/// The attributes of the context that never change while decisions are remembered: the environment is the
/// evaluator's, and what was decided for an instance is forgotten when it reads its first secret.
const STABLE: [&str; 2] = ["environment", "tainted"];

/// What a policy looks at beyond its head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The resource's name or place.
    pub(super) resource: bool,
    /// Something of the context that changes from call to call.
    pub(super) volatile: bool,
}

impl Facts {
    pub(super) fn of(policy: &Policy) -> Self {
        let mut facts = Self::default();
        match policy.to_json() {
            Ok(json) => facts.look(json.get("conditions").unwrap_or(&Value::Null)),
            Err(_) => facts = Self { resource: true, volatile: true },
        }
        facts
    }

    fn look(&mut self, node: &Value) {
        match node {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| self.field(key, value)),
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn field(&mut self, key: &str, value: &Value) {
        match (key, value.as_str()) {
            ("Var", Some("resource")) => self.resource = true,
            ("Var", Some("context")) => self.volatile = true,
            ("." | "has", None) if is_stable(value) => {}
            _ => self.look(value),
        }
    }
}

/// Whether this is an attribute access on the context to a stable attribute.
fn is_stable(access: &Value) -> bool {
    let of_context = access.pointer("/left/Var").and_then(Value::as_str) == Some("context");
    let attribute = access.get("attr").and_then(Value::as_str);
    of_context && attribute.is_some_and(|attribute| STABLE.contains(&attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(condition: &str) -> (bool, bool) {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let facts = Facts::of(&Policy::parse(None, text).unwrap());
        (facts.resource, facts.volatile)
    }

    #[test]
    fn what_a_condition_looks_at_is_seen_and_a_mere_word_is_not() {
        assert_eq!(facts("true"), (false, false));
        assert_eq!(facts(r#"principal.name == "context""#), (false, false));
        assert_eq!(facts(r#"context.environment == "production""#), (false, false));
        assert_eq!(facts("context has environment"), (false, false));
        assert_eq!(facts("context.tainted"), (false, false));
        assert_eq!(facts("context.depth < 3"), (false, true));
        assert_eq!(facts("context has depth"), (false, true));
        assert_eq!(facts("context == {depth: 1}"), (false, true));
        assert_eq!(facts("resource.private"), (true, false));
        assert_eq!(facts("if true then false else [resource].isEmpty()"), (true, false));
        assert_eq!(facts(r#"{"Var": "context"}.Var == "resource""#), (false, false));
        assert_eq!(facts(r#"principal.name like "resource*" || !(context.depth == 1)"#), (false, true));
    }
}
