//! Create-if-absent, on which everything rests that must agree.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path as Name;
use object_store::{Error as ObjectError, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::{Created, Durable, Place, Store, StoreError, failed, local};

/// How often a create is sent that meets others of the same name.
const TRIES: u32 = 4;
/// Between such tries.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Nothing that is durable is built on what may not be: what failed before is settled first.
    pub(super) async fn create_in_order(
        &self,
        name: &str,
        bytes: PutPayload,
        durable: Durable,
    ) -> Result<Created, StoreError> {
        let doubtful = matches!(&*self.place, Place::Folder(folder) if folder.is_doubtful());
        if doubtful && durable == Durable::Now {
            self.on_disk(local::Folder::settle_doubts).await?;
        }
        let created = self.create_if_absent(name, bytes, durable).await;
        if let (Err(_), Place::Folder(folder)) = (&created, &*self.place) {
            folder.doubt(name);
        }
        created
    }

    async fn create_if_absent(
        &self,
        name: &str,
        bytes: PutPayload,
        durable: Durable,
    ) -> Result<Created, StoreError> {
        let objects = self.objects_for(durable);
        for _ in 0..TRIES {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match objects.put_opts(&Name::from(name), bytes.clone(), options).await {
                Ok(_) => return Ok(Created::New),
                Err(ObjectError::AlreadyExists { source, .. }) => {
                    if self.is_certain(&*source) || self.find(name).await?.is_some() {
                        self.settle(name, bytes, durable).await?;
                        return Ok(Created::Taken);
                    }
                }
                Err(source) => return Err(failed("create", name, source)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(StoreError::Busy(name.into()))
    }

    /// Whether the name is taken. 412 says so; 409 says either that or, on S3, that somebody else is just busy with the name
    /// and may yet fail.
    fn is_certain(&self, source: &(dyn Error + Send + Sync + 'static)) -> bool {
        !self.is_shared() || source.is::<ObjectError>()
    }

    /// What is in a folder already may be from a write of ours that failed before it reached the disk. To sync it again
    /// would prove nothing, as the kernel tells of a failure once: our own bytes are written again.
    async fn settle(
        &self,
        name: &str,
        ours: PutPayload,
        durable: Durable,
    ) -> Result<(), StoreError> {
        if !matches!(*self.place, Place::Folder(_)) {
            return Ok(());
        }
        if self.get(name).await? == Some(Bytes::from(ours.clone())) {
            let written = self.objects_for(durable).put(&Name::from(name), ours).await;
            return written.map(drop).map_err(|source| failed("create", name, source));
        }
        match durable {
            Durable::AtSync => Ok(()),
            Durable::Now => {
                let name = name.to_owned();
                self.on_disk(move |folder| folder.settle(&name)).await
            }
        }
    }
}
