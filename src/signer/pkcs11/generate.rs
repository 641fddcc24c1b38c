//! New keys in a token, which they never leave.

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::Session;

use super::super::{KeyType, KeyUri, Opening, SignerError};
use super::module::Context;
use super::point::Curve;
use super::{Place, error, token};
use crate::tuf::Key;

/// Makes a key pair in the token that `uri` names, with the label and id in it; its public half.
///
/// # Errors
/// [`SignerError::Refused`] where such a key is there already or the token cannot make one, else as for opening a key.
pub async fn generate(uri: &KeyUri, how: &Opening, kind: KeyType) -> Result<Key, SignerError> {
    let place = Place::of(uri, how)?;
    let curve = match kind {
        KeyType::Ed25519 => Curve::Ed25519,
        KeyType::EcdsaP256 => Curve::P256,
    };
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(SignerError::Random)?;
    place.run(move |place, context| make(place, context, curve, id)).await
}

fn make(
    place: &Place,
    context: &mut Context,
    curve: Curve,
    id: [u8; 8],
) -> Result<Key, SignerError> {
    let failed = |e: Error| error::of(place, &e);
    let library = context.library(place)?.clone();
    let slot = token::find(&library, place)?;
    let session = library.open_rw_session(slot).map_err(failed)?;
    token::log_in(context, &library, slot, &session, place)?;
    let mut names = token::template(&place.uri);
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        if token::one(&session, place, class, &names)?.is_some() {
            return Err(place.refused("its token has a key that is called so already"));
        }
    }
    if place.uri.id.is_none() {
        names.push(Attribute::Id(id.to_vec()));
    }
    pair(&session, curve, &names).map_err(failed)?;
    token::key(&session, place).map(|(_, _, key)| key)
}

fn pair(session: &Session, curve: Curve, names: &[Attribute]) -> Result<(), Error> {
    let mechanism = match curve {
        Curve::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
        Curve::P256 => Mechanism::EccKeyPairGen,
    };
    let private = [
        names,
        &[
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ],
    ]
    .concat();
    let mut outcome = Err(Error::NotSupported);
    for params in curve.names() {
        let public = [
            names,
            &[
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Verify(true),
                Attribute::EcParams(params.to_vec()),
            ],
        ]
        .concat();
        outcome = session.generate_key_pair(&mechanism, &public, &private).map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
