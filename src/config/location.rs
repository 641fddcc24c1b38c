//! Where the repository lies: `store.url`, read.

use std::fmt;
use std::path::{Path, PathBuf};

use object_store::path::Path as Name;
use url::Url;

use super::Config;

/// The folder of the repository, where `store.url` names no other, below the data folder.
const REPOSITORY: &str = "repository";

/// Where a repository lies. Shown, it has no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of an object storage service.
    Bucket {
        /// Whose protocol it speaks.
        service: Service,
        /// The URL without its path: `s3://bucket`.
        bucket: Url,
        /// What every name begins with; empty for the whole bucket.
        prefix: Name,
    },
}

/// A kind of object storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3, and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Service {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Google),
            "az" | "abfs" => Some(Self::Azure),
            _ => None,
        }
    }

    /// Whether this build has it; the Cargo feature that brings it.
    fn feature(self) -> (bool, &'static str) {
        match self {
            Self::S3 => (cfg!(feature = "aws"), "aws"),
            Self::Google => (cfg!(feature = "gcp"), "gcp"),
            Self::Azure => (cfg!(feature = "azure"), "azure"),
        }
    }
}

/// Why a `store.url` is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LocationError(String);

const SHAPE: &str = "it must be a URL as file:///srv/repository or s3://bucket/prefix";

const WHOLE: &str =
    "a folder is named by its whole path, after three slashes: file:///srv/repository";

impl StoreLocation {
    /// As configured: `store.url`, else the folder `repository` in the data folder.
    ///
    /// # Errors
    /// [`LocationError`]: never for a configuration that was loaded.
    pub fn of(config: &Config) -> Result<Self, LocationError> {
        match &config.store.url {
            Some(url) => Self::parse(url),
            None => Ok(Self::Folder(config.data.join(REPOSITORY))),
        }
    }

    /// Reads `file:///path`, `s3://bucket/prefix` or, where the build has them, `gs://…`, `az://…` and `abfs://…`.
    ///
    /// # Errors
    /// [`LocationError`]: what it must be.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let refused = |reason: &str| Err(LocationError(reason.to_owned()));
        let Ok(url) = Url::parse(text) else { return refused(SHAPE) };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("credentials belong into the environment, as AWS_ACCESS_KEY_ID");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("a store has neither '?' nor '#' in its URL");
        }
        match (url.scheme(), Service::of(url.scheme())) {
            ("file", _) if !text.starts_with("file:///") => refused(WHOLE),
            ("file", _) => folder(&url),
            (_, Some(service)) => bucket(url, service),
            (scheme, None) => {
                Err(LocationError(format!("there are no stores of {scheme}: {SHAPE}")))
            }
        }
    }

    /// Whether several processes may write to it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Bucket { .. })
    }
}

fn folder(url: &Url) -> Result<StoreLocation, LocationError> {
    let path = url.to_file_path().ok().filter(|path| path != Path::new("/"));
    let path = path.filter(|_| url.host_str().is_none());
    path.map(StoreLocation::Folder).ok_or_else(|| LocationError(WHOLE.into()))
}

fn bucket(mut url: Url, service: Service) -> Result<StoreLocation, LocationError> {
    let (built, feature) = service.feature();
    if !built {
        let scheme = url.scheme();
        return Err(LocationError(format!(
            "this build has no stores of {scheme}: build one that has, with `cargo build --release --features {feature}`"
        )));
    }
    if url.host_str().is_none_or(str::is_empty) || url.port().is_some() {
        let scheme = url.scheme();
        return Err(LocationError(format!(
            "it must name a bucket, and perhaps a prefix: {scheme}://bucket/prefix"
        )));
    }
    let prefix = Name::from_url_path(url.path())
        .map_err(|error| LocationError(format!("its path is no prefix of names ({error})")))?;
    url.set_path("");
    Ok(StoreLocation::Bucket { service, bucket: url, prefix })
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket { bucket, prefix, .. } => {
                write!(f, "{}/{prefix}", bucket.as_str().trim_end_matches('/'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets_are_read() {
        for (text, shown, shared) in [
            ("file:///srv/a%20b", "/srv/a b", false),
            ("file://localhost/srv/a", "/srv/a", false),
            ("s3://bucket", "s3://bucket/", true),
            ("s3://bucket/", "s3://bucket/", true),
            ("s3://My_bucket.x/a/b/", "s3://My_bucket.x/a/b", true),
        ] {
            let location = StoreLocation::parse(text).unwrap();
            assert_eq!((location.to_string().as_str(), location.is_shared()), (shown, shared));
        }
        let StoreLocation::Bucket { prefix, .. } = StoreLocation::parse("s3://b/x/y/").unwrap()
        else {
            panic!("no bucket")
        };
        assert_eq!(prefix.as_ref(), "x/y");
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for (text, part) in [
            ("./repository", "it must be a URL"),
            ("file://srv/repository", "after three slashes"),
            ("file:///", "after three slashes"),
            ("http://host/x", "there are no stores of http"),
            ("s3:///prefix", "name a bucket"),
            ("s3:bucket/prefix", "name a bucket"),
            ("s3://bucket:1/prefix", "name a bucket"),
            ("s3://bucket/a//b", "no prefix of names"),
            ("s3://bucket/a%2F..%2Fb", "no prefix of names"),
            ("s3://key:secret@bucket/", "belong into the environment"),
            ("s3://bucket/?x=1", "neither '?' nor '#'"),
        ] {
            let error = StoreLocation::parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_store_that_is_not_built_in_says_how_to_build_it() {
        for (text, feature, built) in [
            ("gs://bucket/x", "gcp", cfg!(feature = "gcp")),
            ("az://container/x", "azure", cfg!(feature = "azure")),
            ("abfs://container/x", "azure", cfg!(feature = "azure")),
        ] {
            match StoreLocation::parse(text) {
                Ok(_) => assert!(built, "{text}"),
                Err(error) => assert!(!built && error.to_string().contains(feature), "{error}"),
            }
        }
    }

    #[test]
    fn without_a_url_it_lies_in_the_data_folder() {
        let location = StoreLocation::of(&Config::default()).unwrap();
        assert_eq!(location.to_string(), "./countersign-data/repository");
    }
}
