//! One sidecar for many attacks; each has a project, and an attacker, of its own.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::attacker::{Attacker, Place};
use crate::support::clients::{Install, Installer};
use crate::support::forge::{Keys, Repository};
use crate::support::hostile::{Answer, Hostile};
use crate::support::lie::Lie;
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::sidecar::{Setup, Sidecar};

/// A mirror that is honest, and the sidecar before it.
pub struct World {
    mirror: Hostile,
    pub sidecar: Sidecar,
    projects: Mutex<Vec<String>>,
}

impl World {
    /// The one that the tests which run at this moment share; it ends with the last of them.
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<World>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(world) = shared.upgrade() {
            return world;
        }
        let world = Arc::new(Self::start(|setup| setup));
        *shared = Arc::downgrade(&world);
        world
    }

    /// One of its own, for what changes the sidecar itself.
    pub fn start(change: impl FnOnce(Setup) -> Setup) -> Self {
        let mirror = Hostile::start();
        let setup = Setup::bare(&mirror.simple_url()).bins(16).set("watch.interval", "1h");
        let sidecar = change(setup).start();
        Self { mirror, sidecar, projects: Mutex::default() }
    }

    /// These are all files of their project from now on, and signed.
    pub fn publish(&self, files: &[&Package]) {
        let project = files[0].normalized();
        let links: Vec<_> = files.iter().map(|file| entry(file)).collect();
        for file in files {
            let path = format!("/files/{}", file.filename);
            self.mirror.answer(&path, Answer::file(file.bytes.clone()));
            self.mirror.answer(&format!("{path}.metadata"), Answer::file(file.core_metadata()));
        }
        self.mirror.page(&project, &links);
        let mut projects = self.projects.lock().expect("a lock");
        if !projects.contains(&project) {
            projects.push(project.clone());
            let all: Vec<_> = projects.iter().map(String::as_str).collect();
            self.mirror.list(&all);
        }
        drop(projects);
        self.sidecar.webhook(&project);
        for file in files {
            self.sidecar.wait_for(file);
        }
    }
}

/// A project that was signed, an attacker before the sidecar, and what the attacker wants installed instead.
pub struct Scene {
    pub world: Arc<World>,
    pub attacker: Attacker,
    pub good: Package,
    /// Another wheel of the same name.
    pub evil: Package,
}

impl Scene {
    pub fn new(project: &str) -> Self {
        Self::of(World::shared(), wheel(project, "1.0"))
    }

    /// In a world of its own.
    pub fn alone(project: &str) -> Self {
        Self::of(Arc::new(World::start(|setup| setup)), wheel(project, "1.0"))
    }

    pub fn of(world: Arc<World>, good: Package) -> Self {
        world.publish(&[&good]);
        let attacker = Attacker::before(&world.sidecar.origin);
        let evil = Wheel::new(&good.project, &good.version).mark("evil").build();
        Self { world, attacker, good, evil }
    }

    /// A version with a known weakness was signed, and all of it was recorded; then another was, which is the good one.
    pub fn patched(project: &str) -> (Self, Old) {
        Self::new(project).patch()
    }

    pub fn patch(mut self) -> (Self, Old) {
        let old = self.record();
        self.good = wheel(&self.good.project, "1.1");
        self.world.publish(&[&old.file, &self.good]);
        (self, old)
    }

    /// What the sidecar serves now.
    pub fn record(&self) -> Old {
        let mut repository = Repository::of(&self.world.sidecar);
        let project = self.good.normalized();
        repository.keep_page(&project, &self.world.sidecar.page(&project).body);
        Old { repository, file: self.good.clone() }
    }

    /// Signed metadata for the evil wheel, as whoever has the repository's keys can make it.
    pub fn forge(&self) -> Repository {
        self.forge_by(Keys::of(&self.world.sidecar))
    }

