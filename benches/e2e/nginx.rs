//! nginx as the peer: a master and a worker a processor, as Debian starts it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::process::Server;
use super::support::http::Request;
use super::support::process::{Daemon, free_port};
use super::support::secs;
use super::support::tools::Tool;

pub struct Nginx {
    daemon: Daemon,
    _folder: TempDir,
    pub origin: String,
}

impl Nginx {
    /// With the given configuration inside `http {}` and inside `server {}`.
    pub fn start(http: &str, server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let text = configuration(port, http, server);
        fs::write(folder.path().join("nginx.conf"), text).expect("a configuration");
        let mut daemon = Daemon::spawn(&mut command(folder.path()), &folder.path().join("log"));
        let origin = format!("http://127.0.0.1:{port}");
        let probe = format!("{origin}/probe");
        daemon.wait_for("nginx", secs(30), |_| Request::new("GET", &probe).try_send().ok());
        Self { daemon, _folder: folder, origin }
    }

    pub fn processes(&self) -> Server {
        Server::new(self.daemon.pid())
    }
}

impl Drop for Nginx {
    /// The master ends its workers, unless it is killed.
    fn drop(&mut self) {
        if self.daemon.is_running() {
            self.daemon.terminate(secs(10));
        }
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(Tool::Nginx.path());
    command.arg("-p").arg(folder).args(["-e", "error.log", "-c", "nginx.conf"]);
    command
}

fn configuration(port: u16, http: &str, server: &str) -> String {
    format!(
        r#"
daemon off;
pid nginx.pid;
error_log error.log;
worker_processes auto;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    {http}
    server {{
        listen 127.0.0.1:{port};
        location = /probe {{ return 204; }}
        {server}
    }}
}}
"#
    )
}
