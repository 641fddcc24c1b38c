//! What kind of mirror it seems to be, and by what.

use http::HeaderMap;

use super::facts::{Kind, Mirror, cut};

/// What a mirror is judged by.
#[derive(Debug, Default)]
pub struct Traces {
    /// The simple index's path.
    pub path: String,
    /// The status of the project list.
    pub list_status: u16,
    /// The headers of the project list.
    pub headers: HeaderMap,
    /// The beginning of the project list in HTML.
    pub list: String,
    /// The beginning of the page above the simple index.
    pub top: String,
    /// Whether lists or pages carry a serial in themselves.
    pub serial_inside: bool,
}

/// Judges; the surest signs first.
pub fn judge(traces: &Traces) -> Mirror {
    const SIGNS: [fn(&Traces) -> Option<Mirror>; 9] =
        [devpi, artifactory, nexus, pulp, proxpi, pypiserver, warehouse, bandersnatch, simpleindex];
    SIGNS.iter().find_map(|sign| sign(traces)).unwrap_or_else(|| unknown(traces))
}

impl Traces {
    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(cut)
    }

    fn server(&self) -> Option<String> {
        self.header("server")
    }

    /// `Server: …`, where it begins so.
    fn served_by(&self, name: &str) -> Option<String> {
        let server = self.server()?;
        server.to_ascii_lowercase().starts_with(name).then(|| format!("Server: {server}"))
    }
}

fn mirror(kind: Kind, version: Option<String>, evidence: impl Into<String>) -> Option<Mirror> {
    Some(Mirror { kind, version, evidence: evidence.into() })
}

fn devpi(traces: &Traces) -> Option<Mirror> {
    let names = || traces.headers.keys().map(http::HeaderName::as_str);
    let name = names().find(|name| name.starts_with("x-devpi-"))?;
    match traces.header("x-devpi-server-version") {
        Some(version) => mirror(Kind::Devpi, Some(version), "header X-Devpi-Server-Version"),
        None => mirror(Kind::Devpi, None, format!("header {name}")),
    }
}

fn artifactory(traces: &Traces) -> Option<Mirror> {
    let sign = ["x-jfrog-version", "x-artifactory-id", "x-artifactory-node-id"];
    if let Some(evidence) = traces.served_by("artifactory") {
        return mirror(Kind::Artifactory, version(&evidence), evidence);
    }
    let name = sign.into_iter().find(|name| traces.headers.contains_key(*name))?;
    let version = traces.header("x-jfrog-version").as_deref().and_then(version);
    mirror(Kind::Artifactory, version, format!("header {name}"))
}

fn nexus(traces: &Traces) -> Option<Mirror> {
    let evidence = traces.served_by("nexus")?;
    mirror(Kind::Nexus, version(&evidence), evidence)
}

fn pulp(traces: &Traces) -> Option<Mirror> {
    let has = |name| traces.headers.contains_key(name);
    if has("x-pulp-cache") {
        mirror(Kind::Pulp, None, "header X-PULP-CACHE")
    } else if has("correlation-id") && traces.path.contains("/pypi/") {
        mirror(Kind::Pulp, None, format!("header Correlation-ID, path {}", traces.path))
    } else {
        None
    }
}

fn proxpi(traces: &Traces) -> Option<Mirror> {
    let generator = r#"name="generator" content="proxpi""#;
    let found = traces.list.contains(generator) || traces.top.contains(generator);
    found.then(|| mirror(Kind::Proxpi, None, "its pages name proxpi as their generator"))?
}

fn pypiserver(traces: &Traces) -> Option<Mirror> {
    if traces.top.contains("Welcome to pypiserver") {
        let version = traces.top.split_once("running version ").and_then(|(_, rest)| version(rest));
        return mirror(Kind::Pypiserver, version, "its front page says so");
    }
    // Others that give this title say the version of the API too (PEP 629).
    let shape = traces.list.contains("<title>Simple Index</title>")
        && !traces.list.contains("pypi:repository-version");
    shape.then(|| mirror(Kind::Pypiserver, None, "the shape of its project list"))?
}

fn warehouse(traces: &Traces) -> Option<Mirror> {
    traces.headers.contains_key("x-pypi-last-serial").then_some(())?;
    mirror(Kind::Warehouse, None, "header X-PyPI-Last-Serial")
}

fn bandersnatch(traces: &Traces) -> Option<Mirror> {
    traces.serial_inside.then_some(())?;
    let by = traces.server().map(|server| format!(", served by {server}")).unwrap_or_default();
    mirror(Kind::Bandersnatch, None, format!("serials inside its pages, none in its headers{by}"))
}

