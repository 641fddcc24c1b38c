//! A public key file, as a holder hands it over.
#![no_main]

use countersign::tuf::Key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = Key::from_text(text) {
        assert!(key.public().is_ok() && key.extra.is_empty());
        let again = serde_json::to_string(&key).unwrap();
        assert_eq!(Key::from_text(&again), Ok(key));
    }
});
