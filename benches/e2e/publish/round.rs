//! Files that are new at once.

use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign::tuf::Digest;

use super::super::connection::runtime;
use super::super::process::Server;
use super::super::support::packages::{Package, wheel};
use super::super::support::secs;
use super::super::support::sidecar::target_path;
use super::cpu_of_store;
use super::site::Site;

/// Up to so many projects each is told of by itself, as by a mirror that says what was uploaded; else that something changed.
const TOLD: usize = 30;
const LONGEST: Duration = secs(1_800);
/// Before a round: whatever the last one left is done, and the least time between two publications is over.
const PAUSE: Duration = secs(3);

pub struct Round {
    pub files: usize,
    pub projects: usize,
    pub round: usize,
}

/// The state of what is counted.
struct Counters {
    publications: f64,
    publishing: f64,
}

impl Round {
    /// Values for the columns.
    pub fn publish(&self, site: &mut Site) -> [f64; 6] {
        let files: Vec<Package> = (0..self.files).map(|number| self.file(number)).collect();
        site.mirror.add_all(&files);
        let mut wanted: Vec<_> =
            files.iter().map(|file| (target_path(file), Digest::of(&file.bytes))).collect();
        // Taken from the end, in the order in which projects are looked at.
        wanted.sort_by(|a, b| b.cmp(a));
        sleep(PAUSE);
        runtime().block_on(async {
            site.verifier.reconnect(&site.sidecar.origin).await;
            let before = Counters::of(site);
            site.server.forget_peak();
            let cpu = site.server.clock();
            let weed = site.weed.as_ref().map(Server::clock);
            let start = Instant::now();
            self.tell(site, &files);
            loop {
                if site.verifier.refresh().await {
                    let seconds = start.elapsed().as_secs_f64();
                    let cpu = cpu.elapsed().as_secs_f64();
                    let weed = weed.as_ref().map(|weed| weed.elapsed().as_secs_f64());
                    while let Some((path, digest)) = wanted.last() {
                        let listed = site.verifier.target(path).await;
                        if listed.is_none_or(|target| target.sha256() != Some(*digest)) {
                            break;
                        }
                        wanted.pop();
                    }
                    if wanted.is_empty() {
                        let after = Counters::of(site);
                        let publications = after.publications - before.publications;
                        let publishing = after.publishing - before.publishing;
                        let peak = site.server.peak();
                        let weed = cpu_of_store(weed);
                        return [seconds, publishing, publications, cpu, weed, peak];
                    }
                }
                assert!(start.elapsed() < LONGEST, "{} are not signed", wanted.len());
                tokio::time::sleep(self.poll()).await;
            }
        })
    }

    /// Each project has one more file in each round.
    fn file(&self, number: usize) -> Package {
        let project = format!("qx-{}-{}-{:05}", self.files, self.projects, number % self.projects);
        wheel(&project, &format!("1.{}.{}", self.round, number / self.projects))
    }

    fn tell(&self, site: &Site, files: &[Package]) {
        if self.projects > TOLD {
            return site.changed();
        }
        files.iter().for_each(|file| site.sidecar.webhook(&file.normalized()));
    }

    /// Between two looks of the client: each costs countersign, too.
    fn poll(&self) -> Duration {
        Duration::from_millis(match self.files {
            1 => 1,
            2..=100 => 5,
            _ => 50,
        })
    }
}

impl Counters {
    fn of(site: &Site) -> Self {
        let metrics = site.sidecar.metrics();
        Self {
            publications: metrics.sum("countersign_publications_total", &[]),
            publishing: metrics.sum("countersign_publication_duration_seconds_sum", &[]),
        }
    }
}
