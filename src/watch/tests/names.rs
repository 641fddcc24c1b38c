use serde_json::json;

use super::site::{Page, bare, full};
use super::*;

fn digest(content: &str) -> Digest {
    Digest::of(content.as_bytes())
}

#[tokio::test]
async fn a_changed_hash_is_refused_once_and_the_rest_is_published() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::of([full("a-1.zip", "1")]));
    setup.poll().await;
    setup.site.page("a", Page::of([full("a-1.zip", "other"), full("a-2.zip", "2")]));
    for _ in 0..12 {
        setup.poll().await;
    }
    assert_eq!(setup.hash("a", "a-1.zip").await, Some(digest("1")));
    assert!(setup.is_target("a", "a-2.zip").await);
    assert_eq!(setup.refusals(Refusal::ChangedHash), 1);
    let refused = setup.watch().metrics.refusals.recent().pop().unwrap();
    assert_eq!((refused.project.as_str(), refused.subject.as_str()), ("a", "a-1.zip"));
    let expected = format!("expected SHA-256 {}, found {}", digest("1"), digest("other"));
    assert_eq!(refused.detail, expected);
}

#[tokio::test]
async fn a_deleted_file_goes_and_comes_back_only_as_it_was() {
    let setup = Setup::new().await;
    let both = || Page::of([full("a-1.zip", "1"), full("a-2.zip", "2")]);
    setup.site.page("a", both());
    setup.poll().await;
    setup.site.page("a", Page::of([full("a-2.zip", "2")]));
    setup.poll().await;
    assert!(!setup.is_target("a", "a-1.zip").await);
    assert_eq!(setup.page("a").await.unwrap().files.len(), 1);

    let setup = setup.restarted(|_| {}).await;
    setup.site.page("a", Page::of([full("a-1.zip", "other"), full("a-2.zip", "2")]));
    setup.poll().await;
    assert!(!setup.is_target("a", "a-1.zip").await);
    assert_eq!(setup.refusals(Refusal::RetiredName), 1);

    setup.site.page("a", both());
    setup.poll().await;
    assert_eq!(setup.hash("a", "a-1.zip").await, Some(digest("1")));
}

#[tokio::test]
async fn foreign_links_and_bad_names_are_refused_and_the_rest_is_published() {
    let setup = Setup::new().await;
    let mut foreign = full("a-1.zip", "1");
    foreign["url"] = json!("http://169.254.169.254/a-1.zip");
    let mut odd = full(".a-3.zip", "3");
    odd["url"] = json!("/files/x");
    setup.site.page("a", Page::of([foreign, odd, full("../a-2.zip", "2"), full("a-4.zip", "4")]));
    setup.poll().await;
    let page = setup.page("a").await.unwrap();
    let names: Vec<_> = page.files.iter().map(|file| file.filename.as_str()).collect();
    assert_eq!(names, ["a-4.zip"]);
    assert_eq!(setup.refusals(Refusal::Origin), 1);
    assert_eq!(setup.refusals(Refusal::BadName), 2);
    assert!(setup.requests("169.254").is_empty());
}

#[tokio::test]
async fn a_quarantined_project_offers_nothing_at_once() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    setup.poll().await;
    let files = vec![full("p0-1.zip", "p0")];
    setup.site.page("p0", Page::Listed { files, serial: None, status: Some("quarantined") });
    setup.poll().await;
    let page = setup.page("p0").await.unwrap();
    assert!(page.files.is_empty());
    assert!(!setup.is_target("p0", "p0-1.zip").await);
}

#[tokio::test]
async fn a_file_without_any_hash_keeps_its_bytes_over_deletion() {
    let setup = Setup::new().await;
    setup.site.file("a-1.zip", "first");
    let listed = || Page::of([bare("a-1.zip", json!({})), full("a-2.zip", "2")]);
    setup.site.page("a", listed());
    setup.poll().await;
    assert_eq!(setup.hash("a", "a-1.zip").await, Some(digest("first")));
    setup.site.page("a", Page::of([full("a-2.zip", "2")]));
    setup.poll().await;
    setup.site.file("a-1.zip", "second");
    setup.site.page("a", listed());
    setup.poll().await;
    assert_eq!(setup.hash("a", "a-1.zip").await, None);
    assert_eq!(setup.refusals(Refusal::RetiredName), 1);
}
