use super::site::{Etags, Page, full};
use super::*;
use crate::watch::belief::FEW;

fn changed(n: usize, serial: u64) -> Page {
    let name = format!("p{n}");
    Page::serial(
        serial,
        [full(&format!("{name}-1.zip"), &name), full(&format!("{name}-2.zip"), "2")],
    )
}

#[tokio::test]
async fn believable_serials_save_pages() {
    let setup = Setup::new().await;
    setup.site.pages(FEW);
    setup.poll().await;
    let before = setup.requests("/simple/p").len();
    setup.site.page("p3", changed(3, 99));
    setup.poll().await;
    assert!(setup.is_target("p3", "p3-2.zip").await);
    let asked = setup.requests("/simple/p").len() - before;
    assert!(asked <= 2, "the changed page and an audit, not {asked}");
}

#[tokio::test]
async fn serials_that_miss_a_change_are_found_out() {
    let setup = Setup::new().await;
    setup.site.pages(FEW);
    setup.poll().await;
    // p3 changes, and its serial does not.
    setup.site.page("p3", changed(3, 4));
    for _ in 0..FEW {
        setup.poll().await;
    }
    assert!(setup.is_target("p3", "p3-2.zip").await, "each page has its turn");
    setup.site.page("p5", changed(5, 6));
    setup.poll().await;
    assert!(setup.is_target("p5", "p5-2.zip").await, "serials are no longer believed");
    let setup = setup.restarted(|_| {}).await;
    setup.site.page("p6", changed(6, 7));
    setup.poll().await;
    assert!(setup.is_target("p6", "p6-2.zip").await, "also after a restart");
}

#[tokio::test]
async fn serials_of_which_pages_know_nothing_are_not_believed() {
    let setup = Setup::new().await;
    setup.site.pages(FEW);
    for n in 0..FEW {
        setup.site.page(&format!("p{n}"), Page::of([full(&format!("p{n}-1.zip"), "1")]));
        setup.site.change().serials.insert(format!("p{n}"), n as u64);
    }
    setup.poll().await;
    setup.site.page("p3", Page::of([full("p3-1.zip", "1"), full("p3-2.zip", "2")]));
    setup.poll().await;
    assert!(setup.is_target("p3", "p3-2.zip").await);
}

#[tokio::test]
async fn one_etag_for_all_pages_hides_nothing() {
    let setup = Setup::new().await;
    setup.site.change().etags = Etags::Constant;
    setup.site.pages(3);
    setup.poll().await;
    setup.poll().await;
    setup.site.page("p1", changed(1, 2));
    setup.poll().await;
    assert!(setup.is_target("p1", "p1-2.zip").await);
}

#[tokio::test]
async fn an_etag_that_does_not_move_is_found_out() {
    let setup = Setup::new().await;
    setup.site.change().etags = Etags::Stuck;
    setup.site.pages(3);
    setup.poll().await;
    setup.site.page("p1", changed(1, 2));
    for _ in 0..10 {
        setup.poll().await;
    }
    assert!(setup.is_target("p1", "p1-2.zip").await, "every tenth poll is unconditional");
    setup.site.page("p2", changed(2, 3));
    setup.poll().await;
    assert!(setup.is_target("p2", "p2-2.zip").await, "and then they are no longer believed");
}
