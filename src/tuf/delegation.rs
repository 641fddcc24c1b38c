//! Which delegated roles are asked for a target, in what order (TUF specification, sections 4.5 and 5.6.7; TAP 15).

use super::{DelegatedRole, Delegations, Digest, Targets};

/// Names that no delegated role may have.
const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// A delegated role that is trusted with a target path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegate {
    /// Its name.
    pub name: String,
    /// Whether nobody after it is asked.
    pub terminating: bool,
}

impl Delegations {
    /// The roles that are trusted with `path`, in the order of their priority, up to the first terminating one.
    pub fn delegates_for(&self, path: &str) -> Vec<Delegate> {
        if let Some(bins) = &self.succinct_roles {
            return vec![Delegate { name: bins.bin_of(path), terminating: true }];
        }
        let mut found = Vec::new();
        for role in self.roles.iter().flatten().filter(|role| role.is_trusted_with(path)) {
            found.push(Delegate { name: role.name.clone(), terminating: role.terminating });
            if role.terminating {
                break;
            }
        }
        found
    }

    /// What a client cannot make sense of.
    fn flaw(&self) -> Option<String> {
        let roles = match (&self.roles, &self.succinct_roles) {
            (Some(roles), None) => roles,
            (None, Some(bins)) if (1..=32).contains(&bins.bit_length) => {
                return self.authority(&bins.name(0))?.flaw(&bins.name_prefix);
            }
            (None, Some(bins)) => {
                return Some(format!("bit_length is {}, not 1 to 32", bins.bit_length));
            }
            (Some(_), Some(_)) => return Some("it has both roles and succinct_roles".into()),
            (None, None) => {
                return Some("delegations have neither roles nor succinct_roles".into());
            }
        };
        let mut seen = std::collections::BTreeSet::new();
        roles.iter().find_map(|role| {
            let name = role.name.as_str();
            if name.is_empty() || TOP_LEVEL.contains(&name) {
                Some(format!("a delegated role cannot be called {name:?}"))
            } else if !seen.insert(name) {
                Some(format!("it delegates to {name:?} twice"))
            } else if role.paths.is_some() == role.path_hash_prefixes.is_some() {
                Some(format!("{name:?} needs either paths or path_hash_prefixes"))
            } else {
                self.authority(name)?.flaw(name)
            }
        })
    }
}

impl Targets {
    /// What a client cannot make sense of, though it is well formed.
    pub(super) fn flaw(&self) -> Option<String> {
        self.delegations.as_ref().and_then(Delegations::flaw)
    }
}

impl DelegatedRole {
    /// Whether `path` is among the paths that this role is trusted with. `*` and `?` do not match a slash.
    pub fn is_trusted_with(&self, path: &str) -> bool {
        if let Some(prefixes) = &self.path_hash_prefixes {
            let hash = Digest::of(path.as_bytes()).to_string();
            return prefixes.iter().any(|prefix| hash.starts_with(prefix.as_str()));
        }
        self.paths.iter().flatten().any(|pattern| matches(pattern, path))
    }
}

/// Matches segment by segment, as a shell does.
fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fit = pattern.split('/').all(|pattern| {
        segments.next().is_some_and(|segment| {
            glob::Pattern::new(&single_stars(pattern)).is_ok_and(|pattern| pattern.matches(segment))
        })
    });
    fit && segments.next().is_none()
}

/// Two stars mean no more than one inside a segment.
fn single_stars(pattern: &str) -> String {
    let mut single = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        if c != '*' || !single.ends_with('*') {
            single.push(c);
        }
    }
    single
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn role(name: &str, paths: &[&str], terminating: bool) -> DelegatedRole {
        DelegatedRole {
            keyids: vec![],
            name: name.into(),
            path_hash_prefixes: None,
            paths: Some(paths.iter().map(ToString::to_string).collect()),
            terminating,
            threshold: 1,
            extra: Default::default(),
        }
    }

    #[test]
    fn wildcards_stay_inside_a_segment() {
        for (pattern, path, expected) in [
            ("*", "a", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("**", "ab", true),
            ("foo-?.tgz", "foo-1.tgz", true),
            ("foo-?.tgz", "foo-12.tgz", false),
            ("foo-[0-9].tgz", "foo-1.tgz", true),
            ("foo-[!0-9].tgz", "foo-1.tgz", false),
            ("*.doc", ".doc", true),
            ("README", "readme", false),
            ("a/b", "a", false),
            ("[", "[", false),
            ("a+(b)", "a+(b)", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_first_terminating_role_is_the_last() {
        let roles = vec![
            role("a", &["x/*"], false),
            role("b", &["y/*"], true),
            role("c", &["x/*"], true),
            role("d", &["x/*"], false),
        ];
        let delegations = Delegations {
            keys: Default::default(),
            roles: Some(roles),
            succinct_roles: None,
            extra: Default::default(),
        };
        let names: Vec<_> =
            delegations.delegates_for("x/1").into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn a_hash_prefix_is_enough() {
        let mut bin = role("18", &[], false);
        bin.paths = None;
        // sha256("Hello") = 185f8db3…
        bin.path_hash_prefixes = Some(vec!["17".into(), "185".into()]);
        assert!(bin.is_trusted_with("Hello"));
        assert!(!bin.is_trusted_with("hello"));
    }

    proptest! {
        #[test]
        fn any_pattern_is_taken(pattern in any::<String>(), path in any::<String>()) {
            let _ = matches(&pattern, &path);
        }

        #[test]
        fn a_path_matches_itself_and_stars(path in "[a-z0-9._+-]{1,8}(/[a-z0-9._+-]{1,8}){0,3}") {
            prop_assert!(matches(&path, &path));
            let stars = path.split('/').map(|_| "*").collect::<Vec<_>>().join("/");
            prop_assert!(matches(&stars, &path));
        }
    }
}
