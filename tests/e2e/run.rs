//! `countersign run`: unmodified tools, led to a gateway that lives as long as they do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use crate::support::clock::WrongClock;
use crate::support::hostile::Hostile;
use crate::support::mirror::{Devpi, Mirror, Pypiserver};
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::process::{self, Daemon};
use crate::support::recorder::Recorder;
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::tools::{self, need};
use crate::support::user::{Led, User, said};
use crate::support::{eventually, secs};

#[test]
fn pypiserver() {
    need!(Python);
    let mirror = Pypiserver::start();
    leads_all_tools(&mirror, || Setup::bare(&mirror.simple_url()));
}

#[test]
fn devpi() {
    need!(Python);
    let mirror = Devpi::start(false);
    leads_all_tools(&mirror, || Setup::bare(&mirror.simple_url()));
}

/// The sidecar knows none of the projects before the tools ask for them.
#[test]
fn a_fresh_sidecar_on_demand() {
    need!(Python);
    let mirror = Pypiserver::start();
    leads_all_tools(&mirror, || Setup::bare(&mirror.simple_url()).set("watch.mode", "on-demand"));
}

fn packages(mirror: &dyn Mirror) -> (Package, Package) {
    let base = wheel("qx-base", "1.0");
    let top = Wheel::new("qx-top", "2.0").requires("qx-base").build();
    mirror.add(&base);
    mirror.add(&top);
    (base, top)
}

fn leads_all_tools(mirror: &dyn Mirror, setup: impl Fn() -> Setup) {
    let (base, top) = packages(mirror);
    for tool in Led::ALL {
        let sidecar = setup().start();
        let user = User::of(&sidecar);
        user.project(tool, &top);
        let root = sidecar.root();
        let options = ["--root", root.to_str().expect("a name")];
        let output = user.run_with(&options, &tool.install());
        succeeded(&output);
        assert_eq!((user.mark(&top), user.mark(&base)), (top.mark.clone(), base.mark.clone()));
        let last = last_line(&output);
        let verified = "countersign: verified 2 pages and ";
        assert!(
            last.starts_with(verified) && !last.contains(" 0 files"),
            "{tool:?}: {}",
            said(&output)
        );
        assert!(last.contains(&sidecar.simple_url()), "{last}");
        assert!(last.ends_with("; nothing was refused"), "{last}");
    }
}

fn succeeded(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

fn warnings(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let warnings = stderr.lines().filter_map(|line| line.strip_prefix("countersign: warning: "));
    warnings.map(str::to_owned).collect()
}

/// A small mirror whose sidecar has published a project, and a user who trusts it.
struct Scene {
    mirror: Pypiserver,
    sidecar: Sidecar,
    user: User,
    file: Package,
}

fn scene() -> Scene {
    let mirror = Pypiserver::start();
    let file = wheel("qx-ran", "1.0");
    mirror.add(&file);
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    sidecar.wait_for(&file);
    let user = User::of(&sidecar).trusting(&sidecar.root());
    Scene { mirror, sidecar, user, file }
}

fn shell(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

#[test]
fn a_second_run_asks_for_the_next_root_and_the_timestamp() {
    need!(Python);
    let mirror = Pypiserver::start();
    let (base, top) = packages(&mirror);
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    sidecar.wait_for(&top);
    sidecar.wait_for(&base);
    let recorder = Recorder::before(&sidecar.origin);
    for tool in [Led::Pip, Led::Uv] {
        let user = User::of_index(&recorder.through(&sidecar.simple_url()));
        let user = user.trusting(&sidecar.root());
        for again in [false, true] {
            let _ = fs::remove_dir_all(user.folder());
            fs::create_dir(user.folder()).expect("a folder");
            user.project(tool, &top);
            succeeded(&user.run(&tool.install()));
            assert_eq!(user.mark(&base), base.mark);
            let asked: Vec<_> = recorder.news().into_iter().map(|one| one.path).collect();
            if again {
                let least = ["/tuf/metadata/2.root.json", "/tuf/metadata/timestamp.json"];
                assert_eq!(asked, least, "{tool:?}");
            } else {
                let files = asked.iter().filter(|path| path.ends_with(".whl")).count();
                assert_eq!(files, 2, "{asked:?}");
            }
        }
    }
}

#[test]
fn streams_and_exit_codes_are_the_commands() {
    let Bare { mirror: _mirror, sidecar: _sidecar, user } = scene_without_tools();
    let output = user.run(&shell("echo out; echo err >&2; exit 7"));
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"out\n");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("err\ncountersign: verified 0 pages and 0 files"), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");

    let output = user.run_with(&["--quiet"], &shell("kill -KILL $$"));
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(137), ""));

    for (command, code) in [("/nowhere/pip", 127), ("/etc/passwd", 126)] {
        let output = user.run(&[command]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).starts_with(&format!("countersign: cannot start {command}: ")));
    }
    let seen =
        user.run(&shell("echo $PIP_INDEX_URL $UV_DEFAULT_INDEX $PDM_PYPI_URL $PIPENV_PYPI_MIRROR"));
    let index = format!("http://127.0.0.1:{}/simple/", user.pin()["port"]);
    assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), [index.as_str(); 4].join(" "));
}

