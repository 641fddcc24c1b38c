//! What the figures have in common.

use super::support::mirror::{Bandersnatch, Mirror};
use super::support::packages::Package;
use super::support::secs;
use super::support::sidecar::{Setup, Sidecar};
use super::support::{eventually, sidecar::target_path};

/// `countersign serve` before a mirror that it looks at once, and then only when it is told to.
pub fn before(mirror: &dyn Mirror, bins: u32) -> Setup {
    Setup::bare(&mirror.simple_url()).bins(bins).set("watch.interval", "1h")
}

/// A mirror that lists these files.
pub fn static_mirror(files: &[Package]) -> Bandersnatch {
    let mirror = Bandersnatch::start();
    files.iter().for_each(|file| mirror.add(file));
    mirror
}

/// Waits until all files are targets.
pub fn wait_for_all(sidecar: &Sidecar, files: &[Package]) {
    for file in files {
        let hash = file.sha256();
        eventually(&format!("{} signed", file.filename), secs(120), || {
            sidecar.signed(&target_path(file)).filter(|signed| *signed == hash)
        });
    }
}

/// The order of the `round`th round: each goes first in turn.
pub fn turns(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |at| (at + round) % count)
}
