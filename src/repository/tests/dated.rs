//! A store whose dates come from a clock that tests turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::store::Store;
use crate::time::Clock;

/// Called with the name of each object that is read.
type Hook = Box<dyn FnMut(&str) + Send>;

/// Objects with dates of their own.
pub struct Dated {
    inner: Arc<dyn ObjectStore>,
    clock: Clock,
    dates: Arc<Mutex<HashMap<Name, SystemTime>>>,
    hook: Mutex<Option<Hook>>,
}

impl Dated {
    pub fn over(inner: Arc<dyn ObjectStore>, clock: Clock) -> Arc<Self> {
        Arc::new(Self { inner, clock, dates: Arc::default(), hook: Mutex::new(None) })
    }

    /// The store that it makes.
    pub fn store(self: &Arc<Self>) -> Store {
        Store::over_objects(self.clone())
    }

    /// From now on `hook` is called before each read.
    pub fn on_read(&self, hook: impl FnMut(&str) + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    /// `name` is as if it were written now.
    pub fn touch(&self, name: &str) {
        self.date(&Name::from(name));
    }

    fn date(&self, name: &Name) {
        self.dates.lock().unwrap().insert(name.clone(), SystemTime::from(self.clock.now()));
    }
}

fn dated(dates: &Mutex<HashMap<Name, SystemTime>>, meta: &mut ObjectMeta) {
    if let Some(date) = dates.lock().unwrap().get(&meta.location) {
        meta.last_modified = (*date).into();
    }
}

impl fmt::Debug for Dated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dated")
    }
}

impl fmt::Display for Dated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dated")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Dated {
    async fn put_opts(
        &self,
        name: &Name,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(name, payload, options).await?;
        self.date(name);
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        name: &Name,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(name, options).await
    }

    async fn get_opts(&self, name: &Name, options: GetOptions) -> Result<GetResult> {
        if let Some(hook) = &mut *self.hook.lock().unwrap() {
            hook(name.as_ref());
        }
        let mut got = self.inner.get_opts(name, options).await?;
        dated(&self.dates, &mut got.meta);
        Ok(got)
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, Result<Name>>,
    ) -> BoxStream<'static, Result<Name>> {
        self.inner.delete_stream(names)
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        let dates = self.dates.clone();
        let listed = self.inner.list(prefix).map(move |listed| {
            let mut listed = listed?;
            dated(&dates, &mut listed);
            Ok(listed)
        });
        listed.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
