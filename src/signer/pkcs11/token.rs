//! From a URI to a key: the slot, the login, the objects.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::super::{SignerError, private_file};
use super::module::Context;
use super::point::Curve;
use super::uri::Pkcs11Uri;
use super::{Place, error};
use crate::tuf::Key;

/// The slot with the one token that the URI names.
pub(super) fn find(library: &Pkcs11, place: &Place) -> Result<Slot, SignerError> {
    let slots = library.get_slots_with_token().map_err(|e| error::of(place, &e))?;
    // A token that says nothing of itself is not the one.
    let named = |slot: &Slot| {
        library.get_token_info(*slot).is_ok_and(|token| names(&place.uri, *slot, &token))
    };
    let mut found = slots.into_iter().filter(named);
    match (found.next(), found.next()) {
        (Some(slot), None) => Ok(slot),
        (None, _) => Err(place.away("its token is not there")),
        (Some(_), Some(_)) => {
            Err(place.refused("several tokens are called so: name one by serial or slot-id"))
        }
    }
}

fn names(uri: &Pkcs11Uri, slot: Slot, token: &TokenInfo) -> bool {
    let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|text| text == has);
    token.token_initialized()
        && uri.slot.is_none_or(|id| id == slot.id())
        && is(&uri.token, token.label())
        && is(&uri.serial, token.serial_number())
        && is(&uri.manufacturer, token.manufacturer_id())
        && is(&uri.model, token.model())
}

/// Logs in as the token's user, where the token wants that. A PIN that was wrong once is not sent again.
pub(super) fn log_in(
    context: &mut Context,
    library: &Pkcs11,
    slot: Slot,
    session: &Session,
    place: &Place,
) -> Result<(), SignerError> {
    let token = library.get_token_info(slot).map_err(|e| error::of(place, &e))?;
    if !token.login_required() {
        return Ok(());
    }
    let pin = match &place.pin {
        Some(path) => Some(private_file::read_secret(path)?),
        // It has a keypad of its own.
        None if token.protected_authentication_path() => None,
        None => {
            return Err(place.refused(
                "its token wants a PIN: name the file that holds it with pin-source=file:PATH",
            ));
        }
    };
    let serial = token.serial_number();
    if pin.is_some() && context.wrong_pins.get(serial) == pin.as_ref() {
        let wrong = Error::Pkcs11(RvError::PinIncorrect, cryptoki::context::Function::Login);
        return Err(error::of(place, &wrong));
    }
    let secret = pin.as_ref().map(|pin| AuthPin::from(pin.as_str()));
    match session.login(UserType::User, secret.as_ref()) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(failed) => {
            if let Some(pin) = pin.filter(|_| error::is_wrong_pin(&failed)) {
                context.wrong_pins.insert(serial.to_owned(), pin);
            }
            Err(error::of(place, &failed))
        }
    }
}

/// The private key, its curve, and its public half, which is an object of its own.
pub(super) fn key(
    session: &Session,
    place: &Place,
) -> Result<(ObjectHandle, Curve, Key), SignerError> {
    let mut wanted = template(&place.uri);
    let private = one(session, place, ObjectClass::PRIVATE_KEY, &wanted)?
        .ok_or_else(|| place.refused("its token has no such private key"))?;
    // The two halves of a pair have one id; a label may be another's too.
    let ids = session.get_attributes(private, &[AttributeType::Id]);
    if let Some(Attribute::Id(id)) = ids.unwrap_or_default().into_iter().next().filter(is_id) {
        wanted = vec![Attribute::Id(id)];
    }
    let public = one(session, place, ObjectClass::PUBLIC_KEY, &wanted)?.ok_or_else(|| {
        place.refused("its token has no public key object beside the private key, and certificates are not looked at")
    })?;
    let asked = [AttributeType::EcParams, AttributeType::EcPoint];
    let attributes = session.get_attributes(public, &asked).map_err(|e| error::of(place, &e))?;
    let (mut curve, mut point) = (None, None);
    for attribute in attributes {
        match attribute {
            Attribute::EcParams(params) => curve = Curve::named(&params),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            _ => (),
        }
    }
    let (Some(curve), Some(point)) = (curve, point) else {
        return Err(place.refused("it is no key of Ed25519 or P-256"));
    };
    let key = curve.key(&point).map_err(|reason| place.refused(reason))?;
    Ok((private, curve, key))
}

fn is_id(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Id(id) if !id.is_empty())
}

/// What the URI says of objects.
pub(super) fn template(uri: &Pkcs11Uri) -> Vec<Attribute> {
    let label = uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
    label.into_iter().chain(uri.id.clone().map(Attribute::Id)).collect()
}

/// The one object of a class; several are an error.
pub(super) fn one(
    session: &Session,
    place: &Place,
    class: ObjectClass,
    wanted: &[Attribute],
) -> Result<Option<ObjectHandle>, SignerError> {
    let template = [&[Attribute::Class(class)], wanted].concat();
    let found = session.find_objects(&template).map_err(|e| error::of(place, &e))?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(place.refused("its token has several keys that are called so: name one by id")),
    }
}
