//! The one place where a permit is spent: a service is reached only by giving one up.

use common::identity::{IdentityContext, PluginIdentity};
use microkernel::syscall_bridge::{Call, CallError, Status, SyscallHandler, Target};
use microkernel::trust::Permit;
use std::sync::Arc;

/// A service without the door in front of it. Private to this room, so that outside it only
/// [`Door`]s are met.
pub(super) trait Service: Send + Sync + 'static {
    /// The canonical resource the arguments name. Pure.
    fn target<'a>(&self, identity: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError>;
    /// What the record of an effect says of its arguments beside the resource. Pure.
    fn summary(&self, _args: &[u8]) -> Option<String> {
        None
    }
    /// Whether it comes back to the door for more than its target.
    fn decides_further(&self) -> bool {
        false
    }
    /// Does it.
    fn serve(&self, call: Call<'_>) -> Result<(), CallError>;
}

/// A kind of door to put services behind. There is one outside of tests.
pub(super) trait Door {
    /// A service behind it.
    type Handler;
    /// Puts a service behind it.
    fn put<S: Service>(service: S) -> Self::Handler;
}

/// The door that takes permits.
pub(super) struct Permitted;

impl Door for Permitted {
    type Handler = Arc<dyn SyscallHandler>;
    fn put<S: Service>(service: S) -> Self::Handler {
        Arc::new(Behind(service))
    }
}

struct Behind<S>(S);

impl<S: Service> SyscallHandler for Behind<S> {
    fn target<'a>(&self, identity: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        self.0.target(identity, args)
    }
    fn summary(&self, args: &[u8]) -> Option<String> {
        self.0.summary(args)
    }
    fn decides_further(&self) -> bool {
        self.0.decides_further()
    }
    fn handle(&self, _spent: Permit, call: Call<'_>) -> Result<(), CallError> {
        self.0.serve(call)
    }
}

/// The target of services that touch nothing but themselves.
pub(super) const NO_TARGET: Target<'static> = Target { name: std::borrow::Cow::Borrowed(""), private: false };

/// The target of this name.
pub(super) fn target(name: &str, private: bool) -> Target<'_> {
    Target { name: std::borrow::Cow::Borrowed(name), private }
}

/// The calling plugin; hosts and operators have no private area.
pub(super) fn plugin(identity: &IdentityContext) -> Result<&PluginIdentity, CallError> {
    identity.as_plugin().ok_or_else(|| CallError::new(Status::Denied, "the caller is not a plugin"))
}

/// An argument that must be there. The arity was checked when the list was read.
pub(super) fn required(item: Option<&[u8]>) -> Result<&[u8], CallError> {
    item.ok_or_else(|| invalid("an argument is missing"))
}

/// An argument that must be text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, CallError> {
    std::str::from_utf8(bytes).map_err(|_| invalid("an argument is not UTF-8"))
}

/// An argument that must be a u64, little-endian.
pub(super) fn number(bytes: &[u8]) -> Result<u64, CallError> {
    let bytes = bytes.try_into().map_err(|_| invalid("an integer is not eight bytes"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// The caller's arguments are wrong.
pub(super) fn invalid(cause: &'static str) -> CallError {
    CallError::new(Status::Invalid, cause)
}

/// A limit is reached.
pub(super) fn limit(cause: &'static str) -> CallError {
    CallError::new(Status::Limit, cause)
}
