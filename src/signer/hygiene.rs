//! What keeps keys in memory from lying around elsewhere.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core file is written of this process, whatever the system is set to, and other processes of the same user can
/// neither trace it nor read its memory (prctl(2), `PR_SET_DUMPABLE`; core(5) on pipes that ignore the limit).
///
/// # Errors
/// Where the system does not let it.
pub fn keep_out_of_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
