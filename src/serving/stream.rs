//! Files that are too large for the spool: hashed on their way, their last part held back until the hash is right.
//!
//! No validator and no `immutable` goes with them, and no range is given of them: nobody has seen them whole.

use std::sync::Arc;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use http_body_util::BodyExt as _;

use super::connection::guarded;
use super::files::{Files, Origin, Pinned};
use super::spooled::OCTETS;
use super::{Answer, Problem};
use crate::spool::Verifying;
use crate::upstream::{Body, FileReply, Found, body};

impl Files {
    /// Streams a file whose length is `known`, or signed, or announced with it.
    pub(super) async fn stream(
        &self,
        request: &Parts,
        pinned: &Pinned,
        origin: &Arc<dyn Origin>,
        known: Option<u64>,
    ) -> Answer {
        if let (&Method::HEAD, Some(length)) = (&request.method, known) {
            return Ok(unverified(length, body::empty()));
        }
        let reply = origin.open().await;
        let FileReply { length: announced, body } =
            reply.map_err(|error| self.unavailable(pinned, error))?;
        let length = match (pinned.length, announced) {
            (Some(expected), Some(found)) if expected != found => {
                return Err(self.mismatch(pinned, Found::Length { expected, found }));
            }
            (Some(length), _) | (None, Some(length)) => length,
            (None, None) => known.ok_or_else(|| no_length(pinned))?,
        };
        if request.method == Method::HEAD {
            return Ok(unverified(length, body::empty()));
        }
        let (files, wanted) = (self.clone(), pinned.clone());
        let report = move |found| drop(files.mismatch(&wanted, found));
        let verifying = Verifying::new(body, pinned.key.digest, length, report);
        Ok(unverified(length, guarded(request, verifying.boxed_unsync())))
    }
}

fn no_length(pinned: &Pinned) -> Problem {
    Problem::upstream(format!(
        "nobody says how long {} is, and it is larger than what is fetched whole",
        pinned.key.name
    ))
}

fn unverified(length: u64, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    // Never chunked: its end must be known from the start.
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
