//! One root after the other, under a running sidecar, and a client that was away meanwhile.

use std::fs;

use super::audience::{Loop, Place};
use super::desk::{Desk, HOLDERS};
use super::shop::{Shop, wait_for};
use crate::support::tools::need;

const ROTATIONS: usize = 10;

/// Each time another holder has a new key, and the sidecar too. Clients that ask all the time see no error; those that come back
/// from version 1 follow the whole chain.
#[test]
fn ten_rotations() {
    need!(Python, TufJs);
    let mut shop = Shop::open("qx-rotated");
    shop.add();
    let desk = Desk::before(&shop.mirror);
    let sidecar = desk.setup.clone().start();
    let place = Place { root: sidecar.root(), origin: sidecar.origin.clone() };
    wait_for(&place.origin, &shop.files()[0]);
    let away = place.clients();
    for client in &away {
        client.finds(&shop.wanted());
    }
    let looking_on = Loop::start(&place, &shop.wanted());
    let mut keys = HOLDERS.map(str::to_owned);
    for number in 1..=ROTATIONS {
        rotate(&desk, &mut keys, number);
        let file = shop.add();
        wait_for(&place.origin, &file);
        looking_on.tell(&shop.wanted());
    }
    assert!(looking_on.stop() > 0);
    for client in away.iter().chain(&place.clients()) {
        client.finds(&shop.wanted());
    }
    let roots = fs::read_dir(sidecar.data().join("repository/root")).expect("a folder");
    assert_eq!(roots.count(), 1 + ROTATIONS);
    sidecar.stop();
    desk.setup.fsck();
}

fn rotate(desk: &Desk, keys: &mut [String; 3], number: usize) {
    desk.fetch(&["root", "targets", "bins"]);
    let (turn, online) = (number % HOLDERS.len(), format!("online-{number}"));
    let (holder, key) = (HOLDERS[turn], format!("{}-{number}", HOLDERS[turn]));
    desk.key(&key);
    desk.online(&online);
    for draft in ["root.json", "bins.json"] {
        let _ = fs::remove_file(desk.path(draft));
    }
    desk.does(&format!(
        "root draft --from now-root.json --out root.json --remove {holder} --holder {holder}={key}.pub.json --online {online}.pub.json"
    ));
    desk.does(&format!(
        "bins draft --from now-bins.json --targets now-targets.json --out bins.json --online {online}.pub.json"
    ));
    // The two others are holders before and after.
    for other in (0..HOLDERS.len()).filter(|other| *other != turn) {
        desk.sign("root", "root.json", &[&keys[other]], "--from now-root.json");
    }
    let who = "--from now-bins.json --targets now-targets.json";
    desk.sign("bins", "bins.json", &["red", "green"], who);
    desk.publishes("root publish root.json --bins bins.json");
    keys[turn] = key;
}
