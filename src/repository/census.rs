//! What is known of each bin without reading it again: how many targets it has, and when it expires.

use crate::tuf::{Expiry, Targets};

/// One bin, in the version that the base names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) version: u64,
    expires: Expiry,
    targets: u64,
}

impl Facts {
    pub(super) fn of(bin: &Targets) -> Self {
        let targets = bin.targets.len() as u64;
        Self { version: bin.version, expires: bin.expires, targets }
    }
}

/// All bins, by number; filled as they are read or written.
#[derive(Debug)]
pub(super) struct Census {
    bins: Vec<Option<Facts>>,
    unknown: usize,
    targets: u64,
}

impl Census {
    pub(super) fn new(bins: u64) -> Self {
        let bins = vec![None; usize::try_from(bins).unwrap_or(0)];
        Self { unknown: bins.len(), bins, targets: 0 }
    }

    /// Takes in bin `index`.
    pub(super) fn record(&mut self, index: u32, bin: &Targets) {
        self.take(index, Facts::of(bin));
    }

    /// As [`Self::record`], where no more is known of the bin.
    pub(super) fn take(&mut self, index: u32, facts: Facts) {
        let Some(known) = self.bins.get_mut(index as usize) else { return };
        let targets = facts.targets;
        match known.replace(facts) {
            Some(old) => self.targets -= old.targets,
            None => self.unknown -= 1,
        }
        self.targets += targets;
    }

    pub(super) fn len(&self) -> usize {
        self.bins.len()
    }

    /// When bin `index` expires, if `version` of it is known.
    pub(super) fn expiry(&self, index: usize, version: u64) -> Option<Expiry> {
        let facts = self.bins.get(index)?.as_ref()?;
        (facts.version == version).then_some(facts.expires)
    }

    /// The targets in all bins, once all are known.
    pub(super) fn targets(&self) -> Option<u64> {
        (self.unknown == 0).then_some(self.targets)
    }

    /// The highest version of the bins that are known.
    pub(super) fn highest_version(&self) -> u64 {
        self.bins.iter().flatten().map(|facts| facts.version).max().unwrap_or(0)
    }

    /// The earliest expiry of the bins that are known.
    pub(super) fn earliest(&self) -> Option<Expiry> {
        self.bins.iter().flatten().map(|facts| facts.expires).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuf::{Digest, TargetFile};

    #[test]
    fn counts_each_bin_once() {
        let expiry = |s: &str| Expiry::at(s.parse().unwrap());
        let mut census = Census::new(2);
        let mut bin = Targets::empty(1, expiry("2030-01-02T00:00:00Z"));
        bin.targets.insert("a".into(), TargetFile::new(Digest::of(b""), 0, None));
        census.record(0, &bin);
        assert_eq!(census.targets(), None);
        census.record(1, &Targets::empty(1, expiry("2030-01-01T00:00:00Z")));
        assert_eq!((census.targets(), census.expiry(0, 1)), (Some(1), Some(bin.expires)));
        assert_eq!(census.earliest(), Some(expiry("2030-01-01T00:00:00Z")));
        bin.targets.insert("b".into(), TargetFile::new(Digest::of(b""), 0, None));
        bin.version = 2;
        census.record(0, &bin);
        assert_eq!((census.targets(), census.expiry(0, 1)), (Some(2), None));
    }
}
