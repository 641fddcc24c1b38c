//! URIs, and answers that KMS should not give. tests/e2e/remote_signers.rs has moto.

use http::StatusCode;

use super::super::http::Answer;
use super::*;

fn parse(text: &str) -> Result<KmsUri, String> {
    let uri = text.parse().and_then(|uri: KeyUri| KmsUri::parse(&uri));
    uri.map_err(|error| error.to_string())
}

#[test]
fn a_uri_names_key_region_and_endpoint() {
    let uri = parse("awskms:alias/online?region=eu-central-1").unwrap();
    assert_eq!((uri.key.as_str(), uri.region.as_str()), ("alias/online", "eu-central-1"));
    assert_eq!(uri.endpoint.as_str(), "https://kms.eu-central-1.amazonaws.com/");
    let arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    assert_eq!(parse(&format!("awskms:{arn}")).unwrap().region, "us-east-1");
    let uri = parse("awskms:k?region=r&endpoint=http://127.0.0.1:5000").unwrap();
    assert_eq!(uri.endpoint.as_str(), "http://127.0.0.1:5000/");
}

#[test]
fn wrong_uris_are_refused_with_a_sentence() {
    for (text, why) in [
        ("awskms:", "alias/NAME"),
        ("awskms:?region=r", "alias/NAME"),
        ("awskms:a b?region=r", "alias/NAME"),
        ("awskms:alias/k", "region"),
        ("awskms:arn:aws:kms::1:key/1", "region"),
        ("awskms:k?region=evil.example/", "region"),
        ("awskms:k?region=r&endpoint=http://kms.example/", "in the clear"),
        ("awskms:k?region=r&endpoint=kms", "endpoint"),
        ("awskms:k?region=r&secret=s", "may follow"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why) && error.contains("names no key"), "{text}: {error}");
    }
}

/// The key of RFC 6979, A.2.5.
fn key_answer(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let point = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                 7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    let der = format!("3059301306072a8648ce3d020106082a8648ce3d03010703420004{point}");
    let mut answer = json!({
        "CustomerMasterKeySpec": "ECC_NIST_P256",
        "KeyId": "arn:aws:kms:r:1:key/2",
        "KeySpec": "ECC_NIST_P256",
        "KeyUsage": "SIGN_VERIFY",
        "PublicKey": answer::base64(&hex::decode(der).unwrap()),
        "SigningAlgorithms": ["ECDSA_SHA_256"],
    });
    change(&mut answer);
    answer.to_string().into_bytes()
}

#[test]
fn only_p256_for_signing_is_taken() {
    let (id, key) = answer::public_key(&key_answer(|_| ())).unwrap();
    assert_eq!(
        (id.as_str(), key.scheme.as_str()),
        ("arn:aws:kms:r:1:key/2", "ecdsa-sha2-nistp256")
    );
    let of = |change: &dyn Fn(&mut Value)| key_answer(|answer| change(answer));
    let ed25519 = hex::decode(format!("302a300506032b6570032100{}", "00".repeat(32))).unwrap();
    for (body, why) in [
        (of(&|answer| answer["KeySpec"] = "ECC_NIST_EDWARDS25519".into()), "EDWARDS25519"),
        (of(&|answer| answer["KeySpec"] = "RSA_2048".into()), "ECC_NIST_P256"),
        (of(&|answer| answer["KeyUsage"] = "KEY_AGREEMENT".into()), "KEY_AGREEMENT"),
        (of(&|answer| answer["PublicKey"] = "?".into()), "base64"),
        (of(&|answer| answer["PublicKey"] = "AAAA".into()), "SubjectPublicKeyInfo"),
        (of(&|answer| answer["PublicKey"] = answer::base64(&ed25519).into()), "another type"),
        (b"{}".to_vec(), "cannot be read"),
        (b"<ErrorResponse/>".to_vec(), "cannot be read"),
    ] {
        let error = answer::public_key(&body).unwrap_err();
        assert!(error.contains(why), "{why}: {error}");
    }
    assert_eq!(answer::signature(br#"{"Signature":"AQI="}"#).unwrap(), "0102");
    assert!(answer::signature(br#"{"Signature":"?"}"#).is_err());
    assert!(answer::signature(b"[]").is_err());
}

#[test]
fn what_may_pass_is_told_from_what_does_not() {
    for (status, body, away) in [
        (400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#, true),
        (400, r#"{"__type":"com.amazonaws.kms#ThrottlingException"}"#, true),
        (400, r#"{"__type":"ExpiredTokenException","message":"old"}"#, true),
        (400, r#"{"__type":"NotFoundException","message":"no"}"#, false),
        (400, r#"{"__type":"AccessDeniedException","Message":"no"}"#, false),
        (400, r#"{"__type":"DisabledException"}"#, false),
        (403, "", false),
        (413, "<html>", false),
        (500, r#"{"__type":"KeyUnavailableException"}"#, true),
        (503, "", true),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = answer::failure(&Answer { status, body: body.into() });
        assert_eq!(failure.away, away, "{body}");
        assert!(failure.reason.contains(&format!("status {}: ", status.as_u16())));
    }
}
