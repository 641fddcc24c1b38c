//! A shared object store whose every operation waits until the schedule lets it happen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use object_store::path::Path as Name;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It happens and is answered.
    Happens,
    /// It happens; its answer is lost.
    LosesAnswer,
    /// It happens; the answer is lost, the HTTP layer tries again and is told that the object exists.
    Retried,
    /// It does not happen.
    Fails,
    /// It fails for who asked, and happens later: the request lay in a queue.
    Late,
}

/// What an actor wants to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing at the store: a moment at which another actor may come first.
    Think,
    Get,
    List,
    Create,
    Put,
    Delete,
}

/// One operation that waits.
#[derive(Debug)]
pub struct Pending {
    pub actor: usize,
    pub kind: Kind,
    pub name: String,
    fate: oneshot::Sender<Fate>,
}

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub date: Timestamp,
}

/// What happened to the objects since this was last asked, for the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Created(String),
    Overwritten(String),
    Deleted(String),
}

#[derive(Debug, Default)]
pub struct State {
    pub objects: BTreeMap<String, Object>,
    pub pending: BTreeMap<u64, Pending>,
    pub events: Vec<Event>,
    /// Creations that will still happen.
    pub late: Vec<(String, Bytes)>,
    /// Listings so far.
    pub listings: u64,
    /// What becomes of a bystander's operation: of the one of this kind, below this prefix, after so many others.
    pub plan: Option<(Kind, &'static str, usize, Fate)>,
    /// No bystander reaches the store.
    pub down: bool,
    operations: u64,
}

/// The store itself, and its clock.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
    began: Instant,
    start: Timestamp,
}

impl World {
    pub fn new() -> Arc<Self> {
        let start = Timestamp::now();
        Arc::new(Self { state: Mutex::default(), began: Instant::now(), start })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What time it is, by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.start + self.began.elapsed()
    }

    /// One that reaches the store as `actor`.
    pub fn process(self: &Arc<Self>, actor: usize) -> Process {
        Process { world: self.clone(), actor: Some(actor), dead: Arc::default() }
    }

    /// One whose operations happen at once.
    pub fn bystander(self: &Arc<Self>) -> Process {
        Process { world: self.clone(), actor: None, dead: Arc::default() }
    }

    /// Lets the operation `id` go on.
    pub fn release(&self, id: u64, fate: Fate) {
        let released = self.lock().pending.remove(&id);
        if let Some(pending) = released {
            let _ = pending.fate.send(fate);
        }
    }

    /// What was asked late happens now.
    pub fn happen_late(&self, at: usize) {
        let now = self.now();
        let mut state = self.lock();
        if !state.late.is_empty() {
            let at = at % state.late.len();
            let (name, bytes) = state.late.remove(at);
            state.create(name, bytes, now);
        }
    }
}

impl State {
    fn create(&mut self, name: String, bytes: Bytes, date: Timestamp) -> bool {
        if self.objects.contains_key(&name) {
            return false;
        }
        self.events.push(Event::Created(name.clone()));
        self.objects.insert(name, Object { bytes, date });
        true
    }

    fn planned(&mut self, of: Kind, name: &str) -> Fate {
        if self.down {
            return Fate::Fails;
        }
        match &mut self.plan {
            Some((kind, prefix, others, fate)) if *kind == of && name.starts_with(*prefix) => {
                if *others > 0 {
                    *others -= 1;
                    return Fate::Happens;
                }
                let fate = *fate;
                self.plan = None;
                fate
            }
            _ => Fate::Happens,
        }
    }

    fn put(&mut self, name: String, bytes: Bytes, date: Timestamp) {
        let old = self.objects.insert(name.clone(), Object { bytes, date });
        self.events.push(match old {
            Some(_) => Event::Overwritten(name),
            None => Event::Created(name),
        });
    }
}

/// One process' way to the store.
#[derive(Debug, Clone)]
pub struct Process {
    world: Arc<World>,
    actor: Option<usize>,
    dead: Arc<AtomicBool>,
}

impl Process {
    /// Nothing that this process still wants happens any more.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.world.lock().pending.retain(|_, pending| Some(pending.actor) != self.actor);
    }

    /// Waits for its turn, without an operation.
    pub async fn think(&self, about: &str) {
        self.turn(Kind::Think, about).await;
    }

    async fn turn(&self, kind: Kind, name: &str) -> Fate {
        let Some(actor) = self.actor else {
            // Whoever else wants to go on does.
            tokio::task::yield_now().await;
            return self.world.lock().planned(kind, name);
        };
        if !self.dead.load(Ordering::Relaxed) {
            let (fate, decided) = oneshot::channel();
            {
                let mut state = self.world.lock();
                let id = state.operations;
                state.operations += 1;
                state.pending.insert(id, Pending { actor, kind, name: name.into(), fate });
            }
            if let Ok(fate) = decided.await {
                return fate;
            }
        }
        // It was killed.
        std::future::pending().await
    }
}

