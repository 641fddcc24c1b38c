//! What a request is for: decided by its method and path alone, by a pure function.

use http::Method;

use super::path::{ends_in_slash, relative, same_depth, segments};
use crate::index::{Format, ProjectName, is_distribution};
use crate::telemetry::Route;
use crate::tuf::Digest;

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The project list.
    List,
    /// A project page at its canonical path.
    Page(ProjectName),
    /// A page or list under another spelling of its path; the canonical one, relative.
    Moved(String),
    /// `timestamp.json`
    Timestamp,
    /// `<version>.<role>.json`
    Metadata {
        /// The version number.
        version: u64,
        /// The role's name, as the client wrote it.
        role: String,
    },
    /// A project page by its target path.
    PageTarget {
        /// The project.
        project: ProjectName,
        /// The format that the path names.
        format: Format,
        /// The hash that the client expects.
        pin: Option<Digest>,
    },
    /// A distribution file by its target path, or what belongs to it.
    FileTarget {
        /// The project.
        project: ProjectName,
        /// The file, or what belongs to it.
        file: Named,
        /// The hash that the client expects of the file.
        pin: Option<Digest>,
    },
    /// Below a prefix of ours, and nothing that can be there.
    Missing(Route),
    /// A method that changes things, below a prefix of ours.
    NotAllowed,
    /// A distribution file, or what belongs to it, at a path of the mirror's own.
    UpstreamFile(Named),
    /// Something is sent to the mirror.
    Upload,
    /// A simple page or list of another index.
    Foreign,
    /// All else.
    Other,
}

/// A file, or what lies beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The distribution file's name.
    pub filename: String,
    /// What of it.
    pub part: Part,
}

/// What belongs to a distribution file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The file itself.
    Whole,
    /// `<file>.metadata` (PEP 658).
    CoreMetadata,
    /// `<file>.asc` (PEP 503).
    Signature,
    /// `<file>.provenance` (PEP 740).
    Provenance,
}

impl Part {
    const BESIDE: [(&'static str, Self); 3] = [
        (".metadata", Self::CoreMetadata),
        (".asc", Self::Signature),
        (".provenance", Self::Provenance),
    ];

    /// What is added to the file's name.
    pub fn suffix(self) -> &'static str {
        let of = Self::BESIDE.iter().find(|(_, part)| *part == self);
        of.map_or("", |(suffix, _)| suffix)
    }
}

impl Named {
    /// Parts `<file>` and `<file>.metadata`, `.asc`, `.provenance`.
    fn parse(name: &str) -> Self {
        let beside = Part::BESIDE.iter().find_map(|(suffix, part)| {
            let filename = name.strip_suffix(suffix)?;
            is_distribution(filename).then(|| Self { filename: filename.to_owned(), part: *part })
        });
        beside.unwrap_or_else(|| Self { filename: name.to_owned(), part: Part::Whole })
    }
}

impl Resource {
    /// The label for metrics.
    pub fn label(&self) -> Route {
        match self {
            Self::List => Route::List,
            Self::Page(_) | Self::Moved(_) | Self::Foreign => Route::Page,
            Self::Timestamp | Self::Metadata { .. } => Route::Metadata,
            Self::PageTarget { .. } | Self::FileTarget { .. } | Self::NotAllowed => Route::Target,
            Self::Missing(route) => *route,
            Self::UpstreamFile(_) => Route::File,
            Self::Upload => Route::Upload,
            Self::Other => Route::Passthrough,
        }
    }
}

/// The paths that are ours.
#[derive(Debug, Clone)]
pub struct Routes {
    /// As the mirror's URL has it: percent-encoded, a slash at both ends.
    simple_path: String,
    simple: Vec<String>,
    tuf: Vec<String>,
}

impl Routes {
    /// Pages lie below `simple_path`, the repository below `tuf_prefix`.
    pub fn new(simple_path: &str, tuf_prefix: &str) -> Self {
        Self {
            simple_path: simple_path.to_owned(),
            simple: segments(simple_path).unwrap_or_default(),
            tuf: segments(tuf_prefix).unwrap_or_default(),
        }
    }