/// With a mirror that needs no program to be installed.
fn scene_without_tools() -> Bare {
    let mirror = Hostile::start();
    let file = wheel("qx-bare", "1.0");
    mirror.list(&["qx-bare"]);
    mirror.publish(&[&file]);
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    let user = User::of(&sidecar).trusting(&sidecar.root());
    Bare { mirror, sidecar, user }
}

struct Bare {
    mirror: Hostile,
    sidecar: Sidecar,
    user: User,
}

#[test]
fn what_cannot_be_verified_is_not_run() {
    let Bare { mirror, sidecar, user } = scene_without_tools();
    let other = Setup::bare(&mirror.simple_url()).start();
    let touch = shell("touch started");
    let refused = |user: &User, options: &[&str], code: i32, parts: &[&str]| {
        let output = user.run_with(options, &touch);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("countersign: "), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert!(!user.folder().join("started").exists());
    };
    let (right, wrong) = (sidecar.root(), other.root());
    let (right, wrong) = (right.to_str().expect("a name"), wrong.to_str().expect("a name"));
    let new = || User::of(&sidecar);
    refused(&new(), &[], 2, &["--root-sha256", "countersign inspect"]);
    refused(&new(), &["--root", wrong], 125, &["timestamp", "signed by 0 of the 1"]);
    refused(&user, &["--root", wrong], 125, &["another root", "countersign trust remove"]);
    let mirror_itself = User::of_index(&mirror.simple_url());
    refused(&mirror_itself, &["--root", right], 125, &["no countersign sidecar"]);

    // A wrong root is not kept.
    let user = new();
    refused(&user, &["--root", wrong], 125, &["timestamp"]);
    succeeded(&user.run_with(&["--root", right], &touch));
    assert!(user.folder().join("started").exists());
}

#[test]
fn a_clock_that_is_off_is_said() {
    need!(Faketime);
    let Bare { mirror: _mirror, sidecar: _sidecar, user } = scene_without_tools();
    succeeded(&user.run(&["true"]));
    let clock = WrongClock::new();
    clock.turn(30 * 24 * 60 * 60);
    let mut command = user.running(&[]);
    let output = process::run(command.envs(clock.env()).arg("true"), secs(60));
    assert_eq!(output.status.code(), Some(125), "{}", said(&output));
    assert!(said(&output).contains("clock"), "{}", said(&output));
}

