//! What `publish` refuses, each with a sentence of its own; nothing of it leaves a trace.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use crate::support::hostile::Hostile;
use crate::support::sidecar::signed_tree;

use super::desk::Desk;

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
        let before = signed_tree(&self.desk.setup.data());
        let said = sentence(&self.desk.publish(words), said);
        assert!(signed_tree(&self.desk.setup.data()) == before, "{words} changed the store");
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
        self.desk.sign("bins", "bins.json", keys, "--from now-bins.json --targets now-targets.json");
    }
}

#[test]
fn each_has_its_own_sentence() {
    let mirror = Hostile::start();
    let desk = Desk::before(&mirror);
    desk.fetch(&["root", "targets", "bins"]);
    let mut all = Refusals { desk, sentences: BTreeSet::new() };

    // A threshold that is not reached, by whom it must be reached: the holders before, and those after.
    all.root("--expires 1y");
    all.refuses("root publish root.json", &["root", "0 of 2"]);
    all.sign_root(&["red"]);
    all.refuses("root publish root.json", &["root", "1 of 2"]);

    // One key twice.
    let again = all.desk.tries("root sign root.json --key red.pem --from now-root.json --yes");
    sentence(&again, &["already"]);
    all.desk.edit("root.json", |root| {
        let signatures = root["signatures"].as_array_mut().expect("signatures");
        signatures.push(signatures[0].clone());
    });
    all.refuses("root publish root.json", &["twice"]);

    // An expired draft.
    all.root("--expires 1y");
    all.desk.edit("root.json", |root| root["signed"]["expires"] = "2020-01-01T00:00:00Z".into());
    all.sign_root(&["red", "green"]);
    all.refuses("root publish root.json", &["expired", "2020-01-01"]);

    // A root that no loaded key can sign for.
    all.desk.key("stranger");
    all.root("--online stranger.pub.json");
    all.sign_root(&["red", "green"]);
    all.refuses("root publish root.json", &["online key"]);

    // Bins of another number under the same names, and bins of another repository.
    all.bins("--expires 1y");
    all.desk.edit("bins.json", |bins| {
        bins["signed"]["delegations"]["succinct_roles"]["bit_length"] = 5.into();
    });
    all.sign_bins(&["red", "green"]);
    all.refuses("bins publish bins.json", &["32", "16", "prefix"]);

    // A gap.
    all.root("--expires 1y");
    all.sign_root(&["red", "green"]);
    fs::rename(all.desk.path("root.json"), all.desk.path("second.json")).expect("a move");
    all.draft("root", "--from second.json --expires 1y");
    all.desk.sign("root", "root.json", &["red", "green"], "--from second.json");
    all.refuses("root publish root.json", &["version 3", "2"]);

    // A key that was removed.
    all.desk.key("blue-2");
    all.root("--remove blue --holder blue=blue-2.pub.json");
    all.sign_root(&["red", "blue"]);
    all.desk.sign("root", "root.json", &["blue-2"], "--from now-root.json");
    all.desk.publishes("root publish root.json");
    fs::copy(all.desk.path("now-root.json"), all.desk.path("old-root.json")).expect("a copy");
    all.desk.fetch(&["root"]);
    all.root("--expires 1y");
    all.sign_root(&["red"]);
    let removed = all.desk.tries("root sign root.json --key blue.pem --from now-root.json --yes");
    sentence(&removed, &["blue"]);
    // As if it had been signed elsewhere, by somebody who does not know that it was removed.
    all.desk.edit("old-root.json", |old| {
        old["signed"] = serde_json::from_slice::<serde_json::Value>(
            &fs::read(all.desk.path("root.json")).expect("a file"),
        )
        .expect("JSON")["signed"]
            .clone();
        old["signatures"] = serde_json::json!([]);
    });

    // An older version.
    all.refuses("root publish first/root.json", &["version 1", "2"]);
}
