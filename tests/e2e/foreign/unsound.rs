//! A repository with one fault is refused in one line, and harms nothing that was trusted before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Site;
use super::client::Client;
use super::faults::{CONTENT, PLAINLY, Row, SEEN};
use crate::support::tools::need;

/// What the sound repositories hold; each is its own content.
const ALL: [&str; 5] =
    ["plain.txt", "simple/six/page", "nested/a.txt", "nested/deep.txt", "claimed/x"];
/// A client spends most of its time waiting.
const THREADS: usize = 6;

struct Case {
    row: &'static Row,
    /// Whether the client has trusted the repository before.
    seen: bool,
}

#[test]
fn single_faults_are_refused() {
    need!(Python);
    let (site, made) = Site::made_by::<BTreeSet<String>>("faults.py");
    let rows = || SEEN.iter().chain(PLAINLY).chain(CONTENT);
    let named: BTreeSet<_> = rows().map(|row| row.0.to_owned()).collect();
    assert_eq!(named, made);

    let new = Client::new(&site.root("before"));
    let seen = new.copy();
    gets_all(&site, "before", &seen);

    let mut cases: Vec<_> = rows().map(|row| Case { row, seen: true }).collect();
    cases.extend(PLAINLY.iter().chain(CONTENT).map(|row| Case { row, seen: false }));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let client = if case.seen { seen.copy() } else { new.copy() };
                    is_refused(&site, case, &client);
                }
            });
        }
    });
    asks_for_no_more_than_it_may(&site);
}

fn is_refused(site: &Site, case: &Case, client: &Client) {
    let &(name, target, blamed, words) = case.row;
    let what = format!("{name}, seen: {}", case.seen);
    let (before, trusted) = (versions(client), client.trusts(blamed));
    let (metadata, targets) = (site.metadata_url(name), site.targets_url(name));
    let ended = client.download(&metadata, &targets, &[target]);
    ended.refused(&what, words);
    if !blamed.is_empty() {
        ended.blames(&what, blamed);
    }
    assert_eq!(client.downloaded(), BTreeMap::new(), "{what}");
    for (role, version) in before {
        assert!(versions(client)[&role] >= version, "{what}: {role}");
    }
    if client.trusts(blamed) != trusted && name != "root_expired" {
        // A root that has expired may be followed by another.
        let kept = client.trusts(blamed).expect("something new");
        assert!(!site.served(name, blamed).contains(&kept), "{what}: {blamed} is kept");
    }
    gets_all(site, "after", client);
}

/// By role, of what is trusted.
fn versions(client: &Client) -> BTreeMap<String, u64> {
    let files = fs::read_dir(client.metadata()).expect("a folder").flatten();
    let json = files.filter(|file| file.path().extension().is_some_and(|end| end == "json"));
    let version = |bytes: Vec<u8>| {
        serde_json::from_slice::<Value>(&bytes).expect("JSON")["signed"]["version"].as_u64()
    };
    json.map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        (name, version(fs::read(file.path()).expect("a file")).expect("a version"))
    })
    .collect()
}

fn gets_all(site: &Site, name: &str, client: &Client) {
    client.download(&site.metadata_url(name), &site.targets_url(name), &ALL).succeeded(name);
    let hash = |path: &str| (path.to_owned(), hex::encode(Sha256::digest(path)));
    assert_eq!(client.downloaded(), ALL.into_iter().map(hash).collect(), "{name}");
}

/// A target is asked for only where all metadata on the way to it was sound.
fn asks_for_no_more_than_it_may(site: &Site) {
    let requests = site.server.requests();
    for (name, ..) in SEEN.iter().chain(PLAINLY) {
        let targets = format!("/{name}/targets/");
        assert!(!requests.iter().any(|request| request.contains(&targets)), "{name}");
    }
}
