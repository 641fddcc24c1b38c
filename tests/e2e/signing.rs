//! The online keys of a running process: taken up when their files change, waited for when they are away, shown to nobody.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use countersign::signer::FileSigner;
use tempfile::TempDir;

use crate::support::hostile::Hostile;
use crate::support::http::get;
use crate::support::packages::{Package, wheel};
use crate::support::sidecar::{Setup, Sidecar, countersign, tree};
use crate::support::tools::{need, python};
use crate::support::{eventually, secs};

/// A mounted Secret: `online.pem` leads through `..data` to a folder of its own, which the kubelet swaps.
struct Secret {
    folder: TempDir,
    generation: u32,
}

impl Secret {
    fn holding(key: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        symlink("..data/online.pem", folder.path().join("online.pem")).expect("a link");
        let mut secret = Self { folder, generation: 0 };
        secret.swap(key);
        secret
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("online.pem")
    }

    fn uri(&self) -> String {
        format!("file:{}", self.path().display())
    }

    /// As the kubelet's atomic writer does it: a new folder, a link to it that is renamed, the old folder gone.
    fn swap(&mut self, key: &[u8]) {
        let old = self.folder.path().join(format!("..{}", self.generation));
        self.generation += 1;
        let name = format!("..{}", self.generation);
        let new = self.folder.path().join(&name);
        fs::create_dir(&new).expect("a folder");
        write(&new.join("online.pem"), key);
        let link = self.folder.path().join("..data_tmp");
        symlink(&name, &link).expect("a link");
        fs::rename(&link, self.folder.path().join("..data")).expect("a swap");
        if old.exists() {
            fs::remove_dir_all(&old).expect("an end");
        }
    }
}

fn write(path: &Path, key: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(key)).expect("a key file");
}

/// A key that no root names.
fn strange_key() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("strange.pem");
    FileSigner::generate().expect("a key").save(&path).expect("a key file");
    fs::read(path).expect("a key file")
}

/// A repository that was made, and its online key, taken out of the data folder.
fn initialized(setup: &Setup) -> Vec<u8> {
    let output = setup.tool(&["init", "--bins", "16"]);
    assert!(output.status.success(), "{output:?}");
    let path = setup.data().join("online.pem");
    let key = fs::read(&path).expect("the online key");
    fs::remove_file(path).expect("an end");
    key
}

/// What `/readyz` says of one thing.
fn noted(sidecar: &Sidecar, name: &str) -> Option<String> {
    let ready = get(&format!("{}/readyz", sidecar.admin));
    assert_eq!(ready.status, 200, "it serves all the while: {}", ready.text());
    let checks = ready.json()["checks"].as_array().cloned().expect("checks");
    let check = checks.into_iter().find(|check| check["name"] == name)?;
    check["reason"].as_str().map(str::to_owned)
}

fn wait_for_note(sidecar: &Sidecar, name: &str, part: &str) {
    eventually(&format!("a note on {name} with {part}"), secs(90), || {
        noted(sidecar, name).filter(|note| note.contains(part))
    });
}

fn wait_for_no_note(sidecar: &Sidecar, name: &str) {
    eventually(&format!("no note on {name}"), secs(90), || {
        noted(sidecar, name).is_none().then_some(())
    });
}

fn publish(upstream: &Hostile, files: &[&Package]) {
    upstream.publish(files);
}

#[test]
fn a_secret_that_the_kubelet_swaps_is_taken_up() {
    let upstream = Hostile::start();
    let files = ["1.0", "2.0", "3.0"].map(|version| wheel("qx-swapped", version));
    upstream.list(&["qx-swapped"]);
    publish(&upstream, &[&files[0]]);
    let setup = Setup::bare(&upstream.simple_url()).set("watch.interval", "1s");
    let key = initialized(&setup);
    // It starts with a key that nothing names: what is published is served, and nothing is signed.
    let strange = strange_key();
    let mut secret = Secret::holding(&strange);
    let sidecar =
        setup.set("signing.online", vec![secret.uri()]).set("signing.reload", "100ms").start();
    wait_for_note(&sidecar, "publishing", "none of the loaded keys may sign");
    let before = sidecar.version("timestamp");

    secret.swap(&key);
    sidecar.wait_for(&files[0]);
    assert!(sidecar.version("timestamp") > before);
    wait_for_no_note(&sidecar, "signer");

    // A swap for a key that nothing names leaves the old one in place, and is said.
    secret.swap(&strange);
    wait_for_note(&sidecar, "signer", "signs on");
    publish(&upstream, &[&files[0], &files[1]]);
    sidecar.wait_for(&files[1]);
    // So does a file of which one half is written.
    write(&secret.path(), &key[..key.len() / 2]);
    wait_for_note(&sidecar, "signer", "PKCS#8");
    assert_eq!(sidecar.metric("countersign_signing_keys", &[("state", "refused")]), 1.0);
    publish(&upstream, &[&files[0], &files[1], &files[2]]);
    sidecar.wait_for(&files[2]);
    write(&secret.path(), &key);
    wait_for_no_note(&sidecar, "signer");
    assert_eq!(sidecar.metric("countersign_signing_keys", &[("state", "refused")]), 0.0);
    assert!(sidecar.metric("countersign_signatures_total", &[("backend", "file")]) > 0.0);
    assert_eq!(sidecar.metric("countersign_signatures_total", &[("backend", "vault")]), 0.0);
    sidecar.expect_logged(&["an online key was loaded", "online.pem"]);
    sidecar.stop();
}

