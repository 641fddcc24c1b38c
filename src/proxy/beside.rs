//! What belongs to a file: its core metadata, verified; its signature and its provenance, relayed.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Response};
use url::Url;

use super::source::{Listed, beside};
use super::{Answer, Problem, Proxy};
use crate::serving::document::{REVALIDATE, send};
use crate::serving::route::Part;
use crate::serving::{Bare, Key, Pinned};
use crate::tuf::Digest;
use crate::upstream::body;

/// Core metadata is a README at the most, bytes.
const CORE_METADATA: u64 = 16 * 1024 * 1024;
/// A detached signature, bytes.
const SIGNATURE: u64 = 1024 * 1024;
/// A provenance object, bytes.
const PROVENANCE: u64 = 16 * 1024 * 1024;

impl Proxy {
    /// `<file>.metadata` (PEP 658), where the page promises it with a hash.
    pub(super) async fn core_metadata(&self, request: &Parts, listed: &Listed) -> Answer {
        let promised: Option<Digest> =
            listed.file.core_metadata.sha256().and_then(|hex| hex.parse().ok());
        let digest = promised.ok_or_else(|| {
            Problem::not_found(format!("No core metadata of {} is signed", listed.file.filename))
        })?;
        let filename = &listed.file.filename;
        let name = format!("{filename}{}", Part::CoreMetadata.suffix());
        let key = Key { project: listed.project.clone(), name, digest };
        let pinned = Pinned { key, length: None };
        if let Some(answer) = self.0.files.kept(request, &pinned, Bare::Ignored).await {
            return answer;
        }
        let source = self.source(&listed.project, filename).await?;
        let origin = self.at(beside(&source.url, Part::CoreMetadata.suffix()));
        self.0.files.fetched_small(request, &pinned, CORE_METADATA, &origin).await
    }

    /// `<file>.asc` (PEP 503)
    pub(super) async fn signature(&self, request: &Parts, listed: &Listed) -> Answer {
        let source = self.source(&listed.project, &listed.file.filename).await?;
        let url = beside(&source.url, Part::Signature.suffix());
        self.relay(request, &url, SIGNATURE, "application/pgp-signature").await
    }

    /// `<file>.provenance` (PEP 740)
    pub(super) async fn provenance(&self, request: &Parts, listed: &Listed) -> Answer {
        let source = self.source(&listed.project, &listed.file.filename).await?;
        let url = source.provenance.filter(|_| listed.file.provenance);
        let url = url.ok_or_else(|| {
            Problem::not_found(format!("{} has no provenance", listed.file.filename))
        })?;
        self.relay(request, &url, PROVENANCE, "application/vnd.pypi.integrity.v1+json").await
    }

    async fn relay(
        &self,
        request: &Parts,
        url: &Url,
        limit: u64,
        content_type: &'static str,
    ) -> Answer {
        let bytes: Bytes = self.upstream.small(url, limit).await?;
        let mut response = Response::new(body::empty());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        send(&mut response, &request.method, bytes);
        Ok(response)
    }
}
