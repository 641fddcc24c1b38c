//! A mirror for tests: a real server on loopback that says, byte for byte, what a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::config::{Access, LimitsConfig, UpstreamConfig};
use crate::upstream::Upstream;
use hyper_util::client::proxy::matcher::Matcher;

/// What the mirror does with a request.
pub(crate) enum Reply {
    /// Sends this and closes.
    Close(Vec<u8>),
    /// Sends this and waits for the next request.
    Keep(Vec<u8>),
    /// Sends this and then nothing more.
    Hang(Vec<u8>),
    /// Sends the first, and then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends the first, and then the second again and again, with a pause each time.
    Trickle(Vec<u8>, Vec<u8>, Duration),
    /// Sends this and becomes a tunnel to that address.
    Tunnel(Vec<u8>, SocketAddr),
}

type Answer = dyn Fn(usize, &str) -> Reply + Send + Sync;

struct State {
    answer: Box<Answer>,
    count: AtomicUsize,
    connections: AtomicUsize,
    sent: AtomicU64,
    requests: Mutex<Vec<String>>,
}

/// The mirror; it stops when it is dropped.
pub(crate) struct Mirror {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mirror {
    /// Starts one that answers the nth request (from 0), given as text, with what `answer` says.
    pub(crate) async fn start(
        answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_tls(None, answer).await
    }

    pub(crate) async fn start_tls(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Box::new(answer),
            count: AtomicUsize::default(),
            connections: AtomicUsize::default(),
            sent: AtomicU64::default(),
            requests: Mutex::default(),
        });
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                shared.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, tls.clone(), shared.clone()));
            }
        });
        Self { addr, state, task: task.abort_handle() }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Bytes sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// A URL at this mirror.
    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.addr).parse().unwrap()
    }

    /// A client for this mirror's `/simple/`.
    pub(crate) fn client(&self) -> Upstream {
        client(&self.config())
    }

    /// A client with no patience.
    pub(crate) fn hasty_client(&self) -> Upstream {
        let (response_timeout, idle_timeout) =
            (Duration::from_millis(200), Duration::from_millis(200));
        client(&UpstreamConfig { response_timeout, idle_timeout, ..self.config() })
    }

    /// The default configuration, for this mirror.
    pub(crate) fn config(&self) -> UpstreamConfig {
        UpstreamConfig { url: Some(self.url("/simple/").into()), ..UpstreamConfig::default() }
    }
}

/// Pages up to 1 MiB, lists up to 2 MiB, files up to 3 MiB.
pub(crate) fn limits() -> LimitsConfig {
    let mib = 1024 * 1024;
    LimitsConfig { page: mib, list: 2 * mib, file: 3 * mib }
}

/// A client without proxies.
pub(crate) fn client(config: &UpstreamConfig) -> Upstream {
    let none = Matcher::builder().build();
    Upstream::with_proxies(config, &limits(), Access::Upstream, none).unwrap()
}

/// An answer with Content-Length.
pub(crate) fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len())
        .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// 200 with that body.
pub(crate) fn ok(headers: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply::Keep(answer("200 OK", headers, body))
}

/// A redirect.
pub(crate) fn redirect(to: &str) -> Reply {
    Reply::Keep(answer("302 Found", &format!("Location: {to}\r\n"), ""))
}

/// That status, and nothing else.
pub(crate) fn status(status: &str) -> Reply {
    Reply::Keep(answer(status, "", ""))
}

/// The value of a header in a request's text.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    match tls {
        None => converse(stream, state).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => converse(stream, state).await,
            Err(_) => None,
        },
    };
}

/// Ends with `None` when the client has gone.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    state: Arc<State>,
) -> Option<()> {
    loop {
        let request = read_request(&mut stream).await?;
        let count = state.count.fetch_add(1, Ordering::Relaxed);
        let reply = (state.answer)(count, &request);
        state.requests.lock().unwrap().push(request);
        match reply {
            Reply::Keep(bytes) => write(&mut stream, &bytes, &state).await?,
            Reply::Close(bytes) => {
                write(&mut stream, &bytes, &state).await?;
                return stream.shutdown().await.ok();
            }
            Reply::Hang(bytes) => {
                write(&mut stream, &bytes, &state).await?;
                // Until the client gives up.
                stream.read_u8().await.ok()?;
                return None;
            }
            Reply::Endless(first, again) => {
                write(&mut stream, &first, &state).await?;
                loop {
                    write(&mut stream, &again, &state).await?;
                }
            }
            Reply::Trickle(first, again, pause) => {
                write(&mut stream, &first, &state).await?;
                loop {
                    write(&mut stream, &again, &state).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Reply::Tunnel(bytes, to) => {
                write(&mut stream, &bytes, &state).await?;
                let mut other = TcpStream::connect(to).await.ok()?;
                tokio::io::copy_bidirectional(&mut stream, &mut other).await.ok()?;
                return None;
            }
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], state: &State) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.flush().await.ok()?;
    state.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    Some(())
}

/// Head and body, as they came.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = format!("{head}\r\n\r\n");
            let whole = match header(&head, "content-length") {
                Some(length) => body.len() >= length.parse().unwrap(),
                None if header(&head, "transfer-encoding").is_some() => body.ends_with("0\r\n\r\n"),
                None => true,
            };
            if whole {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
