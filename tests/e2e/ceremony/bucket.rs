//! Two replicas on one bucket, each with the next online key beside the old one; the command publishes beside them.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::json;
use tempfile::TempDir;

use super::audience::{Loop, Place};
use super::shop::{Shop, wait_for};
use crate::support::balancer::Balancer;
use crate::support::http::get;
use crate::support::sidecar::{Setup, Sidecar, countersign, initialized};
use crate::support::tools::need;
use crate::support::{eventually, secs};

fn ended_well(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

/// Holders who have their files in one folder, and the keys that `init` made.
struct Holders<'a> {
    folder: TempDir,
    keys: &'a Path,
    setup: &'a Setup,
}

impl Holders<'_> {
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a name").to_owned()
    }

    /// Drafts, signs and publishes the next version of `role`.
    fn publish(&self, role: &str, draft: &[&str]) {
        for role in ["root", "targets", "bins"] {
            let out = self.file(&format!("now-{role}.json"));
            ended_well(&self.setup.tool_configured(&[role, "current", "--out", &out]));
        }
        let (now, next) = (self.file(&format!("now-{role}.json")), self.file("next.json"));
        let _ = fs::remove_file(&next);
        let targets = self.file("now-targets.json");
        let beside: &[&str] = if role == "bins" { &["--targets", &targets] } else { &[] };
        let drafted = [&[role, "draft", "--from", &now, "--out", &next], beside, draft].concat();
        ended_well(&countersign(&drafted));
        let key = self.keys.join(format!("offline-keys/{role}.pem"));
        let key = key.to_str().expect("a name");
        let signed = [&[role, "sign", &next, "--from", &now, "--key", key, "--yes"], beside];
        ended_well(&countersign(&signed.concat()));
        ended_well(&self.setup.tool_configured(&[role, "publish", &next]));
        // Once more does no harm, and says so.
        let again = self.setup.tool_configured(&[role, "publish", &next]);
        ended_well(&again);
        let said = [again.stdout, again.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("published already"), "{said}");
    }
}

#[test]
fn two_replicas_take_a_new_key_and_other_bins() {
    need!(Python, Seaweed);
    let mut shop = Shop::open("qx-bucket");
    let first = shop.add();
    let folder = tempfile::tempdir().expect("a folder");
    let (key, public) = (folder.path().join("next.pem"), folder.path().join("next.pub.json"));
    ended_well(&countersign(&["key", "generate", "--out", key.to_str().expect("a name")]));
    let bucket = initialized();
    let setup = Setup::bare(&shop.mirror.simple_url())
        .set("watch.interval", "1s")
        .set("store.lease", "3s")
        .set("signing.online", json!(["file:online.pem", "file:next.pem"]))
        .store(&bucket);
    let replicas: Vec<Sidecar> = (0..2)
        .map(|_| {
            let setup = setup.another().at_fixed_ports();
            fs::create_dir_all(setup.data()).expect("a folder");
            fs::copy(&key, setup.data().join("next.pem")).expect("a copy");
            setup.start()
        })
        .collect();
    let balancer = Balancer::before(replicas.iter().map(|one| one.origin.clone()).collect());
    let place = Place { root: replicas[0].root(), origin: balancer.origin() };
    wait_for(&replicas[0].origin, &first);
    let blocked = shop.add();
    wait_for(&replicas[1].origin, &blocked);
    let mut wanted = shop.wanted();
    let path = crate::support::sidecar::target_path(&blocked);
    replicas[0].control(&["block", &blocked.normalized()]);
    eventually("the block", secs(120), || replicas[1].signed(&path).is_none().then_some(()));
    wanted.remove(&path);
    let looking_on = Loop::start(&place, &wanted);

    let holders = Holders { folder, keys: bucket.ceremony.path(), setup: replicas[0].setup() };
    let public = public.to_str().expect("a name").to_owned();
    let online = ["--online", public.as_str()];
    holders.publish("root", &online);
    holders.publish("bins", &online);
    holders.publish("bins", &["--bins", "64", "--prefix", "wide"]);
    let second = shop.add();
    for replica in &replicas {
        wait_for(&replica.origin, &second);
        assert_eq!(replica.signed(&path), None, "it stays blocked");
    }
    holders.publish("bins", &["--bins", "4", "--prefix", "few"]);
    let third = shop.add();
    for replica in &replicas {
        wait_for(&replica.origin, &third);
        assert_eq!(replica.signed(&path), None, "it stays blocked");
        let root = get(&format!("{}2.root.json", replica.metadata_url()));
        assert_eq!(root.status, 200);
    }
    looking_on.tell(&shop.wanted().into_iter().filter(|(wanted, _)| *wanted != path).collect());
    assert!(looking_on.stop() > 0);
    replicas[1].control(&["block", "--undo", &blocked.normalized()]);
    for client in place.clients().iter().take(1) {
        client.finds(&shop.wanted());
    }
    replicas[0].setup().fsck();
}
