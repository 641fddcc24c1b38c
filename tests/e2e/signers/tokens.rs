//! SoftHSM, through its PKCS#11 module.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use countersign::signer::{Signer, SignerError};

use super::{command_in, complaint, open, said, shown, wait_for};
use crate::support::process::run;
use crate::support::secs;
use crate::support::token::{PIN, Token};
use crate::support::tools::need;

const KINDS: [(&str, &str); 2] = [("ed25519", "ed25519"), ("ecdsa-p256", "ecdsa-sha2-nistp256")];

fn key(token: &Token, arguments: &[&str]) -> Output {
    let mut command = command_in(&token.path(""), &[&["key"], arguments].concat());
    run(command.envs([token.env()]), secs(120))
}

fn generate(token: &Token, name: &str, kind: &str) -> Output {
    key(token, &["generate", "--pkcs11", &token.uri(name), "--out", name, "--type", kind])
}

#[test]
fn pairs_are_made_in_a_token_and_shown() {
    need!(SoftHsm);
    let token = Token::new();
    for (kind, scheme) in KINDS {
        let made = said(&generate(&token, kind, kind));
        let public = shown(&key(&token, &["show", &format!("{kind}.pub.json"), "--json"]));
        let held = shown(&key(&token, &["show", &token.uri(kind), "--json"]));
        assert_eq!(public, held);
        assert_eq!(held["scheme"], scheme);
        assert!(made.contains(held["keyid"].as_str().expect("an id")), "{made}");

        fs::remove_file(token.path(&format!("{kind}.pub.json"))).expect("a file");
        let again = complaint(&generate(&token, kind, kind));
        assert!(again.contains("already"), "{again}");
    }
}

#[test]
fn what_is_wrong_is_said_with_the_uri_and_without_the_pin() {
    need!(SoftHsm);
    let token = Token::new();
    said(&generate(&token, "red", "ed25519"));
    let wrong = token.uri_with("red", &token.write_secret("wrong", "13579-pin"));
    let exposed = token.uri_with("red", &token.write_secret("exposed", PIN));
    fs::set_permissions(token.path("exposed"), Permissions::from_mode(0o644)).expect("a mode");
    let valued = token.uri("red").replace("pin-source=", &format!("pin-value={PIN}&pin-source="));
    let unplugged = token.uri("red").replace("token=holders", "token=others");
    let missing = token.uri("red").replace("module-path=/", "module-path=/nowhere/");
    let bare = token
        .uri("red")
        .replace("&pin-source", "&x-pin")
        .split("&x-pin")
        .next()
        .unwrap()
        .to_owned();
    for (uri, why) in [
        (&wrong, "the PIN is wrong"),
        (&exposed, "read by others"),
        (&valued, "pin-source"),
        (&unplugged, "not there"),
        (&missing, "nowhere"),
        (&bare, "pin-source"),
        (&token.uri("green"), "no such private key"),
    ] {
        let complaint = complaint(&key(&token, &["show", uri]));
        assert!(complaint.contains(why), "{complaint}");
        assert!(!complaint.contains(PIN) && !complaint.contains("13579-pin"), "{complaint}");
        assert!(
            uri == &exposed || uri == &valued || complaint.contains(uri.as_str()),
            "{complaint}"
        );
    }
}

/// The module reads a variable when it starts, so that what uses it is a process of its own: this test, run again.
#[test]
fn a_token_that_vanishes_and_comes_back() {
    need!(SoftHsm);
    const INSIDE: &str = "SIGNERS_INSIDE";
    let Some(folder) = env::var_os(INSIDE) else {
        let token = Token::new();
        for (kind, _) in KINDS {
            said(&generate(&token, kind, kind));
            fs::write(token.path(&format!("{kind}.uri")), token.uri(kind)).expect("a file");
        }
        token.write_secret("wrong", "13579-pin");
        let mut again = Command::new(env::current_exe().expect("this program"));
        again.args(["--exact", "signers::tokens::a_token_that_vanishes_and_comes_back"]);
        again.args(["--nocapture", "--test-threads=1"]).env(INSIDE, token.path(""));
        let output = run(again.envs([token.env()]), secs(600));
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    };
    wait_for(vanishing(Path::new(&folder)));
}

async fn vanishing(folder: &Path) {
    let mut keys = Vec::new();
    for (kind, _) in KINDS {
        let uri = fs::read_to_string(folder.join(format!("{kind}.uri"))).expect("a URI");
        keys.push((open(&uri).await.expect("a key"), uri));
    }
    for _ in 0..2 {
        // Both keys share one module, and are asked at once.
        let rounds = (0..50).flat_map(|_| &keys).map(|(key, _)| signed(key.as_ref()));
        for outcome in futures::future::join_all(rounds).await {
            outcome.expect("a signature");
        }
        fs::rename(folder.join("tokens"), folder.join("away")).expect("a move");
        fs::create_dir(folder.join("tokens")).expect("a folder");
        for (key, uri) in &keys {
            for _ in 0..3 {
                let error = signed(key.as_ref()).await.expect_err("no token, no signature");
                assert!(error.is_temporary() && error.to_string().contains(uri), "{error}");
            }
            let error = open(uri).await.err().expect("no token, no key");
            assert!(error.is_temporary(), "{error}");
        }
        fs::remove_dir(folder.join("tokens")).expect("a folder");
        fs::rename(folder.join("away"), folder.join("tokens")).expect("a move");
    }
    let (key, uri) = &keys[0];
    signed(key.as_ref()).await.expect("the token is back");

    // Only another PIN is tried after a wrong one.
    let pin = folder.join("pin");
    let other = format!("{uri}-of-another");
    fs::copy(folder.join("wrong"), folder.join("pin-of-another")).expect("a copy");
    for _ in 0..3 {
        // Whoever is logged in is not asked for a PIN: away with that.
        fs::rename(folder.join("tokens"), folder.join("away")).expect("a move");
        fs::create_dir(folder.join("tokens")).expect("a folder");
        signed(key.as_ref()).await.expect_err("no token, no signature");
        fs::remove_dir(folder.join("tokens")).expect("a folder");
        fs::rename(folder.join("away"), folder.join("tokens")).expect("a move");
        let error = open(&other).await.err().expect("a wrong PIN");
        assert!(!error.is_temporary() && error.to_string().contains("PIN is wrong"), "{error}");
    }
    fs::copy(pin, folder.join("pin-of-another")).expect("a copy");
    open(&other).await.expect("the right PIN");
}

async fn signed(key: &dyn Signer) -> Result<(), SignerError> {
    let within = tokio::time::timeout(Duration::from_secs(300), key.sign(b"message"));
    let signature = within.await.expect("an answer")?;
    key.key().verify(b"message", &signature).expect("a signature that verifies");
    Ok(())
}
