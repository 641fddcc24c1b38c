//! A load balancer: one address, and each request goes to any one of several replicas.
//!
//! An answer goes out only once it is whole; a replica that is gone, silent or says 502 to 504 costs a request
//! nothing but the next try at another, and is spared for a second. So whatever is wrong with an answer that comes through is the replica's fault.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::http::{End, Request, Response};
use super::secs;

/// Listens on loopback until it is dropped.
pub struct Balancer {
    port: u16,
    ended: Arc<AtomicBool>,
}

struct Origin {
    url: String,
    failed: Mutex<Option<Instant>>,
}

impl Origin {
    fn new(url: String) -> Self {
        Self { url, failed: Mutex::new(None) }
    }

    fn is_spared(&self) -> bool {
        self.failed.lock().expect("a lock").is_some_and(|when| when.elapsed() < secs(1))
    }
}

impl Balancer {
    /// Before these origins.
    pub fn before(origins: Vec<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let origins: Arc<Vec<_>> = Arc::new(origins.into_iter().map(Origin::new).collect());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                let origins = Arc::clone(&origins);
                thread::spawn(move || serve(&stream, &origins));
            }
        });
        Self { port, ended }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: &TcpStream, origins: &[Origin]) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "host" | "connection" => {}
            _ => headers.push((name.to_owned(), value.to_owned())),
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let mut parts = first.split(' ');
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let answer = ask(method, path, &headers, &body, origins);
    let (status, body) = answer.map_or((504, Vec::new()), |answer| (answer.status, answer.body));
    let head = format!(
        "HTTP/1.1 {status} Relayed\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

fn ask(
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
    origins: &[Origin],
) -> Option<Response> {
    let start = any();
    let mut turns: Vec<_> =
        (0..origins.len()).map(|n| &origins[(start + n) % origins.len()]).collect();
    turns.sort_by_key(|origin| origin.is_spared());
    let mut last = None;
    for origin in turns {
        let request = Request::new(method, &format!("{}{path}", origin.url)).patience(secs(3));
        let request = headers.iter().fold(request, |it, (name, value)| it.header(name, value));
        let answer = request.body(body).try_send().ok().filter(|it| it.end == End::Complete);
        match answer {
            Some(answer) if !matches!(answer.status, 502..=504) => return Some(answer),
            answer => {
                *origin.failed.lock().expect("a lock") = Some(Instant::now());
                last = answer.or(last);
            }
        }
    }
    last
}

/// Which one is first: no two in a row are alike for long.
fn any() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let mut state = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state ^= state >> 29;
    state.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}
