//! The status page: plain text, since what it shows comes from an upstream that is not trusted.

use std::fmt::{self, Write};

use jiff::Timestamp;

use super::label::Role;
use super::metrics::Metrics;
use super::readiness::Readiness;
use super::refusals::Refused;

/// Versions, expiries and what was refused.
pub(super) fn page(metrics: &Metrics, readiness: &Readiness) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, metrics, readiness);
    text
}

fn write(to: &mut String, metrics: &Metrics, readiness: &Readiness) -> fmt::Result {
    writeln!(to, "countersign {}\n", env!("CARGO_PKG_VERSION"))?;
    for check in readiness.checks() {
        let reason = check.reason.as_deref().unwrap_or("ready");
        writeln!(to, "{:<22} {}", check.name, plain(reason))?;
    }
    write_figures(to, metrics)?;
    write_roles(to, metrics)?;
    write_refusals(to, &metrics.refusals.recent())
}

fn write_figures(to: &mut String, metrics: &Metrics) -> fmt::Result {
    let upstream = if metrics.upstream_up.get() == 1 { "up" } else { "down" };
    let last = date(metrics.upstream_last_success.get() as i64);
    writeln!(to, "{:<22} {upstream}, last good answer {last}", "upstream")?;
    for (name, value) in [
        ("projects", metrics.projects.get()),
        ("targets", metrics.targets.get()),
        ("withdrawals pending", metrics.withdrawals_pending.get()),
    ] {
        writeln!(to, "{name:<22} {value}")?;
    }
    writeln!(to, "{:<22} {}", "publications", metrics.publications.get())
}

fn write_roles(to: &mut String, metrics: &Metrics) -> fmt::Result {
    writeln!(to, "\n{:<22} {:<10} expires", "role", "version")?;
    for &role in Role::ALL {
        let version = metrics.role_version.of(role).get();
        let expires = metrics.role_expiry.of(role).get();
        if role == Role::Delegated && expires == 0 {
            continue;
        }
        let soon = match metrics.role_expires_soon.of(role).get() {
            0 => "",
            _ => "  SOON",
        };
        writeln!(to, "{:<22} {version:<10} {}{soon}", role.as_str(), date(expires))?;
    }
    Ok(())
}

fn write_refusals(to: &mut String, recent: &[Refused]) -> fmt::Result {
    writeln!(to, "\nrefused since the start, newest first")?;
    for refused in recent {
        let Refused { reason, project, subject, detail, times, last } = refused;
        let (project, subject, detail) = (plain(project), plain(subject), plain(detail));
        writeln!(to, "{last:.0} {reason} {project} {subject} ({times} times): {detail}")?;
    }
    Ok(())
}

/// Unix seconds as a date; 0 was never set.
fn date(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) if seconds != 0 => time.to_string(),
        _ => "never".into(),
    }
}

/// Without line breaks and terminal controls.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
