//! SeaweedFS's S3 gateway: one for all tests of the binary, and a bucket for each of them.

use std::fs::{self, File};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Name;
use object_store::{
    Error, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::http::Request;
use super::process::free_port;
use super::tools::Tool;
use super::{eventually, secs};

const KEY: &str = "countersign-tests";
const SECRET: &str = "not-much-of-a-secret";
const REGION: &str = "us-east-1";
/// Below which a repository lies in its bucket.
const PREFIX: &str = "some/prefix";

static SHARED: LazyLock<Seaweed> = LazyLock::new(Seaweed::start);
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// One process: master, volumes, filer and gateway.
struct Seaweed {
    /// It ends when this closes, however the tests end.
    _life: ChildStdin,
    #[allow(dead_code)] // The benchmarks measure it.
    shell: u32,
    port: u16,
}

/// A bucket of its own.
#[derive(Clone)]
pub struct Bucket {
    name: String,
    /// Where countersign finds it: the gateway, or what stands before it.
    endpoint: String,
    /// Past what may stand before the gateway.
    objects: Arc<AmazonS3>,
    /// Whether requests go out unsigned.
    anonymous: bool,
    /// What `init` writes: root, and the online key.
    pub ceremony: Arc<TempDir>,
}

impl Seaweed {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let config = serde_json::json!({ "identities": [
            {
                "name": "tests",
                "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            },
            { "name": "anonymous", "actions": ["Read", "Write", "List"] },
        ] });
        fs::write(folder.join("s3.json"), config.to_string()).expect("a configuration");
        let port = free_port();
        let log = folder.join("log");
        let out = File::create(&log).expect("a log file");
        let mut child = Self::command(&folder, port)
            .stdin(Stdio::piped())
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out)
            .spawn()
            .expect("a shell");
        let life = child.stdin.take().expect("a pipe");
        let url = format!("http://127.0.0.1:{port}/healthz");
        eventually("SeaweedFS", secs(120), || {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap_or_default());
            Request::new("GET", &url).try_send().ok().filter(|answer| answer.status == 200)
        });
        Self { _life: life, shell: child.id(), port }
    }

    /// A shell that ends SeaweedFS, and clears up, once its standard input is closed.
    fn command(folder: &Path, port: u16) -> Command {
        const SCRIPT: &str = "trap '' INT TERM HUP; folder=$1; shift; \"$@\" </dev/null & \
             read -r line; kill -9 $!; wait; rm -rf \"$folder\" $sockets";
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(folder).arg(Tool::Seaweed.path());
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]);
        command.arg(format!("-s3.port={port}"));
        let mut sockets = String::new();
        for (option, service) in [
            ("master.port", ""),
            ("master.port.grpc", "master"),
            ("volume.port", ""),
            ("volume.port.grpc", "volume"),
            ("filer.port", ""),
            ("filer.port.grpc", "filer"),
            ("s3.port.grpc", "s3"),
        ] {
            let port = free_port();
            command.arg(format!("-{option}={port}"));
            if !service.is_empty() {
                sockets.push_str(&format!(" /tmp/seaweedfs-{service}-grpc-{port}.sock"));
            }
        }
        command.args([
            "-dir=.",
            "-s3.config=s3.json",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=500",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-filer.localSocket=filer.sock",
            "-s3.localSocket=s3.sock",
        ]);
        // One volume a bucket, not seven.
        command.env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1").env("sockets", sockets);
        command.current_dir(folder);
        command
    }
}

impl Bucket {
    /// An empty one.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tests-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let endpoint = format!("http://127.0.0.1:{}", SHARED.port);
        let objects = client(&endpoint, &name);
        let ceremony = Arc::new(tempfile::tempdir().expect("a folder"));
        let bucket =
            Self { name, endpoint, objects: Arc::new(objects), anonymous: false, ceremony };
        // The gateway makes a bucket for the first object in it.
        bucket.wait(bucket.objects.put(&Name::from("made"), "".into())).expect("a bucket");
        bucket.wait(bucket.objects.delete(&Name::from("made"))).expect("an empty bucket");
        bucket
    }

    /// The same bucket, which countersign reaches by another way.
    pub fn through(&self, port: u16) -> Self {
        Self { endpoint: format!("http://127.0.0.1:{port}"), ..self.clone() }
    }

    /// Reached without signatures: what stands before the gateway may change the requests.
    pub fn anonymous(&self) -> Self {
        Self { anonymous: true, ..self.clone() }
    }

    /// The same bucket, for an `init` by somebody else.
    pub fn with_another_ceremony(&self) -> Self {
        Self { ceremony: Arc::new(tempfile::tempdir().expect("a folder")), ..self.clone() }
    }

    /// As countersign sees it: by that other way.
    pub fn as_seen(&self) -> Self {
        Self { objects: Arc::new(client(&self.endpoint, &self.name)), ..self.clone() }
    }

    /// The gateway's port.
    pub fn port() -> u16 {
        SHARED.port
    }

    /// The process whose child the gateway is.
    #[allow(dead_code)] // The benchmarks measure it.
    pub fn process() -> u32 {
        SHARED.shell
    }

    /// What `--store` names.
    pub fn url(&self) -> String {
        format!("s3://{}/{PREFIX}", self.name)
    }

    /// What a process needs to reach it.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", REGION),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_SKIP_SIGNATURE", if self.anonymous { "true" } else { "false" }),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// The private key that `init` made for the replicas.
    pub fn online_key(&self) -> PathBuf {
        self.ceremony.path().join("online.pem")
    }

    /// Names of objects below a folder, in order.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let prefix = full(folder);
        let mut names: Vec<_> = self
            .listed(folder)
            .iter()
            .map(|meta| meta.location.as_ref()[prefix.as_ref().len() + 1..].to_owned())
            .collect();
        names.sort();
        names
    }

    /// Objects below a folder, with their dates and sizes.
    pub fn listed(&self, folder: &str) -> Vec<ObjectMeta> {
        self.wait(self.objects.list(Some(&full(folder))).try_collect()).expect("a listing")
    }

    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let read = async { self.objects.get(&full(name)).await?.bytes().await };
        match self.wait(read) {
            Ok(bytes) => Some(bytes.to_vec()),
            Err(Error::NotFound { .. }) => None,
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Writes, whether or not it is there.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let payload = PutPayload::from(bytes.to_vec());
        self.wait(self.objects.put(&full(name), payload)).expect("a write");
    }

    /// Creates if absent; tells whether it did.
    pub fn create(&self, name: &str, bytes: &[u8]) -> bool {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from(bytes.to_vec());
        match self.wait(self.objects.put_opts(&full(name), payload, options)) {
            Ok(_) => true,
            Err(Error::AlreadyExists { .. }) => false,
            Err(error) => panic!("{name}: {error}"),
        }
    }

    pub fn delete(&self, name: &str) {
        self.wait(self.objects.delete(&full(name))).expect("a deletion");
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        RUNTIME.block_on(work)
    }
}

fn client(endpoint: &str, bucket: &str) -> AmazonS3 {
    let builder = AmazonS3Builder::new().with_endpoint(endpoint).with_allow_http(true);
    let builder = builder.with_region(REGION).with_bucket_name(bucket);
    builder.with_access_key_id(KEY).with_secret_access_key(SECRET).build().expect("a bucket")
}

fn full(name: &str) -> Name {
    Name::from(format!("{PREFIX}/{name}"))
}
