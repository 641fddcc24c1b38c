//! A mirror, a repository that signs some of it, and a proxy in front, all real, on loopback.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::Config;
use crate::index::{
    CoreMetadata, File, Links, ProjectName, ProjectPage, Source, Sources, Status, Yanked,
};
use crate::proxy::{Proxy, ProxyParts, serve};
use crate::repository::{
    Contents, Decision, Edit, PageChange, ProjectBase, Publisher, PublisherConfig,
};
use crate::signer::Keyring;
use crate::spool::Spool;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::tuf::Digest;
use crate::upstream::testing::{Mirror, Reply, answer, client};
use crate::watch::{Watcher, WatcherParts};

/// Larger files are streamed.
pub const FILE_LIMIT: u64 = 100_000;

/// A file that the mirror has and the page lists.
pub struct Sample {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// What the page says of its length.
    pub size: Option<u64>,
    /// What the page says of its core metadata.
    pub metadata: Option<&'static str>,
    /// Whether the page says that it has a signature and provenance.
    pub attested: bool,
}

impl Sample {
    pub fn small(name: &'static str) -> Self {
        let bytes = format!("the bytes of {name}").into_bytes();
        Self { name, size: Some(bytes.len() as u64), bytes, metadata: None, attested: false }
    }

    pub fn large(name: &'static str) -> Self {
        let bytes: Vec<u8> = (0..3 * FILE_LIMIT).map(|n| (n % 251) as u8).collect();
        Self { name, size: Some(bytes.len() as u64), bytes, metadata: None, attested: false }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Where the mirror has it.
    pub fn path(&self) -> String {
        format!("/packages/x/{}", self.name.replace('+', "%2B"))
    }

    /// Where we have it.
    pub fn target(&self) -> String {
        format!("/tuf/targets/files/demo/{}", self.name.replace('+', "%2B"))
    }

    fn file(&self) -> File {
        File {
            filename: self.name.into(),
            hashes: [("sha256".to_owned(), self.digest().to_string())].into(),
            requires_python: None,
            size: self.size,
            upload_time: Some("2026-11-22T13:00:00Z".into()),
            yanked: Yanked::No,
            core_metadata: self.metadata.map_or(CoreMetadata::None, |text| {
                let digest = Digest::of(text.as_bytes()).to_string();
                CoreMetadata::Hashes([("sha256".to_owned(), digest)].into())
            }),
            gpg_sig: self.attested.then_some(true),
            provenance: self.attested,
            extra: BTreeMap::new(),
        }
    }
}

/// To a path: the bytes, and what becomes of the connection after them.
type Replies = Arc<Mutex<BTreeMap<String, (Vec<u8>, fn(Vec<u8>) -> Reply)>>>;

/// Everything; it stops when it is dropped.
pub struct Site {
    pub mirror: Mirror,
    pub metrics: Arc<Metrics>,
    pub addr: SocketAddr,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<()>,
    replies: Replies,
    _dir: TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Signs one edit of the project `demo`.
struct Publish(ProjectPage, Sources);

impl Edit for Publish {
    fn project(&self) -> &ProjectName {
        &self.0.name
    }
    fn filenames(&self) -> Vec<String> {
        Vec::new()
    }
    fn decide(&self, _: &ProjectBase) -> Decision {
        let page = PageChange::Replace(Box::new(self.0.clone()));
        Decision { page, sources: Some(self.1.clone()), ..Decision::default() }
    }
}

impl Site {
    pub async fn start(samples: &[Sample]) -> Self {
        Self::with(samples, |_| {}, None).await
    }

