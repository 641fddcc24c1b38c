//! What was found out about a mirror; plain values, for programs too.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The simple index, without credentials.
    pub upstream: String,
    /// Whether what it sends can be changed on the way: plain http that leaves this machine.
    pub plain_http: bool,
    /// Whether it was looked at with the login of `upstream.credentials`.
    pub credentials: bool,
    /// What kind of mirror it seems to be.
    pub mirror: Mirror,
    /// Its project list.
    pub list: List,
    /// What it answers to a name that cannot exist.
    pub unknown_name: UnknownName,
    /// Whether uploaders may replace files.
    pub replacing: Replacing,
    /// What the sampled projects look like.
    pub sample: Sample,
    /// Lengths that the mirror was asked for, because its pages do not give them.
    pub lengths: Lengths,
}

/// What kind of mirror it seems to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mirror {
    /// The software.
    pub kind: Kind,
    /// Its version, where it says one.
    pub version: Option<String>,
    /// What it is judged by.
    pub evidence: String,
}

/// Software that is known here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Kind {
    Devpi,
    Pypiserver,
    /// A tree that bandersnatch wrote, behind any web server.
    Bandersnatch,
    /// The software of pypi.org.
    Warehouse,
    Nexus,
    Artifactory,
    Pulp,
    Proxpi,
    Simpleindex,
    #[default]
    Unknown,
}

/// The project list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum List {
    /// It is there.
    Listed {
        /// How many projects it lists.
        projects: usize,
        /// How many entries have no valid name.
        unnamed: usize,
        /// `json` or `html`.
        format: Form,
        /// The index's last serial.
        serial: Option<u64>,
        /// How many projects have a serial in the list.
        project_serials: usize,
    },
    /// 404 or 410.
    #[default]
    Missing,
    /// 401 or 403.
    Login {
        /// The status code.
        status: u16,
    },
    /// It cannot be used.
    Failed {
        /// Why.
        why: String,
    },
}

/// A serialization of the simple API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// PEP 691.
    Json,
    /// PEP 503.
    Html,
}

/// What a name that cannot exist is answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum UnknownName {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// 404 or 410.
    NotThere,
    /// A redirect to another index.
    Elsewhere {
        /// Where to.
        to: String,
    },
    /// A page.
    Page {
        /// How many files it lists.
        files: usize,
    },
    /// Something else.
    Other {
        /// What.
        why: String,
    },
}

/// Whether uploaders may replace files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "allowed", rename_all = "kebab-case")]
pub enum Replacing {
    /// They may.
    Yes {
        /// The index of devpi that is volatile.
        index: String,
    },
    /// They may not.
    No {
        /// How we know.
        evidence: String,
    },
    /// It cannot be told.
    #[default]
    Unknown,
}

/// What the sampled projects look like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sample {
    /// How many projects were looked at.
    pub projects: u64,
    /// Whether it ended early, because the mirror no longer answered.
    pub cut_short: bool,
    /// Pages in JSON that can be used.
    pub json: u64,
    /// Pages in HTML that can be used.
    pub html: u64,
    /// Of these, pages without any file.
    pub empty: u64,
    /// Projects that have no page.
    pub missing: Group,
    /// Projects whose page is a redirect to another index.
    pub elsewhere: Group,
    /// Pages that would be refused.
    pub refused_pages: BTreeMap<PageCause, Group>,
    /// Listed files, refused ones included.
    pub files: u64,
    /// Files that would be refused.
    pub refused_files: BTreeMap<FileCause, Group>,
    /// Origins that links lead to, the mirror's own and a bounded number of others.
    pub origins: BTreeMap<String, OriginUse>,
    /// Files at yet other origins.
    pub other_origins: u64,
    /// Files that have to be fetched and hashed.
    pub without_sha256: Sizes,
    /// Files with a SHA-256, whose length has to be asked for.
    pub without_size: u64,
    /// Files so large that they would be streamed instead of kept.
    pub streamed: u64,
    /// Core metadata (PEP 658).
    pub core_metadata: CoreMetadataCounts,
    /// Project statuses (PEP 792), a bounded number of them.
    pub statuses: BTreeMap<String, u64>,
    /// ETags of pages.
    pub etags: ETags,
    /// Serials of pages.
    pub serials: Serials,
}

