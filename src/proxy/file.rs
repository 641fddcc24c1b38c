//! Distribution files, as the signed pages pin them.

use http::request::Parts;

use super::source::Listed;
use super::{Answer, Proxy};
use crate::index::ProjectName;
use crate::serving::Bare;
use crate::serving::route::{Named, Part};
use crate::tuf::Digest;

impl Proxy {
    /// A file by its target path, or what belongs to it.
    pub(super) async fn file_target(
        &self,
        request: &Parts,
        project: &ProjectName,
        named: &Named,
        pin: Option<Digest>,
    ) -> Answer {
        let listed = self.listed(project, &named.filename, pin).await?;
        if pin.is_some() && pin != listed.digest().ok() {
            return Err(listed.missing());
        }
        match named.part {
            Part::Whole => self.file(request, &listed, Bare::Given).await,
            Part::CoreMetadata => self.core_metadata(request, &listed).await,
            Part::Signature => self.signature(request, &listed).await,
            Part::Provenance => self.provenance(request, &listed).await,
        }
    }

    /// A file at a path of the mirror's own, or its core metadata; `None` where no signed page lists it.
    pub(super) async fn upstream_file(&self, request: &Parts, named: &Named) -> Option<Answer> {
        let listed = match self.listed_at(request, &named.filename).await {
            Ok(listed) => listed?,
            Err(problem) => return Some(Err(problem)),
        };
        Some(match named.part {
            // Before we came, the mirror itself may have answered here.
            Part::Whole => self.file(request, &listed, Bare::Ignored).await,
            _ => self.core_metadata(request, &listed).await,
        })
    }

    async fn file(&self, request: &Parts, listed: &Listed, bare: Bare) -> Answer {
        let pinned = self.pinned(listed).await?;
        if let Some(answer) = self.0.files.kept(request, &pinned, bare).await {
            return answer;
        }
        let source = self.source(&listed.project, &listed.file.filename).await?;
        self.0.files.fetched(request, &pinned, bare, &self.at(source.url)).await
    }
}
