//! The spool, filled from real servers on loopback.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;
use crate::upstream::testing::{Mirror, Reply, ok, status};
use crate::upstream::{Body, BodyError, Found, Upstream, UpstreamError};

/// A mirror that answers `/<n>` with `n` bytes, always the same.
async fn mirror() -> Mirror {
    Mirror::start(|_, request| {
        let path = request.split_whitespace().nth(1).unwrap();
        ok("", bytes(path.trim_start_matches('/').parse().unwrap()))
    })
    .await
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

fn digest(length: usize) -> Digest {
    Digest::of(&bytes(length))
}

/// Fetches the mirror's file of that length.
async fn fetch(spool: &Spool, mirror: &Mirror, length: usize) -> Result<SpooledFile, SpoolError> {
    let (upstream, url) = (mirror.client(), mirror.url(&format!("/{length}")));
    spool.fetch(&digest(length), Some(length as u64), move || get(upstream, url)).await
}

async fn get(upstream: Upstream, url: Url) -> Result<FileReply, UpstreamError> {
    upstream.file(&url).await
}

/// Asks for a file of other bytes than those that `/path` has.
async fn fetch_wrong(
    spool: &Spool,
    mirror: &Mirror,
    path: &str,
    length: Option<u64>,
) -> SpoolError {
    let (upstream, url) = (mirror.client(), mirror.url(path));
    spool.fetch(&Digest::of(b"other"), length, move || get(upstream, url)).await.unwrap_err()
}

async fn read(body: Body) -> Result<Bytes, BodyError> {
    body.collect().await.map(|collected| collected.to_bytes())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn spool(capacity: u64) -> (TempDir, PathBuf, Spool) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("spool");
    let spool = Spool::open(&path, capacity).unwrap();
    (dir, path, spool)
}

#[tokio::test]
async fn a_file_is_fetched_once_and_kept_under_its_digest() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = mirror().await;
    assert!(spool.get(&digest(1000)).await.is_none());
    for _ in 0..2 {
        let file = fetch(&spool, &mirror, 1000).await.unwrap();
        assert_eq!((file.length, read(file.body()).await.unwrap()), (1000, bytes(1000).into()));
        assert_eq!(file.bytes().await.unwrap(), bytes(1000));
    }
    assert_eq!(mirror.requests().len(), 1);
    assert_eq!(names(&path), [digest(1000).to_string()]);
    assert_eq!(spool.used(), 1000);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join(digest(1000).to_string()))), (0o700, 0o600));
}

#[tokio::test]
async fn ranges_are_exact() {
    let (_dir, _, spool) = spool(4 << 20);
    let length = 600_000;
    let file = fetch(&spool, &mirror().await, length).await.unwrap();
    let all = bytes(length);
    for (start, end) in [(0, 1), (1, 262_145), (262_143, 524_289), (599_999, 600_000), (5, 5)] {
        let body = file.range(start as u64..end as u64);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some((end - start) as u64));
        assert_eq!(read(body).await.unwrap(), all[start..end]);
    }
    assert_eq!(read(file.range(599_990..u64::MAX)).await.unwrap(), all[599_990..]);
    assert_eq!(read(file.range(700_000..800_000)).await.unwrap(), "");
    let readers = (0..8_u64).map(|n| read(file.range(n * 1000..600_000)));
    for (n, read) in join_all(readers).await.into_iter().enumerate() {
        assert_eq!(read.unwrap(), all[n * 1000..]);
    }
}

#[tokio::test]
async fn the_least_recently_used_goes_first() {
    let (_dir, path, spool) = spool(3000);
    let mirror = mirror().await;
    for length in [1000, 1001, 999] {
        fetch(&spool, &mirror, length).await.unwrap();
    }
    assert!(spool.get(&digest(1000)).await.is_some());
    let evicted = spool.get(&digest(1001)).await.unwrap();
    assert!(spool.get(&digest(1000)).await.is_some());
    assert!(spool.get(&digest(999)).await.is_some());
    fetch(&spool, &mirror, 500).await.unwrap();
    assert!(spool.get(&digest(1001)).await.is_none());
    assert!(spool.get(&digest(1000)).await.is_some());
    assert_eq!(names(&path).len(), 3);
    assert_eq!(spool.used(), 2499);
    assert_eq!(read(evicted.body()).await.unwrap(), bytes(1001), "an open file stays readable");
}

