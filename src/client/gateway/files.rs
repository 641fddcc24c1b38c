//! Files and core metadata, as the verified pages pin them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::refusal::failed;
use super::{Gateway, unsigned};
use crate::client::{Remote, View};
use crate::index::{File, ProjectName};
use crate::serving::route::{Named, Part};
use crate::serving::{Answer, Bare, Desk, Key, Origin, Pinned, Problem};
use crate::tuf::{Digest, TargetFile};
use crate::upstream::{Body, FileReply, UpstreamError};

/// Core metadata is a README at the most, bytes. Its length is not signed.
const CORE_METADATA: u64 = 4 * 1024 * 1024;

impl Gateway {
    /// A file that the verified page of `project` lists, or what belongs to it.
    pub(super) async fn file(
        &self,
        request: &Parts,
        project: &ProjectName,
        named: &Named,
        pin: Option<Digest>,
    ) -> Answer {
        let (view, file) = self.listed(project, &named.filename).await?;
        let digest = digest(file.sha256());
        let digest = digest.filter(|digest| pin.is_none_or(|pin| pin == *digest));
        let digest = digest.ok_or_else(|| no(named, "with that hash"))?;
        let at = fetched_as(&view, project, named, digest);
        match named.part {
            Part::Whole => {
                let pinned = pinned(project, named, digest, file.size);
                self.whole(request, &pinned, at).await
            }
            Part::CoreMetadata => {
                let digest = promised(&file).ok_or_else(|| no(named, "that is signed"))?;
                self.core_metadata(request, &pinned(project, named, digest, None), at).await
            }
            Part::Signature if file.gpg_sig == Some(true) => Err(unsigned(BESIDE)),
            Part::Provenance if file.provenance => Err(unsigned(BESIDE)),
            Part::Signature | Part::Provenance => Err(no(named, "on the verified page")),
        }
    }

    async fn whole(&self, request: &Parts, pinned: &Pinned, at: String) -> Answer {
        let files = &self.0.files;
        match files.kept(request, pinned, Bare::Given).await {
            Some(answer) => answer,
            None => files.fetched(request, pinned, Bare::Given, &self.at(at)).await,
        }
    }

    async fn core_metadata(&self, request: &Parts, pinned: &Pinned, at: String) -> Answer {
        let files = &self.0.files;
        match files.kept(request, pinned, Bare::Ignored).await {
            Some(answer) => answer,
            None => files.fetched_small(request, pinned, CORE_METADATA, &self.at(at)).await,
        }
    }

    fn at(&self, path: String) -> Arc<dyn Origin> {
        Arc::new(Target { remote: self.0.remote.clone(), path })
    }

    /// Counts what of a file goes out; it is verified when its last byte does.
    pub(super) fn counted(&self, request: &Parts, response: Response<Body>) -> Response<Body> {
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let (true, StatusCode::OK, Some(length)) =
            (request.method == Method::GET, response.status(), length)
        else {
            return response;
        };
        let (tally, mut sent) = (self.0.tally.clone(), 0);
        response.map(|body| {
            let count = move |frame: http_body::Frame<bytes::Bytes>| {
                let came = frame.data_ref().map_or(0, |data| data.len() as u64);
                sent += came;
                tally.bytes.add(came);
                if sent == length {
                    tally.files.add(1);
                }
                frame
            };
            body.map_frame(count).boxed_unsync()
        })
    }
}
const BESIDE: &str = "Signatures and provenance are not signed by the repository: ask the index itself, and verify them by their own means";

fn no(named: &Named, which: &str) -> Problem {
    let Named { filename, part } = named;
    Problem::not_found(format!("There is no {filename}{} {which}", part.suffix()))
}

fn digest(hex: Option<&str>) -> Option<Digest> {
    hex?.parse().ok()
}

fn promised(file: &File) -> Option<Digest> {
    digest(file.core_metadata.sha256())
}

fn pinned(project: &ProjectName, named: &Named, digest: Digest, length: Option<u64>) -> Pinned {
    let name = format!("{}{}", named.filename, named.part.suffix());
    Pinned { key: Key { project: project.clone(), name, digest }, length }
}

/// The path that a file, whose hash is `digest`, or what lies beside it is fetched under.
fn fetched_as(view: &View, project: &ProjectName, named: &Named, digest: Digest) -> String {
    let path = format!("files/{project}/{}{}", named.filename, named.part.suffix());
    let hashes = BTreeMap::from([("sha256".to_owned(), digest.to_string())]);
    let file = TargetFile { custom: None, hashes, length: 0, extra: BTreeMap::new() };
    view.fetched_as(&path, &file)
}

/// A target, unverified.
struct Target {
    remote: Arc<dyn Remote>,
    path: String,
}

impl Origin for Target {
    fn open(&self) -> BoxFuture<'_, Result<FileReply, UpstreamError>> {
        self.remote.open(&self.path)
    }

    fn length(&self) -> BoxFuture<'_, Option<u64>> {
        ready(None).boxed()
    }
}

/// What becomes of files.
pub(super) struct LocalDesk {
    pub tally: Arc<crate::client::Tally>,
}

impl Desk for LocalDesk {
    fn advice(&self) -> &'static str {
        "These are not the bytes that are signed: nothing of them is passed on. If it stays so, the index, or somebody on the \
         way to it, replaced the file: tell its operator"
    }

    fn wrong(&self, pinned: &Pinned, what: &str) {
        let Key { project, name, .. } = &pinned.key;
        self.tally.refused.add(1);
        let advice = self.advice();
        tracing::error!(%project, name, what, advice, "refused: the hash is wrong");
    }

    fn wrong_again(&self) {
        self.tally.refused.add(1);
    }

    fn fetched(&self, pinned: &Pinned, length: u64) {
        tracing::debug!(name = pinned.key.name, length, "a file is verified");
    }

    fn measured(&self, _: &Pinned, _: u64) {}

    fn failed(&self, _: &Pinned, error: UpstreamError) -> Problem {
        failed(&error)
    }
}
