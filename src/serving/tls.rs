//! TLS towards clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsConfig;

/// HTTP/2 by its ALPN name (RFC 9113, section 3.2).
pub(super) const H2: &[u8] = b"h2";

/// Why clients cannot be served over TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One file without the other.
    #[error("tls.{0} is set alone: set tls.cert and tls.key together")]
    Alone(&'static str),
    /// A file cannot be read, or is no PEM of the expected kind.
    #[error("tls.{what} {path:?} cannot be used: {source}", path = path.display())]
    File {
        /// `cert` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The key does not fit the certificate, or neither can be used.
    #[error("tls.cert {cert:?} and tls.key {key:?} cannot be used together: {source}", cert = cert.display(), key = key.display())]
    Pair {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// The server's side of TLS as `config` says; `None` where it names no files. Offers h2 and http/1.1 (RFC 7301).
///
/// # Errors
/// [`TlsError`] names the file that cannot be used.
pub fn server_config(config: &TlsConfig) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    match (&config.cert, &config.key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(TlsError::Alone("cert")),
        (None, Some(_)) => Err(TlsError::Alone("key")),
        (Some(cert), Some(key)) => load(cert, key).map(Some),
    }
}

fn load(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unusable = |what, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { what, path, source }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(unusable("cert", cert))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(unusable("key", key))?;
    let pair = |source| TlsError::Pair { cert: cert.to_owned(), key: key.to_owned(), source };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(pair)?;
    tls.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cert: Option<PathBuf>, key: Option<PathBuf>) -> TlsConfig {
        TlsConfig { cert, key }
    }

    #[test]
    fn a_pair_is_loaded_and_offers_both_protocols() {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = server_config(&config(Some(cert.clone()), Some(key))).unwrap().unwrap();
        assert_eq!(tls.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);

        let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let wrong = dir.path().join("other.pem");
        std::fs::write(&wrong, other.signing_key.serialize_pem()).unwrap();
        let error = server_config(&config(Some(cert.clone()), Some(wrong))).unwrap_err();
        assert!(matches!(error, TlsError::Pair { .. }), "{error}");

        let error = server_config(&config(Some(cert.clone()), Some(cert))).unwrap_err();
        assert!(error.to_string().starts_with("tls.key \""), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(server_config(&config(None, None)).unwrap().is_none());
        let error = server_config(&config(Some("/no/cert.pem".into()), None)).unwrap_err();
        assert_eq!(error.to_string(), "tls.cert is set alone: set tls.cert and tls.key together");
        let files = config(Some("/no/cert.pem".into()), Some("/no/key.pem".into()));
        let error = server_config(&files).unwrap_err().to_string();
        assert!(error.contains("/no/cert.pem"), "{error}");
    }
}
