//! A file of 50 MB: streamed, and from the spool, beside nginx `proxy_pass` before the same mirror.

mod download;

use super::nginx::Nginx;
use super::options::Options;
use super::process::Server;
use super::report::{NONE, Table};
use super::scene::{before, static_mirror, turns, wait_for_all};
use super::support::mirror::{Bandersnatch, Mirror};
use super::support::packages::{Package, Wheel};
use super::support::sidecar::Sidecar;

use self::download::download;

const LENGTH: usize = 50_000_000;
/// How often a file is downloaded for one value.
const TIMES: u32 = 4;

/// Who serves a file: where it lies there, and whose CPU time it takes there.
struct Way<'a> {
    who: &'static str,
    server: Option<Server>,
    url: Box<dyn Fn(&Package) -> String + 'a>,
}

pub fn measure(options: &Options) -> Vec<Table> {
    let runs = options.runs(7);
    // A file a run: the spool has not seen it.
    let files: Vec<Package> = (0..=runs)
        .map(|n| Wheel::new("qx-file", &format!("1.{n}")).padding(LENGTH).build())
        .collect();
    let mirror = static_mirror(&files);
    let mut streaming = before(&mirror, 1024).set("cache.file-limit", "1 MiB").start();
    let mut spooling = before(&mirror, 1024).start();
    wait_for_all(&streaming, &files);
    wait_for_all(&spooling, &files);
    let nginx = passing(&mirror);
    let pids = [&mut streaming, &mut spooling].map(|sidecar| sidecar.process().pid());
    let first = "countersign, spool, first request";
    let spool = through("countersign, spool, warm", &spooling, pids[1]);
    let ways = [
        alone(&mirror),
        behind("nginx proxy_pass, default buffers", &mirror, &nginx, ""),
        behind("nginx proxy_pass, large buffers", &mirror, &nginx, "/large"),
        through("countersign, streamed and verified", &streaming, pids[0]),
    ];

    let title = format!("file: {} MB, one download at a time", LENGTH / 1_000_000);
    let mut table = Table::new(title, &["MB a second", "CPU ms a file"]);
    ways.iter().map(|way| way.who).chain([first, spool.who]).for_each(|who| table.row(who));
    for (round, file) in files.iter().enumerate() {
        let mut record = |who: &str, values: [f64; 2]| {
            // The first round warms up.
            if round > 0 {
                table.record(who, &values);
            }
        };
        for turn in turns(ways.len() + 1, round) {
            match ways.get(turn) {
                Some(way) => record(way.who, way.serve(file, TIMES)),
                None => {
                    record(first, spool.serve(file, 1));
                    record(spool.who, spool.serve(file, TIMES));
                }
            }
        }
    }
    vec![table]
}

impl Way<'_> {
    /// MB a second, and CPU milliseconds a file.
    fn serve(&self, file: &Package, times: u32) -> [f64; 2] {
        let url = (self.url)(file);
        let cpu = self.server.as_ref().map(Server::clock);
        let mut seconds = 0.0;
        for _ in 0..times {
            seconds += download(&url, file.bytes.len()).as_secs_f64();
        }
        let cpu = cpu.map_or(NONE, |cpu| cpu.elapsed().as_secs_f64() * 1e3 / f64::from(times));
        [file.bytes.len() as f64 * f64::from(times) / 1e6 / seconds, cpu]
    }
}

fn through<'a>(who: &'static str, sidecar: &'a Sidecar, pid: u32) -> Way<'a> {
    let url = Box::new(|file: &Package| sidecar.file_url(file));
    Way { who, server: Some(Server::new(pid)), url }
}

fn behind<'a>(
    who: &'static str,
    mirror: &'a Bandersnatch,
    nginx: &Nginx,
    prefix: &'static str,
) -> Way<'a> {
    let origin = nginx.origin.clone();
    let url = move |file: &Package| format!("{origin}{prefix}{}", mirror.file_path(file));
    Way { who, server: Some(nginx.processes()), url: Box::new(url) }
}

fn alone(mirror: &Bandersnatch) -> Way<'_> {
    let url = move |file: &Package| format!("{}{}", origin(mirror), mirror.file_path(file));
    Way { who: "the mirror alone (nginx, sendfile)", server: None, url: Box::new(url) }
}

fn origin(mirror: &Bandersnatch) -> String {
    mirror.simple_url().trim_end_matches("/simple/").to_owned()
}

/// nginx before the mirror: as it comes, and with buffers that suit large files.
fn passing(mirror: &Bandersnatch) -> Nginx {
    let authority = origin(mirror).replace("http://", "");
    Nginx::start(
        &format!("upstream mirror {{ server {authority}; keepalive 8; }}"),
        r#"
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location / { proxy_pass http://mirror; }
        location /large/ {
            proxy_pass http://mirror/;
            proxy_buffer_size 64k;
            proxy_buffers 16 256k;
            proxy_busy_buffers_size 1m;
            proxy_max_temp_file_size 0;
        }
        "#,
    )
}
