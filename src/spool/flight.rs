//! Single flight: concurrent requests for one thing share one task.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

/// What those who wait share; the error is that of a task which did not end by itself.
type Flight<T> = Shared<BoxFuture<'static, Result<T, String>>>;

/// The tasks that are under way.
pub(super) struct Flights<K, T> {
    under_way: Arc<Mutex<HashMap<K, Flight<T>>>>,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self { under_way: Arc::default() }
    }
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Waits for the task under that key; starts `job` as one if there is none. It goes on when nobody waits any more.
    pub(super) async fn join<J>(&self, key: K, job: J) -> Result<T, String>
    where
        J: Future<Output = T> + Send + 'static,
    {
        let flight = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.entry(key.clone()).or_insert_with(|| self.start(key, job)).clone()
        };
        flight.await
    }

    fn start<J>(&self, key: K, job: J) -> Flight<T>
    where
        J: Future<Output = T> + Send + 'static,
    {
        let landing = Landing { key, under_way: self.under_way.clone() };
        let task = tokio::spawn(async move {
            let _landing = landing;
            job.await
        });
        task.map(|ended| ended.map_err(|error| error.to_string())).boxed().shared()
    }
}

/// Takes the task off the list when it ends, also by a panic.
struct Landing<K: Eq + Hash, T> {
    key: K,
    under_way: Arc<Mutex<HashMap<K, Flight<T>>>>,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
