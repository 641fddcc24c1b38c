//! What a publication and a page cost, piece by piece: `cargo bench --bench micro`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that goes wrong ends the run"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::index::{
    CoreMetadata, File, Links, ProjectName, ProjectPage, Status, Yanked, parse_html, parse_json,
    render_html, render_json,
};
use countersign::signer::{FileSigner, Signer, sign};
use countersign::tuf::{
    Authority, Digest, Expiry, Key, KeyId, MetaFile, Role, SPEC_VERSION, Signed, Snapshot,
    SnapshotType, SuccinctRoles, TargetFile, Targets, canonical,
};
use divan::{Bencher, black_box, counter::BytesCount};
use futures::FutureExt as _;
use url::Url;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TARGETS: usize = 1_000;
const FILES: usize = 1_000;
const BITS: u32 = 14;
/// Bins that a publication of one file touches: its own, and those of both pages.
const TOUCHED: u32 = 3;

fn main() {
    divan::main();
}

#[divan::bench]
fn canonical_json_of_a_bin(bencher: Bencher) {
    let bin = bin();
    let length = canonical::to_vec(&bin).unwrap().len();
    bencher.counter(BytesCount::new(length)).bench(|| canonical::to_vec(black_box(&bin)));
}

#[divan::bench]
fn sign_a_bin(bencher: Bencher) {
    let signers = [signer()];
    bencher.with_inputs(bin).bench_values(|bin| signed(bin, &signers));
}

#[divan::bench]
fn verify_a_bin(bencher: Bencher) {
    let signer = signer();
    let keys = BTreeMap::from([(signer.key().id(), signer.key().clone())]);
    let keyids: Vec<KeyId> = keys.keys().cloned().collect();
    let bin = signed(bin(), std::slice::from_ref(&signer));
    bencher.bench(|| verify(black_box(&bin), &keys, &keyids));
}

#[divan::bench]
fn parse_and_render_json(bencher: Bencher) {
    let (body, links) = (render_json(&page(), &links()), links());
    bencher.counter(BytesCount::of_slice(&body)).bench(|| {
        let listing = parse_json(black_box(&body), &url(), &project()).unwrap();
        assert_eq!(listing.page.files.len(), FILES);
        render_json(&listing.page, &links)
    });
}

#[divan::bench]
fn parse_and_render_html(bencher: Bencher) {
    let (body, links) = (render_html(&page(), &links()), links());
    bencher.counter(BytesCount::of_slice(&body)).bench(|| {
        let listing = parse_html(black_box(&body), &url(), &project()).unwrap();
        assert_eq!(listing.page.files.len(), FILES);
        render_html(&listing.page, &links)
    });
}

/// What a publication does with the snapshot: new versions of its bins, signed, verified, written, hashed.
#[divan::bench]
fn rewrite_a_snapshot_of_16384_bins(bencher: Bencher) {
    let signer = signer();
    let keys = BTreeMap::from([(signer.key().id(), signer.key().clone())]);
    let keyids: Vec<KeyId> = keys.keys().cloned().collect();
    let signers = [signer];
    let base = snapshot();
    bencher.bench(|| {
        let mut next = black_box(&base).clone();
        for index in 0..TOUCHED {
            let name = format!("{}.json", succinct().name(index * 5_000));
            next.meta.insert(name, MetaFile::version(base.version + 1));
        }
        next.version += 1;
        let signed = signed(next, &signers);
        verify(&signed, &keys, &keyids);
        Digest::of(&signed.to_bytes().unwrap())
    });
}

/// What bounds a file that is streamed.
#[divan::bench]
fn sha256_of_a_file(bencher: Bencher) {
    let file = vec![1; 1_000_000];
    bencher.counter(BytesCount::of_slice(&file)).bench(|| Digest::of(black_box(&file)));
}

fn signer() -> Arc<dyn Signer> {
    Arc::new(FileSigner::generate().unwrap())
}

/// A key in a file signs without waiting for anything.
fn signed<R: Role>(role: R, signers: &[Arc<dyn Signer>]) -> Signed<R> {
    sign(role, signers).now_or_never().unwrap().unwrap()
}

fn verify<R: Role>(role: &Signed<R>, keys: &BTreeMap<KeyId, Key>, keyids: &[KeyId]) {
    role.verify("role", Authority { keys, keyids, threshold: 1 }).unwrap();
}

fn bin() -> Targets {
    let mut bin = Targets::empty(1, expiry());
    for n in 0..TARGETS {
        let path = format!("files/some-project/some_project-1.{n}-py3-none-any.whl");
        let target = TargetFile::new(Digest::of(path.as_bytes()), 100_000 + n as u64, None);
        bin.targets.insert(path, target);
    }
    bin
}

fn snapshot() -> Snapshot {
    let offline = ["targets", "bins"].map(str::to_owned);
    let succinct = succinct();
    let names = offline.into_iter().chain(succinct.names());
    Snapshot {
        kind: SnapshotType,
        commit: Some(1),
        expires: expiry(),
        meta: names.map(|name| (format!("{name}.json"), MetaFile::version(1))).collect(),
        spec_version: SPEC_VERSION.into(),
        version: 1,
        extra: BTreeMap::new(),
    }
}

fn succinct() -> SuccinctRoles {
    SuccinctRoles {
        bit_length: BITS,
        keyids: Vec::new(),
        name_prefix: "bins".into(),
        threshold: 1,
        extra: BTreeMap::new(),
    }
}

fn expiry() -> Expiry {
    Expiry::at("2030-01-01T00:00:00Z".parse().unwrap())
}

fn page() -> ProjectPage {
    let versions = (0..FILES).map(|n| format!("1.{n}")).collect();
    ProjectPage {
        name: project(),
        files: (0..FILES).map(file).collect(),
        versions,
        status: Status::default(),
        tracks: Vec::new(),
        alternate_locations: Vec::new(),
        extra: BTreeMap::new(),
        meta_extra: BTreeMap::new(),
    }
}

fn file(n: usize) -> File {
    let filename = format!("some_project-1.{n}-py3-none-any.whl");
    let hashes = |text: &str| {
        BTreeMap::from([("sha256".to_owned(), Digest::of(text.as_bytes()).to_string())])
    };
    File {
        hashes: hashes(&filename),
        core_metadata: CoreMetadata::Hashes(hashes("metadata")),
        filename,
        requires_python: Some(">=3.9,<4".into()),
        size: Some(100_000),
        upload_time: Some("2026-11-22T13:41:51.113885Z".into()),
        yanked: Yanked::No,
        gpg_sig: None,
        provenance: false,
        extra: BTreeMap::new(),
    }
}

fn project() -> ProjectName {
    ProjectName::parse("some-project").unwrap()
}

fn links() -> Links {
    Links::from_page_path("/simple/some-project/", "/tuf/")
}

fn url() -> Url {
    Url::parse("http://mirror.example/simple/some-project/").unwrap()
}
