//! The one body type of requests and responses.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::StreamExt as _;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};

use super::UpstreamError;
use crate::connect::chain_text;
use crate::tuf::Digest;

/// A body of any origin.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke off.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The mirror's part of it failed.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The bytes are not those that were signed.
    #[error("expected SHA-256 {expected}, found {found}")]
    Mismatch {
        /// What was signed.
        expected: Digest,
        /// What came.
        found: Found,
    },
    /// A file on our own disk could not be read.
    #[error("cannot read a spooled file: {0}")]
    Disk(#[source] Arc<io::Error>),
    /// The client's part of it failed.
    #[error("the client broke off: {0}")]
    Client(String),
}

impl BodyError {
    /// Wraps what a client's body reports.
    pub fn client(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::Client(chain_text(error.as_ref()))
    }
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> Self {
        Self::Disk(Arc::new(error))
    }
}

/// What came instead of the expected bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Other bytes, of this SHA-256.
    Sha256(Digest),
    /// A file of another length; its hash was not looked at.
    Length {
        /// The length that was signed, bytes.
        expected: u64,
        /// The length that came or was announced, bytes; where more came than expected, what had come by then.
        found: u64,
    },
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "{digest}"),
            Self::Length { expected, found } => write!(f, "{found} bytes instead of {expected}"),
        }
    }
}

/// A body of `bytes`.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of unknown length from pieces.
pub fn stream(pieces: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// `inner`, which is known to be `length` bytes long.
pub fn sized(length: u64, inner: Body) -> Body {
    OfLength { inner, left: length }.boxed_unsync()
}

/// A body whose length is known.
struct OfLength {
    inner: Body,
    left: u64,
}

impl http_body::Body for OfLength {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let came = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.left = self.left.saturating_sub(came);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
