//! An added host call behind the door: arguments before the decision, the function after it.

use super::argument::{Argument, accept, item, summary};
use super::call::{ExtensionCall, ExtensionHandler};
use crate::extension::service::{NO_TARGET, Service, limit, required, target, text};
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Status, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Largest response of an added call, in bytes.
const RESPONSE_BYTES: usize = 16 << 20;

/// The service of one added call.
pub(super) struct AddedService {
    pub arguments: Vec<Argument>,
    /// The argument that names the resource.
    pub resource: Option<usize>,
    pub handler: Arc<dyn ExtensionHandler>,
}

impl Service for AddedService {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        accept(&self.arguments, args)?;
        match self.resource {
            Some(index) => Ok(target(text(required(item(args, index))?)?, false)),
            None => Ok(NO_TARGET),
        }
    }

    fn summary(&self, args: &[u8]) -> Option<String> {
        summary(&self.arguments, args)
    }

    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let Call { identity, link, chain, deadline, cancel, clock, target, args, response, spans, .. } = call;
        let own = Call {
            identity,
            link,
            chain,
            deadline,
            cancel,
            clock,
            target,
            args,
            response: &mut *response,
            spans,
            further: None,
        };
        let mut own = ExtensionCall::new(own);
        // What the function leaves half done is its own; the response of a call that failed is thrown away.
        catch_unwind(AssertUnwindSafe(|| self.handler.serve(&mut own))).unwrap_or_else(|panic| {
            // Its destructor may panic too, outside this wall.
            std::mem::forget(panic);
            Err(CallError::new(Status::Internal, "the extension panicked"))
        })?;
        if response.len() > RESPONSE_BYTES {
            return Err(limit("the response is larger than 16 MiB"));
        }
        Ok(())
    }
}
