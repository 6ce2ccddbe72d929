//! Identities, actions and resources as Cedar sees them.

use super::super::membership::Position;
use super::super::table::Table;
use super::super::{Resource, ResourceKind};
use super::schema::resource_type;
use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use common::identity::{IdentityContext, Principal};
use std::collections::{HashMap, HashSet};

/// What Cedar says of terms it does not take; too large to hand around by value.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;

type Attributes = Vec<(String, RestrictedExpression)>;

/// The names of the entity types, parsed once.
#[derive(Debug)]
pub(super) struct Types {
    plugin: EntityTypeName,
    operator: EntityTypeName,
    host: EntityTypeName,
    publisher: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
    resources: Vec<(ResourceKind, EntityTypeName)>,
}

impl Types {
    pub(super) fn new() -> Result<Self, Fault> {
        let mut resources = Vec::new();
        for kind in ResourceKind::ALL {
            resources.push((kind, resource_type(kind).parse()?));
        }
        Ok(Self {
            plugin: "Plugin".parse()?,
            operator: "Operator".parse()?,
            host: "Host".parse()?,
            publisher: "Publisher".parse()?,
            role: "Role".parse()?,
            action: "Action".parse()?,
            resources,
        })
    }

    pub(super) fn resource(&self, kind: ResourceKind) -> Option<&EntityTypeName> {
        self.resources.iter().find(|(known, _)| *known == kind).map(|(_, name)| name)
    }

    /// The actions of the table, in its order.
    pub(super) fn actions(&self, table: &Table) -> Vec<ActionTerms> {
        let action = |name: &str| uid(&self.action, name);
        let terms = table.grouped().map(|(known, groups)| ActionTerms {
            uid: action(known.name),
            groups: groups.iter().map(|group| action(group)).collect(),
            kind: known.resource,
        });
        terms.collect()
    }

    /// The entity of a resource.
    pub(super) fn resource_entity(&self, resource: &Resource<'_>) -> Option<Entity> {
        let attributes = [
            ("name".to_owned(), RestrictedExpression::new_string(resource.name.to_owned())),
            ("private".to_owned(), RestrictedExpression::new_bool(resource.private)),
        ];
        let uid = uid(self.resource(resource.kind)?, resource.name);
        Entity::new_with_tags(uid, attributes, [], []).ok()
    }
}

/// An action: itself, its groups, what it touches.
#[derive(Debug)]
pub(super) struct ActionTerms {
    pub(super) uid: EntityUid,
    pub(super) groups: HashSet<EntityUid>,
    pub(super) kind: ResourceKind,
}

impl ActionTerms {
    /// Whether the action is this one or belongs to this group.
    pub(super) fn is_in(&self, other: &EntityUid) -> bool {
        self.uid == *other || self.groups.contains(other)
    }
    /// The entities of the action and its groups.
    pub(super) fn entities(&self) -> impl Iterator<Item = Entity> {
        let groups = self.groups.iter().map(|g| Entity::new_no_attrs(g.clone(), HashSet::new()));
        groups.chain([Entity::new_no_attrs(self.uid.clone(), self.groups.clone())])
    }
}

/// A principal: itself, what it belongs to, and both as entities.
pub(in super::super) struct Subject {
    pub(super) uid: EntityUid,
    pub(super) parents: HashSet<EntityUid>,
    /// `None` when it cannot be described; then every ruling about it fails.
    pub(super) entities: Option<Vec<Entity>>,
}

impl Subject {
    pub(super) fn new(types: &Types, identity: &IdentityContext, position: &Position<'_>) -> Self {
        let text = |t: &str| RestrictedExpression::new_string(t.to_owned());
        let mut parents: HashSet<EntityUid> = position.roles.iter().map(|r| uid(&types.role, r)).collect();
        let mut attributes: Attributes = vec![
            ("name".to_owned(), text(identity.name())),
            ("roles".to_owned(), RestrictedExpression::new_set(position.roles.iter().map(|r| text(r)))),
        ];
        let kind = match identity.principal() {
            Principal::Host(_) => &types.host,
            Principal::Operator(_) => &types.operator,
            Principal::Plugin(plugin) => {
                parents.insert(uid(&types.publisher, plugin.publisher.as_str()));
                attributes.push(("version".to_owned(), text(&plugin.version)));
                attributes.push(("digest".to_owned(), text(&plugin.digest.to_string())));
                attributes.push(("publisher".to_owned(), text(plugin.publisher.as_str())));
                attributes.push(("trust".to_owned(), text(position.class.name())));
                attributes.push(("tier".to_owned(), text(position.tier)));
                &types.plugin
            }
        };
        let uid = uid(kind, identity.name());
        let tags: HashMap<String, RestrictedExpression> =
            identity.attributes().map(|(key, value)| (key.to_owned(), text(value))).collect();
        let itself = Entity::new_with_tags(uid.clone(), attributes, parents.iter().cloned(), tags);
        let groups = parents.iter().map(|p| Entity::new_no_attrs(p.clone(), HashSet::new()));
        let entities = itself.ok().map(|itself| groups.chain([itself]).collect());
        Self { uid, parents, entities }
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// A text as a Cedar string literal.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", EntityId::new(text).escaped())
}
