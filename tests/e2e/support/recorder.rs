//! A proxy before any server that changes nothing, and lists what was asked of it and what that cost.
//!
//! Requests and answers pass as they are, but that each has a connection of its own.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use super::wire::{self, reset, status};

/// Listens on loopback until it is dropped.
pub struct Recorder {
    port: u16,
    state: Arc<State>,
}

struct State {
    upstream: String,
    log: Mutex<Vec<Exchange>>,
    /// How many of the log are no news any more.
    told: AtomicUsize,
    cut: AtomicBool,
    ended: AtomicBool,
}

/// One request, and its answer as far as it has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub method: String,
    /// As it was asked for, query included.
    pub path: String,
    /// Of the answer, where one came.
    pub status: Option<u16>,
    /// Of the answer's body, as it is sent: compressed where it is. A byte is counted before it is passed on.
    pub bytes: u64,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, status, bytes } = self;
        write!(f, "{method} {path} {} {bytes}", status.unwrap_or_default())
    }
}

impl Recorder {
    /// Before an origin such as `http://127.0.0.1:8080`.
    pub fn before(origin: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let upstream = origin.strip_prefix("http://").expect("an http origin");
        let state = Arc::new(State {
            upstream: upstream.trim_end_matches('/').to_owned(),
            log: Mutex::default(),
            told: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Self { port, state }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A URL of what it stands before, through it.
    pub fn through(&self, url: &str) -> String {
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        format!("{}/{path}", self.origin())
    }

    /// All requests until now, oldest first.
    pub fn log(&self) -> Vec<Exchange> {
        self.state.log().clone()
    }

    /// Those since the last time that this was asked, or since the start.
    pub fn news(&self) -> Vec<Exchange> {
        let log = self.state.log();
        let told = self.state.told.swap(log.len(), Ordering::SeqCst);
        log[told..].to_vec()
    }

    /// How many requests were for a path with this in it.
    pub fn asked_for(&self, part: &str) -> usize {
        self.log().iter().filter(|one| one.path.contains(part)).count()
    }

    /// Bytes of the answers to requests for a path with this in it.
    pub fn bytes(&self, part: &str) -> u64 {
        self.log().iter().filter(|one| one.path.contains(part)).map(|one| one.bytes).sum()
    }

    /// No network: each connection is reset before anything passes, and nothing is listed, until it is mended.
    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Ordering::SeqCst);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn log(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.log.lock().expect("a lock")
    }

    fn note(&self, number: usize, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.log()[number]);
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.ended.load(Ordering::Relaxed) {
            return;
        }
        if state.cut.load(Ordering::SeqCst) {
            let _ = reset(&stream);
            continue;
        }
        let state = Arc::clone(state);
        // Whoever goes away in the middle, the other end is told in the same way.
        thread::spawn(move || {
            if serve(&stream, &state).is_err() {
                let _ = reset(&stream);
            }
        });
    }
}

fn serve(mut stream: &TcpStream, state: &State) -> io::Result<()> {
    let asked = wire::ask(stream)?;
    // A connection that was opened and never used.
    if asked.method.is_empty() {
        return Ok(());
    }
    let number = {
        let mut log = state.log();
        log.push(Exchange { method: asked.method, path: asked.target, status: None, bytes: 0 });
        log.len() - 1
    };
    let mut answer = wire::forward(&state.upstream, &asked.raw)?;
    let head = head(&mut answer)?;
    let body = head.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
    state.note(number, |one| {
        one.status = status(&head);
        one.bytes = (head.len() - body) as u64;
    });
    stream.write_all(&head)?;
    let mut block = vec![0; 64 << 10];
    loop {
        let length = answer.read(&mut block)?;
        if length == 0 {
            return Ok(());
        }
        state.note(number, |one| one.bytes += length as u64);
        stream.write_all(&block[..length])?;
    }
}

/// The head of an answer, and what came with its end.
fn head(answer: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut block) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match answer.read(&mut block)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(&block[..length]),
        }
    }
    Ok(head)
}
