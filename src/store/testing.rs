//! A store whose creates do what they should not.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What becomes of creates.
#[derive(Debug, Clone, Copy)]
pub enum Creates {
    /// As on a service that does not know conditional writes.
    AllWin,
    /// As on a service that refuses them all, though nothing is there.
    NoneWins,
    /// The first is done, its answer is lost, and it is sent again.
    FirstAnswerLost,
    /// As on a service that is away.
    Fail,
}

/// Objects in memory, created as [`Creates`] says.
#[derive(Debug)]
pub struct Racing {
    inner: InMemory,
    creates: Creates,
    first: AtomicBool,
}

impl Racing {
    pub fn new(creates: Creates) -> Self {
        Self { inner: InMemory::new(), creates, first: AtomicBool::new(true) }
    }
}

impl fmt::Display for Racing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn taken(name: &Name) -> Error {
    let path = name.to_string();
    let source = Error::Precondition { path: path.clone(), source: "412".into() };
    Error::AlreadyExists { path, source: source.into() }
}

#[async_trait]
impl ObjectStore for Racing {
    async fn put_opts(
        &self,
        name: &Name,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        match self.creates {
            Creates::AllWin => options.mode = PutMode::Overwrite,
            Creates::NoneWins => return Err(taken(name)),
            Creates::Fail => {
                return Err(Error::Generic { store: "away", source: "no connection".into() });
            }
            Creates::FirstAnswerLost => {
                let done = self.inner.put_opts(name, payload, options).await?;
                return match self.first.swap(false, Ordering::Relaxed) {
                    true => Err(taken(name)),
                    false => Ok(done),
                };
            }
        }
        self.inner.put_opts(name, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        name: &Name,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(name, options).await
    }

    async fn get_opts(&self, name: &Name, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(name, options).await
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, Result<Name>>,
    ) -> BoxStream<'static, Result<Name>> {
        self.inner.delete_stream(names)
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
