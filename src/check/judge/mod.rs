//! From facts to findings: each says what is, and what to do about it. Pure.

use serde::Serialize;

use super::facts::{Example, Group, Report};
use super::text::more;

mod files;
mod mirror;
mod pages;
mod plan;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about.
    pub topic: Topic,
    /// What is, in sentences.
    pub what: String,
    /// What to do about it, in sentences.
    pub todo: String,
    /// A command to copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A few of those concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Something would be refused, or the mirror cannot be used.
    Fail,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The mirror as a whole.
    Mirror,
    /// Project pages.
    Pages,
    /// Distribution files.
    Files,
    /// What to do next.
    Next,
}

/// All findings, in the order in which they are read.
pub fn findings(report: &Report) -> Vec<Finding> {
    let mut findings = mirror::judge(report);
    findings.extend(pages::judge(report));
    findings.extend(files::judge(report));
    findings.extend(plan::judge(report));
    findings
}

impl Topic {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Mirror, Self::Pages, Self::Files, Self::Next];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Mirror => "The mirror",
            Self::Pages => "Pages",
            Self::Files => "Files",
            Self::Next => "Next",
        }
    }

    fn ok(self, what: impl Into<String>) -> Finding {
        self.found(Level::Ok, what, "Nothing to do.")
    }

    fn note(self, what: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Level::Note, what, todo)
    }

    fn fail(self, what: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Level::Fail, what, todo)
    }

    fn found(self, level: Level, what: impl Into<String>, todo: impl Into<String>) -> Finding {
        let (what, todo) = (what.into(), todo.into());
        Finding { level, topic: self, what, todo, command: None, examples: Vec::new(), more: 0 }
    }
}

impl Finding {
    fn with(mut self, group: &Group) -> Self {
        self.examples = group.examples.clone();
        self.more = more(group);
        self
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests;
