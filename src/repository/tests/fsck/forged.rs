//! What somebody with the online key could sign, or a bug of ours.

use crate::config::TargetsMode;
use crate::index::{Format, Links, render_html, render_json};
use crate::repository::fsck::Level;
use crate::repository::pages::pack;
use crate::repository::{file_path, page_path};
use crate::store::layout;
use crate::tuf::{Digest, Retired, TargetFile, TargetPath, Targets};

use super::super::support::{Bench, page, project};
use super::{FILE, HTML, JSON, base, fill, forge_bin, found, scene, tells};

#[tokio::test]
async fn a_target_in_a_wrong_bin_is_found() {
    let bench = scene().await;
    let target = TargetFile::new(Digest::of(b"one"), 3, None);
    let here = base(&bench).await.succinct.bin_of(JSON);
    let elsewhere = (0..).map(|n| format!("files/demo/demo-{n}.whl"));
    let base = base(&bench).await;
    let stranger = elsewhere.into_iter().find(|p| base.succinct.bin_of(p) != here).unwrap();
    let object = forge_bin(&bench, JSON, |bin| {
        bin.targets.insert(stranger.clone(), target);
    });
    let object = object.await;
    tells(&found(&bench.store).await, &object, &format!("{stranger:?}, one of 1 targets"));
}

#[tokio::test]
async fn targets_that_nobody_would_sign_are_found() {
    let bench = scene().await;
    let base = base(&bench).await;
    let bin = base.succinct.bin_of(FILE);
    let path = |form: &str| {
        let mut paths = (0..).map(|n: u32| form.replace('N', &n.to_string()));
        paths.find(|path| base.succinct.bin_of(path) == bin).unwrap()
    };
    let [bad, unknown, unlisted] =
        ["files/demo/../N.whl", "elsewhere/demo/N.whl", "files/demo/demo-N.whl"].map(path);
    let object = forge_bin(&bench, FILE, |bin| {
        for path in [&bad, &unknown, &unlisted] {
            bin.targets.insert(path.clone(), TargetFile::new(Digest::of(b"x"), 1, None));
        }
    });
    let object = object.await;
    let found = found(&bench.store).await;
    tells(&found, &object, "cannot be a target path");
    tells(&found, &object, "is neither a page nor a file");
    tells(&found, &unlisted, "no page lists this target");
}

#[tokio::test]
async fn a_file_without_its_target_is_found() {
    let bench = scene().await;
    forge_bin(&bench, FILE, |bin| drop(bin.targets.remove(FILE))).await;
    tells(&found(&bench.store).await, JSON, &format!("{FILE}, which it lists, is no target"));
}

#[tokio::test]
async fn a_target_of_another_hash_or_length_is_found() {
    for other in
        [TargetFile::new(Digest::of(b"1"), 3, None), TargetFile::new(Digest::of(b"one"), 4, None)]
    {
        let bench = scene().await;
        forge_bin(&bench, FILE, |bin| drop(bin.targets.insert(FILE.into(), other))).await;
        tells(&found(&bench.store).await, JSON, "is a target of another hash or length");
    }
}

#[tokio::test]
async fn files_that_were_never_targets_are_told_once_and_are_no_damage() {
    let mut bench = scene().await;
    bench.contents.targets = TargetsMode::Index;
    bench.contents.html = false;
    let running = bench.open().await.unwrap();
    running.publish(&page("third", &[("third-1.0.tar.gz", "x")])).await.unwrap();
    let found = found(&bench.store).await;
    assert!(found.iter().all(|finding| finding.level == Level::Warning), "{found:?}");
    assert_eq!(found.len(), 2);
    tells(&found, "pages", "the files of 1 projects are not targets");
    tells(&found, "pages", "1 projects have no HTML page");
}

/// Puts another page of `demo` under `format`, signed.
async fn forge_page(bench: &Bench, format: Format, bytes: Vec<u8>) {
    let path = page_path(&project("demo"), format).unwrap();
    let digest = Digest::of(&bytes);
    let name = layout::page(&digest, 1);
    bench.store.put(&name, pack(&bytes).unwrap()).await.unwrap();
    let target = TargetFile::new(digest, bytes.len() as u64, Some(1));
    forge_bin(bench, path.as_str(), |bin| {
        bin.targets.insert(path.as_str().to_owned(), target);
    })
    .await;
}

#[tokio::test]
async fn pages_that_do_not_agree_are_found() {
    let bench = scene().await;
    let other = page("demo", &[("demo-1.0.tar.gz", "one")]);
    forge_page(&bench, Format::Html, render_html(&other, &bench.contents.links)).await;
    tells(&found(&bench.store).await, JSON, "its HTML page lists other files");

    let bench = scene().await;
    forge_bin(&bench, JSON, |bin| drop(bin.targets.remove(JSON))).await;
    let found = found(&bench.store).await;
    tells(&found, HTML, "there is no JSON page of its project");
    tells(&found, FILE, "no page lists this target");
}

#[tokio::test]
async fn a_signed_page_that_is_none_is_found() {
    let demo = page("demo", &[("demo-1.0.tar.gz", "one")]);
    let links = Links { tuf: "../../tuf/".into() };
    for (format, bytes, problem) in [
        (Format::Json, b"{\"meta\":".to_vec(), "not a simple API document"),
        (Format::Json, render_json(&page("another", &[]), &links), "another"),
        (Format::Html, b"<h1>It works".to_vec(), "not a simple index page"),
    ] {
        let bench = scene().await;
        forge_page(&bench, format, bytes).await;
        tells(&found(&bench.store).await, "simple/demo/", problem);
    }
    let bench = scene().await;
    let elsewhere = String::from_utf8(render_json(&demo, &links)).unwrap();
    let elsewhere = elsewhere.replace("targets/files/demo/", "targets/files/other/");
    forge_page(&bench, Format::Json, elsewhere.into_bytes()).await;
    tells(&found(&bench.store).await, JSON, "leads elsewhere");
}

#[tokio::test]
async fn a_retired_name_that_is_listed_is_found() {
    let retired = |sha256| Retired { core_metadata: None, sha256, extra: Default::default() };
    let path = file_path(&project("demo"), "demo-1.0.tar.gz").unwrap();
    let add = |bin: &mut Targets, path: &TargetPath| {
        bin.retired.get_or_insert_default().insert(path.clone(), retired(Digest::of(b"one")));
    };
    let bench = scene().await;
    let object = forge_bin(&bench, FILE, |bin| add(bin, &path)).await;
    tells(&found(&bench.store).await, &object, "is a target, and retired too");

    let mut bench = Bench::new().await;
    bench.contents.targets = TargetsMode::Index;
    fill(&bench).await;
    for keeper in [FILE, JSON] {
        forge_bin(&bench, keeper, |bin| add(bin, &path)).await;
        tells(&found(&bench.store).await, JSON, "which is retired");
    }
    let bench = scene().await;
    let succinct = base(&bench).await.succinct;
    let here = succinct.index_of(JSON);
    let stranger = (0..).find_map(|n: u32| {
        let name = project(&format!("p{n}"));
        let path = file_path(&name, "x.zip").unwrap();
        let json = page_path(&name, Format::Json).unwrap();
        let homes = [&path, &json].map(|path| succinct.index_of(path.as_str()));
        (!homes.contains(&here)).then_some(path)
    });
    let object = forge_bin(&bench, JSON, |bin| add(bin, &stranger.unwrap())).await;
    tells(&found(&bench.store).await, &object, "is retired in the wrong bin");
}
