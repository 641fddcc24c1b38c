//! What types alone cannot say.

use std::time::Duration;

use url::Url;

use super::units::{duration, size};
use super::{Access, Config, ConfigError, StoreLocation};
use crate::telemetry::Backend;

/// Ten years. Longer validity protects nobody, and dates far off break clients.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
/// PEP 458's number of bins; larger snapshots exceed what clients load.
const MOST_BINS: u32 = 16_384;

/// A key whose value cannot stand, and why.
#[derive(Debug)]
pub(super) struct Fault {
    pub key: &'static str,
    pub reason: String,
}

type Checked = Result<(), Fault>;

fn require(holds: bool, key: &'static str, reason: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(Fault { key, reason: reason.into() }) }
}

/// Looks at everything.
pub(super) fn check(config: &Config) -> Checked {
    listeners(config)?;
    repository(config)?;
    store(config)?;
    signing(config)?;
    upstream(config)?;
    credentials(config)?;
    durations(config)?;
    amounts(config)?;
    tls(config)
}

fn listeners(config: &Config) -> Checked {
    let shared = config.listen == config.admin_listen && config.listen.port() != 0;
    require(!shared, "admin-listen", "listen has the same address; metrics need one of their own")
}

fn repository(config: &Config) -> Checked {
    let power = |bins: u32| bins.is_power_of_two() && (2..=MOST_BINS).contains(&bins);
    let bins = config.bins.is_none_or(power);
    require(bins, "bins", "it must be a power of two from 2 to 16384")?;
    let files = config.expected_files.is_none_or(|files| files > 0);
    require(files, "expected-files", "it must be at least 1")?;
    let shape = "it must be a path between two slashes, as /tuf/, of ASCII letters, digits, '-', '_' and '.'";
    require(is_prefix(&config.tuf_prefix), "tuf-prefix", shape)
}

fn store(config: &Config) -> Checked {
    let location = StoreLocation::of(config);
    location.map(drop).map_err(|error| Fault { key: "store.url", reason: error.to_string() })
}

/// Whether each names a kind of key. What follows the scheme is read where the key is opened.
fn signing(config: &Config) -> Checked {
    let online = &config.signing.online;
    require(!online.is_empty(), "signing.online", "it must name a key, as file:online.pem")?;
    let known = |uri: &String| match uri.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => {
            Backend::ALL.iter().any(|backend| backend.as_str() == scheme) && !rest.is_empty()
        }
        _ => !uri.is_empty(),
    };
    let schemes: Vec<_> = Backend::ALL.iter().map(|backend| format!("{backend}:")).collect();
    let schemes = schemes.join(", ");
    let shape = format!("each must be a path, or begin with one of {schemes} as file:online.pem");
    require(online.iter().all(known), "signing.online", shape)
}

fn is_prefix(text: &str) -> bool {
    let segment = |s: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !s.is_empty() && s != "." && s != ".." && s.bytes().all(allowed)
    };
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    inner.is_some_and(|inner| inner.split('/').all(segment))
}

fn upstream(config: &Config) -> Checked {
    if let Some(url) = &config.upstream.url {
        index_url(url).map_err(|reason| Fault { key: "upstream.url", reason })?;
    }
    for origin in &config.upstream.origins {
        let bare = web_url(origin).is_ok_and(|url| {
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none()
        });
        let shape = "each must be a scheme, a host and perhaps a port, as https://files.example";
        require(bare, "upstream.origins", shape)?;
    }
    Ok(())
}

fn index_url(text: &str) -> Result<Url, String> {
    let url = web_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a simple index has neither '?' nor '#' in its URL".into());
    }
    Ok(url)
}

fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("it must be a URL as https://mirror.example/simple/ ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with https:// or http://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials belong into a file that upstream.credentials names".into());
    }
    Ok(url)
}

/// What is read with credentials is shown to everybody: that must be said twice.
fn credentials(config: &Config) -> Checked {
    let given = config.upstream.credentials.is_some();
    let open = config.access == Access::Open;
    let alone = "it shows everybody what they can read; say so with access = \"open\"";
    require(open || !given, "upstream.credentials", alone)?;
    let needless =
        "it needs upstream.credentials; without them everybody sees what the upstream shows anyway";
    require(given || !open, "access", needless)
}

fn durations(config: &Config) -> Checked {
    let (upstream, watch, store) = (&config.upstream, &config.watch, &config.store);
    let signing = &config.signing;
    let validities = validities(config);
    for (key, value) in [
        ("upstream.response-timeout", upstream.response_timeout),
        ("upstream.idle-timeout", upstream.idle_timeout),
        ("upstream.page-timeout", upstream.page_timeout),
        ("store.grace", store.grace),
        ("store.lease", store.lease),
        ("signing.timeout", signing.timeout),
        ("signing.reload", signing.reload),
        ("validity.warn", config.validity.warn),
        ("watch.interval", watch.interval),
        ("watch.on-demand-timeout", watch.on_demand_timeout),
        ("watch.withdrawal-period", watch.withdrawal_period),
    ]
    .into_iter()
    .chain(validities)
    {
        require(!value.is_zero(), key, "it must be longer than zero")?;
        let most = format!("it must not exceed {}", duration::show(LONGEST));
        require(value <= LONGEST, key, most)?;
    }
    // The dates of TUF have whole seconds.
    let whole = |value: Duration| value.subsec_nanos() == 0;
    let part = validities.into_iter().find(|(_, value)| !whole(*value));
    part.map_or(Ok(()), |(key, _)| require(false, key, "it must be whole seconds"))
}

fn validities(config: &Config) -> [(&'static str, Duration); 6] {
    let validity = &config.validity;
    [
        ("validity.root", validity.root),
        ("validity.targets", validity.targets),
        ("validity.bins", validity.bins),
        ("validity.bin", validity.bin),
        ("validity.snapshot", validity.snapshot),
        ("validity.timestamp", validity.timestamp),
    ]
}

fn amounts(config: &Config) -> Checked {
    let (cache, limits) = (&config.cache, &config.limits);
    for (key, value) in [
        ("upstream.connections", config.upstream.connections as u64),
        ("watch.concurrency", config.watch.concurrency as u64),
        ("limits.page", limits.page),
        ("limits.list", limits.list),
        ("limits.file", limits.file),
    ] {
        require(value > 0, key, "it must be at least 1")?;
    }
    let larger = format!("it is larger than cache.files, {}", size::show(cache.files));
    require(cache.file_limit <= cache.files, "cache.file-limit", larger)
}

fn tls(config: &Config) -> Checked {
    let tls = &config.tls;
    require(tls.key.is_some() || tls.cert.is_none(), "tls.cert", "it needs tls.key beside it")?;
    require(tls.cert.is_some() || tls.key.is_none(), "tls.key", "it needs tls.cert beside it")
}

impl Config {
    /// The simple index, always with a slash at its end.
    ///
    /// # Errors
    /// [`ConfigError::NoUpstream`] where none is configured.
    pub fn upstream_url(&self) -> Result<Url, ConfigError> {
        let text = self.upstream.url.as_deref().ok_or(ConfigError::NoUpstream)?;
        let mut url = index_url(text).map_err(|_| ConfigError::NoUpstream)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(url)
    }
}
