//! What the daemon holds at most, and how long it waits for others. Everything a client can make grow is here.

use std::time::Duration;

/// Connections at once; further ones wait to be accepted.
pub const CONNECTIONS: usize = 256;
/// Calls of operations at once; further ones wait.
pub const CALLS: usize = 64;
/// Other requests at once; further ones wait.
pub const MANAGEMENT: usize = 16;
/// Bytes of all requests that are being received or wait; further ones wait before they are read.
pub const RECEIVED: usize = 768 << 20;
/// Bytes of all answers that are being sent; further ones wait.
pub const SENT: usize = 768 << 20;
/// Bytes of the head of one HTTP request, and how many headers it may have.
pub const HEAD: usize = 32 << 10;
/// Headers of one HTTP request.
pub const HEADERS: usize = 64;
/// Time for the head of a request, and between two requests of one connection.
pub const HEAD_TIME: Duration = Duration::from_secs(10);
/// Time for the body of a request, beside what its length takes at [`BODY_RATE`].
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// Bytes a second a request's body must come at.
pub const BODY_RATE: u64 = 64 << 10;
/// Time in which a client must take something of an answer.
pub const STALL: Duration = Duration::from_secs(30);
/// Longest a request may ask to wait for a daemon that is starting.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Time to write the last answers when everything is done.
pub const LAST_WORDS: Duration = Duration::from_secs(2);
/// Time to make durable what there is when the daemon is cut short.
pub const FLUSH: Duration = Duration::from_secs(2);
