//! What makes things fail, alone, without countersign: what the tests of failures stand on.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::support::clock::WrongClock;
use crate::support::disk::SmallDisk;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::hostile::{Answer, Hostile};
use crate::support::http::{End, Request, get};
use crate::support::process::{Daemon, run};
use crate::support::recorder::Recorder;
use crate::support::seaweed::Bucket;
use crate::support::strace::{self, Injection};
use crate::support::tools::{self, need};
use crate::support::{eventually, secs};

/// What every replica relies on.
#[test]
fn of_eight_creates_at_once_one_wins() {
    need!(Seaweed);
    let bucket = Bucket::new();
    for round in 0..5 {
        let name = format!("journal/{round}");
        let wins = thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|racer| {
                    let (name, bucket) = (&name, &bucket);
                    scope.spawn(move || bucket.create(name, format!("{racer}").as_bytes()))
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer")).collect::<Vec<_>>()
        });
        let winner = wins.iter().position(|won| *won).expect("a winner");
        assert_eq!(wins.iter().filter(|won| **won).count(), 1);
        assert_eq!(bucket.read(&name), Some(winner.to_string().into_bytes()));
    }
}

#[test]
fn a_bucket_is_ones_own() {
    need!(Seaweed);
    let (one, other) = (Bucket::new(), Bucket::new());
    one.put("pages/a", b"1");
    one.put("pages/b", b"22");
    assert_eq!(one.list(""), ["pages/a", "pages/b"]);
    assert_eq!(one.list("pages"), ["a", "b"]);
    assert!(other.list("").is_empty());
    one.delete("pages/a");
    assert_eq!(one.read("pages/a"), None);
    assert_eq!(one.listed("pages")[0].size, 2);
}

#[test]
fn a_fault_proxy_does_as_it_is_told() {
    let upstream = Hostile::start();
    upstream.answer("/bucket/one", Answer::new(200, "text/plain", "1"));
    upstream.answer("/bucket/two", Answer::new(200, "text/plain", "2"));
    let proxy = FaultProxy::before(upstream.port);
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", proxy.port);
    let (one, two) = (url("/bucket/one"), url("/bucket/two"));
    assert_eq!(get(&one).text(), "1");
    assert_eq!(upstream.asked_for("/bucket/one"), 1);

    proxy.spoil(Fault::always(Act::Status(503)).on("GET").at("/one").nth(2));
    assert_eq!([get(&one).status, get(&two).status, get(&one).status], [200, 200, 503]);
    assert_eq!(get(&one).status, 200);
    assert_eq!((proxy.hits(), upstream.asked_for("/bucket/one")), (1, 3));

    proxy.heal();
    proxy.spoil(Fault::always(Act::Reset).first(2));
    for _ in 0..2 {
        let refused = Request::new("GET", &one).try_send();
        assert!(refused.is_err(), "{refused:?}");
    }
    assert_eq!(upstream.asked_for("/bucket/one"), 3);
    assert_eq!(get(&one).end, End::Complete);

    proxy.heal();
    proxy.spoil(Fault::always(Act::LoseAnswer).on("PUT"));
    assert!(Request::new("PUT", &two).body("3").try_send().is_err());
    assert!(upstream.requests().contains(&"PUT /bucket/two".to_owned()));

    proxy.heal();
    proxy.spoil(Fault::always(Act::Delay(secs(1))).on("LIST").at("bucket/a/b"));
    upstream.answer("/bucket", Answer::new(200, "text/plain", "list"));
    let start = Instant::now();
    assert_eq!(get(&url("/bucket?list-type=2&prefix=a%2Fb%2F")).text(), "list");
    assert!(start.elapsed() >= secs(1));

    proxy.heal();
    proxy.spoil(Fault::always(Act::Status(500)).one_in(4));
    let failed = (0..200).filter(|_| get(&one).status == 500).count();
    assert!((20..80).contains(&failed), "{failed} of 200");
}

#[test]
fn a_recorder_changes_nothing_and_misses_nothing() {
    let upstream = Hostile::start();
    upstream.answer("/one", Answer::new(200, "text/plain", "1").with("Countersign-Test", "kept"));
    upstream.answer("/much", Answer::file(vec![7; 300_000]));
    upstream.answer("/taken", Answer::new(201, "text/plain", "thanks"));
    let recorder = Recorder::before(&upstream.origin());
    let url = |path: &str| format!("{}{path}", recorder.origin());
    assert_eq!(recorder.through(&format!("{}/one?a=b", upstream.origin())), url("/one?a=b"));
    let listed = || recorder.news().iter().map(ToString::to_string).collect::<Vec<_>>();

    let answer = get(&url("/one"));
    assert_eq!((answer.text(), answer.header("Countersign-Test")), ("1".into(), Some("kept")));
    assert_eq!(get(&url("/much")).body, vec![7; 300_000]);
    assert_eq!(Request::new("POST", &url("/taken")).body(vec![1; 70_000]).send().text(), "thanks");
    assert_eq!(listed(), ["GET /one 200 1", "GET /much 200 300000", "POST /taken 201 6"]);
    assert_eq!(Request::new("HEAD", &url("/much")).send().header("Content-Length"), Some("300000"));
    assert_eq!(get(&url("/none?a=b")).status, 404);
    assert_eq!(listed(), ["HEAD /much 200 0", "GET /none?a=b 404 2"]);
    assert_eq!((recorder.asked_for("/much"), recorder.bytes("/much")), (2, 300_000));

    recorder.cut(true);
    assert!(Request::new("GET", &url("/one")).try_send().is_err());
    recorder.cut(false);
    upstream.answer(
        "/short",
        Answer::Short {
            content_type: "text/plain".into(),
            promised: 9,
            body: b"12".to_vec().into(),
        },
    );
    let short = get(&url("/short"));
    assert_eq!((short.end, short.body.as_slice()), (End::Short, b"12".as_slice()));
    assert_eq!(listed(), ["GET /short 200 2"]);
}

