//! Other software than what was asked for.

use serde_json::json;

use super::scene::{Scene, entry, relist};
use super::victim::Victim;
use crate::support::attacker::Place;
use crate::support::clients::Installer;
use crate::support::lie::Lie;
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::sidecar::target_path;
use crate::support::tools::need;

#[test]
fn arbitrary_software() {
    need!(Python);
    let scene = Scene::new("qx-arbitrary");
    scene.replace();
    scene.plain_installs(&scene.evil);

    let victim = Victim::of(&scene);
    victim.refuses_another_page(&scene.good);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// Two builds of one version, both signed: the newer one replaces one that must not be used any more.
#[test]
fn wrong_software_under_the_right_name() {
    need!(Python);
    let scene = Scene::new("qx-swapped");
    let new = Package {
        filename: "qx_swapped-1.0-2-py3-none-any.whl".into(),
        ..Wheel::new("qx-swapped", "1.0").mark("the second build").build()
    };
    scene.world.publish(&[&scene.good, &new]);
    let swapped = Package { filename: new.filename.clone(), ..scene.good.clone() };
    scene.alter_page(|page| relist(page, &swapped));
    scene.hand_out(&swapped);
    scene.plain_installs(&scene.good);

    let victim = Victim::of(&scene);
    victim.refuses_another_page(&new);
    scene.attacker.leave();
    scene.attacker.instead(Place::file(&new), Lie::bytes(scene.good.bytes.clone()));
    victim.refuses_file(&new, &[&new.filename, "SHA-256"]);
    scene.attacker.leave();
    Victim::of(&scene).installs(&new);
}

/// One project's page, and its files, under the name of another.
#[test]
fn a_page_of_another_project() {
    need!(Python);
    let scene = Scene::new("qx-wanted");
    let other = wheel("qx-unwanted", "1.0");
    scene.world.publish(&[&other]);
    let page = scene.world.sidecar.page("qx-unwanted").body;
    scene.attacker.instead(Place::page(&scene.good), Lie::json(page));
    // They look at the names in it.
    scene.plain_refuses();

    let victim = Victim::of(&scene);
    victim.refuses_another_page(&scene.good);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

#[test]
fn malicious_mirror_of_pages() {
    need!(Python);
    let scene = Scene::new("qx-pages");
    let newer = Wheel::new("qx-pages", "9.9").mark("evil").build();
    scene.alter_page(|page| {
        let mut new = entry(&newer);
        new["url"] = format!("../../tuf/targets/{}", target_path(&newer)).into();
        page["files"].as_array_mut().expect("files").push(new);
    });
    scene.hand_out(&newer);
    scene.plain_installs(&newer);

    let victim = Victim::of(&scene);
    victim.refuses_another_page(&scene.good);
    assert_ne!(victim.file(&newer).status, 200);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// The right page, and another file. The page's hash stops plain installers too; a file's own URL has none.
#[test]
fn malicious_mirror_of_files() {
    need!(Python);
    let scene = Scene::new("qx-files");
    scene.attacker.instead(Place::file(&scene.good), Lie::bytes(scene.evil.bytes.clone()));
    scene.plain_refuses();
    let url = format!("{}/tuf/targets/{}", scene.attacker.origin, target_path(&scene.good));
    for installer in Installer::CURRENT {
        installer.install_url(&scene.attacker.simple_url(), &url).expect(&scene.evil);
    }

    let victim = Victim::of(&scene);
    victim.refuses_file(&scene.good, &[&scene.good.filename, "SHA-256"]);
    for installer in Installer::CURRENT {
        victim.install_url(installer, &scene.good).expect_refused(&scene.good);
    }
    scene.attacker.leave();
    Victim::of(&scene).installs(&scene.good);
}

/// A dependency on a private name that is not there: the attacker has it.
#[test]
fn a_project_that_nobody_signed() {
    need!(Python);
    let scene = Scene::new("qx-known");
    let invented = wheel("qx-invented", "1.0");
    scene.invent(&invented);
    for installer in Installer::CURRENT {
        let index = scene.attacker.simple_url();
        installer.install(&index, ["qx-invented"]).expect(&invented);
    }

    let victim = Victim::of(&scene);
    assert_eq!(victim.page(&invented).status, 404);
    assert_ne!(victim.file(&invented).status, 200);
    victim.installs_nothing(&invented);
    victim.installs(&scene.good);
}

/// No byte of a file is altered: what the page says of one makes installers take another. uv looks for `Requires-Python` in the core
/// metadata too.
#[test]
fn a_flag_on_a_page() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-flags");
    let flags = [
        ("yanked", json!(true), &Installer::CURRENT[..]),
        ("requires-python", json!("<3"), &[Installer::Pip]),
    ];
    for (flag, value, deceived) in flags {
        scene.alter_page(|page| {
            let files = page["files"].as_array_mut().expect("files");
            for file in files.iter_mut().filter(|file| file["filename"] == *scene.good.filename) {
                file[flag] = value.clone();
            }
        });
        for installer in deceived {
            scene.plain(*installer).expect(&old.file);
        }
        let victim = Victim::of(&scene);
        victim.refuses_another_page(&scene.good);
        scene.attacker.leave();
        victim.installs(&scene.good);
    }
}

/// The page sends the installer, or the gateway, to another place.
#[test]
fn a_redirect() {
    need!(Python);
    let scene = Scene::new("qx-redirect");
    let elsewhere = Scene::of(scene.world.clone(), scene.good.clone());
    elsewhere.replace();
    let to = format!("{}qx-redirect/", elsewhere.attacker.simple_url());
    let redirect = Lie::status(302).with("Location", &to);
    scene.attacker.instead(Place::page(&scene.good), redirect);
    scene.plain_installs(&scene.evil);

    let victim = Victim::of(&scene);
    let answer = victim.page(&scene.good);
    assert!(matches!(answer.status, 403 | 502), "{}", answer.text());
    victim.installs_nothing(&scene.good);
    assert_eq!(elsewhere.attacker.asked(&Place::page(&scene.good)), 2 /* the plain ones */);
    scene.attacker.leave();
    victim.installs(&scene.good);
}
