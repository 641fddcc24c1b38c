//! The signatures of several copies in one.

use std::collections::BTreeMap;

use super::case::Case;
use super::check::{Refusal, is_place, shown};
use super::words::plain;
use crate::tuf::canonical::CanonicalError;
use crate::tuf::{KeyId, Signature};

/// Why copies cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// They are not copies.
    #[error(
        "{} does not hold the same {role}: its signatures are over something else; compare the two with `review`",
        plain(file)
    )]
    OtherContent {
        /// The role.
        role: &'static str,
        /// Which copy.
        file: String,
    },
    /// A signature that does not verify.
    #[error(
        "{} has a signature of key {} that does not verify: ask its holder to sign again",
        plain(file),
        shown(keyid)
    )]
    BadSignature {
        /// Which copy.
        file: String,
        /// The key.
        keyid: KeyId,
    },
    /// A copy in which one key signed twice.
    #[error("{}: {refusal}", plain(file))]
    Twice {
        /// Which copy.
        file: String,
        /// What is wrong.
        refusal: Refusal,
    },
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// What merging did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Keys whose signatures came.
    pub added: Vec<KeyId>,
    /// Keys of which the files do not tell what they are, so that their signatures could not be checked.
    pub unchecked: Vec<KeyId>,
}

/// Adds to `into` the signatures of `others`, which are named for errors. The order of copies makes no difference.
///
/// # Errors
/// [`MergeError`]; nothing is changed then.
pub fn merge(
    into: &mut Case,
    name: &str,
    others: &[(String, Vec<Signature>, Vec<u8>)],
) -> Result<Merged, MergeError> {
    let message = into.message()?;
    let role = into.kind().name();
    let mut all = BTreeMap::<KeyId, Signature>::new();
    let mut unchecked = Vec::new();
    let own = (name.to_owned(), into.signatures().to_vec(), message.clone());
    let before: Vec<_> = real(&own.1).map(|signature| signature.keyid.clone()).collect();
    for (file, signatures, content) in std::iter::once(&own).chain(others) {
        if *content != message {
            return Err(MergeError::OtherContent { role, file: file.clone() });
        }
        let mut here = std::collections::BTreeSet::new();
        for signature in real(signatures) {
            let (file, keyid) = (file.clone(), signature.keyid.clone());
            if !here.insert(&signature.keyid) {
                let refusal = Refusal::SignedTwice { role, keyid };
                return Err(MergeError::Twice { file, refusal });
            }
            match into.key(&keyid) {
                Some(key) if key.verify(&message, &signature.sig).is_err() => {
                    return Err(MergeError::BadSignature { file, keyid });
                }
                Some(_) => (),
                None => unchecked.push(keyid.clone()),
            }
            // Some kinds of keys sign otherwise each time; one of the signatures is enough.
            let there = all.entry(keyid).or_insert_with(|| signature.clone());
            if signature.sig < there.sig {
                *there = signature.clone();
            }
        }
    }
    unchecked.sort();
    unchecked.dedup();
    let added = all.keys().filter(|id| !before.contains(id)).cloned().collect();
    *into.signatures_mut() = all.into_values().collect();
    Ok(Merged { added, unchecked })
}

fn real(signatures: &[Signature]) -> impl Iterator<Item = &Signature> {
    signatures.iter().filter(|signature| !is_place(signature))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ceremony::check::testing::{by, root};
    use crate::tuf::{Root, canonical};

    fn case(root: &Root, signed_by: &[u8]) -> Case {
        Case::Root { old: None, new: by(root, signed_by) }
    }

    fn copy(name: &str, root: &Root, signed_by: &[u8]) -> (String, Vec<Signature>, Vec<u8>) {
        (name.into(), by(root, signed_by).signatures, canonical::to_vec(root).unwrap())
    }

    #[test]
    fn signatures_of_copies_come_together() {
        let mut into = case(&root(1), &[1]);
        let merged =
            merge(&mut into, "a", &[copy("b", &root(1), &[2]), copy("c", &root(1), &[1, 3])]);
        let mut expected = [2, 3].map(|seed| crate::ceremony::check::testing::pair(seed).id());
        expected.sort();
        assert_eq!(merged.unwrap(), Merged { added: expected.into(), unchecked: Vec::new() });
        assert_eq!(into.signatures().len(), 3);
    }

    #[test]
    fn what_is_no_copy_or_not_signed_is_named() {
        let refused = |other| {
            let mut into = case(&root(1), &[1]);
            let said = merge(&mut into, "a", &[other]).unwrap_err().to_string();
            assert_eq!(into.signatures().len(), 1);
            said
        };
        let said = refused(copy("b.json", &root(2), &[2]));
        assert!(said.contains("b.json does not hold the same root"), "{said}");
        let said = refused(copy("b.json", &root(1), &[2, 2]));
        assert!(said.contains("b.json: key") && said.contains("signed root twice"), "{said}");
        let mut bad = copy("b\u{1b}.json", &root(1), &[2]);
        bad.1[0].sig = "00".into();
        let said = refused(bad);
        assert!(said.contains("does not verify") && !said.contains('\u{1b}'), "{said}");
    }

    proptest! {
        #[test]
        fn the_order_of_copies_makes_no_difference(
            sets in prop::collection::vec(prop::collection::btree_set(1u8..5, 0..4), 1..5),
            turn in 0usize..5,
        ) {
            let sets: Vec<Vec<u8>> = sets.into_iter().map(|set| set.into_iter().collect()).collect();
            let together = |sets: &[Vec<u8>]| {
                let (first, rest) = sets.split_first().unwrap();
                let mut into = case(&root(1), first);
                let others: Vec<_> = rest.iter().map(|set| copy("o", &root(1), set)).collect();
                merge(&mut into, "i", &others).unwrap();
                into.signatures().to_vec()
            };
            let mut turned = sets.clone();
            turned.rotate_left(turn % sets.len());
            prop_assert_eq!(together(&sets), together(&turned));
        }
    }
}
