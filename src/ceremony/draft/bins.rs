//! The next bins.

use jiff::Timestamp;

use super::DraftError;
use super::edit::set_online;
use super::targets::number;
use crate::ceremony::check::{Next, Refusal, bad_prefix, bins_report};
use crate::ceremony::parts;
use crate::tuf::{Expiry, Key, Signed, Targets, bins::MOST};

/// What a new bins changes.
#[derive(Debug, Clone, PartialEq)]
pub struct BinsChanges {
    /// The whole new set of keys that sign the bins; nothing where they stay.
    pub online: Vec<Key>,
    /// The number of bins.
    pub bins: Option<u32>,
    /// What their names begin with.
    pub prefix: Option<String>,
    /// The version, where it is not the next.
    pub number: Option<u64>,
    /// When it expires.
    pub expires: Expiry,
}

impl BinsChanges {
    /// No change but the expiry: a renewal.
    pub fn renewal(expires: Expiry) -> Self {
        Self { online: Vec::new(), bins: None, prefix: None, number: None, expires }
    }
}

/// The bins that follows `current`, or the first. Where `targets` is given, no delegation in it has the name of a bin.
///
/// # Errors
/// [`DraftError`].
pub fn bins(
    targets: Option<&Signed<Targets>>,
    current: Option<&Signed<Targets>>,
    changes: &BinsChanges,
    now: Timestamp,
) -> Result<Signed<Targets>, DraftError> {
    let current = current.map(|current| &current.signed);
    if current.is_none() && (changes.online.is_empty() || changes.bins.is_none()) {
        return Err(DraftError::FirstNeeds { role: "bins", flags: "--online and --bins" });
    }
    let bits = match changes.bins {
        Some(bins) if !bins.is_power_of_two() || !(2..=MOST).contains(&bins) => {
            return Err(DraftError::BinCount(bins));
        }
        bins => bins.map(u32::trailing_zeros),
    };
    let version = number("bins", current.map(|current| current.version), changes.number)?;
    let mut bins = match current {
        Some(current) => Targets { version, expires: changes.expires, ..current.clone() },
        None => Targets {
            delegations: Some(parts::to_each_bin([], 1, bits.unwrap_or(1), parts::PREFIX)),
            ..Targets::empty(version, changes.expires)
        },
    };
    let delegations = bins.delegations.as_mut().ok_or(DraftError::NotCurrent("bins"))?;
    let succinct = delegations.succinct_roles.as_mut().ok_or(DraftError::NotCurrent("bins"))?;
    let moved = bits.is_some_and(|bits| bits != succinct.bit_length);
    match (&changes.prefix, moved) {
        (Some(prefix), _) => {
            if let Some(why) = bad_prefix(prefix) {
                return Err(Refusal::BadName { name: prefix.clone(), why }.into());
            }
            succinct.name_prefix.clone_from(prefix);
        }
        (None, true) => succinct.name_prefix = next_prefix(&succinct.name_prefix),
        (None, false) => (),
    }
    succinct.bit_length = bits.unwrap_or(succinct.bit_length);
    set_online(&mut succinct.keyids, &mut succinct.threshold, &changes.online);
    delegations.keys.extend(parts::key_map(&changes.online));
    delegations.keys.retain(|id, _| succinct.keyids.contains(id));
    let draft = Signed { signatures: Vec::new(), signed: bins };
    match bins_report(
        targets.map(|targets| &targets.signed),
        current,
        &draft,
        Next::Free(version),
        now,
    )
    .faults
    .into_iter()
    .next()
    {
        Some(fault) => Err(fault.into()),
        None => Ok(draft),
    }
}

/// `bins2` after `bins`, `bins3` after `bins2`: never one that was there before.
fn next_prefix(prefix: &str) -> String {
    let base = prefix.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = prefix.strip_prefix(base).and_then(|digits| digits.parse::<u64>().ok());
    format!("{base}{}", number.unwrap_or(1).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::next_prefix;

    #[test]
    fn prefixes_count_up() {
        assert_eq!(next_prefix("bins"), "bins2");
        assert_eq!(next_prefix("bins2"), "bins3");
        assert_eq!(next_prefix("bins9"), "bins10");
        assert_eq!(next_prefix("b-"), "b-2");
    }
}
