//! A gateway in front of a real sidecar, all on loopback; between them somebody who can change what is sent.

mod answers;
mod between;
mod files;
mod rig;
mod standing;
