//! Hashing files that are too large for the spool while they are streamed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

use crate::tuf::Digest;
use crate::upstream::{Body, BodyError, Found};

/// How much is held back until the hash is right, bytes; where a file is smaller, all of it.
pub const HELD_BACK: u64 = 64 * 1024;

/// The digest and the length of a body, which is not kept.
///
/// # Errors
/// The body's.
pub async fn hash_stream(mut body: Body) -> Result<(Digest, u64), BodyError> {
    let mut hasher = Sha256::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            length += data.len() as u64;
            hasher.update(&data);
        }
    }
    Ok((hasher.into(), length))
}

/// A body of which a complete answer is only ever the right bytes.
///
/// It passes on what it gets, but its last [`HELD_BACK`] bytes only when length and hash of the whole are right.
/// Otherwise it ends in [`BodyError::Mismatch`], upon which the connection is to be reset.
pub struct Verifying {
    inner: Body,
    expected: Digest,
    length: u64,
    /// Bytes that came, and of them those that went on.
    seen: u64,
    passed: u64,
    hasher: Sha256,
    held: VecDeque<Bytes>,
    state: State,
    on_mismatch: Option<Box<dyn FnOnce(Found) + Send>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Right,
    Failed,
}

impl Verifying {
    /// Watches over `inner`, which is to be a file of `length` bytes with that digest; `on_mismatch` is called once if it is not.
    pub fn new(
        inner: Body,
        expected: Digest,
        length: u64,
        on_mismatch: impl FnOnce(Found) + Send + 'static,
    ) -> Self {
        Self {
            inner,
            expected,
            length,
            seen: 0,
            passed: 0,
            hasher: Sha256::new(),
            held: VecDeque::new(),
            state: State::Reading,
            on_mismatch: Some(Box::new(on_mismatch)),
        }
    }

    /// Takes in what came; `None` is the end.
    fn take_in(&mut self, data: Option<Bytes>) -> Result<(), Found> {
        if let Some(data) = data {
            self.seen += data.len() as u64;
            self.hasher.update(&data);
            self.held.push_back(data);
            return if self.seen > self.length { Err(self.wrong_length()) } else { Ok(()) };
        }
        if self.seen != self.length {
            return Err(self.wrong_length());
        }
        let found = Digest::from(std::mem::take(&mut self.hasher));
        if found != self.expected {
            return Err(Found::Sha256(found));
        }
        self.state = State::Right;
        Ok(())
    }

    fn wrong_length(&self) -> Found {
        Found::Length { expected: self.length, found: self.seen }
    }

    /// What may go on now.
    fn next(&mut self) -> Option<Bytes> {
        let free = match self.state {
            State::Right => u64::MAX,
            State::Reading => (self.seen - self.passed).saturating_sub(HELD_BACK),
            State::Failed => 0,
        };
        let mut first = self.held.pop_front()?;
        let free = usize::try_from(free).unwrap_or(usize::MAX);
        if free < first.len() {
            let rest = first.split_off(free);
            self.held.push_front(rest);
        }
        self.passed += first.len() as u64;
        Some(first).filter(|bytes| !bytes.is_empty())
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state = State::Failed;
        self.held.clear();
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Verifying {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let Some(data) = this.next() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if this.state != State::Reading {
                return Poll::Ready(None);
            }
            let data = match std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(data),
                    Err(_) => continue,
                },
                Some(Err(error)) => return this.fail(error),
                None => None,
            };
            if let Err(found) = this.take_in(data) {
                if let Some(report) = this.on_mismatch.take() {
                    report(found);
                }
                return this.fail(BodyError::Mismatch { expected: this.expected, found });
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Not before the end was looked at: hyper would not poll again, and an empty file would go unverified.
        self.state == State::Right && self.held.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.passed)
    }
}

#[cfg(test)]
mod tests;
