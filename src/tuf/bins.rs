//! Hash bins: `succinct_roles` (TAP 15).

use super::fields::open_struct;
use super::{Digest, KeyId};

open_struct! {
    /// 2^`bit_length` bins, all signed by the same keys; a target's bin is given by the first bits of the SHA-256
    /// of its path.
    pub struct SuccinctRoles {
        /// Number of bits, 1 to 32.
        "bit_length" => bit_length: u32,
        /// The keys that may sign a bin.
        "keyids" => keyids: Vec<KeyId>,
        /// What a bin's name begins with.
        "name_prefix" => name_prefix: String,
        /// How many keys must sign a bin.
        "threshold" => threshold: u64,
    }
}

/// The fewest bins that are made unasked.
const FEWEST: u64 = 16;
/// The number of bins where nothing tells how many targets there will be.
pub const UNTOLD: u32 = 1024;
/// The most bins: the snapshot of more does not fit into what clients take.
pub const MOST: u32 = 16_384;

/// The number of bins at which a client's cost (one bin and one snapshot) is lowest for `targets` targets:
/// about sqrt(14 · targets), as a power of two from 16 to 16,384.
pub fn best_count(targets: u64) -> u32 {
    let root = targets.saturating_mul(14).isqrt().max(1);
    let below = 1u64 << root.ilog2();
    // The nearer power of two, by ratio: above sqrt(2) times the lower one, the upper.
    let best = if root * root > 2 * below * below { below * 2 } else { below };
    best.clamp(FEWEST, MOST.into()) as u32
}

impl SuccinctRoles {
    /// How many bins there are.
    pub fn count(&self) -> u64 {
        1u64 << self.bit_length.min(32)
    }

    /// The number of the bin that `path` belongs to.
    pub fn index_of(&self, path: &str) -> u32 {
        let [a, b, c, d, ..] = *Digest::of(path.as_bytes()).as_bytes();
        let first = u64::from(u32::from_be_bytes([a, b, c, d]));
        (first >> (32 - self.bit_length.min(32))) as u32
    }

    /// The name of bin `index`: the prefix, `-`, and hex as wide as the last bin's number.
    pub fn name(&self, index: u32) -> String {
        let width = format!("{:x}", self.count() - 1).len();
        format!("{}-{index:0width$x}", self.name_prefix)
    }

    /// The name of the bin that `path` belongs to.
    pub fn bin_of(&self, path: &str) -> String {
        self.name(self.index_of(path))
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.count()).map(|index| self.name(index as u32))
    }

    /// Whether its bins have the same names as those of `other`.
    pub fn has_the_names_of(&self, other: &Self) -> bool {
        (self.bit_length, &self.name_prefix) == (other.bit_length, &other.name_prefix)
    }

    /// Whether `name` is the name of one of the bins.
    pub fn has(&self, name: &str) -> bool {
        name.strip_prefix(self.name_prefix.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .is_some_and(|index| u64::from(index) < self.count() && self.name(index) == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bins(bit_length: u32) -> SuccinctRoles {
        SuccinctRoles {
            bit_length,
            keyids: vec![],
            name_prefix: "bins".into(),
            threshold: 1,
            extra: Default::default(),
        }
    }

    #[test]
    fn names_are_as_wide_as_the_last() {
        assert_eq!(bins(14).name(0), "bins-0000");
        assert_eq!(bins(14).name(16_383), "bins-3fff");
        assert_eq!(bins(4).names().last().unwrap(), "bins-f");
        assert_eq!(bins(5).name(1), "bins-01");
    }

    /// TAP 15 as python-tuf computes it: SuccinctRoles([], 1, 8, "bin").get_role_for_target("Hello") and others.
    #[test]
    fn a_bin_is_the_first_bits_of_the_hash() {
        // sha256("Hello") = 185f8db3…
        assert_eq!(bins(8).bin_of("Hello"), "bins-18");
        assert_eq!(bins(4).bin_of("Hello"), "bins-1");
        assert_eq!(bins(1).bin_of("Hello"), "bins-0");
        assert_eq!(bins(32).bin_of("Hello"), "bins-185f8db3");
    }

    #[test]
    fn best_count_is_a_power_of_two_within_bounds() {
        assert_eq!(best_count(0), 16);
        assert_eq!(best_count(100), 32);
        assert_eq!(best_count(75_000), 1024);
        assert_eq!(best_count(16_000_000), 16_384);
        assert_eq!(best_count(u64::MAX), 16_384);
    }

    proptest! {
        #[test]
        fn every_path_has_one_existing_bin(path in ".{0,40}", bits in 1u32..=14) {
            let bins = bins(bits);
            prop_assert!(u64::from(bins.index_of(&path)) < bins.count());
            prop_assert!(bins.has(&bins.bin_of(&path)));
        }

        #[test]
        fn only_real_names_are_bins(name in "(bins|bin)-[0-9a-fA-F]{0,5}") {
            let bins = bins(6);
            prop_assert_eq!(bins.has(&name), bins.names().any(|n| n == name));
        }
    }
}