#[tokio::test]
async fn many_at_once_stay_within_the_capacity() {
    let (_dir, path, spool) = spool(20_000);
    let mirror = mirror().await;
    for _ in 0..3 {
        let wanted = (0..40).map(|n| fetch(&spool, &mirror, 1000 + n));
        for (n, file) in join_all(wanted).await.into_iter().enumerate() {
            assert_eq!(read(file.unwrap().body()).await.unwrap(), bytes(1000 + n));
        }
        let on_disk: u64 =
            names(&path).iter().map(|name| fs::metadata(path.join(name)).unwrap().len()).sum();
        assert_eq!(on_disk, spool.used());
        assert!(on_disk <= 20_000, "{on_disk}");
    }
}

#[tokio::test]
async fn concurrent_requests_share_one_download() {
    let (_dir, _, spool) = spool(1 << 20);
    let mirror = mirror().await;
    let files = join_all((0..20).map(|_| fetch(&spool, &mirror, 5000))).await;
    for file in files {
        assert_eq!(read(file.unwrap().body()).await.unwrap(), bytes(5000));
    }
    assert_eq!(mirror.requests().len(), 1);
}

#[tokio::test]
async fn a_download_goes_on_when_its_first_client_goes_away() {
    let (_dir, _, spool) = spool(1 << 20);
    let mirror = mirror().await;
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (upstream, url) = (mirror.client(), mirror.url("/5000"));
    let first = {
        let (spool, asked, go) = (spool.clone(), asked.clone(), go.clone());
        tokio::spawn(async move {
            let slow = || async move {
                asked.notify_one();
                go.notified().await;
                upstream.file(&url).await
            };
            spool.fetch(&digest(5000), None, slow).await
        })
    };
    asked.notified().await;
    let never = || async { panic!("the first download is shared") };
    let wanted = digest(5000);
    let second = spool.fetch(&wanted, Some(5000), never);
    tokio::pin!(second);
    assert!(futures::poll!(&mut second).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    go.notify_one();
    assert_eq!(second.await.unwrap().length, 5000);
}

#[tokio::test]
async fn errors_reach_all_who_wait_and_are_not_kept() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = Mirror::start(|count, _| match count {
        0 => status("404 Not Found"),
        _ => ok("", bytes(10)),
    })
    .await;
    for result in join_all((0..5).map(|_| fetch(&spool, &mirror, 10))).await {
        let error = result.unwrap_err();
        assert!(
            matches!(error, SpoolError::Upstream(UpstreamError::Status { code: 404, .. })),
            "{error}"
        );
    }
    assert_eq!(mirror.requests().len(), 1);
    assert!(names(&path).is_empty());
    assert_eq!(fetch(&spool, &mirror, 10).await.unwrap().length, 10);
}

#[tokio::test]
async fn a_task_that_panics_does_not_block_its_digest() {
    let (_dir, path, spool) = spool(1 << 20);
    let broken = || async { panic!("on purpose") };
    let error = spool.fetch(&digest(10), None, broken).await.unwrap_err();
    assert!(matches!(error, SpoolError::Aborted(_)), "{error}");
    assert_eq!(fetch(&spool, &mirror().await, 10).await.unwrap().length, 10);
    assert_eq!(names(&path).len(), 1);
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_not_kept() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = mirror().await;
    let expected = Digest::of(b"other");
    for (length, found) in [
        (Some(1000), Found::Sha256(digest(1000))),
        (None, Found::Sha256(digest(1000))),
        (Some(1001), Found::Length { expected: 1001, found: 1000 }),
        (Some(999), Found::Length { expected: 999, found: 1000 }),
    ] {
        match fetch_wrong(&spool, &mirror, "/1000", length).await {
            SpoolError::Mismatch { expected: e, found: f } => assert_eq!((e, f), (expected, found)),
            other => panic!("{other}"),
        }
        assert!(names(&path).is_empty());
        assert!(spool.get(&expected).await.is_none());
        assert!(spool.get(&digest(1000)).await.is_none());
    }
}

