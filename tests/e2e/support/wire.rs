//! What the proxies of the tests share: a request as it came, and its way on to somebody who closes after the answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

/// A request that was read whole.
pub struct Asked {
    pub method: String,
    /// As it stands in the request line.
    pub target: String,
    /// Head and body, as they came, but for the connection's end.
    pub raw: Vec<u8>,
}

/// Reads the one request that a connection is good for.
pub fn ask(stream: &TcpStream) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut parts = first.split(' ').map(str::to_owned);
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut raw = first.into_bytes();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if !lower.starts_with("connection:") {
            raw.extend_from_slice(line.as_bytes());
        }
    }
    raw.extend_from_slice(b"Connection: close\r\n\r\n");
    reader.take(length).read_to_end(&mut raw)?;
    Ok(Asked { method, target, raw })
}

/// Passes a request on; the answer is what can be read until the end.
pub fn forward(authority: &str, raw: &[u8]) -> io::Result<TcpStream> {
    let mut upstream = TcpStream::connect(authority)?;
    upstream.write_all(raw)?;
    Ok(upstream)
}

/// The status in the first bytes of an answer.
pub fn status(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

/// Once it is dropped.
pub fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
