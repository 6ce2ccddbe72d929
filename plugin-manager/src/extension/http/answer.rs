//! What a server answered, and how a plugin reads it.

use hyper::StatusCode;
use hyper::header::{HeaderMap, LOCATION};
use microkernel::syscall_bridge::push;

/// An answer, whole.
#[derive(Debug)]
pub(in crate::extension) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Where it sends the client on to.
    pub fn location(&self) -> Option<&str> {
        let moved = matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        let location = self.headers.get(LOCATION).filter(|_| moved)?;
        // One that is not text leads nowhere, which the caller finds out.
        Some(location.to_str().unwrap_or("\u{0}"))
    }

    /// Status, headers as a nested list, body.
    pub fn encode(&self, response: &mut Vec<u8>) {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            push(&mut headers, name.as_str().as_bytes());
            push(&mut headers, value.as_bytes());
        }
        push(response, &u64::from(self.status.as_u16()).to_le_bytes());
        push(response, &headers);
        push(response, &self.body);
    }
}
