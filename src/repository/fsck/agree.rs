//! What pages and bins say of each other: each file of a page is a target where files are, each such target is on a page, and
//! JSON and HTML list the same.
//!
//! The two sides of each lie in different bins. So that memory does not grow with the index, both sides are added up
//! bin by bin, as sums of hashes: where two sums are the same, so is what was added. Where they are not, all that
//! belongs to that bin is looked at again, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::index::{File, Format, ProjectName, ProjectPage};
use crate::tuf::{Digest, TargetFile, TargetPath};

use super::super::{Base, page_path};
use super::bins::{Bins, Kind, target_of};
use super::pages::parsed;
use super::{READS, REPORT, Stop, Walk};

/// What to do about pages that were written under another configuration.
const LOOK: &str = "each is written anew when its project is looked at next";

/// One sum of hashes a bin.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums(Vec<u128>);

impl Sums {
    pub(super) fn new(bins: u64) -> Self {
        Self(vec![0; usize::try_from(bins).unwrap_or_default()])
    }

    pub(super) fn add(&mut self, bin: u32, hash: u128) {
        if let Some(sum) = self.0.get_mut(bin as usize) {
            *sum = sum.wrapping_add(hash);
        }
    }

    /// The bins in which they differ.
    fn differ(&self, other: &Self) -> BTreeSet<u32> {
        let pairs = self.0.iter().zip(&other.0).zip(0..);
        pairs.filter(|((a, b), _)| a != b).map(|(_, index)| index).collect()
    }
}

/// What the pages say.
pub(super) struct Said {
    /// The files of known length on JSON pages, by the bin of their target path.
    pub(super) files: Sums,
    /// The files on JSON pages, by the bin of the page.
    pub(super) json: Sums,
    /// The files on HTML pages, by the bin of the JSON page.
    pub(super) html: Sums,
}

impl Said {
    pub(super) fn new(bins: u64) -> Self {
        Self { files: Sums::new(bins), json: Sums::new(bins), html: Sums::new(bins) }
    }
}

/// A file: its target path, hash and length.
pub(super) fn of_file(path: &str, sha256: &Digest, length: u64) -> u128 {
    hash(&format!("{path}\n{sha256}\n{length}"))
}

/// The files of a page, by name and hash.
pub(super) fn of_page(page: &ProjectPage) -> u128 {
    files(page).into_iter().fold(hash(page.name.as_str()), |sum, (name, sha256)| {
        sum.wrapping_add(hash(&format!("{}\n{name}\n{sha256}", page.name)))
    })
}

/// Name to hash.
fn files(page: &ProjectPage) -> BTreeMap<&str, &str> {
    page.files.iter().map(pair).collect()
}

fn pair(file: &File) -> (&str, &str) {
    (&file.filename, file.sha256().unwrap_or_default())
}

fn hash(text: &str) -> u128 {
    let digest = Digest::of(text.as_bytes());
    let (half, _) = digest.as_bytes().split_at(16);
    u128::from_be_bytes(half.try_into().unwrap_or_default())
}

impl Walk<'_> {
    /// Compares what was added up.
    pub(super) async fn agree(&self, base: &Base, bins: &Bins, said: &Said) -> Result<(), Stop> {
        let files = match bins.file_count {
            // Pages alone are targets.
            0 => BTreeSet::new(),
            _ => bins.files.differ(&said.files),
        };
        let pages = match bins.html_count {
            0 => BTreeSet::new(),
            _ => said.json.differ(&said.html),
        };
        if files.is_empty() && pages.is_empty() {
            return Ok(());
        }
        let counts = [AtomicU64::new(0), AtomicU64::new(0)];
        let [no_targets, no_html] = &counts;
        let again = Again { walk: self, base, bins, files, pages, no_targets, no_html };
        let mut looks = stream::iter(0..base.succinct.count())
            .map(|index| again.of_bin(index as u32))
            .buffer_unordered(READS);
        let mut done = 0;
        while looks.try_next().await?.is_some() {
            done += 1;
            self.progress("comparing", done, base.succinct.count());
        }
        drop(looks);
        let [no_targets, no_html] = counts.map(AtomicU64::into_inner);
        if no_targets > 0 {
            let problem = format!(
                "the files of {no_targets} projects are not targets, as under targets = \"index\""
            );
            self.warn("pages", problem, LOOK);
        }
        if no_html > 0 {
            self.warn(
                "pages",
                format!("{no_html} projects have no HTML page, as under html = false"),
                LOOK,
            );
        }
        Ok(())
    }
}

/// Looks at all that belongs to bins whose sums differ.
struct Again<'a> {
    walk: &'a Walk<'a>,
    base: &'a Base,
    bins: &'a Bins,
    /// The bins of file targets.
    files: BTreeSet<u32>,
    /// The bins of JSON pages.
    pages: BTreeSet<u32>,
    /// Projects of whose files none is a target.
    no_targets: &'a AtomicU64,
    /// Projects without an HTML page.
    no_html: &'a AtomicU64,
}

/// What is known of a target.
enum Known {
    /// It is this one; there is none.
    Is(Option<TargetFile>),
    /// Its bin cannot be read, which was told.
    Unknown,
}

