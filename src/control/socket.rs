//! Binding and connecting, also below paths that are longer than a socket address holds.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::ControlError;

/// `sun_path` has 108 bytes on Linux, the last one a zero.
const LONGEST: usize = 107;

/// Listens on `path`, mode 0600 from its first moment on, in place of what a dead process left there.
pub(super) fn bind(path: &Path) -> Result<UnixListener, ControlError> {
    refuse_if_taken(path)?;
    bind_and_move(path).map_err(|source| ControlError::Socket {
        action: "make",
        path: path.into(),
        source,
    })
}

/// Opens the socket that somebody serves at `path`.
pub(super) async fn connect(path: &Path) -> Result<UnixStream, ControlError> {
    let opened = async { UnixStream::connect(Short::of(path)?.as_path()).await };
    opened.await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning(path.parent().unwrap_or(path).into())
        }
        _ => ControlError::Socket { action: "open", path: path.into(), source },
    })
}

fn refuse_if_taken(path: &Path) -> Result<(), ControlError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(ControlError::NotASocket(path.into())),
        Ok(_) if listens(path) => Err(ControlError::InUse(path.into())),
        _ => Ok(()),
    }
}

fn listens(path: &Path) -> bool {
    Short::of(path).is_ok_and(|short| BlockingStream::connect(short.as_path()).is_ok())
}

/// A socket's mode can be set only after it is bound. So it is bound where nobody else can
/// reach it, and then moved, which also replaces a stale one in one step.
fn bind_and_move(path: &Path) -> io::Result<UnixListener> {
    let private = path.with_extension("new");
    // A crash right here, long ago, may have left it.
    if private.exists() {
        fs::remove_dir_all(&private)?;
    }
    DirBuilder::new().mode(0o700).create(&private)?;
    let bound = private.join("s");
    let listener = UnixListener::bind(Short::of(&bound)?.as_path()).and_then(|listener| {
        fs::set_permissions(&bound, Permissions::from_mode(0o600))?;
        fs::rename(&bound, path)?;
        Ok(listener)
    });
    fs::remove_dir_all(&private)?;
    listener
}

/// A path that fits into a socket address: itself, or by way of its open folder.
struct Short {
    path: PathBuf,
    /// The path leads through this descriptor while it is open.
    _folder: Option<File>,
}

impl Short {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self { path: path.into(), _folder: None });
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }

    fn as_path(&self) -> &Path {
        &self.path
    }
}
