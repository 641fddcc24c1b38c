//! What PKCS#11's errors mean for who waits for a signature.

use cryptoki::error::{Error, RvError};

use super::super::SignerError;
use super::Place;

/// Most of what a token reports passes: it was pulled out, reset, or restarted, or another session took its memory.
/// What stays is that it cannot do something, or does not want to.
pub(super) fn of(place: &Place, error: &Error) -> SignerError {
    use RvError as Rv;
    let Error::Pkcs11(code, function) = error else {
        // The module itself is missing or damaged.
        return place.refused(error.to_string());
    };
    let reason = format!("its token answers {code:?} to {function:?}");
    match code {
        Rv::PinIncorrect | Rv::PinInvalid | Rv::PinLenRange => place
            .refused("the PIN is wrong; it is not tried again, since that would lock the token"),
        Rv::PinLocked => place.refused("the token is locked, after too many wrong PINs"),
        Rv::PinExpired
        | Rv::UserPinNotInitialized
        | Rv::UserAnotherAlreadyLoggedIn
        | Rv::UserTypeInvalid
        | Rv::MechanismInvalid
        | Rv::MechanismParamInvalid
        | Rv::CurveNotSupported
        | Rv::KeyTypeInconsistent
        | Rv::KeyFunctionNotPermitted
        | Rv::KeySizeRange
        | Rv::ActionProhibited
        | Rv::AttributeReadOnly
        | Rv::AttributeTypeInvalid
        | Rv::AttributeValueInvalid
        | Rv::TemplateIncomplete
        | Rv::TemplateInconsistent
        | Rv::DomainParamsInvalid
        | Rv::DataLenRange
        | Rv::TokenWriteProtected
        | Rv::FunctionNotSupported
        | Rv::FunctionRejected => place.refused(reason),
        _ => place.away(reason),
    }
}

/// Whether the token says so of the PIN.
pub(super) fn is_wrong_pin(error: &Error) -> bool {
    let Error::Pkcs11(code, _) = error else { return false };
    matches!(
        code,
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinLocked
    )
}
