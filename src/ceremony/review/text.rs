//! A review for people.

use jiff::Timestamp;

use super::{Review, StandingView};
use crate::ceremony::words::{list, plain};

/// The review in plain words, some lines long.
pub fn text(review: &Review, now: Timestamp) -> String {
    let Review { role, version, from, expires, .. } = review;
    let days = expires.time().duration_since(now).as_hours() / 24;
    let follows = match from {
        Some(from) => format!("follows {role} {from}"),
        None if *version == 1 => "the first".into(),
        None => "compared with nothing".into(),
    };
    let mut lines = vec![
        format!("{role} {version}, {follows}"),
        format!("  expires {expires}, in {days} days"),
        format!("  what is signed has the SHA-256 {}", review.sha256),
    ];
    if let Some(bins) = &review.bins {
        lines.push(format!("  {} bins, called {}-…", bins.count, plain(&bins.prefix)));
    }
    lines.push(String::new());
    lines.push("What changes:".into());
    match review.changes.is_empty() {
        true => lines.push("  nothing but the version".into()),
        false => lines.extend(review.changes.iter().map(|change| format!("  {change}"))),
    }
    lines.push(String::new());
    lines.push("Who may sign from then on:".into());
    for role in &review.roles {
        let keys = list(role.keys.iter().map(|key| key.short()));
        let (name, threshold) = (super::view::role_name(&role.name), role.threshold);
        lines.push(format!("  {name}: {threshold} of {}: {keys}", role.keys.len()));
    }
    lines.push(String::new());
    lines.push("Who has signed:".into());
    match review.signatures.is_empty() {
        true => lines.push("  nothing says who must".into()),
        false => lines.extend(review.signatures.iter().flat_map(standing)),
    }
    section(&mut lines, "Warnings:", review.warnings.iter().map(|warning| warning.text.clone()));
    section(&mut lines, "It would be refused:", review.refused.iter().cloned());
    if review.complete {
        lines.extend([String::new(), "Enough have signed: it can be published.".into()]);
    }
    lines.join("\n")
}

fn section(lines: &mut Vec<String>, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<_> = items.map(|item| format!("  {item}")).collect();
    if !items.is_empty() {
        lines.extend([String::new(), title.into()]);
        lines.extend(items);
    }
}

fn standing(standing: &StandingView) -> [String; 3] {
    let StandingView { by, threshold, lacking, signed, missing } = standing;
    let still = match lacking {
        0 => "enough".into(),
        more => format!("{more} more must"),
    };
    [
        format!("  by the keys of {by}, {threshold} must: {still}"),
        format!("    signed: {}", list(signed.iter().map(|key| key.short()))),
        format!("    not yet: {}", list(missing.iter().map(|key| key.short()))),
    ]
}
