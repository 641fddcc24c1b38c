//! Too much data, too little, and lengths that are not true.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::scene::Scene;
use super::victim::Victim;
use crate::support::attacker::Place;
use crate::support::clients::Installer;
use crate::support::http::{Request, Response};
use crate::support::lie::Lie;
use crate::support::packages::Package;
use crate::support::tools::need;

/// What the attacker goes on with, bytes.
const ENDLESS: u64 = 256 << 20;
/// What a client may take of it, with what lies in the kernel's buffers.
const TAKEN: u64 = 16 << 20;
/// What a gateway may hold in memory.
const MEMORY: u64 = 192 << 20;

type How = fn(Response) -> Lie;

/// Each kind of file that a gateway reads on its way to a wheel.
fn kinds(scene: &Scene) -> Vec<(&'static str, Place)> {
    let bin = scene.record().repository.bin_of(&scene.good.normalized());
    vec![
        ("root", Place::metadata("2.root.json")),
        ("timestamp", Place::role("timestamp")),
        ("snapshot", Place::role("snapshot")),
        ("targets", Place::role("targets")),
        ("bins", Place::role("bins")),
        ("bin", Place::role(&bin)),
        ("page", Place::page(&scene.good)),
        ("file", Place::file(&scene.good)),
        ("core metadata", Place::core_metadata(&scene.good)),
    ]
}

/// The request to which the lie is the answer.
fn ask(victim: &Victim, kind: &str, file: &Package) -> Response {
    match kind {
        "file" => victim.file(file),
        "core metadata" => victim.core_metadata(file),
        _ => victim.page(file),
    }
}

/// Told at each place, each of these lies is refused with a reason, within bounds; nothing is installed. Then the attacker goes.
fn is_refused(scene: &Scene, places: &[(&str, Place)], lies: &[(&str, How)]) {
    for (kind, place) in places {
        for &(name, how) in lies {
            scene.attacker.forget();
            scene.attacker.alter(place.clone(), how);
            let victim = Victim::of(scene);
            let answer = ask(&victim, kind, &scene.good);
            assert!(matches!(answer.status, 403 | 502..=504), "{name} {kind}: {}", answer.text());
            victim.explains(&answer, &[]);
            victim.install(Installer::Uv, &scene.good).expect_refused(&scene.good);
            let taken = scene.attacker.taken(place);
            assert!(taken < TAKEN, "{name} {kind}: {taken} bytes were taken");
            let memory = victim.peak_memory();
            assert!(memory < MEMORY, "{name} {kind}: {memory} bytes of memory");
            scene.attacker.leave();
        }
    }
    Victim::of(scene).installs(&scene.good);
}

fn endless(honest: Response) -> Lie {
    Lie::like(honest).ok().endless(ENDLESS)
}

#[test]
fn endless_data() {
    need!(Python);
    let scene = Scene::new("qx-endless");
    let (page, file) = (Place::page(&scene.good), Place::file(&scene.good));
    scene.attacker.alter(page.clone(), endless);
    for installer in Installer::CURRENT {
        scene.attacker.forget();
        let install = scene.plain(installer);
        eprintln!("page {installer:?} {} {}", install.ok, scene.attacker.taken(&page));
    }
    scene.attacker.leave();
    scene.attacker.alter(file.clone(), endless);
    for installer in Installer::CURRENT {
        scene.attacker.forget();
        let install = scene.plain(installer);
        eprintln!(
            "file {installer:?} {} {} {}",
            install.ok,
            scene.attacker.taken(&file),
            install.said
        );
    }
    scene.attacker.leave();
    is_refused(&scene, &kinds(&scene), &[("endless", endless)]);
}

/// Some hundred kilobytes that become hundreds of megabytes.
#[test]
fn compressed_bombs() {
    need!(Python);
    let scene = Scene::new("qx-bomb");
    let page = Place::page(&scene.good);
    scene.attacker.alter(page, gzip);
    for installer in Installer::CURRENT {
        let install = scene.plain(installer);
        eprintln!("page {installer:?} {} {}", install.ok, install.said);
    }
    scene.attacker.leave();
    is_refused(&scene, &kinds(&scene), &[("gzip", gzip), ("zstd", zstd), ("br", br)]);
}

/// What was there, and then spaces.
fn gzip(honest: Response) -> Lie {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    swell(&honest.body, &mut encoder);
    Lie::like(honest).ok().body(encoder.finish().expect("a bomb")).with("Content-Encoding", "gzip")
}

fn zstd(honest: Response) -> Lie {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    swell(&honest.body, &mut encoder);
    Lie::like(honest).ok().body(encoder.finish().expect("a bomb")).with("Content-Encoding", "zstd")
}

fn br(honest: Response) -> Lie {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 1, 22);
    swell(&honest.body, &mut encoder);
    Lie::like(honest).ok().body(encoder.into_inner()).with("Content-Encoding", "br")
}

fn swell(start: &[u8], to: &mut impl std::io::Write) {
    to.write_all(start).expect("a write");
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..ENDLESS >> 20 {
        to.write_all(&spaces).expect("a write");
    }
}

/// The connection ends before the answer does, or the answer is short and says so.
#[test]
fn truncation() {
    need!(Python, OldPip);
    let (scene, old) = Scene::patched("qx-cut");
    html_page_cut_short(&scene, &old.file);
    is_refused(&scene, &kinds(&scene)[1..], &[("cut", cut), ("shortened", shortened)]);
}

fn cut(honest: Response) -> Lie {
    let length = honest.body.len();
    let half = honest.body[..length / 2].to_vec();
    Lie::like(honest).body(half).promising(length as u64)
}

fn shortened(honest: Response) -> Lie {
    let half = honest.body[..honest.body.len() / 2].to_vec();
    Lie::like(honest).body(half)
}

/// Where the newest file is cut off.
fn html_page_cut_short(scene: &Scene, old: &Package) {
    let url = scene.world.sidecar.page_url("qx-cut");
    let html = Request::new("GET", &url).header("Accept", "text/html").send().text();
    let at =
        html.find(&scene.good.filename).and_then(|at| html[..at].rfind("<a ")).expect("a link");
    let page = Lie::new(200, "text/html", &html[..at]);
    for lie in [page.clone(), page.promising(html.len() as u64)] {
        scene.attacker.instead(Place::page(&scene.good), lie);
        for installer in Installer::ALL {
            let x = scene.plain(installer);
            eprintln!("html {installer:?} {} {:?} {}", x.ok, x.mark(old), x.said);
        }
    }
    scene.attacker.leave();
}

/// `Content-Length` is not that of the body, or cannot be.
#[test]
fn wrong_content_length() {
    need!(Python);
    let scene = Scene::new("qx-length");
    let lies: [(&str, How); 4] = [
        ("less", |honest| {
            let length = honest.body.len() as u64;
            Lie::like(honest).promising(length - 1)
        }),
        ("more", |honest| {
            let length = honest.body.len() as u64;
            Lie::like(honest).promising(length + 1)
        }),
        ("huge", |honest| Lie::like(honest).promising(1 << 60)),
        ("two", |honest| Lie::like(honest).with("Content-Length", "1")),
    ];
    is_refused(&scene, &kinds(&scene)[1..], &lies);
}
