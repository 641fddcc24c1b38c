//! A page of 20 KB from memory, beside nginx with the same body in its proxy cache.

use super::load::Load;
use super::nginx::Nginx;
use super::options::Options;
use super::process::Server;
use super::report::{Table, count};
use super::scene::{before, static_mirror, turns, wait_for_all};
use super::support::http::{JSON, Request};
use super::support::packages::{Package, wheel};
use super::support::sidecar::Sidecar;

const PROJECT: &str = "qx-page";
/// Makes a page of about 20 KB.
const FILES: usize = 77;

pub fn measure(options: &Options) -> Vec<Table> {
    let files: Vec<Package> = (0..FILES).map(|n| wheel(PROJECT, &format!("1.{n}"))).collect();
    let mirror = static_mirror(&files);
    let mut sidecar = before(&mirror, 1024).start();
    wait_for_all(&sidecar, &files);
    let nginx = caching(&sidecar);
    let body = sidecar.page(PROJECT).body;
    let path = sidecar.page_url(PROJECT).replace(&sidecar.origin, "");
    warm(&nginx, &path, &body);

    let servers = [
        ("countersign", sidecar.origin.clone(), Server::new(sidecar.process().pid())),
        ("nginx, proxy cache", nginx.origin.clone(), nginx.processes()),
    ];
    let title = format!(
        "page: {} bytes of JSON from memory, {} connections, up to {} requests a run",
        count(body.len() as u64),
        options.connections,
        count(options.requests as u64)
    );
    let columns = ["requests a second", "CPU µs a request", "client's CPU µs a request"];
    let mut table = Table::new(title, &columns);
    servers.iter().for_each(|(who, ..)| table.row(who));
    // The first round warms up.
    for round in 0..=options.runs(7) {
        for turn in turns(servers.len(), round) {
            let (who, origin, server) = &servers[turn];
            let load = Load {
                origin,
                path: &path,
                accept: JSON,
                length: body.len(),
                connections: options.connections,
            };
            let client = Server::client();
            let (cpu, client_cpu) = (server.clock(), client.clock());
            let done = load.run(options.requests);
            let (cpu, client_cpu) = (cpu.elapsed(), client_cpu.elapsed());
            let count = done.requests as f64;
            if round > 0 {
                table.record(
                    who,
                    &[
                        count / done.took.as_secs_f64(),
                        cpu.as_secs_f64() * 1e6 / count,
                        client_cpu.as_secs_f64() * 1e6 / count,
                    ],
                );
            }
        }
    }
    vec![table]
}

/// nginx before countersign: what it caches is the same body, to the byte.
fn caching(sidecar: &Sidecar) -> Nginx {
    Nginx::start(
        "proxy_cache_path cache keys_zone=pages:10m inactive=1h; open_file_cache max=1000;",
        &format!(
            r#"
            location / {{
                proxy_pass {};
                proxy_cache pages;
                proxy_cache_valid 200 1h;
                proxy_ignore_headers Cache-Control Expires Vary;
                add_header X-Cache $upstream_cache_status;
            }}
            "#,
            sidecar.origin
        ),
    )
}

fn warm(nginx: &Nginx, path: &str, body: &[u8]) {
    let ask = || Request::new("GET", &format!("{}{path}", nginx.origin)).header("Accept", JSON);
    ask().send();
    let cached = ask().send();
    assert_eq!(cached.header("X-Cache"), Some("HIT"));
    assert!(cached.body == body, "nginx holds the same body");
}