impl Again<'_> {
    async fn of_bin(&self, index: u32) -> Result<(), Stop> {
        if self.bins.unreadable.contains(&index) {
            return Ok(());
        }
        let Some(bin) = self.walk.bin_again(self.base, index).await? else { return Ok(()) };
        for (path, target) in &bin.signed.targets {
            match Kind::of(path) {
                Some(Kind::Page(project, Format::Json)) => {
                    self.json(&project, path, target, self.pages.contains(&index)).await?;
                }
                Some(Kind::Page(project, Format::Html)) => self.html(&project, path).await?,
                Some(Kind::File(project, filename)) if self.files.contains(&index) => {
                    self.file(&project, &filename, path, target).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A JSON page: its files are targets, its HTML page lists the same.
    async fn json(
        &self,
        project: &ProjectName,
        path: &str,
        target: &TargetFile,
        with_html: bool,
    ) -> Result<(), Stop> {
        let Some(page) = self.page(project, Format::Json, target).await? else { return Ok(()) };
        self.files_are_targets(path, &page).await?;
        if !with_html {
            return Ok(());
        }
        let Ok(html) = page_path(project, Format::Html) else { return Ok(()) };
        match self.target(&html).await? {
            Known::Unknown => {}
            Known::Is(None) => drop(self.no_html.fetch_add(1, Ordering::Relaxed)),
            Known::Is(Some(target)) => {
                let html = self.page(project, Format::Html, &target).await?;
                if html.is_some_and(|html| files(&html) != files(&page)) {
                    let problem = "its HTML page lists other files";
                    self.walk.damage(path, problem, REPORT);
                }
            }
        }
        Ok(())
    }

    async fn files_are_targets(&self, of: &str, page: &ProjectPage) -> Result<(), Stop> {
        let sized = page.files.iter().filter_map(|file| {
            let (path, sha256) = target_of(&page.name, file)?;
            Some((path, sha256, file.size?))
        });
        let sized: Vec<_> = sized.collect();
        let suspect =
            |path: &TargetPath| self.files.contains(&self.base.succinct.index_of(path.as_str()));
        if !sized.iter().any(|(path, ..)| suspect(path)) {
            return Ok(());
        }
        let (mut problems, mut any) = (Vec::new(), false);
        for (path, sha256, length) in &sized {
            match self.target(path).await? {
                Known::Unknown => any = true,
                Known::Is(None) => problems.push(format!("{path}, which it lists, is no target")),
                Known::Is(Some(target)) => {
                    any = true;
                    if target.sha256() != Some(*sha256) || target.length != *length {
                        problems.push(format!("{path} is a target of another hash or length"));
                    }
                }
            }
        }
        if any {
            problems.iter().for_each(|problem| self.walk.damage(of, problem, REPORT));
        } else {
            self.no_targets.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// An HTML page: there is a JSON page too.
    async fn html(&self, project: &ProjectName, path: &str) -> Result<(), Stop> {
        let Ok(json) = page_path(project, Format::Json) else { return Ok(()) };
        let suspect = self.pages.contains(&self.base.succinct.index_of(json.as_str()));
        if suspect && matches!(self.target(&json).await?, Known::Is(None)) {
            self.walk.damage(path, "there is no JSON page of its project", REPORT);
        }
        Ok(())
    }

    /// A file target: its project's page lists it.
    async fn file(
        &self,
        project: &ProjectName,
        filename: &str,
        path: &str,
        target: &TargetFile,
    ) -> Result<(), Stop> {
        let Ok(json) = page_path(project, Format::Json) else { return Ok(()) };
        let page = match self.target(&json).await? {
            Known::Unknown => return Ok(()),
            Known::Is(None) => None,
            Known::Is(Some(page)) => match self.page(project, Format::Json, &page).await? {
                None => return Ok(()),
                page => page,
            },
        };
        let listed = page.iter().flat_map(|page| &page.files).find(|f| f.filename == filename);
        match listed {
            None => self.walk.damage(path, "no page lists this target", REPORT),
            Some(file) if file.size.is_none() => {
                let problem = format!("its page gives no length, the target has {}", target.length);
                self.walk.damage(path, problem, REPORT);
            }
            // Another hash or length is told where the page is looked at.
            Some(_) => {}
        }
        Ok(())
    }

    async fn target(&self, path: &TargetPath) -> Result<Known, Stop> {
        let index = self.base.succinct.index_of(path.as_str());
        if self.bins.unreadable.contains(&index) {
            return Ok(Known::Unknown);
        }
        let bin = self.walk.bin_again(self.base, index).await?;
        Ok(bin.map_or(Known::Unknown, |bin| {
            Known::Is(bin.signed.targets.get(path.as_str()).cloned())
        }))
    }

    /// The page; nothing where it cannot be read, which was told.
    async fn page(
        &self,
        project: &ProjectName,
        format: Format,
        target: &TargetFile,
    ) -> Result<Option<ProjectPage>, Stop> {
        let document = self.walk.page(target).await?;
        Ok(document.and_then(|document| Some(parsed(project, format, &document).ok()?.page)))
    }
}