/// Through a signer program that fails for a while, and says that it is worth another try.
#[test]
fn publications_wait_for_a_key_that_is_away() {
    need!(Python);
    let upstream = Hostile::start();
    let files = ["1.0", "2.0", "3.0", "4.0"].map(|version| wheel("qx-waits", version));
    upstream.list(&["qx-waits"]);
    publish(&upstream, &[&files[0]]);
    let setup = Setup::bare(&upstream.simple_url()).set("watch.interval", "1s").bins(16);
    let sidecar = setup.start();
    sidecar.wait_for(&files[0]);
    let setup = sidecar.stop();

    let folder = tempfile::tempdir().expect("a folder");
    let (key, away) = (folder.path().join("key.pem"), folder.path().join("away"));
    fs::rename(setup.data().join("online.pem"), &key).expect("a move");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/signer.py");
    let words = [&python("python"), &script, &key, &away].map(|path| path.display().to_string());
    let uri = format!("command:{}", words.join(" "));
    fs::write(&away, "").expect("a file");
    // It starts without a key, and serves what was published.
    let setup = setup.set("signing.online", vec![uri]).set("signing.reload", "500ms");
    let sidecar = setup.set("signing.timeout", "60s").start();
    publish(&upstream, &[&files[0], &files[1]]);
    let waits = |sidecar: &Sidecar| {
        wait_for_note(sidecar, "publishing", "publications wait: ");
        assert_eq!(sidecar.metric("countersign_signing_waits", &[]), 1.0);
        assert_eq!(sidecar.metric("countersign_publication_failures_total", &[]), 0.0);
    };
    wait_for_note(&sidecar, "signer", "unplugged");
    waits(&sidecar);
    assert_eq!(sidecar.metric("countersign_signing_keys", &[("state", "away")]), 1.0);
    assert_eq!(sidecar.listed(&files[0]), Some(files[0].sha256()));
    assert_eq!(sidecar.listed(&files[1]), None);
    fs::remove_file(&away).expect("an end");
    let listed = |file: &Package| {
        // The longest pause is 30 s.
        eventually("a publication", secs(180), || {
            sidecar.listed(file).filter(|listed| *listed == file.sha256())
        });
    };
    listed(&files[1]);
    wait_for_no_note(&sidecar, "publishing");

    // Once it has the key, that may be away again.
    fs::write(&away, "").expect("a file");
    publish(&upstream, &[&files[0], &files[1], &files[2]]);
    waits(&sidecar);
    assert_eq!(get(&format!("{}timestamp.json", sidecar.metadata_url())).status, 200);
    fs::remove_file(&away).expect("an end");
    listed(&files[2]);
    assert!(sidecar.metric("countersign_signatures_total", &[("backend", "command")]) > 0.0);
    assert!(sidecar.metric("countersign_signing_failures_total", &[("backend", "command")]) > 0.0);

    // Whoever stops it does not wait for the key.
    fs::write(&away, "").expect("a file");
    publish(&upstream, &files.each_ref());
    waits(&sidecar);
    sidecar.stop();
}

#[test]
fn without_its_key_it_does_not_start_and_says_what_to_do() {
    let upstream = Hostile::start();
    let setup = Setup::bare(&upstream.simple_url());
    initialized(&setup);
    let output = setup.refused();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("online.pem") && said.contains("signing.online"), "{said}");
}

/// Everything in which a key could stand: as it is, in hex, in base64.
fn traces(pem: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(pem);
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(&body).expect("base64");
    // RFC 8410: the seed is an OCTET STRING in an OCTET STRING.
    let start = der.windows(4).position(|part| part == [4, 34, 4, 32]).expect("a seed") + 4;
    let seed = &der[start..start + 32];
    let mut traces = vec![text.lines().nth(1).expect("a line").as_bytes().to_vec()];
    for secret in [seed, &der] {
        traces.extend([
            secret.to_vec(),
            hex::encode(secret).into_bytes(),
            hex::encode_upper(secret).into_bytes(),
            STANDARD.encode(secret).trim_end_matches('=').into(),
            URL_SAFE.encode(secret).trim_end_matches('=').into(),
        ]);
    }
    traces
}

fn assert_clean(what: &str, bytes: &[u8], traces: &[Vec<u8>]) {
    for trace in traces {
        assert!(!bytes.windows(trace.len()).any(|part| part == trace), "the key stands in {what}");
    }
}

