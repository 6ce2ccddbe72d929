//! Cedar policy files of an operator.

use crate::{Seen, Target, told};
use microkernel::syscall_bridge::builtin_actions;
use microkernel::trust::{PolicySource, TrustEvaluator};
use std::cell::OnceCell;

pub const POLICY: Target = Target {
    name: "policy",
    max_len: 1 << 10,
    tokens: &[
        "permit(",
        "forbid(",
        "principal",
        "action",
        "resource",
        " in ",
        " == ",
        " is Plugin",
        "Action::\"kv_get\"",
        "Action::\"clock.*\"",
        "Plugin::\"a\"",
        "KeyResource::\"k\"",
        "when {",
        "unless {",
        "};",
        "context.",
        "has",
        "like \"*\"",
        "@id(\"x\")",
        "&&",
        "||",
        "if true then 1 else 2",
        "[1, 2]",
        ".contains(",
        "ip(\"1\")",
        "?principal",
        "//",
        "((((",
        "!!!!",
        "----",
    ],
    memory: 64 << 20,
    smoke: 60,
    body: policy,
    seeds,
};

thread_local! {
    static EVALUATOR: OnceCell<TrustEvaluator> = const { OnceCell::new() };
}

/// A policy text is refused with its problems, or is one that can be put in force.
fn policy(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::refused(&"not UTF-8") };
    let source = PolicySource { name: "50-fuzz.cedar".into(), text: text.to_owned() };
    EVALUATOR.with(|evaluator| {
        let evaluator = evaluator
            .get_or_init(|| TrustEvaluator::new(&builtin_actions(), &[]).expect("the built-in policies"));
        match evaluator.check(&[source]) {
            Ok(()) => Seen::accepted(0),
            Err(error) => Seen::refused(&told(&error)),
        }
    })
}

fn seeds() -> Vec<Vec<u8>> {
    [
        r#"permit(principal == Plugin::"log-redactor", action in [Action::"observability.*", Action::"clock.*"], resource);"#,
        r#"@id("no-deep-chains") forbid(principal, action == Action::"plugin_call", resource) when { context.depth > 4 };"#,
        r#"permit(principal in Publisher::"acme", action == Action::"kv_get", resource) when { resource.name like "user/*" };"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
