//! Keys and signatures as PKCS#11 writes them, and as TUF does.

use pkcs8::der::Encode as _;
use pkcs8::der::asn1::UintRef;

use crate::tuf::Key;

/// What stands before the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Whose keys can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    Ed25519,
    P256,
}

impl Curve {
    /// CKA_EC_PARAMS: what the curve is called there. Tokens of different age know Ed25519 by its OID or by its name.
    pub(super) fn names(self) -> &'static [&'static [u8]] {
        match self {
            Self::Ed25519 => &[b"\x06\x03\x2b\x65\x70", b"\x13\x0cedwards25519"],
            Self::P256 => &[b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"],
        }
    }

    pub(super) fn named(params: &[u8]) -> Option<Self> {
        [Self::Ed25519, Self::P256].into_iter().find(|curve| curve.names().contains(&params))
    }

    /// The key at CKA_EC_POINT: the point in a DER OCTET STRING, or, as some tokens have it, in a BIT STRING or bare.
    pub(super) fn key(self, point: &[u8]) -> Result<Key, &'static str> {
        let wrong = "its public key has a form that is not known";
        match (self, point) {
            (Self::Ed25519, [0x04, 0x20, bare @ ..] | [0x03, 0x21, 0x00, bare @ ..])
                if bare.len() == 32 =>
            {
                bare.try_into().map(Key::ed25519).map_err(|_| wrong)
            }
            (Self::Ed25519, bare) => bare.try_into().map(Key::ed25519).map_err(|_| wrong),
            (Self::P256, [0x04, 0x41, bare @ ..] | [0x03, 0x42, 0x00, bare @ ..])
                if bare.len() == 65 =>
            {
                Key::from_spki_der(&[&P256_SPKI, bare].concat())
            }
            (Self::P256, bare) => Key::from_spki_der(&[&P256_SPKI, bare].concat()),
        }
    }

    /// The signature in hex as TUF has it: DER where PKCS#11 gives the two numbers of ECDSA one after the other.
    pub(super) fn signature(self, bytes: &[u8]) -> Result<String, &'static str> {
        let wrong = "its signature has not 64 bytes";
        let (r, s) = bytes.split_at_checked(32).filter(|(_, s)| s.len() == 32).ok_or(wrong)?;
        match self {
            Self::Ed25519 => Ok(hex::encode(bytes)),
            Self::P256 => Ok(hex::encode(der(r, s).map_err(|_| wrong)?)),
        }
    }
}

/// ECDSA-Sig-Value (RFC 3279, section 2.2.3).
fn der(r: &[u8], s: &[u8]) -> pkcs8::der::Result<Vec<u8>> {
    vec![UintRef::new(r)?, UintRef::new(s)?].to_der()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn points_of_ed25519_are_read_in_each_form() {
        let bare = [7; 32];
        let key = Key::ed25519(&bare);
        for before in [&[][..], &[0x04, 0x20], &[0x03, 0x21, 0x00]] {
            assert_eq!(Curve::Ed25519.key(&[before, &bare].concat()).unwrap(), key);
        }
        for wrong in [&[][..], &[7; 31], &[7; 34]] {
            assert!(Curve::Ed25519.key(wrong).is_err());
        }
    }

    #[test]
    fn points_and_signatures_of_p256_become_what_tuf_has() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let bare = pair.public_key().as_ref();
        let key = Curve::P256.key(bare).unwrap();
        for before in [&[0x04, 0x41][..], &[0x03, 0x42, 0x00]] {
            assert_eq!(Curve::P256.key(&[before, bare].concat()).unwrap(), key);
        }
        // So often that numbers with leading zeroes and with a set first bit are among them.
        for n in 0..600_u32 {
            let signed = pair.sign(&SystemRandom::new(), &n.to_be_bytes()).unwrap();
            let signature = Curve::P256.signature(signed.as_ref()).unwrap();
            key.verify(&n.to_be_bytes(), &signature).unwrap();
        }
        for wrong in [&[][..], &[4; 65], &bare[1..]] {
            assert!(Curve::P256.key(wrong).is_err());
        }
        assert!(Curve::P256.signature(&[1; 63]).is_err());
        assert!(Curve::P256.signature(&[1; 65]).is_err());
    }
}