fn simpleindex(traces: &Traces) -> Option<Mirror> {
    let evidence = traces.served_by("uvicorn").filter(|_| traces.list_status == 404)?;
    mirror(Kind::Simpleindex, None, format!("{evidence}, and no project list"))
}

fn unknown(traces: &Traces) -> Mirror {
    let evidence = match traces.server() {
        Some(server) => format!("Server: {server}"),
        None => "it sends no Server header".into(),
    };
    Mirror { kind: Kind::Unknown, version: None, evidence }
}

/// The first version number in a text.
fn version(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let number: String =
        text.get(start..)?.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Some(number.trim_end_matches('.').chars().take(20).collect())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// As real mirrors answer.
    fn traces(headers: &[(&'static str, &'static str)], list: &str) -> Traces {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Traces {
            path: "/simple/".into(),
            list_status: 200,
            headers: headers.iter().map(pair).collect(),
            list: list.into(),
            ..Traces::default()
        }
    }

    fn kind(headers: &[(&'static str, &'static str)], list: &str) -> (Kind, Option<String>) {
        let Mirror { kind, version, evidence } = judge(&traces(headers, list));
        assert!(!evidence.is_empty());
        (kind, version)
    }

    #[test]
    fn headers_tell_the_kind() {
        let serial = ("x-pypi-last-serial", "35000028");
        let version = |text: &str| Some(text.to_owned());
        for (headers, expected) in [
            (
                &[("server", "waitress"), ("x-devpi-server-version", "6.20.3"), serial][..],
                (Kind::Devpi, version("6.20.3")),
            ),
            (&[("x-devpi-api-version", "2")], (Kind::Devpi, None)),
            (&[("server", "gunicorn"), serial], (Kind::Warehouse, None)),
            (&[("server", "Nexus/3.70.1-02 (OSS)")], (Kind::Nexus, version("3.70.1"))),
            (
                &[("server", "Artifactory/7.84.10 78410900")],
                (Kind::Artifactory, version("7.84.10")),
            ),
            (
                &[("server", "nginx"), ("x-jfrog-version", "Artifactory/7.84.10 78410900")],
                (Kind::Artifactory, version("7.84.10")),
            ),
            (&[("x-artifactory-id", "abc"), serial], (Kind::Artifactory, None)),
            (&[("x-pulp-cache", "MISS")], (Kind::Pulp, None)),
            (&[("server", "nginx/1.22.1")], (Kind::Unknown, None)),
            (&[], (Kind::Unknown, None)),
        ] {
            assert_eq!(kind(headers, ""), expected, "{headers:?}");
        }
    }

    #[test]
    fn lists_tell_the_kind() {
        let pypiserver = "<!DOCTYPE html>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        <title>Simple Index</title>\n    </head>";
        let behind_nginx = &[("server", "nginx")];
        assert_eq!(kind(behind_nginx, pypiserver).0, Kind::Pypiserver);
        let proxpi = "<meta name=\"pypi:repository-version\" content=\"1.0\">\n    <meta name=\"generator\" content=\"proxpi\">\n    <title>Index</title>";
        assert_eq!(kind(behind_nginx, proxpi).0, Kind::Proxpi);
        let bandersnatch = "<meta name=\"pypi:repository-version\" content=\"1.0\">\n    <title>Simple Index</title>";
        assert_eq!(kind(behind_nginx, bandersnatch).0, Kind::Unknown);
        let mut traces = traces(behind_nginx, bandersnatch);
        traces.serial_inside = true;
        assert_eq!(judge(&traces).kind, Kind::Bandersnatch);
        assert!(judge(&traces).evidence.ends_with("served by nginx"));
    }

    #[test]
    fn front_page_path_and_status_tell_the_kind() {
        let mut front = traces(&[("server", "WSGIServer/0.2 CPython/3.11.7")], "");
        front.top = "<h1>\n Welcome to pypiserver!\n</h1> This instance is running version 2.4.2 of the <a>".into();
        let found = judge(&front);
        assert_eq!((found.kind, found.version.as_deref()), (Kind::Pypiserver, Some("2.4.2")));

        let mut pulp = traces(&[("server", "gunicorn"), ("correlation-id", "4d2f")], "");
        assert_eq!(judge(&pulp).kind, Kind::Unknown);
        pulp.path = "/pypi/corp/simple/".into();
        assert_eq!(judge(&pulp).kind, Kind::Pulp);

        let mut simpleindex = traces(&[("server", "uvicorn")], "");
        assert_eq!(judge(&simpleindex).kind, Kind::Unknown);
        simpleindex.list_status = 404;
        assert_eq!(judge(&simpleindex).kind, Kind::Simpleindex);
    }
}
