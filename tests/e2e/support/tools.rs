//! The programs that `tests/run` installs.

use std::env;
use std::path::{Path, PathBuf};

/// A program, or a set of them, that a test cannot do without.
#[derive(Debug, Clone, Copy)]
pub enum Tool {
    /// pypiserver, devpi, twine, uv, pip and python-tuf.
    Python,
    /// pip 24.3.1.
    OldPip,
    /// tuf-js, and the Node.js that runs it.
    TufJs,
    /// nginx.
    Nginx,
}

impl Tool {
    /// The file without which it is not there.
    pub fn path(self) -> PathBuf {
        match self {
            Self::Python => python("python"),
            Self::OldPip => folder().join("old-pip/bin/python"),
            Self::TufJs => node_packages().join("node_modules/tuf-js/package.json"),
            Self::Nginx => ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
                .into_iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
                .unwrap_or_else(|| "/usr/sbin/nginx".into()),
        }
    }
}

/// A program of the Python environment.
pub fn python(program: &str) -> PathBuf {
    folder().join("python/bin").join(program)
}

/// The folder that holds `node_modules`.
pub fn node_packages() -> PathBuf {
    folder().join("node")
}

fn folder() -> PathBuf {
    env::var_os("COUNTERSIGN_TEST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from)
}

/// Whether all are there; says what is missing, and fails where nothing may be.
pub fn present(tools: &[Tool]) -> bool {
    let missing = tools.iter().find(|tool| !tool.path().exists());
    let Some(tool) = missing else { return true };
    let reason = format!("{tool:?} is missing ({}): run tests/run", tool.path().display());
    assert!(env::var("COUNTERSIGN_TESTS_REQUIRE_TOOLS").as_deref() != Ok("1"), "{reason}");
    eprintln!("skipped: {reason}");
    false
}

/// Ends the test, as skipped, where one of the tools is missing.
macro_rules! need {
    ($($tool:ident),+) => {
        if !$crate::support::tools::present(&[$($crate::support::tools::Tool::$tool),+]) {
            return;
        }
    };
}
pub(crate) use need;