    /// The same by whoever has these keys.
    pub fn forge_by(&self, keys: Keys) -> Repository {
        let mut repository = Repository::of(&self.world.sidecar).held_by(keys);
        let page = self.page_of(|page| relist(page, &self.evil));
        repository.put_page(&self.good.normalized(), page.as_bytes());
        repository
    }

    /// An installer that asks the attacker, with nothing between.
    pub fn plain(&self, installer: Installer) -> Install {
        installer.install(&self.attacker.simple_url(), [self.good.project.as_str()])
    }

    /// pip and uv, with nothing between, install this.
    pub fn plain_installs(&self, file: &Package) {
        for installer in Installer::CURRENT {
            self.plain(installer).expect(file);
        }
    }

    /// pip and uv, with nothing between, notice it.
    pub fn plain_refuses(&self) {
        for installer in Installer::CURRENT {
            self.plain(installer).expect_refused(&self.good);
        }
    }

    /// The attacker lists its own bytes, and hands them out.
    pub fn replace(&self) {
        self.alter_page(|page| relist(page, &self.evil));
        self.hand_out(&self.evil);
    }

    /// The attacker hands out these bytes, and this core metadata, under the file's name.
    pub fn hand_out(&self, file: &Package) {
        self.attacker.instead(Place::file(file), Lie::bytes(file.bytes.clone()));
        self.attacker.instead(Place::core_metadata(file), Lie::bytes(file.core_metadata()));
    }

    /// The attacker changes the project's page.
    pub fn alter_page(&self, change: impl FnOnce(&mut Value)) {
        self.attacker.instead(Place::page(&self.good), Lie::json(self.page_of(change)));
    }

    fn page_of(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut page = self.world.sidecar.page(&self.good.normalized()).json();
        change(&mut page);
        page.to_string()
    }

    /// The attacker has a project that the sidecar has never heard of.
    pub fn invent(&self, file: &Package) {
        let mut link = entry(file);
        link["url"] = format!("/files/{}", file.filename).into();
        let page =
            json!({ "meta": { "api-version": "1.1" }, "name": file.normalized(), "files": [link] });
        self.attacker.instead(Place::page(file), Lie::json(page.to_string()));
        self.hand_out(file);
    }

    /// The sidecar publishes something else: a new snapshot, and a new timestamp.
    pub fn renew(&self) {
        self.world.publish(&[&wheel(&format!("{}-beside", self.good.project), "1.0")]);
    }

    /// The sidecar goes on publishing until its versions are past these: what a client was made to trust is behind it.
    pub fn outrun(&self, repository: &Repository) {
        let mut files = vec![self.good.clone()];
        let trusted = repository.timestamp.version.max(repository.snapshot.version);
        while self.world.sidecar.version("timestamp").min(self.world.sidecar.version("snapshot"))
            <= trusted
        {
            files.push(wheel(&self.good.project, &format!("0.{}", files.len())));
            self.world.publish(&files.iter().collect::<Vec<_>>());
        }
    }
}

/// A repository as it was recorded, and the newest file of the project then.
pub struct Old {
    pub repository: Repository,
    pub file: Package,
}

/// A wheel as the mirror's page lists it.
pub fn entry(file: &Package) -> Value {
    json!({
        "filename": file.filename,
        "url": format!("/files/{}", file.filename),
        "hashes": { "sha256": file.sha256() },
        "size": file.bytes.len(),
        "core-metadata": { "sha256": sha256(&file.core_metadata()) },
    })
}

/// Gives the entry of a file's name the file's own hashes and length.
pub fn relist(page: &mut Value, file: &Package) {
    let files = page["files"].as_array_mut().expect("files");
    let entry = files.iter_mut().find(|entry| entry["filename"] == file.filename.as_str());
    let entry = entry.expect("the file");
    entry["hashes"]["sha256"] = file.sha256().into();
    entry["size"] = file.bytes.len().into();
    entry["core-metadata"]["sha256"] = sha256(&file.core_metadata()).into();
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
