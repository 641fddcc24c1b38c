//! The tree that bandersnatch writes, behind nginx: static pages in three forms, chosen by `Accept`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use serde_json::json;
use tempfile::TempDir;

use super::Mirror;
use crate::support::http::Request;
use crate::support::packages::Package;
use crate::support::process::{Daemon, free_port};
use crate::support::secs;
use crate::support::tools::Tool;

pub struct Bandersnatch {
    _daemon: Daemon,
    folder: TempDir,
    port: u16,
    listed: Mutex<BTreeMap<String, Listing>>,
}

/// File name to what the page says of it.
type Listing = BTreeMap<String, Entry>;

#[derive(Clone)]
struct Entry {
    path: String,
    sha256: String,
    size: usize,
}

impl Bandersnatch {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        fs::create_dir_all(folder.path().join("web/packages")).expect("a folder");
        fs::write(folder.path().join("nginx.conf"), configuration(port)).expect("a configuration");
        let mut command = Command::new(Tool::Nginx.path());
        command.arg("-p").arg(folder.path());
        command.args(["-e", "error.log", "-c", "nginx.conf"]);
        let mut daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
        let url = format!("http://127.0.0.1:{port}/");
        daemon.wait_for("nginx", secs(30), |_| Request::new("GET", &url).try_send().ok());
        let mirror = Self { _daemon: daemon, folder, port, listed: Mutex::default() };
        mirror.write_list();
        mirror
    }

    /// Puts many files in; the list is written once.
    #[allow(dead_code)] // The benchmarks add thousands.
    pub fn add_all(&self, files: &[Package]) {
        let mut pages: BTreeMap<String, Listing> = BTreeMap::new();
        for file in files {
            let listing = pages.entry(file.normalized()).or_default();
            listing.insert(file.filename.clone(), self.store(file, &file.sha256()));
        }
        for (project, new) in pages {
            self.change(&project, |listing| listing.extend(new));
        }
        self.write_list();
    }

    /// Lists a file under a hash that is not that of its bytes.
    pub fn add_as(&self, file: &Package, sha256: &str) {
        let entry = self.store(file, sha256);
        self.change(&file.normalized(), |listing| {
            listing.insert(file.filename.clone(), entry);
        });
        self.write_list();
    }

    /// Says another hash of a listed file; its bytes stay.
    pub fn claim(&self, file: &Package, sha256: &str) {
        self.change(&file.normalized(), |listing| {
            listing.get_mut(&file.filename).expect("a listed file").sha256 = sha256.to_owned();
        });
        self.write_list();
    }

    /// A file's URL without countersign's rewriting: the upstream's own path.
    pub fn file_path(&self, file: &Package) -> String {
        let listed = self.listed.lock().expect("a lock");
        format!("/{}", listed[&file.normalized()][&file.filename].path)
    }

    fn change(&self, project: &str, change: impl FnOnce(&mut Listing)) {
        let mut listed = self.listed.lock().expect("a lock");
        let listing = listed.entry(project.to_owned()).or_default();
        change(listing);
        let html = html_page(project, listing);
        let folder = format!("simple/{project}");
        self.write(&format!("{folder}/index.v1_json"), json_page(project, listing).as_bytes());
        self.write(&format!("{folder}/index.v1_html"), html.as_bytes());
        self.write(&format!("{folder}/index.html"), html.as_bytes());
    }

    /// Writes a file's bytes; what its page is to say of it.
    fn store(&self, file: &Package, sha256: &str) -> Entry {
        let path = packages_path(file);
        self.write(&path, &file.bytes);
        Entry { path, sha256: sha256.to_owned(), size: file.bytes.len() }
    }

    fn write_list(&self) {
        let listed = self.listed.lock().expect("a lock");
        let names: Vec<_> = listed.keys().map(|name| json!({ "name": name })).collect();
        let list =
            json!({ "meta": { "_last-serial": 0, "api-version": "1.1" }, "projects": names });
        let links: String = listed
            .keys()
            .map(|name| format!("    <a href=\"{name}/\">{name}</a><br/>\n"))
            .collect();
        let html = document("Simple Index", &links);
        self.write("simple/index.v1_json", list.to_string().as_bytes());
        self.write("simple/index.v1_html", html.as_bytes());
        self.write("simple/index.html", html.as_bytes());
    }

    /// Atomically, as bandersnatch does.
    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.on_disk(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let aside = path.with_extension("aside");
        fs::write(&aside, bytes).expect("a file");
        fs::rename(aside, path).expect("a move");
    }

    fn on_disk(&self, path: &str) -> PathBuf {
        self.folder.path().join("web").join(path)
    }
}

