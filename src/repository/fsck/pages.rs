//! The pages, one by one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::index::{
    Format, Listing, ProjectName, ProjectPage, parse_html, parse_json, parse_signed,
};
use crate::store::layout;
use crate::tuf::{Signed, TargetFile, Targets};

use super::super::pages::unpack;
use super::super::{Base, Document, page_path};
use super::agree::{Said, of_file, of_page};
use super::bins::{Bins, Kind, keepers, target_of};
use super::{READS, REPORT, RESTORE, Stop, Summary, Walk, key};

/// Where a page may lie: its links are relative to it.
const SOMEWHERE: &str = "http://localhost/simple/project/";

impl Walk<'_> {
    /// Checks every page, and gathers what they say.
    pub(super) async fn pages(
        &self,
        base: &Base,
        bins: &Bins,
        summary: &mut Summary,
    ) -> Result<Said, Stop> {
        let said = Mutex::new(Said::new(base.succinct.count()));
        let done = AtomicU64::new(0);
        let readable = (0..base.succinct.count() as u32).filter(|i| !bins.unreadable.contains(i));
        let walk = Pages { walk: self, base, bins, said: &said, done: &done };
        stream::iter(readable)
            .map(|index| walk.of_bin(index))
            .buffer_unordered(READS)
            .try_collect::<()>()
            .await?;
        summary.pages = bins.page_count;
        Ok(said.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The bin `index`, which was verified before.
    pub(super) async fn bin_again(
        &self,
        base: &Base,
        index: u32,
    ) -> Result<Option<Signed<Targets>>, Stop> {
        let name = base.succinct.name(index);
        let object = layout::metadata(base.version_of(&name).unwrap_or_default(), &name);
        let Some(bytes) = self.read(&object).await? else { return Ok(None) };
        Ok(Signed::parse(&bytes).ok())
    }

    /// The page that `target` names, where its bytes are the signed ones.
    pub(super) async fn page(&self, target: &TargetFile) -> Result<Option<Document>, Stop> {
        let (Some(digest), Some(commit)) = (target.sha256(), target.commit()) else {
            return Ok(None);
        };
        let object = layout::page(&digest, commit);
        let Some(stored) = self.read(&object).await? else { return Ok(None) };
        match unpack(&stored, &digest, target.length) {
            Ok(page) if page.bytes.len() as u64 == target.length => Ok(Some(page)),
            Ok(page) => {
                let (length, wanted) = (page.bytes.len(), target.length);
                self.damage(&object, format!("it has {length} bytes, not {wanted}"), RESTORE);
                Ok(None)
            }
            Err(reason) => {
                self.damage(&object, reason, RESTORE);
                Ok(None)
            }
        }
    }
}

/// What every page is held against.
struct Pages<'a> {
    walk: &'a Walk<'a>,
    base: &'a Base,
    bins: &'a Bins,
    said: &'a Mutex<Said>,
    done: &'a AtomicU64,
}

impl Pages<'_> {
    async fn of_bin(&self, index: u32) -> Result<(), Stop> {
        let Some(bin) = self.walk.bin_again(self.base, index).await? else { return Ok(()) };
        for (path, target) in &bin.signed.targets {
            let Some(Kind::Page(project, format)) = Kind::of(path) else { continue };
            if let Some(document) = self.walk.page(target).await?
                && let Some(page) = self.parsed(path, &project, format, &document)
            {
                self.take_in(path, format, &page).await?;
            }
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.walk.progress("pages", done, self.bins.page_count);
        }
        Ok(())
    }

    /// The page, where it is one of `project`.
    fn parsed(
        &self,
        path: &str,
        project: &ProjectName,
        format: Format,
        document: &Document,
    ) -> Option<ProjectPage> {
        let listing = match parsed(project, format, document) {
            Ok(listing) => listing,
            Err(error) => {
                self.walk.damage(path, error, REPORT);
                return None;
            }
        };
        for skipped in &listing.skipped {
            let problem =
                format!("its entry {:?} cannot be read: {}", skipped.filename, skipped.why);
            self.walk.damage(path, problem, REPORT);
        }
        for file in &listing.page.files {
            if target_of(project, file).is_none() {
                let problem =
                    format!("it lists {:?} without a SHA-256 or a usable name", file.filename);
                self.walk.damage(path, problem, REPORT);
            }
            let url = listing.sources.get(&file.filename).map(|source| &source.url);
            if !url.is_some_and(|url| leads_to(url, project, &file.filename)) {
                let problem = format!("its link to {:?} leads elsewhere", file.filename);
                self.walk.damage(path, problem, REPORT);
            }
        }
        Some(listing.page)
    }

    /// Adds up what the page says, and looks for names that it should not list.
    async fn take_in(&self, path: &str, format: Format, page: &ProjectPage) -> Result<(), Stop> {
        let Ok(json) = page_path(&page.name, Format::Json) else { return Ok(()) };
        let index_of = |path: &str| self.base.succinct.index_of(path);
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let of_page = of_page(page);
            match format {
                Format::Html => said.html.add(index_of(json.as_str()), of_page),
                Format::Json => {
                    said.json.add(index_of(json.as_str()), of_page);
                    for file in &page.files {
                        if let (Some((path, sha256)), Some(size)) =
                            (target_of(&page.name, file), file.size)
                        {
                            let path = path.as_str();
                            said.files.add(index_of(path), of_file(path, &sha256, size));
                        }
                    }
                }
            }
        }
        if format == Format::Json && !self.bins.retired.is_empty() {
            self.nothing_retired(path, page).await?;
        }
        Ok(())
    }

    async fn nothing_retired(&self, of: &str, page: &ProjectPage) -> Result<(), Stop> {
        for (path, _) in page.files.iter().filter_map(|file| target_of(&page.name, file)) {
            if self.bins.retired.binary_search(&key(path.as_str())).is_err() {
                continue;
            }
            for keeper in keepers(self.base, &path) {
                let Some(bin) = self.walk.bin_again(self.base, keeper).await? else { continue };
                if bin.signed.retired.is_some_and(|retired| retired.contains_key(&path)) {
                    self.walk.damage(of, format!("it lists {path}, which is retired"), REPORT);
                }
            }
        }
        Ok(())
    }
}

/// What a page of ours says.
pub(super) fn parsed(
    project: &ProjectName,
    format: Format,
    document: &Document,
) -> Result<Listing, String> {
    let url = Url::parse(SOMEWHERE).map_err(|error| error.to_string())?;
    let listing = match format {
        Format::Html => parse_html(&document.bytes, &url, project),
        Format::Json => {
            parse_signed(&document.bytes).and_then(|_| parse_json(&document.bytes, &url, project))
        }
    };
    listing.map_err(|error| error.to_string())
}

/// Whether `url` ends in the target path of the file, below `targets/`.
fn leads_to(url: &Url, project: &ProjectName, filename: &str) -> bool {
    let path = percent_decode_str(url.path()).decode_utf8_lossy();
    path.ends_with(&format!("/targets/files/{project}/{filename}"))
}
