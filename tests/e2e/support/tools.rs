//! The programs that `tests/run` installs.

use std::env;
use std::path::{Path, PathBuf};

use super::{clock, disk};

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
    /// SeaweedFS, with its S3 gateway.
    Seaweed,
    /// strace, and a kernel that lets it trace.
    Strace,
    /// libfaketime.
    Faketime,
    /// SoftHSM's PKCS#11 module.
    SoftHsm,
    /// The program of OpenSSL 3.
    OpenSsl,
    /// OpenBao.
    OpenBao,
    /// moto, which plays AWS.
    #[cfg_attr(not(feature = "aws-kms"), allow(dead_code))]
    Moto,
    /// The right to mount.
    Mounts,
    /// A binary in which failpoints can be set.
    Failpoints,
}

impl Tool {
    /// Why it cannot be used; nothing where it can.
    fn lacks(self) -> Option<String> {
        match self {
            Self::Mounts => disk::no_mounts(),
            Self::Failpoints => (!cfg!(feature = "failpoints"))
                .then(|| "the binary is built without --features failpoints".to_owned()),
            _ => (!self.path().exists())
                .then(|| format!("{self:?} is missing ({}): run tests/run", self.path().display())),
        }
    }

    /// The file without which it is not there.
    pub fn path(self) -> PathBuf {
        match self {
            Self::Python => python("python"),
            Self::OldPip => folder().join("old-pip/bin/python"),
            Self::TufJs => node_packages().join("node_modules/tuf-js/package.json"),
            Self::Nginx => first(&["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]),
            Self::Seaweed => python("weed"),
            Self::OpenBao => python("bao"),
            Self::Moto => folder().join("moto/bin/python"),
            Self::Strace => first(&["/usr/bin/strace", "/usr/local/bin/strace"]),
            Self::Faketime => clock::library(),
            Self::SoftHsm => {
                first(&["/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"])
            }
            Self::OpenSsl => first(&["/usr/bin/openssl", "/usr/local/bin/openssl"]),
            Self::Mounts => "/bin/mount".into(),
            Self::Failpoints => env!("CARGO_BIN_EXE_countersign").into(),
        }
    }
}

/// The first that is there; the first of all where none is.
fn first(paths: &[&str]) -> PathBuf {
    let found = paths.iter().find(|path| Path::new(path).exists());
    found.or(paths.first()).expect("a path").into()
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
    let Some(reason) = tools.iter().find_map(|tool| tool.lacks()) else { return true };
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