    /// What a request with `method` for `path` (as it was sent) is for.
    pub fn resource(&self, method: &Method, path: &str) -> Resource {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let Some(segments) = segments(path) else {
            // No file or page of ours has such a path, and what a mirror makes of it cannot be told.
            return Resource::Missing(Route::Passthrough);
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if let Some(rest) = below(&segments, &self.tuf) {
            return if reads { in_repository(rest) } else { Resource::NotAllowed };
        }
        if !reads {
            let sends = matches!(*method, Method::POST | Method::PUT);
            return if sends { Resource::Upload } else { Resource::Other };
        }
        if let Some(rest) = below(&segments, &self.simple)
            && let Some(resource) = self.in_index(path, rest)
        {
            return resource;
        }
        elsewhere(&segments)
    }

    /// What a request with another method, for the same path, may be answered with by a mirror that minds no method.
    pub fn readable(&self, path: &str) -> Resource {
        self.resource(&Method::GET, path)
    }

    /// `rest` lies below the simple index; `None` where it is neither page nor list.
    fn in_index(&self, path: &str, rest: &[&str]) -> Option<Resource> {
        let name = match rest {
            [] => return Some(self.canonical(path, &self.simple_path, Resource::List)),
            [name] if is_distribution(name) && !ends_in_slash(path) => return None,
            // The page as a file, as static mirrors have it.
            [name] | [name, _] if rest.len() == 1 || is_index_file(rest) => name,
            _ => return None,
        };
        let Ok(project) = ProjectName::parse(name) else {
            return Some(Resource::Missing(Route::Page));
        };
        let canonical = format!("{}{project}/", self.simple_path);
        if *name == project.as_str() && rest.len() == 1 {
            return Some(self.canonical(path, &canonical, Resource::Page(project)));
        }
        Some(Resource::Moved(relative(path, &canonical)))
    }

    /// `resource`, unless its relative links would lead astray.
    fn canonical(&self, path: &str, canonical: &str, resource: Resource) -> Resource {
        match same_depth(path, canonical) {
            true => resource,
            false => Resource::Moved(relative(path, canonical)),
        }
    }
}

/// What of `segments` lies below `prefix`.
fn below<'a, 'b>(segments: &'a [&'b str], prefix: &[String]) -> Option<&'a [&'b str]> {
    let (head, rest) = segments.split_at_checked(prefix.len())?;
    head.iter().zip(prefix).all(|(a, b)| a == b).then_some(rest)
}

/// Whether the last of `segments` is what a folder's page is called on disk (`index.html`, `index.v1_json`).
fn is_index_file(segments: &[&str]) -> bool {
    segments.last().is_some_and(|name| name.starts_with("index."))
}

/// A distribution file, or what belongs to it, at a path that ends like its target path, wherever the repository lies.
pub fn file_anywhere(path: &str) -> Option<Resource> {
    let segments = segments(path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let [.., "targets", first, project, name] = *segments else { return None };
    target(first, project, name).filter(|resource| matches!(resource, Resource::FileTarget { .. }))
}

/// Below the TUF prefix.
fn in_repository(rest: &[&str]) -> Resource {
    match rest {
        ["metadata", name] => metadata(name).unwrap_or(Resource::Missing(Route::Metadata)),
        ["metadata", ..] => Resource::Missing(Route::Metadata),
        ["targets", first, project, name] => {
            target(first, project, name).unwrap_or(Resource::Missing(Route::Target))
        }
        _ => Resource::Missing(Route::Target),
    }
}

fn metadata(name: &str) -> Option<Resource> {
    if name == "timestamp.json" {
        return Some(Resource::Timestamp);
    }
    let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
    let digits = version.bytes().all(|b| b.is_ascii_digit()) && !version.starts_with('0');
    let version = digits.then(|| version.parse().ok())??;
    let named = role.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    named.then(|| Resource::Metadata { version, role: role.to_owned() })
}

/// `<first>/<project>/<name>`, where `first` or `name` may bear the hash.
fn target(first: &str, project: &str, name: &str) -> Option<Resource> {
    let project = ProjectName::parse(project).ok().filter(|name| name.as_str() == project)?;
    let (pin, first, name) = match (pinned(first), pinned(name)) {
        (Some((pin, first)), _) => (Some(pin), first, name),
        (None, Some((pin, name))) => (Some(pin), first, name),
        (None, None) => (None, first, name),
    };
    match (first, name) {
        ("simple", "vnd.pypi.simple.v1.json") => {
            Some(Resource::PageTarget { project, format: Format::Json, pin })
        }
        ("simple", "vnd.pypi.simple.v1.html") => {
            Some(Resource::PageTarget { project, format: Format::Html, pin })
        }
        ("files", name) => Some(Resource::FileTarget { project, file: Named::parse(name), pin }),
        _ => None,
    }
}

/// Parts `<sha256>.<name>`.
fn pinned(name: &str) -> Option<(Digest, &str)> {
    let (hash, name) = name.split_once('.')?;
    let pin: Digest = hash.parse().ok()?;
    // Upper-case hex is no hash that a TUF client writes.
    (pin.to_string() == hash).then_some((pin, name))
}

/// Neither in the repository nor a page of the simple index.
fn elsewhere(segments: &[&str]) -> Resource {
    let Some(name) = segments.last() else { return Resource::Other };
    for name in [name, plain(name)] {
        let file = Named::parse(name);
        if is_distribution(&file.filename) {
            return Resource::UpstreamFile(file);
        }
    }
    if is_foreign(segments) { Resource::Foreign } else { Resource::Other }
}

/// A segment without its parameters (RFC 3986, section 3.3): Java's servers drop them before they look for a file.
fn plain(segment: &str) -> &str {
    segment.split(';').next().unwrap_or(segment)
}

/// Whether this looks like a list or a page of a simple index: `…/simple/`, `…/+simple/<project>/`, also as a file.
fn is_foreign(segments: &[&str]) -> bool {
    let at = segments.iter().rposition(|segment| {
        let name = plain(segment);
        let name = name.strip_prefix('+').unwrap_or(name);
        name.eq_ignore_ascii_case("simple")
    });
    match at.and_then(|at| segments.get(at + 1..)) {
        Some([] | [_]) => true,
        Some(rest @ [_, _]) => is_index_file(rest),
        _ => false,
    }
}
