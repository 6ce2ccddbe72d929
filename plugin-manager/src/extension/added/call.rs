//! What a host program says of a host call it adds, and what its function is given.

use super::argument::{Argument, item, number};
use crate::extension::service::invalid;
use common::audit::RecordClass;
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use common::identity::{IdentityContext, PluginId};
use microkernel::syscall_bridge::{Call, CallError};
use microkernel::trust::ResourceKind;
use std::fmt;
use std::sync::Arc;

/// A host call that a host program adds.
///
/// ```
/// use common::audit::RecordClass;
/// use microkernel::trust::ResourceKind;
/// use plugin_manager::{Argument, ExtensionCall, SyscallExtension};
///
/// let ring = SyscallExtension::new("bell_ring", |call: &mut ExtensionCall<'_>| {
///     let times = call.number(1)?;
///     call.respond(format!("{} x{times}", call.resource()));
///     Ok(())
/// })
/// .argument(Argument::text("bell", 1..=64))
/// .argument(Argument::number("times", 1..=12).recorded())
/// .resource(ResourceKind::Key, 0)
/// .needs("plugins", "call")
/// .class(RecordClass::B);
/// # drop(ring);
/// ```
pub struct SyscallExtension {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<Argument>,
    pub(super) needs: Option<(String, String)>,
    pub(super) resource: Option<(ResourceKind, usize)>,
    pub(super) class: RecordClass,
    pub(super) handler: Arc<dyn ExtensionHandler>,
}

impl fmt::Debug for SyscallExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyscallExtension")
            .field("name", &self.name)
            .field("arguments", &self.arguments)
            .field("needs", &self.needs)
            .field("resource", &self.resource)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

impl SyscallExtension {
    /// A call of this name (1 to 64 of a-z, 0-9 and _) without arguments, which needs no permission, touches no
    /// named resource and is recorded as an effect (class B). Policy must still permit it.
    pub fn new(name: &'static str, handler: impl ExtensionHandler) -> Self {
        Self {
            name,
            arguments: Vec::new(),
            needs: None,
            resource: None,
            class: RecordClass::B,
            handler: Arc::new(handler),
        }
    }
    /// One more argument. Lists with fewer, more or others are refused before anything is decided.
    #[must_use]
    pub fn argument(mut self, argument: Argument) -> Self {
        self.arguments.push(argument);
        self
    }
    /// The permission a manifest must ask for: a family and a verb of the contract. A scope in the manifest is
    /// matched against the resource.
    #[must_use]
    pub fn needs(mut self, family: impl Into<String>, verb: impl Into<String>) -> Self {
        self.needs = Some((family.into(), verb.into()));
        self
    }
    /// What the call touches: a resource of this kind, whose name is the text argument of this index. Scopes,
    /// policies and records go by it.
    #[must_use]
    pub const fn resource(mut self, kind: ResourceKind, argument: usize) -> Self {
        self.resource = Some((kind, argument));
        self
    }
    /// How it is recorded: A durable first, B before the effect, C counted after it. C is for calls without an
    /// effect outside the instance.
    #[must_use]
    pub const fn class(mut self, class: RecordClass) -> Self {
        self.class = class;
        self
    }
}

/// The function behind an added host call. A panic in it is answered with -7.
pub trait ExtensionHandler: Send + Sync + 'static {
    /// Does it. Nothing interrupts it: one that can take long looks at [`ExtensionCall::deadline`].
    ///
    /// # Errors
    /// The status the plugin is given, and the cause for the record.
    fn serve(&self, call: &mut ExtensionCall<'_>) -> Result<(), CallError>;
}

impl<F> ExtensionHandler for F
where
    F: Fn(&mut ExtensionCall<'_>) -> Result<(), CallError> + Send + Sync + 'static,
{
    fn serve(&self, call: &mut ExtensionCall<'_>) -> Result<(), CallError> {
        self(call)
    }
}

/// One admitted call: permitted, recorded, its arguments as the schema says.
#[derive(Debug)]
pub struct ExtensionCall<'a> {
    call: Call<'a>,
}

impl<'a> ExtensionCall<'a> {
    pub(super) const fn new(call: Call<'a>) -> Self {
        Self { call }
    }
    /// Who calls.
    pub fn identity(&self) -> &'a IdentityContext {
        self.call.identity
    }
    /// The plugins that called one another to get here, the caller not included.
    pub fn chain(&self) -> &'a [PluginId] {
        self.call.chain
    }
    /// The resource that was decided on; empty when the call touches none.
    pub const fn resource(&self) -> &'a str {
        self.call.target
    }
    /// By when it must end.
    pub const fn deadline(&self) -> Deadline {
        self.call.deadline
    }
    /// What gives it up before that, when anyone can. A function that waits for something can ask it, or be told by it.
    pub const fn cancel(&self) -> Option<&'a CancelToken> {
        self.call.cancel
    }
    /// The clock the deadline is read by.
    pub const fn clock(&self) -> &'a dyn Clock {
        self.call.clock
    }
    /// Whether the argument at this place was given.
    pub fn has(&self, index: usize) -> bool {
        item(self.call.args, index).is_some()
    }
    /// The argument at this place.
    ///
    /// # Errors
    /// `Invalid` when it was left out.
    pub fn bytes(&self, index: usize) -> Result<&'a [u8], CallError> {
        item(self.call.args, index).ok_or_else(|| invalid("an argument is missing"))
    }
    /// The argument at this place as text.
    ///
    /// # Errors
    /// `Invalid` when it was left out or its kind is another.
    pub fn text(&self, index: usize) -> Result<&'a str, CallError> {
        std::str::from_utf8(self.bytes(index)?).map_err(|_| invalid("an argument is not UTF-8"))
    }
    /// The argument at this place as a number.
    ///
    /// # Errors
    /// `Invalid` when it was left out or its kind is another.
    pub fn number(&self, index: usize) -> Result<u64, CallError> {
        number(self.bytes(index)?).ok_or_else(|| invalid("an integer is not eight bytes"))
    }
    /// Appends to the response, of which the plugin is given at most 16 MiB.
    pub fn respond(&mut self, bytes: impl AsRef<[u8]>) {
        self.call.response.extend_from_slice(bytes.as_ref());
    }
}
