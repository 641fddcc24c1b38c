//! Disks that say no: a small one, and one that may not be written to.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::process::run;
use super::secs;

/// A file system in memory that holds little, mounted until it is dropped.
pub struct SmallDisk {
    folder: TempDir,
    /// Read-only, over the first.
    sealed: bool,
}

/// Why nothing can be mounted here; nothing where it can be.
pub fn no_mounts() -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], folder.path());
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Some(format!("nothing can be mounted here, which takes root: {said}"));
    }
    unmount(folder.path());
    None
}

impl SmallDisk {
    pub fn new(kilobytes: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={kilobytes}k");
        let output = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], folder.path());
        assert!(output.status.success(), "{output:?}");
        Self { folder, sealed: false }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all room that is left, save for so many bytes.
    pub fn fill(&self, but: u64) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("a file on the small disk");
        let block = [0; 4096];
        while file.write_all(&block).is_ok() {}
        let length = file.metadata().expect("a length").len();
        file.set_len(length.saturating_sub(but)).expect("a shorter file");
    }

    /// Gives the room back.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("room");
    }

    /// From now on nothing can be written by path. Files that are open stay as they are: that is why it is
    /// a second mount over the first, and no remount of it.
    pub fn seal(&mut self) {
        let source = self.path().to_str().expect("a name").to_owned();
        assert!(mount(&["--bind", &source], self.path()).status.success());
        self.sealed = true;
        let output = mount(&["-o", "remount,bind,ro"], self.path());
        assert!(output.status.success(), "{output:?}");
    }

    /// It can be written to again.
    pub fn unseal(&mut self) {
        assert!(self.sealed);
        unmount(self.path());
        self.sealed = false;
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.sealed {
            unmount(self.path());
        }
        unmount(self.path());
    }
}

fn mount(arguments: &[&str], on: &Path) -> Output {
    run(Command::new("mount").args(arguments).arg(on), secs(30))
}

/// Even where somebody still has a file open on it.
fn unmount(from: &Path) {
    let output = run(Command::new("umount").arg("--lazy").arg(from), secs(30));
    if !output.status.success() {
        eprintln!("{output:?}");
    }
}
