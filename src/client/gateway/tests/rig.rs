//! The gateway, its sidecar, and who stands between them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::between::Between;
use crate::client::gateway::{Gateway, GatewayParts, Limits, serve};
use crate::client::{Http, Settings, State, Tally, Updater};
use crate::config::UpstreamConfig;
use crate::proxy::tests::site::{FILE_LIMIT, Got, Sample, Site, exchange};
use crate::spool::Spool;
use crate::time::Clock;
use crate::upstream::testing::client;

pub const JSON: &str = "Accept: application/vnd.pypi.simple.v1+json";
/// Longer than any test takes.
pub const RARELY: Duration = Duration::from_secs(3600);

const PATIENCE: Duration = Duration::from_millis(500);

/// Everything; it stops when it is dropped.
pub struct Rig {
    pub site: Site,
    pub between: Between,
    pub clock: Clock,
    pub tally: Arc<Tally>,
    addr: SocketAddr,
    stop: CancellationToken,
    dir: TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Rig {
    /// A gateway that refreshes once an `interval`.
    pub async fn start(samples: &[Sample], interval: Duration) -> Self {
        let site = Site::start(samples).await;
        let between = Between::start(site.addr).await;
        let dir = tempfile::tempdir().unwrap();
        let root = site.get("/tuf/metadata/1.root.json").await.body;
        State::init(&dir.path().join("metadata"), &root).unwrap();
        let (clock, tally) = (Clock::at(Timestamp::now()), Arc::<Tally>::default());
        let (addr, stop) = (site.addr, CancellationToken::new());
        let mut rig = Self { site, between, clock, tally, addr, stop, dir };
        rig.restart(interval).await;
        rig
    }

    /// Removes all that is trusted, as `trust remove` does.
    pub fn forget(&self) {
        std::fs::remove_dir_all(self.dir.path().join("metadata")).unwrap();
    }

    /// Another process on the same folders.
    pub async fn restart(&mut self, interval: Duration) {
        self.stop.cancel();
        let base: Url = format!("http://{}/", self.between.addr).parse().unwrap();
        let url = |path| base.join(path).unwrap();
        let simple = url("/simple/").to_string();
        let upstream = client(&UpstreamConfig { url: Some(simple), ..UpstreamConfig::default() });
        let (metadata, targets) = (url("/tuf/metadata/"), url("/tuf/targets/"));
        let remote = Arc::new(Http::new(upstream.clone(), metadata, targets, self.tally.clone()));
        let state = State::open(&self.dir.path().join("metadata")).unwrap();
        let settings = Settings { clock: self.clock.clone(), ..Settings::default() };
        let gateway = Gateway::new(GatewayParts {
            updater: Updater::new(state, remote.clone(), settings),
            remote,
            upstream: Some(upstream),
            spool: Spool::open(&self.dir.path().join("files"), 10_000_000).unwrap(),
            simple_path: "/simple/".into(),
            tuf_prefix: "/tuf/".into(),
            interval,
            limits: Limits { whole: FILE_LIMIT, patience: PATIENCE, ..Limits::default() },
            tally: self.tally.clone(),
            clock: self.clock.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (self.addr, self.stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        tokio::spawn(serve(listener, gateway, self.stop.clone()));
    }

    pub async fn get(&self, path: &str) -> Got {
        self.get_with(path, "Accept: */*").await
    }

    pub async fn get_with(&self, path: &str, headers: &str) -> Got {
        self.send("GET", path, headers).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &str) -> Got {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n"
        );
        let stream = tokio::net::TcpStream::connect(self.addr).await.unwrap();
        exchange(stream, request.as_bytes()).await
    }

    /// The gateway's clock goes on.
    pub fn wait(&self, days: i64) {
        self.clock.set(self.clock.now() + SignedDuration::from_hours(24 * days));
    }

    /// A project that the mirror has, and nobody ever asked for.
    pub fn mirror_has(&self, project: &str, sample: &Sample) {
        let Sample { name, bytes, .. } = sample;
        let digest = sample.digest();
        let page = format!("<a href=\"/packages/x/{name}#sha256={digest}\">{name}</a>");
        let html = "Content-Type: text/html\r\n";
        self.site.has(&format!("/simple/{project}/"), "200 OK", html, page);
        self.site.has(&sample.path(), "200 OK", "", bytes);
    }
}

/// Checks that it is a refusal whose words say why, to pip and to uv.
pub fn is_refused(got: &Got, says: &[&str]) {
    assert_eq!(got.code(), "403", "{}", got.status);
    assert_eq!(got.header("content-type"), "application/problem+json");
    let problem = got.json();
    assert_eq!(got.status, format!("403 {}", problem["title"].as_str().unwrap()));
    let all = format!("{} {}", got.status, problem["detail"]);
    for words in says {
        assert!(all.contains(words), "{words}: {all}");
    }
}
