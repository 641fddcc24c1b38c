//! Hashes as indexes write them.

use std::collections::BTreeMap;

/// More hashes a file than any index gives; bounds memory.
const MOST: usize = 8;

/// Hash algorithm to lower-case hex digest.
pub(super) type Hashes = BTreeMap<String, String>;

/// Adds a hash, in lower case. What is no hash (an odd name, a digest that is not hex or too
/// short) is passed over.
///
/// # Errors
/// Where the algorithm is SHA-256 and the digest is none: such an entry cannot be trusted.
pub(super) fn add(hashes: &mut Hashes, algorithm: &str, digest: &str) -> Result<(), &'static str> {
    let algorithm = algorithm.trim().to_ascii_lowercase();
    let digest = digest.trim().to_ascii_lowercase();
    if algorithm == "sha256" && !(is_hex(&digest) && digest.len() == 64) {
        return Err("its SHA-256 is not 64 hex digits");
    }
    let room = hashes.len() < MOST || algorithm == "sha256";
    if room && is_algorithm(&algorithm) && is_hex(&digest) && (32..=256).contains(&digest.len()) {
        hashes.insert(algorithm, digest);
    }
    Ok(())
}

/// Reads `<algorithm>=<digest>`, as fragments and attributes have it.
pub(super) fn add_pair(hashes: &mut Hashes, pair: &str) -> Result<(), &'static str> {
    match pair.split_once('=') {
        Some((algorithm, digest)) => add(hashes, algorithm, digest),
        None => Ok(()),
    }
}

/// The hash that HTML carries, as `<algorithm>=<digest>`: SHA-256 before all others.
pub(super) fn pair(hashes: &Hashes) -> Option<String> {
    let (algorithm, digest) =
        hashes.get_key_value("sha256").or_else(|| hashes.first_key_value())?;
    Some(format!("{algorithm}={digest}"))
}

fn is_algorithm(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    !name.is_empty() && name.len() <= 32 && name.bytes().all(allowed)
}

fn is_hex(digest: &str) -> bool {
    digest.len().is_multiple_of(2) && digest.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_hashes_in_lower_case_and_passes_over_the_rest() {
        let mut hashes = Hashes::new();
        add(&mut hashes, "SHA256", &"AB".repeat(32)).unwrap();
        add(&mut hashes, "egg", "foo").unwrap();
        add(&mut hashes, "a b", &"00".repeat(32)).unwrap();
        add_pair(&mut hashes, "md5=d41d8cd98f00b204e9800998ecf8427e").unwrap();
        add_pair(&mut hashes, "nonsense").unwrap();
        assert_eq!(hashes.len(), 2);
        assert_eq!(hashes.get("sha256"), Some(&"ab".repeat(32)));
        assert_eq!(pair(&hashes), Some(format!("sha256={}", "ab".repeat(32))));
        for bad in ["", "00", "zz"] {
            assert!(add(&mut hashes, "sha256", bad).is_err());
        }
    }

    #[test]
    fn their_number_is_bounded() {
        let mut hashes = Hashes::new();
        for i in 0..1000 {
            add(&mut hashes, &format!("h{i}"), &"00".repeat(32)).unwrap();
        }
        add(&mut hashes, "sha256", &"00".repeat(32)).unwrap();
        assert_eq!(hashes.len(), MOST + 1);
        assert!(hashes.contains_key("sha256"));
    }
}
