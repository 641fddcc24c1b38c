//! RFC vectors, and keys and signatures made with Python's `cryptography`, as securesystemslib makes them.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const MESSAGE: &[u8] = b"sample";
const P256: &str = "ecdsa-sha2-nistp256";
const P384: &str = "ecdsa-sha2-nistp384";
const PSS: &str = "rsassa-pss-sha256";

/// The ECDSA signatures are those of RFC 6979, A.2.5 and A.2.6. The RSA key has 2048 bits, `weak` has 1024.
static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors.json")).unwrap());

pub(super) fn vector(key: &str, field: &str) -> &'static str {
    VECTORS[key][field].as_str().unwrap()
}

fn key(keytype: &str, scheme: &str, public: &str) -> Key {
    Key {
        keytype: keytype.into(),
        keyval: [("public".to_owned(), public.into())].into(),
        scheme: scheme.into(),
        extra: BTreeMap::new(),
    }
}

/// RFC 8032, section 7.1, test 2.
fn ed25519() -> (Key, &'static str) {
    (
        key(
            "ed25519",
            "ed25519",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    )
}

/// Every kind of key that is supported, in each of its forms, with a message and a signature.
fn all() -> Vec<(Key, &'static [u8], &'static str)> {
    let (ed, sig) = ed25519();
    let ec = |name, keytype, scheme, form| {
        (key(keytype, scheme, vector(name, form)), MESSAGE, vector(name, "signature"))
    };
    let rsa = |salt| (key("rsa", PSS, vector("rsa", "public")), MESSAGE, vector("rsa", salt));
    vec![
        (ed, &[0x72], sig),
        ec("p256", "ecdsa", P256, "public"),
        ec("p256", P256, P256, "public"),
        ec("p256", P256, P256, "point"),
        ec("p384", "ecdsa", P384, "public"),
        ec("p384", P384, P384, "public"),
        ec("p384", P384, P384, "point"),
        rsa("digest_salt"),
        rsa("longest_salt"),
    ]
}

fn bad(key: &Key) -> KeyError {
    KeyError::BadSignature { keytype: key.keytype.clone(), scheme: key.scheme.clone() }
}

#[test]
fn the_vectors_verify() {
    for (key, message, sig) in all() {
        assert_eq!(key.verify(message, sig), Ok(()), "{key:?}");
        assert_eq!(key.verify(message, &sig.to_uppercase()), Ok(()), "{key:?}");
    }
}

#[test]
fn other_messages_and_signatures_do_not() {
    for (key, message, sig) in all() {
        assert_eq!(key.verify(b"another", sig), Err(bad(&key)));
        for other in ["", "00", "zz", &sig[2..], &sig[..sig.len() - 2], &format!("{sig}00")] {
            assert_eq!(key.verify(message, other), Err(bad(&key)), "{key:?} {other}");
        }
    }
}

#[test]
fn rsa_with_another_salt_or_padding_does_not_verify() {
    let key = key("rsa", PSS, vector("rsa", "public"));
    for sig in ["other_salt", "pkcs1"] {
        assert_eq!(key.verify(MESSAGE, vector("rsa", sig)), Err(bad(&key)), "{sig}");
    }
}

/// The ids that securesystemslib computes.
#[test]
fn ids_are_those_of_securesystemslib() {
    for (keytype, scheme, name) in
        [("ecdsa", P256, "p256"), ("ecdsa", P384, "p384"), ("rsa", PSS, "rsa")]
    {
        let key = key(keytype, scheme, vector(name, "public"));
        assert_eq!(key.id().0, vector(name, "keyid"));
    }
}

#[test]
fn id_is_over_type_value_and_scheme_alone() {
    let mut key = Key::ed25519(&[0; 32]);
    let id = key.id();
    key.extra.insert("x".into(), 1.into());
    key.keyval.insert("y".into(), 1.into());
    assert_eq!(key.id(), id);
    let text = format!(
        r#"{{"keytype":"ed25519","keyval":{{"public":"{}"}},"scheme":"ed25519"}}"#,
        "0".repeat(64)
    );
    assert_eq!(id.0, Digest::of(text.as_bytes()).to_string());
}

#[test]
fn what_cannot_be_used_says_type_scheme_and_why() {
    let text = |name| vector(name, "public");
    let ed = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let rows = [
        ("ed25519", "ed25519", &ed[2..], "32 bytes"),
        ("ed25519", "ed25519", text("p256"), "32 bytes"),
        ("ed25519", "ed25519", &format!("02{}", "0".repeat(62)), "curve"),
        ("ecdsa", P256, text("p384"), "curve"),
        ("ecdsa", P384, text("p256"), "curve"),
        ("ecdsa", P256, text("rsa"), "curve"),
        ("ecdsa", P256, vector("p384", "point"), "curve"),
        ("ecdsa", P256, &format!("04{}", "1".repeat(128)), "curve"),
        ("ecdsa", P256, "04zz", "hex"),
        ("ecdsa", P256, ed, "PEM"),
        ("ecdsa", P256, "", "PEM"),
        ("rsa", PSS, text("weak"), "2048 bits"),
        ("rsa", PSS, text("p256"), "RSA"),
        ("rsa", PSS, ed, "PEM"),
        ("rsa", "ed25519", ed, "not supported"),
        ("ecdsa", "ed25519", ed, "not supported"),
        ("ed25519", P256, text("p256"), "not supported"),
        (P384, P256, text("p256"), "not supported"),
        ("rsa", "rsa-pkcs1v15-sha256", text("rsa"), "not supported"),
        ("dsa", "new-and-better", "", "not supported"),
    ];
    for (keytype, scheme, public, why) in rows {
        let error = key(keytype, scheme, public).verify(b"", "").unwrap_err().to_string();
        for part in [keytype, scheme, why] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let mut empty = Key::ed25519(&[0; 32]);
    empty.keyval.clear();
    assert!(empty.verify(b"", "").unwrap_err().to_string().contains("no public value"));
    empty.keyval.insert("public".into(), 1.into());
    assert!(empty.verify(b"", "").unwrap_err().to_string().contains("no public value"));
}

/// A weak key's own signature, otherwise good, does not count.
#[test]
fn a_weak_key_verifies_nothing() {
    let key = key("rsa", PSS, vector("weak", "public"));
    let error = key.verify(MESSAGE, vector("weak", "digest_salt")).unwrap_err();
    assert!(matches!(error, KeyError::Unusable { .. }), "{error}");
}

#[test]
fn a_key_is_itself_in_every_form_and_no_other() {
    let identity = |key: &Key| key.public().unwrap().identity();
    let form = |form| identity(&key("ecdsa", P256, vector("p256", form)));
    assert_eq!(form("public"), form("point"));
    assert_eq!(form("public"), identity(&key("ecdsa", P256, &compressed(vector("p256", "point")))));
    let rsa = |text: &str| identity(&key("rsa", PSS, text));
    let public = vector("rsa", "public");
    assert_eq!(rsa(public), rsa(&format!("by hand\n{}", public.replace('\n', "\r\n"))));
    let upper = |key: &Key| key.keyval["public"].as_str().unwrap().to_uppercase();
    let (ed, _) = ed25519();
    assert_eq!(identity(&ed), identity(&key("ed25519", "ed25519", &upper(&ed))));

    let different: std::collections::BTreeSet<_> =
        all().iter().map(|(key, _, _)| identity(key)).collect();
    assert_eq!(different.len(), 4);
}

/// PEM with the compressed form of a point of P-256 whose second coordinate is odd.
fn compressed(point: &str) -> String {
    let spki = "3039301306072a8648ce3d020106082a8648ce3d03010703220003";
    let der = hex::decode(format!("{spki}{}", &point[2..66])).unwrap();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----")
}

fn a_kind() -> impl Strategy<Value = (&'static str, &'static str)> {
    let types = prop::sample::select(vec!["ed25519", "ecdsa", P256, P384, "rsa", ""]);
    let schemes = prop::sample::select(vec!["ed25519", P256, P384, PSS, ""]);
    (types, schemes)
}

/// Nothing like a key, something like one, and a key with one byte changed.
fn a_public_value() -> impl Strategy<Value = String> {
    let real = prop::sample::select(
        all()
            .iter()
            .map(|(key, ..)| key.keyval["public"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>(),
    );
    let changed = (real, any::<prop::sample::Index>(), "[ -~\n]").prop_map(|(real, at, by)| {
        let at = at.index(real.len());
        format!("{}{by}{}", &real[..at], &real[at + 1..])
    });
    let pem = "([A-Za-z0-9+/]{4}){0,40}".prop_map(|inner| {
        format!("-----BEGIN PUBLIC KEY-----\n{inner}\n-----END PUBLIC KEY-----\n")
    });
    prop_oneof![any::<String>(), "(04)?([0-9a-f]{2}){0,70}", pem, changed]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever a repository sends as a key or as a signature is an answer, never a panic, and nothing made up verifies.
    #[test]
    fn arbitrary_text_verifies_nothing(
        (keytype, scheme) in a_kind(),
        public in a_public_value(),
        sig in prop_oneof![any::<String>(), "([0-9a-f]{2}){0,300}"],
        message: Vec<u8>,
    ) {
        let key = key(keytype, scheme, &public);
        prop_assert!(key.verify(&message, &sig).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// One bit changed in the signature.
    #[test]
    fn a_changed_bit_is_noticed(
        which in 0..9_usize, at: prop::sample::Index, bit in 0..8_u8,
    ) {
        let (key, message, sig) = all().swap_remove(which);
        let mut bytes = hex::decode(sig).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(key.verify(message, &hex::encode(bytes)), Err(bad(&key)));
    }

    /// Signatures that another library makes, by keys that are new each time.
    #[test]
    fn new_keys_verify_what_they_sign(message: Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let sig = hex::encode(pair.sign(&SystemRandom::new(), &message).unwrap());
        let key = key("ecdsa", P256, &hex::encode(pair.public_key()));
        prop_assert_eq!(key.verify(&message, &sig), Ok(()));
        let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let other = super::tests::key("ecdsa", P256, &hex::encode(other.public_key()));
        prop_assert_eq!(other.verify(&message, &sig), Err(bad(&other)));
    }
}
