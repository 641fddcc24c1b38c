//! TUF metadata, as a repository sends it: the first byte says what it is taken for.
#![no_main]

use countersign::tuf::workflow::{self, Delegator};
use countersign::tuf::{MetaFile, Root};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let trusted = include_bytes!("../seeds/metadata/1.root.json");
    let root: Root = workflow::first_root(&trusted[1..]).unwrap();
    let entry = MetaFile::version(1);
    match kind {
        b'0' => drop(workflow::first_root(bytes)),
        b'1' => drop(workflow::next_root(&root, bytes)),
        b'2' => drop(workflow::timestamp(&root, bytes)),
        b'3' => drop(workflow::snapshot(&root, &entry, bytes, now)),
        _ => {
            let targets = workflow::targets(Delegator::Root(&root), "targets", &entry, bytes, now);
            if let Some(delegations) = targets.ok().and_then(|targets| targets.delegations) {
                let _ = delegations.delegates_for("simple/foo/vnd.pypi.simple.v1.json");
            }
        }
    }
});
