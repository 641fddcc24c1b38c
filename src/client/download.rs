//! Whole targets into a folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::state::quoted;
use super::{ClientError, Remote, RemoteError, View};
use crate::tuf::{Checking, TargetFile};
use crate::upstream::{Body, BodyError};

/// How much is read at once, bytes.
const CHUNK: usize = 64 * 1024;

/// Under which names a repository with consistent snapshots has its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// With a hash before the name, as the specification says (6.2.1).
    #[default]
    Hashed,
    /// As they are: some repositories serve files that lie there anyway.
    Plain,
}

/// Puts the target at `path` into the folder `into`, under its percent-encoded name, unless it is there already: where it lies
/// then. Nothing unverified is left there.
///
/// # Errors
/// [`ClientError::NoTarget`] where verified metadata has none; where it fails a check, cannot be had or cannot be written.
pub async fn download(
    view: &View,
    remote: &dyn Remote,
    path: &str,
    into: &Path,
    names: Names,
) -> Result<PathBuf, ClientError> {
    let target = view.target(path).await?;
    let target = target.ok_or_else(|| ClientError::NoTarget { path: path.to_owned() })?;
    let place = into.join(quoted(path));
    if is_there(&place, path, &target).await {
        return Ok(place);
    }
    let name = match names {
        Names::Hashed => view.fetched_as(path, &target),
        Names::Plain => path.to_owned(),
    };
    let fetched = remote.open(&name).await;
    let reply = fetched.map_err(RemoteError::from)?;
    let temporary = into.join(format!(".{}.part", std::process::id()));
    let mut written = write(reply.body, path, &target, &temporary).await;
    if written.is_ok() {
        written = fs::rename(&temporary, &place).await.map_err(failed("write", &place));
    }
    if written.is_err() {
        // What is left of it is of no use; the first error is the one to tell.
        let _ = fs::remove_file(&temporary).await;
    }
    written.map(|()| place)
}

/// Whether the file lies there, with the right bytes.
async fn is_there(place: &Path, path: &str, target: &TargetFile) -> bool {
    let Ok(mut file) = File::open(place).await else { return false };
    let mut checking = Checking::new(path, target);
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer).await {
            Ok(0) => return checking.finish().is_ok(),
            Ok(n) if buffer.get(..n).is_some_and(|bytes| checking.update(bytes).is_ok()) => {}
            _ => return false,
        }
    }
}

async fn write(
    mut body: Body,
    path: &str,
    target: &TargetFile,
    to: &Path,
) -> Result<(), ClientError> {
    let mut file = File::create(to).await.map_err(failed("write", to))?;
    let mut checking = Checking::new(path, target);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(path, error))?;
        if let Ok(data) = frame.into_data() {
            checking.update(&data)?;
            file.write_all(&data).await.map_err(failed("write", to))?;
        }
    }
    file.flush().await.map_err(failed("write", to))?;
    Ok(checking.finish()?)
}

fn broken(path: &str, error: BodyError) -> ClientError {
    match error {
        BodyError::Upstream(error) => RemoteError::Upstream(error).into(),
        error => RemoteError::Broken { name: path.to_owned(), why: error.to_string() }.into(),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ClientError {
    let path = path.to_owned();
    move |error| ClientError::State { action, path, source: Arc::new(error) }
}
