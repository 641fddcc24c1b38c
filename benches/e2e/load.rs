//! Many requests for one thing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::task::LocalSet;

use super::connection::{Connection, runtime};

/// However slow the server is.
const LONGEST: Duration = Duration::from_secs(20);

/// What is asked for, again and again, over connections that are kept open.
pub struct Load<'a> {
    pub origin: &'a str,
    pub path: &'a str,
    pub accept: &'a str,
    /// Bytes of each answer.
    pub length: usize,
    pub connections: usize,
}

/// What was done.
pub struct Done {
    pub requests: usize,
    pub took: Duration,
}

impl Load<'_> {
    /// Asks `requests` times, or for as long as that may take.
    pub fn run(&self, requests: usize) -> Done {
        let local = LocalSet::new();
        local.block_on(&runtime(), async {
            let mut open = Vec::new();
            for _ in 0..self.connections {
                open.push(Connection::open(self.origin).await);
            }
            let left = Rc::new(Cell::new(requests));
            let start = Instant::now();
            let tasks: Vec<_> = open
                .into_iter()
                .map(|connection| {
                    let (path, accept) = (self.path.to_owned(), self.accept.to_owned());
                    let ask = ask(connection, path, accept, self.length, left.clone(), start);
                    tokio::task::spawn_local(ask)
                })
                .collect();
            for task in tasks {
                task.await.expect("good answers");
            }
            Done { requests: requests - left.get(), took: start.elapsed() }
        })
    }
}

async fn ask(
    mut connection: Connection,
    path: String,
    accept: String,
    length: usize,
    left: Rc<Cell<usize>>,
    start: Instant,
) {
    while left.get() > 0 && start.elapsed() < LONGEST {
        left.set(left.get() - 1);
        let (status, body) = connection.get(&path, &accept).await;
        assert_eq!((status, body.len()), (StatusCode::OK, length), "{path}");
    }
}
