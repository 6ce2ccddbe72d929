//! How many bytes a request moved over its connection, both ways and with those of TLS, however it ended.

use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Set once the bytes are booked: from then on nothing moves.
const CLOSED: u64 = 1 << 63;

/// The bytes of one request. Clones count together.
#[derive(Debug, Clone, Default)]
pub(in crate::extension) struct Moved(Arc<AtomicU64>);

impl Moved {
    fn add(&self, bytes: usize) {
        self.0.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX >> 1), Ordering::Relaxed);
    }
    /// What was moved. What is still connected fails from now on, so that nothing is moved unseen.
    pub fn close(&self) -> u64 {
        self.0.fetch_or(CLOSED, Ordering::Relaxed) & !CLOSED
    }
    fn open(&self) -> std::io::Result<()> {
        if self.0.load(Ordering::Relaxed) & CLOSED == 0 {
            Ok(())
        } else {
            Err(Error::from(ErrorKind::ConnectionAborted))
        }
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(super) struct Counted<S> {
    pub stream: S,
    pub moved: Moved,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.moved.open()?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moved.add(buffer.filled().len().saturating_sub(before));
        polled
    }
}

impl<S: Unpin> Counted<S> {
    fn count(&self, polled: Poll<std::io::Result<usize>>) -> Poll<std::io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.moved.add(*bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.moved.open()?;
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(polled)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.moved.open()?;
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.count(polled)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn both_directions_are_counted_and_nothing_moves_once_they_are_booked() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(64);
            let moved = Moved::default();
            let mut counted = Counted { stream: near, moved: moved.clone() };
            counted.write_all(b"sent").await.unwrap();
            far.write_all(b"received").await.unwrap();
            counted.read_exact(&mut [0; 5]).await.unwrap();
            assert_eq!(moved.close(), 4 + 5);
            let refused = counted.write(b"more").await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionAborted);
            assert_eq!(counted.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
            assert_eq!(moved.close(), 9);
        });
    }
}
