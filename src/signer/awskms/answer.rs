//! What KMS answers, which is not believed: pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::super::http::{Answer, is_away, said};
use crate::tuf::Key;

const P256: &str = "ECC_NIST_P256";
/// Errors that pass, though their status is 400.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>
const PASSING: [&str; 8] = [
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "RequestTimeout",
    // Credentials are asked for anew, once they are old.
    "ExpiredTokenException",
    "RequestExpired",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyAnswer {
    key_id: String,
    public_key: String,
    key_spec: Option<String>,
    /// Its former name; KMS gives both.
    customer_master_key_spec: Option<String>,
    key_usage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignAnswer {
    signature: String,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// An error, as it may be shown.
pub(super) struct Failure {
    pub(super) away: bool,
    pub(super) reason: String,
}

/// Which key `GetPublicKey` shows.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn public_key(body: &[u8]) -> Result<(String, Key), String> {
    let answer: KeyAnswer = read(body)?;
    let spec = answer.key_spec.or(answer.customer_master_key_spec).unwrap_or_default();
    if spec != P256 || answer.key_usage != "SIGN_VERIFY" {
        let (spec, usage) = (said(&spec), said(&answer.key_usage));
        return Err(format!(
            "its key spec is {spec:?} and its usage {usage:?}: only keys of {P256} for SIGN_VERIFY can be used"
        ));
    }
    let der = STANDARD.decode(answer.public_key).map_err(|_| "its public key is no base64")?;
    let key = Key::from_spki_der(&der).map_err(|why| format!("its public key: {why}"))?;
    match key.scheme.as_str() {
        "ecdsa-sha2-nistp256" => Ok((answer.key_id, key)),
        _ => Err("its public key is of another type than it says".into()),
    }
}

/// The signature that `Sign` gives, in hex.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn signature(body: &[u8]) -> Result<String, String> {
    let answer: SignAnswer = read(body)?;
    let bytes = STANDARD.decode(answer.signature).map_err(|_| "its signature is no base64")?;
    Ok(hex::encode(bytes))
}

/// What an answer other than a success says.
pub(super) fn failure(answer: &Answer) -> Failure {
    // What is no JSON is not from KMS itself, but from something before it.
    let error = serde_json::from_slice(&answer.body).unwrap_or_else(|_| Error {
        kind: String::new(),
        message: String::from_utf8_lossy(&answer.body).into_owned(),
    });
    // com.amazonaws.kms#NotFoundException, or the name alone.
    let kind = error.kind.rsplit('#').next().unwrap_or_default();
    let away = is_away(answer.status) || PASSING.contains(&kind);
    let text = said(&format!("{kind} {}", error.message));
    let text = if text.is_empty() { "without a reason" } else { &text };
    Failure { away, reason: format!("KMS answered with status {}: {text}", answer.status.as_u16()) }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("its answer cannot be read: {error}"))
}
