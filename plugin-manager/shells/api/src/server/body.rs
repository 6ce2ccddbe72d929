//! The bytes of requests and answers: bounded one by one and all together, and in a bounded time.

use super::gate::UnderWay;
use super::limits::{BODY_RATE, BODY_TIME};
use crate::error::DaemonError;
use crate::wire::MAX_REQUEST;
use axum::body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes one permit of a budget stands for.
const UNIT: usize = 64 << 10;

/// How many bytes there may be at once, of everybody together.
#[derive(Debug)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// A budget of this many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }
    /// Room for this many bytes, when there is.
    pub async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        // Never closed.
        self.0.clone().acquire_many_owned(units).await.ok()
    }
}

/// A request's body, and the room it takes. Its length must be said before.
///
/// # Errors
/// When its length is not said or too large, or it does not come in time or not whole.
pub async fn receive(
    body: Body,
    budget: &Budget,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), DaemonError> {
    let Some(length) = body.size_hint().exact() else {
        return Err(malformed("it does not say how long it is"));
    };
    if length > MAX_REQUEST {
        return Err(DaemonError::TooLarge { bytes: length, limit: MAX_REQUEST });
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let room = budget.room(length).await;
    let time = time_for(length);
    let slow = |_| Err(DaemonError::Slow { seconds: time.as_secs() });
    let bytes = tokio::time::timeout(time, collect(body, length)).await.unwrap_or_else(slow)?;
    Ok((bytes, room))
}

fn malformed(why: impl ToString) -> DaemonError {
    DaemonError::Malformed { what: "the request", why: why.to_string() }
}

/// The time a body of this length has.
fn time_for(length: usize) -> Duration {
    BODY_TIME + Duration::from_secs(u64::try_from(length).unwrap_or(u64::MAX) / BODY_RATE)
}

/// Grows with what comes: a length that is only claimed takes no memory.
async fn collect(mut body: Body, length: usize) -> Result<Vec<u8>, DaemonError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(malformed)?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    if bytes.len() == length { Ok(bytes) } else { Err(malformed("it ends too early")) }
}

/// An answer's body. What it takes of the budget, and its being under way, last until it was sent.
#[derive(Debug)]
pub struct Answer {
    bytes: Full<Bytes>,
    _room: Option<OwnedSemaphorePermit>,
    _under_way: Option<Arc<UnderWay>>,
}

impl Answer {
    /// These bytes.
    pub fn new(bytes: Vec<u8>, room: Option<OwnedSemaphorePermit>, under_way: Option<Arc<UnderWay>>) -> Self {
        Self { bytes: Full::new(Bytes::from(bytes)), _room: room, _under_way: under_way }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.bytes).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.bytes.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.bytes.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(job: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(job)
    }

    #[test]
    fn a_body_without_a_length_or_with_too_much_of_one_is_not_read() {
        let budget = Budget::of(1 << 20);
        let unknown = Body::new(Endless);
        let refused = block_on(receive(unknown, &budget)).unwrap_err();
        assert!(refused.to_string().ends_with("it does not say how long it is"), "{refused}");
        let refused = block_on(receive(Body::new(Claims(MAX_REQUEST + 1)), &budget)).unwrap_err();
        assert!(matches!(refused, DaemonError::TooLarge { .. }), "{refused}");
        let refused = block_on(receive(Body::new(Claims(10)), &budget)).unwrap_err();
        assert!(refused.to_string().ends_with("it ends too early"), "{refused}");
    }

    #[test]
    fn what_is_received_waits_for_room() {
        block_on(async {
            let budget = Budget::of(2 * UNIT);
            let (bytes, room) = receive(Body::from(vec![1; UNIT + 1]), &budget).await.unwrap();
            assert_eq!(bytes.len(), UNIT + 1);
            let second = receive(Body::from(vec![1; UNIT]), &budget);
            let (second, ()) = tokio::join!(second, async { drop(room) });
            assert_eq!(second.unwrap().0.len(), UNIT);
        });
    }

    #[test]
    fn a_large_body_has_more_time_than_a_small_one() {
        assert_eq!(time_for(0), BODY_TIME);
        assert_eq!(time_for(64 << 20), BODY_TIME + Duration::from_secs(1024));
    }

    struct Endless;
    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"more")))))
        }
    }

    /// Says it has so many bytes, and has none.
    struct Claims(u64);
    impl hyper::body::Body for Claims {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(None)
        }
        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }
}