#[test]
fn the_online_key_is_found_nowhere_but_in_its_file() {
    let upstream = Hostile::start();
    let file = wheel("qx-quiet", "1.0");
    upstream.list(&["qx-quiet"]);
    upstream.publish(&[&file]);
    let setup = Setup::bare(&upstream.simple_url()).bins(16).set("signing.reload", "100ms");
    let mut sidecar = setup.env("COUNTERSIGN_LOG", "debug").start();
    sidecar.wait_for(&file);
    let key = sidecar.data().join("online.pem");
    let whole = fs::read(&key).expect("the online key");
    let traces = traces(&whole);
    assert!(traces.iter().any(|trace| whole.windows(trace.len()).any(|part| part == trace)));
    // Also what is said of a damaged key says nothing of it.
    write(&key, &whole[..whole.len() - 40]);
    wait_for_note(&sidecar, "signer", "online.pem");
    write(&key, &whole);
    wait_for_no_note(&sidecar, "signer");

    let process = PathBuf::from(format!("/proc/{}", sidecar.process().pid()));
    // Of a process that cannot be dumped, its user cannot read the environment.
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    assert_clean("the environment", &environment, &traces);
    assert_clean("the command line", &fs::read(process.join("cmdline")).expect("it"), &traces);
    for page in ["/metrics", "/readyz", "/"] {
        assert_clean(page, &get(&format!("{}{page}", sidecar.admin)).body, &traces);
    }
    let data = sidecar.data();
    let repository = tree(&data.join("repository")).into_iter().chain(tree(&data.join("spool")));
    for (path, bytes) in repository {
        assert_clean(&path.display().to_string(), &bytes, &traces);
    }
    assert_clean("the log", sidecar.log().as_bytes(), &traces);
}

#[test]
fn a_crash_leaves_no_core() {
    for signal in ["SEGV", "ABRT"] {
        let upstream = Hostile::start();
        let mut sidecar = Setup::bare(&upstream.simple_url()).bins(16).start();
        let folder = sidecar.data().parent().expect("a folder").to_owned();
        let limits = fs::read_to_string(format!("/proc/{}/limits", sidecar.process().pid()));
        let limits = limits.expect("limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = core.expect("a limit").split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{limits}");
        // Rust's own handler lets the first SIGSEGV pass that no instruction caused, and takes itself away.
        eventually("the end of a process", secs(90), || {
            sidecar.process().signal(signal);
            (!sidecar.process().is_running()).then_some(())
        });
        let status = sidecar.process().wait(secs(60));
        assert!(status.signal().is_some() && !status.core_dumped(), "{status:?}");
        let names = fs::read_dir(&folder).expect("a folder").flatten();
        let names: Vec<_> = names.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        assert!(!names.iter().any(|name| name.starts_with("core")), "{names:?}");
    }
}

#[test]
fn what_expires_is_said_long_before() {
    let upstream = Hostile::start();
    let setup = Setup::bare(&upstream.simple_url()).set("validity.root", "10d").bins(16);
    let sidecar = setup.start();
    wait_for_note(&sidecar, "expiry", "root expires");
    let soon = |role| sidecar.metric("countersign_role_expires_soon", &[("role", role)]);
    assert_eq!(
        ["root", "targets", "bins", "timestamp", "delegated"].map(soon),
        [1.0, 0.0, 0.0, 0.0, 0.0]
    );
    sidecar.expect_logged(&["root expires", "publish its next version"]);
    let page = get(&format!("{}/", sidecar.admin)).text();
    assert!(page.lines().any(|line| line.starts_with("root ") && line.ends_with("SOON")), "{page}");

    let url = format!("{}/tuf/", sidecar.origin);
    let data = sidecar.data();
    let data = data.to_str().expect("a name");
    for place in [["--data", data], ["--url", &url]] {
        let inspect = |within: &str, more: &[&str]| {
            let arguments = [&["inspect", "--expires-within", within], &place[..], more].concat();
            let output = countersign(&arguments);
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let (code, said) = inspect("30d", &[]);
        let lines: Vec<_> = said.lines().filter(|line| line.contains(" expires soon: ")).collect();
        assert!(code == Some(3) && lines.len() == 1 && lines[0].starts_with("root "), "{said}");
        let (code, said) = inspect("5d", &[]);
        assert!(code == Some(0) && !said.contains("expires soon"), "{said}");
        let (code, said) = inspect("30d", &["--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!((code, said["expiring"][0]["name"].as_str()), (Some(3), Some("root")));
        let (code, said) = inspect("700d", &["--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let names = said["expiring"].as_array().expect("a list");
        let names: Vec<_> = names.iter().filter_map(|role| role["name"].as_str()).collect();
        // What is signed again day by day is not what a cron job asks for.
        assert_eq!((code, names), (Some(3), vec!["root", "targets", "bins"]));
    }
}
