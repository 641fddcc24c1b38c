//! Who has stolen the online key. In between he fast-forwards some clients; in the sidecar's place he publishes for all.

use std::fs;
use std::sync::Arc;

use countersign::signer::FileSigner;
use countersign::tuf::{Digest, TargetFile};

use super::audience::{Client, Place, Wanted};
use super::shop::{Shop, wait_for};
use super::stage::Stage;
use crate::support::attacker::{self, Attacker};
use crate::support::forge::{Keys, Repository};
use crate::support::http::get;
use crate::support::lie::Lie;
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::sidecar::target_path;

/// More than any repository publishes.
const FAR: u64 = 1 << 52;
/// Past the Unix time, which is what a repository that was put back goes on from.
const FORWARD: u64 = 5_000_000_000;

pub struct Thief {
    attacker: Attacker,
    /// Clients that saw what was forged on the way.
    deceived: [Client; 3],
    /// The sidecar itself.
    place: Place,
    /// Where the sidecar looks while the thief has it.
    shop: Shop,
    /// A project, and a newer file of a project that is there, which the mirror never had.
    evil: [Package; 2],
}

impl Thief {
    /// Stands between the sidecar and some clients, which know the honest state, with metadata of his own.
    pub fn between(place: &Place, stage: &Stage, shop: &Shop) -> Self {
        let attacker = Attacker::before(&place.origin);
        let there = Place { origin: attacker.origin.clone(), ..place.clone() };
        let deceived = there.clients();
        for client in &deceived {
            client.finds(&shop.wanted());
        }
        let newer = Wheel::new(&shop.files()[0].project, "6.6").mark("evil").build();
        let evil = [wheel("qx-evil", "6.6"), newer];
        // The key that is in use is the newest.
        let folder = stage.home("sidecar").join("countersign-data/online");
        let keys = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
        let stolen = keys.filter(|path| path.extension().is_some_and(|end| end == "pem")).max();
        let stolen = FileSigner::load(&stolen.expect("a key")).expect("a key");
        let keys = Keys { online: Arc::new(stolen), ..Keys::strange() };
        let mut forged = Repository::at(&format!("{}/tuf/metadata/", place.origin), keys);
        let path = target_path(&evil[0]);
        let (hash, length) = (Digest::of(&evil[0].bytes), evil[0].bytes.len() as u64);
        let bin = forged.bin_for(&path);
        let role = forged.roles.get_mut(&bin).expect("a bin");
        role.targets.insert(path.clone(), TargetFile::new(hash, length, None));
        role.version = FAR;
        forged.sign_role(&bin);
        (forged.snapshot.version, forged.timestamp.version) = (FAR, FAR);
        forged.announce();
        attacker.serve(&forged);
        attacker.instead(attacker::Place::file(&evil[0]), Lie::bytes(evil[0].bytes.clone()));
        for client in &deceived {
            client.finds(&[(path.clone(), Some(evil[0].sha256()))].into());
        }
        Self { attacker, deceived, place: place.clone(), shop: Shop::open("qx-false"), evil }
    }

    /// Has the sidecar, and lets it sign what another mirror has; with versions that are far ahead.
    pub fn takes_over(&mut self, stage: &mut Stage, shop: &Shop, others: &[Client]) {
        let timestamp = get(&format!("{}/tuf/metadata/timestamp.json", stage.origin())).json();
        let good = timestamp["signed"]["meta"]["snapshot.json"]["version"].as_u64();
        stage.good = good.expect("a version");
        for file in shop.files().iter().chain(&self.evil[..1]) {
            self.shop.put(file);
        }
        // What is there already cannot be given other bytes; it is listed with what is new.
        self.shop.mirror.publish(&[&shop.files()[0], &self.evil[1]]);
        let serve = "countersign serve --config countersign.toml";
        stage.stop();
        stage.other_mirror = Some(self.shop.mirror.origin());
        stage.serve("sidecar", serve);
        for file in &self.evil {
            wait_for(&stage.origin(), file);
        }
        stage.stop();
        let forward = "countersign restore --advance --config countersign.toml --past";
        stage.type_in("sidecar", &format!("{forward} {FORWARD}\n"));
        stage.serve("sidecar", serve);
        let seen = self.evil.iter().map(|file| (target_path(file), Some(file.sha256())));
        let seen = seen.collect();
        for client in others {
            client.finds(&seen);
        }
        stage.other_mirror = None;
    }

    /// After the recovery: everything of the thief's is gone, also for those who believed it.
    pub fn has_lost(self, honest: &Wanted, others: &[Client]) {
        self.attacker.leave();
        let gone = self.evil.iter().map(|file| (target_path(file), None));
        let wanted = honest.clone().into_iter().chain(gone).collect();
        let new = self.place.clients();
        for client in self.deceived.iter().chain(others).chain(&new) {
            client.finds(&wanted);
        }
    }
}
