//! Flags of the commands that verify an index.

use std::path::PathBuf;
use std::time::Duration;

use super::Usage;
use crate::client::folders;
use crate::client::session::{SessionError, SessionOptions, repository_url};
use crate::config::units::duration;
use crate::tuf::Digest;

/// Which index, and what is trusted of it.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Index {
    /// The sidecar's simple index, as pip's --index-url names it
    #[arg(long, value_name = "URL")]
    pub index: Option<String>,
    /// How it is reached, and what is trusted of it.
    #[command(flatten)]
    pub access: Access,
}

/// How an index is reached, and what is trusted of it.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Access {
    /// The root to trust (its 1.root.json); it is pinned at the first use
    #[arg(long, value_name = "FILE", conflicts_with = "root_sha256")]
    pub root: Option<PathBuf>,
    /// The SHA-256 of the root to trust, which is fetched from the repository; it is pinned at the first use
    #[arg(long, value_name = "HEX")]
    pub root_sha256: Option<Digest>,
    /// The repository, the URL that ends in /tuf/ [default: what the index names]
    #[arg(long, value_name = "URL")]
    pub tuf: Option<String>,
    /// Certificate authorities (PEM), added to the machine's own
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// A file with user:password in its first line, or a netrc file
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// How long is waited for an answer, or for a body that is silent or slower than 1 KiB/s; twice that for metadata or a
    /// page as a whole [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = patience)]
    pub timeout: Option<Duration>,
    /// Where pinned roots and trusted metadata lie [default: $XDG_DATA_HOME/countersign, ~/.local/share/countersign]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Index {
    /// What is to be opened.
    ///
    /// # Errors
    /// Where no index is named, or a flag cannot be used.
    pub fn options(&self) -> anyhow::Result<SessionOptions> {
        let missing = || Usage("name the sidecar's index with --index URL".into());
        self.access.options(self.index.as_deref().ok_or_else(missing)?)
    }
}

impl Access {
    /// What is to be opened of `index`.
    ///
    /// # Errors
    /// Where a flag cannot be used.
    pub fn options(&self, index: &str) -> anyhow::Result<SessionOptions> {
        Ok(SessionOptions {
            index: index.to_owned(),
            root: self.root.clone(),
            root_sha256: self.root_sha256,
            tuf: self.tuf.as_deref().map(repository_url).transpose().map_err(refused)?,
            ca_file: self.ca_file.clone(),
            credentials: self.credentials.clone(),
            timeout: self.timeout,
            data: data(self.data.as_ref()).map_err(refused)?,
        })
    }
}

/// A time to wait, which is some time.
fn patience(text: &str) -> Result<Duration, &'static str> {
    let time = duration::parse(text)?;
    if time.is_zero() { Err("nothing comes in no time") } else { Ok(time) }
}

/// The folder that `--data` names, or the user's own.
///
/// # Errors
/// [`SessionError::NoHome`].
pub fn data(given: Option<&PathBuf>) -> Result<PathBuf, SessionError> {
    match given {
        Some(data) => Ok(data.clone()),
        None => Ok(folders::data(|name| std::env::var_os(name))?),
    }
}

/// The same error; where the command was wrongly called, one that ends with exit code 2.
pub fn refused(error: SessionError) -> anyhow::Error {
    match error.is_misuse() {
        true => Usage(error.to_string()).into(),
        false => error.into(),
    }
}
