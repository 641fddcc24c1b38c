//! Flags that stand for configuration keys.
//!
//! They are taken as text: the configuration reads them as it reads variables, so that whatever is
//! wrong is said in the same words, with the flag's name.

use crate::config::Override;

/// Key to flag.
const FLAGS: [(&str, &str); 8] = [
    ("upstream.url", "--upstream"),
    ("listen", "--listen"),
    ("admin-listen", "--admin-listen"),
    ("data", "--data"),
    ("store.url", "--store"),
    ("expected-files", "--expected-files"),
    ("bins", "--bins"),
    ("no-init", "--no-init"),
];

/// The flag that sets a key.
pub fn flag_for(key: &str) -> Option<&'static str> {
    FLAGS.iter().find(|(known, _)| *known == key).map(|(_, flag)| *flag)
}

/// The override of `key`, where its flag was given.
pub(super) fn given(key: &'static str, value: &Option<String>) -> Option<Override> {
    Some(Override { key, flag: flag_for(key)?, value: value.clone()? })
}

/// Where the configuration and the data lie.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Location {
    /// The configuration file [env: COUNTERSIGN_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// The data folder [env: COUNTERSIGN_DATA] [default: ./countersign-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// The store of the repository: file:///path or s3://bucket/prefix [env: COUNTERSIGN_STORE__URL] [default: the folder
    /// repository in the data folder]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

impl Location {
    pub(super) fn overrides(&self) -> impl Iterator<Item = Override> {
        let data = given("data", &self.data);
        data.into_iter().chain(given("store.url", &self.store))
    }
}

/// How large a repository is made.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Size {
    /// How many files to expect; decides the number of bins [env: COUNTERSIGN_EXPECTED_FILES]
    #[arg(long, value_name = "N", conflicts_with = "bins")]
    pub expected_files: Option<String>,
    /// The number of bins itself, a power of two from 2 to 16384 [env: COUNTERSIGN_BINS]
    #[arg(long, value_name = "N")]
    pub bins: Option<String>,
}

impl Size {
    pub(super) fn overrides(&self) -> impl Iterator<Item = Override> {
        let files = given("expected-files", &self.expected_files);
        files.into_iter().chain(given("bins", &self.bins))
    }
}