/// Its signatures hold behind the proxy.
#[test]
fn a_fault_proxy_stands_before_the_store() {
    need!(Seaweed, Python);
    let bucket = Bucket::new();
    let proxy = FaultProxy::before(Bucket::port());
    bucket.through(proxy.port).as_seen().put("x", b"through");
    assert_eq!(bucket.read("x").as_deref(), Some(b"through".as_slice()));
    let log = proxy.log();
    assert!(log[0].method == "PUT" && log[0].key.ends_with("some/prefix/x"), "{log:?}");
    assert_eq!(log[0].status, Some(200));
}

#[test]
fn a_small_disk_fills_up() {
    need!(Mounts);
    let mut disk = SmallDisk::new(256);
    let file = disk.path().join("file");
    fs::write(&file, [1; 1000]).expect("room");
    disk.fill(0);
    let error = fs::write(disk.path().join("more"), [1; 8192]).expect_err("no room");
    assert_eq!(error.raw_os_error(), Some(28), "{error}");
    disk.free();
    fs::write(disk.path().join("more"), [1; 8192]).expect("room again");

    let kept_open = fs::File::options().append(true).open(&file).expect("a file");
    disk.seal();
    let error = fs::write(disk.path().join("other"), "x").expect_err("read-only");
    assert_eq!(error.raw_os_error(), Some(30), "{error}");
    assert_eq!(fs::read(&file).expect("readable").len(), 1000);
    disk.unseal();
    fs::write(disk.path().join("other"), "x").expect("writable again");
    drop(kept_open);
    let path = disk.path().to_owned();
    drop(disk);
    assert!(!path.exists());
}

#[test]
fn strace_makes_calls_fail() {
    need!(Strace);
    let folder = tempfile::tempdir().expect("a folder");
    let (file, log) = (folder.path().join("file"), folder.path().join("log"));
    let mut dd = Command::new("dd");
    dd.arg("if=/dev/zero").arg(format!("of={}", file.display()));
    dd.args(["bs=1000", "count=10", "conv=fsync"]);
    assert!(run(&mut dd, secs(30)).status.success());
    let output = run(&mut strace::under(&dd, &["fsync:error=EIO"], &log), secs(30));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Input/output error"), "{output:?}");
    eventually("a log", secs(10), || (strace::injected(&log) == 1).then_some(()));

    // Killed at its fifth write.
    run(&mut strace::under(&dd, &["write:signal=KILL:when=5"], &log), secs(30));
    let length = fs::metadata(&file).expect("a file").len();
    assert!((4000..=5000).contains(&length), "{length}");
}

#[test]
fn strace_breaks_what_is_running_and_lets_go() {
    need!(Strace);
    let folder = tempfile::tempdir().expect("a folder");
    let (log, file) = (folder.path().join("log"), folder.path().join("file"));
    let script = format!(
        "while sleep 0.05; do mkdir {0} && rmdir {0} && echo fine || echo broken; done",
        file.display()
    );
    let daemon = Daemon::spawn(Command::new("sh").args(["-c", &script]), &log);
    let says = |word: &str| {
        let before = daemon.log().matches(word).count();
        eventually(word, secs(30), || {
            (daemon.log().matches(word).count() > before + 2).then_some(())
        });
    };
    says("fine");
    let injection = Injection::into(&daemon, &["mkdir,mkdirat:error=EIO"]);
    says("broken");
    assert!(injection.release() >= 2);
    says("fine");
}

#[test]
fn a_clock_can_be_turned() {
    need!(Faketime, Python);
    const DAY: i64 = 86_400;
    let clock = WrongClock::new();
    let right = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_secs()).expect("a time")
    };
    clock.turn(30 * DAY);
    let date = run(Command::new("date").arg("+%s").envs(clock.env()), secs(30));
    let said: i64 = String::from_utf8_lossy(&date.stdout).trim().parse().expect("a time");
    assert!((said - right() - 30 * DAY).abs() < 60, "{said}");

    // While it runs, and without its monotonic clock.
    clock.turn(0);
    let folder = tempfile::tempdir().expect("a folder");
    let script = "import select, time\nm = time.monotonic()\nwhile True:\n    select.select([], [], [], 0.05)\n    \
                  print(int(time.time()), int(time.monotonic() - m), flush=True)";
    let mut command = Command::new(tools::python("python"));
    command.args(["-c", script]).envs(clock.env());
    let daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
    for offset in [0, 30 * DAY, -3600] {
        clock.turn(offset);
        eventually("the time as it was set", secs(30), || {
            let log = daemon.log();
            let mut last = log.lines().last()?.split(' ').map(str::parse::<i64>);
            let (time, elapsed) = (last.next()?.ok()?, last.next()?.ok()?);
            assert!((0..60).contains(&elapsed), "{elapsed}");
            ((time - right() - offset).abs() < 60).then_some(())
        });
    }
}
