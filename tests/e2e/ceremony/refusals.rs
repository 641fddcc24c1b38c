//! What `publish` refuses, each with a sentence of its own; nothing of it leaves a trace.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;
use std::sync::Arc;

use countersign::signer::{FileSigner, Signer, sign};
use countersign::tuf::{Role, Root, Signed, Targets};
use futures::FutureExt as _;

use super::desk::Desk;
use crate::support::hostile::Hostile;
use crate::support::sidecar::tree;

/// The one sentence of a command that failed; it has all of these words in it.
fn sentence(output: &Output, words: &[&str]) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("countersign: ")).collect();
    assert_eq!(sentences.len(), 1, "{said}");
    for word in words {
        assert!(sentences[0].contains(word), "{word:?} is not in: {said}");
    }
    sentences[0].to_owned()
}

/// A desk, and what it has been told so far.
struct Refusals {
    desk: Desk,
    sentences: BTreeSet<String>,
}

impl Refusals {
    /// Refused with these words, which no other refusal has; the store is as it was.
    fn refuses(&mut self, words: &str, said: &[&str]) {
        let before = tree(&self.desk.setup.data().join("repository"));
        let said = sentence(&self.desk.publish(words), said);
        assert!(
            tree(&self.desk.setup.data().join("repository")) == before,
            "{words} changed the store"
        );
        println!("{said}");
        assert!(self.sentences.insert(said.clone()), "twice: {said}");
    }

    /// A new draft of root, with `more`, as `root.json`.
    fn root(&self, more: &str) {
        self.draft("root", &format!("--from now-root.json {more}"));
    }

    fn bins(&self, more: &str) {
        self.draft("bins", &format!("--from now-bins.json --targets now-targets.json {more}"));
    }

    fn draft(&self, role: &str, more: &str) {
        let _ = fs::remove_file(self.desk.path(&format!("{role}.json")));
        self.desk.does(&format!("{role} draft --out {role}.json {more}"));
    }

    fn sign_root(&self, keys: &[&str]) {
        self.desk.sign("root", "root.json", keys, "--from now-root.json");
    }

    fn sign_bins(&self, keys: &[&str]) {
        self.desk.sign(
            "bins",
            "bins.json",
            keys,
            "--from now-bins.json --targets now-targets.json",
        );
    }
}

/// Adds the signature of a key, as another tool would that knows nothing of who may sign what.
fn sign_anyhow<R: Role>(desk: &Desk, file: &str, key: &str) {
    let key = FileSigner::load(&desk.path(&format!("{key}.pem"))).expect("a key");
    let key: Arc<dyn Signer> = Arc::new(key);
    let path = desk.path(file);
    let mut file = Signed::<R>::parse(&fs::read(&path).expect("a file")).expect("metadata");
    let signed = sign(file.signed.clone(), &[key]).now_or_never().expect("at once");
    file.signatures.extend(signed.expect("a signature").signatures);
    fs::write(path, file.to_bytes().expect("its bytes")).expect("a file");
}

#[test]
fn each_has_its_own_sentence() {
    let mirror = Hostile::start();
    let desk = Desk::before(&mirror);
    desk.fetch(&["root", "targets", "bins"]);
    let mut all = Refusals { desk, sentences: BTreeSet::new() };

    // A threshold that is not reached: of the holders after it, and of those before it.
    all.root("--expires 1y");
    all.sign_root(&["red"]);
    all.refuses("root publish root.json", &["root 2", "1 of the 2 keys", "root 1"]);
    for name in ["green-2", "blue-2"] {
        all.desk.key(name);
    }
    let replaced = "--remove green --holder green=green-2.pub.json --remove blue --holder blue=blue-2.pub.json";
    all.root(replaced);
    all.sign_root(&["green-2", "blue-2"]);
    all.refuses("root publish root.json", &["root 2", "0 of the 2 keys", "root 1"]);

    // One key twice.
    all.root("--expires 1y");
    all.sign_root(&["red"]);
    let again = all.desk.tries("root sign root.json --key red.pem --from now-root.json --yes");
    sentence(&again, &["has signed this root already"]);
    sign_anyhow::<Root>(&all.desk, "root.json", "red");
    all.refuses("root publish root.json", &["signed root twice"]);

    // An expired draft.
    all.root("--expires 1y");
    all.desk.edit("root.json", |root| root["signed"]["expires"] = "2020-01-01T00:00:00Z".into());
    for key in ["red", "green"] {
        sign_anyhow::<Root>(&all.desk, "root.json", key);
    }
    all.refuses("root publish root.json", &["root 2 expired", "2020-01-01"]);

    // A root that no loaded key can sign for, and a bins.
    all.desk.key("stranger");
    all.root("--online stranger.pub.json");
    all.sign_root(&["red", "green"]);
    all.refuses("root publish root.json", &["root locks out every online key"]);
    all.bins("--online stranger.pub.json");
    all.sign_bins(&["red", "green"]);
    all.refuses("bins publish bins.json", &["bins locks out every online key"]);

    // A root that takes away the key of the bins, where that one is not loaded any more.
    all.desk.online("online-2");
    let old = all.desk.setup.data().join("online/online.pem");
    fs::rename(&old, all.desk.path("online-kept.pem")).expect("a move");
    all.root("--online online-2.pub.json");
    all.sign_root(&["red", "green"]);
    all.refuses("root publish root.json", &["takes away the online key", "--bins"]);
    fs::rename(all.desk.path("online-kept.pem"), old).expect("a move");

    // Bins of another number under the same names: as if drafted on the bins of another repository.
    let other = "--first --online online.pub.json --bins 32";
    all.draft("bins", other);
    all.desk.edit("bins.json", |bins| bins["signed"]["version"] = 2.into());
    for key in ["red", "green"] {
        sign_anyhow::<Targets>(&all.desk, "bins.json", key);
    }
    all.refuses("bins publish bins.json", &["32 bins", "has 16", "another repository"]);

    // A gap.
    all.root("--expires 1y");
    all.sign_root(&["red", "green"]);
    fs::rename(all.desk.path("root.json"), all.desk.path("second.json")).expect("a move");
    all.draft("root", "--from second.json --expires 1y");
    all.desk.sign("root", "root.json", &["red", "green"], "--from second.json");
    all.refuses("root publish root.json", &["version 3", "leaves out", "is 2"]);

    // A key that was removed.
    all.root("--remove blue --holder blue=blue-2.pub.json");
    all.sign_root(&["red", "green"]);
    all.desk.publishes("root publish root.json");
    all.desk.fetch(&["root"]);
    all.root("--expires 1y");
    all.sign_root(&["red"]);
    let removed = all.desk.tries("root sign root.json --key blue.pem --from now-root.json --yes");
    sentence(&removed, &["may not sign this root"]);
    sign_anyhow::<Root>(&all.desk, "root.json", "blue");
    all.refuses("root publish root.json", &["was removed"]);

    // An older version.
    all.refuses("root publish first/root.json", &["version 1", "older", "2"]);
    // And the right one is still taken.
    all.root("--expires 1y");
    all.sign_root(&["red", "blue-2"]);
    all.desk.publishes("root publish root.json");
    all.desk.setup.fsck();
}
