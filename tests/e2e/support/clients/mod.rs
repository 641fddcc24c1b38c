//! The clients that must be satisfied: installers, TUF clients, twine.

mod installers;
mod managers;
mod tuf;
mod twine;

pub use installers::{Install, Installer};
pub use managers::Manager;
pub use tuf::TufClient;
pub use twine::upload;

use std::env;
use std::path::Path;
use std::process::Command;

/// A command that knows nothing of the environment but where programs lie.
fn plain(program: impl AsRef<Path>, home: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("NO_COLOR", "1");
    command
}
