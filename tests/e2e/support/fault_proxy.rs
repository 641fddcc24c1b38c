//! A proxy before the object store that spoils what it is told to spoil.
//!
//! Requests go on as they came, `Host` too, since S3's signatures cover it; each has a connection of its own.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::secs;
use super::wire::{self, Asked, reset, status};

/// Listens on loopback until it is dropped.
pub struct FaultProxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    upstream: u16,
    faults: Mutex<Vec<Armed>>,
    log: Mutex<Vec<Exchange>>,
    /// Of the random numbers; the same each run.
    dice: AtomicU64,
    paused: AtomicBool,
    ended: AtomicBool,
}

struct Armed {
    fault: Fault,
    /// Requests that it would have been about.
    seen: usize,
    hits: usize,
}

/// One request, and how it was answered.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `LIST` for a GET of a bucket.
    pub method: String,
    /// The key, or what the listed keys begin with; bucket included.
    pub key: String,
    /// Of the answer that came from the store, where one came.
    pub status: Option<u16>,
}

/// What goes wrong, on which requests.
#[derive(Debug, Clone)]
pub struct Fault {
    method: Option<&'static str>,
    key: &'static str,
    when: When,
    act: Act,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    /// The first so many.
    First(usize),
    /// The one with this number, from 1.
    Nth(usize),
    /// One in so many, by chance.
    OneIn(u64),
}

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// This status at once; the store never hears of it.
    Status(u16),
    /// A reset at once; the store never hears of it.
    Reset,
    /// The store does what is asked, and the connection is reset instead of the answer.
    LoseAnswer,
    /// The store does what is asked, and nothing comes back until the client gives up.
    Silence,
    /// It goes on, and is answered, this much later.
    Delay(Duration),
    /// It goes on without `If-None-Match`, as to a service that has never heard of it; unsigned requests alone.
    Unconditional,
}

impl Fault {
    /// On every request.
    pub fn always(act: Act) -> Self {
        Self { method: None, key: "", when: When::Always, act }
    }

    /// On requests of this method alone: GET, PUT, DELETE, POST, HEAD or LIST.
    pub fn on(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    /// Where the key has this in it.
    pub fn at(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    pub fn first(mut self, count: usize) -> Self {
        self.when = When::First(count);
        self
    }

    pub fn nth(mut self, number: usize) -> Self {
        self.when = When::Nth(number);
        self
    }

    pub fn one_in(mut self, count: u64) -> Self {
        self.when = When::OneIn(count);
        self
    }
}

impl FaultProxy {
    /// Before the port of a store; spoils nothing yet.
    pub fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            upstream,
            faults: Mutex::default(),
            log: Mutex::default(),
            dice: AtomicU64::new(0x2545_f491_4f6c_dd1d),
            paused: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Self { port, state }
    }

    /// From now on; of several that fit, the first does it.
    pub fn spoil(&self, fault: Fault) {
        self.faults().push(Armed { fault, seen: 0, hits: 0 });
    }

    /// Spoils nothing for a while.
    pub fn pause(&self, paused: bool) {
        self.state.paused.store(paused, Ordering::Relaxed);
    }

    /// Spoils nothing any more.
    pub fn heal(&self) {
        self.faults().clear();
    }

    /// How often something was spoiled since the last [`heal`](Self::heal).
    pub fn hits(&self) -> usize {
        self.faults().iter().map(|armed| armed.hits).sum()
    }

    /// All requests until now.
    pub fn log(&self) -> Vec<Exchange> {
        self.state.log.lock().expect("a lock").clone()
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.state.faults.lock().expect("a lock")
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    /// What is to be done to a request.
    fn act(&self, method: &str, key: &str) -> Option<Act> {
        if self.paused.load(Ordering::Relaxed) {
            return None;
        }
        for armed in self.faults.lock().expect("a lock").iter_mut() {
            let fault = &armed.fault;
            if fault.method.is_some_and(|one| one != method) || !key.contains(fault.key) {
                continue;
            }
            armed.seen += 1;
            let hit = match fault.when {
                When::Always => true,
                When::First(count) => armed.seen <= count,
                When::Nth(number) => armed.seen == number,
                When::OneIn(count) => self.roll().is_multiple_of(count),
            };
            if hit {
                armed.hits += 1;
                return Some(fault.act);
            }
        }
        None
    }

    /// xorshift
    fn roll(&self) -> u64 {
        let step = |mut state: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            Some(state)
        };
        let previous = self.dice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        previous.unwrap_or_default() >> 11
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.ended.load(Ordering::Relaxed) {
            return;
        }
        let state = Arc::clone(state);
        // A client that goes away is its own affair.
        thread::spawn(move || serve(stream, &state));
    }
}

fn serve(stream: TcpStream, state: &State) -> io::Result<()> {
    let (method, key, raw) = asked(&stream)?;
    let act = state.act(&method, &key);
    let note = |status| {
        let exchange = Exchange { method: method.clone(), key: key.clone(), status };
        state.log.lock().expect("a lock").push(exchange);
    };
    match act {
        Some(Act::Status(status)) => {
            note(None);
            let head = format!(
                "HTTP/1.1 {status} Spoiled\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            (&stream).write_all(head.as_bytes())
        }
        Some(Act::Reset) => {
            note(None);
            reset(&stream)
        }
        Some(Act::Delay(time)) => {
            thread::sleep(time);
            let answer = forward(state.upstream, &raw)?;
            note(status(&answer));
            (&stream).write_all(&answer)
        }
        Some(Act::Unconditional) => {
            let answer = forward(state.upstream, &without_condition(&raw))?;
            note(status(&answer));
            (&stream).write_all(&answer)
        }
        Some(Act::LoseAnswer) => {
            note(status(&forward(state.upstream, &raw)?));
            reset(&stream)
        }
        Some(Act::Silence) => {
            note(status(&forward(state.upstream, &raw)?));
            stream.set_read_timeout(Some(secs(300)))?;
            (&stream).read(&mut [0]).map(drop)
        }
        None => {
            let answer = forward(state.upstream, &raw)?;
            note(status(&answer));
            (&stream).write_all(&answer)
        }
    }
}

/// The request, and what it is about.
fn asked(stream: &TcpStream) -> io::Result<(String, String, Vec<u8>)> {
    let Asked { method, target, raw } = wire::ask(stream)?;
    let listed = target.contains("list-type=");
    let key = match target.split_once("prefix=").filter(|_| listed) {
        Some((bucket, rest)) => {
            let bucket = bucket.split('?').next().unwrap_or_default();
            format!("{bucket}/{}", rest.split('&').next().unwrap_or_default())
        }
        None => target,
    };
    let key = percent_decode_str(&key).decode_utf8_lossy().replace("//", "/");
    Ok((if listed { "LIST".to_owned() } else { method }, key, raw))
}

/// The whole answer: the store closes the connection after it.
fn forward(port: u16, raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    wire::forward(&format!("127.0.0.1:{port}"), raw)?.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Headers in lower case, as hyper writes them.
fn without_condition(raw: &[u8]) -> Vec<u8> {
    let header = b"\r\nif-none-match: *";
    match raw.windows(header.len()).position(|window| window == header) {
        Some(at) => [&raw[..at], &raw[at + header.len()..]].concat(),
        None => raw.to_vec(),
    }
}
