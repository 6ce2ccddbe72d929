//! Permissions, and the scopes that decide what they cover.

use crate::{Seen, Target};
use common::permission::{Permission, Scope};

pub const PERMISSION: Target = Target {
    name: "permission",
    max_len: 2_200,
    tokens: &[
        "filesystem",
        "read",
        "storage",
        "objects",
        "get",
        "network",
        "connect",
        "secrets",
        "use",
        "env",
        "plugins",
        "call",
        "**",
        "/**/",
        "*.",
        "[::1]",
        ":443",
        "8000-8100",
        "\0",
    ],
    memory: 1 << 20,
    smoke: 4_000,
    body: permission,
    seeds,
};

/// `family NUL verb:scope NUL resource`. What parses is written as it was read; stars cover as a plain model says.
fn permission(input: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(3, '\0');
    let mut next = || parts.next().unwrap_or_default();
    let (family, entry, resource) = (next(), next(), next());
    let permission = match Permission::parse(family, entry) {
        Ok(permission) => permission,
        Err(error) => return Seen::refused(&error),
    };
    let written = permission.scope.as_ref().map(ToString::to_string);
    assert_eq!(
        written.as_deref(),
        entry.split_once(':').map(|(_, scope)| scope),
        "a scope is written otherwise"
    );
    assert_eq!(Permission::parse(family, entry).as_ref(), Ok(&permission));
    let kind = permission.capability as u64 * 4;
    let Some(scope) = permission.scope else { return Seen::accepted(kind) };
    let covers = scope.covers(resource);
    if let Scope::Path(glob) | Scope::Name(glob) = &scope {
        let pattern = written.unwrap_or_default();
        if pattern.len() * resource.len() <= 4_096 {
            assert_eq!(covers, model(&pattern, resource), "{glob:?} covers {resource:?}: {covers}");
        }
    }
    Seen::accepted(kind + 1 + u64::from(covers))
}

/// The same by dynamic programming: no cleverness, so no clever mistake.
fn model(pattern: &str, text: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let text: Vec<&str> = text.split('/').collect();
    table(
        &pattern,
        &text,
        |p| *p == "**",
        |p, t| table(p.as_bytes(), t.as_bytes(), |b| *b == b'*', |a, b| a == b),
    )
}

fn table<P, T>(pattern: &[P], text: &[T], star: impl Fn(&P) -> bool, same: impl Fn(&P, &T) -> bool) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        next[0] = row[0] && star(p);
        for (i, t) in text.iter().enumerate() {
            next[i + 1] = if star(p) { row[i + 1] || next[i] } else { row[i] && same(p, t) };
        }
        row = next;
    }
    row[text.len()]
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "filesystem\0read:/data/**\0/data/a/b.txt",
        "filesystem\0write:/data/*.log\0/data/x.log",
        "storage\0get:user/*/name\0user/7/name",
        "network\0connect:*.example.com:8000-8100\0api.example.com:8080",
        "network\0connect:[::1]:443\0[::1]:443",
        "secrets\0use:api-*\0api-key",
        "clock\0now",
        "plugins\0call:pii-rules\0pii-rules",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
