//! The service behind `auth_verify`. What is decided on is the issuer the token names.

use super::issuers::{Issuers, Patience};
use super::token::Token;
use crate::extension::service::{Service, required, text};
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Target, list};
use std::borrow::Cow;
use std::sync::Arc;

/// Verifies a token and answers its claims.
pub(in crate::extension) struct AuthVerify(pub Arc<Issuers>);

impl Service for AuthVerify {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let token = token(args)?;
        Ok(Target { name: Cow::Owned(token.issuer().to_owned()), private: false })
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let token = token(call.args)?;
        let patience = Patience { clock: call.clock, deadline: call.deadline, cancel: call.cancel };
        self.0.verify(&token, patience)?;
        call.response.extend_from_slice(token.payload.as_bytes());
        Ok(())
    }
}

fn token(args: &[u8]) -> Result<Token<'_>, CallError> {
    let [token] = list::<1>(args, 1)?;
    Ok(Token::parse(text(required(token)?)?)?)
}
