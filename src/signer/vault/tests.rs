//! URIs, and answers that no server should give. tests/e2e/remote_signers.rs has a real server.

use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const GOOD: &str = "vault:https://vault.example:8200/transit/online?token-file=/run/token";

fn parse(text: &str) -> Result<VaultUri, String> {
    let uri = text.parse().and_then(|uri: KeyUri| VaultUri::parse(&uri));
    uri.map_err(|error| error.to_string())
}

#[test]
fn a_uri_names_server_mount_and_key() {
    let uri = parse(GOOD).unwrap();
    assert_eq!(uri.keys.as_str(), "https://vault.example:8200/v1/transit/keys/online");
    assert_eq!(uri.sign.as_str(), "https://vault.example:8200/v1/transit/sign/online");
    assert_eq!((uri.token_file, uri.version, uri.namespace), ("/run/token".into(), None, None));
    let more = "&version=3&namespace=team%2Fa&ca-file=ca.pem";
    let uri = parse(&format!("{GOOD}{more}").replace("transit", "a/b%20c")).unwrap();
    assert_eq!(uri.keys.path(), "/v1/a/b%20c/keys/online");
    assert_eq!((uri.version, uri.ca_file), (Some(3), Some("ca.pem".into())));
    assert_eq!(uri.namespace.unwrap(), "team/a");
    for host in ["127.0.0.1:1", "localhost", "[::1]:8200"] {
        let plain = format!("vault:http://{host}/transit/online?token-file=t");
        assert!(parse(&plain).is_ok(), "{plain}");
    }
}

#[test]
fn wrong_uris_are_refused_with_a_sentence() {
    for (text, why) in [
        ("vault:", "URL"),
        ("vault:vault.example/transit/k?token-file=t", "URL"),
        ("vault:ftp://vault.example/transit/k?token-file=t", "https://"),
        ("vault:http://vault.example/transit/k?token-file=t", "in the clear"),
        ("vault:http://127.0.0.1.example/transit/k?token-file=t", "in the clear"),
        ("vault:https://hvs.x@vault.example/transit/k?token-file=t", "user"),
        ("vault:https://vault.example/online?token-file=t", "MOUNT/KEY"),
        ("vault:https://vault.example/transit/?token-file=t", "MOUNT/KEY"),
        ("vault:https://vault.example/transit/k", "token-file"),
        ("vault:https://vault.example/transit/k?token-file=", "empty"),
        ("vault:https://vault.example/transit/k?token=hvs.x", "may follow"),
        ("vault:https://vault.example/transit/k?token-file=a&token-file=b", "twice"),
        ("vault:https://vault.example/transit/k?token-file=a&version=0", "version"),
        ("vault:https://vault.example/transit/k?token-file=a&version=new", "version"),
        ("vault:https://vault.example/transit/k?token-file=a&namespace=%0A", "namespace"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why) && error.contains("names no key"), "{text}: {error}");
    }
}

/// RFC 8032, section 7.1, test 2.
const POINT: &str = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";

fn key_answer(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let key = json!({ "public_key": POINT, "name": "ed25519" });
    let keys = json!({ "1": key, "2": key });
    let mut data =
        json!({ "type": "ed25519", "latest_version": 2, "derived": false, "keys": keys });
    change(&mut data);
    json!({ "request_id": "r", "data": data }).to_string().into_bytes()
}

#[test]
fn the_public_key_is_that_of_the_version() {
    let plain = key_answer(|_| ());
    let (kind, version, key) = answer::public_key(&plain, None).unwrap();
    assert_eq!((kind, version), (Kind::Ed25519, 2));
    let hex = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    assert_eq!(key.keyval["public"], hex);
    assert_eq!(answer::public_key(&plain, Some(1)).unwrap().1, 1);
}

