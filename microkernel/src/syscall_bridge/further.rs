//! Further decisions of one call: decided and recorded like the first, by the same door, for the same caller.

use super::bridge::LONGEST_NAME;
use super::{Call, CallError, Caller, Further, Status, SyscallBridge, SyscallHandler, Target};
use crate::trust::{Permit, Resource, ResourceKind};

/// The way back to the door, lent to a handler for the length of one call.
#[derive(Debug)]
struct Again<'a> {
    bridge: &'a SyscallBridge,
    caller: &'a mut Caller,
}

impl Further for Again<'_> {
    fn admit(&mut self, action: &str, target: &Target<'_>) -> Result<Permit, Status> {
        let Some((id, kind)) = self.bridge.known(action) else { return Err(Status::Unknown) };
        if target.name.len() > LONGEST_NAME {
            return Err(Status::Limit);
        }
        let resource = match kind {
            ResourceKind::None => Resource::NONE,
            kind => Resource { kind, name: &target.name, private: target.private },
        };
        self.bridge.admit(self.caller, id, &resource)
    }
}

/// Dispatches a call to a handler that may come back to the door.
pub(super) fn dispatch(
    bridge: &SyscallBridge,
    caller: &mut Caller,
    (handler, permit): (&dyn SyscallHandler, Permit),
    (target, args): (&str, &[u8]),
    response: &mut Vec<u8>,
) -> Result<(), CallError> {
    // Held beside the caller, which is lent to the further decisions.
    let (identity, chain, cancel) = (caller.identity.clone(), caller.chain.clone(), caller.cancel.clone());
    let link = caller.trust.link().clone();
    let deadline = caller.deadline;
    let mut spans = std::mem::take(&mut caller.spans);
    let mut again = Again { bridge, caller };
    let done = handler.handle(
        permit,
        Call {
            identity: &identity,
            link: &link,
            chain: &chain,
            deadline,
            cancel: cancel.as_ref(),
            clock: &**bridge.clock(),
            target,
            args,
            response,
            spans: &mut spans,
            further: Some(&mut again),
        },
    );
    again.caller.spans = spans;
    done
}
