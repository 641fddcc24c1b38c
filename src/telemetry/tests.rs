use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use prometheus::proto::MetricFamily;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::index::ProjectName;

const DOCS: &str = include_str!("../../docs/metrics.md");

/// The name in back quotes that a table row begins with.
fn first_cell(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split('`').next()
}

fn labels(family: &MetricFamily) -> BTreeSet<String> {
    let names = family.get_metric().iter().flat_map(|m| m.get_label());
    names.map(|label| label.name().to_owned()).collect()
}

#[test]
fn the_docs_list_every_metric_with_type_and_labels() {
    let table = DOCS.split("## Labels").next().unwrap();
    let documented: BTreeSet<_> = table.lines().filter(|line| first_cell(line).is_some()).collect();
    let families = Metrics::new().unwrap().gather();
    for family in &families {
        let kind = format!("{:?}", family.get_field_type()).to_lowercase();
        let labels: Vec<_> = labels(family).iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".into() } else { labels.join(", ") };
        let row = format!("| `{}` | {kind} | {labels} | ", family.name());
        let found = documented.iter().any(|line| line.starts_with(&row));
        assert!(found, "docs/metrics.md lacks {row}");
    }
    assert_eq!(documented.len(), families.len(), "docs/metrics.md lists a metric that is none");
}

#[test]
fn the_docs_list_every_label_value() {
    for family in Metrics::new().unwrap().gather() {
        for label in labels(&family).into_iter().filter(|label| label != "version") {
            let pairs = family.get_metric().iter().flat_map(|m| m.get_label());
            let values: BTreeSet<_> =
                pairs.filter(|pair| pair.name() == label).map(|pair| pair.value()).collect();
            let shared = format!("### `{label}`\n");
            let own = format!("### `{label}` of `{}`\n", family.name());
            let section = DOCS.split_once(&own).or_else(|| DOCS.split_once(&shared));
            let (_, section) = section.unwrap_or_else(|| panic!("no section {shared}"));
            let section = section.split("\n### ").next().unwrap();
            let documented: BTreeSet<_> = section.lines().filter_map(first_cell).collect();
            assert_eq!(documented, values, "{label} of {}", family.name());
        }
    }
}

#[test]
fn every_label_value_is_there_from_the_start_at_0() {
    let text = Metrics::new().unwrap().encode().unwrap();
    for reason in Refusal::ALL {
        let line = format!("countersign_refusals_total{{reason=\"{reason}\"}} 0\n");
        assert!(text.contains(&line), "{line}");
    }
    for (route, class) in Route::ALL.iter().flat_map(|r| CodeClass::ALL.iter().map(move |c| (r, c)))
    {
        let line = format!(
            "countersign_http_requests_total{{code_class=\"{class}\",route=\"{route}\"}} 0\n"
        );
        assert!(text.contains(&line), "{line}");
    }
    assert!(text.contains("countersign_http_request_duration_seconds_count{route=\"page\"} 0\n"));
    assert!(text.contains("countersign_role_version{role=\"bins\"} 0\n"));
}

struct Admin {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    changed: Arc<Mutex<Vec<Option<ProjectName>>>>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Admin {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let readiness = Arc::new(Readiness::requiring(&["repository", "listener"]));
        let changed = Arc::new(Mutex::new(Vec::new()));
        let calls = changed.clone();
        let state = AdminState {
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            changed: Box::new(move |project| calls.lock().unwrap().push(project)),
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(admin::serve(listener, state, shutdown.clone()));
        Self { address, metrics, readiness, changed, shutdown, task }
    }

    /// The whole answer: status line, headers and body.
    async fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

#[tokio::test]
async fn metrics_are_served_and_count_themselves() {
    let admin = Admin::start().await;
    admin.get("/livez").await;
    let (status, body) = admin.get("/metrics").await;
    assert_eq!(status, 200);
    let line = "countersign_http_requests_total{code_class=\"2xx\",route=\"admin\"} 1\n";
    assert!(body.contains(line), "{body}");
    assert!(body.contains(&format!(
        "countersign_build_info{{version=\"{}\"}} 1\n",
        env!("CARGO_PKG_VERSION")
    )));
    assert!(admin.ask("GET", "/metrics").await.contains("text/plain; version=0.0.4"));
}

#[tokio::test]
async fn ready_only_when_every_condition_holds() {
    let admin = Admin::start().await;
    admin.readiness.met("listener");
    admin.readiness.unmet("repository", "loading bin 7 of 16");
    let (status, body) = admin.get("/readyz").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({
        "ready": false,
        "checks": [
            { "name": "listener", "ready": true },
            { "name": "repository", "ready": false, "reason": "loading bin 7 of 16" },
        ],
    });
    assert_eq!((status, body), (503, expected));
    assert_eq!(admin.get("/livez").await.0, 200);
    admin.readiness.met("repository");
    assert_eq!(admin.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn webhooks_name_a_project_or_mean_the_list() {
    let admin = Admin::start().await;
    for (path, status) in [
        ("/hooks/changed?project=Some.Project", "202"),
        ("/hooks/changed", "202"),
        ("/hooks/changed?project=..%2Fx", "400"),
        ("/hooks/changed?project=", "400"),
    ] {
        let answer = admin.ask("POST", path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let named = ProjectName::parse("some-project").unwrap();
    assert_eq!(*admin.changed.lock().unwrap(), [Some(named), None]);
}

#[tokio::test]
async fn only_known_paths_and_methods_are_answered() {
    let admin = Admin::start().await;
    for (method, path, status) in [
        ("GET", "/simple/", "404"),
        ("GET", "/hooks/changed", "405"),
        ("POST", "/metrics", "405"),
        ("DELETE", "/", "405"),
        ("HEAD", "/livez", "200"),
    ] {
        let answer = admin.ask(method, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert_eq!(answer.contains("\r\nallow: "), status == "405", "{answer}");
    }
    assert!(admin.ask("HEAD", "/metrics").await.ends_with("\r\n\r\n"));
    assert!(admin.changed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_status_page_shows_versions_expiries_and_refusals() {
    let admin = Admin::start().await;
    admin.metrics.role_version.of(Role::Timestamp).set(42);
    admin.metrics.role_expiry.of(Role::Timestamp).set(1_900_000_000);
    let name = "a-1.whl\n\u{1b}[31m<b>";
    admin.metrics.refusals.report(Refusal::ChangedHash, "a", name, "expected x, found y");
    let (status, page) = admin.get("/").await;
    assert_eq!(status, 200);
    let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap();
    assert!(line("timestamp").contains("42") && line("timestamp").contains("2030-03-17T17:46:40Z"));
    assert!(line("repository").ends_with("not yet"));
    assert!(line("snapshot").ends_with("never"));
    let refused = page.lines().last().unwrap();
    assert!(refused.contains("changed-hash a a-1.whl"), "{page}");
    assert!(refused.ends_with("(1 times): expected x, found y"), "{page}");
    assert!(!page.contains('\u{1b}'));
}

#[tokio::test]
async fn the_listener_ends_with_the_shutdown() {
    let admin = Admin::start().await;
    admin.shutdown.cancel();
    admin.task.await.unwrap();
    assert!(TcpStream::connect(admin.address).await.is_err());
}
