use std::fs;

use tempfile::TempDir;

use super::*;
use crate::signer::FileSigner;

/// Long enough for whatever else the machine has to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program of these lines of shell; run by the shell, since a file that was just written may be busy.
struct Script(TempDir);

impl Script {
    fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("signer.sh"), lines).unwrap();
        Self(folder)
    }

    async fn open_within(&self, timeout: Duration) -> Result<CommandSigner, SignerError> {
        let how = Opening { base: self.0.path().into(), timeout };
        CommandSigner::open(&"command:sh signer.sh an-argument".parse().unwrap(), &how).await
    }

    async fn open(&self) -> Result<CommandSigner, SignerError> {
        self.open_within(PATIENCE).await
    }
}

fn key() -> (FileSigner, String) {
    let key = FileSigner::generate().unwrap();
    let text = serde_json::to_string(key.key()).unwrap();
    (key, text)
}

#[tokio::test]
async fn hex_and_base64_are_signatures() {
    let (key, public) = key();
    let sig = key.sign(b"x").await.unwrap();
    let base64 = STANDARD.encode(hex::decode(&sig).unwrap());
    for printed in
        [sig.clone(), sig.to_uppercase(), format!("{}\n{}", &base64[..20], &base64[20..])]
    {
        let script = Script::new(&format!(
            "test $1 = an-argument || exit 1\ncase $2 in public) echo '{public}';; sign) test \"$(cat)\" = x && echo '{printed}';; esac"
        ));
        let signer = script.open().await.unwrap();
        assert_eq!((signer.key(), signer.backend()), (key.key(), Backend::Command));
        assert_eq!(signer.sign(b"x").await.unwrap(), sig);
    }
}

#[tokio::test]
async fn a_signature_that_does_not_verify_is_not_handed_on() {
    let (key, public) = key();
    let other = key.sign(b"y").await.unwrap();
    for (printed, why) in
        [(other.as_str(), "does not verify"), ("", "does not verify"), ("?", "neither hex")]
    {
        let script = Script::new(&format!(
            "case $2 in public) echo '{public}';; sign) echo '{printed}';; esac"
        ));
        let signer = script.open().await.unwrap();
        // More than a pipe holds, and none of it is read.
        let error = signer.sign(&vec![b'x'; 200_000]).await.unwrap_err();
        assert!(matches!(error, SignerError::Refused { .. }) && !error.is_temporary());
        let error = error.to_string();
        assert!(error.contains(why) && error.contains("command:sh signer.sh"), "{error}");
    }
}

#[tokio::test]
async fn what_the_program_says_is_in_the_error() {
    for (lines, temporary, why) in [
        ("echo >&2; echo 'no such slot' >&2; echo more >&2; exit 1", false, "no such slot"),
        ("echo 'not plugged in' >&2; exit 75", true, "not plugged in"),
        ("kill -9 $$", true, "signal"),
        ("echo nonsense", false, "public key"),
        ("head -c 100000 /dev/zero", false, "more than 65536 bytes"),
        ("yes e | head -c 1000000 >&2; exit 3", false, "failed"),
    ] {
        let error = Script::new(lines).open().await.err().unwrap();
        assert_eq!(error.is_temporary(), temporary, "{error}");
        let error = error.to_string();
        assert!(error.contains(why) && !error.contains("more\n"), "{error}");
    }
    let how = Opening { base: "/".into(), timeout: PATIENCE };
    let gone = CommandSigner::open(&"command:nowhere/signer".parse().unwrap(), &how).await;
    assert!(gone.err().unwrap().to_string().contains("cannot be run"));
}

#[tokio::test]
async fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
    let script = Script::new("(sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 1000'; true)\n");
    let error = script.open_within(Duration::from_secs(5)).await.err().unwrap();
    assert!(error.is_temporary() && error.to_string().contains("longer than 5s"), "{error}");
    // On a very busy machine it may not have come that far.
    let Ok(pid) = fs::read_to_string(script.0.path().join("pid")) else { return };
    let stat = format!("/proc/{}/stat", pid.trim());
    let runs = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z"));
    while runs() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
