//! Resident memory at rest.

use std::thread::sleep;
use std::time::Duration;

use http::StatusCode;

use super::connection::{Connection, runtime};
use super::nginx::Nginx;
use super::options::Options;
use super::process::Server;
use super::report::{NONE, Table, count};
use super::scene::{before, static_mirror, wait_for_all};
use super::support::http::get;
use super::support::packages::wheel;
use super::support::sidecar::{Setup, Sidecar};

const NGINX: &str = "nginx, master and workers";
const BINS: [u32; 3] = [16, 1_024, 16_384];
/// After readiness, or after the last request.
const REST: Duration = Duration::from_secs(4);

pub fn measure(options: &Options) -> Vec<Table> {
    let files = [wheel("qx-memory", "1.0")];
    let mirror = static_mirror(&files);
    let columns = ["MiB at rest", "MiB after every bin was read"];
    let mut table = Table::new("memory: resident, started on a repository that is there", &columns);
    let mut kept: Vec<(String, Setup)> = Vec::new();
    for bins in BINS {
        let sidecar = before(&mirror, bins).start();
        wait_for_all(&sidecar, &files);
        let who = format!("countersign, {} bins", count(bins));
        table.row(&who);
        kept.push((who, sidecar.stop()));
    }
    table.row(NGINX);
    for _ in 0..options.runs(3) {
        for (who, setup) in &kept {
            let mut sidecar = setup.clone().start();
            let server = Server::new(sidecar.process().pid());
            sleep(REST);
            let at_rest = server.resident();
            read_all(&sidecar);
            sleep(REST);
            table.record(who, &[at_rest, server.resident()]);
            sidecar.stop();
        }
        let nginx = Nginx::start("", "");
        sleep(REST);
        table.record(NGINX, &[nginx.processes().resident(), NONE]);
    }
    vec![table]
}

/// Asks for each bin once.
fn read_all(sidecar: &Sidecar) {
    let document = |name: &str| get(&format!("{}{name}", sidecar.metadata_url())).json();
    let timestamp = document("timestamp.json");
    let version = &timestamp["signed"]["meta"]["snapshot.json"]["version"];
    let snapshot = document(&format!("{version}.snapshot.json"));
    let meta = snapshot["signed"]["meta"].as_object().expect("a snapshot");
    runtime().block_on(async {
        let mut connection = Connection::open(&sidecar.origin).await;
        for (name, entry) in meta.iter().filter(|(name, _)| name.starts_with("bins-")) {
            let path = format!("/tuf/metadata/{}.{name}", entry["version"]);
            let (status, _) = connection.get(&path, "*/*").await;
            assert_eq!(status, StatusCode::OK, "{path}");
        }
    });
}