#[test]
fn other_keys_and_answers_are_refused() {
    let of = |change: &dyn Fn(&mut Value)| key_answer(|data| change(data));
    let another = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    for (body, why) in [
        (of(&|data| data["type"] = "rsa-2048".into()), "rsa-2048"),
        (of(&|data| data["type"] = "x\u{1b}\n".repeat(5_000).into()), "can be used"),
        (of(&|data| data["derived"] = true.into()), "derived"),
        (of(&|data| data["latest_version"] = 3.into()), "no version 3"),
        (of(&|data| data["keys"]["2"] = 1_700_000_000.into()), "no public key"),
        (of(&|data| data["keys"]["2"]["public_key"] = "??".into()), "base64"),
        (of(&|data| data["keys"]["2"]["public_key"] = "AAAA".into()), "32 bytes"),
        (of(&|data| data["type"] = "ecdsa-p256".into()), "PEM"),
        (
            of(&|data| {
                data["type"] = "ecdsa-p256".into();
                data["keys"]["2"]["public_key"] = another.into();
            }),
            "another type",
        ),
        (b"{}".to_vec(), "cannot be read"),
        (b"<html>".to_vec(), "cannot be read"),
        ("[".repeat(60_000).into_bytes(), "cannot be read"),
    ] {
        let error = answer::public_key(&body, None).unwrap_err();
        assert!(error.contains(why) && error.len() < 700, "{why}: {error}");
        assert!(!error.contains('\u{1b}') && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_signature_is_of_its_version() {
    let body = |text: &str| json!({ "data": { "signature": text } }).to_string().into_bytes();
    assert_eq!(answer::signature(&body("vault:v2:AQI="), 2).unwrap(), "0102");
    for (text, why) in [
        ("vault:v1:AQI=", "vault:v1"),
        ("vault:v21:AQI=", "vault:v21"),
        ("AQI=", "AQI="),
        ("", "begins"),
        ("vault:v2:?", "base64"),
    ] {
        let error = answer::signature(&body(text), 2).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert!(answer::signature(b"{\"data\":{}}", 2).is_err());
}

proptest! {
    /// Whatever comes is an answer, never a panic, and what is said of it is short.
    #[test]
    fn arbitrary_answers_are_sentences(
        body in prop_oneof![any::<Vec<u8>>(), "(vault:v1:|[{}\\[\\]\",:a-z0-9])*".prop_map(String::into_bytes)],
        status in 100_u16..600,
        signature: String,
    ) {
        if let Err(said) = answer::public_key(&body, None) {
            prop_assert!(said.len() < 2_000);
        }
        let _ = answer::signature(&body, 1);
        let data = json!({ "data": { "signature": signature } }).to_string();
        let _ = answer::signature(data.as_bytes(), 1);
        let errors = json!({ "errors": [signature.repeat(100)] }).to_string();
        for body in [body, errors.into_bytes()] {
            let status = StatusCode::from_u16(status).unwrap();
            let said = answer::failure(&Answer { status, body: body.into() });
            prop_assert!(said.chars().count() < 400 && !said.contains(char::is_control));
        }
    }
}

/// A server that gives one answer to everybody, or says nothing.
async fn server(answer: Option<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            if let Some(answer) = &answer {
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
                // Its end is read, so that no reset overtakes the answer.
                let _ = stream.read(&mut head).await;
            } else {
                open.push(stream);
            }
        }
    });
    format!("http://{address}")
}

async fn opened(server: &str, timeout: Duration) -> SignerError {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hvs.secret\n").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let how = Opening { base: folder.path().into(), timeout };
    let uri: KeyUri = format!("vault:{server}/transit/k?token-file=token").parse().unwrap();
    let error = VaultSigner::open(&uri, &how).await.err().unwrap();
    assert!(!format!("{error} {error:?}").contains("hvs.secret"), "{error:?}");
    error
}

fn reply(status: &str, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    Some(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_may_pass_is_told_from_what_does_not() {
    for (status, away) in [
        ("400 x", false),
        ("403 x", false),
        ("404 x", false),
        ("301 x\r\nLocation: http://127.0.0.1:1/", false),
        ("307 x\r\nLocation: http://127.0.0.1:1/", true),
        ("412 x", true),
        ("429 x", true),
        ("500 x", true),
        ("503 x", true),
    ] {
        let body = r#"{"errors":["because of\u0007 it"]}"#;
        let error = opened(&server(reply(status, body)).await, LONG).await;
        assert_eq!(error.is_temporary(), away, "{status}: {error}");
        assert!(error.to_string().contains("because of  it"), "{status}: {error}");
    }
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let long = " ".repeat(64 * 1024 + 1);
    for (status, away) in [("200 x", false), ("500 x", true)] {
        let error = opened(&server(reply(status, &long)).await, LONG).await;
        assert_eq!(error.is_temporary(), away);
        assert!(error.to_string().contains("65536 bytes"), "{error}");
    }
    let error = opened(&server(None).await, Duration::from_millis(50)).await;
    assert!(error.is_temporary() && error.to_string().contains("no answer within"), "{error}");
    let cut = b"HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n{".to_vec();
    assert!(opened(&server(Some(cut)).await, LONG).await.is_temporary());
    let error = opened(&server(Some(b"SSH-2.0-x\r\n".to_vec())).await, LONG).await;
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = opened(&format!("http://{gone}"), LONG).await;
    assert!(error.is_temporary() && error.to_string().contains("refused"), "{error}");
}
