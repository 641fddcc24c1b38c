//! TUF metadata (TUF specification, sections 5.2 to 5.6; consistent snapshots).

use http::request::Parts;

use super::{Answer, Problem, Proxy};
use crate::serving::document::{self, IMMUTABLE, REVALIDATE, Style};

const fn style(cache_control: &'static str) -> Style {
    Style { content_type: "application/json", cache_control, vary: "Accept-Encoding" }
}

impl Proxy {
    /// `timestamp.json`; 503 where another replica may have published and the store cannot be looked at.
    pub(super) async fn timestamp(&self, request: &Parts) -> Answer {
        let timestamp = self.repository.timestamp().await?;
        document::answer(&self.repository, request, &timestamp, style(REVALIDATE)).await
    }

    /// `<version>.<role>.json`
    ///
    /// A root that does not exist yet is a 404, which is how clients learn that they have the newest (section 5.3.3).
    pub(super) async fn metadata(&self, request: &Parts, version: u64, role: &str) -> Answer {
        let found = self.repository.metadata(version, role).await?;
        let found = found
            .ok_or_else(|| Problem::not_found(format!("There is no {version}.{role}.json")))?;
        document::answer(&self.repository, request, &found, style(IMMUTABLE)).await
    }
}
