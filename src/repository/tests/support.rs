//! A repository in memory, whose store can be made to fail at any write.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::{StoreConfig, TargetsMode, ValidityConfig};
use crate::index::{CoreMetadata, File, Links, ProjectName, ProjectPage, Status, Yanked};
use crate::repository::{
    Blocked, Contents, Decision, Edit, PageChange, ProjectBase, Publisher, PublisherConfig,
    Receipt, Repository, RepositoryError,
};
use crate::signer::{Keyring, Signer};
use crate::store::Store;
use crate::time::Clock;
use crate::tuf::Digest;

/// How the next writes fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write does not happen, and nothing is written from then on.
    CrashBefore,
    /// The write happens, its answer is lost, and nothing is written from then on.
    CrashAfter,
    /// The write does not happen; the next one does.
    Fails,
    /// The write happens, its answer is lost; the next one is fine.
    LosesReply,
}

/// Objects in memory behind a fault.
#[derive(Debug)]
pub struct Faulty {
    inner: InMemory,
    plan: Mutex<Option<(u64, Fault)>>,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { inner: InMemory::new(), plan: Mutex::new(None) })
    }

    /// After `writes` more writes, `fault` strikes; `None` heals.
    pub fn plan(&self, plan: Option<(u64, Fault)>) {
        *self.plan.lock().unwrap() = plan;
    }

    fn next_write(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let (left, fault) = plan.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let fault = *fault;
        match fault {
            Fault::CrashAfter => *plan = Some((0, Fault::CrashBefore)),
            Fault::CrashBefore => {}
            Fault::Fails | Fault::LosesReply => *plan = None,
        }
        Some(fault)
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

fn lost() -> Error {
    Error::Generic { store: "faulty", source: "planned fault".into() }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        name: &Name,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self.next_write() {
            None => self.inner.put_opts(name, payload, options).await,
            Some(Fault::CrashBefore | Fault::Fails) => Err(lost()),
            Some(Fault::CrashAfter | Fault::LosesReply) => {
                self.inner.put_opts(name, payload, options).await?;
                Err(lost())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        name: &Name,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(name, options).await
    }

    async fn get_opts(&self, name: &Name, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(name, options).await
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, Result<Name>>,
    ) -> BoxStream<'static, Result<Name>> {
        self.inner.delete_stream(names)
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A made repository whose publisher can be stopped and started.
pub struct Bench {
    pub faulty: Arc<Faulty>,
    pub store: Store,
    pub contents: Contents,
    keys: TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        let bench = Self::unmade();
        bench.init().await.unwrap();
        bench
    }

    /// A bench whose store others may write to.
    pub async fn shared() -> Self {
        let unmade = Self::unmade();
        let bench = Self { store: Store::over_shared(unmade.faulty.clone()), ..unmade };
        bench.init().await.unwrap();
        bench
    }

    /// A bench without a repository.
    pub fn unmade() -> Self {
        let faulty = Faulty::new();
        let store = Store::over_objects(faulty.clone());
        let keys = tempfile::tempdir().unwrap();
        let contents = Contents {
            targets: TargetsMode::All,
            html: true,
            links: Links { tuf: "../../tuf/".into() },
        };
        Self { faulty, store, contents, keys }
    }

    pub async fn init(&self) -> std::result::Result<Digest, crate::ceremony::InitError> {
        let options = InitOptions { bins: 16, validity: ValidityConfig::default() };
        let made = init(&self.store, &self.keys(), &options, |_| ()).await?;
        Ok(made.root_sha256)
    }

    pub fn keys(&self) -> KeyFolder {
        KeyFolder::new(self.keys.path())
    }

    /// The online key.
    pub fn online(&self) -> Arc<dyn Signer> {
        self.keys().load_online().unwrap()
    }

    pub fn config(&self) -> PublisherConfig {
        PublisherConfig {
            memory: 1 << 20,
            keyring: Keyring::of(vec![self.online()]),
            contents: self.contents.clone(),
            validity: ValidityConfig::default(),
            store: StoreConfig::default(),
            clock: Clock::System,
            readiness: Arc::default(),
            metrics: Arc::new(crate::telemetry::Metrics::new().unwrap()),
        }
    }

    pub async fn open(&self) -> std::result::Result<Running, RepositoryError> {
        self.open_with(self.config()).await
    }

    pub async fn open_with(
        &self,
        config: PublisherConfig,
    ) -> std::result::Result<Running, RepositoryError> {
        let (publisher, repository, task) = Publisher::open(self.store.clone(), config).await?;
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(task.run(shutdown.clone()));
        Ok(Running { publisher, repository, shutdown, task })
    }
}

/// A publisher at work.
pub struct Running {
    pub publisher: Publisher,
    pub repository: Repository,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn publish(
        &self,
        page: &ProjectPage,
    ) -> std::result::Result<Receipt, RepositoryError> {
        self.publisher.publish(Arc::new(Exactly(page.clone()))).await
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// Publishes a page as it is; without files, withdraws it.
pub struct Exactly(pub ProjectPage);

impl Edit for Exactly {
    fn project(&self) -> &ProjectName {
        &self.0.name
    }

    fn filenames(&self) -> Vec<String> {
        self.0.files.iter().map(|file| file.filename.clone()).collect()
    }

    fn decide(&self, _: &ProjectBase) -> Decision {
        let page = match self.0.files.is_empty() {
            true => PageChange::Withdraw,
            false => PageChange::Replace(Box::new(self.0.clone())),
        };
        Decision { page, ..Decision::default() }
    }
}

/// Changes what an operator withdrew.
pub struct Blocks(pub ProjectName, pub Blocked);

impl Edit for Blocks {
    fn project(&self) -> &ProjectName {
        &self.0
    }

    fn filenames(&self) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, _: &ProjectBase) -> Decision {
        Decision { blocked: Some(self.1.clone()), ..Decision::default() }
    }
}

pub fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

/// A page of `name` with files whose bytes are the given texts.
pub fn page(name: &str, files: &[(&str, &str)]) -> ProjectPage {
    let mut files: Vec<File> = files.iter().map(|(name, text)| file(name, text)).collect();
    files.sort_by(|a, b| a.filename.cmp(&b.filename));
    ProjectPage {
        name: project(name),
        files,
        versions: Vec::new(),
        status: Status::default(),
        tracks: Vec::new(),
        alternate_locations: Vec::new(),
        extra: BTreeMap::new(),
        meta_extra: BTreeMap::new(),
    }
}

fn file(name: &str, text: &str) -> File {
    File {
        filename: name.into(),
        hashes: [("sha256".to_owned(), Digest::of(text.as_bytes()).to_string())].into(),
        requires_python: None,
        size: Some(text.len() as u64),
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: CoreMetadata::None,
        gpg_sig: None,
        provenance: false,
        extra: BTreeMap::new(),
    }
}
