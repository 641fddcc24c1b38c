//! The operator's word: what is about the offline roles goes to the publisher, all else to the watcher.

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::ceremony::publish::{self, PublishError, Texts};
use crate::control::{ControlError, Handler, Metadata, Reply, Request};
use crate::repository::{Publisher, Repository};
use crate::signer::Keyring;
use crate::store::Store;
use crate::watch::Watcher;

/// Who hears it.
pub(super) struct Desk {
    pub(super) watcher: Watcher,
    pub(super) publisher: Publisher,
    pub(super) repository: Repository,
    pub(super) store: Store,
    pub(super) keyring: Keyring,
}

impl Handler for Desk {
    fn handle(&self, request: Request) -> BoxFuture<'_, Result<Reply, ControlError>> {
        Box::pin(async move {
            match request {
                Request::PublishRoles { root, targets, bins } => {
                    let text =
                        |file: &'_ Option<Metadata>| file.as_ref().map(|file| file.0.clone());
                    let [root, targets, bins] = [&root, &targets, &bins].map(text);
                    let texts = Texts {
                        root: root.as_deref(),
                        targets: targets.as_deref(),
                        bins: bins.as_deref(),
                    };
                    let published = self.publish(texts).await;
                    published.map_err(|error| ControlError::Refused(error.to_string()))
                }
                other => self.watcher.handle(other).await,
            }
        })
    }
}

impl Desk {
    async fn publish(&self, texts: Texts<'_>) -> Result<Reply, PublishError> {
        // A key that was put there a moment ago counts.
        let needed = self.repository.published().base.online_keys();
        self.keyring.look(&|keyid| needed.contains(keyid)).await;
        let loaded: Vec<_> = self.keyring.signers().iter().map(|key| key.key().id()).collect();
        let new = publish::checked(&self.store, texts, &loaded, Timestamp::now()).await?;
        let receipt = self.publisher.publish_roles(new).await?;
        Ok(Reply { message: publish::told(&receipt), commit: Some(receipt.commit) })
    }
}
