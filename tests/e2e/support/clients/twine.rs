//! twine.

use std::fs;
use std::process::Output;

use super::plain;
use crate::support::packages::Package;
use crate::support::process::run;
use crate::support::{secs, tools};

/// `twine upload` to a URL.
pub fn upload(url: &str, user: &str, password: &str, file: &Package) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(&file.filename);
    fs::write(&path, &file.bytes).expect("a file");
    let mut command = plain(tools::python("twine"), folder.path());
    command.args([
        "upload",
        "--non-interactive",
        "--disable-progress-bar",
        "--repository-url",
        url,
    ]);
    command.args(["-u", user, "-p", password]).arg(&path);
    run(&mut command, secs(120))
}
