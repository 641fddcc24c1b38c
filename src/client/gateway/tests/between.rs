//! Who stands between the gateway and the sidecar: passes on, counts, and does what a test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::upstream::testing::answer;

/// What is done with a request.
#[derive(Clone)]
pub enum Act {
    /// Answers with 200 and these bytes.
    Say(Vec<u8>),
    /// Answers with that status and nothing else.
    Status(&'static str),
    /// Sends these again and again, without saying how many they are.
    Endless(&'static [u8]),
    /// Closes the connection.
    Break,
    /// Says nothing, for as long as somebody waits.
    Wait,
}

#[derive(Default)]
struct State {
    acts: BTreeMap<String, Act>,
    /// For all that is not in `acts`.
    otherwise: Option<Act>,
    asked: Vec<String>,
}

/// It stops when it is dropped.
pub struct Between {
    pub addr: SocketAddr,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Between {
    pub async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, to, shared.clone()));
            }
        });
        Self { addr, state, task: task.abort_handle() }
    }

    /// From now on a request for `path` is treated so.
    pub fn act(&self, path: &str, act: Act) {
        self.state.lock().unwrap().acts.insert(path.to_owned(), act);
    }

    /// From now on all other requests are treated so.
    pub fn otherwise(&self, act: Act) {
        self.state.lock().unwrap().otherwise = Some(act);
    }

    /// From now on everything is passed on.
    pub fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        (state.acts, state.otherwise) = (BTreeMap::new(), None);
    }

    /// The paths that were asked for since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

/// One request a connection.
async fn converse(mut client: TcpStream, to: SocketAddr, state: Arc<Mutex<State>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).ok()?;
    let path = text.split(' ').nth(1)?.to_owned();
    let act = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        state.acts.get(&path).or(state.otherwise.as_ref()).cloned()
    };
    match act {
        Some(Act::Endless(bytes)) => {
            client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.ok()?;
            loop {
                client.write_all(bytes).await.ok()?;
            }
        }
        Some(Act::Break) => {}
        Some(Act::Wait) => drop(client.read_u8().await),
        Some(Act::Say(bytes)) => {
            client.write_all(&answer("200 OK", "Connection: close\r\n", bytes)).await.ok()?;
        }
        Some(Act::Status(status)) => {
            client.write_all(&answer(status, "Connection: close\r\n", "")).await.ok()?;
        }
        None => {
            let mut server = TcpStream::connect(to).await.ok()?;
            let text = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(text.as_bytes()).await.ok()?;
            tokio::io::copy(&mut server, &mut client).await.ok()?;
        }
    }
    client.shutdown().await.ok()
}
