//! What goes into a bundle: everything that somebody needs who begins with the pinned root and has nothing else.
//!
//! The workflow runs from the pinned root on, as it will at the other end, into a folder of its own: what that folder holds
//! at the end is the metadata that the bundle needs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use glob::Pattern;
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use url::Url;

use super::metadata::write_metadata;
use super::pieces::{Content, Page, Piece, Source};
use super::write::{folder_of, replaceable};
use super::{CreateError, FORMAT, Manifest, Writer, roots};
use crate::client::{ClientError, Remote, Settings, State, Updater, View};
use crate::index::{Format, ProjectName};
use crate::repository::page_path;
use crate::tuf::{Expiry, workflow};
use crate::upstream::Upstream;

/// How many roles are looked at at once.
const AT_ONCE: usize = 8;

/// What a bundle is made of.
pub struct Order {
    /// The index, without credentials.
    pub index: Url,
    /// The path of its repository, where its pages look for it.
    pub tuf: String,
    /// The root as it was pinned.
    pub root: Bytes,
    /// What was trusted until now: the bundle must not be older.
    pub updater: Updater,
    /// The repository.
    pub remote: Arc<dyn Remote>,
    /// The index itself: one that works on demand learns of a project when its page is asked for.
    pub upstream: Upstream,
    /// The projects.
    pub projects: Vec<ProjectName>,
    /// Names of the files that are wanted; all where there are none.
    pub files: Vec<Pattern>,
    /// Limits and clock.
    pub settings: Settings,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Version of the timestamp.
    pub timestamp: u64,
    /// When the first of what is in it expires.
    pub expires: Expiry,
    /// Pages.
    pub projects: usize,
    /// Files, without core metadata.
    pub files: u64,
    /// Files that were not wanted.
    pub left_out: u64,
    /// The bundle's length, bytes.
    pub length: u64,
}

/// Makes a bundle and puts it at `to`. `tell` hears how much is done, of what is known to be needed.
///
/// # Errors
/// [`CreateError`]: a check failed, a project is not signed, or something cannot be had or written. What lay at `to` stays then.
pub async fn create(
    order: Order,
    to: &Path,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Result<Created, CreateError> {
    replaceable(to)?;
    let before = order.updater.refresh().await?;
    let kept =
        TempDir::new().map_err(|error| CreateError::disk("use", &std::env::temp_dir(), error))?;
    let state = State::init(kept.path(), &order.root)?;
    let updater = Updater::new(state.clone(), order.remote.clone(), order.settings.clone());
    let (view, pages) = order.pages(&updater).await?;
    not_older(&before, &view)?;
    let limits = &order.settings.limits;
    let newest = view.root().version;
    let roots = roots::chain(&*order.remote, &order.root, newest, limits).await?;
    let mut writer = Writer::create(to, &order.manifest())?;
    let (whole, of) = (view.clone(), state.clone());
    let (writer, expires) = blocking(move || {
        for (version, root) in &roots {
            writer.metadata(&format!("{version}.root.json"), root)?;
        }
        let expires = write_metadata(&mut writer, &whole, &of)?;
        Ok((writer, expires))
    })
    .await?;
    let created = Created {
        timestamp: view.timestamp().version,
        expires,
        projects: pages.len(),
        files: 0,
        left_out: 0,
        length: 0,
    };
    let source = Source {
        remote: order.remote.clone(),
        view,
        wanted: order.files.into(),
        folder: folder_of(to).into(),
        counts: Arc::default(),
    };
    fill(writer, source, pages, created, tell).await
}

/// Writes what the pages list, and ends the bundle.
async fn fill(
    mut writer: Writer,
    source: Source,
    pages: Vec<Page>,
    mut created: Created,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Result<Created, CreateError> {
    let counts = source.counts.clone();
    let mut pieces = std::pin::pin!(source.pieces(pages));
    let mut done = 0;
    while let Some(piece) = pieces.try_next().await? {
        created.files += u64::from(matches!(piece.content, Content::Large(..)));
        writer = blocking(move || {
            write(&mut writer, piece)?;
            Ok(writer)
        })
        .await?;
        done += 1;
        tell(done, counts.known.load(Ordering::Relaxed));
    }
    created.left_out = counts.left_out.load(Ordering::Relaxed);
    created.length = blocking(move || Ok(writer.finish()?)).await?;
    Ok(created)
}

fn write(writer: &mut Writer, piece: Piece) -> Result<(), CreateError> {
    let Piece { path, content } = piece;
    match content {
        Content::Small(bytes) => writer.target(&path, &bytes)?,
        Content::Large(file, length) => writer.file(&path, length, file)?,
    }
    Ok(())
}

impl Order {
    fn manifest(&self) -> Manifest {
        Manifest {
            format: FORMAT,
            index: self.index.clone(),
            made: Expiry::at(self.settings.clock.now()),
            projects: self.projects.clone(),
            tuf: self.tuf.clone(),
        }
    }

    /// A snapshot in which all projects have pages.
    async fn pages(&self, updater: &Updater) -> Result<(View, Vec<Page>), CreateError> {
        let view = updater.refresh().await?;
        let (pages, unknown) = self.look_up(&view).await?;
        if unknown.is_empty() {
            return Ok((view, pages));
        }
        for project in &unknown {
            // Whatever it answers: only what is signed afterwards counts.
            if let Err(error) = self.upstream.page(project, None).await {
                tracing::debug!(%project, %error, "the index says nothing of it");
            }
        }
        let view = updater.refresh().await?;
        match self.look_up(&view).await? {
            (pages, unknown) if unknown.is_empty() => Ok((view, pages)),
            (_, projects) => Err(CreateError::Unknown { projects }),
        }
    }

    /// The pages that are signed, and the projects that have none.
    async fn look_up(&self, view: &View) -> Result<(Vec<Page>, Vec<ProjectName>), CreateError> {
        let found = stream::iter(&self.projects)
            .map(|project| async move {
                let path = page_path(project, Format::Json).map_err(|error| CreateError::Page {
                    project: project.clone(),
                    why: error.to_string(),
                })?;
                let target = view.target(path.as_str()).await?;
                Ok::<_, CreateError>((project.clone(), path.to_string(), target))
            })
            .buffered(AT_ONCE);
        let (mut pages, mut unknown) = (Vec::new(), Vec::new());
        let mut found = std::pin::pin!(found);
        while let Some((project, path, target)) = found.try_next().await? {
            match target {
                Some(target) => pages.push(Page { project, path, target }),
                None => unknown.push(project),
            }
        }
        Ok((pages, unknown))
    }
}

/// The workflow began at the pinned root, as if nothing had been seen before; but something has.
pub(super) fn not_older(before: &View, view: &View) -> Result<(), ClientError> {
    workflow::timestamp_after(before.timestamp(), view.timestamp())?;
    workflow::snapshot_after(before.snapshot(), view.snapshot())?;
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CreateError> + Send + 'static,
) -> Result<T, CreateError> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(CreateError::disk("write", Path::new("the bundle"), std::io::Error::other(error)))
    })
}
