//! Clients of object storage services, bounded in time.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use super::StoreError;
use super::open::not_built;
use crate::config::{Service, StoreLocation};

/// Until a connection stands.
const CONNECT: &str = "5 seconds";
/// Until a request is answered whole.
const REQUEST: &str = "10 seconds";

/// 5xx, 429 and failed connections are tried again, timeouts only of what may be repeated. No try begins later than some
/// six seconds after the first, so that an operation fails within some sixteen.
///
/// A create that is tried again may find what the first try created.
fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.,
    };
    RetryConfig { backoff, max_retries: 4, retry_timeout: Duration::from_secs(5) }
}

const BOUNDS: [(ClientConfigKey, &str); 2] =
    [(ClientConfigKey::ConnectTimeout, CONNECT), (ClientConfigKey::Timeout, REQUEST)];

/// The objects below the prefix of `location`, which must be a bucket.
pub(super) fn open(location: &StoreLocation) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let client = |source| StoreError::Client { location: Box::new(location.clone()), source };
    let StoreLocation::Bucket { service, bucket, prefix } = location else {
        return Err(not_built(location));
    };
    match service {
        #[cfg(feature = "aws")]
        Service::S3 => Ok(within(s3(bucket)?.build().map_err(client)?, prefix)),
        #[cfg(feature = "gcp")]
        Service::Google => Ok(within(google(bucket).build().map_err(client)?, prefix)),
        #[cfg(feature = "azure")]
        Service::Azure => Ok(within(azure(bucket).build().map_err(client)?, prefix)),
        #[allow(unreachable_patterns)]
        _ => Err(not_built(location)),
    }
}

fn within(objects: impl ObjectStore, prefix: &Name) -> Arc<dyn ObjectStore> {
    Arc::new(PrefixStore::new(objects, prefix.clone()))
}

#[cfg(feature = "aws")]
fn s3(bucket: &Url) -> Result<object_store::aws::AmazonS3Builder, StoreError> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, S3ConditionalPut};

    let builder = AmazonS3Builder::from_env()
        .with_url(bucket.as_str())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retries());
    let value = |key| builder.get_config_value(&key);
    let endpoint = value(Key::S3Endpoint).or(value(Key::Endpoint)).unwrap_or_default();
    let plain = value(Key::Client(ClientConfigKey::AllowHttp)).unwrap_or_default();
    let allowed = matches!(plain.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y");
    if endpoint.starts_with("http://") && !allowed {
        return Err(StoreError::Plain(crate::config::redacted(&endpoint)));
    }
    let bound = |builder: AmazonS3Builder, (key, time)| builder.with_config(Key::Client(key), time);
    Ok(BOUNDS.into_iter().fold(builder, bound))
}

#[cfg(feature = "gcp")]
fn google(bucket: &Url) -> object_store::gcp::GoogleCloudStorageBuilder {
    use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};

    let builder =
        GoogleCloudStorageBuilder::from_env().with_url(bucket.as_str()).with_retry(retries());
    BOUNDS
        .into_iter()
        .fold(builder, |builder, (key, time)| builder.with_config(Key::Client(key), time))
}

#[cfg(feature = "azure")]
fn azure(bucket: &Url) -> object_store::azure::MicrosoftAzureBuilder {
    use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};

    let builder = MicrosoftAzureBuilder::from_env().with_url(bucket.as_str()).with_retry(retries());
    BOUNDS
        .into_iter()
        .fold(builder, |builder, (key, time)| builder.with_config(Key::Client(key), time))
}
