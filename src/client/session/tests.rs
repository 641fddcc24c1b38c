use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::ValidityConfig;
use crate::store::{Store, layout};
use crate::upstream::testing::{Mirror, Reply, answer, header, ok, redirect, status};

/// A new repository's metadata, by the names under which it is fetched.
#[derive(Clone)]
struct Repository {
    files: Arc<BTreeMap<String, Vec<u8>>>,
}

impl Repository {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("repository")).unwrap();
        let options = InitOptions { bins: 2, validity: ValidityConfig::default() };
        init(&store, &KeyFolder::new(folder.path()), &options, |_| ()).await.unwrap();
        let mut files = BTreeMap::new();
        for role in ["snapshot", "targets", "bins", "bins-0", "bins-1"] {
            let bytes = store.read(&layout::metadata(1, role)).await.unwrap().unwrap();
            files.insert(format!("1.{role}.json"), bytes.to_vec());
        }
        for (name, object) in
            [("1.root.json", layout::root(1)), ("timestamp.json", layout::timestamp(1))]
        {
            files.insert(name.into(), store.read(&object).await.unwrap().unwrap().to_vec());
        }
        Self { files: Arc::new(files) }
    }

    fn root(&self) -> &[u8] {
        &self.files["1.root.json"]
    }

    fn root_sha256(&self) -> Digest {
        Digest::of(self.root())
    }

    /// Its answer to a request for something below `/tuf/`, wherever that lies.
    fn answer(&self, request: &str) -> Reply {
        let name = path(request).split_once("/metadata/").map(|(_, name)| name.to_owned());
        match name.and_then(|name| self.files.get(&name).cloned()) {
            Some(bytes) => ok("Content-Type: application/json\r\n", bytes),
            None => status("404 Not Found"),
        }
    }
}

fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap()
}

/// A sidecar, whose list carries `headers`.
async fn sidecar(repository: &Repository, headers: &'static str) -> Mirror {
    let repository = repository.clone();
    Mirror::start(move |_, request| match path(request) {
        "/simple/" => ok(headers, "{}"),
        _ => repository.answer(request),
    })
    .await
}

struct User {
    folder: TempDir,
    options: SessionOptions,
}

/// Somebody who has used nothing yet.
fn user(index: impl ToString) -> User {
    let folder = TempDir::new().unwrap();
    let options = SessionOptions {
        index: index.to_string(),
        root: None,
        root_sha256: None,
        tuf: None,
        ca_file: None,
        credentials: None,
        timeout: None,
        data: folder.path().join("data"),
    };
    User { folder, options }
}

impl User {
    fn trusting(mut self, root: &[u8]) -> Self {
        let path = self.folder.path().join("1.root.json");
        fs::write(&path, root).unwrap();
        self.options.root = Some(path);
        self
    }

    async fn refused(&self) -> SessionError {
        Session::open(&self.options).await.unwrap_err()
    }
}

#[tokio::test]
async fn a_root_is_pinned_at_first_use_and_not_needed_again() {
    let repository = Repository::new().await;
    let mirror = sidecar(&repository, "Countersign-Tuf: ../tuf/\r\n").await;
    let mut user = user(mirror.url("/simple")).trusting(repository.root());
    let session = Session::open(&user.options).await.unwrap();
    assert_eq!(session.index, mirror.url("/simple/"));
    assert_eq!(session.tuf, mirror.url("/tuf/"));
    assert_eq!(session.pin.root_sha256, repository.root_sha256());
    assert_eq!(session.updater.refresh().await.unwrap().snapshot().version, 1);
    assert!(session.tally.metadata.get() > 0);

    user.options.root = None;
    let before = mirror.requests().len();
    let again = Session::open(&user.options).await.unwrap();
    assert_eq!(again.pin, session.pin);
    assert_eq!(mirror.requests().len(), before, "what is known is not asked for");
    again.updater.stored().await.unwrap();
}

#[tokio::test]
async fn a_root_given_by_its_hash_is_fetched() {
    let repository = Repository::new().await;
    let mirror = sidecar(&repository, "").await;
    let mut user = user(mirror.url("/simple/"));
    user.options.root_sha256 = Some(repository.root_sha256());
    let session = Session::open(&user.options).await.unwrap();
    assert_eq!(session.tuf, mirror.url("/tuf/"), "where it usually lies");
    assert_eq!(session.pin.first_root().unwrap().bytes(), repository.root());

    let mut other = self::user(mirror.url("/simple/"));
    other.options.root_sha256 = Some(Digest::of(b"other"));
    let said = other.refused().await.to_string();
    for part in ["1.root.json", &repository.root_sha256().to_string(), "whoever runs the sidecar"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!other.options.data.exists());
}

