//! An attacker between a sidecar and its clients: a proxy that rewrites what it was told to rewrite.

use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use super::forge::Repository;
use super::http::{Request, Response};
use super::lie::Lie;
use super::packages::Package;

/// Listens on loopback until it is dropped. Passes everything on as it came until it is told otherwise.
pub struct Attacker {
    pub origin: String,
    port: u16,
    state: Arc<State>,
}

struct State {
    /// The sidecar's origin.
    honest: String,
    tricks: Mutex<Vec<(Place, Trick)>>,
    log: Mutex<Vec<Exchange>>,
    /// How often it went away: what it had begun ends with that.
    left: AtomicUsize,
    ended: AtomicBool,
}

/// What was asked for, and how many bytes of a body were sent until the client had enough.
struct Exchange {
    path: String,
    sent: Arc<AtomicU64>,
}

/// Where it strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// All metadata files of a role, whatever their version.
    Role(String),
    /// A metadata file by its name, such as `2.root.json`.
    Metadata(String),
    /// A project's page: of the simple index, and as a target.
    Page(String),
    /// A file by its name, wherever it lies.
    File(String),
}

type Alter = dyn Fn(Response) -> Lie + Send + Sync;

/// What it does there.
#[derive(Clone)]
enum Trick {
    /// The sidecar is not even asked.
    Instead(Lie),
    Alter(Arc<Alter>),
}

impl Place {
    pub fn role(name: &str) -> Self {
        Self::Role(name.into())
    }

    pub fn metadata(name: impl Into<String>) -> Self {
        Self::Metadata(name.into())
    }

    pub fn page(file: &Package) -> Self {
        Self::Page(file.normalized())
    }

    pub fn file(file: &Package) -> Self {
        Self::File(file.filename.clone())
    }

    pub fn core_metadata(file: &Package) -> Self {
        Self::File(format!("{}.metadata", file.filename))
    }

    fn covers(&self, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap_or_default();
        let metadata = path.contains("/tuf/metadata/");
        match self {
            Self::Role(role) => metadata && role_of(last) == Some(role),
            Self::Metadata(name) => metadata && last == name,
            Self::Page(project) => !metadata && path.contains(&format!("/simple/{project}/")),
            // Under its plain name, or with its hash before it.
            Self::File(name) => !metadata && (last == name || last.get(65..) == Some(name)),
        }
    }
}

/// `12.bins-0f.json` is of `bins-0f`.
fn role_of(filename: &str) -> Option<&str> {
    let stem = filename.strip_suffix(".json")?;
    Some(stem.split_once('.').map_or(stem, |(_, role)| role))
}

impl Attacker {
    /// Before `http://host:port`.
    pub fn before(honest: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            honest: honest.to_owned(),
            tricks: Mutex::default(),
            log: Mutex::default(),
            left: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Self { origin: format!("http://127.0.0.1:{port}"), port, state }
    }

    pub fn simple_url(&self) -> String {
        format!("{}/simple/", self.origin)
    }

    /// From now on this is the answer there. What was said last counts.
    pub fn instead(&self, place: Place, lie: Lie) {
        self.tricks().push((place, Trick::Instead(lie)));
    }

    /// From now on the sidecar's answers are turned into others.
    pub fn alter(&self, place: Place, how: impl Fn(Response) -> Lie + Send + Sync + 'static) {
        self.tricks().push((place, Trick::Alter(Arc::new(how))));
    }

    /// Hands out this repository: its metadata, and the pages that it has; the sidecar's files with them.
    pub fn serve(&self, repository: &Repository) {
        for (name, bytes) in repository.files() {
            self.instead(Place::metadata(name), Lie::json(bytes.clone()));
        }
        for (project, page) in repository.pages() {
            self.instead(Place::Page(project.clone()), Lie::json(page.clone()));
        }
    }

    /// Goes away, and leaves an honest proxy.
    pub fn leave(&self) {
        self.tricks().clear();
        self.state.left.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was asked for something there.
    pub fn asked(&self, place: &Place) -> usize {
        self.log().iter().filter(|exchange| place.covers(&exchange.path)).count()
    }

    /// The most bytes of one body that a client took there; what fits into the buffers of the kernel included.
    pub fn taken(&self, place: &Place) -> u64 {
        let log = self.log();
        let there = log.iter().filter(|exchange| place.covers(&exchange.path));
        there.map(|exchange| exchange.sent.load(Ordering::Relaxed)).max().unwrap_or_default()
    }

    /// Forgets what it was asked for.
    pub fn forget(&self) {
        self.log().clear();
    }

    fn tricks(&self) -> MutexGuard<'_, Vec<(Place, Trick)>> {
        self.state.tricks.lock().expect("a lock")
    }

    fn log(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.state.log.lock().expect("a lock")
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.leave();
        self.state.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.ended.load(Ordering::Relaxed) {
            return;
        }
        let state = Arc::clone(state);
        // A client that has had enough is what some of this is for.
        thread::spawn(move || serve(&stream, &state));
    }
}

/// One request a connection.
fn serve(stream: &TcpStream, state: &State) -> io::Result<()> {
    let Some(asked) = ask(stream)? else { return Ok(()) };
    let path = asked.target.split('?').next().unwrap_or_default().to_owned();
    let began = state.left.load(Ordering::Relaxed);
    let lie = state.answer(&path, asked.forward(&state.honest))?;
    let sent = state.note(path);
    lie.send(stream, asked.method == "HEAD", |bytes| {
        sent.fetch_add(bytes, Ordering::Relaxed);
        state.left.load(Ordering::Relaxed) == began
    })
}

impl State {
    fn answer(&self, path: &str, honest: Request) -> io::Result<Lie> {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let tricks = self.tricks.lock().expect("a lock").clone();
        let trick = tricks.into_iter().rev().find(|(place, _)| place.covers(&decoded));
        match trick.map(|(_, trick)| trick) {
            Some(Trick::Instead(lie)) => Ok(lie),
            Some(Trick::Alter(how)) => Ok(how(honest.try_send()?)),
            None => honest.try_send().map(Lie::like),
        }
    }

    /// The count of what is sent.
    fn note(&self, path: String) -> Arc<AtomicU64> {
        let sent = Arc::default();
        let exchange = Exchange { path, sent: Arc::clone(&sent) };
        self.log.lock().expect("a lock").push(exchange);
        sent
    }
}

struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// As it came, but for what concerns the connection; nothing comes back compressed, so that it can be altered.
    fn forward(&self, origin: &str) -> Request {
        let own = ["host", "connection", "accept-encoding", "content-length"];
        let headers = self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let request = Request::new(&self.method, &format!("{origin}{}", self.target));
        headers.fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// The head of a request; nobody sends it a body. Nothing where the connection was closed unused.
fn ask(stream: &TcpStream) -> io::Result<Option<Asked>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            return Ok(Some(Asked { method, target, headers }));
        }
        if let Some((name, value)) = line.trim_end().split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}
