//! The schema, generated from the action table: what policies may speak of, and nothing more.

use super::super::ResourceKind;
use super::super::table::{Table, groups};
use super::terms::quoted;
use std::fmt::Write;

/// What policies know of every principal. Tags are the identity's attributes.
const PRINCIPALS: &str = r#"// Who acts. `principal.getTag("key")` is an attribute of the identity.
// `principal.trust` is "full", "reduced" or "quarantined": how far the plugin is trusted by what it did.
// Roles and `principal.tier` are given in trust.toml; the tier is "standard" where none is.
entity Publisher;
entity Role;
entity Plugin in [Publisher, Role] = {
  "name": String, "version": String, "digest": String, "publisher": String, "roles": Set<String>,
  "trust": String, "tier": String,
} tags String;
entity Operator in [Role] = { "name": String, "roles": Set<String> } tags String;
entity Host in [Role] = { "name": String, "roles": Set<String> } tags String;
// `depth` is how many plugins called one another to get here; `tainted` whether the plugin has read a secret: what a
// policy with `@label("secret")` speaks of.
type Circumstances = { "environment": String, "depth": Long, "tainted": Bool };

// What is touched: its canonical name, and whether it lies in the caller's own private area.
"#;

/// The entity type of resources of this kind: `PathResource`, `KeyResource`, …
///
/// Not a namespace `Resource::`, for `Resource::Plugin` would shadow the principal, which Cedar refuses.
pub(super) fn resource_type(kind: ResourceKind) -> String {
    let name = kind.name();
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    format!("{}{rest}Resource", first.to_ascii_uppercase())
}

/// The schema in Cedar's own notation.
pub(super) fn text(table: &Table) -> String {
    let mut text = PRINCIPALS.to_owned();
    for kind in ResourceKind::ALL {
        let name = resource_type(kind);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "entity {name} = {{ \"name\": String, \"private\": Bool }};");
    }
    let all: Vec<String> = groups().iter().map(|group| quoted(group)).collect();
    let _ = writeln!(
        text,
        "\n// Groups: kinds of action, and families of permissions.\naction {};\n",
        all.join(", ")
    );
    for (action, groups) in table.grouped() {
        let management = groups.contains(super::super::table::MANAGEMENT);
        let principals = if management { "Operator, Host" } else { "Plugin, Operator, Host" };
        let groups: Vec<String> = groups.iter().map(|group| quoted(group)).collect();
        let _ = writeln!(
            text,
            "action {} in [{}] appliesTo {{ principal: [{principals}], resource: [{}], context: Circumstances }};",
            quoted(action.name),
            groups.join(", "),
            resource_type(action.resource),
        );
    }
    text
}
