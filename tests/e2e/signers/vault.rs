//! Keys in a real OpenBao.

use super::{ceremony, complaint, founded, open, publish_and_wait, said, shown, wait_for};
use crate::signers::command_in;
use crate::support::hostile::Hostile;
use crate::support::http::get;
use crate::support::openbao::{KEY, OpenBao};
use crate::support::packages::wheel;
use crate::support::process::run;
use crate::support::tools::need;
use crate::support::{eventually, secs};

#[test]
fn both_kinds_sign_and_a_version_stays_over_a_rotation() {
    need!(OpenBao);
    for (kind, scheme) in [("ed25519", "ed25519"), ("ecdsa-p256", "ecdsa-sha2-nistp256")] {
        let bao = OpenBao::start(kind);
        wait_for(async {
            let signer = open(&bao.uri(KEY)).await.expect("a key");
            let first = signer.key().clone();
            assert_eq!(first.scheme, scheme);
            for message in [&b""[..], b"short", &vec![b'x'; 3_000_000]] {
                let signature = signer.sign(message).await.expect("a signature");
                first.verify(message, &signature).expect("a signature that verifies");
            }
            bao.rotate();
            let signature = signer.sign(b"later").await.expect("a signature");
            first.verify(b"later", &signature).expect("a signature of the same version");
            // Opened anew it is the newest, unless the URI names one.
            let newest = open(&bao.plain_uri(KEY)).await.expect("a key");
            assert_ne!(newest.key(), &first);
            let named = open(&format!("{}&version=1", bao.uri(KEY))).await.expect("a key");
            assert_eq!(named.key(), &first);
            let signature = named.sign(b"named").await.expect("a signature");
            first.verify(b"named", &signature).expect("a signature of version 1");
        });
    }
}

#[test]
fn what_passes_is_told_from_what_does_not() {
    need!(OpenBao);
    let mut bao = OpenBao::start("ed25519");
    bao.make_key("symmetric", "aes256-gcm96");
    wait_for(async {
        let signer = open(&bao.uri(KEY)).await.expect("a key");
        let refused = async |uri: &str, why: &str| {
            let error = open(uri).await.err().expect("a refusal");
            assert!(!error.is_temporary() && error.to_string().contains(why), "{why}: {error}");
        };
        // The policy is for one key alone.
        refused(&bao.uri("symmetric"), "permission denied").await;
        refused(&format!("{}&version=7", bao.uri(KEY)), "no version 7").await;

        // The token is read each time.
        let token = std::fs::read_to_string(bao.path("token")).expect("a token");
        bao.write_secret("token", "s.wrong");
        refused(&bao.uri(KEY), "permission denied").await;
        assert!(!signer.sign(b"x").await.expect_err("a wrong token").is_temporary());
        bao.write_secret("token", token.trim());
        signer.sign(b"x").await.expect("a signature");

        // Without its authority nobody is believed.
        let unknown = bao.uri(KEY).split_once("&ca-file").expect("a CA file").0.to_owned();
        let error = open(&unknown).await.err().expect("a refusal").to_string();
        assert!(error.contains("ertificate"), "{error}");

        bao.stop();
        let error = signer.sign(b"x").await.expect_err("nobody is there");
        assert!(error.is_temporary(), "{error}");
        assert!(open(&bao.uri(KEY)).await.err().expect("nobody is there").is_temporary());
        bao.start_again();
        let error = signer.sign(b"x").await.expect_err("it is sealed");
        assert!(error.is_temporary() && error.to_string().contains("sealed"), "{error}");
        bao.unseal();
        let signature = signer.sign(b"x").await.expect("a signature");
        signer.key().verify(b"x", &signature).expect("a signature that verifies");
    });
}

#[test]
fn the_command_shows_the_key() {
    need!(OpenBao);
    let mut bao = OpenBao::start("ed25519");
    let show =
        |uri: &str| run(&mut command_in(&bao.path(""), &["key", "show", uri, "--json"]), secs(180));
    assert_eq!(shown(&show(&bao.uri(KEY)))["keytype"], "ed25519");
    let clear = "vault:http://vault.example:8200/transit/online?token-file=token";
    assert!(complaint(&show(clear)).contains("in the clear"));
    bao.stop();
    let uri = bao.uri(KEY);
    let mut command = command_in(&bao.path(""), &["key", "show", &uri]);
    assert!(complaint(&run(&mut command, secs(180))).contains("cannot be used now"));
}

#[test]
fn a_sidecar_whose_vault_goes_away_publishes_when_it_is_back() {
    need!(OpenBao, Python);
    let mut bao = OpenBao::start("ed25519");
    let upstream = Hostile::start();
    let signed = ceremony(&bao.path(""), &bao.uri(KEY), &[]);
    let setup = founded(&upstream, &signed, &bao.uri(KEY), &[]);
    let sidecar = setup.start();
    publish_and_wait(&upstream, &sidecar, "qx-vault", 1);
    let client = sidecar.python_tuf();
    client.fetch(&[]);
    assert!(sidecar.metric("countersign_signatures_total", &[("backend", "vault")]) > 0.0);

    bao.stop();
    let first = wheel("qx-vault", "1.0");
    let second = wheel("qx-vault", "2.0");
    upstream.publish(&[&first, &second]);
    eventually("a publication that waits for the key", secs(240), || {
        (sidecar.metric("countersign_signing_waits", &[]) == 1.0).then_some(())
    });
    assert_eq!(sidecar.listed(&first), Some(first.sha256()));
    let ready = get(&format!("{}/readyz", sidecar.admin));
    assert!(ready.status == 200 && ready.text().contains("vault:"), "{}", ready.text());
    client.fetch(&[]);
    bao.start_again();
    bao.unseal();
    eventually("what waited is listed", secs(240), || sidecar.listed(&second));
    client.fetch(&[]);

    let token = std::fs::read_to_string(bao.path("token")).expect("a token");
    assert!(!sidecar.log().contains(token.trim()), "the token is in the log");
    sidecar.stop().fsck();
}

/// A holder's key may lie there too.
#[test]
fn a_holder_signs_with_it() {
    need!(OpenBao);
    let bao = OpenBao::start("ecdsa-p256");
    let tool =
        |arguments: &[&str]| said(&run(&mut command_in(&bao.path(""), arguments), secs(180)));
    tool(&["key", "show", &bao.uri(KEY), "--out", "red.pub.json"]);
    let out = ["--out", "targets.json", "--holder", "red=red.pub.json"];
    tool(&[&["targets", "draft", "--first"], &out[..]].concat());
    tool(&["targets", "sign", "targets.json", "--key", &bao.uri(KEY), "--yes"]);
    let signed: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(bao.path("targets.json")).expect("a file"))
            .expect("JSON");
    assert_eq!(signed["signatures"].as_array().map(Vec::len), Some(1));
}
