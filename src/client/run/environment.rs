//! The variables of the command: what makes tools ask the gateway, and what would lead them past it.

use std::collections::BTreeMap;

use url::Url;

use super::bypass::{Bypass, What, shown};
use super::tool::Tool;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// What the command's environment is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Set, whatever they were.
    pub set: BTreeMap<&'static str, String>,
    /// Taken out.
    pub removed: Vec<String>,
    /// Left as they are, and to be warned of.
    pub bypasses: Vec<Bypass>,
}

/// Each tool's variable for its main index. The second of uv's is for versions before 0.4.23.
const INDEX: [&str; 5] =
    ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIPENV_PYPI_MIRROR", "PDM_PYPI_URL"];

/// Whose requests go out without a proxy. Of the two, some tools read the first alone.
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The environment of a command of `tool` behind the gateway at `index`, which is a project list's URL.
pub fn plan(inherited: &Variables, tool: Tool, index: &Url) -> Plan {
    let mut plan = Plan { bypasses: bypasses(inherited, tool), ..Plan::default() };
    plan.set.extend(INDEX.map(|name| (name, index.to_string())));
    // With it, pdm passes over PDM_PYPI_URL.
    plan.set.insert("PDM_IGNORE_STORED_INDEX", "false".into());
    let host = index.host_str().unwrap_or_default();
    plan.set.extend(NO_PROXY.map(|name| (name, without_proxy(inherited, name, host))));
    for (name, option) in of_pip(inherited) {
        let dropped = match option.as_str() {
            // Other spellings of our own; pip takes whichever comes last.
            "index-url" | "pypi-url" if name != "PIP_INDEX_URL" => What::IndexDropped,
            // pip's own proxy heeds no exceptions.
            "proxy" => What::ProxyDropped,
            _ => continue,
        };
        plan.removed.push(name.to_owned());
        if given(inherited, name).is_some() {
            plan.bypasses.push(Bypass::new(name, dropped));
        }
    }
    plan
}

/// pip's variables, each with its option as pip reads it: of any case, with `_` for `-`.
pub(super) fn of_pip(variables: &Variables) -> impl Iterator<Item = (&str, String)> {
    variables.keys().filter_map(|name| {
        let option = name.strip_prefix("PIP_")?.to_ascii_lowercase().replace('_', "-");
        Some((name.as_str(), option.strip_prefix("--").map(str::to_owned).unwrap_or(option)))
    })
}

/// The exceptions that `name` has, or else its other spelling, with `host` among them.
fn without_proxy(inherited: &Variables, name: &str, host: &str) -> String {
    let own = given(inherited, name);
    let known = own.or_else(|| NO_PROXY.iter().find_map(|name| given(inherited, name)));
    match known {
        Some("*") => "*".into(),
        Some(known) if known.split(',').any(|entry| entry.trim() == host) => known.to_owned(),
        Some(known) => format!("{known},{host}"),
        None => host.to_owned(),
    }
}

fn bypasses(inherited: &Variables, tool: Tool) -> Vec<Bypass> {
    let mut found = Vec::new();
    if tool.heeds(Tool::Pip) {
        found.extend(of_pip(inherited).filter_map(|(name, option)| {
            let value = given(inherited, name)?;
            let what = match option.as_str() {
                "extra-index-url" | "find-links" => What::Beside(shown(value)),
                "no-index" if is_true(value) => What::NoIndex,
                _ => return None,
            };
            Some(Bypass::new(name, what))
        }));
    }
    if tool.heeds(Tool::Uv) {
        for name in ["UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"] {
            found.extend(given(inherited, name).map(|v| Bypass::new(name, What::Beside(shown(v)))));
        }
        if given(inherited, "UV_TORCH_BACKEND").is_some() {
            found.push(Bypass::new("UV_TORCH_BACKEND", What::Torch));
        }
    }
    found
}

