//! Services that hold keys: JSON over HTTPS, bounded in time and size.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{KeyUri, Opening, SignerError};
use crate::connect::{self, Connector, chain_text};

/// Answers have a key or a signature, bytes.
const LARGEST: usize = 64 * 1024;
/// What is said of an answer, characters.
const LONGEST_SAID: usize = 300;
/// Connections that wait for the next signature.
const IDLE: usize = 2;

/// A service.
pub(super) struct Service {
    /// The key's name, for errors.
    pub(super) uri: String,
    client: Client<Connector, Full<Bytes>>,
    timeout: Duration,
}

/// What a service answered, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Service {
    /// The service at `url`. Nothing is sent yet.
    pub(super) fn new(
        uri: &KeyUri,
        url: &Url,
        ca_file: Option<&Path>,
        how: &Opening,
    ) -> Result<Self, SignerError> {
        // A proxy would read what is not encrypted.
        let proxies = match url.scheme() {
            "https" => Matcher::from_env(),
            _ => Matcher::builder().build(),
        };
        let connector = connect::connector(ca_file, how.timeout, &Arc::new(proxies));
        let refused = |error: connect::ConnectError| refused(&uri.to_string(), error.to_string());
        let client = connect::client(connector.map_err(refused)?, IDLE);
        Ok(Self { uri: uri.to_string(), client, timeout: how.timeout })
    }

    /// Sends one request. Redirects are answers.
    ///
    /// # Errors
    /// [`SignerError::Away`] where there is no answer in time, [`SignerError::Refused`] where it is too long.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, SignerError> {
        let exchange = async {
            let sent = self.client.request(request).await;
            let (head, body) = sent.map_err(|error| self.away(chain_text(&error)))?.into_parts();
            match Limited::new(body, LARGEST).collect().await {
                Ok(body) => Ok(Answer { status: head.status, body: body.to_bytes() }),
                Err(error) if error.is::<LengthLimitError>() => {
                    let status = head.status.as_u16();
                    let said =
                        format!("its answer, of status {status}, has more than {LARGEST} bytes");
                    Err(if is_away(head.status) { self.away(said) } else { self.refused(said) })
                }
                Err(error) => Err(self.away(chain_text(error.as_ref()))),
            }
        };
        let late = |_| self.away(format!("no answer within {:?}", self.timeout));
        tokio::time::timeout(self.timeout, exchange).await.map_err(late)?
    }

    /// Another try may help.
    pub(super) fn away(&self, reason: impl Into<String>) -> SignerError {
        SignerError::Away { uri: self.uri.clone(), reason: reason.into() }
    }

    /// Another try does not help.
    pub(super) fn refused(&self, reason: impl Into<String>) -> SignerError {
        refused(&self.uri, reason)
    }
}

fn refused(uri: &str, reason: impl Into<String>) -> SignerError {
    SignerError::Refused { uri: uri.into(), reason: reason.into() }
}

/// Whether the status alone says that a later try may succeed.
pub(super) fn is_away(status: StatusCode) -> bool {
    // 412: a server that has not heard yet of what another did (Vault). 307: one that sends to the active server.
    status.is_server_error() || matches!(status.as_u16(), 307 | 408 | 412 | 429)
}

/// Adds a header whose value is a secret: wiped from memory with the last copy, and shown nowhere.
///
/// # Errors
/// Where it cannot be a header.
pub(super) fn secret_header(
    headers: &mut HeaderMap,
    name: HeaderName,
    secret: &Zeroizing<String>,
) -> Result<(), http::Error> {
    let bytes = Bytes::from_owner(Zeroizing::new(secret.as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// What a service says, as it may be shown.
pub(super) fn said(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(LONGEST_SAID).map(shown).collect()
}

/// Whether a request may be sent to `url`: over TLS, or within this machine.
///
/// # Errors
/// Why not.
pub(super) fn check_url(url: &Url) -> Result<(), &'static str> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => return Err("its URL has no host"),
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("its URL must have neither a user nor a fragment");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err("http:// would send secrets in the clear to another machine: use https://"),
        _ => Err("its URL must begin with https://"),
    }
}

/// What follows a URI's `?`: each of `names` once at most.
///
/// # Errors
/// Which is not known, or there twice.
pub(super) fn options<const N: usize>(
    query: &str,
    names: [&'static str; N],
) -> Result<[Option<String>; N], String> {
    let mut values = [const { None }; N];
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let known = names.iter().zip(&mut values).find(|(known, _)| **known == name);
        let (_, slot) = known.ok_or_else(|| {
            format!("{:?} is not among what may follow its ?: {}", said(&name), names.join(", "))
        })?;
        if slot.replace(value.into_owned()).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    match values.iter().zip(names).find(|(value, _)| value.as_deref() == Some("")) {
        Some((_, name)) => Err(format!("{name} is empty")),
        None => Ok(values),
    }
}
