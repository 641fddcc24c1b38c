//! The offline side of ceremonies: files that are drafted, reviewed, signed and merged, by us and by python-tuf.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::run;
use crate::support::secs;
use crate::support::sidecar::countersign;
use crate::support::tools::{need, python};

/// A folder in which holders work.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// With a key file and a public key file for each name.
    fn with_keys(names: &[&str]) -> Self {
        let desk = Self::new();
        for (name, seed) in names.iter().zip(1u8..) {
            let key = SigningKey::from_bytes(&[seed; 32]);
            let secret = key.to_pkcs8_pem(LineEnding::LF).expect("PEM");
            let path = desk.path(&format!("{name}.pem"));
            fs::write(&path, secret.as_bytes()).expect("a key");
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, private).expect("a mode");
            let public = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM");
            fs::write(desk.path(&format!("{name}.pub.pem")), public).expect("a key");
        }
        desk
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a name").to_owned()
    }

    /// Words that begin with `@` are files of this folder, also behind an equals sign or a colon.
    fn run(&self, line: &str) -> Output {
        let place = format!("{}/", self.0.path().display());
        let words: Vec<_> = line.split_whitespace().map(|word| word.replace('@', &place)).collect();
        countersign(&words)
    }

    /// Runs it; what it said.
    fn does(&self, line: &str) -> String {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}: {said}{}", stderr(&output));
        said
    }

    /// Runs it; it fails with one sentence that has all of these in it.
    fn refuses(&self, line: &str, code: i32, parts: &[&str]) {
        let output = self.run(line);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        let sentences = said.lines().filter(|line| line.starts_with("countersign: "));
        let sentences: Vec<_> = sentences.collect();
        assert_eq!(sentences.len(), 1, "{line}: {said}");
        for part in parts {
            assert!(sentences[0].contains(part), "{part} in: {said}");
        }
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).expect("a copy");
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).expect("a file")).expect("JSON")
    }

    /// Another tool does it; what it said.
    fn python(&self, words: &[&str]) -> String {
        let output = self.try_python(words);
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn try_python(&self, words: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/ceremony.py");
        let mut command = Command::new(python("python"));
        run(command.arg(script).args(words).current_dir(self.0.path()), secs(300))
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
}

const FIRST: &str = "root draft --first --out @root.json --threshold 2 --holder red=@red.pub.pem --holder green=@green.pub.pem \
                     --holder blue=@blue.pub.pem --targets-holder amber=@amber.pub.pem --online @online.pub.pem";

#[test]
fn two_holders_sign_copies_that_are_merged() {
    let desk = Desk::with_keys(&["red", "green", "blue", "amber", "online", "violet"]);
    desk.does(FIRST);
    desk.refuses(FIRST, 1, &["root.json exists and may have been signed"]);
    let review = desk.does("root review @root.json");
    says(&review, &["root 1, the first", "red", "2 must: 2 more must", "signed: none"]);
    desk.refuses("root sign @root.json --key @red.pem", 2, &["no terminal", "--yes"]);
    assert_eq!(desk.json("root.json")["signatures"], serde_json::json!([]));

    desk.copy("root.json", "green.json");
    let said = desk.does("root sign @root.json --key @red.pem --yes");
    says(&said, &["What changes:", "Signed: red, key id"]);
    desk.refuses("root sign @root.json --key @red.pem --yes", 1, &["has signed this root already"]);
    desk.refuses(
        "root sign @root.json --key @amber.pem --yes",
        1,
        &["may not sign this root", "red ("],
    );
    desk.does("root sign @green.json --key @green.pem --yes");
    let said = desk.does("root merge @root.json @green.json");
    says(&said, &["Added the signatures of green", "Enough keys of root 1 have signed."]);
    says(&desk.does("root review @root.json"), &["it can be published"]);

    // The next one, without red.
    let next = "root draft --from @root.json --out @next.json --remove red --holder violet=@violet.pub.pem";
    desk.does(next);
    desk.refuses("root sign @next.json --key @red.pem --yes", 1, &["--from"]);
    for holder in ["red", "green", "violet"] {
        desk.does(&format!("root sign @next.json --from @root.json --key @{holder}.pem --yes"));
    }
    let review = desk.does("root review @next.json --from @root.json --json");
    let review: Value = serde_json::from_str(&review).expect("JSON");
    assert_eq!((&review["complete"], &review["version"]), (&true.into(), &2.into()));
    let changes = review["changes"].as_array().expect("changes");
    let names = changes.iter().filter_map(|change| change["key"]["holder"].as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["red", "violet"]);
    desk.refuses("root merge @root.json @next.json", 1, &["does not hold the same root"]);
    desk.refuses("root draft --from @root.json --out @x.json --remove violet", 1, &["no holder"]);
    desk.refuses(
        "root draft --from @root.json --out @x.json --expires soon",
        2,
        &["--expires", "1y"],
    );
    desk.refuses("root draft --out @x.json", 2, &["--first"]);
}

#[test]
fn targets_and_bins_are_signed_by_whom_the_file_above_names() {
    let desk = Desk::with_keys(&["red", "green", "blue", "amber", "online", "violet"]);
    desk.does(FIRST);
    desk.does("targets draft --first --out @targets.json --holder blue=@blue.pub.pem");
    desk.refuses(
        "targets sign @targets.json --root @root.json --key @red.pem --yes",
        1,
        &["may not sign", "amber"],
    );
    desk.does("targets sign @targets.json --root @root.json --key @amber.pem --yes");
    desk.does("bins draft --first --out @bins.json --online @online.pub.pem --bins 16 --targets @targets.json");
    desk.does(
        "bins sign @bins.json --targets @targets.json --root @root.json --key @blue.pem --yes",
    );
    let review = desk.does("bins review @bins.json --targets @targets.json");
    says(&review, &["16 bins, called bins-…", "it can be published"]);

    desk.does("bins draft --from @bins.json --out @grown.json --bins 32");
    let review = desk.does("bins review @grown.json --from @bins.json --targets @targets.json");
    says(&review, &["number of bins: 32, was 16", "bins are called bins2-…, were bins-…"]);
    desk.refuses(
        "bins draft --from @bins.json --out @x.json --bins 32 --prefix bins",
        1,
        &["needs a new prefix"],
    );
    desk.refuses(
        "bins draft --from @targets.json --out @x.json",
        1,
        &["no bins of this repository"],
    );

    let delegate = "targets draft --from @targets.json --out @acme.json --delegate acme=simple/acme-*/*:@violet.pub.pem";
    desk.does(delegate);
    let review = desk.does("targets review @acme.json --from @targets.json --root @root.json");
    says(&review, &["acme: new, 1 of 1 keys must sign, trusted with simple/acme-*/*"]);
}

#[test]
fn what_init_made_is_copied_out_and_changed() {
    let desk = Desk::with_keys(&["red"]);
    desk.does("init --data @data --bins 16");
    for role in ["root", "targets", "bins"] {
        desk.does(&format!("{role} current --data @data --out @{role}.json"));
        let folder = if role == "root" { "root" } else { "metadata" };
        let stored = format!("data/repository/{folder}/1.{role}.json");
        let read = |name: &str| fs::read(desk.path(name)).expect("a file");
        assert_eq!(read(&format!("{role}.json")), read(&stored));
        desk.does(&format!("{role} draft --from @{role}.json --out @{role}.next.json"));
        let review = desk.does(&format!("{role} review @{role}.next.json --from @{role}.json"));
        says(&review, &["What changes:", "expires"]);
    }
    let online = desk.does("root draft --from @root.json --out @online.json --online @red.pub.pem");
    says(&online, &["root 2 is drafted"]);
    desk.does("root sign @online.json --from @root.json --key @data/offline-keys/root.pem --yes");
    says(&desk.does("root review @online.json --from @root.json"), &["it can be published"]);
}

#[test]
fn python_tuf_signs_what_we_drafted_and_verifies_what_we_signed() {
    need!(Python);
    let desk = Desk::with_keys(&["red", "amber", "online"]);
    let listed = desk.python(&["keys", "."]);
    desk.does(
        "root draft --first --out @root.json --threshold 4 --holder red=@red.pub.pem --holder green=@ed25519.pub.json \
         --holder blue=@ecdsa.pub.pem --holder violet=@rsa.pub.pem --targets-holder amber=@amber.pub.pem --online @online.pub.pem",
    );
    // The ids are the same, whichever form the public key had.
    let root = desk.json("root.json");
    for line in listed.lines() {
        let (_, keyid) = line.split_once(' ').expect("a key id");
        assert!(root["signed"]["keys"].get(keyid).is_some(), "{line}");
    }
    desk.copy("root.json", "stick.json");
    desk.python(&["sign", "stick.json", "ed25519.pem", "ecdsa.pem", "rsa.pem"]);
    let refused = desk.try_python(&["verify", "root", "stick.json", "stick.json"]);
    assert!(!refused.status.success(), "three of four are not enough");
    says(&desk.does("root review @stick.json"), &["4 must: 1 more must", "not yet: red"]);
    desk.does("root sign @root.json --key @red.pem --yes");
    says(&desk.does("root merge @root.json @stick.json"), &["Enough keys of root 1 have signed."]);
    says(&desk.does("root review @root.json"), &["it can be published"]);
    desk.python(&["verify", "root", "root.json", "root.json"]);

    // Each kind signs otherwise each time: a second signature takes no second place.
    desk.copy("root.json", "again.json");
    desk.python(&["copy", "again.json", "again.json"]);
    says(&desk.does("root merge @again.json @stick.json @root.json"), &["No new signatures"]);
    assert_eq!(desk.json("again.json")["signatures"].as_array().map(Vec::len), Some(4));
    assert_eq!(desk.json("again.json")["signed"]["holders"], root["signed"]["holders"]);

    desk.does("targets draft --first --out @targets.json --holder blue=@ecdsa.pub.json");
    desk.does("targets sign @targets.json --root @root.json --key @amber.pem --yes");
    desk.python(&["verify", "targets", "targets.json", "root.json"]);
    desk.does("bins draft --first --out @bins.json --online @online.pub.pem --bins 16");
    desk.python(&["sign", "bins.json", "ecdsa.pem"]);
    let review = desk.does("bins review @bins.json --targets @targets.json --root @root.json");
    says(&review, &["it can be published"]);
    desk.python(&["verify", "bins", "bins.json", "targets.json"]);
}