#[tokio::test]
async fn a_truncated_download_is_the_mirrors_error() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = Mirror::start(|_, _| {
        Reply::Close("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".into())
    })
    .await;
    let error = fetch_wrong(&spool, &mirror, "/x", Some(9)).await;
    assert!(matches!(error, SpoolError::Upstream(UpstreamError::Truncated { .. })), "{error}");
    assert!(names(&path).is_empty());
}

#[tokio::test]
async fn what_cannot_fit_is_refused() {
    let (_dir, path, spool) = spool(1000);
    let mirror = Mirror::start(|_, request| match request.contains("/endless ") {
        true => Reply::Endless("HTTP/1.0 200 OK\r\n\r\n".into(), vec![0; 100]),
        false => ok("", vec![0; 2000]),
    })
    .await;
    for (path, length) in [("/2000", Some(2000)), ("/2000", None), ("/endless", None)] {
        let error = fetch_wrong(&spool, &mirror, path, length).await;
        assert!(matches!(error, SpoolError::TooLarge { capacity: 1000 }), "{error}");
    }
    assert!(names(&path).is_empty());
}

#[tokio::test]
async fn a_file_of_unknown_digest_gets_its_own() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = mirror().await;
    let url = mirror.url("/700");
    let ask = || {
        let (upstream, to) = (mirror.client(), url.clone());
        spool.fetch_unknown(&url, move || get(upstream, to))
    };
    for result in join_all((0..5).map(|_| ask())).await {
        let (found, file) = result.unwrap();
        assert_eq!((found, file.length), (digest(700), 700));
    }
    assert_eq!(mirror.requests().len(), 1);
    assert_eq!(names(&path), [digest(700).to_string()]);
    assert_eq!(fetch(&spool, &mirror, 700).await.unwrap().length, 700);
    assert_eq!(mirror.requests().len(), 1);
    // Asked for anew, and put over the one that is there.
    ask().await.unwrap();
    assert_eq!((mirror.requests().len(), spool.used()), (2, 700));
}

#[tokio::test]
async fn a_restart_keeps_what_is_right() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = mirror().await;
    for length in [10, 20, 30, 40] {
        fetch(&spool, &mirror, length).await.unwrap();
    }
    drop(spool);
    let at = |length| path.join(digest(length).to_string());
    fs::write(at(20), bytes(21)).unwrap();
    fs::write(at(30), vec![0; 30]).unwrap();
    fs::write(path.join("7.part"), "left over").unwrap();
    fs::write(path.join("notes.txt"), "of somebody").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at(50)).unwrap();

    let spool = Spool::open(&path, 1 << 20).unwrap();
    assert!(!path.join("7.part").exists() && path.join("notes.txt").exists());
    for _ in 0..2 {
        assert_eq!(read(spool.get(&digest(10)).await.unwrap().body()).await.unwrap(), bytes(10));
        for altered in [20, 30, 50] {
            assert!(spool.get(&digest(altered)).await.is_none(), "{altered}");
        }
    }
    assert!(!at(30).exists());
    // Gone while it ran.
    fs::remove_file(at(40)).unwrap();
    assert!(spool.get(&digest(40)).await.is_none());
    assert_eq!(spool.used(), 10);
    assert_eq!(fetch(&spool, &mirror, 30).await.unwrap().bytes().await.unwrap(), bytes(30));
    assert_eq!(mirror.requests().len(), 5);
}

#[tokio::test]
async fn a_file_altered_on_disk_is_fetched_again() {
    let (_dir, dir, spool) = spool(1 << 20);
    let mirror = mirror().await;
    fetch(&spool, &mirror, 1000).await.unwrap();
    let path = dir.join(digest(1000).to_string());
    fs::write(&path, vec![b'X'; 1000]).unwrap();
    // Clocks of file systems are coarse.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!(spool.get(&digest(1000)).await.is_none());
    let file = fetch(&spool, &mirror, 1000).await.unwrap();
    assert_eq!(read(file.body()).await.unwrap(), bytes(1000));
    assert!(spool.get(&digest(1000)).await.is_some());
}

