//! The project list, the front page, and a name that cannot exist.

use url::{Host, Url};

use super::facts::{List, Report, UnknownName, cut};
use super::mirror::Traces;
use super::tally::form;
use crate::index::{ProjectList, ProjectName, parse, parse_list};
use crate::upstream::{Fetched, Gone, MirrorUrl, PageReply, Probed, Upstream, UpstreamError};

/// How much of a list or a front page is read to recognize the mirror, bytes.
const BEGINNING: usize = 64 * 1024;

/// Looks at the project list and at what lies above it; gives the names that are listed.
pub(super) async fn index(upstream: &Upstream, report: &mut Report) -> (Traces, Vec<ProjectName>) {
    let mut traces = Traces { path: upstream.simple_path().to_owned(), ..Traces::default() };
    match upstream.probe(upstream.simple_url(), "text/html", BEGINNING).await {
        Ok(Probed { status, headers, body }) => {
            traces.list_status = status;
            traces.headers = headers;
            traces.list = String::from_utf8_lossy(&body).into_owned();
        }
        Err(error) => {
            report.list = List::Failed { why: cut(&error.to_string()) };
            return (traces, Vec::new());
        }
    }
    if let Some(above) = above(upstream.simple_url())
        && let Ok(top) = upstream.probe(&above, "text/html", BEGINNING).await
    {
        traces.top = String::from_utf8_lossy(&top.body).into_owned();
    }
    let (list, projects) = list(upstream, &mut traces).await;
    report.list = list;
    (traces, projects)
}

async fn list(upstream: &Upstream, traces: &mut Traces) -> (List, Vec<ProjectName>) {
    let failed = |why: String| (List::Failed { why: cut(&why) }, Vec::new());
    match upstream.list(None).await {
        Ok(PageReply::Fresh(fetched)) => {
            let content_type = fetched.content_type.as_deref();
            match parse_list(&fetched.body, content_type, &fetched.url) {
                Ok(list) => {
                    traces.serial_inside |= list.last_serial.is_some();
                    listed(&fetched, list)
                }
                Err(error) => failed(format!("it is no project list: {error}")),
            }
        }
        Ok(PageReply::Gone(Gone::Elsewhere(to))) => {
            failed(format!("it leads to {}", MirrorUrl::from(to)))
        }
        Ok(PageReply::Gone(_)) => (List::Missing, Vec::new()),
        Ok(PageReply::NotModified) => failed("it answers 304 unasked".into()),
        Err(UpstreamError::LoginWanted { code, .. }) => (List::Login { status: code }, Vec::new()),
        Err(error) => failed(error.to_string()),
    }
}

fn listed(fetched: &Fetched, list: ProjectList) -> (List, Vec<ProjectName>) {
    let facts = List::Listed {
        projects: list.projects.len(),
        unnamed: list.skipped,
        format: form(fetched.content_type.as_deref()),
        serial: list.last_serial.or(fetched.serial),
        project_serials: list.projects.iter().filter(|p| p.serial.is_some()).count(),
    };
    (facts, list.projects.into_iter().map(|project| project.name).collect())
}

/// Asks for a project that cannot exist.
pub(super) async fn unknown_name(upstream: &Upstream) -> UnknownName {
    let other = |why: String| UnknownName::Other { why: cut(&why) };
    let Some(name) = made_up() else { return UnknownName::NotAsked };
    match upstream.page(&name, None).await {
        Ok(PageReply::Gone(Gone::Elsewhere(to))) => {
            UnknownName::Elsewhere { to: cut(&MirrorUrl::from(to).to_string()) }
        }
        Ok(PageReply::Gone(_)) => UnknownName::NotThere,
        Ok(PageReply::NotModified) => other("it answers 304 unasked".into()),
        Ok(PageReply::Fresh(page)) => {
            match parse(&page.body, page.content_type.as_deref(), &page.url, &name) {
                Ok(listing) => UnknownName::Page { files: listing.page.files.len() },
                Err(error) => other(format!("status 200, and {error}")),
            }
        }
        Err(error) => other(error.to_string()),
    }
}

/// A name that nobody has.
fn made_up() -> Option<ProjectName> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).ok()?;
    ProjectName::parse(&format!("countersign-check-{}", hex::encode(random))).ok()
}

/// The folder that the simple index lies in.
fn above(simple: &Url) -> Option<Url> {
    let path = simple.path().trim_end_matches('/');
    let mut above = simple.clone();
    above.set_path(path.get(..=path.rfind('/')?)?);
    Some(above)
}

/// Whether what is sent can be changed on the way: http, to another machine.
pub(super) fn is_exposed(simple: &Url) -> bool {
    let here = match simple.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    simple.scheme() == "http" && !here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_the_index() {
        let above = |url: &str| above(&url.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(above("http://m/simple/").as_deref(), Some("http://m/"));
        assert_eq!(above("http://m/a/b/+simple/").as_deref(), Some("http://m/a/b/"));
        assert_eq!(above("http://m/"), None);
    }

    #[test]
    fn http_is_exposed_beyond_this_machine() {
        let exposed = |url: &str| is_exposed(&url.parse().unwrap());
        assert!(exposed("http://mirror.example/simple/"));
        assert!(exposed("http://10.0.0.1/simple/"));
        for url in
            ["https://m.example/", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost/"]
        {
            assert!(!exposed(url), "{url}");
        }
    }

    #[test]
    fn made_up_names_differ() {
        assert_ne!(made_up().unwrap(), made_up().unwrap());
    }
}
