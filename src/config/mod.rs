//! The configuration: one struct a section of `config/countersign.toml`, with the defaults that the sample shows.
//!
//! Values come, each overriding the one before, from the defaults, the file, the environment
//! (`COUNTERSIGN_…`, sections joined by `__`) and the command line. The environment is handed in: nothing
//! here reads that of the process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod defaults;
mod error;
mod layer;
mod load;
mod location;
mod redact;
pub mod units;
mod validate;

pub use error::{ConfigError, Setting};
pub use layer::Override;
pub use location::{LocationError, Service, StoreLocation};
pub use redact::redacted;
use units::{duration, optional_duration, size};

/// All of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where metrics, probes and webhooks are served; never the index.
    pub admin_listen: SocketAddr,
    /// The data folder: repository, spool, control socket, keys.
    pub data: PathBuf,
    /// How many files are expected; decides the number of bins when a repository is made.
    pub expected_files: Option<u64>,
    /// Number of bins when a repository is made: a power of two, 2 to 16,384.
    pub bins: Option<u32>,
    /// Never make a repository at start.
    pub no_init: bool,
    /// Whether files are targets of their own, or only pinned by their page.
    pub targets: TargetsMode,
    /// Whether HTML pages are signed too.
    pub html: bool,
    /// What happens to distributions and simple pages that are not ours to sign.
    pub passthrough: Passthrough,
    /// Whether an index that wants a login may be opened to everybody.
    pub access: Access,
    /// The one URL prefix that is taken from the mirror, with a slash at both ends.
    pub tuf_prefix: String,
    /// The mirror.
    pub upstream: UpstreamConfig,
    /// Where the repository lies, and how it is published.
    pub store: StoreConfig,
    /// How changes are noticed.
    pub watch: WatchConfig,
    /// What is kept in memory and in the spool.
    pub cache: CacheConfig,
    /// The online keys.
    pub signing: SigningConfig,
    /// Bounds on what the upstream sends.
    pub limits: LimitsConfig,
    /// How long each role is valid.
    pub validity: ValidityConfig,
    /// TLS towards clients.
    pub tls: TlsConfig,
}

/// `targets`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetsMode {
    /// Pages and files are targets.
    All,
    /// Pages alone are targets; they pin the files.
    Index,
}

/// `passthrough`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passthrough {
    /// Unsigned distributions and pages are refused.
    Closed,
    /// They are passed through.
    Open,
}

/// `access`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Only what the upstream shows to everybody is served.
    Upstream,
    /// What `upstream.credentials` can read is served to everybody.
    Open,
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct UpstreamConfig {
    /// The simple index, as pip's `--index-url` names it.
    pub url: Option<String>,
    /// Origins (`https://files.example`) that links and redirects may lead to, beside the upstream's own.
    pub origins: Vec<String>,
    /// PEM file of certificate authorities, added to the machine's own.
    pub ca_file: Option<PathBuf>,
    /// File with `user:password` in its first line, or a netrc file.
    pub credentials: Option<PathBuf>,
    /// Connections at once, at the most.
    pub connections: usize,
    /// Until a response's head must be there.
    #[serde(with = "duration")]
    pub response_timeout: Duration,
    /// The longest silence inside a body; of what is fetched, 1 KiB/s must come on the average of this time.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// Until a page or a list must be there whole.
    #[serde(with = "duration")]
    pub page_timeout: Duration,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct StoreConfig {
    /// `file:///path` or `s3://bucket/prefix`; without it the folder `repository` in the data folder.
    pub url: Option<String>,
    /// How long what was superseded stays fetchable.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// The least time between two publications; without it none in a folder, 1 s on a shared store.
    #[serde(with = "optional_duration")]
    pub interval: Option<Duration>,
    /// How long a replica that does the polling is taken to be alive without a sign of life; shared stores alone.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// What is answered for `timestamp.json` while a shared store cannot be looked at.
    pub lost: Lost,
    /// Whether a clock that seems wrong stops the signing.
    pub clock: ClockCheck,
}

/// `store.lost`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// 503: another replica may have answered a newer one.
    Refuse,
    /// The newest that this process knows.
    Serve,
}

/// `store.clock`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockCheck {
    /// Nothing is signed while the clock seems wrong.
    Check,
    /// An operator's word that it is right.
    Trust,
}

/// `[watch]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct WatchConfig {
    /// Which projects are looked at.
    pub mode: WatchMode,
    /// Between two polls.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// Looks under way at once, at the most.
    pub concurrency: usize,
    /// How long a client's request waits for the publication of a project not seen before.
    #[serde(with = "duration")]
    pub on_demand_timeout: Duration,
    /// Over how long three answers of "not there" must be spread until a withdrawal is believed.
    #[serde(with = "duration")]
    pub withdrawal_period: Duration,
}

/// `watch.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchMode {
    /// All projects up to 20,000 listed, else on demand.
    Auto,
    /// Every listed project.
    All,
    /// Projects that a client asked for.
    OnDemand,
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct CacheConfig {
    /// Memory for pages and metadata, bytes.
    #[serde(with = "size")]
    pub memory: u64,
    /// Disk for verified files, bytes.
    #[serde(with = "size")]
    pub files: u64,
    /// Larger files are streamed, bytes.
    #[serde(with = "size")]
    pub file_limit: u64,
}

/// `[signing]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SigningConfig {
    /// What names the online keys; relative paths begin in the data folder.
    pub online: Vec<String>,
    /// Until a signature must be there.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Between two looks at key files, and at keys that were away.
    #[serde(with = "duration")]
    pub reload: Duration,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LimitsConfig {
    /// A project page, decompressed, bytes.
    #[serde(with = "size")]
    pub page: u64,
    /// The project list, decompressed, bytes.
    #[serde(with = "size")]
    pub list: u64,
    /// A distribution file, bytes.
    #[serde(with = "size")]
    pub file: u64,
}

/// `[validity]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ValidityConfig {
    /// root, when made by `init`.
    #[serde(with = "duration")]
    pub root: Duration,
    /// targets, when made by `init`.
    #[serde(with = "duration")]
    pub targets: Duration,
    /// bins, when made by `init`.
    #[serde(with = "duration")]
    pub bins: Duration,
    /// Each bin.
    #[serde(with = "duration")]
    pub bin: Duration,
    /// snapshot.
    #[serde(with = "duration")]
    pub snapshot: Duration,
    /// timestamp.
    #[serde(with = "duration")]
    pub timestamp: Duration,
    /// How long before its expiry an offline role is warned of.
    #[serde(with = "duration")]
    pub warn: Duration,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct TlsConfig {
    /// PEM certificate chain; with `key`, clients are served over TLS.
    pub cert: Option<PathBuf>,
    /// PEM private key.
    pub key: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
