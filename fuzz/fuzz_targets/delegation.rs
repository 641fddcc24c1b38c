//! Delegations, signed or not: whom they name for a path.
#![no_main]

use countersign::tuf::Delegations;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str)| {
    let (json, path) = data;
    if let Ok(delegations) = serde_json::from_str::<Delegations>(json) {
        let found = delegations.delegates_for(path);
        assert!(found.iter().rev().skip(1).all(|delegate| !delegate.terminating));
    }
});
