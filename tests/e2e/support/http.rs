//! A bare HTTP client: it checks nothing, repeats nothing, and tells exactly what came and how it ended.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One request on a connection of its own.
pub struct Request {
    method: String,
    authority: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    silence: Duration,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    /// What arrived of the body, without its chunked framing.
    pub body: Vec<u8>,
    pub end: End,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As its framing said.
    Complete,
    /// The connection was closed before that: a client may take it for whole.
    Short,
    /// The connection was reset.
    Reset,
    /// Nothing came any more.
    Silent,
}

/// The JSON form of a simple page.
pub const JSON: &str = "application/vnd.pypi.simple.v1+json";

pub fn get(url: &str) -> Response {
    Request::new("GET", url).send()
}

impl Request {
    /// The URL's path goes out as it stands.
    pub fn new(method: &str, url: &str) -> Self {
        let rest = url.strip_prefix("http://").expect("an http URL");
        let (authority, target) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        Self {
            method: method.into(),
            authority: authority.into(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            silence: Duration::from_secs(60),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// How long it waits for the next byte, instead of a minute.
    pub fn patience(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    pub fn send(self) -> Response {
        let what = format!("{} http://{}{}", self.method, self.authority, self.target);
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// # Errors
    /// Where the connection fails, or ends before there is a head.
    pub fn try_send(self) -> io::Result<Response> {
        let mut stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(self.silence))?;
        stream.write_all(&self.head())?;
        // Who refuses a body may close before it has read all of it, with the answer on its way.
        let _ = stream.write_all(&self.body);
        read(&mut stream, self.method == "HEAD")
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut line = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        line("Host", &self.authority);
        line("Connection", "close");
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT") {
            line("Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} is no JSON ({error}): {}", self.status, self.text()))
    }

    /// A complete answer with a status of success: what a client takes for the thing itself.
    pub fn is_whole(&self) -> bool {
        (200..300).contains(&self.status) && self.end == End::Complete
    }
}

fn read(stream: &mut impl Read, no_body: bool) -> io::Result<Response> {
    let mut raw = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut head: Option<(Response, usize)> = None;
    loop {
        if head.is_none() {
            head = parse_head(&raw);
        }
        if let Some((response, start)) = &mut head {
            let whole = no_body || matches!(response.status, 204 | 304);
            if whole || take_body(response, &raw[*start..]) {
                response.end = End::Complete;
                break;
            }
        }
        let end = match stream.read(&mut buffer) {
            Ok(0) => End::Short,
            Ok(length) => {
                raw.extend_from_slice(&buffer[..length]);
                continue;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                End::Silent
            }
            Err(error) => return Err(error),
        };
        let Some((response, start)) = &mut head else {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("no head: {end:?}")));
        };
        response.body = partial_body(response, &raw[*start..]);
        let until_close = response.header("content-length").is_none() && !is_chunked(response);
        response.end = if end == End::Short && until_close { End::Complete } else { end };
        break;
    }
    Ok(head.expect("a head").0)
}

fn parse_head(raw: &[u8]) -> Option<(Response, usize)> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = text.split("\r\n");
    let mut status = lines.next()?.splitn(3, ' ');
    let status_code = status.nth(1)?.parse().ok()?;
    let reason = status.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Some((
        Response { status: status_code, reason, headers, body: Vec::new(), end: End::Silent },
        end + 4,
    ))
}

fn is_chunked(response: &Response) -> bool {
    response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
}

/// Sets the body, and tells whether all of it is there.
fn take_body(response: &mut Response, raw: &[u8]) -> bool {
    if is_chunked(response) {
        let whole = raw.ends_with(b"0\r\n\r\n");
        if whole {
            response.body = unchunk(raw);
        }
        return whole;
    }
    let length = response.header("content-length").and_then(|value| value.parse::<usize>().ok());
    let whole = length.is_some_and(|length| raw.len() >= length);
    if whole {
        response.body = raw.to_vec();
    }
    whole
}

fn partial_body(response: &Response, raw: &[u8]) -> Vec<u8> {
    if is_chunked(response) { unchunk(raw) } else { raw.to_vec() }
}

fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = raw.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&raw[..line]);
        let Ok(size) = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
        else {
            break;
        };
        let start = line + 2;
        let end = (start + size).min(raw.len());
        body.extend_from_slice(&raw[start..end]);
        raw = &raw[(end + 2).min(raw.len())..];
        if size == 0 {
            break;
        }
    }
    body
}
