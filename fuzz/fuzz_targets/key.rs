//! A key and a signature, as metadata has them.
#![no_main]

use countersign::tuf::Key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str)| {
    let (json, signature) = data;
    if let Ok(key) = serde_json::from_str::<Key>(json) {
        assert!(key.verify(b"message", signature).is_err());
    }
});