impl Mirror for Bandersnatch {
    fn simple_url(&self) -> String {
        format!("http://127.0.0.1:{}/simple/", self.port)
    }

    fn add(&self, file: &Package) {
        self.add_as(file, &file.sha256());
    }

    fn delete(&self, file: &Package) {
        let path = self.file_path(file);
        self.change(&file.normalized(), |listing| {
            listing.remove(&file.filename);
        });
        self.write_list();
        fs::remove_file(self.on_disk(path.trim_start_matches('/'))).expect("a file to delete");
    }

    fn tamper(&self, file: &Package, bytes: &[u8]) {
        let path = self.file_path(file);
        self.write(path.trim_start_matches('/'), bytes);
    }

    fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

/// `packages/xx/yy/rest/name`: bandersnatch takes the BLAKE2b that its own upstream gives; any digest does.
fn packages_path(file: &Package) -> String {
    let digest = file.sha256();
    format!("packages/{}/{}/{}/{}", &digest[..2], &digest[2..4], &digest[4..], file.filename)
}

fn json_page(project: &str, listing: &Listing) -> String {
    let files: Vec<_> = listing
        .iter()
        .map(|(filename, entry)| {
            json!({
                "filename": filename,
                "hashes": { "sha256": entry.sha256 },
                "requires-python": "",
                "size": entry.size,
                "upload-time": "2026-11-22T13:41:51.113885Z",
                "url": format!("../../{}", entry.path),
                "yanked": false,
            })
        })
        .collect();
    let meta = json!({ "_last-serial": 0, "api-version": "1.1" });
    json!({ "files": files, "meta": meta, "name": project, "versions": [] }).to_string()
}

fn html_page(project: &str, listing: &Listing) -> String {
    let mut links = String::new();
    for (filename, entry) in listing {
        let _ = writeln!(
            links,
            "    <a href=\"../../{}#sha256={}\">{filename}</a><br/>",
            entry.path, entry.sha256
        );
    }
    document(&format!("Links for {project}"), &links)
}

fn document(title: &str, links: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.0\">\n    \
         <title>{title}</title>\n  </head>\n  <body>\n    <h1>{title}</h1>\n{links}  </body>\n</html>\n"
    )
}

/// One process, one folder, and the form of a page chosen by what the client accepts.
fn configuration(port: u16) -> String {
    format!(
        r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 512; }}
http {{
    log_format asked "$request_method $request_uri";
    access_log access.log asked;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
    sendfile on;
    gzip on;
    gzip_types application/vnd.pypi.simple.v1+json application/vnd.pypi.simple.v1+html;
    default_type application/octet-stream;
    map $http_accept $form {{
        default html;
        "~*application/vnd\.pypi\.simple\.v1\+json" v1_json;
        "~*application/vnd\.pypi\.simple\.v1\+html" v1_html;
    }}
    server {{
        listen 127.0.0.1:{port};
        root web;
        charset utf-8;
        location /simple/ {{
            index index.$form;
            types {{
                application/vnd.pypi.simple.v1+json v1_json;
                application/vnd.pypi.simple.v1+html v1_html;
                text/html html;
            }}
            try_files $uri $uri/ =404;
        }}
    }}
}}
"#
    )
}
