//! A connection that is kept open, as TUF clients and load generators keep theirs.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

pub struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    authority: String,
}

/// One thread: the other processors are the servers'.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl Connection {
    /// To an origin: `http://127.0.0.1:1234`.
    pub async fn open(origin: &str) -> Self {
        let authority = origin.strip_prefix("http://").expect("an http origin").to_owned();
        let stream = TcpStream::connect(&authority).await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Self { sender, authority }
    }

    pub async fn get(&mut self, path: &str, accept: &str) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::ACCEPT, accept)
            .body(Empty::new())
            .expect("a request");
        self.sender.ready().await.expect("an open connection");
        let response = self.sender.send_request(request).await.expect("an answer");
        let status = response.status();
        (status, response.into_body().collect().await.expect("a body").to_bytes())
    }
}