/// The value of a variable that says something.
pub(super) fn given<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// As pip and uv read switches; what they refuse counts as on.
pub(super) fn is_true(value: &str) -> bool {
    let off = ["0", "false", "no", "n", "off", "f"];
    !off.contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn of(pairs: &[(&str, &str)], tool: Tool) -> Plan {
        plan(&variables(pairs), tool, &"http://127.0.0.1:17001/root/+simple/".parse().unwrap())
    }

    fn said(pairs: &[(&str, &str)], tool: Tool) -> Vec<String> {
        of(pairs, tool).bypasses.iter().map(Bypass::to_string).collect()
    }

    #[test]
    fn every_tool_is_told_of_the_gateway() {
        let inherited = [("PIP_INDEX_URL", "https://a.example/"), ("UV_INDEX_URL", "https://b/")];
        let plan = of(&inherited, Tool::Other);
        for name in INDEX {
            assert_eq!(plan.set[name], "http://127.0.0.1:17001/root/+simple/");
        }
        assert_eq!(plan.set["PDM_IGNORE_STORED_INDEX"], "false");
        assert!(plan.bypasses.is_empty() && plan.removed.is_empty(), "{plan:?}");
    }

    #[test]
    fn no_proxy_comes_between() {
        for (inherited, lower, upper) in [
            (&[][..], "127.0.0.1", "127.0.0.1"),
            (&[("no_proxy", "a.example")], "a.example,127.0.0.1", "a.example,127.0.0.1"),
            (&[("NO_PROXY", "a.example")], "a.example,127.0.0.1", "a.example,127.0.0.1"),
            (&[("no_proxy", "a"), ("NO_PROXY", "b")], "a,127.0.0.1", "b,127.0.0.1"),
            (&[("NO_PROXY", "*")], "*", "*"),
            (&[("NO_PROXY", "a, 127.0.0.1")], "a, 127.0.0.1", "a, 127.0.0.1"),
        ] {
            let plan = of(inherited, Tool::Pip);
            assert_eq!(
                (plan.set["no_proxy"].as_str(), plan.set["NO_PROXY"].as_str()),
                (lower, upper)
            );
        }
        let plan = of(&[("PIP_PROXY", "http://p.example:3128")], Tool::Pip);
        assert_eq!(plan.removed, ["PIP_PROXY"]);
        assert!(plan.bypasses[0].to_string().starts_with("PIP_PROXY is not handed on"));
    }

    #[test]
    fn what_leads_past_the_gateway_is_named() {
        let extra = [("PIP_EXTRA_INDEX_URL", "https://ann:hunter2@a.example/simple /srv/wheels")];
        let warning = "PIP_EXTRA_INDEX_URL names another source of packages (https://***@a.example/simple, /srv/wheels): \
nothing from there is verified";
        for tool in [Tool::Pip, Tool::Pipenv, Tool::Other] {
            assert_eq!(said(&extra, tool), [warning]);
        }
        assert!(said(&extra, Tool::Uv).is_empty() && said(&extra, Tool::Pdm).is_empty());
        for name in ["UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_TORCH_BACKEND"] {
            let said = said(&[(name, "https://a.example/")], Tool::Uv);
            assert!(said.len() == 1 && said[0].starts_with(name), "{said:?}");
        }
        assert_eq!(said(&[("PIP_FIND_LINKS", "/srv/wheels")], Tool::Pip).len(), 1);
    }

    #[test]
    fn other_spellings_of_pips_index_are_taken_out() {
        for name in ["PIP_PYPI_URL", "PIP_index_url", "PIP_Index-Url", "PIP___PYPI_URL"] {
            let plan = of(&[("PIP_INDEX_URL", "https://a/"), (name, "https://b/")], Tool::Pip);
            assert_eq!(plan.removed, [name]);
            assert_eq!(plan.bypasses.len(), 1, "{plan:?}");
            let said = plan.bypasses[0].to_string();
            assert!(said.starts_with(&format!("{name} is not handed on: pip")), "{said}");
            assert!(plan.set.contains_key("PIP_INDEX_URL"));
        }
        let plan = of(&[("PIP_PYPI_URL", "")], Tool::Pip);
        assert!(plan.removed == ["PIP_PYPI_URL"] && plan.bypasses.is_empty(), "{plan:?}");
        let plan = of(&[("PIP_proxy", "http://p.example")], Tool::Pip);
        assert_eq!(plan.removed, ["PIP_proxy"]);
        // These are other variables altogether.
        assert!(of(&[("pip_index_url", "x"), ("PIP_INDEX", "x")], Tool::Pip).removed.is_empty());
    }

    #[test]
    fn pips_variables_are_known_in_any_case() {
        for name in ["PIP_extra_index_url", "PIP_Find_Links"] {
            let said = said(&[(name, "https://a.example/")], Tool::Pip);
            assert!(said.len() == 1 && said[0].starts_with(name), "{said:?}");
        }
        assert_eq!(said(&[("PIP_no_index", "1")], Tool::Pip).len(), 1);
    }

    #[test]
    fn what_says_nothing_is_no_bypass() {
        assert_eq!(said(&[("PIP_NO_INDEX", "1")], Tool::Pip).len(), 1);
        for pairs in [("PIP_NO_INDEX", "0"), ("PIP_NO_INDEX", ""), ("PIP_EXTRA_INDEX_URL", " ")] {
            assert!(said(&[pairs], Tool::Pip).is_empty());
        }
    }
}