/// Things of one kind: how many, and a few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// How many.
    pub count: u64,
    /// A few of them.
    pub examples: Vec<Example>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Example {
    /// The project, or `project/filename`.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
}

/// Why a page would be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageCause {
    /// 401 or 403.
    Login,
    /// A redirect outside the allowed origins.
    Origin,
    /// A redirect that is not followed.
    Redirect,
    /// Past `limits.page`.
    TooLarge,
    /// No project page, or a broken one.
    Malformed,
    /// No usable answer.
    Error,
}

/// Why a file would be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileCause {
    /// Its entry on the page cannot be taken.
    Entry,
    /// Its name cannot be a target path, or is none of a distribution of the project.
    Name,
    /// Its link leads outside the allowed origins.
    Origin,
    /// Past `limits.file`.
    TooLarge,
    /// The mirror lists it, and does not give it.
    Unreachable,
}

/// How an origin is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OriginUse {
    /// Files that lie there.
    pub files: u64,
    /// Whether it is the mirror's own.
    pub own: bool,
    /// Whether it is allowed.
    pub allowed: bool,
    /// One of them, as `project/filename`.
    pub example: String,
}

/// Files, and how large they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sizes {
    /// How many.
    pub files: u64,
    /// Of how many the page gives the size.
    pub sized: u64,
    /// Those sizes together, bytes.
    pub bytes: u64,
}

/// Files by what their page says of their core metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CoreMetadataCounts {
    /// With its SHA-256.
    pub hashed: u64,
    /// Without.
    pub unhashed: u64,
}

/// ETags of pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ETags {
    /// Pages that have one.
    pub pages: u64,
    /// Pages that have a Last-Modified.
    pub dated: u64,
    /// An ETag that stands for two different pages.
    pub misleading: Option<String>,
    /// Whether a page that was asked for again with its validators was answered with 304.
    pub revalidates: Option<bool>,
}

/// Serials of pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Serials {
    /// Pages that have one.
    pub pages: u64,
    /// How many different ones.
    pub distinct: u64,
}

/// Lengths that the mirror was asked for with HEAD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lengths {
    /// Of files without SHA-256.
    pub without_sha256: Measured,
    /// Of files with one.
    pub with_sha256: Measured,
}

/// What HEAD gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// Files that were asked for.
    pub asked: u64,
    /// Those that were answered with a length.
    pub answered: u64,
    /// These lengths together, bytes.
    pub bytes: u64,
}

/// Examples that are kept of each kind.
const EXAMPLES: usize = 3;
/// The longest text that is kept of an example, in characters.
const LONGEST: usize = 300;

impl Group {
    /// Counts one more, and keeps it if it is among the first.
    pub fn add(&mut self, what: impl ToString, why: impl ToString) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            let example = Example { what: cut(&what.to_string()), why: cut(&why.to_string()) };
            self.examples.push(example);
        }
    }
}

impl Sample {
    /// Projects of which is known whether they have a page.
    pub fn answered(&self) -> u64 {
        self.json + self.html + self.missing.count + self.elsewhere.count
    }

    /// Files whose hash and length matter: all but those that would be refused whatever is configured.
    pub fn judged(&self) -> u64 {
        use FileCause::{Entry, Name, TooLarge};
        let of = |cause| self.refused_files.get(&cause).map_or(0, |group| group.count);
        self.files.saturating_sub([Entry, Name, TooLarge].into_iter().map(of).sum())
    }

    /// Counts a file that would be refused.
    pub fn refuse(&mut self, cause: FileCause, what: impl ToString, why: impl ToString) {
        self.refused_files.entry(cause).or_default().add(what, why);
    }
}

impl Measured {
    /// The mean length, bytes.
    pub fn mean(&self) -> Option<u64> {
        self.bytes.checked_div(self.answered)
    }
}

/// The beginning of what the mirror chose.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
