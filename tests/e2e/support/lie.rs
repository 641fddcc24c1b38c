//! An answer that is not what it should be: other bytes, another length, without an end, or late.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::http::Response;

/// How it goes out is as free as what goes out.
#[derive(Debug, Clone)]
pub struct Lie {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: Arc<Vec<u8>>,
    length: Length,
    /// So many spaces follow the body.
    more: u64,
    /// Between any two bytes.
    pause: Duration,
    /// The connection stays open, and nothing is said.
    silent: bool,
}

/// What `Content-Length` says.
#[derive(Debug, Clone, Copy)]
enum Length {
    Right,
    Wrong(u64),
    /// There is none: the body ends with the connection.
    Untold,
}

const BLOCK: usize = 64 * 1024;

impl Lie {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            reason: "As You Wish".into(),
            headers: vec![("Content-Type".into(), content_type.into())],
            body: Arc::new(body.into()),
            length: Length::Right,
            more: 0,
            pause: Duration::ZERO,
            silent: false,
        }
    }

    /// 200, with these bytes.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/octet-stream", body)
    }

    /// 200, with metadata or a page.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/vnd.pypi.simple.v1+json", body)
    }

    pub fn status(status: u16) -> Self {
        Self::new(status, "text/plain", "no")
    }

    /// The request is heard, and never answered.
    pub fn silence() -> Self {
        Self { silent: true, ..Self::status(200) }
    }

    /// What the sidecar said; the truth.
    pub fn like(honest: Response) -> Self {
        let own = ["content-length", "transfer-encoding", "connection"];
        let length = honest.header("content-length").and_then(|value| value.parse().ok());
        // To HEAD there is a length without a body.
        let length = length.filter(|_| honest.body.is_empty()).map_or(Length::Right, Length::Wrong);
        let kept = |(name, _): &(String, String)| !own.contains(&&*name.to_ascii_lowercase());
        Self {
            reason: honest.reason,
            headers: honest.headers.into_iter().filter(kept).collect(),
            length,
            ..Self::new(honest.status, "", honest.body)
        }
    }

    /// As if it were there.
    pub fn ok(self) -> Self {
        Self { status: 200, ..self }
    }

    /// Other bytes.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Arc::new(body.into()), length: Length::Right, ..self }
    }

    /// One more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says that the body is so long.
    pub fn promising(self, length: u64) -> Self {
        Self { length: Length::Wrong(length), ..self }
    }

    /// Goes on after the body, without a length, for so many bytes at most.
    pub fn endless(self, bytes: u64) -> Self {
        Self { length: Length::Untold, more: bytes, ..self }
    }

    /// One byte each `pause`.
    pub fn trickling(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Sends it. `sent` is told how many more bytes of the body went out, and answers whether to go on.
    ///
    /// # Errors
    /// The client went away.
    pub(super) fn send(
        &self,
        mut stream: &TcpStream,
        head_alone: bool,
        mut sent: impl FnMut(u64) -> bool,
    ) -> io::Result<()> {
        if self.silent {
            while sent(0) {
                thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        stream.write_all(&self.head())?;
        if head_alone {
            return Ok(());
        }
        let step = if self.pause.is_zero() { BLOCK } else { 1 };
        let spaces = vec![b' '; BLOCK];
        let more = (0..self.more / BLOCK as u64).map(|_| spaces.as_slice());
        for piece in self.body.chunks(step).chain(more) {
            stream.write_all(piece)?;
            if !sent(piece.len() as u64) {
                return Ok(());
            }
            thread::sleep(self.pause);
        }
        Ok(())
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\nConnection: close\r\n", self.status, self.reason);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = match self.length {
            Length::Right => Some(self.body.len() as u64),
            Length::Wrong(length) => Some(length),
            Length::Untold => None,
        };
        if let Some(length) = length.filter(|_| self.status != 304) {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}
