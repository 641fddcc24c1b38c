//! Which failures are tried again, and when.

use std::time::{Duration, SystemTime};

use backon::{ExponentialBuilder, Retryable as _};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::UpstreamError;
use super::url_text::redacted;

/// Tries after the first.
const RETRIES: usize = 2;
/// Before the first retry; later ones wait longer.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A mirror that asks for a longer pause is not waited for here.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// No `Retry-After` is believed beyond this.
const LONGEST_BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs `attempt` up to three times, `within` that time altogether.
pub(super) async fn retrying<T, F, Fut>(
    url: &Url,
    within: Duration,
    attempt: F,
) -> Result<T, UpstreamError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, UpstreamError>>,
{
    let deadline = Instant::now() + within;
    let backoff = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(RETRIES)
        .with_jitter();
    let tries = attempt
        .retry(backoff)
        .when(UpstreamError::is_transient)
        .adjust(|error, pause| pace(error, pause, deadline - Instant::now()))
        .notify(|error, pause| tracing::debug!(%error, ?pause, "asking the mirror again"));
    timeout_at(deadline, tries).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { url: redacted(url), what: "the whole answer", limit: within })
    })
}

/// The pause before the next try; `None` where `left` does not leave room for it.
fn pace(error: &UpstreamError, pause: Option<Duration>, left: Duration) -> Option<Duration> {
    let asked = match error {
        UpstreamError::BusyUntil { wait, .. } => *wait,
        _ => Duration::ZERO,
    };
    let pause = pause?.max(asked);
    (pause <= LONGEST_PAUSE && pause < left).then_some(pause)
}

/// How long the mirror asks to wait (RFC 9110 10.2.3): seconds, or a date, counted from the answer's own date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    let text = value.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = headers.get(DATE).and_then(date).unwrap_or_else(now);
            Duration::try_from(date(value)?.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_BELIEVED))
}

fn date(value: &HeaderValue) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(value.to_str().ok()?.trim()).ok()
}

fn now() -> Timestamp {
    SystemTime::now().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        headers.insert(DATE, HeaderValue::from_static("Sun, 22 Nov 2026 13:43:52 GMT"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 22 Nov 2026 13:45:52 GMT"), Some(Duration::from_secs(120)));
        assert_eq!(after("Sun, 22 Nov 2026 13:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("99999999999"), Some(LONGEST_BELIEVED));
        for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn pauses_fit_into_what_is_left() {
        let url = String::new();
        let seconds = Duration::from_secs;
        let busy =
            |wait| UpstreamError::BusyUntil { url: url.clone(), code: 429, wait: seconds(wait) };
        let broken = UpstreamError::Truncated { url: url.clone() };
        assert_eq!(pace(&broken, Some(seconds(1)), seconds(60)), Some(seconds(1)));
        assert_eq!(pace(&broken, None, seconds(60)), None, "no try is left");
        assert_eq!(pace(&busy(5), Some(seconds(1)), seconds(60)), Some(seconds(5)));
        assert_eq!(pace(&busy(30), Some(seconds(1)), seconds(60)), Some(seconds(30)));
        assert_eq!(pace(&busy(31), Some(seconds(1)), seconds(60)), None);
        assert_eq!(pace(&busy(5), Some(seconds(1)), seconds(4)), None);
    }
}
