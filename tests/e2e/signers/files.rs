//! `countersign key` with files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{command_in, complaint, said, shown};
use crate::support::process::run;
use crate::support::secs;
use crate::support::tools::{need, python};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn key(folder: &Path, arguments: &[&str]) -> Output {
    run(&mut command_in(folder, &[&["key"], arguments].concat()), secs(120))
}

fn secret(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

#[test]
fn a_key_is_made_once_and_shown() {
    let folder = folder();
    for (kind, scheme) in [("ed25519", "ed25519"), ("ecdsa-p256", "ecdsa-sha2-nistp256")] {
        let file = format!("{kind}.pem");
        let made = said(&key(folder.path(), &["generate", "--out", &file, "--type", kind]));
        let mode = fs::metadata(folder.path().join(&file)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let private = shown(&key(folder.path(), &["show", &file, "--json"]));
        let public = format!("{kind}.pub.json");
        assert_eq!(shown(&key(folder.path(), &["show", &public, "--json"])), private);
        assert_eq!(private["scheme"], scheme);
        let id = private["keyid"].as_str().expect("an id");
        assert!(made.contains(id) && made.contains(&public), "{made}");
        let words = said(&key(folder.path(), &["show", &format!("file:{file}"), "--out", "copy"]));
        assert!(words.contains(id) && words.contains(scheme), "{words}");
        let public = fs::read(folder.path().join(&public)).expect("a file");
        assert_eq!(public, fs::read(folder.path().join("copy")).expect("a file"));
        fs::remove_file(folder.path().join("copy")).expect("a file");

        let again = complaint(&key(folder.path(), &["generate", "--out", &file]));
        assert!(again.contains("already"), "{again}");
    }
}

/// Others' tools read what is written, and the ids are theirs.
#[test]
fn openssl_and_securesystemslib_read_the_keys() {
    need!(OpenSsl, Python);
    let folder = folder();
    secret(folder.path(), "word", "open sesame\n");
    for kind in ["ed25519", "ecdsa-p256"] {
        for encrypted in [false, true] {
            let file = format!("{kind}-{encrypted}.pem");
            let word: &[&str] = if encrypted { &["--passphrase-file", "word"] } else { &[] };
            let generate = ["generate", "--out", &file, "--type", kind];
            said(&key(folder.path(), &[&generate[..], word].concat()));
            let ours = shown(&key(folder.path(), &[&["show", &file, "--json"], word].concat()));
            let mut openssl = Command::new("openssl");
            openssl.args(["pkey", "-in", &file, "-pubout", "-out", "public.pem"]);
            openssl.args(["-passin", if encrypted { "file:word" } else { "pass:" }]);
            said(&run(openssl.current_dir(folder.path()), secs(120)));
            let theirs = shown(&key(folder.path(), &["show", "public.pem", "--json"]));
            assert_eq!(ours, theirs);
            let script = "import sys\n\
                from cryptography.hazmat.primitives.serialization import load_pem_private_key\n\
                from securesystemslib.signer import CryptoSigner\n\
                word = b'open sesame' if sys.argv[2] == 'true' else None\n\
                key = load_pem_private_key(open(sys.argv[1], 'rb').read(), word)\n\
                print(CryptoSigner(key).public_key.keyid)\n";
            let mut python = Command::new(python("python"));
            python.args(["-c", script, &file, &encrypted.to_string()]).current_dir(folder.path());
            let id = said(&run(&mut python, secs(120)));
            assert_eq!(ours["keyid"], id.trim());
        }
    }
}

#[test]
fn an_encrypted_key_wants_its_passphrase() {
    let folder = folder();
    secret(folder.path(), "word", "open sesame\n");
    secret(folder.path(), "other", "shut sesame\n");
    said(&key(folder.path(), &["generate", "--out", "red.pem", "--passphrase-file", "word"]));
    let text = fs::read_to_string(folder.path().join("red.pem")).expect("a file");
    assert!(text.contains("ENCRYPTED PRIVATE KEY"), "{text}");
    said(&key(folder.path(), &["show", "red.pem", "--passphrase-file", "word"]));
    said(&key(folder.path(), &["show", "file:red.pem?passphrase-file=word"]));
    let wrong = complaint(&key(folder.path(), &["show", "red.pem", "--passphrase-file", "other"]));
    assert!(wrong.contains("passphrase") && !wrong.contains("sesame"), "{wrong}");
    fs::set_permissions(folder.path().join("word"), fs::Permissions::from_mode(0o644))
        .expect("a mode");
    let exposed = complaint(&key(folder.path(), &["show", "red.pem", "--passphrase-file", "word"]));
    assert!(exposed.contains("read by others") && exposed.contains("word"), "{exposed}");
}

#[test]
fn each_ceremony_has_keys_too() {
    let folder = folder();
    said(&key(folder.path(), &["generate", "--out", "red.pem"]));
    let known = said(&key(folder.path(), &["show", "red.pem"]));
    for role in ["root", "targets", "bins"] {
        let mut command = command_in(folder.path(), &[role, "key", "show", "red.pem"]);
        assert_eq!(said(&run(&mut command, secs(120))), known, "{role}");
    }
}

/// Types one line at each prompt of a terminal.
fn typed(folder: &Path, lines: &[&str], arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/signers/typed.py");
    let countersign = command_in(folder, arguments);
    let mut command = Command::new(python("python"));
    command.arg(script).arg(lines.join(",")).arg(countersign.get_program());
    command.args(countersign.get_args()).current_dir(folder);
    run(&mut command, secs(120))
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal() {
    need!(Python);
    let folder = folder();
    let generate = ["key", "generate", "--out", "red.pem", "--encrypt"];
    let differ = typed(folder.path(), &["open sesame", "open sesam"], &generate);
    assert!(String::from_utf8_lossy(&differ.stdout).contains("differ"), "{differ:?}");
    assert!(!folder.path().join("red.pem").exists());
    let made = said(&typed(folder.path(), &["open sesame", "open sesame"], &generate));
    assert!(!made.contains("sesame"), "what is typed is not shown: {made}");
    let shown = said(&typed(folder.path(), &["open sesame"], &["key", "show", "red.pem"]));
    assert!(shown.contains("key id:"), "{shown}");
    let wrong = typed(folder.path(), &["shut sesame"], &["key", "show", "red.pem"]);
    assert!(
        !wrong.status.success() && String::from_utf8_lossy(&wrong.stdout).contains("passphrase")
    );
}
