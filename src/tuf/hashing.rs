//! Whether bytes are those that are signed, as they come (TUF specification, section 5.7.3).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256, Sha512};

use super::{Distrust, Flaw, TargetFile};

/// The hashes that this client can compute.
#[derive(Debug, Default)]
pub(super) struct Hashing {
    sha256: Sha256,
    sha512: Sha512,
}

impl Hashing {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.sha512.update(bytes);
    }

    /// Every hash that can be computed must be right, and there must be one.
    pub(super) fn finish(
        self,
        what: &str,
        hashes: &BTreeMap<String, String>,
    ) -> Result<(), Distrust> {
        let computed = BTreeMap::from([
            ("sha256", hex::encode(self.sha256.finalize())),
            ("sha512", hex::encode(self.sha512.finalize())),
        ]);
        let mut checked = false;
        for (algorithm, expected) in hashes {
            let Some(found) = computed.get(algorithm.as_str()) else { continue };
            if !found.eq_ignore_ascii_case(expected) {
                let (algorithm, expected, found) =
                    (algorithm.clone(), expected.clone(), found.clone());
                return Err(Flaw::Hash { algorithm, expected, found }.of(what));
            }
            checked = true;
        }
        if checked { Ok(()) } else { Err(no_hash(what, hashes)) }
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn no_hash(what: &str, hashes: &BTreeMap<String, String>) -> Distrust {
    let names = hashes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Flaw::NoHash(if names.is_empty() { "there are none".into() } else { names }).of(what)
}

/// A target on its way: its length is watched from the first byte, its hashes are compared at the end.
#[derive(Debug)]
pub struct Checking<'t> {
    path: &'t str,
    target: &'t TargetFile,
    length: u64,
    hashing: Hashing,
}

impl<'t> Checking<'t> {
    /// Expects the target at `path`.
    pub fn new(path: &'t str, target: &'t TargetFile) -> Self {
        Self { path, target, length: 0, hashing: Hashing::default() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Flaw::TooLong`] as soon as more come than are signed.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Distrust> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        let limit = self.target.length;
        if self.length > limit {
            return Err(Flaw::TooLong { limit }.of(self.path));
        }
        self.hashing.update(bytes);
        Ok(())
    }

    /// All bytes came.
    ///
    /// # Errors
    /// [`Flaw::Length`], [`Flaw::Hash`], or [`Flaw::NoHash`] where none of its hashes is SHA-256 or SHA-512.
    pub fn finish(self) -> Result<(), Distrust> {
        let (expected, found) = (self.target.length, self.length);
        if expected != found {
            return Err(Flaw::Length { expected, found }.of(self.path));
        }
        self.hashing.finish(self.path, &self.target.hashes)
    }
}

impl TargetFile {
    /// Checks that there is a hash by which the target called `path` can be recognized, before it is asked for.
    ///
    /// # Errors
    /// [`Flaw::NoHash`].
    pub fn recognizable(&self, path: &str) -> Result<(), Distrust> {
        let known = [("sha256", 64), ("sha512", 128)];
        let given = known.map(|(name, length)| self.hashes.get(name).map(|hash| (hash, length)));
        let mut given = given.into_iter().flatten().peekable();
        let any = given.peek().is_some();
        if any && given.all(|(hash, length)| hash.len() == length && is_hex(hash)) {
            Ok(())
        } else {
            Err(no_hash(path, &self.hashes))
        }
    }

    /// Checks a whole target called `path`.
    ///
    /// # Errors
    /// As [`Checking`].
    pub fn check(&self, path: &str, bytes: &[u8]) -> Result<(), Distrust> {
        let mut checking = Checking::new(path, self);
        checking.update(bytes)?;
        checking.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(hashes: &[(&str, &str)]) -> TargetFile {
        let hashes = hashes.iter().map(|(name, hash)| (name.to_string(), hash.to_string()));
        TargetFile { custom: None, hashes: hashes.collect(), length: 1, extra: BTreeMap::new() }
    }

    #[test]
    fn a_target_needs_a_hash_of_its_length() {
        let (short, long) = ("a0".repeat(32), "B1".repeat(64));
        for good in [
            target(&[("sha256", &short)]),
            target(&[("sha512", &long)]),
            target(&[("blake2b-256", "?"), ("sha256", &short), ("sha512", &long)]),
        ] {
            assert_eq!(good.recognizable("x"), Ok(()), "{good:?}");
        }
        for bad in [
            target(&[]),
            target(&[("blake2b-256", &short)]),
            target(&[("sha256", &long)]),
            target(&[("sha256", "../../x"), ("sha512", &long)]),
        ] {
            assert_eq!(bad.recognizable("x").unwrap_err().flaw.label(), "no-hash", "{bad:?}");
        }
    }
}
