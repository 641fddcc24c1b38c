//! An upstream that answers as it is told: wrong, late, too much or not at all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::JSON;
use super::packages::Package;

/// Answers on loopback until it is dropped.
pub struct Hostile {
    pub port: u16,
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    answers: Mutex<BTreeMap<String, Answer>>,
    requests: Mutex<Vec<String>>,
    /// What was uploaded, by project, as pages list it; nothing where no uploads are taken.
    uploads: Mutex<Option<BTreeMap<String, Vec<Value>>>>,
    ended: AtomicBool,
}

/// What it does on a path.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A complete answer.
    Whole { status: u16, headers: Vec<(String, String)>, body: Arc<Vec<u8>> },
    /// As many bytes as were promised of something without an end, 64 KiB at a time.
    Endless { content_type: String, bytes: u64 },
    /// Fewer bytes than were promised, then the end of the connection.
    Short { content_type: String, promised: usize, body: Arc<Vec<u8>> },
    /// Nothing: the request is read, and the connection stays open.
    Hang,
}

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".into(), content_type.into())];
        Self::Whole { status, headers, body: Arc::new(body.into()) }
    }

    pub fn json(value: &Value) -> Self {
        Self::new(200, JSON, value.to_string())
    }

    pub fn status(status: u16) -> Self {
        Self::new(status, "text/plain", "no")
    }

    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/octet-stream", bytes)
    }

    pub fn redirect(location: &str) -> Self {
        Self::new(302, "text/plain", "").with("Location", location)
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }
}

impl Hostile {
    /// With an empty project list.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script = Arc::new(Script::default());
        let shared = Arc::clone(&script);
        thread::spawn(move || accept(&listener, &shared));
        let hostile = Self { port, script };
        hostile.list(&[]);
        hostile
    }

    /// Takes uploads, as pypiserver does, at a cost that does not grow with what it holds.
    pub fn taking_uploads() -> Self {
        let hostile = Self::start();
        *hostile.script.uploads.lock().expect("a lock") = Some(BTreeMap::new());
        hostile
    }

    pub fn simple_url(&self) -> String {
        format!("{}/simple/", self.origin())
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on, on this path.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.script.answer(path, answer);
    }

    /// The project list.
    pub fn list(&self, projects: &[&str]) {
        self.answer("/simple/", Answer::json(&list(projects.iter().copied())));
    }

    /// A project's page.
    pub fn page(&self, project: &str, files: &[Value]) {
        self.answer(&format!("/simple/{project}/"), Answer::json(&page(project, files)));
    }

    /// A good project: its page, and its files.
    pub fn publish(&self, files: &[&Package]) {
        let links: Vec<_> = files.iter().map(|file| link(file)).collect();
        self.page(&files[0].normalized(), &links);
        for file in files {
            self.answer(&format!("/files/{}", file.filename), Answer::file(file.bytes.clone()));
        }
    }

    /// `GET /path`, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.script.requests.lock().expect("a lock").clone()
    }

    /// How often a path was asked for.
    pub fn asked_for(&self, path: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.split_once(' ').is_some_and(|(_, asked)| asked == path))
            .count()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.script.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Script {
    fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().expect("a lock").insert(path.to_owned(), answer);
    }

    /// By the path as it was sent, or else as it reads decoded: clients encode differently.
    fn find(&self, path: &str) -> Option<Answer> {
        let answers = self.answers.lock().expect("a lock");
        let decoded = || percent_decode_str(path).decode_utf8_lossy();
        answers.get(path).or_else(|| answers.get(decoded().as_ref())).cloned()
    }

    /// Takes a form as twine sends it, where uploads are taken.
    fn take(&self, form: &[u8]) -> Option<Answer> {
        let mut uploads = self.uploads.lock().expect("a lock");
        let projects = uploads.as_mut()?;
        let project = between(form, "name=\"name\"\r\n\r\n", "\r\n")?;
        let filename = between(form, "filename=\"", "\"")?;
        let bytes = between(form, "octet-stream\r\n\r\n", "\r\n--countersign")?;
        let (project, filename) = (text(project), text(filename));
        let link = json!({
            "filename": filename,
            "url": format!("/files/{filename}"),
            "hashes": { "sha256": hex::encode(Sha256::digest(bytes)) },
            "size": bytes.len(),
        });
        let links = projects.entry(project.clone()).or_default();
        links.retain(|known| known["filename"] != filename.as_str());
        links.push(link);
        self.answer(&format!("/files/{filename}"), Answer::file(bytes));
        self.answer(&format!("/simple/{project}/"), Answer::json(&page(&project, links)));
        self.answer("/simple/", Answer::json(&list(projects.keys().map(String::as_str))));
        Some(Answer::new(200, "text/plain", ""))
    }
}