fn lost() -> Error {
    Error::Generic { store: "simulated", source: "planned fault".into() }
}

/// 412, as services say it.
fn exists(name: &Name) -> Error {
    let path = name.to_string();
    let source = Error::Precondition { path: path.clone(), source: "412".into() };
    Error::AlreadyExists { path, source: source.into() }
}

fn meta(name: &str, object: &Object) -> ObjectMeta {
    let date = Duration::from_millis(object.date.as_millisecond().cast_unsigned());
    ObjectMeta {
        location: Name::from(name),
        last_modified: (SystemTime::UNIX_EPOCH + date).into(),
        size: object.bytes.len() as u64,
        e_tag: None,
        version: None,
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {:?}", self.actor)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Process {
    async fn put_opts(
        &self,
        name: &Name,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = options.mode == PutMode::Create;
        let kind = if create { Kind::Create } else { Kind::Put };
        let fate = self.turn(kind, name.as_ref()).await;
        let (key, bytes) = (name.to_string(), Bytes::from(payload));
        let now = self.world.now();
        let mut state = self.world.lock();
        let done = match fate {
            Fate::Fails => return Err(lost()),
            Fate::Late => {
                if create {
                    state.late.push((key, bytes));
                }
                return Err(lost());
            }
            _ if create => state.create(key, bytes, now),
            _ => {
                state.put(key, bytes, now);
                true
            }
        };
        match fate {
            Fate::LosesAnswer => Err(lost()),
            Fate::Retried if create => Err(exists(name)),
            _ if !done => Err(exists(name)),
            _ => Ok(PutResult { e_tag: None, version: None, extensions: Default::default() }),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Name,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unimplemented!("nothing is written in parts")
    }

    async fn get_opts(&self, name: &Name, options: GetOptions) -> Result<GetResult> {
        let fate = self.turn(Kind::Get, name.as_ref()).await;
        if !matches!(fate, Fate::Happens | Fate::Retried) {
            return Err(lost());
        }
        let state = self.world.lock();
        let Some(object) = state.objects.get(name.as_ref()) else {
            return Err(Error::NotFound { path: name.to_string(), source: "not there".into() });
        };
        assert!(options.range.is_none(), "nothing is read in parts");
        let bytes = object.bytes.clone();
        Ok(GetResult {
            meta: meta(name.as_ref(), object),
            range: 0..bytes.len() as u64,
            attributes: Attributes::default(),
            payload: GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed()),
            extensions: Default::default(),
        })
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, Result<Name>>,
    ) -> BoxStream<'static, Result<Name>> {
        let process = self.clone();
        let delete = move |name: Result<Name>| {
            let process = process.clone();
            async move {
                let name = name?;
                let fate = process.turn(Kind::Delete, name.as_ref()).await;
                if matches!(fate, Fate::Fails | Fate::Late) {
                    return Err(lost());
                }
                let mut state = process.world.lock();
                if state.objects.remove(name.as_ref()).is_some() {
                    state.events.push(Event::Deleted(name.to_string()));
                }
                if fate == Fate::LosesAnswer { Err(lost()) } else { Ok(name) }
            }
        };
        names.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Name::from(""))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Name>,
        offset: &Name,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let process = self.clone();
        let folder = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let offset = offset.to_string();
        let listed = async move {
            let fate = process.turn(Kind::List, &folder).await;
            if !matches!(fate, Fate::Happens | Fate::Retried) {
                return vec![Err(lost())];
            }
            let mut state = process.world.lock();
            state.listings += 1;
            let within = |name: &String| name.starts_with(&folder) && *name > offset;
            let found = state.objects.iter().filter(|(name, _)| within(name));
            found.map(|(name, object)| Ok(meta(name, object))).collect()
        };
        stream::once(listed).flat_map(stream::iter).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Name>) -> Result<ListResult> {
        unimplemented!("nothing is listed by folder")
    }

    async fn copy_opts(&self, _: &Name, _: &Name, _: CopyOptions) -> Result<()> {
        unimplemented!("nothing is copied")
    }
}

impl Event {
    /// Of which object.
    pub fn name(&self) -> &str {
        match self {
            Self::Created(name) | Self::Overwritten(name) | Self::Deleted(name) => name,
        }
    }
}