/// Whoever puts the time of the last modification back does not pass off other bytes as verified.
#[tokio::test]
async fn a_file_altered_in_secret_is_fetched_again() {
    let (_dir, dir, spool) = spool(1 << 20);
    let mirror = mirror().await;
    fetch(&spool, &mirror, 1000).await.unwrap();
    let path = dir.join(digest(1000).to_string());
    let before = fs::metadata(&path).unwrap();
    // Clocks of file systems are coarse.
    loop {
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[b'X'; 1000], 0).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let now = file.metadata().unwrap();
        assert_eq!(
            (now.ino(), now.modified().unwrap()),
            (before.ino(), before.modified().unwrap())
        );
        if (now.ctime(), now.ctime_nsec()) != (before.ctime(), before.ctime_nsec()) {
            break;
        }
    }
    assert!(spool.get(&digest(1000)).await.is_none());
    let file = fetch(&spool, &mirror, 1000).await.unwrap();
    assert_eq!(read(file.body()).await.unwrap(), bytes(1000));
    assert_eq!(mirror.requests().len(), 2);
}

#[tokio::test]
async fn what_is_no_regular_file_is_fetched_again() {
    let (_dir, dir, spool) = spool(1 << 20);
    let mirror = mirror().await;
    let path = dir.join(digest(1000).to_string());
    let fifo: fn(&Path) = |path| {
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, path, kind, 0o600.into(), 0).unwrap();
    };
    let link: fn(&Path) = |path| {
        let aside = path.with_extension("aside");
        fs::write(&aside, bytes(1000)).unwrap();
        std::os::unix::fs::symlink(aside, path).unwrap();
    };
    for put in [fifo, link] {
        fetch(&spool, &mirror, 1000).await.unwrap();
        fs::remove_file(&path).unwrap();
        put(&path);
        assert!(spool.get(&digest(1000)).await.is_none());
    }
    let file = fetch(&spool, &mirror, 1000).await.unwrap();
    assert_eq!(read(file.body()).await.unwrap(), bytes(1000));
}

#[tokio::test]
async fn a_smaller_capacity_holds_from_the_start() {
    let (_dir, path, spool) = spool(1 << 20);
    let mirror = mirror().await;
    for length in [100, 101, 102] {
        fetch(&spool, &mirror, length).await.unwrap();
    }
    drop(spool);
    let old = fs::FileTimes::new().set_accessed(std::time::UNIX_EPOCH);
    fs::File::open(path.join(digest(102).to_string())).unwrap().set_times(old).unwrap();
    let spool = Spool::open(&path, 210).unwrap();
    assert_eq!((spool.used(), names(&path).len()), (201, 2));
    assert!(spool.get(&digest(102)).await.is_none(), "used longest ago");
}

#[tokio::test]
async fn a_file_cut_short_under_a_reader_is_an_error_not_an_end() {
    let (_dir, path, spool) = spool(4 << 20);
    let file = fetch(&spool, &mirror().await, 600_000).await.unwrap();
    fs::File::options()
        .write(true)
        .open(path.join(digest(600_000).to_string()))
        .unwrap()
        .set_len(300_000)
        .unwrap();
    assert!(matches!(read(file.body()).await, Err(BodyError::Disk(_))));
    assert!(spool.get(&digest(600_000)).await.is_none());
}

#[test]
fn a_full_disk_is_named() {
    // ENOSPC and EDQUOT.
    for code in [28, 122] {
        let error =
            disk("write a file", Path::new("/data/spool"), io::Error::from_raw_os_error(code));
        assert!(matches!(error, SpoolError::DiskFull { .. }));
        assert!(error.to_string().contains("/data/spool"));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Spool::open(file.path(), 1).map(drop).unwrap_err();
    assert!(matches!(error, SpoolError::Disk { .. }), "{error}");
}
