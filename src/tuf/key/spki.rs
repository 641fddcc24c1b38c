//! Public keys as others hand them over: SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).

use pkcs8::der::oid::ObjectIdentifier;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{Document, LineEnding};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use super::Key;

/// RFC 8410, section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480, section 2.1.1; its curves follow.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// RFC 8017, appendix A.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

impl Key {
    /// The key in a DER SubjectPublicKeyInfo, written as securesystemslib writes it, so that one key has one id.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, &'static str> {
        let spki =
            SubjectPublicKeyInfoRef::try_from(der).map_err(|_| "it is no SubjectPublicKeyInfo")?;
        let (keytype, scheme) = match (spki.algorithm.oid, spki.algorithm.parameters_oid().ok()) {
            (ED25519, _) => {
                let bytes = spki.subject_public_key.raw_bytes().try_into();
                return checked(Self::ed25519(bytes.map_err(|_| "it has not 32 bytes")?));
            }
            (EC, Some(P256)) => ("ecdsa", "ecdsa-sha2-nistp256"),
            (EC, Some(P384)) => ("ecdsa", "ecdsa-sha2-nistp384"),
            (RSA, _) => ("rsa", "rsassa-pss-sha256"),
            _ => return Err("it is no key of Ed25519, ECDSA on P-256 or P-384, or RSA"),
        };
        let pem = Document::try_from(der)
            .and_then(|der| der.to_pem("PUBLIC KEY", LineEnding::LF))
            .map_err(|_| "it is no SubjectPublicKeyInfo")?;
        checked(Self {
            keytype: keytype.into(),
            keyval: [("public".to_owned(), pem.into())].into(),
            scheme: scheme.into(),
            extra: Default::default(),
        })
    }

    /// The key in the first `PUBLIC KEY` of a PEM text (RFC 7468).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_spki_pem(pem: &str) -> Result<Self, &'static str> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it has no PUBLIC KEY in PEM")?;
        Self::from_spki_der(&der)
    }

    /// The key in a public key file: JSON as TUF has it, or PEM. What JSON carries beside type, scheme and public value
    /// is left out, since some tools take it into the key's id.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_text(text: &str) -> Result<Self, &'static str> {
        if text.contains("PRIVATE KEY") {
            return Err("it is a private key, which must not travel");
        }
        if !text.trim_start().starts_with('{') {
            return Self::from_spki_pem(text);
        }
        let key = serde_json::from_str::<Self>(text)
            .map_err(|_| "it is no JSON with keytype, scheme and keyval")?;
        let public = key.keyval.get("public").cloned().ok_or("it has no public value")?;
        let keyval = [("public".to_owned(), public)].into();
        checked(Self {
            keytype: key.keytype,
            keyval,
            scheme: key.scheme,
            extra: Default::default(),
        })
    }
}

fn checked(key: Key) -> Result<Key, &'static str> {
    use super::KeyError::{BadSignature, Unsupported, Unusable};
    match key.public() {
        Ok(_) => Ok(key),
        Err(Unusable { why, .. }) => Err(why),
        Err(Unsupported { .. } | BadSignature { .. }) => {
            Err("its type and scheme are not supported: ed25519, ecdsa and rsassa-pss-sha256 are")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::vector;
    use super::*;

    #[test]
    fn keys_of_pem_have_the_ids_of_securesystemslib() {
        for name in ["p256", "p384", "rsa"] {
            let pem = vector(name, "public");
            let key = Key::from_spki_pem(pem).unwrap();
            assert_eq!(key.id().0, vector(name, "keyid"));
            let loose = format!("a comment\n{}", pem.replace('\n', "\r\n"));
            assert_eq!(Key::from_text(&loose).unwrap(), key);
            assert_eq!(Key::from_text(&serde_json::to_string(&key).unwrap()).unwrap(), key);
        }
    }

    /// RFC 8410, section 10.1.
    #[test]
    fn ed25519_becomes_hex() {
        let pem = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        let key = Key::from_spki_pem(pem).unwrap();
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!((key.keytype.as_str(), &key.keyval["public"]), ("ed25519", &public.into()));
    }

    #[test]
    fn what_else_json_carries_is_left_out() {
        let plain = Key::ed25519(&[3; 32]);
        let mut key = plain.clone();
        key.extra.insert("x-holder".into(), "red".into());
        key.keyval.insert("private".into(), "secret".into());
        assert_eq!(Key::from_text(&serde_json::to_string(&key).unwrap()).unwrap(), plain);
    }

    #[test]
    fn other_texts_are_no_keys() {
        let weak = vector("weak", "public");
        for (text, why) in [
            ("", "PEM"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "must not travel"),
            ("{}", "JSON"),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                "SubjectPublicKeyInfo",
            ),
            (weak, "2048"),
            (r#"{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"00"}}"#, "32 bytes"),
            (r#"{"keytype":"x","scheme":"y","keyval":{"public":"00"}}"#, "not supported"),
            (r#"{"keytype":"x","scheme":"y","keyval":{}}"#, "no public value"),
        ] {
            let error = Key::from_text(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
