//! What went wrong, as answers: 403 where a check failed, 502 and 503 where something could not be had.

use std::time::Duration;

use crate::client::remote::said;
use crate::client::{ClientError, RemoteError};
use crate::serving::{Kind, Problem};
use crate::tuf::Distrust;
use crate::upstream::UpstreamError;

/// When what could not be had is worth another try.
pub(super) const SOON: Duration = Duration::from_secs(5);

const ADVICE: &str = "Nothing is passed on. If it stays so, something is wrong at the index, or on the way to it: ask its \
operator, by another way";

impl From<Distrust> for Problem {
    fn from(distrust: Distrust) -> Self {
        let Distrust { what, flaw } = &distrust;
        let title = format!("Blocked by countersign: {what} failed a check ({})", flaw.label());
        Self::new(Kind::Distrust, format!("{distrust}. {ADVICE}")).titled(title)
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Distrust(distrust) => distrust.into(),
            ClientError::Unavailable(error) => error.into(),
            ClientError::NoTarget { .. } => Self::not_found(error.to_string()),
            ClientError::State { .. }
            | ClientError::Incomplete { .. }
            | ClientError::Contended { .. }
            | ClientError::Damaged { .. }
            | ClientError::NoRoot { .. } => {
                Self::unavailable(error.to_string(), SOON).titled(NO_METADATA)
            }
        }
    }
}

impl From<RemoteError> for Problem {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Upstream(error) => failed(&error),
            RemoteError::Missing { .. } => {
                Self::upstream(format!("{error}: it is withheld, or was lost")).titled(WITHHELD)
            }
            RemoteError::TooLong { .. } | RemoteError::Broken { .. } => {
                Self::upstream(error.to_string()).titled(FAILED)
            }
        }
    }
}

const FAILED: &str = "Nothing verified: the index failed";
const UNREACHABLE: &str = "Nothing verified: the index cannot be asked now";
const WITHHELD: &str = "Nothing verified: the index does not give what it signed";
const NO_METADATA: &str = "Nothing verified: there is no trusted metadata to go by";

/// What the index's answer to a request of ours means for a client. Never 404: what is not there, verified metadata says.
pub(super) fn failed(error: &UpstreamError) -> Problem {
    let detail = said(error);
    match error {
        UpstreamError::Status { code: 404 | 410, .. } => {
            let detail = format!("{detail}, though verified metadata names it");
            Problem::upstream(detail).titled(WITHHELD)
        }
        // What the index refuses stays refused: tools try other failures again.
        UpstreamError::LoginWanted { url, code } => {
            let detail = format!(
                "{url} answered with status {code}: the index refuses it (its own log says why), or wants a login (--credentials)"
            );
            Problem::new(Kind::Blocked, detail).titled("Refused by the index")
        }
        UpstreamError::TooLarge { url, limit } => {
            let detail =
                format!("{url} is longer than {limit} bytes (endless data attack). {ADVICE}");
            Problem::new(Kind::Distrust, detail).titled("Blocked by countersign: it does not end")
        }
        UpstreamError::NotBundled { .. } => {
            let detail = format!("{detail}: make one that has it (`countersign bundle create`)");
            Problem::new(Kind::Unsigned, detail).titled("Not in the bundle")
        }
        UpstreamError::BusyUntil { wait, .. } => {
            Problem::unavailable(detail, (*wait).min(SOON)).titled(UNREACHABLE)
        }
        UpstreamError::Timeout { .. } | UpstreamError::Connect { .. } => {
            Problem::unavailable(detail, SOON).titled(UNREACHABLE)
        }
        _ => Problem::upstream(detail).titled(FAILED),
    }
}
