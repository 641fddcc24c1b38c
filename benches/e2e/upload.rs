//! From an upload's 200 until a verifying client has the file, beside pypiserver alone and nobody who verifies.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::connection::runtime;
use super::options::Options;
use super::process::{Clock, Server};
use super::report::{NONE, Table, count};
use super::scene::{before, turns, wait_for_all};
use super::support::clients::TufClient;
use super::support::http::{Request, get};
use super::support::mirror::{Mirror, Pypiserver};
use super::support::packages::{Package, Wheel};
use super::support::sidecar::{Sidecar, target_path};
use super::verifier::Verifier;

const BINS: [u32; 2] = [1_024, 16_384];
const ALONE: &str = "pypiserver alone, unverified";
const PROJECT: &str = "qx-upload";
/// Bytes of an uploaded wheel.
const LENGTH: usize = 100_000;
/// Between two looks of a client that waits.
const POLL: Duration = Duration::from_millis(1);
/// Between two uploads: countersign looks again a second later.
const PAUSE: Duration = Duration::from_millis(1_500);
const LONGEST: Duration = Duration::from_secs(60);
/// How often the client that was written by others is asked.
const FOREIGN_RUNS: usize = 5;

/// countersign before a mirror of its own, and two clients with a cached state.
struct Signed {
    _mirror: Pypiserver,
    sidecar: Sidecar,
    server: Server,
    who: String,
    verifier: Verifier,
    python_tuf: TufClient,
}

pub fn measure(options: &Options) -> Vec<Table> {
    let first = wheel("0.1".into());
    let mut signed = BINS.map(|bins| Signed::start(bins, &first));
    let alone = Pypiserver::start();
    alone.add(&first);
    let columns = ["seconds", "countersign's CPU s", "client's CPU s"];
    let title = "upload: from its 200 until the client has the verified file";
    let mut table = Table::new(title, &columns);
    table.row(ALONE);
    signed.iter().for_each(|signed| table.row(&signed.who));
    signed.iter().for_each(|signed| table.row(&signed.python_tuf_row()));
    let runs = options.runs(20);
    // The first round warms up.
    for round in 0..=runs {
        let file = wheel(format!("1.{round}"));
        for turn in turns(signed.len() + 1, round) {
            let (who, values) = match signed.get_mut(turn) {
                Some(signed) => (signed.who.clone(), signed.upload(&file)),
                None => (ALONE.into(), upload_unsigned(&alone, &file)),
            };
            if round > 0 {
                table.record(&who, &values);
            }
            sleep(PAUSE);
        }
    }
    for run in 0..FOREIGN_RUNS.min(runs) {
        let file = wheel(format!("2.{run}"));
        for signed in &mut signed {
            table.record(&signed.python_tuf_row(), &signed.upload_for_python_tuf(&file));
            sleep(PAUSE);
        }
    }
    vec![table]
}

fn wheel(version: String) -> Package {
    Wheel::new(PROJECT, &version).padding(LENGTH).build()
}

impl Signed {
    fn start(bins: u32, first: &Package) -> Self {
        let mirror = Pypiserver::start();
        mirror.add(first);
        let mut sidecar = before(&mirror, bins).start();
        wait_for_all(&sidecar, std::slice::from_ref(first));
        let root = fs::read(sidecar.root()).expect("a root");
        let python_tuf = sidecar.python_tuf();
        python_tuf.fetch(&[&target_path(first)]);
        let verifier = runtime().block_on(async {
            let mut verifier = Verifier::new(&sidecar.origin, &root).await;
            verifier.fetch(&target_path(first)).await.expect("the first file");
            verifier
        });
        let server = Server::new(sidecar.process().pid());
        let who = format!("countersign, {} bins", count(bins));
        Self { _mirror: mirror, sidecar, server, who, verifier, python_tuf }
    }

    fn python_tuf_row(&self) -> String {
        format!("{}, python-tuf, its start included", self.who)
    }

    fn upload(&mut self, file: &Package) -> [f64; 3] {
        let path = target_path(file);
        runtime().block_on(async {
            self.verifier.reconnect(&self.sidecar.origin).await;
            let client = Server::client();
            let start = post(&self.sidecar.origin, file);
            let (cpu, client_cpu) = (self.server.clock(), client.clock());
            let bytes = loop {
                if let Some(bytes) = self.verifier.fetch(&path).await {
                    break bytes;
                }
                assert!(start.elapsed() < LONGEST, "{path} is not signed");
                tokio::time::sleep(POLL).await;
            };
            let values = spent(start, Some(cpu), client_cpu);
            assert!(bytes == file.bytes, "the file that was uploaded");
            values
        })
    }

    /// A client that is started anew for each look.
    fn upload_for_python_tuf(&self, file: &Package) -> [f64; 3] {
        let path = target_path(file);
        let start = post(&self.sidecar.origin, file);
        let cpu = self.server.clock();
        while self.python_tuf.fetch(&[&path]).sha256(&path).is_none() {
            assert!(start.elapsed() < LONGEST, "{path} is not signed");
        }
        [start.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64(), NONE]
    }
}

/// What a client without TUF waits for: the page that lists the file, and the file.
fn upload_unsigned(mirror: &Pypiserver, file: &Package) -> [f64; 3] {
    let simple = mirror.simple_url();
    let origin = simple.trim_end_matches("/simple/");
    let page = format!("{simple}{PROJECT}/");
    let client = Server::client();
    let start = post(origin, file);
    let client_cpu = client.clock();
    while !get(&page).text().contains(&file.filename) {
        assert!(start.elapsed() < LONGEST, "{} is not listed", file.filename);
        sleep(POLL);
    }
    let answer = get(&format!("{origin}/packages/{}", file.filename));
    let values = spent(start, None, client_cpu);
    assert!(answer.body == file.bytes, "the file that was uploaded");
    values
}

fn spent(start: Instant, cpu: Option<Clock<'_>>, client: Clock<'_>) -> [f64; 3] {
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu.map_or(NONE, |cpu| cpu.elapsed().as_secs_f64());
    [seconds, cpu, client.elapsed().as_secs_f64()]
}

/// Uploads as twine does; when the answer was there.
fn post(origin: &str, file: &Package) -> Instant {
    const BOUNDARY: &str = "countersign-upload";
    let mut body = Vec::new();
    let digest = file.sha256();
    let fields = [
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("metadata_version", "2.1"),
        ("name", &file.project),
        ("version", &file.version),
        ("filetype", "bdist_wheel"),
        ("pyversion", "py3"),
        ("sha256_digest", &digest),
    ];
    let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=");
    for (name, value) in fields {
        body.extend(format!("{part}\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    let octets = "Content-Type: application/octet-stream";
    let content = format!("{part}\"content\"; filename=\"{}\"\r\n{octets}\r\n\r\n", file.filename);
    body.extend(content.bytes());
    body.extend(&file.bytes);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    let answer = Request::new("POST", &format!("{origin}/"))
        .header("Content-Type", &format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(body)
        .send();
    let now = Instant::now();
    assert_eq!(answer.status, 200, "{}", answer.text());
    now
}