#[test]
fn it_goes_on_with_what_was_verified_before() {
    need!(Python);
    let Scene { mirror: _mirror, sidecar, user, file } = scene();
    user.project(Led::Pip, &file);
    succeeded(&user.run(&Led::Pip.install()));
    sidecar.stop();
    fs::remove_dir_all(user.folder().join("installed")).expect("a folder");
    let output = user.run(&Led::Pip.install());
    succeeded(&output);
    assert_eq!(user.mark(&file), file.mark);
    let warnings = warnings(&output);
    assert!(warnings[0].contains("what was verified before counts until"), "{warnings:?}");
}

#[test]
fn poetry_is_shown_the_other_way() {
    let user = User::of_index("http://127.0.0.1:9/simple/");
    for command in [&["poetry", "install"][..], &["python3", "-m", "poetry", "lock"]] {
        let output = user.run(command);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        for part in ["pyproject.toml", "countersign gateway", "docs/client.md"] {
            assert!(said(&output).contains(part), "{}", said(&output));
        }
    }
}

#[test]
fn what_leads_past_the_gateway_is_named() {
    need!(Python);
    let Scene { mirror: _mirror, sidecar: _sidecar, user, file } = scene();
    user.project(Led::Pip, &file);
    let nowhere = "http://ann:hunter2@127.0.0.1:9/simple/";
    user.write("requirements.txt", &format!("--extra-index-url {nowhere}\nqx-ran\n"));
    user.write("pip.conf", &format!("[global]\nextra-index-url = {nowhere}\nretries = 0\n"));
    let config = user.folder().join("pip.conf");
    let user = user.with("PIP_CONFIG_FILE", config.to_str().expect("a name"));
    let user = user.with("PIP_PROXY", "http://127.0.0.1:9");
    let output = user.run(&Led::Pip.install());
    succeeded(&output);
    assert_eq!(user.mark(&file), file.mark);
    let warnings = warnings(&output);
    let starts = ["PIP_PROXY is not handed on", "--extra-index-url in ", "extra-index-url in "];
    assert_eq!(warnings.len(), starts.len(), "{warnings:#?}");
    for (warning, start) in warnings.iter().zip(starts) {
        assert!(warning.starts_with(start) && !warning.contains("hunter2"), "{warning}");
    }

    user.write("pyproject.toml", "[tool.uv]\nfind-links = ['/nowhere']\n");
    let user = user.with("UV_INDEX", nowhere);
    let said = said(&user.run_with(&["-q"], &["uv", "--version"]));
    for part in ["warning: UV_INDEX names", "warning: find-links in "] {
        assert!(said.contains(part), "{said}");
    }
}

/// Requests for the gateway go to no proxy, whatever is set; those of countersign itself do.
#[test]
fn a_proxy_does_not_come_between() {
    need!(Python);
    let Scene { mirror: _mirror, sidecar, file, .. } = scene();
    let index = sidecar.simple_url().replace("127.0.0.1", "localhost");
    for tool in Led::ALL {
        let user = User::of_index(&index).trusting(&sidecar.root());
        let user = user.with("HTTP_PROXY", "http://127.0.0.1:9").with("NO_PROXY", "localhost");
        let user = user.with("http_proxy", "http://127.0.0.1:9");
        user.project(tool, &file);
        succeeded(&user.run(&tool.install()));
        assert_eq!(user.mark(&file), file.mark, "{tool:?}");
    }
}