fn between<'a>(bytes: &'a [u8], start: &str, end: &str) -> Option<&'a [u8]> {
    let find = |bytes: &[u8], what: &str| {
        bytes.windows(what.len()).position(|window| window == what.as_bytes())
    };
    let rest = &bytes[find(bytes, start)? + start.len()..];
    Some(&rest[..find(rest, end)?])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A project list of PEP 691.
fn list<'a>(projects: impl Iterator<Item = &'a str>) -> Value {
    let names: Vec<_> = projects.map(|name| json!({ "name": name })).collect();
    json!({ "meta": { "api-version": "1.1" }, "projects": names })
}

/// A page of PEP 691.
pub fn page(project: &str, files: &[Value]) -> Value {
    json!({ "meta": { "api-version": "1.1" }, "name": project, "files": files, "versions": [] })
}

/// A file as its page lists it, below `/files/`.
pub fn link(file: &Package) -> Value {
    json!({
        "filename": file.filename,
        "url": format!("/files/{}", file.filename),
        "hashes": { "sha256": file.sha256() },
        "size": file.bytes.len(),
    })
}

fn accept(listener: &TcpListener, script: &Arc<Script>) {
    for stream in listener.incoming().flatten() {
        if script.ended.load(Ordering::Relaxed) {
            return;
        }
        let script = Arc::clone(script);
        // Head and body are two writes; the second waits for nothing.
        let _ = stream.set_nodelay(true);
        // A client that goes away in the middle is what these answers are for.
        thread::spawn(move || while matches!(serve(&stream, &script), Ok(true)) {});
    }
}

/// Answers one request; tells whether the connection may be used again.
fn serve(stream: &TcpStream, script: &Script) -> std::io::Result<bool> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some((method, path)) = line.split_once(' ').map(|(method, rest)| (method.to_owned(), rest))
    else {
        return Ok(false);
    };
    let path = path.split([' ', '?']).next().unwrap_or_default().to_owned();
    let (mut length, mut last) = (0, false);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        let header = header.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        last |= header.trim_end() == "connection: close";
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    script.requests.lock().expect("a lock").push(format!("{method} {path}"));
    let taken = if method == "POST" { script.take(&body) } else { None };
    let answer = taken.or_else(|| script.find(&path));
    let answer = answer.unwrap_or_else(|| Answer::status(404));
    Ok(write(stream, &method, answer, script)? && !last)
}

fn write(
    mut stream: &TcpStream,
    method: &str,
    answer: Answer,
    script: &Script,
) -> std::io::Result<bool> {
    match answer {
        Answer::Whole { status, headers, body } => {
            let headers: String =
                headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            write!(
                stream,
                "HTTP/1.1 {status} Scripted\r\n{headers}Content-Length: {}\r\n\r\n",
                body.len()
            )?;
            if method != "HEAD" {
                stream.write_all(&body)?;
            }
            Ok(true)
        }
        Answer::Endless { content_type, bytes } => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n"
            )?;
            let block = vec![b' '; 64 * 1024];
            for _ in 0..bytes / block.len() as u64 {
                stream.write_all(&block)?;
            }
            Ok(false)
        }
        Answer::Short { content_type, promised, body } => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {promised}\r\n\r\n"
            )?;
            stream.write_all(&body)?;
            Ok(false)
        }
        Answer::Hang => {
            while !script.ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
            Ok(false)
        }
    }
}
