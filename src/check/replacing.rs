//! Whether uploaders may replace files: only devpi says so from outside.

use std::collections::BTreeSet;

use serde::Deserialize;
use url::Url;

use super::facts::{Kind, Replacing, cut};
use crate::upstream::Upstream;

/// Indexes that are asked, at the most; devpi's inherit from each other.
const MOST_INDEXES: usize = 20;
/// How much of an index's configuration is read, bytes.
const MOST: usize = 256 * 1024;

/// What devpi answers at an index.
#[derive(Deserialize)]
struct IndexConfig {
    result: Index,
}

/// One index of devpi.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Index {
    volatile: Option<bool>,
    r#type: Option<String>,
    bases: Vec<String>,
}

/// Infers what can be inferred without an upload.
pub(super) async fn infer(upstream: &Upstream, kind: Kind) -> Replacing {
    match kind {
        Kind::Devpi => devpi(upstream).await,
        Kind::Warehouse => Replacing::No {
            evidence: "Warehouse never takes a file name twice, not even after a deletion".into(),
        },
        _ => Replacing::Unknown,
    }
}

/// Asks the index, and those that it inherits from, whether they are volatile.
async fn devpi(upstream: &Upstream) -> Replacing {
    let Some((root, first)) = index_path(upstream.simple_path()) else { return Replacing::Unknown };
    let mut waiting = vec![first.to_owned()];
    let mut seen = BTreeSet::new();
    let mut stable = Vec::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if seen.len() > MOST_INDEXES {
            return Replacing::Unknown;
        }
        match ask(upstream, root, &name).await {
            Some(Index { r#type: Some(kind), .. }) if kind == "mirror" => {
                stable.push(format!("{name} is a copy of another index"));
            }
            Some(Index { volatile: Some(true), .. }) => {
                return Replacing::Yes { index: cut(&name) };
            }
            Some(Index { volatile: Some(false), bases, .. }) => {
                stable.push(format!("volatile = false on {name}"));
                waiting.extend(bases);
            }
            _ => return Replacing::Unknown,
        }
    }
    Replacing::No { evidence: cut(&stable.join(", ")) }
}

async fn ask(upstream: &Upstream, root: &str, name: &str) -> Option<Index> {
    let mut url: Url = upstream.simple_url().clone();
    url.set_path(&format!("{root}{name}"));
    // Without the list of its projects.
    url.set_query(Some("no_projects="));
    let probed = upstream.probe(&url, "application/json", MOST).await.ok()?;
    read(&probed.body)
}

fn read(body: &[u8]) -> Option<Index> {
    serde_json::from_slice(body).ok().map(|config: IndexConfig| config.result)
}

/// Splits `/prefix/user/index/+simple/` into `/prefix/` and `user/index`.
fn index_path(simple: &str) -> Option<(&str, &str)> {
    let index = simple.trim_end_matches('/').strip_suffix("/+simple")?;
    let user = index.get(..index.rfind('/')?)?.rfind('/')? + 1;
    Some(index.split_at(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::testing::{Mirror, client, ok, status};

    #[test]
    fn an_index_is_found_under_any_prefix() {
        assert_eq!(index_path("/alice/prod/+simple/"), Some(("/", "alice/prod")));
        assert_eq!(index_path("/a/b/root/pypi/+simple/"), Some(("/a/b/", "root/pypi")));
        for other in ["/simple/", "/+simple/", "/prod/+simple/", "/"] {
            assert_eq!(index_path(other), None, "{other}");
        }
    }

    #[test]
    fn devpis_answer_is_read() {
        let body = br#"{"result": {"mirror_whitelist": [], "volatile": false, "acl_toxresult_upload": [":ANONYMOUS:"],
            "bases": ["root/pypi"], "acl_upload": ["alice"], "type": "stage", "projects": ["demo"]}, "type": "indexconfig"}"#;
        let index = read(body).unwrap();
        assert_eq!((index.volatile, index.bases), (Some(false), vec!["root/pypi".to_owned()]));
        assert_eq!(read(b"{\"result\": {\"login\": \"x\"}}"), Some(Index::default()));
        assert_eq!(read(b"<html>"), None);
    }

    async fn inferred(prod: &'static str, base: Option<&'static str>) -> Replacing {
        let mirror = Mirror::start(move |_, request| {
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            match (path.as_str(), base) {
                ("/alice/prod?no_projects=", _) => ok("", prod),
                ("/root/pypi?no_projects=", Some(base)) => ok("", base),
                _ => status("404 Not Found"),
            }
        })
        .await;
        let mut config = mirror.config();
        config.url = Some(mirror.url("/alice/prod/+simple/").into());
        infer(&client(&config), Kind::Devpi).await
    }

    #[tokio::test]
    async fn bases_are_asked_too() {
        let stable = r#"{"result": {"volatile": false, "type": "stage", "bases": ["root/pypi", "alice/prod"]}}"#;
        let volatile = r#"{"result": {"volatile": true, "type": "stage", "bases": []}}"#;
        let copy = r#"{"result": {"volatile": true, "type": "mirror"}}"#;
        let yes = |on: &str| Replacing::Yes { index: on.into() };
        assert_eq!(inferred(volatile, None).await, yes("alice/prod"));
        assert_eq!(inferred(stable, Some(volatile)).await, yes("root/pypi"));
        assert_eq!(inferred(stable, None).await, Replacing::Unknown);
        assert_eq!(inferred("<html>", None).await, Replacing::Unknown);
        let Replacing::No { evidence } = inferred(stable, Some(copy)).await else { panic!() };
        assert_eq!(
            evidence,
            "volatile = false on alice/prod, root/pypi is a copy of another index"
        );
    }
}
