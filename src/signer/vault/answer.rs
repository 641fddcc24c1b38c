//! What Vault answers, which is not believed: pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::super::http::{Answer, said};
use crate::tuf::Key;

/// How signatures are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ed25519,
    P256,
}

/// Every answer has its content in `data`.
#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct KeyAnswer {
    #[serde(rename = "type")]
    kind: String,
    /// Each signature would be by another key, derived with a context.
    #[serde(default)]
    derived: bool,
    latest_version: u64,
    /// By number; of symmetric keys dates, else objects.
    keys: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct SignAnswer {
    signature: String,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// The key that `GET /v1/MOUNT/keys/KEY` shows: in `version`, or in its newest.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn public_key(body: &[u8], version: Option<u64>) -> Result<(Kind, u64, Key), String> {
    let Data { data } = read::<KeyAnswer>(body)?;
    let kind = match data.kind.as_str() {
        "ed25519" => Kind::Ed25519,
        "ecdsa-p256" => Kind::P256,
        other => {
            return Err(format!(
                "its type is {:?}: ed25519 and ecdsa-p256 can be used",
                said(other)
            ));
        }
    };
    if data.derived {
        return Err("it is a derived key: make one without derived=true".into());
    }
    let version = version.unwrap_or(data.latest_version);
    let entry = data.keys.get(&version.to_string()).ok_or_else(|| {
        format!("it has no version {version}: the newest is {}", data.latest_version)
    })?;
    let public = entry.get("public_key").and_then(Value::as_str);
    let public = public.ok_or_else(|| format!("its version {version} shows no public key"))?;
    let key = match kind {
        Kind::Ed25519 => ed25519(public),
        Kind::P256 => Key::from_spki_pem(public),
    };
    let key = key.map_err(|why| format!("the public key of its version {version}: {why}"))?;
    match (kind, key.scheme.as_str()) {
        (Kind::Ed25519, "ed25519") | (Kind::P256, "ecdsa-sha2-nistp256") => {
            Ok((kind, version, key))
        }
        _ => {
            Err(format!("the public key of its version {version} is of another type than it says"))
        }
    }
}

fn ed25519(public: &str) -> Result<Key, &'static str> {
    let bytes = STANDARD.decode(public).map_err(|_| "it is no base64")?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| "it has not 32 bytes")?;
    let key = Key::ed25519(&bytes);
    key.public().map_err(|_| "it is no point of the curve")?;
    Ok(key)
}

/// The signature that `POST /v1/MOUNT/sign/KEY` gives, in hex; it must be of `version`.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn signature(body: &[u8], version: u64) -> Result<String, String> {
    let Data { data } = read::<SignAnswer>(body)?;
    let prefix = format!("vault:v{version}:");
    let text = data.signature.strip_prefix(&prefix).ok_or_else(|| {
        let found = said(&data.signature.chars().take(20).collect::<String>());
        format!("its signature begins with {found:?}, not with {prefix:?}")
    })?;
    let bytes = STANDARD.decode(text).map_err(|_| "its signature is no base64")?;
    Ok(hex::encode(bytes))
}

/// What an answer other than a success says.
pub(super) fn failure(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    let errors =
        serde_json::from_slice::<Errors>(&answer.body).unwrap_or(Errors { errors: vec![] });
    let what = match (errors.errors.is_empty(), status) {
        (false, _) => said(&errors.errors.join("; ")),
        (true, 300..=399) => "it redirects, which is not followed: name the active server".into(),
        (true, 404) => "there is no such key, or no transit engine at this path".into(),
        (true, _) => "without a reason".into(),
    };
    format!("Vault answered with status {status}: {what}")
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Data<T>, String> {
    serde_json::from_slice(body).map_err(|error| format!("its answer cannot be read: {error}"))
}
