use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as BlockingListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;

/// Notes what is asked and refuses withdrawals.
#[derive(Default)]
struct Notes(Mutex<Vec<Request>>);

impl Handler for Notes {
    fn handle(&self, request: Request) -> BoxFuture<'_, Result<Reply, ControlError>> {
        Box::pin(async move {
            if request == Request::AllowWithdrawals {
                return Err(ControlError::Refused("no withdrawals wait".into()));
            }
            self.0.lock().unwrap().push(request);
            Ok(Reply { message: "noted".into(), commit: Some(7) })
        })
    }
}

struct Running {
    notes: Arc<Notes>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn run(data: &Path) -> Result<Running, ControlError> {
    let notes = Arc::new(Notes::default());
    let stop = CancellationToken::new();
    let task = serve(&data.join(SOCKET), notes.clone(), stop.clone())?;
    Ok(Running { notes, stop, task })
}

fn block(project: &str) -> Request {
    Request::Block { project: ProjectName::parse(project).unwrap(), filename: None }
}

#[tokio::test]
async fn every_request_arrives_as_it_was_sent() {
    let data = TempDir::new().unwrap();
    let running = run(data.path()).unwrap();
    let project = ProjectName::parse("a").unwrap();
    let filename = "a-1.tar.gz".to_owned();
    let requests = [
        Request::Allow {
            project: project.clone(),
            filename: filename.clone(),
            sha256: Digest::of(b"a"),
        },
        block("a"),
        Request::Unblock { project, filename: Some(filename) },
    ];
    for request in &requests {
        let reply = send(data.path(), request).await.unwrap();
        assert_eq!(reply, Reply { message: "noted".into(), commit: Some(7) });
    }
    assert_eq!(*running.notes.0.lock().unwrap(), requests);
}

#[tokio::test]
async fn a_refusal_comes_back_as_its_sentence() {
    let data = TempDir::new().unwrap();
    let _running = run(data.path()).unwrap();
    let error = send(data.path(), &Request::AllowWithdrawals).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(ref s) if s == "no withdrawals wait"), "{error}");
}

#[tokio::test]
async fn where_nothing_runs_the_error_names_the_folder() {
    let data = TempDir::new().unwrap();
    let absent = send(data.path(), &block("a")).await.unwrap_err();
    drop(BlockingListener::bind(data.path().join(SOCKET)).unwrap());
    let dead = send(data.path(), &block("a")).await.unwrap_err();
    for error in [absent, dead] {
        assert!(matches!(error, ControlError::NotRunning(ref at) if at == data.path()), "{error}");
    }
}

#[tokio::test]
async fn a_dead_processs_socket_is_replaced_and_a_living_ones_is_not() {
    let data = TempDir::new().unwrap();
    drop(BlockingListener::bind(data.path().join(SOCKET)).unwrap());
    let _running = run(data.path()).unwrap();
    send(data.path(), &block("a")).await.unwrap();
    assert!(matches!(run(data.path()).err().unwrap(), ControlError::InUse(_)));
    send(data.path(), &block("a")).await.unwrap();
}

#[tokio::test]
async fn another_file_of_that_name_is_left_alone() {
    let data = TempDir::new().unwrap();
    fs::write(data.path().join(SOCKET), "precious").unwrap();
    assert!(matches!(run(data.path()).err().unwrap(), ControlError::NotASocket(_)));
    assert_eq!(fs::read(data.path().join(SOCKET)).unwrap(), b"precious");
}

#[tokio::test]
async fn only_the_owner_may_open_the_socket_and_it_leaves_with_its_process() {
    let data = TempDir::new().unwrap();
    let running = run(data.path()).unwrap();
    let mode = fs::metadata(data.path().join(SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1, "nothing else is left behind");
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn paths_longer_than_a_socket_address_work() {
    let root = TempDir::new().unwrap();
    let data = root.path().join("x".repeat(100)).join("y".repeat(100));
    fs::create_dir_all(&data).unwrap();
    let _running = run(&data).unwrap();
    send(&data, &block("a")).await.unwrap();
    assert!(matches!(run(&data).err().unwrap(), ControlError::InUse(_)));
}

async fn raw(data: &Path, request: &str) -> String {
    let mut stream = socket::connect(&data.join(SOCKET)).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_a_sentence() {
    let data = TempDir::new().unwrap();
    let running = run(data.path()).unwrap();
    let post = |body: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let large = format!(r#"{{"command":"block","project":"{}"}}"#, "a".repeat(16 * 1024 * 1024));
    for (request, expected) in [
        (post(r#"{"command":"dance"}"#), "unknown variant `dance`"),
        (post(r#"{"command":"block","project":"../x"}"#), "is not a project name"),
        (post(&large), "length limit exceeded"),
        ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(), "by POST"),
    ] {
        let answer = raw(data.path(), &request).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
    }
    assert!(running.notes.0.lock().unwrap().is_empty());
}
