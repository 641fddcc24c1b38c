//! deploy/signers/openssl-signer.sh, the worked example of docs/signing.md.

use std::path::Path;
use std::process::Command;

use super::{complaint, open, said, shown, wait_for};
use crate::support::process::run;
use crate::support::secs;
use crate::support::sidecar::countersign;
use crate::support::tools::need;

fn example() -> String {
    format!("{}/deploy/signers/openssl-signer.sh", env!("CARGO_MANIFEST_DIR"))
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    said(&run(command.current_dir(folder).args(arguments.split(' ')), secs(120)));
}

#[test]
fn the_example_signs_with_each_kind_of_key() {
    need!(OpenSsl);
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("word"), "open sesame\n").expect("a file");
    openssl(folder.path(), "genpkey -algorithm ed25519 -out ed25519.pem");
    openssl(
        folder.path(),
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass file:word -out p256.pem",
    );
    openssl(folder.path(), "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    for (scheme, arguments) in [
        ("ed25519", at("ed25519.pem")),
        ("ecdsa-sha2-nistp256", format!("{} {}", at("p256.pem"), at("word"))),
        ("rsassa-pss-sha256", at("rsa.pem")),
    ] {
        let uri = format!("command:{} {arguments}", example());
        let shown = shown(&countersign(&["key", "show", &uri, "--json"]));
        assert_eq!(shown["scheme"], scheme);
        wait_for(async {
            let signer = open(&uri).await.expect("a key");
            assert_eq!(shown["keyid"], signer.key().id().0);
            // More than fits into a pipe.
            let message = vec![b'x'; 300_000];
            let signature = signer.sign(&message).await.expect("a signature");
            signer.key().verify(&message, &signature).expect("a signature that verifies");
        });
    }
}

#[test]
fn what_the_program_says_and_the_uri_are_in_the_sentence() {
    need!(OpenSsl);
    let uri = format!("command:{} /nowhere/key.pem", example());
    let complaint = complaint(&countersign(&["key", "show", &uri]));
    assert!(
        complaint.contains("/nowhere/key.pem is not there") && complaint.contains(&uri),
        "{complaint}"
    );
    let temporary = wait_for(open(&uri)).err().expect("a failure").is_temporary();
    assert!(temporary, "exit code 75 means that another try may help");
}
