//! Uploads: streamed through unchanged; what they are for is read as it goes by, so that it can be looked at at once.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::passthrough::whose;
use super::{Answer, Proxy, header};
use crate::index::{ProjectName, is_distribution, project_candidates};
use crate::serving::path::segments;

/// So much of an upload is read, bytes. twine sends the project's name first, the file last.
const READ: usize = 64 * 1024;
/// So many readings of a file name are looked at.
const MOST_CANDIDATES: usize = 8;

type Seen = Arc<Mutex<Vec<u8>>>;

impl Proxy {
    /// Passes an upload on; where the mirror takes it, its project is looked at, now and again a little later.
    pub(super) async fn upload<B>(&self, request: Request<B>) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let seen = Seen::default();
        let body = Sniffed { inner: Box::pin(body), seen: seen.clone() };
        let request = Request::from_parts(head.clone(), body);
        let response = self.upstream.forward(request, whose(&head)).await?;
        if response.status().is_success() && is_upload(&head) {
            let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
            self.look(&projects(&head, &seen));
        }
        self.passed(&head, response)
    }

    fn look(&self, projects: &[ProjectName]) {
        if projects.is_empty() {
            self.watcher.uploaded(None);
        }
        for project in projects {
            self.watcher.uploaded(Some(project));
        }
    }
}

/// Whether files can have come with it: XML-RPC calls are POSTs too.
fn is_upload(head: &Parts) -> bool {
    is_form(head) || head.method == Method::PUT
}

/// Whether it is a form with files, as twine sends it.
pub(super) fn is_form(head: &Parts) -> bool {
    header(head, CONTENT_TYPE)
        .and_then(|kind| kind.get(..10))
        .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"))
}

/// The projects that an upload may be for: the one that it names, or those that its file's name can mean.
fn projects(head: &Parts, seen: &[u8]) -> Vec<ProjectName> {
    let mut filename = None;
    for (name, file, value) in fields(seen) {
        if name == "name"
            && let Some(project) = value.and_then(|value| ProjectName::parse(value.trim()).ok())
        {
            return vec![project];
        }
        filename = filename.or(file);
    }
    let last = || segments(head.uri.path()).and_then(|mut segments| segments.pop());
    let filename = filename.or_else(last).filter(|name| is_distribution(name));
    let mut projects = project_candidates(&filename.unwrap_or_default());
    // The longest reading is the likeliest.
    projects.reverse();
    projects.truncate(MOST_CANDIDATES);
    projects
}

/// The fields of a `multipart/form-data` body (RFC 7578): name, file name, and the value where it is text and whole.
fn fields(seen: &[u8]) -> Vec<(String, Option<String>, Option<&str>)> {
    let end = seen.windows(2).position(|two| two == b"\r\n").unwrap_or(0);
    let boundary = seen.get(..end).filter(|line| line.starts_with(b"--") && line.len() > 2);
    let Some(boundary) = boundary else { return Vec::new() };
    let mut fields = Vec::new();
    let mut rest = seen.get(end..).unwrap_or_default();
    loop {
        let next = rest.windows(boundary.len()).position(|window| window == boundary);
        let part = rest.get(..next.unwrap_or(rest.len())).unwrap_or_default();
        fields.extend(field(part, next.is_some()));
        match next.and_then(|at| rest.get(at + boundary.len()..)) {
            Some(after) => rest = after,
            None => return fields,
        }
    }
}

fn field(part: &[u8], whole: bool) -> Option<(String, Option<String>, Option<&str>)> {
    let at = part.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(part.get(..at)?);
    let disposition = head.lines().find(|line| {
        line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:"))
    })?;
    let parameter = |wanted: &str| {
        let mut all = disposition.split(';').filter_map(|p| p.trim().split_once('='));
        all.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let value = part.get(at + 4..).filter(|_| whole).and_then(|v| std::str::from_utf8(v).ok());
    Some((parameter("name")?, parameter("filename"), value))
}

/// A body whose beginning is kept.
struct Sniffed<B> {
    inner: Pin<Box<B>>,
    seen: Seen,
}

impl<B: HttpBody<Data = Bytes>> HttpBody for Sniffed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(self.inner.as_mut().poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let room = READ.saturating_sub(seen.len()).min(data.len());
            seen.extend_from_slice(data.get(..room).unwrap_or_default());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(path: &str, body: &str) -> Vec<String> {
        let request = Request::put(path).body(()).unwrap();
        let body = body.replace('\n', "\r\n");
        projects(&request.into_parts().0, body.as_bytes()).into_iter().map(String::from).collect()
    }

    #[test]
    fn the_name_field_names_the_project() {
        let body = "--b\nContent-Disposition: form-data; name=\"summary\"\n\nContent-Disposition: form-data; name=\"name\"\n\
            --b\ncontent-disposition: form-data; name=\"name\"\n\nDemo.Beta-Pkg\n--b\n\
            Content-Disposition: form-data; name=\"content\"; filename=\"other-1.0.whl\"\n\n\u{0}\u{1}";
        assert_eq!(found("/legacy/", body), ["demo-beta-pkg"]);
    }

    #[test]
    fn without_it_the_file_name_does() {
        let body = "--b\nContent-Disposition: form-data; name=\"content\"; filename=\"foo-bar-1.0.tar.gz\"\n\nxyz";
        assert_eq!(found("/legacy/", body), ["foo-bar", "foo"]);
        assert_eq!(found("/repo/demo_a-1.0-py3-none-any.whl", "PK"), ["demo-a"]);
        assert!(found("/legacy/", "no multipart").is_empty());
        assert!(found("/legacy/", "").is_empty());
    }

    #[test]
    fn a_name_that_is_cut_off_counts_for_nothing() {
        let body = "--b\nContent-Disposition: form-data; name=\"name\"\n\nDemo.Be";
        assert!(found("/legacy/", body).is_empty());
    }

    #[test]
    fn xml_rpc_is_no_upload() {
        let head = |kind: &str| {
            let request = Request::post("/pypi").header(CONTENT_TYPE, kind).body(()).unwrap();
            request.into_parts().0
        };
        assert!(is_upload(&head("Multipart/Form-Data; boundary=b")));
        assert!(!is_upload(&head("text/xml")));
        assert!(!is_upload(&head("multi")));
    }

    proptest! {
        #[test]
        fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut multipart = b"--b\r\n".to_vec();
            multipart.extend(body);
            let _ = fields(&multipart);
        }
    }
}
