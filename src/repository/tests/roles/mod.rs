//! New versions of root, targets and bins.

mod asleep;
mod bins;
mod holders;

use std::sync::Arc;

use crate::repository::{
    NewRoles, PublisherConfig, RepositoryError, RolesError, RolesReceipt, load, publish_roles,
};
use crate::store::{Durable, layout};

use super::support::{Bench, Fault, page};
use holders::{Holder, Holders, accepted_since, just_bins, just_root, new_key, ring};

const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::Fails, Fault::LosesReply];

fn with(bench: &Bench, keys: &[&Holder]) -> PublisherConfig {
    PublisherConfig { keyring: ring(keys), ..bench.config() }
}

async fn publish(
    bench: &Bench,
    keys: &[&Holder],
    new: &NewRoles,
) -> Result<RolesReceipt, RepositoryError> {
    publish_roles(bench.store.clone(), with(bench, keys), new.clone(), &|_, _| ()).await
}

/// A bench with one project, its holders, its online key and the one that is to come.
async fn scene() -> (Bench, Holders, Holder, Holder) {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    running.publish(&page("demo", &[("demo-1.0.tar.gz", "one")])).await.unwrap();
    running.stop().await;
    let (holders, old) = (Holders::of(&bench.keys()), bench.online());
    (bench, holders, old, new_key())
}

#[tokio::test]
async fn a_new_online_key_signs_beside_the_old_one_before_its_root_is_visible() {
    for fault in FAULTS {
        for writes in 0..6 {
            let (bench, holders, old, new) = scene().await;
            let root = holders.root(&bench.store, &[&new]).await;
            bench.faulty.plan(Some((writes, fault)));
            let first = publish(&bench, &[&old, &new], &just_root(&root)).await;
            bench.faulty.plan(None);
            accepted_since(&bench.store, 1).await;
            // Whoever starts next can go on, and serves what is accepted.
            let running = bench.open_with(with(&bench, &[&old, &new])).await.unwrap();
            let demo = page("demo", &[("demo-2.0.tar.gz", "two")]);
            running.publish(&demo).await.unwrap();
            accepted_since(&bench.store, 1).await;
            let again = running.publisher.publish_roles(just_root(&root)).await.unwrap();
            assert!(!again.gap && again.bins == 0, "{again:?}");
            if first.is_ok() {
                assert_eq!(again.already.len(), 1);
            }
            accepted_since(&bench.store, 1).await;
            let shown = running.repository.published();
            assert_eq!(shown.base.root.signed.version, 2, "{fault:?} {writes}");
            assert_eq!(shown.timestamp.signatures.len(), 2);
            assert!(running.repository.metadata(2, "root").await.unwrap().is_some());
            let commits = load::commits_from(&bench.store, 1).await.unwrap();
            let mut recorded = 0;
            for commit in commits {
                let commit = load::commit(&bench.store, commit).await.unwrap();
                recorded += commit.roles.iter().filter(|role| role.role == "root").count();
            }
            assert_eq!(recorded, 1, "{fault:?} {writes}");
            running.stop().await;
        }
    }
}

#[tokio::test]
async fn a_writer_without_the_new_key_signs_nothing_while_its_root_is_awaited() {
    let (bench, holders, old, new) = scene().await;
    let root = holders.root(&bench.store, &[&new]).await;
    // The commit, and its timestamp; not the root.
    bench.faulty.plan(Some((3, Fault::Fails)));
    publish(&bench, &[&old, &new], &just_root(&root)).await.unwrap_err();
    assert_eq!(load::root(&bench.store).await.unwrap().signed.version, 1);
    let demo = page("demo", &[("demo-2.0.tar.gz", "two")]);
    let running = bench.open_with(with(&bench, &[&old])).await.unwrap();
    let refused = running.publish(&demo).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Awaited { root: 2, .. }), "{refused}");
    running.stop().await;
    let running = bench.open_with(with(&bench, &[&new])).await.unwrap();
    let refused = running.publish(&demo).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Unauthorized { .. }), "{refused}");
    running.stop().await;
    accepted_since(&bench.store, 1).await;
    // Another draft of the number, under still another key: the first may yet come, so both sign.
    let newer = new_key();
    let other = holders.root(&bench.store, &[&newer]).await;
    publish(&bench, &[&old, &new, &newer], &just_root(&other)).await.unwrap();
    accepted_since(&bench.store, 1).await;
    let refused = publish(&bench, &[&old, &new, &newer], &just_root(&root)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Roles(RolesError::RootTaken(2))), "{refused}");
}

#[tokio::test]
async fn a_lost_online_key_is_replaced_and_what_is_left_is_signed_again_before_it_is_served() {
    for fault in FAULTS {
        for writes in 0..6 {
            let (bench, holders, old, new) = scene().await;
            let root = holders.root(&bench.store, &[&new]).await;
            bench.faulty.plan(Some((writes, fault)));
            let first = publish(&bench, &[&new], &just_root(&root)).await;
            bench.faulty.plan(None);
            let visible = load::root(&bench.store).await.unwrap().signed.version == 2;
            // Who has the old key alone serves nothing that the new root does not accept.
            if let Ok(stranger) = bench.open_with(with(&bench, &[&old])).await {
                let shown = stranger.repository.published();
                let root = load::root(&bench.store).await.unwrap().signed;
                root.verify("timestamp", &shown.timestamp).unwrap();
                stranger.stop().await;
            }
            if visible {
                let running = bench.open_with(with(&bench, &[&new])).await.unwrap();
                accepted_since(&bench.store, 2).await;
                running.stop().await;
            }
            let again = publish(&bench, &[&new], &just_root(&root)).await.unwrap();
            assert_eq!(again.gap, !visible, "{fault:?} {writes}");
            assert!(first.is_ok_and(|first| first.gap) || fault != Fault::Fails || writes < 4);
            accepted_since(&bench.store, 2).await;
            let running = bench.open_with(with(&bench, &[&new])).await.unwrap();
            running.publish(&page("demo", &[("demo-2.0.tar.gz", "two")])).await.unwrap();
            running.stop().await;
        }
    }
}

