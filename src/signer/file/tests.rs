use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_saved_key_is_the_same_key_and_private() {
    for kind in [KeyType::Ed25519, KeyType::EcdsaP256] {
        let folder = folder();
        let path = folder.path().join("a.pem");
        let made = FileSigner::generate_of(kind).unwrap();
        made.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(made.save(&path).is_err(), "an existing key is never overwritten");
        let read = FileSigner::load_with(&path, Some("a passphrase that is not needed")).unwrap();
        assert_eq!(read.key().id(), made.key().id());
        let sig = read.sign(b"x").await.unwrap();
        made.key().verify(b"x", &sig).unwrap();
    }
}

#[tokio::test]
async fn an_encrypted_key_needs_its_passphrase() {
    let folder = folder();
    let (path, word) = (folder.path().join("a.pem"), folder.path().join("word"));
    let made = FileSigner::generate_of(KeyType::EcdsaP256).unwrap();
    made.save_with(&path, Some("open sesame")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
    assert!(matches!(FileSigner::load(&path), Err(SignerError::Encrypted(_))));
    let wrong = FileSigner::load_with(&path, Some("shut sesame")).err().unwrap().to_string();
    assert!(wrong.contains("passphrase") && !wrong.contains("sesame"), "{wrong}");
    write(&word, "open sesame\n");
    let read = FileSigner::load_unlocked(&path, Some(&word)).unwrap();
    let sig = read.sign(b"x").await.unwrap();
    made.key().verify(b"x", &sig).unwrap();
    fs::set_permissions(&word, Permissions::from_mode(0o644)).unwrap();
    let exposed = FileSigner::load_unlocked(&path, Some(&word));
    assert!(matches!(exposed, Err(SignerError::Exposed(of)) if of == word));
}

#[tokio::test]
async fn rsa_signs_with_pss() {
    let folder = folder();
    let path = folder.path().join("a.pem");
    let key = rsa(aws_lc_rs::rsa::KeySize::Rsa2048);
    key.save(&path).unwrap();
    let read = FileSigner::load(&path).unwrap();
    assert_eq!(read.key().scheme, "rsassa-pss-sha256");
    let sig = read.sign(b"x").await.unwrap();
    key.key().verify(b"x", &sig).unwrap();
}

fn rsa(size: aws_lc_rs::rsa::KeySize) -> FileSigner {
    let pair = aws_lc_rs::rsa::KeyPair::generate(size).unwrap();
    FileSigner::of(Secret::Rsa(pair), "file:".into()).unwrap()
}

#[test]
fn exposed_and_foreign_files_are_refused() {
    let folder = folder();
    let path = folder.path().join("a.pem");
    FileSigner::generate().unwrap().save(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    assert!(matches!(FileSigner::load(&path), Err(SignerError::Exposed(_))));
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
    for (text, why) in [
        ("nonsense", "no PEM"),
        (&pem("EC PRIVATE KEY"), "openssl pkcs8"),
        (&pem("PUBLIC KEY"), "a public key"),
        (&pem("CERTIFICATE"), "no private key"),
        (&pem("PRIVATE KEY"), "damaged"),
        (&pem("ENCRYPTED PRIVATE KEY"), "not supported"),
        // An X25519 key (RFC 8410), which signs nothing.
        (
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIMCuMfCi5SSR8Jt8d4Nh7t0UvT2GGDAk8yZ1fyoNPLxi\n-----END PRIVATE KEY-----\n",
            "no key of Ed25519",
        ),
    ] {
        let other = folder.path().join("b.pem");
        write(&other, text);
        let error = FileSigner::load_with(&other, Some("x")).err().unwrap().to_string();
        assert!(error.contains(why) && error.contains("b.pem"), "{error}");
    }
}

/// As Kubernetes mounts a Secret.
#[test]
fn a_folder_gives_its_key_files_in_order() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    assert!(keys_in(folder.path()).is_err(), "nothing is in it");
    fs::create_dir(at("..2026")).unwrap();
    symlink("..2026", at("..data")).unwrap();
    for name in ["b.pem", "a.pem"] {
        write(&at("..2026").join(name), "");
        symlink(format!("..data/{name}"), at(name)).unwrap();
    }
    fs::create_dir(at("folder.pem")).unwrap();
    for other in [".hidden.pem", "readme.txt", "a.pem.1"] {
        write(&at(other), "");
    }
    symlink("nowhere", at("dangling.pem")).unwrap();
    assert_eq!(keys_in(folder.path()).unwrap(), [at("a.pem"), at("b.pem")]);
}
