//! Too much data, too little, and lengths that are not true.

use std::io::Write;
use std::sync::LazyLock;

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
/// What a client may take of it, with what lies in the kernel's buffers. The largest that it takes, core metadata, may have 16 MiB.
const TAKEN: u64 = 32 << 20;
/// What a gateway may hold in memory.
const MEMORY: u64 = 192 << 20;

type How = fn(Response) -> Lie;

/// What a gateway reads on its way to a wheel, and where.
struct Kind {
    name: &'static str,
    place: Place,
}

impl Kind {
    fn all(scene: &Scene) -> Vec<Self> {
        let bin = scene.record().repository.bin_of(&scene.good.normalized());
        let kinds = [
            ("root", Place::metadata("2.root.json")),
            ("timestamp", Place::role("timestamp")),
            ("snapshot", Place::role("snapshot")),
            ("targets", Place::role("targets")),
            ("bins", Place::role("bins")),
            ("bin", Place::role(&bin)),
            ("page", Place::page(&scene.good)),
            ("file", Place::file(&scene.good)),
            ("core metadata", Place::core_metadata(&scene.good)),
        ];
        kinds.into_iter().map(|(name, place)| Self { name, place }).collect()
    }

    /// All that are there; the next root is not.
    fn there(scene: &Scene) -> Vec<Self> {
        Self::all(scene).into_iter().filter(|kind| kind.name != "root").collect()
    }

    /// The request to which the lie is the answer.
    fn ask(&self, victim: &Victim, file: &Package) -> Response {
        match self.name {
            "file" => victim.file(file),
            "core metadata" => victim.core_metadata(file),
            _ => victim.page(file),
        }
    }
}

/// Each lie at each place is refused with a reason, within bounds, and nothing is installed. Then the attacker goes.
fn all_refused(scene: &Scene, kinds: &[Kind], lies: &[(&str, How)]) {
    for kind in kinds {
        for (lie, how) in lies {
            scene.attacker.forget();
            scene.attacker.alter(kind.place.clone(), *how);
            is_refused(scene, kind, &format!("{}, {lie}", kind.name));
            scene.attacker.leave();
        }
    }
    Victim::of(scene).installs(&scene.good);
}

fn is_refused(scene: &Scene, kind: &Kind, what: &str) {
    // It has verified nothing yet.
    let victim = Victim::of(scene);
    let answer = kind.ask(&victim, &scene.good);
    let (status, text) = (answer.status, answer.text());
    assert!(matches!(status, 403 | 502..=504), "{what}: {status} {:?} {text}", answer.end);
    victim.explains(&answer, &[]);
    victim.refuses_to(Installer::Uv, &scene.good);
    let taken = scene.attacker.taken(&kind.place);
    assert!(taken < TAKEN, "{what}: {taken} bytes were taken");
    let memory = victim.peak_memory();
    assert!(memory < MEMORY, "{what}: {memory} bytes of memory");
}

#[test]
fn endless_data() {
    need!(Python);
    let scene = Scene::new("qx-endless");
    // The page is a good one, once it has come to its end.
    let (page, file) = (Place::page(&scene.good), Place::file(&scene.good));
    scene.attacker.alter(page.clone(), endless);
    for installer in Installer::CURRENT {
        scene.attacker.forget();
        scene.plain(installer).expect(&scene.good);
        assert!(scene.attacker.taken(&page) >= ENDLESS, "{installer:?}");
    }
    scene.attacker.leave();
    scene.attacker.alter(file.clone(), endless);
    scene.attacker.forget();
    scene.plain(Installer::Pip).expect_refused(&scene.good);
    assert!(scene.attacker.taken(&file) >= ENDLESS, "pip looks at the hash when all is there");
    scene.plain(Installer::Uv).expect_refused(&scene.good);
    scene.attacker.leave();

    all_refused(&scene, &Kind::all(&scene), &[("endless", endless)]);
}

fn endless(honest: Response) -> Lie {
    Lie::like(honest).ok().endless(ENDLESS)
}