#[tokio::test]
async fn holders_of_targets_that_change_with_the_root_leave_no_half_of_it() {
    // By old and new holders: no client meets a gap. By the new ones alone: the crash between is mended.
    for both in [true, false] {
        for writes in 0..8 {
            let (bench, holders, old, new) = scene().await;
            let late = new_key();
            let root = holders.root_with(&bench.store, &[&old, &new], &late).await;
            let by: &[&Holder] = if both { &[&holders.targets, &late] } else { &[&late] };
            let targets = holders.targets(&bench.store, by).await;
            let alone = publish(&bench, &[&old, &new], &just_root(&root)).await.unwrap_err();
            assert!(alone.to_string().starts_with("targets 1 cannot be published"), "{alone}");
            let new_roles =
                NewRoles { root: Some(root.clone()), targets: Some(targets), bins: None };
            bench.faulty.plan(Some((writes, Fault::CrashAfter)));
            let _ = publish(&bench, &[&old, &new], &new_roles).await;
            bench.faulty.plan(None);
            if both {
                accepted_since(&bench.store, 1).await;
            }
            bench.open_with(with(&bench, &[&old, &new])).await.unwrap().stop().await;
            let newest = load::root(&bench.store).await.unwrap().signed.version;
            accepted_since(&bench.store, if both { 1 } else { newest }).await;
            let receipt = publish(&bench, &[&old, &new], &new_roles).await.unwrap();
            assert_eq!(receipt.published.len() + receipt.already.len(), 2, "{receipt:?}");
            accepted_since(&bench.store, if both { 1 } else { 2 }).await;
        }
    }
}

#[tokio::test]
async fn the_second_of_two_drafts_takes_the_next_number() {
    let (bench, holders, old, _) = scene().await;
    let orphan = holders.bins(&bench.store, 5, "five", &old).await;
    let name = layout::metadata(2, "bins");
    bench.store.create(&name, orphan.to_bytes().unwrap(), Durable::Now).await.unwrap();
    let second = holders.bins(&bench.store, 3, "three", &old).await;
    let refused = publish(&bench, &[&old], &just_bins(&second)).await.unwrap_err();
    assert!(
        matches!(refused, RepositoryError::Roles(RolesError::Taken { found: 2, next: 3, .. })),
        "{refused}"
    );
    // What was begun goes on; after it the second one is too late.
    let receipt = publish(&bench, &[&old], &just_bins(&orphan)).await.unwrap();
    assert_eq!((receipt.bins, receipt.published.len()), (32, 1));
    let receipt = publish(&bench, &[&old], &just_bins(&orphan)).await.unwrap();
    assert_eq!((receipt.bins, receipt.already.len()), (0, 1));
    let refused = publish(&bench, &[&old], &just_bins(&second)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Roles(RolesError::Taken { next: 3, .. })));
}

#[tokio::test]
async fn what_is_not_signed_or_cannot_be_gone_on_with_is_refused() {
    let (bench, holders, old, new) = scene().await;
    let before = bench.store.list(layout::METADATA).await.unwrap().len();
    let mut root = holders.root(&bench.store, &[&new]).await;
    let refused = publish(&bench, &[&old], &just_root(&root)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Awaited { .. }), "{refused}");
    root.signatures.clear();
    let refused = publish(&bench, &[&old, &new], &just_root(&root)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Roles(RolesError::Unsigned { .. })), "{refused}");
    let bins = holders.bins(&bench.store, 4, "bins", &new).await;
    let refused = publish(&bench, &[&old], &just_bins(&bins)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Unauthorized { .. }), "{refused}");
    let bins = holders.bins(&bench.store, 5, "bins", &old).await;
    let refused = publish(&bench, &[&old], &just_bins(&bins)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Roles(RolesError::SameNames { .. })), "{refused}");
    assert_eq!(bench.store.list(layout::METADATA).await.unwrap().len(), before);
}

/// Two keys of three, of which any two are loaded.
#[tokio::test]
async fn a_threshold_of_online_keys_is_met_by_several() {
    let (bench, holders, old, new) = scene().await;
    let third = new_key();
    let mut root = holders.root(&bench.store, &[&old, &new, &third]).await.signed;
    for role in ["timestamp", "snapshot"] {
        root.roles.get_mut(role).unwrap().threshold = 2;
    }
    let root = crate::signer::sign(root, &[Arc::clone(&holders.root)]).await.unwrap();
    let refused = publish(&bench, &[&old], &just_root(&root)).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Awaited { needed: 2, .. }), "{refused}");
    publish(&bench, &[&old, &third], &just_root(&root)).await.unwrap();
    accepted_since(&bench.store, 1).await;
    let running = bench.open_with(with(&bench, &[&old])).await.unwrap();
    let refused = running.publish(&page("x", &[("x-1.tar.gz", "x")])).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Unauthorized { needed: 2, .. }), "{refused}");
    running.stop().await;
}
