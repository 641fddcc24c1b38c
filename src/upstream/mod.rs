//! The client towards the mirror. Everything that the mirror sends is bounded in size, time and redirects.
//!
//! ```text
//! url          the simple index's URL, origins, redaction
//! credentials  user:password and netrc files
//! body         the one body type; bounds on bodies that are read
//! fetch        our own requests: pages, lists, files
//! probe        one look at anything
//! retry        which failures are tried again, and when
//! forward      requests of others, passed through
//! error        what can go wrong, and its metric label
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::sync::Semaphore;
use url::{Origin, Url};

use crate::config::{Access, LimitsConfig, UpstreamConfig};
use crate::connect::{self, Connector};
use crate::index::ProjectName;

pub mod body;
mod credentials;
mod decode;
mod error;
mod fetch;
mod forward;
mod guard;
mod probe;
mod redirect;
mod retry;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod url_text;

pub use body::{Body, BodyError, Found};
pub use credentials::Credentials;
pub use error::{ConfigError, REASONS, UpstreamError};
pub use fetch::{Fetched, FileBody, FileReply, Gone, PageReply, Validators};
pub use forward::ForwardedFor;
pub use probe::Probed;
pub use url_text::MirrorUrl;

/// The mirror. Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    inner: Arc<Inner>,
}

struct Inner {
    simple: Url,
    /// Where requests may go: the mirror's own origin and the configured ones.
    origins: HashSet<Origin>,
    credentials: Option<Credentials>,
    /// Whether passed-through requests without a login get ours (`access = "open"`).
    lend: bool,
    config: UpstreamConfig,
    limits: LimitsConfig,
    client: Client<Connector, Body>,
    /// For requests that must not meet a connection which the mirror is just closing: they cannot be repeated.
    unpooled: Client<Connector, Body>,
    proxies: Arc<Matcher>,
    /// Places for our own fetches.
    connections: Arc<Semaphore>,
    /// Of those, the places that files may take, so that long downloads leave room for pages.
    downloads: Arc<Semaphore>,
}

impl Upstream {
    /// A client for the mirror that `config` names; HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are honoured as curl does.
    ///
    /// # Errors
    /// [`UpstreamError::Config`] where a URL, the CA file or the credentials file is wrong.
    pub fn new(
        config: &UpstreamConfig,
        limits: &LimitsConfig,
        access: Access,
    ) -> Result<Self, UpstreamError> {
        Self::with_proxies(config, limits, access, Matcher::from_env())
    }

    /// As [`Upstream::new`], with the proxies given instead of taken from the environment.
    ///
    /// # Errors
    /// As [`Upstream::new`].
    pub fn with_proxies(
        config: &UpstreamConfig,
        limits: &LimitsConfig,
        access: Access,
        proxies: Matcher,
    ) -> Result<Self, UpstreamError> {
        let text = config.url.as_deref().ok_or(ConfigError::NoUrl)?;
        let (base, from_url) = MirrorUrl::simple_base(text)?;
        let simple = base.into_url();
        let credentials = credentials::of(&simple, from_url, config.credentials.as_deref())?;
        let mut origins = HashSet::from([simple.origin()]);
        for origin in &config.origins {
            origins.insert(url_text::origin(origin)?);
        }
        let proxies = Arc::new(proxies);
        let (ca_file, timeout) = (config.ca_file.as_deref(), config.response_timeout);
        let connector =
            connect::connector(ca_file, timeout, &proxies).map_err(ConfigError::from)?;
        let places = config.connections.clamp(1, Semaphore::MAX_PERMITS);
        let inner = Inner {
            origins,
            credentials,
            lend: access == Access::Open,
            client: connect::client(connector.clone(), places),
            unpooled: connect::client(connector, 0),
            proxies,
            connections: Arc::new(Semaphore::new(places)),
            downloads: Arc::new(Semaphore::new((places * 3).div_ceil(4))),
            config: config.clone(),
            limits: limits.clone(),
            simple,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The simple index, without credentials; its path ends in `/`.
    pub fn simple_url(&self) -> &Url {
        &self.inner.simple
    }

    /// The simple index's path, percent-encoded, with a slash at both ends.
    pub fn simple_path(&self) -> &str {
        self.inner.simple.path()
    }

    /// Where the project's page lies (PEP 503).
    pub fn page_url(&self, project: &ProjectName) -> Url {
        let mut url = self.inner.simple.clone();
        url.set_path(&format!("{}{project}/", self.simple_path()));
        url
    }

    /// Whether requests may go there: scheme, host and port are the mirror's own or a configured origin's.
    pub fn allows(&self, url: &Url) -> bool {
        self.inner.origins.contains(&url.origin())
    }

    /// Whether credentials for the mirror are configured.
    pub fn has_credentials(&self) -> bool {
        self.inner.credentials.is_some()
    }

    /// Whether `url` is on the mirror's own origin, the only one that is sent credentials.
    fn is_own(&self, url: &Url) -> bool {
        self.inner.simple.origin() == url.origin()
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Upstream").field(&MirrorUrl::from(self.inner.simple.clone())).finish()
    }
}
