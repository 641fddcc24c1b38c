//! Keys in tokens, through a PKCS#11 module (OASIS PKCS#11 3.0): Ed25519 and ECDSA on P-256.

mod error;
mod generate;
mod module;
mod point;
mod token;
mod uri;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use super::{Backend, KeyUri, Opening, Signer, SignerError, checked};
use crate::tuf::Key;
use module::{Context, Module};
use point::Curve;

pub use generate::generate;
pub(super) use uri::Pkcs11Uri;

/// A key that lies in a token.
pub struct Pkcs11Signer {
    place: Arc<Place>,
    key: Key,
}

/// What is needed to come to a key, again and again.
struct Place {
    text: String,
    uri: Pkcs11Uri,
    /// The file with the PIN, read anew for each login.
    pin: Option<PathBuf>,
    module: Arc<Module>,
    timeout: Duration,
}

impl Place {
    fn of(uri: &KeyUri, how: &Opening) -> Result<Arc<Self>, SignerError> {
        let parsed = Pkcs11Uri::parse(uri)?;
        Ok(Arc::new(Self {
            text: uri.to_string(),
            pin: parsed.pin_source.as_ref().map(|path| how.base.join(path)),
            module: Module::of(&parsed.module_path),
            uri: parsed,
            timeout: how.timeout,
        }))
    }

    fn refused(&self, reason: impl Into<String>) -> SignerError {
        SignerError::Refused { uri: self.text.clone(), reason: reason.into() }
    }

    fn away(&self, reason: impl Into<String>) -> SignerError {
        SignerError::Away { uri: self.text.clone(), reason: reason.into() }
    }

    /// Does `work` on a thread that may block. What waits for a module that hangs takes no thread.
    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &mut Context) -> Result<T, SignerError> + Send + 'static,
    ) -> Result<T, SignerError> {
        let place = self.clone();
        let working = async move {
            let mut context = place.module.context.clone().lock_owned().await;
            tokio::task::spawn_blocking(move || work(&place, &mut context)).await
        };
        match tokio::time::timeout(self.timeout, working).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(self.away(error.to_string())),
            Err(_) => Err(self.away(format!("its token gave no answer within {:?}", self.timeout))),
        }
    }
}

impl Pkcs11Signer {
    /// Finds the key, and reads its public half from the token.
    ///
    /// # Errors
    /// [`SignerError::Away`] where token or module do not answer, [`SignerError::Refused`] where the PIN is wrong or the
    /// token has no such key.
    pub async fn open(uri: &KeyUri, how: &Opening) -> Result<Self, SignerError> {
        let place = Place::of(uri, how)?;
        let key = place.run(|place, context| Ok(context.held(place)?.public.clone())).await?;
        Ok(Self { place, key })
    }

    async fn signed(&self, message: &[u8]) -> Result<String, SignerError> {
        let copy = message.to_vec();
        let signature = self.place.run(move |place, context| sign(place, context, &copy)).await?;
        checked(&self.place.text, &self.key, message, signature)
    }
}

/// A session that fails is not used again: the next request opens another.
fn sign(place: &Place, context: &mut Context, message: &[u8]) -> Result<String, SignerError> {
    let held = context.held(place)?;
    let (curve, signed) = match held.curve {
        Curve::Ed25519 => {
            let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            (Curve::Ed25519, held.session.sign(&pure, held.private, message))
        }
        Curve::P256 => {
            let digest = Sha256::digest(message);
            (Curve::P256, held.session.sign(&Mechanism::Ecdsa, held.private, &digest))
        }
    };
    match signed {
        Ok(bytes) => curve.signature(&bytes).map_err(|reason| place.refused(reason)),
        Err(error) => {
            context.let_go(place);
            Err(error::of(place, &error))
        }
    }
}

impl Signer for Pkcs11Signer {
    fn key(&self) -> &Key {
        &self.key
    }

    fn backend(&self) -> Backend {
        Backend::Pkcs11
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(self.signed(message))
    }
}