#[test]
fn lock_files_that_name_the_gateway_are_told() {
    need!(Python);
    let Scene { mirror: _mirror, sidecar: _sidecar, user, file } = scene();
    user.project(Led::Uv, &file);
    let uv = tools::python("uv").display().to_string();
    let python = tools::python("python").display().to_string();
    let sync = [&uv, "sync", "--locked", "--python", &python];
    let output = user.run(&[&uv, "lock", "--python", &python]);
    succeeded(&output);
    let port = user.pin()["port"].clone();
    let address = format!("http://127.0.0.1:{port}");
    let told = warnings(&output);
    for part in ["uv.lock", &address, "docs/client.md"] {
        assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
    }
    let lock = fs::read_to_string(user.folder().join("uv.lock")).expect("a lock file");
    let link = format!("{address}/tuf/targets/files/qx-ran/{}", file.filename);
    assert!(lock.contains(&link), "{lock}");

    // The port is the index's own, so the lock holds.
    let output = user.run(&sync);
    succeeded(&output);
    assert!(warnings(&output).is_empty(), "{:?}", warnings(&output));
    assert_eq!(user.mark(&file), file.mark);

    // While somebody else has it, a lock file would hold no longer.
    let taken = TcpListener::bind(("127.0.0.1", port.as_u64().expect("a port") as u16));
    fs::remove_file(user.folder().join("uv.lock")).expect("a file");
    let output = user.run(&[&uv, "lock", "--python", &python]);
    succeeded(&output);
    let told = warnings(&output);
    assert!(told.len() == 2 && told[0].contains("is in use"), "{told:?}");
    // What writes none is not troubled.
    let output = user.run(&[&uv, "pip", "list", "--python", &python]);
    succeeded(&output);
    assert!(warnings(&output).is_empty(), "{:?}", warnings(&output));
    drop(taken);
}

#[test]
fn signals_are_the_commands() {
    let Bare { mirror: _mirror, sidecar: _sidecar, user } = scene_without_tools();
    let script = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    let mut command = user.running(&[]);
    let log = user.folder().join("log");
    let mut running = Daemon::spawn(command.args(shell(script)), &log);
    running.wait_for("the command", secs(60), |log| log.contains("ready").then_some(()));
    let status = running.terminate(secs(30));
    assert_eq!(status.code(), Some(3), "{}", running.log());
    assert!(running.log().contains("caught\ncountersign: verified"), "{}", running.log());
}

/// A terminal sends it to all that run there: the command must not hear it twice.
#[test]
fn ctrl_c_reaches_the_command_once() {
    need!(Python);
    let Bare { mirror: _mirror, sidecar: _sidecar, user } = scene_without_tools();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/terminal.py");
    let running = user.running(&[]);
    let mut command = std::process::Command::new(tools::python("python"));
    command.arg(script).arg(running.get_program()).args(running.get_args());
    command.args(shell("trap 'echo caught' INT; echo ready; sleep 3; sleep 1; exit 5"));
    command.current_dir(user.folder());
    for (name, value) in running.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = process::run(&mut command, secs(60));
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert_eq!(said(&output).matches("caught").count(), 1, "{}", said(&output));
    assert!(said(&output).contains("countersign: verified"), "{}", said(&output));
}

#[test]
fn trust_is_given_by_hash_shown_and_taken_back() {
    let Bare { mirror: _mirror, sidecar, .. } = scene_without_tools();
    let user = User::of(&sidecar);
    let index = sidecar.simple_url();
    let sha256 = {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(fs::read(sidecar.root()).expect("a root")))
    };
    let listed = || said(&user.countersign(&["trust", "list"]));
    assert_eq!(listed(), "nothing is pinned\n");
    let wrong = "0".repeat(64);
    let output = user.countersign(&["trust", "add", &index, "--root-sha256", &wrong]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&sha256), "{}", said(&output));
    // Credentials in the URL are not kept.
    let with_login = index.replace("://", "://ann:hunter2@");
    let output = user.countersign(&["trust", "add", &with_login, "--root-sha256", &sha256]);
    succeeded(&output);
    assert!(listed().contains(&index) && listed().contains(&sha256), "{}", listed());
    assert!(!listed().contains("hunter2"), "{}", listed());
    assert_eq!(user.pin()["root-sha256"], sha256.as_str());
    succeeded(&user.run(&["true"]));
    succeeded(&user.countersign(&["trust", "remove", &with_login]));
    assert_eq!(user.run(&["true"]).status.code(), Some(2));
    eventually("nothing is listed", secs(1), || (listed() == "nothing is pinned\n").then_some(()));
}
