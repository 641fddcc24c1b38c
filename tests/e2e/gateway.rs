//! Unmodified tools behind a gateway, which stands before a sidecar, which stands before a real mirror.

use crate::support::clients::{Installer, Manager};
use crate::support::gateway::Gateway;
use crate::support::http::{Request, get};
use crate::support::mirror::{Devpi, Mirror, Pypiserver};
use crate::support::packages::{Package, Wheel, sdist, wheel};
use crate::support::recorder::{Exchange, Recorder};
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::tools::need;

#[test]
fn pypiserver() {
    need!(Python);
    let mirror = Pypiserver::start();
    serves_all_tools(&mirror, |mirror| Setup::bare(&mirror.simple_url()));
}

#[test]
fn devpi() {
    need!(Python);
    let mirror = Devpi::start(false);
    serves_all_tools(&mirror, |mirror| Setup::bare(&mirror.simple_url()));
}

/// The sidecar knows none of the projects before the tools ask for them.
#[test]
fn a_fresh_sidecar_on_demand() {
    need!(Python);
    let mirror = Pypiserver::start();
    serves_all_tools(&mirror, |mirror| {
        Setup::bare(&mirror.simple_url()).set("watch.mode", "on-demand")
    });
}

struct Projects {
    base: Package,
    top: Package,
    local: Package,
    source: Package,
}

impl Projects {
    fn on(mirror: &dyn Mirror) -> Self {
        let projects = Self {
            base: wheel("qx-base", "1.0"),
            top: Wheel::new("qx-top", "2.0").requires("qx-base").build(),
            local: wheel("Qx.Local", "1.0+abc.1"),
            source: sdist("qx-source", "0.1"),
        };
        let Self { base, top, local, source } = &projects;
        [base, top, local, source].into_iter().for_each(|file| mirror.add(file));
        projects
    }
}

fn before(sidecar: &Sidecar) -> Gateway {
    Gateway::before(&sidecar.simple_url(), &sidecar.root())
}

fn serves_all_tools(mirror: &dyn Mirror, setup: impl Fn(&dyn Mirror) -> Setup) {
    let Projects { base, top, local, source } = Projects::on(mirror);
    for installer in Installer::CURRENT {
        let sidecar = setup(mirror).start();
        let gateway = before(&sidecar);
        let install = installer.install(&gateway.simple_url, ["qx-top", "qx-source", "Qx.Local"]);
        install.expect(&top).expect(&base).expect(&source).expect(&local);
        let hashed = installer.install_hashed(&gateway.simple_url, &[&base, &top]);
        hashed.expect(&base).expect(&top);
        let unknown = installer.install(&gateway.simple_url, ["qx-nothing"]);
        assert!(!unknown.ok, "{}", unknown.said);
    }
    for manager in Manager::ALL {
        let sidecar = setup(mirror).start();
        let gateway = before(&sidecar);
        manager.install(&gateway.simple_url, &top).expect(&top).expect(&base);
    }
}

/// What was verified is not asked for again: neither by the same process, nor by the next one.
#[test]
fn a_second_install_costs_a_timestamp() {
    need!(Python);
    let mirror = Pypiserver::start();
    let Projects { base, top, .. } = Projects::on(&mirror);
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    sidecar.wait_for(&top);
    sidecar.wait_for(&base);
    let recorder = Recorder::before(&sidecar.origin);
    for installer in Installer::CURRENT {
        let gateway = Gateway::before(&recorder.through(&sidecar.simple_url()), &sidecar.root());
        installer.install(&gateway.simple_url, ["qx-top"]).expect(&top).expect(&base);
        assert!(!recorder.news().is_empty());
        installer.install(&gateway.simple_url, ["qx-top"]).expect(&top).expect(&base);
        assert_eq!(asked(&recorder), Vec::<String>::new(), "{installer:?}, at once");

        let gateway = gateway.again();
        installer.install(&gateway.simple_url, ["qx-top"]).expect(&top).expect(&base);
        let timestamp = ["/tuf/metadata/2.root.json 404", "/tuf/metadata/timestamp.json 200"];
        assert_eq!(asked(&recorder), timestamp, "{installer:?}, by the next process");
    }
}

/// What was asked for since the last time, and how it was answered.
fn asked(recorder: &Recorder) -> Vec<String> {
    let line = |one: Exchange| format!("{} {}", one.path, one.status.unwrap_or_default());
    recorder.news().into_iter().map(line).collect()
}

/// What the network takes away, it takes from the next project, not from those that are verified.
#[test]
fn without_the_sidecar_it_goes_on() {
    need!(Python);
    let mirror = Pypiserver::start();
    let Projects { base, top, .. } = Projects::on(&mirror);
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    let recorder = Recorder::before(&sidecar.origin);
    let gateway = Gateway::before(&recorder.through(&sidecar.simple_url()), &sidecar.root());
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-top"]).expect(&top).expect(&base);
    }
    recorder.cut(true);
    let gateway = gateway.again();
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-top"]).expect(&top).expect(&base);
        assert!(!installer.install(&gateway.simple_url, ["qx-source"]).ok);
    }
    assert!(gateway.log().contains("cannot be refreshed"), "{}", gateway.log());
}

/// twine is told where to go.
#[test]
fn it_takes_no_uploads() {
    need!(Python);
    let mirror = Pypiserver::start();
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    let gateway = before(&sidecar);
    let answer = Request::new("POST", &gateway.simple_url).body("x").send();
    assert_eq!(answer.status, 405);
    assert!(answer.text().contains("upload to the index itself"), "{}", answer.text());
    let list = get(&gateway.simple_url);
    assert_eq!(list.status, 403, "the list is not signed");
}
