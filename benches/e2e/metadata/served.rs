//! A repository on loopback, compressed for those who ask as countersign compresses it, its bytes counted.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use countersign::serving::Encoding;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

use super::repository::Repository;

pub struct Served {
    repository: Arc<Mutex<Repository>>,
    bytes: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    origin: String,
    _runtime: Runtime,
}

impl Served {
    pub fn start(repository: Repository) -> Self {
        let repository = Arc::new(Mutex::new(repository));
        let (bytes, requests) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let threads =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = threads.expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = (repository.clone(), bytes.clone(), requests.clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (repository, bytes, requests) = shared.clone();
                let service = service_fn(move |request: http::Request<_>| {
                    requests.fetch_add(1, Ordering::Relaxed);
                    let path = request.uri().path().trim_start_matches('/');
                    let repository = repository.lock().expect("a lock");
                    let response = answer(&repository, path, request.headers(), &bytes);
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { repository, bytes, requests, origin, _runtime: runtime }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.origin)
    }

    pub fn root(&self) -> Vec<u8> {
        let repository = self.repository.lock().expect("a lock");
        repository.get("metadata/1.root.json").expect("a root").to_vec()
    }

    pub fn publish(&self, publications: usize, with_its_bin: bool) {
        self.repository.lock().expect("a lock").publish(publications, with_its_bin);
    }

    /// Bytes of metadata, and requests for metadata and targets.
    pub fn sent(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.requests.load(Ordering::Relaxed))
    }
}

fn answer(
    repository: &Repository,
    path: &str,
    headers: &HeaderMap,
    sent: &AtomicU64,
) -> Response<Full<Bytes>> {
    let Some(body) = repository.get(path) else {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    if !path.starts_with("metadata/") {
        return Response::new(Bytes::copy_from_slice(body).into());
    }
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let accepted = accepted.unwrap_or_default();
    let encoding = Encoding::ALL
        .into_iter()
        .find(|encoding| accepted.split(',').any(|word| word.trim() == encoding.name()));
    let body = match encoding {
        Some(encoding) => encoding.compress(body).expect("memory"),
        None => body.to_vec(),
    };
    sent.fetch_add(body.len() as u64, Ordering::Relaxed);
    let mut response = Response::new(Full::from(body));
    if let Some(encoding) = encoding {
        let name = http::HeaderValue::from_static(encoding.name());
        response.headers_mut().insert(CONTENT_ENCODING, name);
    }
    response
}
