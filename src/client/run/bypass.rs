//! Ways past the gateway, each with what sets it.

use std::collections::BTreeSet;
use std::fmt;

use url::Url;

use crate::config::redacted;

/// Something that makes a tool take packages that nobody verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bypass {
    /// What sets it: a variable, a flag, a setting of a file.
    pub by: String,
    /// What it does.
    pub what: What,
}

/// What a way past the gateway does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Another source is asked beside the gateway.
    Beside(String),
    /// Another source is asked instead of it.
    Instead(String),
    /// No index is asked.
    NoIndex,
    /// Somebody else's program stands between the tool and the gateway.
    Proxy(String),
    /// A proxy that was not handed on to the tool.
    ProxyDropped,
    /// Another spelling of pip's index that was not handed on to the tool.
    IndexDropped,
    /// Variables are not looked at, so that the tool does not know of the gateway.
    Ignorant,
    /// Packages for some accelerators come from an index of their own.
    Torch,
    /// A lock file names files elsewhere.
    Locked(BTreeSet<String>),
}

impl Bypass {
    /// `what`, set by `by`.
    pub fn new(by: impl Into<String>, what: What) -> Self {
        Self { by: by.into(), what }
    }
}

/// What several sources make, separated by white space: one is said for all.
pub(super) fn shown(sources: &str) -> String {
    sources.split_whitespace().map(redacted).collect::<Vec<_>>().join(", ")
}

/// The origins among URLs that do not lie below `gateway`.
pub(super) fn foreign<'u>(
    urls: impl IntoIterator<Item = &'u str>,
    gateway: &Url,
) -> BTreeSet<String> {
    let parsed = urls.into_iter().filter_map(|url| Url::parse(url).ok());
    let elsewhere = parsed
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.origin() != gateway.origin());
    elsewhere.map(|url| url.origin().ascii_serialization()).collect()
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, what } = self;
        match what {
            What::Beside(source) => {
                write!(
                    f,
                    "{by} names another source of packages ({source}): nothing from there is verified"
                )
            }
            What::Instead(source) => {
                write!(
                    f,
                    "{by} has {source} asked instead of the verified index: nothing from there is verified"
                )
            }
            What::NoIndex => write!(f, "{by} has no index asked at all: nothing is verified"),
            What::Proxy(proxy) => write!(
                f,
                "{by} has the gateway asked through the proxy {proxy}, which can answer anything: take it out, and set HTTPS_PROXY \
where others need it"
            ),
            What::ProxyDropped => {
                write!(f, "{by} is not handed on: the gateway would be asked through that proxy")
            }
            What::IndexDropped => {
                write!(f, "{by} is not handed on: pip would ask that index instead of the gateway")
            }
            What::Ignorant => write!(
                f,
                "{by} does not hand on or heed variables, so that the gateway is not known there: nothing is verified"
            ),
            What::Torch => {
                write!(
                    f,
                    "{by} has packages taken from PyTorch's own index: nothing from there is verified"
                )
            }
            What::Locked(origins) => {
                let origins: Vec<_> = origins.iter().map(String::as_str).collect();
                write!(
                    f,
                    "{by} names files at {}, and they are fetched from there: nothing from there is verified",
                    origins.join(", ")
                )
            }
        }
    }
}