#[tokio::test]
async fn without_a_root_it_is_explained_where_to_get_one() {
    let error = user("https://ann:hunter2@mirror.example/simple").refused().await;
    assert!(error.is_misuse());
    let said = error.to_string();
    for part in ["https://mirror.example/simple/", "--root-sha256", "countersign inspect"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn another_root_than_the_pinned_one_is_refused() {
    let (repository, other) = (Repository::new().await, Repository::new().await);
    let mirror = sidecar(&repository, "").await;
    let mut user = user(mirror.url("/simple/")).trusting(repository.root());
    Session::open(&user.options).await.unwrap();
    Session::open(&user.options).await.unwrap();
    user = user.trusting(other.root());
    let said = user.refused().await.to_string();
    assert!(said.contains("countersign trust remove"), "{said}");
    user.options.root = None;
    user.options.root_sha256 = Some(other.root_sha256());
    assert!(user.refused().await.to_string().contains("countersign trust remove"));
    user.options.root_sha256 = Some(repository.root_sha256());
    Session::open(&user.options).await.unwrap();
}

/// The wrong file at the first use must not stand in the way of the right one.
#[tokio::test]
async fn a_root_of_another_repository_is_not_kept() {
    let (repository, other) = (Repository::new().await, Repository::new().await);
    let mirror = sidecar(&repository, "").await;
    let user = user(mirror.url("/simple/")).trusting(other.root());
    let error = user.refused().await;
    assert!(matches!(&error, SessionError::Client(error) if error.is_distrust()), "{error}");
    let user = user.trusting(repository.root());
    Session::open(&user.options).await.unwrap();
    let no_sidecar = Mirror::start(|_, _| ok("", "<html>")).await;
    let mistaken = self::user(no_sidecar.url("/simple/")).trusting(repository.root());
    mistaken.refused().await;
    assert!(TrustStore::new(&mistaken.options.data).list().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_pinned_needs_no_repository_to_open() {
    let repository = Repository::new().await;
    let mirror = sidecar(&repository, "").await;
    let user = user(mirror.url("/simple/")).trusting(repository.root());
    Session::open(&user.options).await.unwrap();
    drop(mirror);
    let session = Session::open(&user.options).await.unwrap();
    assert!(!session.updater.refresh().await.err().unwrap().is_distrust());
    assert_eq!(session.updater.stored().await.unwrap().timestamp().version, 1);
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used_is_named_with_its_flag() {
    let repository = Repository::new().await;
    let mirror = sidecar(&repository, "").await;
    let user = user(mirror.url("/simple/")).trusting(repository.root());
    let lock = Session::open(&user.options).await.unwrap().pin.metadata().join(".lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let said = user.refused().await.to_string();
    assert!(said.contains(".lock") && said.contains("--data"), "{said}");
    fs::remove_dir_all(&user.options.data).unwrap();
    fs::write(&user.options.data, "").unwrap();
    let said = user.refused().await.to_string();
    assert!(said.contains("--data"), "{said}");
}

/// Where the repository lies is anybody's word until it verifies.
#[tokio::test]
async fn a_wrong_word_on_where_the_repository_lies_is_not_kept() {
    let repository = Repository::new().await;
    let files = repository.clone();
    let lists = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mirror = Mirror::start(move |_, request| match path(request) {
        "/simple/" => match lists.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => ok("Countersign-Tuf: ../wrong/\r\n", "{}"),
            _ => ok("Countersign-Tuf: ../tuf/\r\n", "{}"),
        },
        wrong if wrong.starts_with("/wrong/") => status("404 Not Found"),
        _ => files.answer(request),
    })
    .await;
    let user = user(mirror.url("/simple/")).trusting(repository.root());
    let pinned = pin(&user.options).await.unwrap().pin;
    assert_eq!(pinned.tuf, None);
    let misled = Session::open(&user.options).await.unwrap();
    assert_eq!((&misled.tuf, &misled.pin.tuf), (&mirror.url("/wrong/"), &None));
    let said = misled.updater.refresh().await.err().unwrap().to_string();
    assert!(said.contains(mirror.url("/wrong/metadata/timestamp.json").as_str()), "{said}");
    let session = Session::open(&user.options).await.unwrap();
    assert_eq!(
        (&session.tuf, &session.pin.tuf),
        (&mirror.url("/tuf/"), &Some(mirror.url("/tuf/")))
    );
    let kept = TrustStore::new(&user.options.data).pinned(&session.index).unwrap().unwrap();
    assert_eq!(kept, session.pin);
}

#[tokio::test]
async fn what_is_no_sidecar_is_named() {
    for (reply, part) in [
        (ok("Content-Type: text/html\r\n", "<a href=\"six/\">six</a>"), "it names no repository"),
        (status("404 Not Found"), "there is no index (status 404)"),
        (status("401 Unauthorized"), "wants a login (status 401)"),
        (status("403 Forbidden"), "wants a login (status 403)"),
        (
            redirect("https://ann:hunter2@elsewhere.example/simple/"),
            "redirects to https://***@elsewhere.example/simple/",
        ),
    ] {
        let bytes = match reply {
            Reply::Keep(bytes) => bytes,
            _ => unreachable!(),
        };
        // Its front page answers to everything.
        let mirror = Mirror::start(move |_, request| match path(request) {
            "/simple/" => Reply::Keep(bytes.clone()),
            _ => ok("Content-Type: text/html\r\n", "<html>"),
        })
        .await;
        let mut user = user(mirror.url("/simple/"));
        user.options.root_sha256 = Some(Digest::of(b"any"));
        let said = user.refused().await.to_string();
        assert!(said.contains(part) && said.contains("/simple/"), "{said}");
    }
}

#[tokio::test]
async fn a_repository_is_followed_on_the_indexs_own_origin_alone() {
    let repository = Repository::new().await;
    let mirror = sidecar(&repository, "Countersign-Tuf: http://elsewhere.invalid/tuf/\r\n").await;
    let user = user(mirror.url("/simple/")).trusting(repository.root());
    assert_eq!(Session::open(&user.options).await.unwrap().tuf, mirror.url("/tuf/"));
}

#[tokio::test]
async fn a_repository_may_be_said_to_lie_elsewhere() {
    let repository = Repository::new().await;
    let index = Mirror::start(|_, _| status("500 Internal Server Error")).await;
    let elsewhere = sidecar(&repository, "").await;
    let url = index.url("/simple/").to_string().replace("://", "://ann:hunter2@");
    let mut user = user(url).trusting(repository.root());
    user.options.tuf = Some(elsewhere.url("/a/tuf/"));
    let session = Session::open(&user.options).await.unwrap();
    assert_eq!(session.pin.tuf, user.options.tuf);
    user.options.tuf = None;
    assert_eq!(Session::open(&user.options).await.unwrap().tuf, elsewhere.url("/a/tuf/"));
    assert!(index.requests().is_empty());
    assert!(elsewhere.requests().iter().all(|request| header(request, "authorization").is_none()));
}

#[tokio::test]
async fn a_login_reaches_the_index_and_nothing_else() {
    let repository = Repository::new().await;
    let files = repository.clone();
    let mirror = Mirror::start(move |_, request| match header(request, "authorization") {
        None => Reply::Keep(answer("401 Unauthorized", "", "")),
        Some(_) if path(request) == "/simple/" => ok("Countersign-Tuf: ../tuf/\r\n", "{}"),
        Some(_) => files.answer(request),
    })
    .await;
    let url = mirror.url("/simple/").to_string().replace("://", "://ann:hunter2@");
    let user = user(url).trusting(repository.root());
    let session = Session::open(&user.options).await.unwrap();
    assert_eq!(session.index, mirror.url("/simple/"));
    assert!(!format!("{session:?}").contains("hunter2"));
    let kept = fs::read_to_string(session.pin.root().with_file_name("pin.json")).unwrap();
    assert!(!kept.contains("hunter2"), "{kept}");
    session.updater.refresh().await.unwrap();
}

#[test]
fn urls_are_taken_as_people_type_them() {
    let tuf = |text: &str| repository_url(text).map(String::from).map_err(|e| e.to_string());
    let lies = "https://mirror.example/tuf/".to_owned();
    assert_eq!(tuf("https://mirror.example/tuf"), Ok(lies.clone()));
    assert_eq!(tuf("https://mirror.example/tuf/metadata/"), Ok(lies));
    for text in
        ["mirror.example/tuf", "ftp://mirror.example/", "https://ann:hunter2@mirror.example/"]
    {
        let said = tuf(text).unwrap_err();
        assert!(said.contains("--tuf") && !said.contains("hunter2"), "{said}");
    }
    let said = index_url("https://m.example/simple/?token=hunter2").unwrap_err().to_string();
    assert!(said.contains("--index-url") && !said.contains("hunter2"), "{said}");
}
