//! Going on with a store that was put back to an earlier state: clients have seen higher versions than it knows of.
//!
//! The next commit, timestamp and version of every online role become the Unix time, or the next number where that is
//! greater: no writer ever gave those. Where clients have seen still higher ones, an operator says which. It is the one gap
//! that commits may have.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::store::{Durable, Store, layout};

use super::attempt::Record;
use super::publisher::PublisherConfig;
use super::visible::Goal;
use super::writer::Writer;
use super::{RepositoryError, load};

/// What the journal says of who made such a commit, at its end.
pub(super) const BY: &str = ", restore --advance";
/// The highest number to go on from. Clients hold versions in 53 bits; as many as are left last for a hundred years of
/// publications, one a second.
pub const HIGHEST: u64 = (1 << 53) - (1 << 32);

/// Bins signed at once.
const TOGETHER: usize = 16;

/// What was given new numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// The commit's number.
    pub commit: u64,
    /// The timestamp's version.
    pub timestamp: u64,
    /// How many bins were signed again.
    pub bins: u64,
}

/// Signs every online role again under numbers that are higher than any that was given before, and than
/// `past`, up to [`HIGHEST`]. All writers must be stopped. `progress` is told how many bins are done, and of how many.
///
/// # Errors
/// [`RepositoryError`]: nothing there, damaged, or no key that may sign. What was published before is as it was.
pub async fn advance(
    store: Store,
    config: PublisherConfig,
    past: u64,
    progress: impl Fn(u64, u64),
) -> Result<Advanced, RepositoryError> {
    let mut writer = Writer::start(store.clone(), config).await?;
    let now = u64::try_from(writer.watch.now().as_second()).unwrap_or_default();
    // A timestamp may have been lost and its commit not.
    let newest = load::commits_from(&store, 1).await?.pop().ok_or(RepositoryError::Missing)?;
    let newest = load::base(&store, newest, Some(&writer.base)).await?;
    writer.build_on(newest);
    writer.floor = now.max(past.min(HIGHEST) + 1);
    writer.by.push_str(BY);

    let names: Vec<String> = writer.base.succinct.names().collect();
    let bins = names.len() as u64;
    let number = writer.after(writer.base.commit);
    let this = &writer;
    let on = &this.base_to_build_on().await?;
    let versions: Vec<(String, u64)> = stream::iter((0_u32..).zip(names))
        .map(|(index, name)| async move {
            let bin = this.repository.read_bin(&this.base, &name).await?;
            let written = this.write_bin(on, index, bin.signed, Durable::AtSync).await?;
            Ok::<_, RepositoryError>((written.name, written.signed.signed.version))
        })
        .buffer_unordered(TOGETHER)
        .try_fold(Vec::new(), |mut done, one| {
            done.push(one);
            progress(done.len() as u64, bins);
            async move { Ok(done) }
        })
        .await?;
    let base = this.write_snapshot(on, number, versions, Durable::AtSync).await?;
    store.sync().await?;
    if !writer.commit(base, Record { renewed: bins, ..Record::default() }).await? {
        let name = layout::commit(number);
        return Err(RepositoryError::damaged(name, "another writer made it: stop all of them"));
    }
    writer.make_visible(Goal::Commit(number)).await?;
    let timestamp = writer.repository.published().timestamp.signed.version;
    Ok(Advanced { commit: number, timestamp, bins })
}
