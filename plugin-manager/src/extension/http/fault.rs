//! Why an exchange gave no answer, and what the plugin is told of it.

use microkernel::syscall_bridge::{CallError, Status};

/// Why there is no answer. Causes name what happened and neither path, header nor body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::extension) enum Fault {
    #[error("the network is switched off (sandbox.network_access)")]
    Off,
    #[error("the host name has no address")]
    NoName,
    #[error("the address is not public and not granted (sandbox.network_access, network.private_ranges)")]
    Address,
    #[error("the host and port are not granted without TLS (network.plain_http)")]
    Plain,
    #[error("a redirect would leave TLS")]
    Downgrade,
    #[error("a secret would be sent without TLS")]
    PlainSecret,
    #[error("the server could not be reached")]
    Connect,
    #[error("TLS failed: no trusted certificate for this host")]
    Tls,
    #[error("no TLS roots: none are configured and the system has none where they usually are")]
    NoRoots,
    #[error("the server broke HTTP or closed the connection")]
    Protocol,
    #[error("the answer is larger than network.response_limit")]
    TooLarge,
    #[error("more redirects than network.redirects")]
    TooManyRedirects,
    #[error("a redirect leads nowhere")]
    BadRedirect,
    #[error("the plugin has as many requests under way as it may")]
    TooManyAtOnce,
    #[error("the plugin's requests come faster than they may")]
    TooFast,
    #[error("the plugin has used up its bytes of this while")]
    TooManyBytes,
    #[error("the deadline passed")]
    Timeout,
    #[error("the call was given up")]
    Cancelled,
    #[error("the client could not work")]
    Internal,
}

impl Fault {
    const fn status(self) -> Status {
        match self {
            Self::Off | Self::Address | Self::Plain | Self::Downgrade | Self::PlainSecret => Status::Denied,
            Self::NoName | Self::Connect | Self::Tls | Self::NoRoots | Self::Protocol | Self::BadRedirect => {
                Status::Unavailable
            }
            Self::TooLarge
            | Self::TooManyRedirects
            | Self::TooManyAtOnce
            | Self::TooFast
            | Self::TooManyBytes => Status::Limit,
            Self::Timeout | Self::Cancelled => Status::Timeout,
            Self::Internal => Status::Internal,
        }
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.status(), fault.to_string())
    }
}
