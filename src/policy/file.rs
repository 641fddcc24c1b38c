//! One entry of a page, against what its name stood for before.

use jiff::Timestamp;

use crate::index::{CoreMetadata, File, ProjectName, belongs_to, is_distribution};
use crate::repository::{Decision, Refused, file_path};
use crate::telemetry::Refusal;
use crate::tuf::{Digest, Retired};

/// An operator's word: this name may stand for exactly these bytes from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The file's name.
    pub filename: String,
    /// The hash that is allowed.
    pub sha256: Digest,
}

/// What a name stood for before.
#[derive(Clone, Copy)]
pub(super) enum History<'a> {
    /// It is new.
    None,
    /// It is listed.
    Listed(&'a File),
    /// It was listed once.
    Retired(&'a Retired),
}

/// What an entry is judged by, beside its name's history.
pub(super) struct Rules<'a> {
    pub(super) project: &'a ProjectName,
    pub(super) allowances: &'a [Allowance],
    pub(super) now: Timestamp,
}

impl<'a> History<'a> {
    fn sha256(&self) -> Option<Digest> {
        match self {
            Self::None => None,
            Self::Listed(file) => sha256(file),
            Self::Retired(retired) => Some(retired.sha256),
        }
    }

    /// The hash of the core metadata that was signed with the file.
    fn core_metadata(&self) -> Option<Digest> {
        match self {
            Self::None => None,
            Self::Listed(file) => core_sha256(&file.core_metadata),
            Self::Retired(retired) => retired.core_metadata,
        }
    }

    fn listed(&self) -> Option<&'a File> {
        match self {
            Self::Listed(file) => Some(file),
            _ => None,
        }
    }
}

impl Rules<'_> {
    /// What becomes of `shown`: it is listed as this, or not at all.
    pub(super) fn judge(
        &self,
        shown: &File,
        history: History<'_>,
        decision: &mut Decision,
    ) -> Option<File> {
        if let Some(why) = misnamed(self.project, &shown.filename) {
            decision.refused.push(Refused {
                project: self.project.clone(),
                filename: Some(shown.filename.clone()),
                reason: Refusal::BadName.as_str().into(),
                expected: None,
                found: Some(why),
            });
            return None;
        }
        let old = history.listed();
        let Some(found) = sha256(shown) else {
            return match old {
                // Nothing that the mirror says of the file has changed.
                Some(old) if tells_the_same(shown, old) => {
                    let mut shown = shown.clone();
                    shown.hashes.extend(old.hashes.get_key_value("sha256").map(owned));
                    Some(self.complete(shown, history, false, decision))
                }
                // It is to be hashed first.
                old => old.cloned(),
            };
        };
        let allowed = self.allows(&shown.filename, found);
        match history.sha256() {
            Some(expected) if expected != found && !allowed => {
                let reason =
                    if old.is_some() { Refusal::ChangedHash } else { Refusal::RetiredName };
                decision.refused.push(self.refused(&shown.filename, reason, expected, found));
                return old.cloned();
            }
            Some(expected) if expected != found => {
                decision.allowed.push((shown.filename.clone(), Some(expected), found));
                return Some(self.complete(shown.clone(), History::None, true, decision));
            }
            _ => {}
        }
        Some(self.complete(shown.clone(), history, allowed, decision))
    }

    /// Fills in what the mirror does not say, and pins the core metadata. The file's bytes are those of `history`.
    fn complete(
        &self,
        mut file: File,
        history: History<'_>,
        allowed: bool,
        decision: &mut Decision,
    ) -> File {
        let old = history.listed();
        file.size = file.size.or_else(|| old?.size);
        let first_seen = || Some(format!("{:.0}", self.now));
        file.upload_time =
            file.upload_time.or_else(|| old?.upload_time.clone()).or_else(first_seen);
        let Some(expected) = history.core_metadata() else { return file };
        let kept = || old.map_or_else(|| pinned(expected), |old| old.core_metadata.clone());
        match core_sha256(&file.core_metadata) {
            Some(found) if found != expected && allowed => {
                let hashes = sha256(&file).unwrap_or(found);
                decision.allowed.push((file.filename.clone(), Some(hashes), hashes));
            }
            Some(found) if found != expected => {
                let name = format!("{}.metadata", file.filename);
                decision.refused.push(self.refused(&name, Refusal::ChangedHash, expected, found));
                file.core_metadata = kept();
            }
            None if file.core_metadata == CoreMetadata::Unhashed => {
                file.core_metadata = kept();
            }
            _ => {}
        }
        file
    }

    fn allows(&self, filename: &str, sha256: Digest) -> bool {
        let given = |a: &Allowance| a.filename == filename && a.sha256 == sha256;
        self.allowances.iter().any(given)
    }

    fn refused(&self, filename: &str, reason: Refusal, expected: Digest, found: Digest) -> Refused {
        Refused {
            project: self.project.clone(),
            filename: Some(filename.to_owned()),
            reason: reason.as_str().into(),
            expected: Some(expected),
            found: Some(found.to_string()),
        }
    }
}

/// Why nobody could ask for a file of this name, if so. What is no distribution of this project is passed over by
/// every installer.
pub(crate) fn misnamed(project: &ProjectName, filename: &str) -> Option<String> {
    if let Err(error) = file_path(project, filename) {
        Some(error.to_string())
    } else if !belongs_to(filename, project) {
        Some("its name is not one of this project".to_owned())
    } else if !is_distribution(filename) {
        Some("its name is not that of a distribution".to_owned())
    } else {
        None
    }
}

/// The file's SHA-256.
pub(super) fn sha256(file: &File) -> Option<Digest> {
    file.sha256()?.parse().ok()
}

fn core_sha256(core_metadata: &CoreMetadata) -> Option<Digest> {
    match core_metadata {
        CoreMetadata::Hashes(hashes) => hashes.get("sha256")?.parse().ok(),
        _ => None,
    }
}

/// Core metadata as it was signed. To leave it out would forget it.
fn pinned(sha256: Digest) -> CoreMetadata {
    CoreMetadata::Hashes([("sha256".to_owned(), sha256.to_string())].into())
}

/// Whether all that the mirror says of the bytes of `shown`, which has no SHA-256, holds for `old`.
pub(crate) fn tells_the_same(shown: &File, old: &File) -> bool {
    let same = |(name, hash): (&String, &String)| old.hashes.get(name) == Some(hash);
    let size = shown.size.is_none_or(|size| old.size.is_none_or(|old| old == size));
    shown.hashes.iter().all(same) && size
}

fn owned((name, hash): (&String, &String)) -> (String, String) {
    (name.clone(), hash.clone())
}