    pub async fn with(
        samples: &[Sample],
        configure: impl FnOnce(&mut Config),
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let replies = Replies::default();
        let known = replies.clone();
        let mirror = Mirror::start(move |_, request| {
            let path = request.split(' ').nth(1).unwrap_or_default();
            let head = request.starts_with("HEAD ");
            let reply = known.lock().unwrap().get(path).cloned();
            let unknown = || (answer("404 Not Found", "", "no such thing"), Reply::Keep as _);
            let (mut reply, then): (_, fn(_) -> _) = reply.unwrap_or_else(unknown);
            if head && let Some(end) = reply.windows(4).position(|four| four == b"\r\n\r\n") {
                reply.truncate(end + 4);
            }
            then(reply)
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { upstream: mirror.config(), ..Config::default() };
        config.cache.file_limit = FILE_LIMIT;
        configure(&mut config);
        let config = Arc::new(config);
        let upstream = client(&config.upstream);
        let spool = Spool::open(&dir.path().join("spool"), 10_000_000).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let store = Store::open(&dir.path().join("repository")).unwrap();
        let folder = KeyFolder::new(dir.path());
        let options = InitOptions { bins: 4, validity: config.validity.clone() };
        init(&store, &folder, &options, |_| {}).await.unwrap();
        let links = Links::from_page_path("/simple/demo/", "/tuf/");
        let publishing = PublisherConfig {
            memory: 10_000_000,
            keyring: Keyring::of(vec![folder.load_online().unwrap()]),
            contents: Contents { targets: config.targets, html: config.html, links },
            metrics: metrics.clone(),
            validity: config.validity.clone(),
            store: config.store.clone(),
            clock: crate::time::Clock::System,
            readiness: Arc::default(),
        };
        let (publisher, repository, task) =
            Publisher::open(store.clone(), publishing).await.unwrap();
        let shutdown = CancellationToken::new();
        tokio::spawn(task.run(shutdown.clone()));
        let (page, sources) = page(samples, &mirror);
        publisher.publish(Arc::new(Publish(page, sources))).await.unwrap();
        let watcher = Watcher::new(WatcherParts {
            upstream: upstream.clone(),
            spool: spool.clone(),
            repository: repository.clone(),
            publisher,
            store,
            metrics: metrics.clone(),
            config: config.clone(),
        });
        let proxy = Proxy::new(ProxyParts {
            repository,
            upstream,
            spool,
            watcher,
            metrics: metrics.clone(),
            config,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let served = tokio::spawn(serve(listener, tls, proxy, shutdown.clone()));
        let site = Self { mirror, metrics, addr, shutdown, served, replies, _dir: dir };
        for sample in samples {
            site.has(&sample.path(), "200 OK", "", &sample.bytes);
            if let Some(text) = sample.metadata {
                site.has(&format!("{}.metadata", sample.path()), "200 OK", "", text);
            }
        }
        site
    }

    /// From now on the mirror answers so.
    pub fn has(&self, path: &str, status: &str, headers: &str, body: impl AsRef<[u8]>) {
        self.has_raw(path, answer(status, headers, body), Reply::Keep);
    }

    /// As [`Site::has`], byte for byte.
    pub fn has_raw(&self, path: &str, reply: Vec<u8>, then: fn(Vec<u8>) -> Reply) {
        self.replies.lock().unwrap().insert(path.into(), (reply, then));
    }

    /// How often the mirror was asked for the path.
    pub fn asked(&self, request: &str) -> usize {
        let requests = self.mirror.requests();
        requests.iter().filter(|text| text.starts_with(&format!("{request} HTTP"))).count()
    }

    pub async fn get(&self, path: &str) -> Got {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    pub async fn get_with(&self, path: &str, headers: &str) -> Got {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n");
        self.send(&request).await
    }

    pub async fn head(&self, path: &str) -> Got {
        self.send(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    pub async fn send(&self, request: &str) -> Got {
        exchange(TcpStream::connect(self.addr).await.unwrap(), request.as_bytes()).await
    }

    /// The value of a metric.
    pub fn metric(&self, line: &str) -> u64 {
        let text = self.metrics.encode().unwrap();
        let found = text.lines().find_map(|l| l.strip_prefix(&format!("countersign_{line} ")));
        found.unwrap().parse().unwrap()
    }
}

fn page(samples: &[Sample], mirror: &Mirror) -> (ProjectPage, Sources) {
    let mut files: Vec<File> = samples.iter().map(Sample::file).collect();
    files.sort_by(|a, b| a.filename.cmp(&b.filename));
    let source = |sample: &Sample| {
        let url: Url = mirror.url(&sample.path());
        (sample.name.to_owned(), Source { url, provenance: None })
    };
    let page = ProjectPage {
        name: ProjectName::parse("demo").unwrap(),
        files,
        versions: vec!["1.0".into()],
        status: Status::default(),
        tracks: Vec::new(),
        alternate_locations: Vec::new(),
        extra: BTreeMap::new(),
        meta_extra: BTreeMap::new(),
    };
    (page, samples.iter().map(source).collect())
}

/// An answer as it came over the wire, and how the connection ended.
#[derive(Debug)]
pub struct Got {
    pub status: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// What reading ended with; `None` is a close.
    pub error: Option<io::ErrorKind>,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn code(&self) -> &str {
        &self.status[..3]
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a request and reads until the end.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &[u8]) -> Got {
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).await.err().map(|error| error.kind());
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap().to_owned();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Got { status, headers, body: bytes[end + 4..].to_vec(), error }
}
