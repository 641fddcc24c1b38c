//! Keys in the transit engine of HashiCorp Vault or OpenBao.
//!
//! <https://openbao.org/api-docs/secret/transit/>, <https://developer.hashicorp.com/vault/api-docs/secret/transit>

mod answer;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::json;
use url::Url;

use super::http::{self as service, Answer, Service};
use super::{Backend, KeyUri, Opening, Signer, SignerError, checked, private_file};
use crate::tuf::{Digest, Key};
use answer::Kind;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Without it Vault's own agent refuses to pass a request on.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// A key in Vault, in one of its versions.
pub(super) struct VaultSigner {
    server: Server,
    key: Key,
    kind: Kind,
    version: u64,
}

/// What the URI says.
#[derive(Debug, PartialEq)]
pub(super) struct VaultUri {
    /// `GET` gives the public keys.
    keys: Url,
    /// `POST` signs.
    sign: Url,
    token_file: PathBuf,
    version: Option<u64>,
    ca_file: Option<PathBuf>,
    namespace: Option<HeaderValue>,
}

impl VaultUri {
    /// Reads `vault:https://HOST:PORT/MOUNT/KEY?token-file=PATH`.
    ///
    /// # Errors
    /// [`SignerError::Uri`].
    pub(super) fn parse(uri: &KeyUri) -> Result<Self, SignerError> {
        let (address, query) = uri.rest().split_once('?').unwrap_or((uri.rest(), ""));
        let url: Url =
            address.parse().map_err(|error| uri.wrong(format!("its URL is wrong: {error}")))?;
        service::check_url(&url).map_err(|why| uri.wrong(why))?;
        let below = |what: &str| {
            let (mount, key) = url.path().trim_matches('/').rsplit_once('/')?;
            let mut url = url.clone();
            url.set_path(&format!("/v1/{mount}/{what}/{key}"));
            Some(url)
        };
        let (Some(keys), Some(sign)) = (below("keys"), below("sign")) else {
            return Err(uri.wrong("its path is not MOUNT/KEY, such as transit/countersign"));
        };
        let names = ["token-file", "version", "ca-file", "namespace"];
        let options = service::options(query, names).map_err(|why| uri.wrong(why))?;
        let [token_file, version, ca_file, namespace] = options;
        let version = version.map(|text| match text.parse() {
            Ok(0) | Err(_) => Err(uri.wrong("version is no number from 1 on")),
            Ok(number) => Ok(number),
        });
        let namespace = namespace.map(|text| {
            HeaderValue::try_from(text).map_err(|_| uri.wrong("namespace has control characters"))
        });
        Ok(Self {
            keys,
            sign,
            token_file: token_file.ok_or_else(|| uri.wrong("it has no token-file"))?.into(),
            version: version.transpose()?,
            ca_file: ca_file.map(PathBuf::from),
            namespace: namespace.transpose()?,
        })
    }
}

/// A Vault, and how it is asked.
struct Server {
    uri: VaultUri,
    base: PathBuf,
    service: Service,
}

impl Server {
    /// Sends a request with the token that lies in its file now: Vault's agent renews it.
    async fn ask(
        &self,
        method: Method,
        url: &Url,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, SignerError> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder().method(method).uri(url.as_str()).body(Full::new(body));
        let mut request = request.map_err(|error| self.service.refused(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(namespace) = &self.uri.namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        let token = private_file::read_secret(&self.base.join(&self.uri.token_file))?;
        service::secret_header(headers, TOKEN, &token)
            .map_err(|_| self.service.refused("what lies in its token-file is no token"))?;
        let answer = self.service.ask(request).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let reason = answer::failure(&answer);
        match service::is_away(answer.status) {
            true => Err(self.service.away(reason)),
            false => Err(self.service.refused(reason)),
        }
    }
}

impl VaultSigner {
    /// Asks for the public key, of the version that the URI names or else of the newest. Its signatures are made with
    /// that version, whatever comes after it.
    ///
    /// # Errors
    /// [`SignerError`].
    pub(super) async fn open(uri: &KeyUri, how: &Opening) -> Result<Self, SignerError> {
        let parsed = VaultUri::parse(uri)?;
        let ca_file = parsed.ca_file.as_deref().map(|path: &Path| how.base.join(path));
        let service = Service::new(uri, &parsed.keys, ca_file.as_deref(), how)?;
        let server = Server { uri: parsed, base: how.base.clone(), service };
        let answer = server.ask(Method::GET, &server.uri.keys, None).await?;
        let found = answer::public_key(&answer.body, server.uri.version);
        let (kind, version, key) = found.map_err(|why| server.service.refused(why))?;
        Ok(Self { server, key, kind, version })
    }

    async fn signature(&self, message: &[u8]) -> Result<String, SignerError> {
        let body = match self.kind {
            Kind::Ed25519 => json!({
                "input": answer::base64(message),
                "key_version": self.version,
            }),
            // The digest alone, which is what is signed: a bin may have megabytes.
            Kind::P256 => json!({
                "input": answer::base64(Digest::of(message).as_bytes()),
                "key_version": self.version,
                "prehashed": true,
                "hash_algorithm": "sha2-256",
                "marshaling_algorithm": "asn1",
            }),
        };
        let answer = self.server.ask(Method::POST, &self.server.uri.sign, Some(&body)).await?;
        let signature = answer::signature(&answer.body, self.version);
        signature.map_err(|why| self.server.service.refused(why))
    }
}

impl Signer for VaultSigner {
    fn key(&self) -> &Key {
        &self.key
    }

    fn backend(&self) -> Backend {
        Backend::Vault
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(async move {
            let signature = self.signature(message).await?;
            checked(&self.server.service.uri, &self.key, message, signature)
        })
    }
}

#[cfg(test)]
mod tests;
