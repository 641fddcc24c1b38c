//! Two processes with one folder, at the worst moment.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot};

use super::world::{Liar, World};
use crate::client::{Remote, RemoteError, Settings, State, Updater};
use crate::upstream::{FileReply, UpstreamError};

/// Answers as it is asked, but hands out each timestamp only when it is let go.
struct Held {
    inner: Liar,
    arrived: Arc<Notify>,
    go: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl Remote for Held {
    fn metadata<'a>(
        &'a self,
        name: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        async move {
            let answer = self.inner.metadata(name, limit).await;
            if name == "timestamp.json"
                && let Some(go) = self.go.lock().await.take()
            {
                self.arrived.notify_one();
                go.await.unwrap();
            }
            answer
        }
        .boxed()
    }

    fn target<'a>(
        &'a self,
        path: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        self.inner.target(path, limit)
    }

    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>> {
        self.inner.open(path)
    }
}

/// It has an older timestamp in its hands, newer than what it knows, when the other process writes a later one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_overtaken_writes_nothing_old() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let state = State::init(folder.path(), &world.first_root().await).unwrap();
    let updater = |remote: Arc<dyn Remote>| {
        let settings = Settings { clock: world.clock.clone(), ..Settings::default() };
        Updater::new(state.clone(), remote, settings)
    };
    let other = updater(Arc::new(Liar::new(&world)));
    other.refresh().await.unwrap();
    world.publish("qx-a", Some("1")).await;
    let (arrived, (release, go)) = (Arc::new(Notify::new()), oneshot::channel());
    let slow = Held { inner: Liar::new(&world), arrived: arrived.clone(), go: Some(go).into() };
    let slow = updater(Arc::new(slow));
    let refreshed = tokio::spawn(async move { slow.refresh().await });
    arrived.notified().await;
    world.publish("qx-a", Some("2")).await;
    let newest = other.refresh().await.unwrap().timestamp().version;
    release.send(()).unwrap();
    // It starts over, and the answer is the newest then.
    assert_eq!(refreshed.await.unwrap().unwrap().timestamp().version, newest);
    assert_eq!(other.stored().await.unwrap().timestamp().version, newest);
}
