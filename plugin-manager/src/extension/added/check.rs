//! Whether added host calls can be added: each mistake is an error when the manager is built.

use super::argument::MAX_ARGUMENTS;
use super::call::SyscallExtension;
use super::service::AddedService;
use crate::extension::service::{Door, Permitted};
use common::error::{Code, Coded, codes};
use common::permission::{Capability, Permission, PermissionError};
use microkernel::syscall_bridge::{Action, SyscallHandler, builtin_actions};
use microkernel::trust::{ManagementAction, ResourceKind, is_action_name};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Added calls at most.
const MOST: usize = 1024;

/// An added call as the bridge knows it.
pub type Added = (Action, Arc<dyn SyscallHandler>);

/// Why a host call cannot be added. The host program's author can mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The name is no word.
    #[error("the name \"{}\" of an added host call has not 1 to 64 of a-z, 0-9 and _", .0.escape_debug())]
    Name(&'static str),
    /// The name is a host call of the ABI or a management verb.
    #[error("the host call {0} is built in and cannot be replaced")]
    BuiltIn(&'static str),
    /// Two extensions have the name.
    #[error("the host call {0} is added twice")]
    Duplicate(&'static str),
    /// There is no such permission.
    #[error("the host call {name} needs a permission there is not")]
    Permission {
        /// The call.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: PermissionError,
    },
    /// The permission has a scope; scopes are the manifest's.
    #[error("the host call {0} needs a permission with a scope: name the verb alone")]
    Scope(&'static str),
    /// Arguments, resource and record do not fit together.
    #[error("the host call {name} {problem}")]
    Schema {
        /// The call.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More than can be added.
    #[error("more than {MOST} host calls are added")]
    TooMany,
}

impl Coded for ExtensionError {
    fn code(&self) -> &'static Code {
        &codes::E0101
    }
}

/// The calls as the bridge knows them, in the order they were added.
///
/// # Errors
/// [`ExtensionError`] for the first that cannot be added.
pub fn checked(extensions: Vec<SyscallExtension>) -> Result<Vec<Added>, ExtensionError> {
    if extensions.len() > MOST {
        return Err(ExtensionError::TooMany);
    }
    let builtin: BTreeSet<&str> = builtin_actions()
        .iter()
        .map(|action| action.name)
        .chain(ManagementAction::ALL.iter().map(|verb| verb.name()))
        .collect();
    let mut taken = BTreeSet::new();
    let mut added = Vec::with_capacity(extensions.len());
    for extension in extensions {
        let name = extension.name;
        if !is_action_name(name) {
            return Err(ExtensionError::Name(name));
        }
        if builtin.contains(name) {
            return Err(ExtensionError::BuiltIn(name));
        }
        if !taken.insert(name) {
            return Err(ExtensionError::Duplicate(name));
        }
        added.push(one(extension)?);
    }
    Ok(added)
}

fn one(extension: SyscallExtension) -> Result<Added, ExtensionError> {
    if let Some(problem) = misfit(&extension) {
        return Err(ExtensionError::Schema { name: extension.name, problem });
    }
    let needs = needs(&extension)?.map_or(&[][..], Capability::alone);
    let SyscallExtension { name, arguments, resource, class, handler, .. } = extension;
    let action =
        Action { name, needs, resource: resource.map_or(ResourceKind::None, |(kind, _)| kind), class };
    let service = AddedService { arguments, resource: resource.map(|(_, index)| index), handler };
    Ok((action, Permitted::put(service)))
}

fn needs(extension: &SyscallExtension) -> Result<Option<Capability>, ExtensionError> {
    let name = extension.name;
    let Some((family, verb)) = &extension.needs else { return Ok(None) };
    let parsed = Permission::parse(family, verb);
    let permission = parsed.map_err(|source| ExtensionError::Permission { name, source })?;
    match permission.scope {
        Some(_) => Err(ExtensionError::Scope(name)),
        None => Ok(Some(permission.capability)),
    }
}

fn misfit(extension: &SyscallExtension) -> Option<&'static str> {
    let arguments = &extension.arguments;
    if arguments.len() > MAX_ARGUMENTS {
        return Some("has more than 16 arguments");
    }
    if arguments.iter().skip_while(|a| !a.is_optional()).any(|a| !a.is_optional()) {
        return Some("has an argument that must be given after one that need not be");
    }
    if arguments.iter().any(super::Argument::records_bytes) {
        return Some("records an argument of bytes: only texts and numbers are recorded");
    }
    match extension.resource {
        Some((ResourceKind::None, _)) => Some("names a resource of the kind none"),
        Some((_, index)) if !arguments.get(index).is_some_and(|a| a.is_text() && !a.is_optional()) => {
            Some("names its resource by an argument that is not a text which must be given")
        }
        _ => None,
    }
}