/// Some hundred kilobytes that become hundreds of megabytes.
#[test]
fn compressed_bombs() {
    need!(Python);
    let scene = Scene::new("qx-bomb");
    let page = scene.world.sidecar.page("qx-bomb").body;
    let bomb = gzipped(|to| spaces(to).and_then(|()| to.write_all(&page)));
    let lie = Lie::json(bomb).with("Content-Encoding", "gzip");
    scene.attacker.instead(Place::page(&scene.good), lie);
    scene.plain_installs(&scene.good);
    scene.attacker.leave();

    let lies: [(&str, How); 3] = [("gzip", gzip), ("zstd", zstd), ("br", br)];
    all_refused(&scene, &Kind::all(&scene), &lies);
}

fn gzip(honest: Response) -> Lie {
    static SPACES: LazyLock<Vec<u8>> = LazyLock::new(|| gzipped(spaces));
    Lie::like(honest).ok().body(SPACES.clone()).with("Content-Encoding", "gzip")
}

fn gzipped(write: impl FnOnce(&mut GzEncoder<Vec<u8>>) -> std::io::Result<()>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    write(&mut encoder).and_then(|()| encoder.finish()).expect("a bomb")
}

fn zstd(honest: Response) -> Lie {
    static SPACES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        spaces(&mut encoder).and_then(|()| encoder.finish()).expect("a bomb")
    });
    Lie::like(honest).ok().body(SPACES.clone()).with("Content-Encoding", "zstd")
}

fn br(honest: Response) -> Lie {
    static SPACES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut encoder = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 1, 22);
        spaces(&mut encoder).expect("a bomb");
        encoder.into_inner()
    });
    Lie::like(honest).ok().body(SPACES.clone()).with("Content-Encoding", "br")
}

fn spaces(to: &mut impl Write) -> std::io::Result<()> {
    let block = vec![b' '; 1 << 20];
    (0..ENDLESS >> 20).try_for_each(|_| to.write_all(&block))
}

/// The connection ends before the answer does, or the answer is short and says so.
#[test]
fn truncation() {
    need!(Python, OldPip);
    let (scene, old) = Scene::patched("qx-cut");
    // An HTML page without its end, where the newest file is listed.
    let url = scene.world.sidecar.page_url("qx-cut");
    let html = Request::new("GET", &url).header("Accept", "text/html").send().text();
    let newest = html.find(&scene.good.filename).and_then(|at| html[..at].rfind("<a "));
    let page = Lie::new(200, "text/html", &html[..newest.expect("a link")]);
    scene.attacker.instead(Place::page(&scene.good), page.clone());
    scene.plain_installs(&old.file);
    scene.attacker.instead(Place::page(&scene.good), page.promising(html.len() as u64));
    scene.plain_refuses();
    scene.plain(Installer::OldPip).expect(&old.file);
    scene.attacker.leave();

    all_refused(&scene, &Kind::there(&scene), &[("cut", cut), ("shortened", shortened)]);
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

/// `Content-Length` is not that of the body, or cannot be.
#[test]
fn wrong_content_length() {
    need!(Python);
    let scene = Scene::new("qx-length");
    let lies: [(&str, How); 4] = [("less", less), ("more", more), ("huge", huge), ("two", two)];
    scene.attacker.alter(Place::page(&scene.good), less);
    scene.plain_refuses();
    scene.attacker.leave();
    all_refused(&scene, &Kind::there(&scene), &lies);
}

fn less(honest: Response) -> Lie {
    let length = honest.body.len() as u64;
    Lie::like(honest).promising(length - 1)
}

fn more(honest: Response) -> Lie {
    let length = honest.body.len() as u64;
    Lie::like(honest).promising(length + 1)
}

fn huge(honest: Response) -> Lie {
    Lie::like(honest).promising(1 << 60)
}

fn two(honest: Response) -> Lie {
    Lie::like(honest).with("Content-Length", "1")
}
