//! A bundle: made while there is a network, used where there is none.

use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::mirror::{Devpi, Mirror};
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::sidecar::{Setup, Sidecar, countersign};
use crate::support::tools::need;

/// Two projects, of which one needs the other, and a third that nobody bundles.
struct Scene {
    folder: TempDir,
    mirror: Devpi,
    sidecar: Sidecar,
    files: Vec<Package>,
}

impl Scene {
    fn new() -> Self {
        let files = vec![
            Wheel::new("qx-top", "2.0").requires("qx-base").build(),
            wheel("qx-base", "1.0"),
            wheel("qx-base", "1.1"),
            wheel("qx-other", "1.0"),
        ];
        let mirror = Devpi::start(false);
        for file in &files {
            mirror.add(file);
        }
        let sidecar = Setup::before(&mirror).bins(16).start();
        for file in &files {
            sidecar.wait_for(file);
        }
        Self { folder: tempfile::tempdir().expect("a folder"), mirror, sidecar, files }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("qx.bundle")
    }

    fn create(&self, more: &[&str]) -> Output {
        let (data, out) = (self.folder.path().join("data"), self.path());
        let (root, index) = (self.sidecar.root(), self.sidecar.simple_url());
        let mut arguments = vec!["bundle", "create", "--index", &index, "--root", text(&root)];
        arguments.extend(["--data", text(&data), "--output", text(&out)]);
        arguments.extend(more);
        countersign(&arguments)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a name")
}

/// What the help promises: a project that is not there is named, and what lay there stays.
#[test]
fn an_unknown_project_is_named() {
    need!(Python);
    let scene = Scene::new();
    std::fs::write(scene.path(), "the last one").expect("a file");
    let output = scene.create(&["--project", "qx-top", "qx-none"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no page of qx-none"), "{said}");
    assert_eq!(std::fs::read(scene.path()).expect("a file"), b"the last one");
}
