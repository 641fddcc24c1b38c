//! Structured logs, to standard error, with times in UTC.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::{MakeWriter, Subscriber as Formatter};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is none.
    #[error(
        "{text:?} is no log filter: {reason}; write \"debug\" or \"info,countersign::watch=debug\""
    )]
    Filter {
        /// The filter.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This process logs already.
    #[error("logging is started already: {0}")]
    Started(#[from] TryInitError),
}

/// Starts logging for this process, to standard error.
///
/// `filter` is in the syntax of `tracing-subscriber`'s `EnvFilter`: `info`, `warn,countersign::watch=debug`.
///
/// # Errors
/// [`LogError`] when the filter is none, or logging was started before.
pub fn init(format: Format, filter: &str) -> Result<(), LogError> {
    let terminal = io::stderr().is_terminal();
    let format = match format {
        Format::Auto if terminal => Format::Text,
        Format::Auto => Format::Json,
        chosen => chosen,
    };
    subscriber(format, filter, terminal, io::stderr)?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    format: Format,
    filter: &str,
    colours: bool,
    to: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { text: filter.into(), reason: error.to_string() })?;
    let builder = Formatter::builder().with_env_filter(parsed).with_writer(to).with_ansi(colours);
    Ok(match format {
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
        Format::Text | Format::Auto => Box::new(builder.finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, filter, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(file = "a.whl", "seen");
            tracing::debug!("detail");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_hold_fields_and_a_utc_time() {
        let line: serde_json::Value = serde_json::from_str(&logged(Format::Json, "info")).unwrap();
        assert_eq!(line["file"], "a.whl");
        assert_eq!(line["message"], "seen");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        assert_eq!(logged(Format::Text, "info").lines().count(), 1);
        assert_eq!(logged(Format::Text, "debug").lines().count(), 2);
        assert_eq!(logged(Format::Text, "error"), "");
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = subscriber(Format::Text, "a=loud", false, io::stderr).err().unwrap();
        assert!(error.to_string().contains("\"a=loud\""), "{error}");
    }
}
